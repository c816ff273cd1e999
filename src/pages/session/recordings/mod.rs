//! Recordings of a session: what was heard and seen, in step with the playhead.

mod follow;
mod player;
mod upload;
mod wave;

use crate::client::{self, Fetch, use_fetch_while};
use crate::components::remover::remover;
use crate::components::states::States;
use crate::components::time_text::clock;
use crate::state::playhead::Playhead;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_api::{NewRecording, Problem, Recording, RecordingKind, RecordingState};
use meshscope_layout::format;
use player::{player, title};
use upload::Place;
use web_sys::File;

/// The panel. Its players follow the [`Playhead`] of the page, and move it.
#[component]
pub(crate) fn Recordings(session: String, project: String) -> AnyView {
    let head = expect_context::<Playhead>();
    let place = StoredValue::new(Place {
        origin: client::origin(),
        session,
        project,
    });
    // Another tab or client may be at an upload; what is ready does not change.
    let uploading = RwSignal::new(false);
    let list = use_fetch_while(
        move || Some(place.get_value()),
        move || uploading.get_untracked(),
        |place: Place, abort| async move { place.list(abort.as_ref()).await },
    );
    let shown = Memo::new(move |_| list.value.get());
    Effect::new(move |_| {
        let unfinished = |list: &Option<Vec<Recording>>| list.iter().flatten().any(|one| !is_ready(one));
        uploading.set(shown.with(unfinished));
    });
    let problem = RwSignal::new(None::<Problem>);
    let remove = Callback::new(move |id: String| {
        let place = place.get_value();
        spawn_local(async move {
            problem.try_set(place.remove(&id).await.err());
            list.retry();
        });
    });
    // A player is made when its recording is new, ready or elsewhere in time, not when a byte of another has
    // come: it would fall silent.
    let each = move || shown.get().unwrap_or_default();
    let key = |one: &Recording| {
        let place = (one.started_at, one.project.clone());
        (one.recording_id.clone(), is_ready(one), place)
    };
    let row = move |one: Recording| {
        if is_ready(&one) {
            player(&one, head, remove)
        } else {
            unfinished(&one, shown, remove)
        }
    };
    let empty = move || shown.with(|list| list.as_ref().is_some_and(Vec::is_empty));
    view! {
        <div class="recordings">
            <States fetch=list what="recordings" />
            <For each key children=row />
            {move || empty().then(|| view! {
                <div class="empty"><h2>"No recordings of this session"</h2>
                    <p class="muted">"Audio, video and screen share can be uploaded here, or sent by the agent: POST /api/v1/sessions/ID/recordings"</p></div>
            }.into_any())}
            {drop_zone(place, head, problem, list)}
        </div>
    }
    .into_any()
}

fn is_ready(one: &Recording) -> bool {
    one.state == RecordingState::Ready
}

/// One that is not all there yet: how much of it is, as the list says it.
fn unfinished(one: &Recording, list: Memo<Option<Vec<Recording>>>, remove: Callback<String>) -> AnyView {
    let (id, size) = (one.recording_id.clone(), one.size_bytes);
    let there = move || {
        let received = list.with(|list| {
            let mine = list.iter().flatten().find(|one| one.recording_id == id);
            mine.and_then(|one| one.received_bytes)
        });
        let [received, size] = [received, size].map(|bytes| format::bytes(bytes.unwrap_or(0)));
        format!(
            "{received} of {size} are there: when it stands still, drop the same file again and it goes on"
        )
    };
    view! {
        <div class="recording">
            <div class="recording-head">
                <strong class="clip">{title(one)}</strong>
                <span class="muted">{there}</span>
                <span class="grow"></span>
                {remover(one.recording_id.clone(), remove)}
            </div>
        </div>
    }
    .into_any()
}

