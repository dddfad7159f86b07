//! The protobuf wire format, as far as TensorFlow's messages need it: a message is a row of fields.
//!
//! ```text
//! field  := varint(number << 3 | wire type)  payload
//! payload := 0 varint | 1 eight bytes | 2 varint length, bytes | 5 four bytes
//! ```
//!
//! Groups (wire types 3 and 4) went out of use long before these formats; they are refused. Every offset is counted
//! from the start of the outermost message, so that an error says where in the file's bytes the fault is.

use super::{Malformed, Result};

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its number in the `.proto` file.
    pub number: u32,
    /// What it holds.
    pub value: Value<'a>,
    /// Its own bytes, tag and all: what to keep of a field that is not known.
    pub raw: &'a [u8],
    /// Where its tag stands.
    pub at: usize,
}

/// What a field holds, as the wire tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Any integer, bool or enum.
    Varint(u64),
    /// fixed64, sfixed64, double.
    Fixed64(u64),
    /// A string, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// fixed32, sfixed32, float.
    Fixed32(u32),
}

/// The fields of the message `bytes`, which begins at offset `at`. Ends after the first error.
pub(super) fn fields(bytes: &[u8], at: usize) -> Fields<'_> {
    Fields { rest: bytes, at }
}

/// The iterator of [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<Field<'a>> {
        let (start, at) = (self.rest, self.at);
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|n| (1..1 << 29).contains(n));
        let number = number.ok_or_else(|| Malformed::new(format!("field number {}", tag >> 3), at))?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Value::Bytes(self.length_and_bytes()?),
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            wire => return Err(Malformed::new(format!("field {number} has wire type {wire}"), at)),
        };
        let raw = start.get(..start.len().saturating_sub(self.rest.len())).unwrap_or(start);
        Ok(Field { number, value, raw, at })
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for ((len, &byte), shift) in (1..).zip(self.rest).zip((0u32..64).step_by(7)) {
            let group = u64::from(byte & 0x7f);
            if shift == 63 && group > 1 {
                break;
            }
            value |= group.wrapping_shl(shift);
            if byte < 0x80 {
                self.take(len)?;
                return Ok(value);
            }
        }
        let what = if self.rest.len() < 10 { "varint cut short" } else { "varint over 64 bits" };
        Err(Malformed::new(what, self.at))
    }

    fn length_and_bytes(&mut self) -> Result<&'a [u8]> {
        let at = self.at;
        let claimed = self.varint()?;
        let len = usize::try_from(claimed).ok().filter(|&len| len <= self.rest.len());
        let len = len.ok_or_else(|| {
            Malformed::new(format!("field of {claimed} bytes where {} are left", self.rest.len()), at)
        })?;
        self.take(len)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let at = self.at;
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Malformed::new("number cut short", at))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let cut =
            || Malformed::new(format!("{len} bytes wanted where {} are left", self.rest.len()), self.at);
        let (head, rest) = self.rest.split_at_checked(len).ok_or_else(cut)?;
        self.rest = rest;
        self.at = self.at.saturating_add(len);
        Ok(head)
    }
}

impl<'a> Field<'a> {
    /// The integer it must hold.
    pub fn varint(&self) -> Result<u64> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(self.wrong("an integer")),
        }
    }

    /// The bytes it must hold.
    pub fn bytes(&self) -> Result<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong("bytes")),
        }
    }

    /// The string it must hold: a parser of proto3 refuses what is not UTF-8.
    pub fn string(&self) -> Result<&'a str> {
        let wrong = |_| Malformed::new(format!("field {} is not UTF-8", self.number), self.payload_at());
        std::str::from_utf8(self.bytes()?).map_err(wrong)
    }

    /// The fields of the message it must hold.
    pub fn message(&self) -> Result<Fields<'a>> {
        Ok(fields(self.bytes()?, self.payload_at()))
    }

    fn payload_at(&self) -> usize {
        let payload = if let Value::Bytes(bytes) = self.value { bytes.len() } else { 0 };
        self.at.saturating_add(self.raw.len()).saturating_sub(payload)
    }

    fn wrong(&self, wanted: &str) -> Malformed {
        Malformed::new(format!("field {} is not {wanted}", self.number), self.at)
    }
}

/// Appends an integer field; proto3 leaves a zero out.
pub fn put_integer(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_varint(out, u64::from(number) << 3);
        put_varint(out, value);
    }
}

/// Appends a string field; proto3 leaves an empty one out.
pub fn put_string(out: &mut Vec<u8>, number: u32, value: &str) {
    if !value.is_empty() {
        put_message(out, number, value.as_bytes());
    }
}

/// Appends a field of bytes, empty or not: a message that is there is written even when it says nothing.
pub fn put_message(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Field<'_>>> {
        fields(bytes, 0).collect()
    }

    #[test]
    fn each_wire_type_is_told_apart() {
        let bytes = [0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'h', b'i', 0x25, 7, 0, 0, 0];
        let values: Vec<_> = all(&bytes).unwrap().iter().map(|f| (f.number, f.value, f.at)).collect();
        assert_eq!(
            values,
            [
                (1, Value::Varint(150), 0),
                (2, Value::Fixed64(1), 3),
                (3, Value::Bytes(b"hi"), 12),
                (4, Value::Fixed32(7), 16)
            ]
        );
    }

    #[test]
    fn a_fault_inside_a_message_is_placed_in_the_outermost_bytes() {
        let bytes = [0x0a, 4, 0x0a, 2, 0x08, 0xff];
        let outer = all(&bytes).unwrap()[0];
        let inner = outer.message().unwrap().next().unwrap().unwrap();
        let fault = inner.message().unwrap().next().unwrap().unwrap_err();
        assert_eq!(fault, Malformed::new("varint cut short", 5));
    }

    #[test]
    fn what_protobuf_would_refuse_is_malformed() {
        for (bytes, what) in [
            (&[0x00u8][..], "field number 0"),
            (&[0x0b], "field 1 has wire type 3"),
            (
                &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                "field of 18446744073709551615 bytes",
            ),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], "varint over 64 bits"),
            (&[0x0d, 1, 2], "4 bytes wanted where 2 are left"),
        ] {
            let fault = all(bytes).unwrap_err();
            assert!(fault.what.starts_with(what), "{fault}");
        }
    }

    proptest! {
        #[test]
        fn what_was_put_comes_back(rows in prop::collection::vec((1u32..1 << 29, 1u64.., ".{1,20}"), 0..20)) {
            let mut out = Vec::new();
            for (number, value, text) in &rows {
                put_integer(&mut out, *number, *value);
                put_string(&mut out, *number, text);
            }
            let back = all(&out).unwrap();
            prop_assert_eq!(back.len(), rows.len() * 2);
            for (pair, (number, value, text)) in back.chunks(2).zip(&rows) {
                prop_assert_eq!((pair[0].number, pair[0].varint().unwrap()), (*number, *value));
                prop_assert_eq!((pair[1].number, pair[1].string().unwrap()), (*number, text.as_str()));
            }
            let raw: Vec<u8> = back.iter().flat_map(|f| f.raw).copied().collect();
            prop_assert_eq!(raw, out);
        }

        #[test]
        fn any_bytes_end_in_fields_or_in_one_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let read: Vec<_> = fields(&bytes, 0).collect();
            prop_assert!(read.iter().rev().skip(1).all(|f| f.is_ok()));
            prop_assert!(read.len() <= bytes.len());
        }
    }
}
