//! Python literals. Senders that call `str()` on a list of messages send `[{'role': 'user'}]`,
//! which is no JSON.

use serde_json::{Map, Number, Value};
use std::str::Chars;

/// How deep lists and dicts may lie within each other.
const MAX_DEPTH: usize = 64;

/// The value `text` is the `repr` of; `None` when it is none of a list, dict, tuple, set, string,
/// number, `True`, `False` or `None`. Tuples and sets become lists.
pub(super) fn parse(text: &str) -> Option<Value> {
    let mut parser = Parser { rest: text };
    let value = parser.value(0)?;
    parser.skip_space();
    parser.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes `token` when it is next, after space.
    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.skip_space();
        match self.rest.chars().next()? {
            '[' | '(' | '{' if depth >= MAX_DEPTH => None,
            '[' => self.items("[", "]", Vec::new(), depth + 1).map(Value::Array),
            '(' => self.items("(", ")", Vec::new(), depth + 1).map(Value::Array),
            '{' => self.braces(depth + 1),
            '\'' | '"' => self.string().map(Value::String),
            _ => self.word(),
        }
    }

    /// The rest of a list, tuple or set after its `open`, or after the first of its items.
    fn items(&mut self, open: &str, close: &str, mut items: Vec<Value>, depth: usize) -> Option<Vec<Value>> {
        self.eat(open);
        while !self.eat(close) {
            items.push(self.value(depth)?);
            if !self.eat(",") {
                return self.eat(close).then_some(items);
            }
        }
        Some(items)
    }

    /// A dict or a set: the first entry tells which.
    fn braces(&mut self, depth: usize) -> Option<Value> {
        let mut entries = Map::new();
        self.eat("{");
        while !self.eat("}") {
            let key = self.value(depth)?;
            if !self.eat(":") {
                let more = entries.is_empty() && (self.eat(",") || self.rest.starts_with('}'));
                return more
                    .then(|| self.items("", "}", vec![key], depth))?
                    .map(Value::Array);
            }
            let key = match key {
                Value::String(text) => text,
                other => other.to_string(),
            };
            let value = self.value(depth)?;
            entries.insert(key, value);
            if !self.eat(",") {
                return self.eat("}").then_some(Value::Object(entries));
            }
        }
        Some(Value::Object(entries))
    }

    /// `None`, `True`, `False` or a number.
    fn word(&mut self) -> Option<Value> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_')))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            _ => word.parse::<i64>().map(Value::from).ok().or_else(|| {
                let x = word.parse::<f64>().ok()?;
                Number::from_f64(x).map(Value::Number)
            }),
        }
    }

    fn string(&mut self) -> Option<String> {
        let mut chars = self.rest.chars();
        let quote = chars.next()?;
        let mut text = String::new();
        loop {
            match chars.next()? {
                '\\' => text.extend(escaped(&mut chars)?),
                c if c == quote => break,
                c => text.push(c),
            }
        }
        self.rest = chars.as_str();
        Some(text)
    }
}

/// What a backslash and the characters after it stand for: nothing for a line break.
fn escaped(chars: &mut Chars<'_>) -> Option<Option<char>> {
    let letter = chars.next()?;
    let mut hex = |digits: u32| {
        let code = (0..digits).try_fold(0_u32, |code, _| Some(code << 4 | chars.next()?.to_digit(16)?))?;
        // A lone surrogate is no character.
        Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    };
    Some(Some(match letter {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '0' => '\0',
        'x' => hex(2)?,
        'u' => hex(4)?,
        'U' => hex(8)?,
        '\n' => return Some(None),
        other => other,
    }))
}
