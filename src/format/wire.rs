//! Protobuf's wire format: a message is a run of fields, each a tag (number and wire type) and a value.
//!
//! ```text
//! field := varint(number << 3 | wire type)  value
//! value := 0 varint | 1 eight bytes | 2 varint length, bytes | 5 four bytes
//! ```
//!
//! Groups (wire types 3 and 4) are refused: no message in TensorFlow's checkpoints has them. The caller skips unknown
//! fields, or keeps their `raw` bytes. Offsets count from the start of the outermost message, so that an error
//! reports where in the file's bytes the fault is.

use crate::format::varint::{Reader, put};
use crate::format::{Malformed, Result};

pub(super) const VARINT: u32 = 0;
pub(super) const FIXED64: u32 = 1;
pub(super) const BYTES: u32 = 2;
pub(super) const FIXED32: u32 = 5;

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// Its number in the `.proto` file.
    pub(super) number: u32,
    value: Value<'a>,
    /// Its own bytes, including the tag.
    pub(super) raw: &'a [u8],
    /// Offset of the value.
    pub(super) at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64,
    Bytes(&'a [u8]),
}

/// Returns the fields of `message`, which is the outermost message. The iterator ends after the first error.
pub(super) fn fields(message: &[u8]) -> Fields<'_> {
    fields_at(message, 0)
}

/// Returns the fields of a message like [`fields`]. Errors report offsets from `base` on.
pub(super) fn fields_at(message: &[u8], base: usize) -> Fields<'_> {
    Fields { reader: Reader::based(message, base) }
}

/// The iterator of [`fields`].
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let field = Field::read(&mut self.reader);
        if field.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(field)
    }
}

impl<'a> Field<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let (start, bytes) = (reader.at(), reader.rest());
        let tag = reader.varint32()?;
        if tag >> 3 == 0 {
            return Err(Malformed::new("protobuf field number 0", start));
        }
        let mut at = reader.at();
        let value = match tag & 7 {
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
        let raw = bytes.get(..reader.at().saturating_sub(start)).unwrap_or(bytes);
        Ok(Self { number: tag >> 3, value, raw, at })
    }

    /// Returns the fault `what` in this field.
    pub(super) fn malformed(&self, what: impl std::fmt::Display) -> Malformed {
        Malformed::new(format!("field {}: {what}", self.number), self.at)
    }

    #[inline]
    pub(super) fn bytes(&self) -> Result<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.malformed("not of bytes")),
        }
    }

    /// Reads a string. A proto3 parser refuses a string that is not UTF-8.
    pub(super) fn string(&self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| self.malformed("not UTF-8"))
    }

    /// Returns the fields of a nested message.
    #[inline]
    pub(super) fn message(&self) -> Result<Fields<'a>> {
        Ok(Fields { reader: Reader::based(self.bytes()?, self.at) })
    }

    #[inline]
    pub(super) fn fixed32(&self) -> Result<u32> {
        match self.value {
            Value::Fixed32(value) => Ok(value),
            _ => Err(self.malformed("not of four bytes")),
        }
    }

    /// Reads an `int64`. A negative number is a varint of ten bytes.
    #[inline]
    pub(super) fn int64(&self) -> Result<i64> {
        match self.value {
            Value::Varint(value) => Ok(value.cast_signed()),
            _ => Err(self.malformed("not a varint")),
        }
    }

    /// Reads an `int32`. Protobuf would truncate a larger number. It is refused here.
    pub(super) fn int32(&self) -> Result<i32> {
        let value = self.int64()?;
        i32::try_from(value).map_err(|_| self.malformed(format_args!("{value} is over 32 bits")))
    }

    /// Reads a number that must not be negative.
    #[inline]
    pub(super) fn natural(&self) -> Result<u64> {
        let value = self.int64()?;
        u64::try_from(value).map_err(|_| self.malformed(format_args!("{value} is negative")))
    }

    /// Reads an `int32`, or the number of an enum, that must not be negative.
    pub(super) fn natural32(&self) -> Result<u32> {
        let value = self.int32()?;
        u32::try_from(value).map_err(|_| self.malformed(format_args!("{value} is negative")))
    }

    /// Reads a repeated `int32`, packed or not.
    pub(super) fn int32s(&self) -> Result<Vec<i32>> {
        let Value::Bytes(packed) = self.value else { return Ok(vec![self.int32()?]) };
        let mut reader = Reader::based(packed, self.at);
        let mut values = Vec::new();
        while !reader.is_empty() {
            let one = Field { at: reader.at(), value: Value::Varint(reader.varint()?), ..*self };
            values.push(one.int32()?);
        }
        Ok(values)
    }
}

/// Appends a varint field, unless it has the default value.
pub(super) fn put_int(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_present_int(out, number, value);
    }
}

