//! Encodings of numbers whose bytes sort as the numbers do.
//!
//! ```text
//! N(u64): a length byte, then as few big-endian bytes as hold the number
//! S(i64): in k bytes, the fewest that hold it in 7k bits, big-endian two's complement, its first k bits inverted
//! ```
//!
//! Each number has exactly one encoding. Any other encoding of it is malformed.

use crate::format::varint::Reader;
use crate::format::{Malformed, Result};

pub(super) fn put_natural(key: &mut Vec<u8>, value: u64) {
    let bytes = value.to_be_bytes();
    let digits = bytes.iter().position(|&byte| byte != 0).and_then(|first| bytes.get(first..));
    let digits = digits.unwrap_or_default();
    key.extend(u8::try_from(digits.len()));
    key.extend(digits);
}

pub(super) fn natural(reader: &mut Reader) -> Result<u64> {
    let at = reader.at();
    let [len] = reader.array()?;
    let digits = reader.take(len.into())?;
    if len > 8 || digits.first() == Some(&0) {
        return Err(Malformed::new("number in a slice key that is not spelt in its only way", at));
    }
    Ok(digits.iter().fold(0, |value, &digit| value << 8 | u64::from(digit)))
}

pub(super) fn put_signed(key: &mut Vec<u8>, value: i64) {
    let len = signed_len(value);
    let bytes = i128::from(value).to_be_bytes();
    let inverted = marker(len).to_be_bytes();
    let bytes = bytes.iter().zip(inverted).map(|(byte, mark)| byte ^ mark);
    key.extend(bytes.skip(bytes_before(len)));
}

pub(super) fn signed(reader: &mut Reader) -> Result<i64> {
    let at = reader.at();
    let len = marked_len(reader.rest());
    let mut bytes = [0; 16];
    let coded = reader.take(len.into())?;
    bytes.iter_mut().skip(bytes_before(len)).zip(coded).for_each(|(byte, coded)| *byte = *coded);
    let unused = 128u32.saturating_sub(len.saturating_mul(8));
    let value = (i128::from_be_bytes(bytes) ^ marker(len)).wrapping_shl(unused).wrapping_shr(unused);
    match i64::try_from(value) {
        Ok(value) if signed_len(value) == len => Ok(value),
        _ => Err(Malformed::new("number in a slice key that is not spelt in its only way", at)),
    }
}

/// Returns the number of bytes that hold `value`, with 7 bits in each.
fn signed_len(value: i64) -> u32 {
    let magnitude = if value < 0 { !value } else { value };
    let bits = 65u32.saturating_sub(magnitude.leading_zeros());
    bits.div_ceil(7)
}

/// Returns a number of `len` bytes of which the first `len` bits are set.
fn marker(len: u32) -> i128 {
    let ones = 1i128.wrapping_shl(len).wrapping_sub(1);
    ones.wrapping_shl(len.saturating_mul(7))
}

/// Returns the number of bytes before the last `len` of 16 bytes.
fn bytes_before(len: u32) -> usize {
    usize::try_from(16u32.saturating_sub(len)).unwrap_or(0)
}

/// Returns the number of bytes of a number from its first bits, which are all equal: from 1 to 10, or up to 16 if no
/// number begins so.
fn marked_len(coded: &[u8]) -> u32 {
    let mut first = coded.iter().copied().chain([0, 0]);
    let bits = u16::from_be_bytes([first.next().unwrap_or(0), first.next().unwrap_or(0)]);
    bits.leading_ones().max(bits.leading_zeros()).min(16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn signed_numbers_take_a_byte_for_seven_bits() {
        let cases: [(i64, &[u8]); 10] = [
            (0, &[0x80]),
            (-1, &[0x7f]),
            (63, &[0xbf]),
            (64, &[0xc0, 0x40]),
            (-64, &[0x40]),
            (-65, &[0x3f, 0xbf]),
            (8191, &[0xdf, 0xff]),
            (8192, &[0xe0, 0x20, 0x00]),
            (i64::MAX, &[0xff, 0xc0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            (i64::MIN, &[0x00, 0x3f, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (value, bytes) in cases {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!((&out[..], signed(&mut Reader::new(bytes))), (bytes, Ok(value)));
        }
    }

    proptest! {
        #[test]
        fn signed_numbers_sort_as_their_codes(a: i64, b: i64, shift in 0u32..63) {
            let code = |value| { let mut out = Vec::new(); put_signed(&mut out, value); out };
            let (a, b) = (a >> shift, b >> shift);
            prop_assert_eq!(a.cmp(&b), code(a).cmp(&code(b)));
        }
    }
}
