//! A tensor of strings in the layout of a data file.
//!
//! ```text
//! tensor := varint length *  masked_crc32c(4)  bytes *
//! ```
//!
//! The checksum in the middle covers the lengths as integers: four bytes each, or eight for a length of 4 GiB or
//! more. The checksum in the tensor's entry covers those integers, the stored checksum and the bytes, but not the
//! varints. A big-endian data file differs only in the integers and the stored checksum.

use crate::format::bundle::Endianness;
use crate::format::crc::Masked;
use crate::format::varint::{Reader, put};
use crate::format::{Malformed, Result};

/// Decodes the elements of a tensor.
///
/// The shape gives `num_elements`, and the elements must use all bytes. The bytes of the elements are not checked:
/// for that, compare its checksum with the entry's.
pub fn decode(bytes: &[u8], num_elements: u64) -> Result<Vec<&[u8]>> {
    decode_with_order(Endianness::Little, bytes, num_elements)
}

/// Decodes like [`decode`], from a data file of either byte order.
pub(crate) fn decode_with_order(order: Endianness, bytes: &[u8], num_elements: u64) -> Result<Vec<&[u8]>> {
    let mut reader = Reader::new(bytes);
    let lengths = lengths(&mut reader, num_elements)?;
    check_lengths(&mut reader, order, &lengths)?;
    let elements = lengths.iter().map(|&length| reader.take(length)).collect::<Result<_>>()?;
    if reader.is_empty() {
        return Ok(elements);
    }
    Err(Malformed::new(format!("{} bytes after the last string", reader.rest().len()), reader.at()))
}

/// Encodes the tensor of these elements. Returns its bytes and the checksum for its entry.
pub fn encode<T: AsRef<[u8]>>(elements: &[T]) -> (Vec<u8>, Masked) {
    let mut bytes = Vec::new();
    elements.iter().for_each(|element| put(&mut bytes, element.as_ref().len() as u64));
    bytes.extend(checksum_of_lengths(elements).0.to_le_bytes());
    elements.iter().for_each(|element| bytes.extend(element.as_ref()));
    (bytes, checksum(elements))
}

/// Returns the checksum in the entry of the tensor with these elements.
pub(crate) fn checksum<T: AsRef<[u8]>>(elements: &[T]) -> Masked {
    checksum_in(Endianness::Little, elements)
}

/// Returns the same as [`checksum`], for a bundle of either byte order.
pub(crate) fn checksum_in<T: AsRef<[u8]>>(order: Endianness, elements: &[T]) -> Masked {
    let lengths = lengths_crc(order, &integers(elements));
    let lengths = lengths.extend(&bytes32(order, lengths.0));
    elements.iter().fold(lengths, |crc, element| crc.extend(element.as_ref()))
}

/// Returns the checksum that is stored between the lengths and the bytes.
pub(crate) fn checksum_of_lengths<T: AsRef<[u8]>>(elements: &[T]) -> Masked {
    lengths_crc(Endianness::Little, &integers(elements))
}

fn integers<T: AsRef<[u8]>>(elements: &[T]) -> Vec<u64> {
    elements.iter().map(|element| element.as_ref().len() as u64).collect()
}

fn lengths(reader: &mut Reader, num_elements: u64) -> Result<Vec<u64>> {
    let num_elements = usize::try_from(num_elements).ok().filter(|&count| count <= reader.rest().len());
    let Some(num_elements) = num_elements else {
        return Err(Malformed::new("fewer bytes than strings", reader.at()));
    };
    (0..num_elements).map(|_| reader.varint()).collect()
}

fn check_lengths(reader: &mut Reader, order: Endianness, lengths: &[u64]) -> Result<()> {
    let at = reader.at();
    let stored: [u8; 4] = reader.array()?;
    let actual = lengths_crc(order, lengths);
    if stored != bytes32(order, actual.0) {
        let stored = match order {
            Endianness::Little => u32::from_le_bytes(stored),
            Endianness::Big => u32::from_be_bytes(stored),
        };
        let what = format!("checksum of lengths {:#010x} where {stored:#010x} is stored", actual.0);
        return Err(Malformed::new(what, at));
    }
    Ok(())
}

fn lengths_crc(order: Endianness, lengths: &[u64]) -> Masked {
    let mut integers = Vec::new();
    for &length in lengths {
        match u32::try_from(length) {
            Ok(length) => integers.extend(bytes32(order, length)),
            Err(_) => integers.extend(bytes64(order, length)),
        }
    }
    Masked::of(&integers)
}

fn bytes32(order: Endianness, integer: u32) -> [u8; 4] {
    match order {
        Endianness::Little => integer.to_le_bytes(),
        Endianness::Big => integer.to_be_bytes(),
    }
}

