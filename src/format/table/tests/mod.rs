#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::format::real;
mod crafted;

use crate::format::table::*;

/// Two scalars, W and b, as TensorFlow wrote them.
const REAL: [u8; 134] = {
    let mut file = [0; 134];
    let parts: [(usize, &[u8]); 6] = [
        (0, b"\x00\x00\x06\x08\x01\x1a\x02\x08\x01"),
        (9, b"\x00\x01\x0bW\x08\x01\x12\x00\x28\x04\x35\x74\xed\x71\x6f"),
        (24, b"\x00\x01\x0db\x08\x01\x12\x00\x20\x04\x28\x04\x35\xf4\xbd\x50\x83"),
        (41, b"\0\0\0\0\x01\0\0\0\0\xbc\x6c\x4d\x28\0\0\0\0\x01\0\0\0\0\xc0\xf2\xa1\xb0"),
        (67, b"\0\x01\x02c\0\x31\0\0\0\0\x01\0\0\0\0\x54\xf2\x76\x2d\x36\x08\x43\x0e"),
        (126, b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"),
    ];
    let mut part = 0;
    while part < parts.len() {
        let (at, bytes) = parts[part];
        let mut n = 0;
        while n < bytes.len() {
            file[at + n] = bytes[n];
            n += 1;
        }
        part += 1;
    }
    file
};

fn again(rows: &[Row]) -> Vec<u8> {
    encode(rows.iter().map(|row| (&row.key[..], &row.value[..])))
}

fn keys(rows: &[Row]) -> Vec<&[u8]> {
    rows.iter().map(|row| &row.key[..]).collect()
}

#[test]
fn a_real_table_decodes_to_its_rows() {
    let rows = decode(&REAL).unwrap();
    assert_eq!(keys(&rows), [&b""[..], b"W", b"b"]);
    assert_eq!(rows[0].value, b"\x08\x01\x1a\x02\x08\x01");
    assert_eq!(rows[2].value, b"\x08\x01\x12\x00\x20\x04\x28\x04\x35\xf4\xbd\x50\x83");
    assert!(rows.iter().all(|row| row.at == 0));
}

#[test]
fn a_real_table_is_encoded_byte_for_byte() {
    assert_eq!(again(&decode(&REAL).unwrap()), REAL);
}

#[test]
fn a_table_without_rows_is_encoded_and_decoded() {
    assert_eq!(decode(&encode([([0; 0], [0; 0]); 0])), Ok(vec![]));
}

#[test]
fn a_truncated_table_is_malformed_at_every_length() {
    let large = encode([(&b"k"[..], &[7; 600_000][..]), (b"l", b"")]);
    for len in
        (0..REAL.len()).map(|len| &REAL[..len]).chain((0..large.len()).step_by(997).map(|len| &large[..len]))
    {
        assert!(decode(len).is_err());
    }
}

#[test]
fn a_flipped_bit_is_malformed_or_changes_no_row() {
    let rows = decode(&REAL).unwrap();
    for bit in 0..REAL.len() * 8 {
        let mut file = REAL;
        file[bit / 8] ^= 1 << (bit % 8);
        match decode(&file) {
            // Only the footer's padding is not covered by a checksum.
            Ok(decoded) => assert!(decoded == rows && (86..126).contains(&(bit / 8)), "bit {bit}"),
            Err(e) => assert!(e.at <= 134 || bit / 8 >= 86, "bit {bit}: {e}"),
        }
    }
}

#[test]
fn the_error_for_a_malformed_table_says_what_is_wrong_and_where() {
    let mut magic = REAL;
    magic[130] = 0;
    assert_eq!(decode(&magic).unwrap_err().to_string(), "not a table (bad magic number) at byte 126");
    let mut value = REAL;
    value[5] = 9;
    let error = decode(&value).unwrap_err();
    assert_eq!((error.at, error.what.contains("block checksum")), (0, true));
    assert!(decode(b"PK").unwrap_err().what.starts_with("2 bytes are too few for a table"));
}

#[test]
fn real_indexes_are_decoded_and_uncompressed_ones_encoded_byte_for_byte() {
    for (name, file) in real::indexes() {
        let rows = decode(&file).unwrap_or_else(|e| panic!("{name}: {e}"));
        let written = again(&rows);
        if kinds(&file).contains(&1) {
            assert!(
                decode(&written)
                    .unwrap()
                    .iter()
                    .map(|row| (&row.key, &row.value))
                    .eq(rows.iter().map(|row| (&row.key, &row.value))),
                "{name}"
            );
        } else {
            assert!(written == file, "{name} differs when written again");
        }
    }
}

/// Returns the type bytes of the data blocks.
fn kinds(file: &[u8]) -> Vec<u8> {
    let (body, [_, index]) = split_footer(file).unwrap();
    let mut kinds = Vec::new();
    let index = Block::open(body, index).unwrap();
    let collect = |_: &[u8], handle: &[u8], _| -> Result<()> {
        let handle = Handle::read(&mut Reader::new(handle))?;
        kinds.push(body[(handle.offset + handle.size) as usize]);
        Ok(())
    };
    index.entries(collect).unwrap();
    kinds
}

#[test]
fn blocks_are_flushed_and_separated_by_the_writers_rules() {
    let small = vec![1; 1000];
    let large = vec![2; 600_000];
    let keys: Vec<_> = (0..600).map(|n| format!("layer_{n:03}/kernel")).collect();
    let mut rows: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (key.as_bytes(), &small[..])).collect();
    rows.push((b"layer_7", &large));
    rows.push((b"\xff\xff", b""));
    let file = encode(rows.iter().copied());
    let (body, [_, index]) = split_footer(&file).unwrap();
    let mut found = Vec::new();
    let index = Block::open(body, index).unwrap();
    let collect = |key: &[u8], handle: &[u8], _| -> Result<()> {
        found.push((key.to_vec(), Handle::read(&mut Reader::new(handle))?.size));
        Ok(())
    };
    index.entries(collect).unwrap();
    let separators: Vec<_> = found.iter().map(|(key, _)| &key[..]).collect();
    assert_eq!(separators, [&b"layer_258/kernel"[..], b"layer_517/kernel", b"layer_6", b"m", b"\xff\xff"]);
    assert!(found[..2].iter().all(|(_, size)| (262_144..263_400).contains(size)));
    let decoded = decode(&file).unwrap();
    assert!(decoded.iter().map(|row| (&row.key[..], &row.value[..])).eq(rows));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tables_survive_a_round_trip(rows in btree_map(vec(0u8..4, 0..12), vec(any::<u8>(), 0..40), 0..80)) {
        let file = encode(rows.iter().map(|(key, value)| (&key[..], &value[..])));
        let decoded = decode(&file).unwrap();
        prop_assert!(decoded.iter().map(|row| (&row.key, &row.value)).eq(&rows));
        prop_assert_eq!(again(&decoded), file);
    }

    #[test]
    fn damage_anywhere_is_refused_or_changes_no_row(at in 0usize..10_000, flip in 1u8.., len in 1usize..=20) {
        let values: Vec<_> = (0..200u8).map(|n| [n; 20]).collect();
        let rows = || values.iter().map(|value| (&value[..len], &value[..]));
        let mut file = encode(rows());
        let at = at % file.len();
        file[at] ^= flip;
        if let Ok(decoded) = decode(&file) {
            prop_assert!(decoded.iter().map(|row| (&row.key[..], &row.value[..])).eq(rows()));
        }
    }
}
