//! What tells a call from all others, said alike by its span and by the turn's metrics.
//!
//! Both are written from one record of the turn, so that durations agree to their last digit.
//! Zero and absent are the same to the sender of spans, which leaves out both.

use meshscope_model::Call;

/// Source number of spans, which are preferred: they have a session and a time.
pub(crate) const SPAN: u8 = 0;
/// Source number of turn metrics.
pub(crate) const TURN: u8 = 1;

/// A component's class and model, for example `OpenAILLM` and `gpt-4o-mini`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Component<'a> {
    pub(crate) class: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
}

fn call(kind: &str, of: Component<'_>, said: &[String], source: u8) -> Call {
    let mut parts = vec!["videosdk", kind, of.class.unwrap_or(""), of.model.unwrap_or("")];
    parts.extend(said.iter().map(String::as_str));
    Call::new(&parts, source)
}

fn number(n: Option<i64>) -> String {
    n.filter(|n| *n != 0).map(|n| n.to_string()).unwrap_or_default()
}

/// A call of the model: how long it took to the tenth of a microsecond and its tokens, or where
/// it was cut off before its end what it answered.
pub(crate) fn llm(
    of: Component<'_>,
    duration_ns: Option<i64>,
    tokens: [Option<i64>; 3],
    answer: &str,
    source: u8,
) -> Option<Call> {
    let duration = number(duration_ns);
    if duration.is_empty() && answer.is_empty() {
        return None;
    }
    let answer = if duration.is_empty() { answer } else { "" };
    let [input, output, total] = tokens.map(number);
    let said = [duration, input, output, total, answer.to_owned()];
    Some(call("llm", of, &said, source))
}

/// Speech to text: its latency and what was said.
pub(crate) fn speech_to_text(
    of: Component<'_>,
    latency_ns: Option<i64>,
    transcript: &str,
    source: u8,
) -> Call {
    call("stt", of, &[number(latency_ns), transcript.to_owned()], source)
}

/// Text to speech: how many characters, and how long the agent spoke.
pub(crate) fn text_to_speech(
    of: Component<'_>,
    characters: Option<i64>,
    audio_ns: Option<i64>,
    source: u8,
) -> Call {
    call("tts", of, &[number(characters), number(audio_ns)], source)
}

/// A turn of a realtime model: its latency, which stands on the span `Time to First Word`.
pub(crate) fn realtime(latency_ns: Option<i64>, source: u8) -> Option<Call> {
    let latency = number(latency_ns);
    (!latency.is_empty()).then(|| call("realtime", Component::default(), &[latency], source))
}
