//! Tests with V1 files that TensorFlow did not write, and the expected errors for them.

use std::fs;

use proptest::prelude::*;

use crate::cache::Cache;
use crate::format::bundle::{self, Extent, Version};
use crate::format::v1::{self, Coding, Meta, Saved, Slice};
use crate::format::{slice_key, table};
use crate::source::open_in;
use crate::source::v1::*;

const WHOLE: Extent = Extent { start: 0, length: None };

/// A tensor of a file: its row in the list, and the values of each slice.
struct Row {
    saved: Saved,
    values: Vec<Vec<u8>>,
}

/// Returns a tensor in one slice.
fn row(name: &str, dtype: u32, shape: &[u64], elements: &[u8]) -> Row {
    row_of_slices(name, dtype, shape, vec![(vec![WHOLE; shape.len()], elements.to_vec())])
}

fn row_of_slices(name: &str, dtype: u32, shape: &[u64], slices: Vec<(bundle::Slice, Vec<u8>)>) -> Row {
    let coding = Coding::of(dtype).unwrap();
    let (slices, values): (Vec<_>, Vec<_>) =
        slices.into_iter().map(|(slice, elements)| (slice, v1::encode_numbers(coding, &elements))).unzip();
    Row { saved: Saved { name: name.into(), shape: shape.to_vec(), dtype, slices }, values }
}

fn file(rows: &[Row]) -> Vec<u8> {
    let version = Version { producer: 1, ..Version::default() };
    let meta = Meta { tensors: rows.iter().map(|row| row.saved.clone()).collect(), version };
    let mut entries = vec![(Vec::new(), meta.encode())];
    for Row { saved, values } in rows {
        for (slice, values) in saved.slices.iter().zip(values) {
            let value = Slice::encode(&saved.name, slice, values);
            entries.push((slice_key::encode(&saved.name, slice), value));
        }
    }
    entries.sort();
    table::encode(entries.iter().map(|(key, value)| (&key[..], &value[..])))
}

/// Opens a checkpoint of these files.
fn opened(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, Result<Checkpoint, String>) {
    let dir = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(dir.path().join(name), bytes).unwrap());
    let directory = Arc::new(Directory::open(dir.path()).unwrap());
    let checkpoint = open_in(&directory, "m".as_ref()).map_err(|error| error.to_string());
    (dir, checkpoint.and_then(sound))
}

/// Returns the checkpoint, or the damage of each variable if it is not sound.
fn sound(checkpoint: Checkpoint) -> Result<Checkpoint, String> {
    let line =
        |variable: &Variable| format!("{}: {}\n", variable.name, variable.tensor.damage().unwrap().what);
    let damaged: String = checkpoint.catalog.damaged().map(line).collect();
    if damaged.is_empty() { Ok(checkpoint) } else { Err(damaged) }
}

fn read(tensor: &Tensor) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; tensor.len() as usize];
    tensor.file().read_at(&Cache::new(1 << 20), &mut bytes, 0)?;
    Ok(bytes)
}

fn value(checkpoint: &Checkpoint, name: &str) -> Vec<u8> {
    read(&checkpoint.catalog.variable(name.as_bytes()).unwrap().tensor).unwrap()
}

fn extent(start: i64, length: i64) -> Extent {
    Extent { start, length: Some(length) }
}

#[test]
fn slices_in_several_files_are_one_tensor() {
    let rows = |range: std::ops::Range<i64>, elements: &[u8]| {
        let slice = vec![extent(range.start, range.end - range.start), WHOLE];
        row_of_slices("x", 4, &[3, 2], vec![(slice, elements.to_vec())])
    };
    let (_dir, checkpoint) = opened(&[
        ("m-00000-of-00002", file(&[rows(2..3, &[5, 6]), row("a", 4, &[], &[7])])),
        ("m-00001-of-00002", file(&[rows(0..2, &[1, 2, 3, 4])])),
    ]);
    let checkpoint = checkpoint.unwrap();
    assert_eq!(value(&checkpoint, "x"), [1, 2, 3, 4, 5, 6]);
    assert_eq!(value(&checkpoint, "a"), [7]);
    assert!(checkpoint.catalog.index.is_none() && checkpoint.catalog.shards.is_empty());
}

#[test]
fn disagreements_between_files_are_reported() {
    let one = |shape: &[u64], slice: Vec<Extent>, len| {
        file(&[row_of_slices("x", 4, shape, vec![(slice, vec![1; len])])])
    };
    for (second, what) in [
        (one(&[5], vec![extent(2, 2)], 2), "uint8 [5] in m-00001-of-00002, uint8 [4] in another file"),
        (one(&[4], vec![extent(1, 3)], 3), "x: "),
        (one(&[4], vec![extent(3, 1)], 1), "x: "),
        (one(&[4], vec![extent(3, 2)], 2), "a slice 3+2 of a dimension of 4"),
        (one(&[4], vec![WHOLE, WHOLE], 2), "a slice of 2 dimensions, where the tensor has 1"),
    ] {
        let first = one(&[4], vec![extent(0, 2)], 2);
        let (_dir, checkpoint) = opened(&[("m-00000-of-00002", first), ("m-00001-of-00002", second)]);
        let error = checkpoint.err().unwrap();
        assert!(error.contains(what), "{what}: {error}");
    }
}

