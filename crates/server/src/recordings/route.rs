//! The paths of recordings.

use super::files::Files;
use super::serve;
use super::sweep::made_up;
use super::upload::{Came, Refused, Turn, disk};
use crate::api::{Answer, Failure, json, params};
use crate::app::{App, now};
use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use meshscope_api::query::project;
use meshscope_api::{
    NewRecording, Params, Problem, Recording, RecordingKind, RecordingList, RecordingState, recording,
};
use meshscope_model::TraceId;
use meshscope_store::{AddedRecording, RecordingsOf};
use std::sync::Arc;

/// Largest description of a recording.
const DESCRIPTION: usize = 64 * 1024;

/// Recordings of a session, the earliest first.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}/recordings",
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("project" = Option<String>, Query, description = "Its project, where several have a session of this name"),
    ),
    responses((status = 200, body = RecordingList)))]
pub(crate) async fn list_recordings(
    State(app): State<Arc<App>>,
    Path(session_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let params = params(query);
    params.only(&["project"])?;
    let of = RecordingsOf {
        project: project(&params),
        session_id: Some(session_id),
        recording_id: None,
    };
    let mut recordings = app.ask(move |store| store.recordings(&of)).await?;
    let files = Files::of(&app.config.data_dir);
    recordings
        .iter_mut()
        .for_each(|recording| count(&files, recording));
    json(&RecordingList { recordings })
}

/// Adds a recording to a session: its bytes at once, or a description of what will come or where it is.
///
/// With a Content-Type of sound or video the body is the recording, and the parameters describe it. With
/// `application/json` the body describes it: with `size_bytes` its bytes come by `PATCH` to the path in `Location`,
/// in as many requests as it takes; with `url` it stays where it is. The session need not be known yet.
#[utoipa::path(post, path = "/api/v1/sessions/{session_id}/recordings",
    request_body(content((NewRecording = "application/json"), (Vec<u8> = "audio/wav"), (Vec<u8> = "video/webm")),
        description = "A description, or the recording itself"),
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("project" = Option<String>, Query, description = "Its project; absent is the only one with such a session, also when it becomes known later, and `default` till then"),
        ("kind" = Option<String>, Query, description = "`audio`, `video` or `screen`; absent is by the Content-Type"),
        ("participant" = Option<String>, Query, description = "Who is heard or seen"),
        ("name" = Option<String>, Query, description = "What a person calls it"),
        ("started_at" = Option<String>, Query, description = "Its first moment, ns since the epoch or RFC 3339, from 1970 to 2200"),
        ("offset_ns" = Option<i64>, Query, description = "How long after the session's first moment it begins, ten years before or after at the most; 0 when neither is said"),
        ("duration_ns" = Option<i64>, Query, description = "How long it is"),
    ),
    responses((status = 201, body = Recording), (status = 400, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn add_recording(
    State(app): State<Arc<App>>,
    Path(session_id): Path<String>,
    request: Request,
) -> Answer {
    let params = params(request.uri().query().map(str::to_owned));
    let given = header_text(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
    let described = given
        .split(';')
        .next()
        .is_some_and(|essence| essence.trim() == "application/json");
    let (new, bytes) = if described {
        params.only(&["project"])?;
        (read_description(request.into_body()).await?, None)
    } else {
        plain(request.headers())?;
        (described_by(&params, &given)?, Some(request.into_body()))
    };
    let limit = app.config.max_recording;
    if new.size_bytes.is_some_and(|size| size > limit) {
        return Err(too_large(limit).into());
    }
    let added = AddedRecording {
        session_id: session_id.clone(),
        project: project(&params),
        started_at: new.moment()?,
        recording: new,
        now: now(),
    };
    let id = app.ask(move |store| store.add_recording(&added)).await?;
    let id: TraceId = id
        .parse()
        .map_err(|_| Problem::internal("the recording has no identity"))?;
    if let Some(body) = bytes {
        // On its own, so that it comes to an end when the client goes away.
        let uploading = tokio::spawn(upload_whole(Arc::clone(&app), id, body, limit));
        uploading
            .await
            .map_err(|error| Problem::internal(error.to_string()))??;
    }
    let recording = find(&app, None, &session_id, id).await?;
    let location = format!(
        "/api/v1/sessions/{}/recordings/{id}",
        meshscope_api::params::encode(&session_id)
    );
    let mut answer = json(&recording)?;
    *answer.status_mut() = StatusCode::CREATED;
    serve::with_offset(answer.headers_mut(), &recording);
    Ok(([(header::LOCATION, location)], answer).into_response())
}

/// A recording's bytes, or the part of them that `Range` names.
///
/// One at a URL answers with a redirection. `If-Range` and `If-None-Match` take the `ETag`.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}/recordings/{recording_id}",
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("recording_id" = String, Path, description = "Identity of the recording"),
        ("project" = Option<String>, Query, description = "Its project"),
    ),
    responses((status = 200, content((Vec<u8> = "audio/wav"), (Vec<u8> = "video/webm"))), (status = 206, description = "A part"),
        (status = 304, description = "It is as it was"), (status = 307, description = "It is at the URL in Location"), (status = 404, body = Problem),
        (status = 409, description = "It is not whole yet", body = Problem), (status = 416, body = Problem)))]
