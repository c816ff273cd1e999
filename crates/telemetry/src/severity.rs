//! Levels in the words of logging libraries, as OpenTelemetry's severity numbers.

/// The severity number of a level's name in any case; 0 when the word is not known.
pub(crate) fn number(word: &str) -> u8 {
    match word.trim().to_ascii_lowercase().as_str() {
        "trace" | "verbose" | "silly" => 1,
        "debug" => 5,
        "info" | "information" | "informational" | "log" => 9,
        "notice" => 10,
        "warn" | "warning" | "medium" => 13,
        "err" | "error" | "high" => 17,
        "critical" | "crit" | "fatal" | "alert" | "emergency" | "panic" => 21,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_of_any_library_and_case() {
        let found = ["INFO", "Warning", "err", "CRITICAL", " debug ", "loud"].map(super::number);
        assert_eq!(found, [9, 13, 17, 21, 5, 0]);
    }
}
