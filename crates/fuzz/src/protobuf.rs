//! Mutations that know protobuf: of fields, tags, wire types, lengths and varints.

use super::bytes;
use super::dice::Dice;

/// A field as it stands on the wire. A length-delimited one that reads as a message is one.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    number: u64,
    value: Value,
}

#[derive(Debug, Clone)]
enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
    /// A group, of the days before length-delimited messages.
    Group(Vec<Field>),
}

/// Messages nest no deeper when a corpus is read.
const DEPTH: usize = 24;

/// Reads a message; `None` when it is none.
pub(crate) fn parse(mut input: &[u8], depth: usize) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !input.is_empty() {
        let key = varint(&mut input)?;
        let number = key >> 3;
        if number == 0 || number > 10_000 {
            return None;
        }
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut input)?),
            1 => Value::Fixed64(take(&mut input, 8)?.try_into().ok()?),
            5 => Value::Fixed32(take(&mut input, 4)?.try_into().ok()?),
            2 => {
                let length = usize::try_from(varint(&mut input)?).ok()?;
                let bytes = take(&mut input, length)?;
                match parse(bytes, depth + 1).filter(|_| depth < DEPTH && !bytes.is_empty()) {
                    Some(fields) => Value::Message(fields),
                    None => Value::Bytes(bytes.to_vec()),
                }
            }
            _ => return None,
        };
        fields.push(Field { number, value });
    }
    Some(fields)
}

fn varint(input: &mut &[u8]) -> Option<u64> {
    let mut n = 0_u64;
    for shift in 0..10 {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        n |= u64::from(byte & 0x7f).checked_shl(7 * shift)?;
        if *byte < 0x80 {
            return Some(n);
        }
    }
    None
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(head)
}

/// Mutates a message; `other` is another one of the same kind to take pieces from.
pub(crate) fn mutate(input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let Some(mut fields) = parse(input, 0) else {
        let mut bytes = input.to_vec();
        bytes::mutate(&mut bytes, dice);
        return bytes;
    };
    let donor = parse(other, 0).unwrap_or_default();
    for _ in 0..=dice.below(5) {
        change(&mut fields, &donor, dice);
    }
    let mut out = Vec::new();
    // One case in four has lengths and varints that are not what they should be.
    let mut damage = dice.once_in(4).then(|| dice.clone());
    write(&fields, &mut out, &mut damage);
    if dice.once_in(6) {
        bytes::mutate(&mut out, dice);
    }
    out
}

/// Changes one field somewhere in the tree.
fn change(fields: &mut Vec<Field>, donor: &[Field], dice: &mut Dice) {
    if fields.is_empty() {
        fields.extend(piece(donor, dice));
        return;
    }
    let at = dice.below(fields.len());
    if let Value::Message(inner) | Value::Group(inner) = &mut fields[at].value
        && !dice.once_in(5)
    {
        return change(inner, donor, dice);
    }
    match dice.below(9) {
        0 => _ = fields.remove(at),
        1 => {
            let copy = fields[at].clone();
            let mut written = Vec::new();
            write(std::slice::from_ref(&copy), &mut written, &mut None);
            let times = dice.copies(written.len());
            (0..times).for_each(|_| fields.insert(at, copy.clone()));
        }
        2 => fields[at].number = *dice.pick(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 16, 100, 536_870_911]),
        3 => {
            let to = dice.below(fields.len());
            fields.swap(at, to);
        }
        4 => fields[at].value = other_type(&fields[at].value, dice),
        5 | 6 => value(&mut fields[at].value, dice),
        7 => {
            if let Some(piece) = piece(donor, dice) {
                fields.insert(at, piece);
            }
        }
        _ => bury(&mut fields[at], dice),
    }
}

/// A field from somewhere in a tree.
fn piece(fields: &[Field], dice: &mut Dice) -> Option<Field> {
    if fields.is_empty() {
        return None;
    }
    let field = dice.pick(fields);
    match &field.value {
        Value::Message(inner) if !dice.once_in(3) => piece(inner, dice).or_else(|| Some(field.clone())),
        _ => Some(field.clone()),
    }
}

/// The same field with another wire type.
fn other_type(value: &Value, dice: &mut Dice) -> Value {
    match (dice.below(5), value) {
        (0, _) => Value::Varint(dice.next()),
        (1, _) => Value::Fixed64(dice.next().to_le_bytes()),
        (2, _) => Value::Fixed32((dice.next() as u32).to_le_bytes()),
        (3, Value::Message(inner)) => Value::Group(inner.clone()),
        _ => Value::Bytes(dice.pick(&bytes::TEXTS).as_bytes().to_vec()),
    }
}

