//! Recordings: audio, video or screen share that belongs to a session.

use crate::Problem;
use meshscope_model::time;
use serde::{Deserialize, Serialize};

/// What was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RecordingKind {
    /// Sound alone.
    Audio,
    /// A camera.
    Video,
    /// A shared screen.
    Screen,
}

impl RecordingKind {
    /// The word of the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Screen => "screen",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Audio, Self::Video, Self::Screen]
            .into_iter()
            .find(|kind| kind.name() == text)
    }

    /// Whether a recording of this kind may be of this content type. Sound may come in a container
    /// for video.
    #[must_use]
    pub fn takes(self, content_type: &str) -> bool {
        content_type.starts_with("video/") || (self == Self::Audio && content_type.starts_with("audio/"))
    }
}

/// Content types of recordings: what a browser plays and takes for nothing else.
pub const CONTENT_TYPES: [&str; 12] = [
    "audio/wav",
    "audio/mpeg",
    "audio/mp4",
    "audio/aac",
    "audio/ogg",
    "audio/opus",
    "audio/flac",
    "audio/webm",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
];

/// The content type among [`CONTENT_TYPES`] that a header or field means, its parameters left out.
#[must_use]
pub fn content_type(text: &str) -> Option<&'static str> {
    let essence = text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let essence = match essence.as_str() {
        "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "audio/wav",
        "audio/mp3" => "audio/mpeg",
        "audio/m4a" | "audio/x-m4a" => "audio/mp4",
        "audio/x-flac" => "audio/flac",
        other => other,
    };
    CONTENT_TYPES.into_iter().find(|known| *known == essence)
}

/// How a recording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RecordingState {
    /// Bytes are still to come.
    Uploading,
    /// All of it is there.
    Ready,
}

/// A recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recording {
    /// Its identity: 32 lower-case hexadecimal digits.
    pub recording_id: String,
    /// The session that it belongs to.
    pub session_id: String,
    /// The project of the session; `default` while none was named and nothing of the session is known.
    pub project: String,
    /// What was recorded.
    pub kind: RecordingKind,
    /// Who is heard or seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    /// What a person calls it, for example the name of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// One of [`CONTENT_TYPES`]; absent for a URL that none was said of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Its first moment on the session's clock, ns since the epoch; absent while only its offset is
    /// known and nothing of the session is.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub started_at: Option<i64>,
    /// Its first moment less that of the session as known now, ns; absent while nothing of the
    /// session is known.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub offset_ns: Option<i64>,
    /// How long it is as its sender says, ns.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub duration_ns: Option<i64>,
    /// Its size; absent for a URL.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub size_bytes: Option<u64>,
    /// How much of it is there; absent for a URL.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub received_bytes: Option<u64>,
    /// How it stands.
    pub state: RecordingState,
    /// Where it is, when it is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it was made known, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created_at: i64,
}

/// Answer of `GET /api/v1/sessions/{session_id}/recordings`: the earliest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordingList {
    /// The recordings.
    pub recordings: Vec<Recording>,
}

/// What is said of a recording when it is made known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewRecording {
    /// What was recorded.
    pub kind: RecordingKind,
    /// Who is heard or seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    /// What a person calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// One of [`CONTENT_TYPES`]; for a URL it may be absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Its first moment, ns since the epoch or RFC 3339, from 1970 to 2200. Without it `offset_ns` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// How long after the session's first moment it begins, ns, ten years before or after at the most; 0
    /// when neither is said.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub offset_ns: Option<i64>,
    /// How long it is, ns.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub duration_ns: Option<i64>,
    /// How many bytes will come by `PATCH`.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub size_bytes: Option<u64>,
    /// Where it is, `http://` or `https://`, when no bytes will come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Characters of a participant, a name or a URL at the most.
const LONGEST: usize = 2_000;
/// How far from its session's first moment a recording begins at the most, and how long it is, ns.
const FARTHEST: i64 = 10 * 366 * time::DAY;
/// First moment of a recording at the latest, ns since the epoch: 2200-01-01T00:00:00Z.
const LATEST: i64 = 7_258_118_400 * time::SECOND;

impl NewRecording {
    /// Checks what can be checked without the bytes, and brings the content type to the spelling of
    /// [`CONTENT_TYPES`].
    pub fn check(mut self) -> Result<Self, Problem> {
        if let Some(given) = &self.content_type {
            let known = content_type(given).ok_or_else(|| unknown_type(given))?;
            if !self.kind.takes(known) {
                return Err(Problem::invalid_parameter(
                    "kind",
                    format!("{known} is no {} recording", self.kind.name()),
                ));
            }
            self.content_type = Some(known.to_owned());
        }
        for (name, text) in [
            ("participant", &self.participant),
            ("name", &self.name),
            ("url", &self.url),
        ] {
            if text.as_ref().is_some_and(|text| text.chars().count() > LONGEST) {
                return Err(Problem::invalid_parameter(
                    name,
                    format!("it is longer than {LONGEST} characters"),
                ));
            }
        }
        self.moment()?;
        for (name, ns, least) in [
            ("offset_ns", self.offset_ns, -FARTHEST),
            ("duration_ns", self.duration_ns, 0),
        ] {
            if let Some(ns) = ns
                && !(least..=FARTHEST).contains(&ns)
            {
                return Err(Problem::invalid_parameter(
                    name,
                    format!("{ns} is not between {least} and {FARTHEST} nanoseconds, which are ten years"),
                ));
            }
        }
        match (&self.url, self.size_bytes) {
            (Some(url), None) if is_web(url) => Ok(self),
            (Some(url), None) => Err(Problem::invalid_parameter(
                "url",
                format!("{url:?} is no address of the web: give http:// or https:// with a host"),
            )),
            (Some(_), Some(_)) => Err(Problem::invalid_parameter(
                "size_bytes",
                "a recording is either at a url or uploaded: give one of url and size_bytes",
            )),
            (None, Some(0)) => Err(Problem::invalid_parameter(
                "size_bytes",
                "it is 0: there is nothing to upload",
            )),
            (None, _) if self.content_type.is_none() => Err(Problem::invalid_parameter(
                "content_type",
                format!("it is missing: give one of {}", CONTENT_TYPES.join(", ")),
            )),
            (None, _) => Ok(self),
        }
    }