/// Appends a varint field, even if it is zero. Members of a `oneof` need this, because absence has another meaning.
pub(super) fn put_present_int(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, VARINT);
    put(out, value);
}

/// Appends a field of four bytes, even if they are zero.
pub(super) fn put_fixed32(out: &mut Vec<u8>, number: u32, value: u32) {
    put_tag(out, number, FIXED32);
    out.extend(value.to_le_bytes());
}

/// Appends a string, unless it is empty, which is the default.
pub(super) fn put_string(out: &mut Vec<u8>, number: u32, value: &str) {
    if !value.is_empty() {
        put_bytes(out, number, value.as_bytes());
    }
}

/// Appends a field of bytes, even if it is empty: a message that is present is written even if it is empty.
pub(super) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, BYTES);
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_tag(out: &mut Vec<u8>, number: u32, kind: u32) {
    put(out, u64::from(number) << 3 | u64::from(kind));
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(message: &[u8]) -> Result<Vec<Field<'_>>> {
        fields(message).collect()
    }

    #[test]
    fn wire_types_are_distinguished() {
        let message = [0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'h', b'i', 0x25, 7, 0, 0, 0];
        let found: Vec<_> = all(&message).unwrap().iter().map(|f| (f.number, f.value, f.at)).collect();
        let values = [Value::Varint(150), Value::Fixed64, Value::Bytes(b"hi"), Value::Fixed32(7)];
        assert_eq!(found, [(1, values[0], 1), (2, values[1], 4), (3, values[2], 14), (4, values[3], 17)]);
    }

    #[test]
    fn a_fault_in_a_nested_message_has_an_offset_in_the_outermost_one() {
        let outer = all(&[0x0a, 4, 0x0a, 2, 0x08, 0xff]).unwrap()[0];
        let inner = outer.message().unwrap().next().unwrap().unwrap();
        let fault = inner.message().unwrap().next().unwrap().unwrap_err();
        assert_eq!(fault, Malformed::new("truncated varint", 5));
    }

    #[test]
    fn messages_that_protobuf_would_refuse_are_malformed() {
        let cases: [(&[u8], &str); 7] = [
            (b"\x00\x01", "protobuf field number 0 at byte 0"),
            (b"\x0b", "protobuf wire type 3 at byte 0"),
            (b"\x80\x80\x80\x80\x10\x00", "varint over 32 bits at byte 0"),
            (b"\x0a\x05", "5 bytes claimed where 0 are left at byte 2"),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "varint over 64 bits at byte 1"),
            (b"\x0d\x01\x02", "4 bytes wanted where 2 are left at byte 1"),
            (b"\x09\x01", "8 bytes claimed where 1 are left at byte 1"),
        ];
        for (message, fault) in cases {
            assert_eq!(all(message).unwrap_err().to_string(), fault);
        }
        let claims = [&[0x0a][..], &[0xff; 9], &[1]].concat();
        assert!(all(&claims).unwrap_err().what.starts_with("18446744073709551615 bytes claimed"));
    }

    #[test]
    fn a_string_is_utf8() {
        let message = [0x0a, 2, 0xff, 0xff];
        let fault = all(&message).unwrap()[0].string().unwrap_err();
        assert_eq!(fault.to_string(), "field 1: not UTF-8 at byte 2");
    }

    proptest! {
        #[test]
        fn fields_survive_a_round_trip(rows in prop::collection::vec((1u32..1 << 29, 1u64.., any::<u32>(), ".{1,20}"), 0..20)) {
            let mut out = Vec::new();
            for (number, int, fixed, text) in &rows {
                put_int(&mut out, *number, *int);
                put_fixed32(&mut out, *number, *fixed);
                put_string(&mut out, *number, text);
            }
            let back = all(&out).unwrap();
            prop_assert_eq!(back.len(), rows.len().saturating_mul(3));
            for (found, (number, int, fixed, text)) in back.chunks(3).zip(&rows) {
                prop_assert!(found.iter().all(|field| field.number == *number));
                prop_assert_eq!(found[0].int64().unwrap().cast_unsigned(), *int);
                prop_assert_eq!(found[1].fixed32().unwrap(), *fixed);
                prop_assert_eq!(found[2].string().unwrap(), text.as_str());
            }
            let raw: Vec<u8> = back.iter().flat_map(|field| field.raw).copied().collect();
            prop_assert_eq!(raw, out);
        }

        #[test]
        fn any_bytes_end_in_fields_or_in_one_error(message in prop::collection::vec(any::<u8>(), 0..200)) {
            let read: Vec<_> = fields(&message).collect();
            prop_assert!(read.iter().rev().skip(1).all(|field| field.is_ok()));
            prop_assert!(read.len() <= message.len());
        }
    }
}
