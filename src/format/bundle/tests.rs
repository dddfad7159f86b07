#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::format::bundle::*;
use crate::format::crc::Masked;
use crate::format::{real, table};

const HEADER: &[u8] = b"\x08\x01\x1a\x02\x08\x01";

fn header() -> Header {
    Header { num_shards: 1, version: Version { producer: 1, ..Version::default() }, ..Header::default() }
}

fn what(message: &[u8]) -> String {
    Entry::decode(message).unwrap_err().to_string()
}

#[test]
fn the_usual_header_is_decoded_and_encoded() {
    assert_eq!(Header::decode(HEADER), Ok(header()));
    assert_eq!(header().encode(), HEADER);
    assert_eq!(Header::decode(b""), Ok(Header::default()));
    assert_eq!(Header::default().encode(), b"");
}

#[test]
fn a_scalar_is_decoded_and_encoded() {
    let message = b"\x08\x01\x12\x00\x20\x04\x28\x04\x35\xf4\xbd\x50\x83";
    let entry = Entry { dtype: 1, offset: 4, size: 4, crc32c: Masked(0x8350_bdf4), ..Entry::default() };
    assert_eq!(Entry::decode(message), Ok(entry.clone()));
    assert_eq!(entry.encode(), message);
}

#[test]
fn a_dimension_of_zero_is_an_empty_message() {
    let entry = Entry { dtype: 9, shape: vec![0, 300], crc32c: Masked::of(b""), ..Entry::default() };
    let message = b"\x08\x09\x12\x07\x12\x00\x12\x03\x08\xac\x02\x35\xd8\xea\x82\xa2";
    assert_eq!(entry.encode(), message);
    assert_eq!(Entry::decode(message), Ok(entry));
}

#[test]
fn a_partitioned_entry_has_slices_and_no_checksum() {
    let all = Extent { start: 0, length: None };
    let column = Extent { start: 1, length: Some(9) };
    let none = Extent { start: 0, length: Some(0) };
    let slices = vec![vec![all, column], vec![all, none], vec![]];
    let entry = Entry { dtype: 1, shape: vec![5, 10], slices, ..Entry::default() };
    let message = b"\x08\x01\x12\x08\x12\x02\x08\x05\x12\x02\x08\x0a\
        \x3a\x08\x0a\x00\x0a\x04\x08\x01\x10\x09\x3a\x06\x0a\x00\x0a\x02\x10\x00\x3a\x00";
    assert_eq!(entry.encode(), message);
    assert_eq!(Entry::decode(message), Ok(entry));
}

#[test]
fn unknown_fields_and_names_of_dimensions_are_skipped() {
    let message = b"\x08\x01\xf8\x01\x05\x79abcdefgh\x72\x02hi\x7d1234\x12\x07\x12\x05\x08\x03\x12\x01x";
    let entry = Entry { dtype: 1, shape: vec![3], ..Entry::default() };
    assert_eq!(Entry::decode(message), Ok(entry));
}

#[test]
fn the_last_of_two_scalar_fields_wins_and_two_messages_are_merged() {
    let entry = Entry::decode(b"\x08\x01\x12\x04\x12\x02\x08\x03\x08\x02\x12\x04\x12\x02\x08\x04").unwrap();
    assert_eq!((entry.dtype, entry.shape), (2, vec![3, 4]));
}

#[test]
fn numbers_out_of_range_are_refused() {
    let minus = |tag: u8| [&[tag][..], &[0xff; 9], &[1]].concat();
    assert_eq!(what(&minus(0x08)), "field 1: -1 is negative at byte 1");
    assert_eq!(what(&minus(0x18)), "field 3: -1 is negative at byte 1");
    assert_eq!(what(&minus(0x20)), "field 4: -1 is negative at byte 1");
    assert_eq!(what(&minus(0x28)), "field 5: -1 is negative at byte 1");
    assert_eq!(what(b"\x18\x80\x80\x80\x80\x10"), "field 3: 4294967296 is over 32 bits at byte 1");
    let dim = |size: &[u8]| {
        let len = u8::try_from(size.len()).unwrap();
        what(&[&[0x12, len + 2, 0x12, len], size].concat())
    };
    assert_eq!(dim(&minus(0x08)), "field 1: dimension of unknown size at byte 5");
    assert!(dim(&[&[0x08, 0xfe][..], &[0xff; 8], &[1]].concat()).contains("-2 is negative"));
    assert_eq!(what(b"\x12\x02\x18\x01"), "field 3: shape of unknown rank at byte 3");
    assert_eq!(Entry::decode(b"\x12\x02\x18\x00"), Ok(Entry::default()));
    assert!(what(&[&[0x3a, 0x0d, 0x0a, 0x0b][..], &minus(0x08)].concat()).contains("-1 is negative"));
}