/// Where a file is dropped or chosen.
fn drop_zone(
    place: StoredValue<Place>,
    head: Playhead,
    problem: RwSignal<Option<Problem>>,
    list: Fetch<Vec<Recording>>,
) -> AnyView {
    let (over, screen) = (RwSignal::new(false), RwSignal::new(false));
    let participant = RwSignal::new(String::new());
    let sent = RwSignal::new(None::<(f64, f64)>);
    let chooser = NodeRef::<Input>::new();
    let take = move |file: File| {
        if sent.get_untracked().is_some() {
            return;
        }
        let new = describe(&file, head, &participant.get_untracked(), screen.get_untracked());
        let (place, size) = (place.get_value(), file.size());
        sent.set(Some((0.0, size)));
        spawn_local(async move {
            let told = |there| {
                sent.try_set(Some((there, size)));
            };
            let ended = place.send(&file, &new, &told).await;
            // The page may have been left meanwhile.
            problem.try_set(ended.err());
            sent.try_set(None);
            list.retry();
        });
    };
    let dropped = move |event: web_sys::DragEvent| {
        event.prevent_default();
        over.set(false);
        let files = event.data_transfer().and_then(|data| data.files());
        if let Some(file) = files.and_then(|files| files.get(0)) {
            take(file);
        }
    };
    let dragged = move |event: web_sys::DragEvent| {
        event.prevent_default();
        over.set(true);
    };
    let chosen = move |_| {
        let input = chooser.get_untracked();
        if let Some(file) = input
            .and_then(|input| input.files())
            .and_then(|files| files.get(0))
        {
            take(file);
        }
    };
    let choose = move |_| {
        if let Some(input) = chooser.get_untracked() {
            // The same file may be chosen again.
            input.set_value("");
            input.click();
        }
    };
    let begins = move || match head.at.get() {
        Some(at) => format!("It begins at the playhead, {}.", clock(at)),
        None => "It begins with the session; set the playhead to begin elsewhere.".to_owned(),
    };
    view! {
        <div class="drop" class:over=over on:dragover=dragged on:dragleave=move |_| over.set(false) on:drop=dropped>
            <div class="row">
                <button class="pill" on:click=choose disabled=move || sent.get().is_some()>"Choose a file"</button>
                <span>"or drop audio or video here. "<span class="muted">{begins}</span></span>
                <span class="grow"></span>
                <input class="field" placeholder="Who is heard or seen" aria-label="Who is heard or seen"
                    prop:value=participant on:input=move |event| participant.set(event_target_value(&event)) />
                <label class="row"><input type="checkbox" prop:checked=screen
                    on:change=move |event| screen.set(event_target_checked(&event)) />"Screen share"</label>
                <input node_ref=chooser type="file" accept="audio/*,video/*" hidden=true aria-label="File" on:change=chosen />
            </div>
            {move || sent.get().map(|(there, size)| progress(there, size))}
            {move || problem.get().map(|problem| view! { <p class="bad" role="alert">{problem.title}": "{problem.detail}</p> }.into_any())}
        </div>
    }
    .into_any()
}

fn progress(there: f64, size: f64) -> AnyView {
    let text = format!(
        "{} of {}",
        format::bytes(there as u64),
        format::bytes(size as u64)
    );
    view! {
        <div class="row" role="status"><progress max=size value=there aria-label="Uploaded"></progress><span class="mono">{text}</span></div>
    }
    .into_any()
}

/// What is said of a file.
fn describe(file: &File, head: Playhead, participant: &str, screen: bool) -> NewRecording {
    let content_type = file.type_();
    let kind = match (content_type.starts_with("audio/"), screen) {
        (true, _) => RecordingKind::Audio,
        (false, true) => RecordingKind::Screen,
        (false, false) => RecordingKind::Video,
    };
    let participant = participant.trim();
    NewRecording {
        kind,
        participant: (!participant.is_empty()).then(|| participant.to_owned()),
        name: Some(file.name()),
        content_type: Some(content_type),
        started_at: head.at.get_untracked().map(|at| at.to_string()),
        offset_ns: None,
        duration_ns: None,
        size_bytes: Some(file.size() as u64),
        url: None,
    }
}
