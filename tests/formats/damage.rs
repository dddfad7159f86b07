//! Damaged and hostile bundles: the error names the file and the position or the variable. There is never a panic,
//! and never a checkpoint that TensorFlow would misread or crash on.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ckptfs::dtype::Dtype;
use ckptfs::format::bundle::{Entry, Header};
use ckptfs::format::crc::Masked;
use ckptfs::format::table;
use ckptfs::format::varint::{Reader, put};
use ckptfs::source;
use ckptfs::source::Checkpoint;
use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{copy, fixture, open_sound};

fn small() -> Bundle {
    Bundle::new().floats("dense/kernel", &[1.0, 2.0]).floats("dense/bias", &[3.0]).floats("step", &[9.0])
}

fn written(bundle: &Bundle) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    bundle.write(&prefix);
    (dir, prefix)
}

/// Returns the bundle and the fixtures whose indexes are damaged: plain, in several shards, with an object graph, in
/// slices, big-endian.
fn samples() -> Vec<(TempDir, PathBuf)> {
    let fixtures =
        ["tf1_adam", "sharded", "object_keras3", "partitioned", "object_sharded", "big_endian_objects"].map(
            |name| {
                let dir = tempfile::tempdir().unwrap();
                copy(&fixture(name), dir.path());
                let prefix = dir.path().join("ckpt-9");
                (dir, prefix)
            },
        );
    [written(&small())].into_iter().chain(fixtures).collect()
}

/// Opens a prefix. Returns the information of each variable, or the text of the error. Panics if opening panics.
fn opened(prefix: &Path) -> Result<Vec<String>, String> {
    let open = || {
        let Checkpoint { catalog, .. } = open_sound(prefix)?;
        Ok(catalog.variables.iter().map(|v| ckptfs::view::info(&catalog, v).to_string()).collect())
    };
    catch_unwind(AssertUnwindSafe(open)).expect("bad input never panics")
}

#[test]
fn an_index_truncated_at_any_length_is_an_error_with_file_and_position() {
    for (_dir, prefix) in samples() {
        let index = prefix.with_added_extension("index");
        let whole = fs::read(&index).unwrap();
        let file = File::options().write(true).open(&index).unwrap();
        for len in (0..whole.len()).rev() {
            file.set_len(len as u64).unwrap();
            let error = opened(&prefix).unwrap_err();
            assert!(error.contains(index.to_str().unwrap()), "cut to {len}: {error}");
            assert!(
                error.contains(" at byte ") || len == 0 && error.contains("an empty file"),
                "cut to {len}: {error}"
            );
        }
    }
}

#[test]
fn a_flipped_bit_in_an_index_is_an_error_with_file_and_position_or_changes_nothing() {
    for (_dir, prefix) in samples() {
        let index = prefix.with_added_extension("index");
        let (whole, before) = (fs::read(&index).unwrap(), opened(&prefix).unwrap());
        // The footer without its magic number: block handles of up to twenty bytes, and padding that is never read.
        let footer = whole.len() - 48..whole.len() - 8;
        // The file is changed in place: a file that is created again each time may be flushed to disk each time.
        let file = File::options().write(true).open(&index).unwrap();
        for bit in 0..whole.len() * 8 {
            file.write_all_at(&[whole[bit / 8] ^ 1 << (bit % 8)], bit as u64 / 8).unwrap();
            match opened(&prefix) {
                Ok(after) => {
                    assert!(after == before && footer.contains(&(bit / 8)), "bit {bit} goes unnoticed")
                }
                Err(error) => assert!(
                    error.contains(index.to_str().unwrap()) && error.contains(" at byte "),
                    "bit {bit}: {error}"
                ),
            }
            file.write_all_at(&whole[bit / 8..][..1], bit as u64 / 8).unwrap();
        }
    }
}

#[test]
fn a_flipped_byte_in_the_object_graph_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture("object_module"), dir.path());
    let (prefix, data) = (dir.path().join("ckpt-9"), dir.path().join("ckpt-9.data-00000-of-00001"));
    let rows = table::decode(&fs::read(dir.path().join("ckpt-9.index")).unwrap()).unwrap();
    let row = rows.iter().find(|row| row.key == b"_CHECKPOINTABLE_OBJECT_GRAPH").unwrap();
    let graph = Entry::decode(&row.value).unwrap();
    let (whole, file) = (fs::read(&data).unwrap(), File::options().write(true).open(&data).unwrap());
    assert!(graph.size > 100 && opened(&prefix).is_ok());
    for at in graph.offset..graph.offset + graph.size {
        let byte = whole[at as usize];
        file.write_all_at(&[byte ^ 0x10], at).unwrap();
        let error = opened(&prefix).unwrap_err();
        assert!(error.contains("_CHECKPOINTABLE_OBJECT_GRAPH"), "byte {at}: {error}");
        file.write_all_at(&[byte], at).unwrap();
    }
}