#[test]
fn wrong_wire_types_and_groups_are_refused() {
    let cases: [(&[u8], &str); 9] = [
        (b"\x0a\x01\x01", "field 1: not a varint at byte 2"),
        (b"\x10\x01", "field 2: not of bytes at byte 1"),
        (b"\x1d\x01\x00\x00\x00", "field 3: not a varint at byte 1"),
        (b"\x21\x01\x00\x00\x00\x00\x00\x00\x00", "field 4: not a varint at byte 1"),
        (b"\x30\x01", "field 6: not of four bytes at byte 1"),
        (b"\x38\x01", "field 7: not of bytes at byte 1"),
        (b"\x0b\x0c", "protobuf wire type 3 at byte 0"),
        (b"\x0f", "protobuf wire type 7 at byte 0"),
        (b"\x00\x01", "protobuf field number 0 at byte 0"),
    ];
    for (message, error) in cases {
        assert_eq!(what(message), error);
    }
}

#[test]
fn a_header_of_a_third_endianness_or_too_many_shards_is_refused() {
    let error = Header::decode(b"\x10\x02").unwrap_err();
    assert_eq!(error.what, "field 2: endianness 2, neither 0 (little) nor 1 (big)");
    assert!(Header::decode(&[&[0x08][..], &[0xff; 9], &[1]].concat()).is_err());
    assert_eq!(Header::decode(b"\x10\x01").unwrap().endianness, Endianness::Big);
}

#[test]
fn versions_follow_the_three_rules_of_tensorflow() {
    let with = |producer, min_consumer, bad: &[i32]| {
        let version = Version { producer, min_consumer, bad_consumers: bad.to_vec() };
        let header = Header { num_shards: 1, version, ..Header::default() };
        assert_eq!(Header::decode(&header.encode()), Ok(header.clone()));
        header.check_version().map_err(|e| e.to_string())
    };
    assert_eq!(with(1, 0, &[]), Ok(()));
    assert_eq!(with(9999, 1, &[0, 2, -7]), Ok(()));
    assert_eq!(with(-1, 2, &[1]).unwrap_err(), "producer version -1 is below 0, the lowest that is read");
    assert!(with(1, 2, &[1]).unwrap_err().starts_with("it asks for readers of version 2 or later"));
    assert!(with(1, 1, &[0, 1]).unwrap_err().contains("version 1 would read it wrongly"));
}

#[test]
fn bad_consumers_may_be_packed_or_not() {
    let packed = Header::decode(b"\x1a\x04\x1a\x02\x02\x03").unwrap();
    let alone = Header::decode(b"\x1a\x04\x18\x02\x18\x03").unwrap();
    assert_eq!((&packed.version.bad_consumers, &alone), (&vec![2, 3], &packed));
}

#[test]
fn real_headers_and_entries_are_encoded_byte_for_byte() {
    for (name, file) in real::indexes() {
        for row in table::decode(&file).unwrap() {
            let again = match row.key.as_slice() {
                b"" => Header::decode(&row.value).unwrap().encode(),
                _ => Entry::decode(&row.value).unwrap().encode(),
            };
            assert_eq!(again, row.value, "{name}: {}", row.key.escape_ascii());
        }
    }
}

fn extents() -> impl Strategy<Value = Slice> {
    let natural = || prop_oneof![0i64..300, 0..=i64::MAX];
    vec((natural(), option::of(natural())).prop_map(|(start, length)| Extent { start, length }), 0..4)
}

fn entries() -> impl Strategy<Value = Entry> {
    let number = || prop_oneof![Just(0u64), 0..300u64, 0..=i64::MAX.unsigned_abs()];
    let rest = (number(), number(), any::<u32>(), vec(extents(), 0..4));
    let natural32 = 0..=i32::MAX.unsigned_abs();
    (natural32.clone(), vec(number(), 0..6), natural32, rest).prop_map(|(dtype, shape, shard, rest)| {
        let (offset, size, crc, slices) = rest;
        Entry { dtype, shape, shard, offset, size, crc32c: Masked(crc), slices }
    })
}

proptest! {
    #[test]
    fn entries_survive_a_round_trip(entry in entries()) {
        prop_assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }

    #[test]
    fn a_truncated_or_flipped_message_is_decoded_or_refused(entry in entries(), flip in 1u8..) {
        let message = entry.encode();
        for at in 0..message.len() {
            let _ = Entry::decode(&message[..at]);
            let _ = Header::decode(&message[..at]);
            let mut damaged = message.clone();
            damaged[at] ^= flip;
            let _ = Entry::decode(&damaged);
            let _ = Header::decode(&damaged);
        }
    }

    #[test]
    fn anything_decoded_from_garbage_survives_a_round_trip(message in vec(any::<u8>(), 0..40)) {
        if let Ok(entry) = Entry::decode(&message) {
            prop_assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
        if let Ok(header) = Header::decode(&message) {
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }
}
