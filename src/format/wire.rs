//! Protobuf's wire format: a message is a run of fields, each a tag (number and wire type) and a value.
//!
//! Unknown fields are for the caller to skip. Groups, which no message of TensorFlow's checkpoints has, are refused.

use super::varint::{Reader, put};
use super::{Malformed, Result};

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// One field of a message.
pub(super) struct Field<'a> {
    pub(super) number: u64,
    value: Value<'a>,
    /// Offset of the value.
    at: usize,
}

enum Value<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64,
    Bytes(&'a [u8]),
}

/// The fields of `message`, which lies at offset `base` of what errors should speak of.
pub(super) fn fields(message: &[u8], base: usize) -> impl Iterator<Item = Result<Field<'_>>> {
    let mut reader = Reader::based(message, base);
    std::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let field = Field::read(&mut reader);
        if field.is_err() {
            reader = Reader::new(&[]);
        }
        Some(field)
    })
}

impl<'a> Field<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let start = reader.at();
        let tag = reader.varint32()?;
        let number = u64::from(tag >> 3);
        if number == 0 {
            return Err(Malformed::new("protobuf field number 0", start));
        }
        let mut at = reader.at();
        let value = match u64::from(tag & 7) {
            VARINT => Value::Varint(reader.varint()?),
            FIXED32 => Value::Fixed32(u32::from_le_bytes(reader.array()?)),
            FIXED64 => reader.take(8).map(|_| Value::Fixed64)?,
            BYTES => {
                let len = reader.varint()?;
                at = reader.at();
                Value::Bytes(reader.take(len)?)
            }
            kind => return Err(Malformed::new(format!("protobuf wire type {kind}"), start)),
        };
        Ok(Self { number, value, at })
    }

    /// This field is wrong as `what` says.
    pub(super) fn malformed(&self, what: impl std::fmt::Display) -> Malformed {
        Malformed::new(format!("field {}: {what}", self.number), self.at)
    }

    pub(super) fn bytes(&self) -> Result<(&'a [u8], usize)> {
        match self.value {
            Value::Bytes(bytes) => Ok((bytes, self.at)),
            _ => Err(self.malformed("not of bytes")),
        }
    }

    pub(super) fn fixed32(&self) -> Result<u32> {
        match self.value {
            Value::Fixed32(value) => Ok(value),
            _ => Err(self.malformed("not of four bytes")),
        }
    }

    /// An `int64`: negative numbers are varints of ten bytes.
    pub(super) fn int64(&self) -> Result<i64> {
        match self.value {
            Value::Varint(value) => Ok(value.cast_signed()),
            _ => Err(self.malformed("not a varint")),
        }
    }

    /// An `int32`. Protobuf would cut off what does not fit; a number that large is refused here.
    pub(super) fn int32(&self) -> Result<i32> {
        let value = self.int64()?;
        i32::try_from(value).map_err(|_| self.malformed(format_args!("{value} is over 32 bits")))
    }

    /// Something counted or measured.
    pub(super) fn natural(&self) -> Result<u64> {
        let value = self.int64()?;
        u64::try_from(value).map_err(|_| self.malformed(format_args!("{value} is negative")))
    }

    /// Something counted or measured that is an `int32`, or an enum's number.
    pub(super) fn natural32(&self) -> Result<u32> {
        let value = self.int32()?;
        u32::try_from(value).map_err(|_| self.malformed(format_args!("{value} is negative")))
    }

    /// A repeated `int32`, which may stand alone or packed.
    pub(super) fn int32s(&self) -> Result<Vec<i32>> {
        let Value::Bytes(packed) = self.value else { return Ok(vec![self.int32()?]) };
        let mut reader = Reader::based(packed, self.at);
        let mut values = Vec::new();
        while !reader.is_empty() {
            let one = Field { number: self.number, at: reader.at(), value: Value::Varint(reader.varint()?) };
            values.push(one.int32()?);
        }
        Ok(values)
    }
}

/// Appends a varint field, unless it has the default value.
pub(super) fn put_int(out: &mut Vec<u8>, number: u64, value: u64) {
    if value != 0 {
        put_present_int(out, number, value);
    }
}

/// Appends a varint field, even if it is zero: for a member of a `oneof`, where absence says something else.
pub(super) fn put_present_int(out: &mut Vec<u8>, number: u64, value: u64) {
    put_tag(out, number, VARINT);
    put(out, value);
}

/// Appends a field of four bytes, even if they are zero.
pub(super) fn put_fixed32(out: &mut Vec<u8>, number: u64, value: u32) {
    put_tag(out, number, FIXED32);
    out.extend(value.to_le_bytes());
}

/// Appends a field of bytes, even if there are none.
pub(super) fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_tag(out, number, BYTES);
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_tag(out: &mut Vec<u8>, number: u64, kind: u64) {
    put(out, number << 3 | kind);
}