/// Returns a valid entry for the data of [`small`]. Tests change one field to make it invalid.
fn good() -> Entry {
    let crc32c = Masked::of(&crate::support::bundle::f32s(&[1.0, 2.0]));
    Entry { dtype: Dtype::Float32.tensorflow(), shape: vec![2], size: 8, crc32c, ..Entry::default() }
}

#[test]
fn an_entry_that_tensorflow_would_misread_or_crash_on_is_refused_with_its_name() {
    let cases: &[(&str, Entry)] = &[
        ("bytes 12+8 past the end of ckpt-9.data-00000-of-00001 (16 bytes)", Entry { offset: 12, ..good() }),
        ("past the end of", Entry { offset: u64::MAX >> 1, ..good() }),
        ("in data file number 1, but the header has 1", Entry { shard: 1, ..good() }),
        ("in data file number 2147483647", Entry { shard: i32::MAX as u32, ..good() }),
        ("4 bytes, but float32 [2] takes 8", Entry { size: 4, ..good() }),
        ("12 bytes, but float32 [2] takes 8", Entry { size: 12, ..good() }),
        ("8 bytes, but float32 [3] takes 12", Entry { shape: vec![3], ..good() }),
        ("0 bytes, but float32 [2] takes 8", Entry { size: 0, ..good() }),
        ("too many elements", Entry { shape: vec![1 << 62, 1 << 62], ..good() }),
        ("too many elements", Entry { shape: vec![i64::MAX as u64, 3], ..good() }),
        ("too many elements", Entry { shape: vec![0, 1 << 62, 1 << 62], size: 0, ..good() }),
        ("takes too many bytes", Entry { shape: vec![i64::MAX as u64], ..good() }),
        ("has no dtype", Entry { dtype: 0, ..good() }),
        ("dtype 20 is unknown", Entry { dtype: 20, ..good() }),
        ("dtype 77 is unknown", Entry { dtype: 77, ..good() }),
        ("dtype 101 is a reference", Entry { dtype: 101, ..good() }),
        ("3 bytes, but string [2] takes at least", Entry { dtype: 7, size: 3, ..good() }),
    ];
    for (words, entry) in cases {
        let (_dir, prefix) = written(&small().entry("layer/wrong", entry));
        let error = opened(&prefix).expect_err(words);
        assert!(error.contains("layer/wrong: ") && error.contains(words), "{words}: {error}");
    }
    assert!(opened(&written(&small().entry("layer/right", &good())).1).is_ok());
}

#[test]
fn an_entry_that_does_not_parse_is_refused_with_its_name() {
    let minus_one = [&[0xff; 9][..], &[1]].concat();
    let cases: &[(&str, Vec<u8>)] = &[
        ("unknown size", [&b"\x08\x01\x12\x0d\x12\x0b\x08"[..], &minus_one].concat()),
        ("unknown rank", b"\x08\x01\x12\x02\x18\x01".to_vec()),
        ("negative", [&b"\x08\x01\x20"[..], &minus_one].concat()),
        ("negative", [&b"\x08\x01\x28"[..], &minus_one].concat()),
        ("wire type", b"\x0b\x0c".to_vec()),
        ("at byte", b"\x12\xff\xff\xff\xff\x07".to_vec()),
    ];
    for (words, row) in cases {
        let (_dir, prefix) = written(&small().row("layer/wrong", row.clone()));
        let error = opened(&prefix).expect_err(words);
        assert!(error.contains("layer/wrong: ") && error.contains(words), "{words}: {error}");
    }
}

#[test]
fn all_invalid_entries_are_reported_at_once() {
    let bundle = small().entry("a", &Entry { dtype: 0, ..good() }).entry("z", &Entry { size: 4, ..good() });
    let (_dir, prefix) = written(&bundle);
    let catalog = source::open(&prefix).unwrap().catalog;
    let damaged: Vec<_> = catalog.damaged().map(|variable| variable.name.to_string()).collect();
    assert_eq!((damaged, catalog.variables.len()), (vec!["a".into(), "z".into()], 5));
}

