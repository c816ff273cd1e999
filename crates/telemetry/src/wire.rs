//! The protobuf wire format (<https://protobuf.dev/programming-guides/encoding/>): a reader
//! over borrowed bytes and a writer.

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("it ends in the middle of a field")]
    Truncated,
    #[error("a varint is longer than ten bytes")]
    Varint,
    #[error("field {0} has the unknown wire type {1}")]
    WireType(u32, u8),
    #[error("field {0} has a wire type that its definition does not have")]
    Mismatch(u32),
    #[error("field number 0 does not exist")]
    FieldZero,
}

/// Wire types of a group's begin and end.
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// A field: number and value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    value: Value<'a>,
}

impl<'a> Field<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], WireError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::Mismatch(self.number)),
        }
    }

    pub(crate) fn varint(self) -> Result<u64, WireError> {
        match self.value {
            Value::Varint(n) => Ok(n),
            _ => Err(WireError::Mismatch(self.number)),
        }
    }

    /// A `uint32`: the lower half, as protobuf readers do.
    pub(crate) fn uint32(self) -> Result<u32, WireError> {
        self.varint().map(|n| n as u32)
    }

    pub(crate) fn int64(self) -> Result<i64, WireError> {
        self.varint().map(|n| n as i64)
    }

    pub(crate) fn sint32(self) -> Result<i32, WireError> {
        self.varint()
            .map(|n| ((n as u32) >> 1) as i32 ^ -((n & 1) as i32))
    }

    pub(crate) fn fixed64(self) -> Result<u64, WireError> {
        match self.value {
            Value::Fixed64(n) => Ok(n),
            _ => Err(WireError::Mismatch(self.number)),
        }
    }

    pub(crate) fn fixed32(self) -> Result<u32, WireError> {
        match self.value {
            Value::Fixed32(n) => Ok(n),
            _ => Err(WireError::Mismatch(self.number)),
        }
    }

    pub(crate) fn double(self) -> Result<f64, WireError> {
        self.fixed64().map(f64::from_bits)
    }

    /// Appends the values of a repeated `fixed64` or `double`, packed or not.
    pub(crate) fn packed_fixed64(self, into: &mut Vec<u64>) -> Result<(), WireError> {
        match self.value {
            Value::Fixed64(n) => into.push(n),
            Value::Bytes(bytes) => {
                let (values, rest) = bytes.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(WireError::Truncated);
                }
                into.extend(values.iter().map(|value| u64::from_le_bytes(*value)));
            }
            _ => return Err(WireError::Mismatch(self.number)),
        }
        Ok(())
    }

    /// Appends the values of a repeated `uint64`, packed or not.
    pub(crate) fn packed_varint(self, into: &mut Vec<u64>) -> Result<(), WireError> {
        match self.value {
            Value::Varint(n) => into.push(n),
            Value::Bytes(bytes) => {
                let mut reader = Reader(bytes);
                while !reader.0.is_empty() {
                    into.push(reader.varint()?);
                }
            }
            _ => return Err(WireError::Mismatch(self.number)),
        }
        Ok(())
    }
}

/// Reads the fields of a message, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next field, or `None` at the end. Groups, which OTLP does not have, are stepped over.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, WireError> {
        while !self.0.is_empty() {
            let (number, wire_type) = self.key()?;
            if wire_type == GROUP_START {
                self.skip_group(number)?;
                continue;
            }
            let value = self.value(number, wire_type)?;
            return Ok(Some(Field { number, value }));
        }
        Ok(None)
    }

    #[inline]
    fn key(&mut self) -> Result<(u32, u8), WireError> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).unwrap_or(0);
        if number == 0 {
            return Err(WireError::FieldZero);
        }
        Ok((number, (key & 7) as u8))
    }

    #[inline]
    fn value(&mut self, number: u32, wire_type: u8) -> Result<Value<'a>, WireError> {
        Ok(match wire_type {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(WireError::WireType(number, other)),
        })
    }

    /// Steps over the group that has just begun, and those within it.
    fn skip_group(&mut self, number: u32) -> Result<(), WireError> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            match self.key()? {
                (inner, GROUP_START) => open.push(inner),
                (ended, GROUP_END) if ended == *innermost => {
                    open.pop();
                }
                (field, wire_type) => {
                    self.value(field, wire_type)?;
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        let mut n = 0_u64;
        for (i, byte) in self.0.iter().take(10).enumerate() {
            n |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                self.0 = self.0.get(i + 1..).unwrap_or_default();
                return Ok(n);
            }
        }
        Err(if self.0.len() < 10 {
            WireError::Truncated
        } else {
            WireError::Varint
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }
}

/// Writes fields.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn raw_varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    pub(crate) fn varint(&mut self, number: u32, n: u64) {
        self.raw_varint(u64::from(number) << 3);
        self.raw_varint(n);
    }

    pub(crate) fn fixed64(&mut self, number: u32, n: u64) {
        self.raw_varint(u64::from(number) << 3 | 1);
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    pub(crate) fn fixed32(&mut self, number: u32, n: u32) {
        self.raw_varint(u64::from(number) << 3 | 5);
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.raw_varint(u64::from(number) << 3 | 2);
        self.raw_varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Writes a nested message by `write`.
    pub(crate) fn message(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        let mut nested = Self::default();
        write(&mut nested);
        self.bytes(number, &nested.0);
    }
}
