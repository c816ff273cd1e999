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

/// What tells a call by its time to the tenth of a microsecond, or where it was cut off before it
/// had one by its text.
fn told_by(time_ns: Option<i64>, text: &str) -> Option<String> {
    let time = number(time_ns);
    let told = if time.is_empty() { text } else { &time };
    (!told.is_empty()).then(|| told.to_owned())
}

/// A call of the model: how long it took or what it answered, and its tokens.
pub(crate) fn llm(
    of: Component<'_>,
    duration_ns: Option<i64>,
    tokens: [Option<i64>; 3],
    answer: &str,
    source: u8,
) -> Option<Call> {
    let [input, output, total] = tokens.map(number);
    let said = [told_by(duration_ns, answer)?, input, output, total];
    Some(call("llm", of, &said, source))
}

/// Speech to text: its latency, and what was said.
pub(crate) fn speech_to_text(
    of: Component<'_>,
    latency_ns: Option<i64>,
    transcript: &str,
    source: u8,
) -> Option<Call> {
    told_by(latency_ns, transcript)?;
    let said = [number(latency_ns), transcript.to_owned()];
    Some(call("stt", of, &said, source))
}

/// Text to speech: how long the agent spoke or what it said, and how many characters that is.
pub(crate) fn text_to_speech(
    of: Component<'_>,
    characters: Option<i64>,
    audio_ns: Option<i64>,
    text: &str,
    source: u8,
) -> Option<Call> {
    let said = [told_by(audio_ns, text)?, number(characters)];
    Some(call("tts", of, &said, source))
}

/// A turn of a realtime model: its latency, which stands on the span `Time to First Word`.
pub(crate) fn realtime(latency_ns: Option<i64>, source: u8) -> Option<Call> {
    let latency = number(latency_ns);
    (!latency.is_empty()).then(|| call("realtime", Component::default(), &[latency], source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_by_its_time_and_without_one_by_its_text() {
        let of = Component::default();
        let tokens = [Some(120), Some(30), Some(150)];
        let key = |call: Option<Call>| call.map(|call| call.key);
        let by_time = key(llm(of, Some(112_785_500), tokens, "It is 21 degrees.", SPAN));
        assert_eq!(by_time, key(llm(of, Some(112_785_500), tokens, "", TURN)));
        assert_ne!(
            by_time,
            key(llm(of, Some(112_785_600), tokens, "It is 21 degrees.", SPAN))
        );
        // A span leaves out zeros that the turn's metrics have.
        let zero = [Some(120), Some(0), None];
        let absent = [Some(120), None, Some(0)];
        assert_eq!(
            key(llm(of, None, zero, "It", TURN)),
            key(llm(of, Some(0), absent, "It", SPAN))
        );
        // What nothing tells apart is no call that others could be taken for.
        assert_eq!(llm(of, None, tokens, "", SPAN), None);
        assert_eq!(text_to_speech(of, Some(8), None, "", SPAN), None);
        assert_eq!(speech_to_text(of, None, "", SPAN), None);
        assert_eq!(realtime(Some(0), TURN), None);
    }
}
