#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::super::crc::Masked;
use super::super::real;
use super::super::varint::put;
use super::*;

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
fn a_real_table_is_encoded_to_the_byte() {
    assert_eq!(again(&decode(&REAL).unwrap()), REAL);
}

#[test]
fn a_table_without_rows_is_encoded_and_decoded() {
    assert_eq!(decode(&encode([])), Ok(vec![]));
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
            // Only the footer is covered by no checksum.
            Ok(decoded) => assert!(decoded == rows && (86..126).contains(&(bit / 8)), "bit {bit}"),
            Err(e) => assert!(e.at <= 134 || bit / 8 >= 86, "bit {bit}: {e}"),
        }
    }
}

#[test]
fn a_malformed_table_says_what_and_where() {
    let mut magic = REAL;
    magic[130] = 0;
    assert_eq!(decode(&magic).unwrap_err().to_string(), "not a table (bad magic number) at byte 126");
    let mut value = REAL;
    value[5] = 9;
    let error = decode(&value).unwrap_err();
    assert_eq!((error.at, error.what.contains("block checksum")), (0, true));
    assert!(decode(b"PK").unwrap_err().what.starts_with("2 bytes are too few for a table"));
}

/// A table of blocks made by hand: each its bytes before the type, its type, and its separator.
fn table(blocks: &[(Vec<u8>, u8, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut index = Vec::new();
    for (contents, kind, separator) in blocks {
        let handle = seal(&mut file, contents, *kind);
        index.push((*separator, handle));
    }
    let metaindex = seal(&mut file, &block(&[], &[0]), 0);
    let entries: Vec<_> = index.iter().map(|(key, handle)| (0, *key, &handle[..])).collect();
    let mut at = 0;
    let restarts = entries.iter().map(|(_, key, handle)| {
        let this = at;
        at += 3 + key.len() as u32 + handle.len() as u32;
        this
    });
    let contents = block(&entries, &restarts.collect::<Vec<_>>());
    let index = seal(&mut file, &contents, 0);
    let mut footer = [metaindex, index].concat();
    footer.resize(40, 0);
    [file, footer, MAGIC.to_vec()].concat()
}

fn seal(file: &mut Vec<u8>, contents: &[u8], kind: u8) -> Vec<u8> {
    let mut handle = Vec::new();
    put(&mut handle, file.len() as u64);
    put(&mut handle, contents.len() as u64);
    let sealed = [contents, &[kind]].concat();
    file.extend(&sealed);
    file.extend(Masked::of(&sealed).0.to_le_bytes());
    handle
}

/// Contents of a block: entries as shared, suffix, value, and restarts.
fn block(entries: &[(u8, &[u8], &[u8])], restarts: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    for (shared, suffix, value) in entries {
        out.extend([*shared, suffix.len() as u8, value.len() as u8]);
        out.extend([*suffix, *value].concat());
    }
    restarts.iter().for_each(|restart| out.extend(restart.to_le_bytes()));
    out.extend((restarts.len() as u32).to_le_bytes());
    out
}

fn fault(contents: Vec<u8>) -> String {
    decode(&table(&[(contents, 0, b"zz")])).unwrap_err().to_string()
}

#[test]
fn other_writers_blocks_and_restarts_are_read() {
    let blocks = [
        (block(&[(0, b"ab", b"1"), (1, b"c", b"2"), (0, b"b", b"3")], &[0, 11]), 0, &b"c"[..]),
        (block(&[(0, b"d", b"4")], &[0]), 0, b"d"),
        (block(&[], &[0]), 0, b"e"),
        (block(&[], &[]), 0, b"f"),
        (block(&[(0, b"g", b""), (1, b"g", b"")], &[0]), 0, b"gg"),
    ];
    let rows = decode(&table(&blocks)).unwrap();
    assert_eq!(keys(&rows), [&b"ab"[..], b"ac", b"b", b"d", b"g", b"gg"]);
    assert!(rows.windows(2).all(|pair| pair[0].at <= pair[1].at) && rows[5].at > 0);
}

#[test]
fn compressed_blocks_are_read() {
    let contents = block(&[(0, b"a", &[7; 100]), (0, b"b", &[7; 100])], &[0, 104]);
    let packed = snap::raw::Encoder::new().compress_vec(&contents).unwrap();
    assert!(packed.len() < contents.len() / 4);
    let plain = decode(&table(&[(contents, 0, b"b")])).unwrap();
    assert_eq!(decode(&table(&[(packed, 1, b"b")])).unwrap(), plain);
}

#[test]
fn a_damaged_compressed_block_is_malformed() {
    let packed = snap::raw::Encoder::new().compress_vec(&block(&[(0, b"a", &[7; 100])], &[0])).unwrap();
    for len in 0..packed.len() {
        assert!(decode(&table(&[(packed[..len].to_vec(), 1, b"b")])).is_err());
    }
    for bit in 0..packed.len() * 8 {
        let mut packed = packed.clone();
        packed[bit / 8] ^= 1 << (bit % 8);
        let _ = decode(&table(&[(packed, 1, b"b")]));
    }
}

#[test]
fn a_compressed_block_that_claims_gigabytes_is_refused_before_allocating() {
    let error = decode(&table(&[(vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0], 1, b"b")])).unwrap_err();
    assert_eq!(error.to_string(), "6 compressed bytes cannot hold the 4294967295 they claim at byte 0");
}

#[test]
fn the_densest_snappy_is_within_the_bound() {
    let zeros = vec![0; 1 << 20];
    let packed = snap::raw::Encoder::new().compress_vec(&zeros).unwrap();
    assert!(packed.len() * 22 > zeros.len());
}

#[test]
fn rows_out_of_proportion_to_the_file_are_refused() {
    // 2,000 keys that share 64 KiB: 8 KB of entries that stand for 128 MiB.
    let mut contents = vec![0];
    put(&mut contents, 65_536);
    contents.extend([[0].as_slice(), &[b'k'; 65_536]].concat());
    for n in 0..2000u16 {
        let shared = if n == 0 { 65_536 } else { 65_536 + u64::from(n.to_be_bytes()[1] > 0) };
        put(&mut contents, shared);
        let suffix = n.to_be_bytes();
        let suffix = if shared > 65_536 { &suffix[1..] } else { &suffix[..] };
        contents.extend([&[suffix.len() as u8, 0], suffix].concat());
    }
    contents.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    assert!(fault(contents).starts_with("rows out of all proportion"));
}

#[test]
fn keys_out_of_order_or_twice_are_refused() {
    assert_eq!(
        fault(block(&[(0, b"b", b""), (0, b"a", b"")], &[0])),
        "keys not in increasing order at byte 4"
    );
    assert_eq!(
        fault(block(&[(0, b"b", b""), (1, b"", b"")], &[0])),
        "keys not in increasing order at byte 4"
    );
    assert_eq!(fault(block(&[(0, b"", b""), (0, b"", b"")], &[0])), "keys not in increasing order at byte 3");
    let one = || block(&[(0, b"b", b"")], &[0]);
    let twice = decode(&table(&[(one(), 0, b"b"), (one(), 0, b"c")])).unwrap_err();
    assert_eq!(twice.what, "key before the end of the block before");
    let early = decode(&table(&[(one(), 0, b"a")])).unwrap_err();
    assert_eq!(early.what, "index key before the last key of its block");
    let swapped = decode(&table(&[(one(), 0, b"d"), (block(&[(0, b"c", b"")], &[0]), 0, b"e")])).unwrap_err();
    assert_eq!(swapped.what, "key before the end of the block before");
}

#[test]
fn false_restarts_are_refused() {
    let entries: [(u8, &[u8], &[u8]); 3] = [(0, b"a", b""), (1, b"a", b""), (0, b"b", b"")];
    assert!(decode(&table(&[(block(&entries, &[0, 8]), 0, b"b")])).is_ok());
    let cases: [(&[u32], &str); 8] = [
        (&[], "first restart is not at the first entry at byte 0"),
        (&[8], "first restart is not at the first entry at byte 0"),
        (&[0, 4], "restart at an entry that shares its key at byte 4"),
        (&[0, 5], "restart that is no entry's offset, or out of order at byte 8"),
        (&[0, 0], "restart that is no entry's offset, or out of order at byte 4"),
        (&[0, 12], "restart past the last entry at byte 12"),
        (&[0, 8, 12], "restart past the last entry at byte 12"),
        (&[0, 8, u32::MAX], "restart past the last entry at byte 12"),
    ];
    for (restarts, error) in cases {
        assert_eq!(fault(block(&entries, restarts)), error, "{restarts:?}");
    }
    assert_eq!(fault(vec![9, 0, 0, 0]), "restart array longer than its block at byte 4");
    assert_eq!(fault(vec![0, 0]), "restart array longer than its block at byte 2");
    assert_eq!(fault(block(&[], &[0, 0])), "restart past the last entry at byte 0");
}

#[test]
fn lengths_past_the_block_are_refused() {
    let tail = [0, 0, 0, 0, 1, 0, 0, 0];
    let cases = [[0, 1, 9, b'a'], [0, 9, 0, b'a'], [1, 1, 0, b'a'], [0, 0xff, 0xff, 0xff]];
    for entry in cases {
        assert!(decode(&table(&[([&entry[..], &tail].concat(), 0, b"b")])).is_err());
    }
}

#[test]
fn an_unknown_block_type_is_refused() {
    let error = decode(&table(&[(block(&[], &[0]), 2, b"b")])).unwrap_err();
    assert_eq!(error.what, "block type 2, neither 0 (plain) nor 1 (snappy)");
}

#[test]
fn one_block_may_not_serve_twice() {
    let mut file = Vec::new();
    let handle = seal(&mut file, &block(&[], &[0]), 0);
    let entries: [(u8, &[u8], &[u8]); 2] = [(0, b"a", &handle), (0, b"b", &handle)];
    let metaindex = seal(&mut file, &block(&[], &[0]), 0);
    let index = seal(&mut file, &block(&entries, &[0]), 0);
    let mut footer = [metaindex, index].concat();
    footer.resize(40, 0);
    let error = decode(&[file, footer, MAGIC.to_vec()].concat()).unwrap_err();
    assert_eq!(error.what, "blocks overlap or are out of order");
}

#[test]
fn real_indexes_decode_and_uncompressed_ones_are_encoded_to_the_byte() {
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

/// The type bytes of the data blocks.
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
    fn what_is_encoded_is_decoded(rows in btree_map(vec(0u8..4, 0..12), vec(any::<u8>(), 0..40), 0..80)) {
        let file = encode(rows.iter().map(|(key, value)| (&key[..], &value[..])));
        let decoded = decode(&file).unwrap();
        prop_assert!(decoded.iter().map(|row| (&row.key, &row.value)).eq(&rows));
        prop_assert_eq!(again(&decoded), file);
    }

    #[test]
    fn sealed_garbage_is_decoded_or_refused(contents in vec(any::<u8>(), 0..60), kind in 0u8..3) {
        let _ = decode(&table(&[(contents, kind, b"zz")]));
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