fn value(value: &mut Value, dice: &mut Dice) {
    let any = dice.next();
    let number = *dice.pick(&[
        0,
        1,
        2,
        127,
        128,
        u64::from(u32::MAX),
        i64::MAX as u64,
        1 << 63,
        u64::MAX,
        any,
    ]);
    let double = *dice.pick(&[
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        f64::MAX,
        f64::MIN_POSITIVE,
    ]);
    match value {
        Value::Varint(n) => *n = number,
        Value::Fixed64(bytes) if dice.once_in(2) => *bytes = double.to_le_bytes(),
        Value::Fixed64(bytes) => *bytes = number.to_le_bytes(),
        Value::Fixed32(bytes) => *bytes = (number as u32).to_le_bytes(),
        Value::Bytes(bytes) if dice.once_in(3) => *bytes = dice.pick(&bytes::TEXTS).as_bytes().to_vec(),
        Value::Bytes(bytes) => bytes::mutate(bytes, dice),
        Value::Message(inner) | Value::Group(inner) => inner.clear(),
    }
}

/// Puts a field deep into messages of the fields that nest: values in arrays and maps.
fn bury(field: &mut Field, dice: &mut Dice) {
    const PATHS: [&[u64]; 4] = [&[5, 1], &[6, 1, 2], &[1], &[2]];
    let path = PATHS[dice.below(PATHS.len())];
    let depth = dice.size();
    let mut inner = field.value.clone();
    for n in 0..depth {
        let number = path[n % path.len()];
        inner = Value::Message(vec![Field { number, value: inner }]);
        if n % 512 == 511 {
            // As bytes from here on: a tree so deep could not be dropped.
            let mut out = Vec::new();
            write(
                &[Field {
                    number: 1,
                    value: inner,
                }],
                &mut out,
                &mut None,
            );
            let mut rest = out.as_slice();
            _ = varint(&mut rest);
            let length = varint(&mut rest).unwrap_or(0) as usize;
            inner = Value::Bytes(rest[..length.min(rest.len())].to_vec());
        }
    }
    field.value = inner;
}

/// Writes a message, with lengths and varints damaged now and then when there are dice for it.
fn write(fields: &[Field], out: &mut Vec<u8>, damage: &mut Option<Dice>) {
    for field in fields {
        let key = |wire: u64| field.number << 3 | wire;
        match &field.value {
            Value::Varint(n) => {
                put(key(0), out, damage);
                put(*n, out, damage);
            }
            Value::Fixed64(bytes) => {
                put(key(1), out, damage);
                out.extend_from_slice(bytes);
            }
            Value::Fixed32(bytes) => {
                put(key(5), out, damage);
                out.extend_from_slice(bytes);
            }
            Value::Bytes(bytes) => delimited(key(2), bytes, out, damage),
            Value::Message(inner) => {
                let mut bytes = Vec::new();
                write(inner, &mut bytes, damage);
                delimited(key(2), &bytes, out, damage);
            }
            Value::Group(inner) => {
                put(key(3), out, damage);
                write(inner, out, damage);
                put(key(4), out, damage);
            }
        }
    }
}

fn delimited(key: u64, bytes: &[u8], out: &mut Vec<u8>, damage: &mut Option<Dice>) {
    put(key, out, damage);
    let length = bytes.len() as u64;
    let length = if strikes(damage) {
        let wrong = [
            0,
            length + 1,
            length.saturating_sub(1),
            1 << 31,
            1 << 40,
            u64::MAX,
        ];
        damage.as_mut().map_or(length, |dice| *dice.pick(&wrong))
    } else {
        length
    };
    put(length, out, damage);
    out.extend_from_slice(bytes);
}

fn put(mut n: u64, out: &mut Vec<u8>, damage: &mut Option<Dice>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    if !strikes(damage) {
        return out.push(n as u8);
    }
    // The same number in more bytes than it needs, or in more than there may be.
    out.push(n as u8 | 0x80);
    let more = damage.as_mut().map_or(0, |dice| dice.below(10));
    out.extend(std::iter::repeat_n(0x80, more));
    out.push(0);
}

/// True now and then when there is to be damage.
fn strikes(damage: &mut Option<Dice>) -> bool {
    damage.as_mut().is_some_and(|dice| dice.once_in(20))
}
