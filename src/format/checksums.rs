//! A file of computed checksums, in a format of ckptfs's own.
//!
//! ```text
//! file := "ckptfs sums 1\n\0\0"  key u128  count u64  masked_crc32c u32 *count  masked_crc32c of all before, u32
//! ```
//!
//! Numbers are little-endian. The key identifies the bytes that the checksums cover.

use crate::format::crc::Masked;
use crate::format::{Malformed, Result};

const MAGIC: &[u8; 16] = b"ckptfs sums 1\n\0\0";
const HEADER: usize = 40;
const CRC: usize = 4;

/// Returns the length of a file of `count` checksums.
pub(crate) fn len(count: usize) -> u64 {
    let sums = (count as u64).saturating_mul(CRC as u64);
    sums.saturating_add(HEADER as u64).saturating_add(CRC as u64)
}

/// Encodes the file of these checksums.
pub(crate) fn encode(key: u128, sums: &[Masked]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.extend(key.to_le_bytes());
    file.extend((sums.len() as u64).to_le_bytes());
    sums.iter().for_each(|sum| file.extend(sum.0.to_le_bytes()));
    file.extend(Masked::of(&file).0.to_le_bytes());
    file
}

/// Decodes the checksums of a file. The file must have this key.
pub(crate) fn decode(file: &[u8], key: u128) -> Result<Vec<Masked>> {
    let (body, crc) = file.split_last_chunk().ok_or_else(|| Malformed::new("too short", 0))?;
    if Masked::of(body) != Masked(u32::from_le_bytes(*crc)) {
        return Err(Malformed::new("checksum of the file", body.len()));
    }
    let (header, sums) = body.split_at_checked(HEADER).ok_or_else(|| Malformed::new("too short", 0))?;
    let (sums, rest) = sums.as_chunks();
    let wanted = [&MAGIC[..], &key.to_le_bytes(), &(sums.len() as u64).to_le_bytes()].concat();
    if header != wanted || !rest.is_empty() {
        return Err(Malformed::new("not the header of these checksums", 0));
    }
    Ok(sums.iter().map(|sum| Masked(u32::from_le_bytes(*sum))).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn checksums_survive_a_round_trip_only_with_their_key(key: u128, other: u128, sums: Vec<u32>) {
            let sums: Vec<_> = sums.into_iter().map(Masked).collect();
            let file = encode(key, &sums);
            prop_assert_eq!(file.len() as u64, len(sums.len()));
            prop_assert_eq!(decode(&file, key), Ok(sums));
            prop_assert!(key == other || decode(&file, other).is_err());
        }
    }

    #[test]
    fn a_truncated_file_or_a_flipped_bit_is_malformed() {
        let file = encode(0x0123_4567_89ab_cdef, &[Masked(1), Masked(0xffff_ffff)]);
        for len in 0..file.len() {
            let cut = file.get(..len).unwrap_or_default();
            assert!(decode(cut, 0x0123_4567_89ab_cdef).is_err(), "{len}");
        }
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped.get_mut(bit / 8).into_iter().for_each(|byte| *byte ^= 1 << (bit % 8));
            assert!(decode(&flipped, 0x0123_4567_89ab_cdef).is_err(), "{bit}");
        }
    }
}
