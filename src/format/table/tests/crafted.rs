//! Tests with tables that no writer writes, or that only other writers write.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::format::crc::Masked;
use crate::format::table::tests::keys;
use crate::format::table::*;
use crate::format::varint::put;

/// Builds a table of blocks. Each block consists of its bytes before the type, its type, and its separator.
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

/// Builds the contents of a block: entries (shared, suffix, value) and restarts.
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
    // 2,000 keys that share 64 KiB: 8 KB of entries that expand to 128 MiB.
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
        "key \"a\" after \"b\", out of order at byte 4"
    );
    assert_eq!(fault(block(&[(0, b"b", b""), (1, b"", b"")], &[0])), "key \"b\" twice at byte 4");
    assert_eq!(fault(block(&[(0, b"", b""), (0, b"", b"")], &[0])), "key \"\" twice at byte 3");
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
        (&[0, 5], "restart that is not an entry's offset, or out of order at byte 8"),
        (&[0, 0], "restart that is not an entry's offset, or out of order at byte 4"),
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
fn a_block_may_not_be_used_twice() {
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

proptest! {
    #[test]
    fn sealed_garbage_is_decoded_or_refused(contents in vec(any::<u8>(), 0..60), kind in 0u8..3) {
        let _ = decode(&table(&[(contents, kind, b"zz")]));
    }
}