#[test]
fn all_faults_are_reported_at_once_with_their_offsets() {
    let wrong = [
        row("short", 1, &[3], &[0; 8]),
        row("long", 3, &[1], &[0; 44]),
        Row { values: vec![b"\x3a\x01\x05".to_vec()], ..row("kind", 1, &[1], &[0; 4]) },
        Row { saved: Saved { dtype: 20, ..row("handle", 1, &[1], &[]).saved }, values: vec![vec![]] },
        Row { saved: Saved { slices: vec![], ..row("nothing", 1, &[1], &[]).saved }, values: vec![] },
    ];
    let (_dir, checkpoint) = opened(&[("m", file(&wrong))]);
    let error = checkpoint.err().unwrap();
    assert_eq!(error.lines().count(), 5);
    for what in [
        "short: its shape has 3 elements, which 8 bytes cannot be, at byte ",
        "long: its shape has 1 elements, which 11 bytes cannot be, at byte ",
        "kind: field 7: values, where this dtype has them in field 5 at byte ",
        "handle: dtype 20 is unknown",
        "nothing: listed without any slice",
    ] {
        assert!(error.contains(what), "{what}: {error}");
    }
}

#[test]
fn a_wrong_count_of_varints_is_reported_when_they_are_read() {
    let (_dir, checkpoint) = opened(&[("m", file(&[row("n", 9, &[3], &300i64.to_le_bytes().repeat(2))]))]);
    let checkpoint = checkpoint.unwrap();
    let error = read(&checkpoint.catalog.variables[0].tensor).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
}

#[test]
fn a_version_for_other_readers_is_refused() {
    let meta = Meta { version: Version { min_consumer: 2, ..Version::default() }, tensors: vec![] };
    let bytes = table::encode([(&b""[..], &meta.encode()[..])]);
    let (_dir, checkpoint) = opened(&[("m", bytes)]);
    assert!(checkpoint.err().unwrap().contains("readers of version 2 or later"));
}

#[test]
fn shards_of_two_saves_are_not_mixed() {
    let one = |name| file(&[row(name, 4, &[1], &[1])]);
    let (_dir, checkpoint) = opened(&[("m-00000-of-00001", one("a")), ("m-00001-of-00002", one("b"))]);
    assert_eq!(value(&checkpoint.unwrap(), "a"), [1]);
    let (_dir, checkpoint) = opened(&[
        ("m-00000-of-00001", one("a")),
        ("m-00000-of-00002", one("b")),
        ("m-00001-of-00002", one("c")),
    ]);
    assert!(checkpoint.err().unwrap().contains("shards of more than one save"));
}

#[test]
fn a_file_that_changes_after_it_was_opened_is_stale() {
    let (dir, checkpoint) = opened(&[("m", file(&[row("x", 1, &[2], &[7; 8])]))]);
    let checkpoint = checkpoint.unwrap();
    let tensor = &checkpoint.catalog.variables[0].tensor;
    assert_eq!(read(tensor).unwrap(), [7; 8]);
    fs::remove_file(dir.path().join("m")).unwrap();
    assert_eq!(tensor.file().verify().unwrap_err().raw_os_error(), Some(libc::ESTALE));
}

#[test]
fn a_file_truncated_at_any_length_is_refused() {
    let whole = file(&[row("x", 1, &[2], &[7; 8]), row("n", 9, &[2], &[1; 16])]);
    for len in 0..whole.len() {
        assert!(opened(&[("m", whole[..len].to_vec())]).1.is_err(), "{len} bytes");
    }
}

#[test]
fn a_flipped_bit_is_an_error_and_never_another_value() {
    let whole = file(&[row("x", 1, &[2], &[7; 8]), row("n", 9, &[2], &[1; 16])]);
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(checkpoint) = opened(&[("m", bytes)]).1 else { continue };
        let values = checkpoint.catalog.variables.iter().map(|variable| read(&variable.tensor));
        let values = values.collect::<io::Result<Vec<_>>>();
        assert!(values.is_err() || values.unwrap() == [vec![1; 16], vec![7; 8]], "bit {bit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_range_of_any_numbers_is_decoded(
        numbers in prop::collection::vec(any::<i64>(), 1..400),
        repeat in 1usize..2000,
        dtype in prop::sample::select(&[2u32, 9, 22, 6][..]),
        at in 0.0..1.0f64,
    ) {
        let width = Coding::of(dtype).unwrap().width;
        let elements: Vec<u8> =
            numbers.repeat(repeat).iter().flat_map(|number| number.to_le_bytes()[..width].to_vec()).collect();
        let shape = [(elements.len() / width) as u64];
        let (_dir, checkpoint) = opened(&[("m", file(&[row("x", dtype, &shape, &elements)]))]);
        let checkpoint = checkpoint.unwrap();
        let (file, at) = (checkpoint.catalog.variables[0].tensor.file(), (elements.len() as f64 * at) as usize);
        let mut bytes = vec![0; 100.min(elements.len() - at)];
        file.read_at(&Cache::new(1 << 20), &mut bytes, at as u64).unwrap();
        prop_assert_eq!(&bytes, &elements[at..][..bytes.len()]);
    }
}