pub(crate) async fn recording_bytes(
    State(app): State<Arc<App>>,
    Path((session_id, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let (recording, id) = named(&app, &session_id, &id, query).await?;
    if let Some(url) = recording.url.as_ref().filter(|url| recording::is_web(url)) {
        return Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, url.as_str())]).into_response());
    }
    if recording.state == RecordingState::Uploading {
        let of = |bytes: Option<u64>| bytes.map_or_else(|| "?".to_owned(), |bytes| bytes.to_string());
        return Err(Problem::conflict(format!(
            "{} of {} bytes have come: the rest is to be sent by PATCH",
            of(recording.received_bytes),
            of(recording.size_bytes)
        ))
        .into());
    }
    serve::bytes(&Files::of(&app.config.data_dir), id, &recording, &headers).await
}

/// How many bytes of a recording are there (`Upload-Offset`) and will be (`Upload-Length`).
///
/// To be asked before an upload goes on: it ends a request that still holds the recording.
#[utoipa::path(head, path = "/api/v1/sessions/{session_id}/recordings/{recording_id}",
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("recording_id" = String, Path, description = "Identity of the recording"),
        ("project" = Option<String>, Query, description = "Its project"),
    ),
    responses((status = 200, description = "There is such a recording"), (status = 404, description = "There is none")))]