    /// The first moment as given, ns since the epoch, from 1970 to 2200.
    pub fn moment(&self) -> Result<Option<i64>, Problem> {
        let Some(text) = &self.started_at else {
            return Ok(None);
        };
        if self.offset_ns.is_some() {
            return Err(Problem::invalid_parameter(
                "offset_ns",
                "give one of started_at and offset_ns",
            ));
        }
        let moment = text.parse().ok().or_else(|| time::parse_rfc3339(text));
        moment
            .filter(|moment| (0..=LATEST).contains(moment))
            .map(Some)
            .ok_or_else(|| {
                Problem::invalid_parameter(
                    "started_at",
                    format!("{text:?} is not a time from 1970 to 2200: give nanoseconds since the epoch or RFC 3339"),
                )
            })
    }
}

/// 415: a content type that recordings do not have.
#[must_use]
pub fn unknown_type(given: &str) -> Problem {
    Problem::unsupported_media_type(format!(
        "{given:?} is no content type of a recording: give one of {}, or application/json with a url or size_bytes",
        CONTENT_TYPES.join(", ")
    ))
}

/// Whether a text is an address that a page may load: `http` or `https` with a host, and nothing
/// that a browser would strip or a header would break at.
#[must_use]
pub fn is_web(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
            && url.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

/// Whether a text can be the identity of a recording.
#[must_use]
pub fn is_recording_id(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(json: &str) -> Result<NewRecording, Problem> {
        serde_json::from_str::<NewRecording>(json)
            .map_err(|error| Problem::invalid_body(error.to_string()))?
            .check()
    }

    #[test]
    fn content_types_are_brought_to_one_spelling() {
        let new =
            given(r#"{"kind":"audio","content_type":"Audio/X-WAV; rate=8000","size_bytes":"10"}"#).unwrap();
        assert_eq!(new.content_type.as_deref(), Some("audio/wav"));
        assert_eq!(content_type("audio/webm;codecs=opus"), Some("audio/webm"));
        for harmful in [
            "text/html",
            "image/svg+xml",
            "application/octet-stream",
            "",
            "video/*",
        ] {
            assert_eq!(content_type(harmful), None, "{harmful}");
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (json, parameter) in [
            (
                r#"{"kind":"video","content_type":"audio/wav","size_bytes":1}"#,
                "kind",
            ),
            (r#"{"kind":"audio","size_bytes":"1"}"#, "content_type"),
            (
                r#"{"kind":"audio","content_type":"audio/wav","size_bytes":0}"#,
                "size_bytes",
            ),
            (r#"{"kind":"audio","url":"javascript:alert(1)"}"#, "url"),
            (r#"{"kind":"audio","url":"https://a/ b"}"#, "url"),
            (r#"{"kind":"audio","url":"https://"}"#, "url"),
            (
                r#"{"kind":"audio","url":"https://a/b","size_bytes":1}"#,
                "size_bytes",
            ),
            (
                r#"{"kind":"audio","url":"https://a/b","started_at":"noon"}"#,
                "started_at",
            ),
            (
                r#"{"kind":"audio","url":"https://a/b","started_at":"5","offset_ns":"5"}"#,
                "offset_ns",
            ),
            (
                r#"{"kind":"audio","url":"https://a/b","duration_ns":"-5"}"#,
                "duration_ns",
            ),
            (
                r#"{"kind":"audio","url":"https://a/b","duration_ns":"9223372036854775807"}"#,
                "duration_ns",
            ),
            (
                r#"{"kind":"audio","url":"https://a/b","offset_ns":"9223372036854775807"}"#,
                "offset_ns",
            ),
            (
                r#"{"kind":"audio","url":"https://a/b","offset_ns":"-9223372036854775808"}"#,
                "offset_ns",
            ),
            (
                r#"{"kind":"audio","url":"https://a/b","started_at":"9223372036854775807"}"#,
                "started_at",
            ),
            (
                r#"{"kind":"audio","url":"https://a/b","started_at":"-1"}"#,
                "started_at",
            ),
        ] {
            let problem = given(json).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(parameter), "{json}");
        }
        assert_eq!(
            given(r#"{"kind":"audio","content_type":"text/html","size_bytes":1}"#)
                .unwrap_err()
                .status,
            415
        );
        assert!(
            given(r#"{"kind":"audio","sise":1}"#)
                .unwrap_err()
                .detail
                .contains("sise")
        );
        let at =
            given(r#"{"kind":"screen","url":"https://a/b","started_at":"1970-01-01T00:00:01Z"}"#).unwrap();
        assert_eq!(at.moment().unwrap(), Some(1_000_000_000));
    }

    #[test]
    fn an_identity_is_never_a_path() {
        assert!(is_recording_id("0123456789abcdef0123456789abcdef"));
        for text in [
            "",
            "../../../../../../etc/passwd/aaaaa",
            "0123456789ABCDEF0123456789ABCDEF",
            "0123456789abcdef0123456789abcde.",
        ] {
            assert!(!is_recording_id(text), "{text}");
        }
    }
}
