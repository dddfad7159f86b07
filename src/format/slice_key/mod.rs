//! The key of a slice of a partitioned variable. The encoding preserves the order: the bytes sort as the encoded
//! values do.
//!
//! ```text
//! key := N(0) name N(ndims) { S(start) S(length) }*      length -1: the whole dimension
//! name: 00 becomes 00 ff, ff becomes ff 00; then 00 01
//! ```
//!
//! N and S are numbers in the encodings of `number`.

mod number;

use number::{natural, put_natural, put_signed, signed};

use crate::format::bundle::Extent;
use crate::format::varint::Reader;
use crate::format::{Malformed, Result};

const NAME_END: u8 = 0x01;
const WHOLE: i64 = -1;

/// Encodes the key of the slice of `name` that `extents` cover.
pub fn encode(name: &[u8], extents: &[Extent]) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len().saturating_add(8));
    put_natural(&mut key, 0);
    for &byte in name {
        match byte {
            0x00 => key.extend([0x00, 0xff]),
            0xff => key.extend([0xff, 0x00]),
            _ => key.push(byte),
        }
    }
    key.extend([0x00, NAME_END]);
    put_natural(&mut key, extents.len() as u64);
    for extent in extents {
        put_signed(&mut key, extent.start);
        put_signed(&mut key, extent.length.unwrap_or(WHOLE));
    }
    key
}

/// Returns true if `key` is the key of a slice and not a variable's name. TensorFlow writes no name that begins with
/// a zero byte.
pub(crate) fn is_slice_key(key: &[u8]) -> bool {
    key.first() == Some(&0)
}

/// Decodes a key into the name and the extents.
pub fn decode(key: &[u8]) -> Result<(Vec<u8>, Vec<Extent>)> {
    let mut reader = Reader::new(key);
    if natural(&mut reader)? != 0 {
        return Err(Malformed::new("not the key of a slice", 0));
    }
    let name = name(&mut reader)?;
    let dims_at = reader.at();
    let dims = natural(&mut reader)?;
    let mut extents = Vec::new();
    while !reader.is_empty() {
        extents.push(extent(&mut reader)?);
    }
    if extents.len() as u64 != dims {
        let what = format!("slice of {dims} dimensions with {} extents", extents.len());
        return Err(Malformed::new(what, dims_at));
    }
    Ok((name, extents))
}

fn name(reader: &mut Reader) -> Result<Vec<u8>> {
    let mut name = Vec::new();
    loop {
        let at = reader.at();
        match reader.array()? {
            [0x00] => match reader.array()? {
                [NAME_END] => return Ok(name),
                [0xff] => name.push(0x00),
                [_] => return Err(Malformed::new("bad escape in the name of a slice", at)),
            },
            [0xff] if reader.array()? != [0x00] => {
                return Err(Malformed::new("bad escape in the name of a slice", at));
            }
            [byte] => name.push(byte),
        }
    }
}

