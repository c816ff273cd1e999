//! VideoSDK agents beside OTLP: turn metrics and log records in JSON of their own.
//!
//! The agent posts one body a completed turn and one a log record, as `MetricsOptions` and
//! `LoggingOptions` tell it. Turn metrics carry neither session nor time: what they say about
//! each call is said by a span as well, and by that they find their call ([`calls`]).

pub(crate) mod calls;
mod logs;
mod turns;

pub use logs::log;
pub use turns::turns;
pub(crate) use turns::understand;

/// `OpenAILLM` is `openai`, `DeepgramSTT` is `deepgram`.
pub(crate) fn provider(class: &str) -> String {
    let kinds = ["LLM", "STT", "TTS", "Realtime", "VAD"];
    let name = kinds
        .iter()
        .find_map(|kind| class.strip_suffix(kind))
        .unwrap_or(class);
    name.to_lowercase()
}

/// The service that the agent's spans and logs name; the turn metrics name none.
const SERVICE: &str = "videosdk-otel-telemetry-agents";