#[test]
fn an_invalid_header_is_refused_with_the_path_of_the_file() {
    type Case = (&'static str, fn(&mut Header));
    let cases: &[Case] = &[
        ("the header claims 2147483647 data files", |header| header.num_shards = i32::MAX as u32),
        ("producer version -1 is below 0", |header| header.version.producer = -1),
        ("asks for readers of version 2", |header| header.version.min_consumer = 2),
        ("readers of version 1 would read it wrongly", |header| header.version.bad_consumers = vec![1]),
        ("the header has 0", |header| header.num_shards = 0),
    ];
    for (words, change) in cases {
        let (_dir, prefix) = written(&small().header(change));
        let error = opened(&prefix).expect_err(words);
        let index = prefix.with_added_extension("index");
        assert!(error.contains(words) && error.contains(index.to_str().unwrap()), "{words}: {error}");
    }
    let (_dir, prefix) = written(&small().header(|header| header.version.producer = 9999));
    assert!(opened(&prefix).is_ok(), "a later producer is read");
}

#[test]
fn an_index_without_a_header_is_refused() {
    let (_dir, prefix) = written(&small());
    let rows: Vec<_> = small().rows.into_iter().collect();
    let index = table::encode(rows.iter().map(|(key, value)| (&key[..], &value[..])));
    fs::write(prefix.with_added_extension("index"), index).unwrap();
    assert!(opened(&prefix).unwrap_err().contains("the first key is \"dense/bias\" instead of the header's"));
    fs::write(prefix.with_added_extension("index"), table::encode([([0; 0], [0; 0]); 0])).unwrap();
    assert!(opened(&prefix).unwrap_err().contains("not even a header"));
}

/// Replaces `from`, which must occur once in the first data block, and updates the checksum of the block.
fn patched(index: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut index = index.to_vec();
    let footer = index.len() - 48;
    // The metaindex follows the only data block and the five bytes of its trailer.
    let end = Reader::new(&index[footer..]).varint().unwrap() as usize - 4;
    let places: Vec<_> = (0..end).filter(|&at| index[at..end].starts_with(from)).collect();
    let [at] = places[..] else { panic!("{} places", places.len()) };
    index[at..at + to.len()].copy_from_slice(to);
    let crc = Masked::of(&index[..end]).0.to_le_bytes();
    index[end..end + 4].copy_from_slice(&crc);
    index
}

#[test]
fn unsorted_and_duplicate_keys_are_refused_with_their_position() {
    let (_dir, prefix) = written(&small());
    let path = prefix.with_added_extension("index");
    let bundle = Bundle::new().floats("bb", &[1.0]).floats("cc", &[2.0]).floats("dd", &[3.0]);
    bundle.write(&prefix);
    let index = bundle.index();
    assert_eq!(patched(&index, b"cc", b"cc"), index);
    for (from, to) in [(b"cc", b"bb"), (b"cc", b"ba"), (b"bb", b"cc"), (b"dd", b"cc")] {
        fs::write(&path, patched(&index, from, to)).unwrap();
        let error = opened(&prefix).unwrap_err();
        assert!(error.contains("order") || error.contains("twice"), "{error}");
        assert!(error.contains(" at byte "), "{error}");
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn memory_is_never_allocated_for_a_false_length() {
    // First the handle of a block, then the length of an entry and of a shape in it.
    let (_dir, prefix) = written(&small());
    let path = prefix.with_added_extension("index");
    let index = small().index();
    let mut handle = Vec::new();
    put(&mut handle, u64::MAX >> 1);
    let footer = index.len() - 48;
    let mut far = index.clone();
    far[footer..footer + handle.len()].copy_from_slice(&handle);
    fs::write(&path, far).unwrap();
    assert!(opened(&prefix).unwrap_err().contains("reaches past"));
    for value in [b"\x28\xff\xff\x7f".as_slice(), b"\x12\xff\xff\x7f"] {
        let bundle = small().row("layer/wrong", value.to_vec());
        bundle.write(&prefix);
        assert!(opened(&prefix).unwrap_err().contains("layer/wrong"));
    }
}

#[test]
fn an_object_graph_that_claims_to_be_huge_is_not_read_into_memory() {
    let graph = Entry { dtype: 7, size: 1 << 60, ..Entry::default() };
    let (_dir, prefix) = written(&small().entry("_CHECKPOINTABLE_OBJECT_GRAPH", &graph));
    let data = prefix.with_added_extension("data-00000-of-00001");
    assert!(opened(&prefix).unwrap_err().contains("past the end"));
    fs::remove_file(&data).unwrap();
    assert_eq!(opened(&prefix).unwrap().len(), 3, "without its data file a checkpoint still has names");
    let sparse = Entry { size: 1 << 41, ..graph };
    small().entry("_CHECKPOINTABLE_OBJECT_GRAPH", &sparse).write(&prefix);
    File::options().write(true).open(&data).unwrap().set_len(1 << 42).unwrap();
    assert!(opened(&prefix).unwrap_err().contains("_CHECKPOINTABLE_OBJECT_GRAPH"));
}

#[test]
fn a_huge_sparse_index_is_refused_without_reading_it() {
    let (_dir, prefix) = written(&small());
    let path = prefix.with_added_extension("index");
    File::create(&path).unwrap().set_len(1 << 42).unwrap();
    assert!(opened(&prefix).unwrap_err().contains("4398046511104 bytes"));
}