fn extent(reader: &mut Reader) -> Result<Extent> {
    let start_at = reader.at();
    let start = signed(reader)?;
    let length_at = reader.at();
    let length = match signed(reader)? {
        WHOLE => None,
        length if length < 0 => return Err(Malformed::new("slice of negative length", length_at)),
        length => Some(length),
    };
    if start < 0 {
        return Err(Malformed::new("slice with a negative start", start_at));
    }
    Ok(Extent { start, length })
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::super::{bundle, real, table};
    use super::*;

    const ALL: Extent = Extent { start: 0, length: None };

    fn extent(start: i64, length: i64) -> Extent {
        Extent { start, length: Some(length) }
    }

    #[test]
    fn keys_that_tensorflow_wrote_are_encoded_and_decoded() {
        let cases: [(&[u8], &[Extent], &[u8]); 4] = [
            (b"foo", &[ALL, extent(0, 1)], b"\x00foo\x00\x01\x01\x02\x80\x7f\x80\x81"),
            (b"foo", &[ALL, extent(1, 9)], b"\x00foo\x00\x01\x01\x02\x80\x7f\x81\x89"),
            (b"s", &[], b"\x00s\x00\x01\x00"),
            (b"\x00\xff", &[extent(200, 8192)], b"\x00\x00\xff\xff\x00\x00\x01\x01\x01\xc0\xc8\xe0\x20\x00"),
        ];
        for (name, extents, key) in cases {
            assert_eq!(encode(name, extents), key);
            assert_eq!(decode(key), Ok((name.to_vec(), extents.to_vec())));
        }
    }

    #[test]
    fn slice_keys_in_real_indexes_name_slices_of_their_parents() {
        for (file, index) in real::indexes() {
            let rows = table::decode(&index).unwrap();
            for row in rows.iter().filter(|row| is_slice_key(&row.key)) {
                let (name, extents) = decode(&row.key).unwrap();
                assert_eq!(encode(&name, &extents), row.key, "{file}");
                let parent = rows.iter().find(|row| row.key == name).unwrap();
                assert!(bundle::Entry::decode(&parent.value).unwrap().slices.contains(&extents), "{file}");
            }
        }
    }

    #[test]
    fn a_key_truncated_at_any_length_is_malformed() {
        let key = encode(b"a\x00\xffb", &[ALL, extent(i64::MAX, 70_000)]);
        for len in 0..key.len() {
            assert!(decode(&key[..len]).is_err(), "{len}");
        }
        assert!(decode(&[&key[..], &[0x80]].concat()).is_err());
    }

    #[test]
    fn a_noncanonical_key_is_malformed() {
        let cases: [(&[u8], &str); 8] = [
            (b"\x01\x00a\x00\x01\x00", "number in a slice key that is not spelt in its only way at byte 0"),
            (b"\x01\x01a\x00\x01\x00", "not the key of a slice at byte 0"),
            (b"\x00a\x00\x02\x00", "bad escape in the name of a slice at byte 2"),
            (b"\x00a\xff\x01\x00", "bad escape in the name of a slice at byte 2"),
            (
                b"\x00a\x00\x01\x01\x01\xc0\x01\x7f",
                "number in a slice key that is not spelt in its only way at byte 6",
            ),
            (b"\x00a\x00\x01\x01\x01\x80\x7e", "slice of negative length at byte 7"),
            (b"\x00a\x00\x01\x01\x01\x7f\x7f", "slice with a negative start at byte 6"),
            (
                b"\x00a\x00\x01\x08\xff\xff\xff\xff\xff\xff\xff\xff",
                "slice of 18446744073709551615 dimensions with 0 extents at byte 4",
            ),
        ];
        for (key, error) in cases {
            assert_eq!(decode(key).unwrap_err().to_string(), error);
        }
    }

    fn extents() -> impl Strategy<Value = Vec<Extent>> {
        let natural = || prop_oneof![0i64..300, (0u32..63).prop_map(|bit| 1 << bit), 0..=i64::MAX];
        vec((natural(), option::of(natural())).prop_map(|(start, length)| Extent { start, length }), 0..5)
    }

    fn names() -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![Just(0), Just(1), Just(0xff), any::<u8>()], 0..12)
    }

    proptest! {
        #[test]
        fn keys_survive_a_round_trip(name in names(), extents in extents()) {
            prop_assert_eq!(decode(&encode(&name, &extents)), Ok((name, extents)));
        }

        #[test]
        fn decoded_keys_are_encoded_byte_for_byte(key in vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..16)) {
            let key = [&[0], &key[..]].concat();
            if let Ok((name, extents)) = decode(&key) {
                prop_assert_eq!(encode(&name, &extents), key);
            }
        }

        #[test]
        fn a_flipped_bit_gives_another_key_or_none(name in names(), extents in extents(), at: usize, bit in 0u8..8) {
            let mut key = encode(&name, &extents);
            let at = at % key.len();
            key[at] ^= 1u8 << bit;
            prop_assert_ne!(decode(&key), Ok((name, extents)));
        }
    }
}
