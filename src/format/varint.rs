//! Base-128 integers (7 bits per byte, low group first, the high bit is set if another byte follows), and the cursor
//! with which all codecs read.

use crate::format::{Malformed, Result};

/// A cursor that moves forward in some bytes as they are read, and knows its offset for errors.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    end: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `bytes`. Offsets count from there.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::based(bytes, 0)
    }

    /// Starts at the beginning of `bytes`. Errors report offsets from `base` on.
    pub(crate) fn based(bytes: &'a [u8], base: usize) -> Self {
        Self { rest: bytes, end: base.saturating_add(bytes.len()) }
    }

    /// Returns the offset of the next byte.
    pub(crate) fn at(&self) -> usize {
        self.end.saturating_sub(self.rest.len())
    }

    /// Returns true if no bytes are left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the bytes that are left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads the next varint.
    #[inline]
    pub fn varint(&mut self) -> Result<u64> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    /// Reads the next varint, which must fit in 32 bits.
    #[inline]
    pub(crate) fn varint32(&mut self) -> Result<u32> {
        let at = self.at();
        let value = self.varint()?;
        u32::try_from(value).map_err(|_| Malformed::new("varint over 32 bits", at))
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for (n, &byte) in self.rest.iter().enumerate().take(10) {
            if n == 9 && byte > 1 {
                return Err(Malformed::new("varint over 64 bits", self.at()));
            }
            let shift = u32::try_from(n).unwrap_or(u32::MAX).wrapping_mul(7);
            value |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte < 0x80 {
                self.rest = self.rest.get(n.wrapping_add(1)..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(Malformed::new("truncated varint", self.at()))
    }

    /// Reads the next `len` bytes. Nothing is allocated, so `len` may be an untrusted number.
    #[inline]
    pub(crate) fn take(&mut self, len: u64) -> Result<&'a [u8]> {
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let Some((taken, rest)) = split else {
            let what = format!("{len} bytes claimed where {} are left", self.rest.len());
            return Err(Malformed::new(what, self.at()));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// Reads the next `N` bytes as an array, for `from_le_bytes` and similar functions.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            let what = format!("{N} bytes wanted where {} are left", self.rest.len());
            return Err(Malformed::new(what, self.at()));
        };
        self.rest = rest;
        Ok(*taken)
    }
}

/// Appends `value`, in as few bytes as possible.
#[inline]
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Result<(u64, usize)> {
        let mut reader = Reader::new(bytes);
        Ok((reader.varint()?, reader.at()))
    }

    #[test]
    fn known_varints_decode() {
        let cases: [(&[u8], u64); 5] = [
            (&[0], 0),
            (&[0x7f], 127),
            (&[0xac, 0x02], 300),
            (&[0x80, 0x00], 0),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], u64::MAX),
        ];
        for (bytes, value) in cases {
            assert_eq!(decode(bytes), Ok((value, bytes.len())));
        }
    }

    #[test]
    fn a_varint_past_64_bits_or_ten_bytes_is_malformed() {
        let nine = [0xff; 9];
        assert_eq!(decode(&[&nine[..], &[2]].concat()).unwrap_err().what, "varint over 64 bits");
        assert_eq!(decode(&[&nine[..], &[0x81, 0]].concat()).unwrap_err().what, "varint over 64 bits");
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).varint32().unwrap_err().at, 0);
    }

    #[test]
    fn a_truncated_varint_is_malformed_at_every_length() {
        for len in 0..10 {
            assert_eq!(decode(&vec![0xff; len]).unwrap_err(), Malformed::new("truncated varint", 0));
        }
    }

    #[test]
    fn a_length_that_is_too_large_reads_nothing() {
        let mut reader = Reader::based(&[1, 2, 3], 100);
        assert_eq!(reader.take(u64::MAX).unwrap_err().at, 100);
        assert_eq!(reader.take(2), Ok(&[1u8, 2][..]));
        assert_eq!(reader.array::<2>().unwrap_err().at, 102);
        assert_eq!(reader.rest(), [3]);
    }

    proptest! {
        #[test]
        fn varints_survive_a_round_trip(value: u64, low in 0u32..64) {
            let value = value >> low;
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            prop_assert_eq!(decode(&bytes), Ok((value, bytes.len())));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.varint().is_ok() {}
            prop_assert!(reader.at() <= bytes.len());
        }
    }
}
