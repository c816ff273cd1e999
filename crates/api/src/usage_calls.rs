//! The calls of a selection as compact columns: what a "what if" is computed from.
//!
//! Answer of `GET /api/v1/usage/calls`, media type [`MEDIA_TYPE`]. Calls that cannot be told apart by
//! their cost (the same model, provider, tokens by class, batch, day and cost) are one row with a
//! count. On the wire: the magic `MCC1`; a LEB128 length and the JSON of the models and days; the
//! number of rows; then column after column, each value as LEB128 (cost and tokens as value + 1, 0
//! for absent).

use meshscope_model::Tokens;
use serde::{Deserialize, Serialize};

/// Media type of [`UsageCalls::encode`].
pub const MEDIA_TYPE: &str = "application/vnd.meshscope.calls";
const MAGIC: &[u8; 4] = b"MCC1";

/// A model with its provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct CalledModel {
    /// Its name; empty where calls name none.
    pub model: String,
    /// Its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// Calls as columns of the same length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageCalls {
    /// The models that `model` points into.
    pub models: Vec<CalledModel>,
    /// First moments of the days (UTC) that `day` points into, ns since the epoch: prices hold by day.
    pub days: Vec<i64>,
    /// Index into `models`.
    pub model: Vec<u32>,
    /// Index into `days`.
    pub day: Vec<u32>,
    /// How many calls the row stands for.
    pub count: Vec<u32>,
    /// Cost of one of them in the ledger, pico-dollars.
    pub cost: Vec<Option<i64>>,
    /// Whether the agents reported that cost ([`flag::REPORTED`]), whether it was a batch
    /// ([`flag::BATCH`]).
    pub flags: Vec<u8>,
    /// Tokens of one of them, by class.
    pub tokens: Vec<Tokens>,
    /// Characters of one of them.
    pub characters: Vec<Option<i64>>,
    /// Audio of one of them, ns.
    pub audio_ns: Vec<Option<i64>>,
}

/// Bits of [`UsageCalls::flags`].
pub mod flag {
    /// The cost was reported.
    pub const REPORTED: u8 = 1;
    /// It was part of a batch.
    pub const BATCH: u8 = 2;
}

/// What stands before the columns.
#[derive(Serialize, Deserialize)]
struct Head {
    models: Vec<CalledModel>,
    #[serde(with = "meshscope_model::decimal::list")]
    days: Vec<i64>,
}

impl UsageCalls {
    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.model.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.model.is_empty()
    }

    /// The bytes that [`UsageCalls::decode`] reads. Negative figures, which no call has, are absent.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let head = Head {
            models: self.models.clone(),
            days: self.days.clone(),
        };
        let head = serde_json::to_vec(&head).unwrap_or_default();
        let mut bytes = Vec::with_capacity(64 + head.len() + self.len() * 24);
        bytes.extend_from_slice(MAGIC);
        put(&mut bytes, head.len() as u64);
        bytes.extend_from_slice(&head);
        put(&mut bytes, self.len() as u64);
        for column in [&self.model, &self.day, &self.count] {
            column.iter().for_each(|n| put(&mut bytes, u64::from(*n)));
        }
        bytes.extend_from_slice(&self.flags);
        for column in [&self.cost, &self.characters, &self.audio_ns] {
            column.iter().for_each(|n| put(&mut bytes, plus_one(*n)));
        }
        for class in 0..8 {
            for tokens in &self.tokens {
                let n = tokens.classes().get(class).copied().flatten();
                put(&mut bytes, plus_one(n));
            }
        }
        bytes
    }

    /// Reads the bytes; the error says where they are broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.take(4)? != MAGIC {
            return Err("these are no calls: they do not begin with MCC1".to_owned());
        }
        let length = reader.length()?;
        let head: Head = serde_json::from_slice(reader.take(length)?)
            .map_err(|error| format!("the head of the calls is broken: {error}"))?;
        let rows = reader.length()?;
        let model = reader.indices(rows, head.models.len())?;
        let day = reader.indices(rows, head.days.len())?;
        let count = reader.indices(rows, usize::MAX)?;
        let flags = reader.take(rows)?.to_vec();
        let cost = reader.figures(rows)?;
        let characters = reader.figures(rows)?;
        let audio_ns = reader.figures(rows)?;
        let mut classes = vec![[None; 8]; rows];
        for class in 0..8 {
            for row in &mut classes {
                let figure = reader.figure()?;
                if let Some(slot) = row.get_mut(class) {
                    *slot = figure;
                }
            }
        }
        Ok(Self {
            models: head.models,
            days: head.days,
            model,
            day,
            count,
            cost,
            flags,
            tokens: classes.into_iter().map(Tokens::from_classes).collect(),
            characters,
            audio_ns,
        })
    }
}