fn bytes64(order: Endianness, integer: u64) -> [u8; 8] {
    match order {
        Endianness::Little => integer.to_le_bytes(),
        Endianness::Big => integer.to_be_bytes(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::bundle::{Entry, Header};
    use super::super::{real, table};
    use super::*;

    /// Returns four strings as TensorFlow wrote them, except for the contents of the last one.
    fn written() -> Vec<u8> {
        [&b"\x05\x00\x03\xac\x02\x54\x8f\x6f\x73hellox01"[..], &[b'c'; 300]].concat()
    }

    #[test]
    fn strings_that_tensorflow_wrote_are_decoded_and_encoded() {
        let written = written();
        let elements = decode(&written, 4).unwrap();
        assert_eq!(elements, [&b"hello"[..], b"", b"x01", &[b'c'; 300]]);
        let (bytes, crc) = encode(&elements);
        assert_eq!((bytes, crc), (written.clone(), checksum(&elements)));
    }

    #[test]
    fn real_tensors_of_strings_have_the_checksums_of_their_entries() {
        for (index, file) in real::indexes() {
            let rows = table::decode(&file).unwrap();
            let order = Header::decode(&rows[0].value).unwrap().endianness;
            for row in &rows[1..] {
                let entry = Entry::decode(&row.value).unwrap();
                let Some(bytes) = value(&index, &entry).filter(|_| entry.dtype == 7) else { continue };
                let elements = decode_with_order(order, &bytes, entry.shape.iter().product()).unwrap();
                assert_eq!(
                    checksum_in(order, &elements),
                    entry.crc32c,
                    "{index}: {}",
                    row.key.escape_ascii()
                );
                if order == Endianness::Little {
                    assert_eq!(encode(&elements), (bytes, entry.crc32c));
                }
            }
        }
    }

    /// Returns the bytes of a value, if the bundle has only one data file.
    fn value(index: &str, entry: &Entry) -> Option<Vec<u8>> {
        let data = std::fs::read(index.replace(".index", ".data-00000-of-00001")).ok()?;
        let (at, len) = (usize::try_from(entry.offset).ok()?, usize::try_from(entry.size).ok()?);
        Some(data[at..][..len].to_vec())
    }

    #[test]
    fn a_tensor_without_strings_takes_four_bytes() {
        assert_eq!(encode::<&str>(&[]).0, b"\xd8\xea\x82\xa2");
        assert_eq!(decode(b"\xd8\xea\x82\xa2", 0), Ok(vec![]));
    }

    #[test]
    fn the_checksum_is_over_lengths_their_checksum_and_the_bytes() {
        let lengths = Masked::of(&[[2, 0, 0, 0], [1, 0, 0, 0]].concat()).0.to_le_bytes();
        let covered = [&[2, 0, 0, 0, 1, 0, 0, 0][..], &lengths, b"abc"].concat();
        assert_eq!(checksum(&["ab", "c"]), Masked::of(&covered));
    }

    #[test]
    fn lengths_from_four_gigabytes_on_count_as_eight_bytes() {
        let mut bytes = Vec::new();
        put(&mut bytes, 1 << 32);
        bytes.extend(Masked::of(&(1u64 << 32).to_le_bytes()).0.to_le_bytes());
        let error = decode(&bytes, 1).unwrap_err();
        assert_eq!(error.to_string(), "4294967296 bytes claimed where 0 are left at byte 9");
    }

    #[test]
    fn short_and_long_lengths_are_mixed_each_with_its_own_width() {
        let (short, long) = (u64::from(u32::MAX), 1u64 << 32);
        for (order, expected) in [
            (Endianness::Little, [&[0xff; 4][..], &long.to_le_bytes(), &[2, 0, 0, 0]].concat()),
            (Endianness::Big, [&[0xff; 4][..], &long.to_be_bytes(), &[0, 0, 0, 2]].concat()),
        ] {
            assert_eq!(lengths_crc(order, &[short, long, 2]), Masked::of(&expected));
        }
    }

    #[test]
    fn a_truncated_tensor_or_one_with_extra_bytes_is_malformed() {
        let written = written();
        for len in 0..written.len() {
            assert!(decode(&written[..len], 4).is_err());
        }
        let spare = decode(&[&written[..], b"?"].concat(), 4).unwrap_err();
        assert_eq!(spare.to_string(), "1 bytes after the last string at byte 317");
        assert!(decode(&written, 3).is_err() && decode(&written, 5).is_err());
        assert_eq!(decode(&written, u64::MAX).unwrap_err().what, "fewer bytes than strings");
    }

    #[test]
    fn a_flipped_bit_is_malformed_or_fails_the_checksum() {
        let written = written();
        let crc = checksum(&decode(&written, 4).unwrap());
        for bit in 0..written.len().saturating_mul(8) {
            let mut bytes = written.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!decode(&bytes, 4).is_ok_and(|elements| checksum(&elements) == crc), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn strings_survive_a_round_trip(elements in vec(vec(any::<u8>(), 0..200), 0..20)) {
            let (bytes, crc) = encode(&elements);
            let decoded = decode(&bytes, elements.len() as u64).unwrap();
            prop_assert_eq!(checksum(&decoded), crc);
            prop_assert_eq!(decoded, elements);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>, num_elements in 0u64..20) {
            let _ = decode(&bytes, num_elements);
        }
    }
}
