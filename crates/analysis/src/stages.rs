//! Where the time of a turn went, as voice and chat systems name it: speech to text, end of utterance, the
//! model, text to speech, tools, the first token, the first byte of speech.

use crate::tree::Tree;
use meshscope_model::columns::{ABSENT, flag};
use meshscope_model::{Operation, SpanColumns};

/// The stages of a turn, ns; absent where no span tells of it. Of several calls the durations are
/// summed; of the first token and byte the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stages {
    /// Speech to text.
    pub speech_to_text: Option<i64>,
    /// Waiting for the end of what is said.
    pub end_of_utterance: Option<i64>,
    /// Calls of models.
    pub model: Option<i64>,
    /// From the start of the first call that tells it to its first token.
    pub first_token: Option<i64>,
    /// Tools at work.
    pub tools: Option<i64>,
    /// Text to speech.
    pub text_to_speech: Option<i64>,
    /// To the first byte of speech.
    pub first_byte: Option<i64>,
    /// Somebody was cut short.
    pub interrupted: bool,
}

impl Stages {
    /// The stages of the turn (or run) at `row`.
    #[must_use]
    pub fn of(columns: &SpanColumns, tree: &Tree, row: u32) -> Self {
        let mut stages = Self::default();
        for row in tree.subtree(row) {
            let row = *row as usize;
            let duration = columns.duration.get(row).copied().unwrap_or(0);
            let add = |sum: &mut Option<i64>| *sum = Some(sum.unwrap_or(0).saturating_add(duration));
            match Operation::from_number(columns.operation.get(row).copied().unwrap_or(0)) {
                Operation::SpeechToText => add(&mut stages.speech_to_text),
                Operation::EndOfUtterance => add(&mut stages.end_of_utterance),
                Operation::TextToSpeech => add(&mut stages.text_to_speech),
                Operation::ExecuteTool => add(&mut stages.tools),
                Operation::Chat => add(&mut stages.model),
                // Told by a span of its own.
                Operation::Other if columns.name(row).eq_ignore_ascii_case("time to first byte") => {
                    stages.first_byte = stages.first_byte.or(Some(duration));
                }
                _ => {}
            }
            let token = columns.time_to_first_token.get(row).copied();
            let token = token.filter(|token| *token != ABSENT);
            stages.first_token = stages.first_token.or(token);
            stages.interrupted |= columns.has_flag(row, flag::INTERRUPTED);
        }
        stages
    }

    /// The stages that are known, each with its name, in the order in which a turn goes through them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let all = [
            ("STT", self.speech_to_text),
            ("EOU", self.end_of_utterance),
            ("LLM", self.model),
            ("first token", self.first_token),
            ("tools", self.tools),
            ("TTS", self.text_to_speech),
            ("first byte", self.first_byte),
        ];
        all.into_iter().filter_map(|(name, ns)| Some((name, ns?)))
    }
}

/// The turn that a span belongs to: the nearest turn above it, or else its root.
#[must_use]
pub fn turn_of(columns: &SpanColumns, tree: &Tree, row: u32) -> u32 {
    let is_turn = |row: &u32| columns.operation.get(*row as usize) == Some(&(Operation::Turn as u8));
    let mut above = std::iter::once(row).chain(tree.ancestors(row));
    above
        .find(is_turn)
        .or_else(|| tree.ancestors(row).last())
        .unwrap_or(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, with_names};

    #[test]
    fn a_turn_is_told_by_its_stages() {
        let spans = [
            (1, 0, 0, 200),
            (2, 1, 0, 100),
            (3, 2, 1, 10),
            (4, 2, 11, 5),
            (5, 2, 16, 30),
            (6, 2, 46, 20),
            (7, 2, 50, 7),
            (8, 2, 60, 20),
            (9, 1, 150, 40),
        ];
        let names = [
            "call",
            "turn",
            "stt",
            "eou",
            "llm",
            "tts",
            "Time to First Byte",
            "llm",
            "llm",
        ];
        let mut c = with_names(columns(&spans), &names.map(str::to_owned));
        let operations = [
            (1, Operation::Turn),
            (2, Operation::SpeechToText),
            (3, Operation::EndOfUtterance),
            (4, Operation::Chat),
            (5, Operation::TextToSpeech),
            (7, Operation::Chat),
            (8, Operation::Chat),
        ];
        for (row, operation) in operations {
            c.operation[row] = operation as u8;
        }
        c.time_to_first_token[4] = 12;
        c.time_to_first_token[7] = 3;
        c.flags[5] = flag::INTERRUPTED;
        let tree = Tree::build(&c);
        let stages = Stages::of(&c, &tree, 1);
        let named: Vec<_> = stages.named().collect();
        assert_eq!(
            named,
            [
                ("STT", 10),
                ("EOU", 5),
                ("LLM", 50),
                ("first token", 12),
                ("TTS", 20),
                ("first byte", 7)
            ]
        );
        assert!(stages.interrupted);
        assert_eq!([4, 1, 8, 0].map(|row| turn_of(&c, &tree, row)), [1, 1, 0, 0]);
    }
}
