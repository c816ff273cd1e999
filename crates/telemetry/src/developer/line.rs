//! A plain line: text that may begin with a time and a level.

use crate::severity;
use meshscope_model::time::parse_rfc3339;
use serde_json::{Map, Value};

/// The line as the fields of a record. The message is the whole line; a time or level at its
/// start is read beside it.
#[must_use]
pub fn fields(line: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("message".to_owned(), line.into());
    let mut words = line.split_whitespace();
    let mut word = words.next();
    let (first, second) = (word.unwrap_or_default(), words.clone().next().unwrap_or_default());
    // `2026-11-21T00:03:17Z`, or date and time apart.
    if is_time(first) {
        fields.insert("time".to_owned(), first.into());
        word = words.next();
    } else if is_time(&format!("{first}T{second}")) {
        let time = format!("{first}T{second}").replace(',', ".");
        fields.insert("time".to_owned(), time.into());
        word = words.nth(1);
    }
    let bare = word
        .unwrap_or_default()
        .trim_matches(|c: char| matches!(c, '[' | ']' | ':' | '(' | ')' | '|' | '-'));
    // Lower-case words open sentences: "error while reading" does not name a level, "ERROR" does.
    let loud = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_uppercase());
    if loud && severity::number(bare) != 0 {
        fields.insert("level".to_owned(), bare.into());
    }
    fields
}

fn is_time(text: &str) -> bool {
    let text = text.replace(',', ".");
    parse_rfc3339(&text).is_some() || parse_rfc3339(&format!("{text}Z")).is_some()
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn a_time_and_a_level_at_the_start_are_read() {
        for (line, time, level) in [
            (
                "2026-11-21T00:03:17Z ERROR no disk",
                Some("2026-11-21T00:03:17Z"),
                Some("ERROR"),
            ),
            (
                "2026-11-21 00:03:17,676 [WARN] slow",
                Some("2026-11-21T00:03:17.676"),
                Some("WARN"),
            ),
            ("INFO: started", None, Some("INFO")),
            ("error while reading", None, None),
            ("", None, None),
        ] {
            let fields = fields(line);
            let text = |key: &str| fields.get(key).and_then(|value| value.as_str());
            assert_eq!(
                (text("time"), text("level"), text("message")),
                (time, level, Some(line))
            );
        }
    }
}
