//! Strings that are told apart once: each has an index, and one text holds all of them.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// A text that columns carry is no longer than this many bytes; what is cut ends in an ellipsis.
const LONGEST: usize = 1_024;

/// Known strings by index; index 0 is the empty string.
#[derive(Debug, Default)]
pub(super) struct Interned {
    all: String,
    /// Where the string of index `n + 1` ends in `all`.
    ends: Vec<usize>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

fn text_at<'a>(all: &'a str, ends: &[usize], index: u32) -> &'a str {
    let at = index as usize;
    let end = |at: usize| at.checked_sub(1).and_then(|at| ends.get(at)).copied();
    let from = at.checked_sub(1).and_then(end).unwrap_or(0);
    all.get(from..end(at).unwrap_or(0)).unwrap_or_default()
}

impl Interned {
    /// The index of a text, and the text as kept when it is new.
    pub(super) fn index(&mut self, text: &str) -> (u32, Option<&str>) {
        if text.is_empty() {
            return (0, None);
        }
        let short: String;
        let text = if text.len() > LONGEST {
            short = cut(text);
            &short
        } else {
            text
        };
        let Self {
            all,
            ends,
            table,
            hasher,
        } = self;
        let hash = hasher.hash_one(text);
        if let Some(index) = table.find(hash, |index| text_at(all, ends, *index) == text) {
            return (*index, None);
        }
        let from = all.len();
        all.push_str(text);
        ends.push(all.len());
        let index = u32::try_from(ends.len()).unwrap_or(0);
        table.insert_unique(hash, index, |index| hasher.hash_one(text_at(all, ends, *index)));
        (index, all.get(from..))
    }
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST - '…'.len_utf8());
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_index_and_a_long_one_is_cut_between_letters() {
        let mut interned = Interned::default();
        let texts: Vec<String> = (0..5_000).map(|n| format!("text {}", n % 1_000)).collect();
        let indexes: Vec<u32> = texts.iter().map(|text| interned.index(text).0).collect();
        assert_eq!(indexes[..3], [1, 2, 3]);
        assert_eq!(indexes[..1_000], indexes[4_000..]);
        assert_eq!(interned.index(""), (0, None));
        let (_, long) = interned.index(&"ü".repeat(5_000));
        let long = long.unwrap().to_owned();
        assert!(long.ends_with("ü…") && long.len() <= LONGEST, "{}", long.len());
        let again = interned.index(&"ü".repeat(6_000)).1;
        assert_eq!(again, None, "what reads the same is the same");
    }
}
