//! Redis' replies about streams. They are read here and not by the client library, whose maps
//! lose the order of fields and the fields of a repeated name.

use redis::{ErrorKind, RedisError, Value};

/// An entry of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) id: String,
    /// Names and values; `None` when it was trimmed away before it was read.
    pub(super) fields: Option<Vec<(String, String)>>,
}

/// Entries of one stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    pub(super) stream: String,
    pub(super) entries: Vec<Entry>,
}

/// Reply of `XREADGROUP`: nil when there is nothing.
pub(super) fn read_group(reply: Value) -> Result<Vec<Read>, RedisError> {
    let streams = match reply {
        Value::Nil => return Ok(Vec::new()),
        // RESP3 has a map, RESP2 a list of pairs.
        Value::Map(pairs) => pairs.into_iter().map(|(key, list)| vec![key, list]).collect(),
        reply => list(reply)?
            .into_iter()
            .map(list)
            .collect::<Result<Vec<_>, _>>()?,
    };
    streams
        .into_iter()
        .map(|pair| {
            let [key, list] = exactly(pair)?;
            Ok(Read {
                stream: text(key)?,
                entries: entries(list)?,
            })
        })
        .collect()
}

/// Reply of `XAUTOCLAIM`: where to go on (`0-0` at the end), and what was claimed.
pub(super) fn claimed(reply: Value) -> Result<(String, Vec<Entry>), RedisError> {
    let mut parts = list(reply)?.into_iter();
    match (parts.next(), parts.next()) {
        (Some(next), Some(claimed)) => Ok((text(next)?, entries(claimed)?)),
        _ => Err(unexpected("two parts of XAUTOCLAIM's reply")),
    }
}

/// A reply of names and values (`XINFO`).
pub(super) fn map(reply: Value) -> Result<Vec<(String, Value)>, RedisError> {
    if let Value::Map(pairs) = reply {
        return pairs
            .into_iter()
            .map(|(name, value)| Ok((text(name)?, value)))
            .collect();
    }
    let mut parts = list(reply)?.into_iter();
    let mut pairs = Vec::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        pairs.push((text(name)?, value));
    }
    Ok(pairs)
}

/// A reply of several maps.
pub(super) fn maps(reply: Value) -> Result<Vec<Vec<(String, Value)>>, RedisError> {
    list(reply)?.into_iter().map(map).collect()
}

/// The whole number under `name`.
pub(super) fn number(map: &[(String, Value)], name: &str) -> Option<u64> {
    match map.iter().find(|(field, _)| field == name) {
        Some((_, Value::Int(n))) => u64::try_from(*n).ok(),
        _ => None,
    }
}

/// The text under `name`.
pub(super) fn word(map: &[(String, Value)], name: &str) -> Option<String> {
    let (_, value) = map.iter().find(|(field, _)| field == name)?;
    text(value.clone()).ok()
}

fn entries(reply: Value) -> Result<Vec<Entry>, RedisError> {
    let items = list(reply)?.into_iter();
    // Redis 6 claims entries that were trimmed away as bare nils.
    items
        .filter(|item| *item != Value::Nil)
        .map(|item| {
            let [id, fields] = exactly(list(item)?)?;
            let fields = match fields {
                Value::Nil => None,
                fields => Some(
                    map(fields)?
                        .into_iter()
                        .map(|(name, value)| Ok((name, text(value)?)))
                        .collect::<Result<_, RedisError>>()?,
                ),
            };
            Ok(Entry {
                id: text(id)?,
                fields,
            })
        })
        .collect()
}

fn exactly<const N: usize>(items: Vec<Value>) -> Result<[Value; N], RedisError> {
    <[Value; N]>::try_from(items).map_err(|_| unexpected("another number of items"))
}

fn list(value: Value) -> Result<Vec<Value>, RedisError> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(unexpected("a list")),
    }
}

/// Bytes that are not UTF-8 are kept as far as they are.
fn text(value: Value) -> Result<String, RedisError> {
    match value {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Value::SimpleString(text) => Ok(text),
        Value::Int(n) => Ok(n.to_string()),
        Value::Okay => Ok("OK".to_owned()),
        _ => Err(unexpected("a text")),
    }
}

fn unexpected(wanted: &'static str) -> RedisError {
    RedisError::from((
        ErrorKind::UnexpectedReturnType,
        "the server's reply lacks",
        wanted.to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn entries_keep_the_order_and_repeats_of_their_fields() {
        let fields = Value::Array(["b", "1", "a", "2", "b", "3"].map(bulk).to_vec());
        let entry = |fields| Value::Array(vec![bulk("5-0"), fields]);
        let list = Value::Array(vec![entry(fields), entry(Value::Nil), Value::Nil]);
        let read = read_group(Value::Array(vec![Value::Array(vec![bulk("mesh:trace"), list])])).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read[0].stream, "mesh:trace");
        assert_eq!(
            read[0].entries[0].fields,
            Some(vec![pair("b", "1"), pair("a", "2"), pair("b", "3")])
        );
        assert_eq!((read[0].entries.len(), &read[0].entries[1].fields), (2, &None));
        assert_eq!(read_group(Value::Nil).unwrap(), []);
        assert!(read_group(Value::Int(1)).is_err());
    }
}