fn plus_one(n: Option<i64>) -> u64 {
    n.and_then(|n| u64::try_from(n).ok()).map_or(0, |n| n + 1)
}

fn put(bytes: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(n);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| format!("the calls end early, at byte {}", self.bytes.len()))?;
        self.at += n;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, String> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?.first().copied().unwrap_or(0);
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(format!(
            "a number of the calls is too long, before byte {}",
            self.at
        ))
    }

    /// A length, of which there must be as many bytes: a broken one does not ask for memory.
    fn length(&mut self) -> Result<usize, String> {
        let n = self.number()?;
        usize::try_from(n)
            .ok()
            .filter(|n| *n <= self.bytes.len())
            .ok_or_else(|| format!("a length of the calls is {n}, more than there are bytes"))
    }

    fn indices(&mut self, rows: usize, below: usize) -> Result<Vec<u32>, String> {
        let mut all = Vec::with_capacity(rows);
        for _ in 0..rows {
            let n = self.number()?;
            let index = u32::try_from(n).ok().filter(|index| (*index as usize) < below);
            all.push(index.ok_or_else(|| format!("the calls point to entry {n} of {below}"))?);
        }
        Ok(all)
    }

    fn figure(&mut self) -> Result<Option<i64>, String> {
        let n = self.number()?;
        Ok(n.checked_sub(1).and_then(|n| i64::try_from(n).ok()))
    }

    fn figures(&mut self, rows: usize) -> Result<Vec<Option<i64>>, String> {
        (0..rows).map(|_| self.figure()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn calls() -> impl Strategy<Value = UsageCalls> {
        let figure = || prop::option::of(prop_oneof![0..100_i64, Just(i64::MAX - 1), 0..i64::MAX]);
        let row = (
            0..3_u32,
            0..2_u32,
            1..u32::MAX,
            figure(),
            0..4_u8,
            figure(),
            figure(),
        );
        let tokens = prop::array::uniform8(figure());
        prop::collection::vec((row, tokens), 0..20).prop_map(|rows| {
            let model = |name: &str| CalledModel {
                model: name.to_owned(),
                provider: (!name.is_empty()).then(|| "p".to_owned()),
            };
            let mut calls = UsageCalls {
                models: ["a", "", "c"].map(model).to_vec(),
                days: vec![-5, 7],
                ..UsageCalls::default()
            };
            for ((model, day, count, cost, flags, characters, audio), tokens) in rows {
                calls.model.push(model);
                calls.day.push(day);
                calls.count.push(count);
                calls.cost.push(cost);
                calls.flags.push(flags);
                calls.characters.push(characters);
                calls.audio_ns.push(audio);
                calls.tokens.push(Tokens::from_classes(tokens));
            }
            calls
        })
    }

    proptest! {
        #[test]
        fn calls_survive_the_wire(calls in calls()) {
            prop_assert_eq!(UsageCalls::decode(&calls.encode()), Ok(calls));
        }

        #[test]
        fn broken_bytes_are_an_error_and_no_panic(calls in calls(), cut in 0..400_usize, flip in 0..400_usize, bit in 0..8_u8) {
            let mut bytes = calls.encode();
            bytes.truncate(cut);
            if let Some(byte) = bytes.get_mut(flip) {
                *byte ^= 1 << bit;
            }
            if let Ok(read) = UsageCalls::decode(&bytes) {
                prop_assert!(read.model.iter().all(|model| (*model as usize) < read.models.len()));
            }
        }
    }
}