pub(crate) async fn recording_offset(
    State(app): State<Arc<App>>,
    Path((session_id, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let (mut recording, id) = named(&app, &session_id, &id, query).await?;
    if recording.state == RecordingState::Uploading {
        let turn = app.uploads.turn(id).await;
        recording = as_it_stands(&app, &turn, &session_id, id).await?;
    }
    Ok(serve::standing(&recording))
}

/// Sends the next bytes of a recording.
///
/// `Upload-Offset` says where they belong, which must be where the bytes that are there end. What came of a request
/// that broke off stays, durably. Of a request with more bytes than the recording has nothing is kept. With the last
/// byte the recording is ready.
#[utoipa::path(patch, path = "/api/v1/sessions/{session_id}/recordings/{recording_id}",
    request_body(content((Vec<u8> = "application/octet-stream"))),
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("recording_id" = String, Path, description = "Identity of the recording"),
        ("project" = Option<String>, Query, description = "Its project"),
        ("Upload-Offset" = u64, Header, description = "How many bytes lie before the first of the body"),
    ),
    responses((status = 200, body = Recording), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, description = "Another offset is right: the answer's Upload-Offset", body = Problem),
        (status = 413, description = "More bytes than are to come: nothing of it is kept", body = Problem),
        (status = 415, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn append_recording(
    State(app): State<Arc<App>>,
    Path((session_id, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    plain(&headers)?;
    let offset = header_text(&headers, header::HeaderName::from_static("upload-offset"))
        .and_then(|text| text.trim().parse::<u64>().ok())
        .ok_or_else(|| {
            Problem::invalid_parameter(
                "Upload-Offset",
                "say as a number how many bytes lie before the first of the body",
            )
        })?;
    let (_, id) = named(&app, &session_id, &id, query).await?;
    let turn = app.uploads.turn(id).await;
    let recording = as_it_stands(&app, &turn, &session_id, id).await?;
    let received = recording.received_bytes.unwrap_or(0);
    if recording.state == RecordingState::Ready || offset != received {
        let problem = Problem::conflict(match recording.state {
            RecordingState::Ready => "all of the recording is there".to_owned(),
            RecordingState::Uploading => {
                format!("{received} bytes are there: go on with Upload-Offset: {received}")
            }
        });
        let mut answer = crate::api::problem(&problem);
        serve::with_offset(answer.headers_mut(), &recording);
        return Ok(answer);
    }
    let most = recording.size_bytes.unwrap_or(app.config.max_recording);
    let work = upload_part(Arc::clone(&app), turn, id, body, most);
    let done = tokio::spawn(work).await;
    done.map_err(|error| Problem::internal(error.to_string()))??;
    let recording = find(&app, None, &session_id, id).await?;
    let mut answer = json(&recording)?;
    serve::with_offset(answer.headers_mut(), &recording);
    Ok(answer)
}

/// Removes a recording and its bytes.
#[utoipa::path(delete, path = "/api/v1/sessions/{session_id}/recordings/{recording_id}",
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("recording_id" = String, Path, description = "Identity of the recording"),
        ("project" = Option<String>, Query, description = "Its project"),
    ),
    responses((status = 204, description = "It is gone"), (status = 404, body = Problem)))]
pub(crate) async fn remove_recording(
    State(app): State<Arc<App>>,
    Path((session_id, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let (_, id) = named(&app, &session_id, &id, query).await?;
    discard(&app, app.uploads.turn(id).await, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Takes the bytes of a recording in one request. When it breaks off nothing stays: the client does
/// not know the recording's identity.
async fn upload_whole(app: Arc<App>, id: TraceId, body: Body, limit: u64) -> Result<(), Problem> {
    let mut turn = app.uploads.turn(id).await;
    let taken = match make(&app).await {
        Ok(files) => match turn.append(&files, id, body, limit).await {
            Ok(came) => whole(&came),
            Err(Refused::TooMany) => Err(too_large(limit)),
            Err(Refused::Disk(error)) => Err(disk(&error)),
        },
        Err(problem) => Err(problem),
    };
    match taken {
        Ok(size) => finish(&app, id, size).await,
        Err(problem) => discard(&app, turn, id).await.and(Err(problem)),
    }
}

/// The size of a recording that came in one request.
fn whole(came: &Came) -> Result<u64, Problem> {
    match came {
        Came {
            broke_off: Some(why), ..
        } => Err(Problem::invalid_body(format!(
            "{why}; nothing of it is kept: large recordings are described first and then sent by PATCH"
        ))),
        Came { size: 0, .. } => Err(Problem::invalid_body(
            "the body is empty: there is no recording in it",
        )),
        Came { size, .. } => Ok(*size),
    }
}

/// Takes the next bytes of a recording, and makes it ready with the last of them.
async fn upload_part(
    app: Arc<App>,
    mut turn: Turn,
    id: TraceId,
    body: Body,
    most: u64,
) -> Result<(), Problem> {
    let files = make(&app).await?;
    let came = turn.append(&files, id, body, most).await;
    let came = came.map_err(|refused| match refused {
        Refused::TooMany => Problem::too_large(format!(
            "with it there were more than the {most} bytes that the recording has: nothing of it is kept"
        )),
        Refused::Disk(error) => disk(&error),
    })?;
    if came.size == most {
        // However the request ended.
        return finish(&app, id, most).await;
    }
    came.broke_off.map_or(Ok(()), |why| {
        Err(Problem::invalid_body(format!(
            "{why}: ask with HEAD for Upload-Offset and go on from there"
        )))
    })
}

async fn make(app: &App) -> Result<Files, Problem> {
    let files = Files::of(&app.config.data_dir);
    off_thread(move || files.make().map(|()| files)).await
}

async fn finish(app: &App, id: TraceId, size: u64) -> Result<(), Problem> {
    let files = Files::of(&app.config.data_dir);
    off_thread(move || files.finish(id)).await?;
    app.ask_long(move |store| store.finish_recording(id, size)).await
}

/// Removes a recording; the row first, so that a file never lacks one for long.
async fn discard(app: &App, turn: Turn, id: TraceId) -> Result<(), Problem> {
    app.ask_long(move |store| store.remove_recording(id)).await?;
    let files = Files::of(&app.config.data_dir);
    let removed = off_thread(move || files.remove(id)).await;
    drop(turn);
    removed
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Problem::internal(error.to_string()))?
        .map_err(|error| disk(&error))
}

/// The recording that a path names.
async fn named(
    app: &App,
    session_id: &str,
    id: &str,
    query: Option<String>,
) -> Result<(Recording, TraceId), Failure> {
    let params = params(query);
    params.only(&["project"])?;
    let missing = || Problem::not_found(format!("session {session_id:?} has no recording {id:?}"));
    let parsed = Some(id)
        .filter(|id| recording::is_recording_id(id))
        .and_then(|id| id.parse().ok());
    let parsed: TraceId = parsed.ok_or_else(missing)?;
    Ok((find(app, project(&params), session_id, parsed).await?, parsed))
}

/// A recording whose turn has come, which may have changed while that was waited for. One of which all
/// bytes are there is finished if that failed before.
async fn as_it_stands(app: &App, _turn: &Turn, session_id: &str, id: TraceId) -> Result<Recording, Problem> {
    let recording = find(app, None, session_id, id).await?;
    if recording.state == RecordingState::Ready {
        return Ok(recording);
    }
    let files = Files::of(&app.config.data_dir);
    if !app.ask_long(move |store| made_up(store, &files, id)).await? {
        return Ok(recording);
    }
    find(app, None, session_id, id).await
}

async fn find(
    app: &App,
    project: Option<String>,
    session_id: &str,
    id: TraceId,
) -> Result<Recording, Problem> {
    let of = RecordingsOf {
        project,
        session_id: Some(session_id.to_owned()),
        recording_id: Some(id.to_string()),
    };
    let found = app.ask(move |store| store.recordings(&of)).await?.pop();
    let mut recording =
        found.ok_or_else(|| Problem::not_found(format!("session {session_id:?} has no recording {id}")))?;
    count(&Files::of(&app.config.data_dir), &mut recording);
    Ok(recording)
}

/// Says how much has come of a recording that is not whole.
fn count(files: &Files, recording: &mut Recording) {
    if recording.state == RecordingState::Uploading
        && let Ok(id) = recording.recording_id.parse()
    {
        recording.received_bytes = Some(files.received(id));
    }
}

async fn read_description(body: Body) -> Result<NewRecording, Problem> {
    let body = to_bytes(body, DESCRIPTION).await.map_err(|error| {
        Problem::invalid_body(format!(
            "a description of at most {DESCRIPTION} bytes is expected: {error}"
        ))
    })?;
    let new: NewRecording =
        serde_json::from_slice(&body).map_err(|error| Problem::invalid_body(error.to_string()))?;
    let new = new.check()?;
    if new.url.is_none() && new.size_bytes.is_none() {
        return Err(Problem::invalid_parameter(
            "size_bytes",
            "it is missing: say how many bytes will come, or give a url",
        ));
    }
    Ok(new)
}

/// What parameters and Content-Type say of a recording whose bytes are the body.
fn described_by(params: &Params, given: &str) -> Result<NewRecording, Problem> {
    params.only(&[
        "project",
        "kind",
        "participant",
        "name",
        "started_at",
        "offset_ns",
        "duration_ns",
    ])?;
    let known = recording::content_type(given).ok_or_else(|| recording::unknown_type(given))?;
    let kind = match params
        .one_of("kind", &["audio", "video", "screen"])?
        .and_then(RecordingKind::parse)
    {
        Some(kind) => kind,
        None if known.starts_with("audio/") => RecordingKind::Audio,
        None => RecordingKind::Video,
    };
    let text = |name: &str| params.get(name).map(str::to_owned);
    NewRecording {
        kind,
        participant: text("participant"),
        name: text("name"),
        content_type: Some(known.to_owned()),
        started_at: text("started_at"),
        offset_ns: params.number("offset_ns", i64::MIN, i64::MAX)?,
        duration_ns: params.number("duration_ns", 0, i64::MAX)?,
        size_bytes: None,
        url: None,
    }
    .check()
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Fails on a body that is compressed: its bytes would be kept as they are.
fn plain(headers: &HeaderMap) -> Result<(), Problem> {
    match header_text(headers, header::CONTENT_ENCODING).as_deref() {
        None | Some("identity") => Ok(()),
        Some(coding) => Err(Problem::unsupported_media_type(format!(
            "Content-Encoding {coding:?} is not taken here: send the recording as it is"
        ))),
    }
}

fn too_large(limit: u64) -> Problem {
    Problem::too_large(format!(
        "a recording may have {limit} bytes: start the server with a larger --max-recording, or give a url"
    ))
}
