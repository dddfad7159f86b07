//! Bundles with sliced variables, big-endian values or variants: they are shown like any other bundle, refused if
//! TensorFlow
//! would crash on them, and written with the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ckptfs::cache::Cache;
use ckptfs::catalog::Catalog;
use ckptfs::dtype::{Dtype, Numpy};
use ckptfs::extent::VirtualFile;
use ckptfs::format::bundle::{Endianness, Entry, Extent, Header, Slice};
use ckptfs::format::crc::Masked;
use ckptfs::format::{slice_key, table};
use ckptfs::map::{Flag, Map};
use ckptfs::{remap, view};
use tempfile::TempDir;

use crate::support::bundle::{Bundle, f32s};
use crate::support::{copy, fixture, open_sound};

const ALL: Extent = Extent { start: 0, length: None };

fn extent(start: i64, length: i64) -> Extent {
    Extent { start, length: Some(length) }
}

/// Returns a bundle with `emb`, five rows of two elements, in slices of three and two rows.
fn sliced() -> Bundle {
    let slices = [vec![extent(0, 3), ALL], vec![extent(3, 2), ALL]];
    let rows = [f32s(&[0., 1., 2., 3., 4., 5.]), f32s(&[6., 7., 8., 9.])];
    let bundle = Bundle::sharded(2).entry("emb", &parent(&slices));
    bundle
        .tensor_in(1, key(&slices[0]), Dtype::Float32, &[3, 2], &rows[0])
        .tensor_in(0, key(&slices[1]), Dtype::Float32, &[2, 2], &rows[1])
        .floats("step", &[1.0])
}

fn key(slice: &Slice) -> Vec<u8> {
    slice_key::encode(b"emb", slice)
}

fn parent(slices: &[Slice]) -> Entry {
    Entry { dtype: 1, shape: vec![5, 2], slices: slices.to_vec(), ..Entry::default() }
}

fn written(bundle: &Bundle) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    bundle.write(&prefix);
    (dir, prefix)
}

fn opened(prefix: &Path) -> Result<Catalog, String> {
    open_sound(prefix).map(|checkpoint| checkpoint.catalog)
}

fn mapped(prefix: &Path, flags: &[Flag]) -> Catalog {
    let mut catalog = opened(prefix).unwrap();
    remap::apply(&Map::parse(flags, &[]).unwrap(), &mut catalog).unwrap();
    catalog
}

fn read(file: &VirtualFile) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.len() as usize];
    file.read_at(&Cache::new(1 << 20), &mut bytes, 0)?;
    Ok(bytes)
}

fn raw(catalog: &Catalog, name: &str) -> Vec<u8> {
    read(&catalog.variable(name.as_bytes()).unwrap().tensor.file()).unwrap()
}

/// Writes the bundle view of a catalog and opens it.
fn shown(catalog: &Catalog) -> (TempDir, Catalog) {
    let dir = tempfile::tempdir().unwrap();
    for (suffix, file) in view::bundle::files(&Arc::new(catalog.clone())) {
        fs::write(dir.path().join(format!("shown{suffix}")), read(&file).unwrap()).unwrap();
    }
    let catalog = opened(&dir.path().join("shown")).unwrap();
    (dir, catalog)
}

fn shown_rows(catalog: &Catalog) -> Vec<table::Row> {
    table::decode(&read(&view::bundle::files(&Arc::new(catalog.clone()))[0].1).unwrap()).unwrap()
}

#[test]
fn a_sliced_variable_is_one_variable_with_the_checksum_of_the_whole() {
    let (_dir, prefix) = written(&sliced());
    let catalog = opened(&prefix).unwrap();
    let whole = f32s(&(0..10).map(|x| x as f32).collect::<Vec<_>>());
    assert_eq!(catalog.variables.len(), 2);
    assert_eq!(raw(&catalog, "emb"), whole);
    assert_eq!(catalog.variable(b"emb").unwrap().tensor.crc32c, Some(Masked::of(&whole)));
    let info = view::info(&catalog, catalog.variable(b"emb").unwrap());
    assert_eq!(
        (&info["shard"], info["crc32c"].as_u64()),
        (&serde_json::Value::Null, Some(Masked::of(&whole).unmask().into()))
    );
    assert_eq!(info["slices"][1]["start"], serde_json::json!([3, 0]));
    assert_eq!(info["slices"][0]["shard"], "ckpt-9.data-00001-of-00002");
}

#[test]
fn a_renamed_sliced_variable_keeps_its_slices_offsets_and_checksums() {
    let (_dir, prefix) = written(&sliced());
    let flags = [Flag::Rename("emb=a/\u{e9}mb".into()), Flag::Alias("emb=z".into())];
    let catalog = mapped(&prefix, &flags);
    let entries = |rows: &[table::Row], name: &str| -> Vec<(Slice, Entry)> {
        let of = |row: &table::Row| {
            let (of, slice) = slice_key::decode(&row.key).ok().filter(|_| row.key[..].first() == Some(&0))?;
            (of == name.as_bytes()).then(|| (slice, Entry::decode(&row.value).unwrap()))
        };
        rows.iter().filter_map(of).collect()
    };
    let before = entries(&table::decode(&sliced().index()).unwrap(), "emb");
    let rows = shown_rows(&catalog);
    assert_eq!(before.len(), 2);
    for name in ["a/\u{e9}mb", "z"] {
        assert_eq!(entries(&rows, name), before, "{name}");
    }
    assert!(entries(&rows, "emb").is_empty());
    let (_shown, again) = shown(&catalog);
    assert_eq!(raw(&again, "z"), raw(&catalog, "z"));
    assert_eq!(
        view::bundle::files(&Arc::new(catalog.clone())).len(),
        3,
        "an index and the source's two data files"
    );
}

#[test]
fn slices_that_tensorflow_would_crash_on_are_refused_with_the_variables_name() {
    let (a, b, c) = (vec![extent(0, 3), ALL], vec![extent(3, 2), ALL], vec![extent(2, 3), ALL]);
    let entry = |rows: u64| Entry {
        dtype: 1,
        shape: vec![rows, 2],
        shard: 1,
        size: rows * 8,
        crc32c: Masked(0),
        ..Entry::default()
    };
    let cases: Vec<(&str, Bundle)> = vec![
        ("lists slice 2,3:-, which has no row", sliced().entry("emb", &parent(&[a.clone(), c.clone()]))),
        (
            "slice 3,2:- has a row and is not in the list",
            sliced().entry("emb", &parent(std::slice::from_ref(&a))),
        ),
        (
            "lists 3 slices, some twice: 0,3:-",
            sliced().entry("emb", &parent(&[a.clone(), b.clone(), a.clone()])),
        ),
        ("slice 0,3:- has a row and is not in the list", {
            let mut bundle = sliced();
            bundle.rows.remove(&b"emb"[..]);
            bundle
        }),
        ("slice 0,3:- has a row and is not in the list", sliced().floats("emb", &[1.0])),
        ("overlapping slices: existing slice = 0,3:-, new slice = 2,3:-", {
            let mut bundle = sliced().entry("emb", &parent(&[a.clone(), c.clone()]));
            bundle.rows.remove(&key(&b));
            bundle.entry(key(&c), &entry(3))
        }),
        ("0,3:- cover 6 of 10 elements of shape [5, 2]", {
            let mut bundle = sliced().entry("emb", &parent(std::slice::from_ref(&a)));
            bundle.rows.remove(&key(&b));
            bundle
        }),
        ("slice 0,3:- holds float32 [2, 2] instead of float32 [3, 2]", sliced().entry(key(&a), &entry(2))),
        (
            "slice 0,3:- holds int32 [3, 2] instead of float32 [3, 2]",
            sliced().entry(key(&a), &Entry { dtype: 3, ..entry(3) }),
        ),
        (
            "slice 0,3:- is not within shape [2, 2]",
            sliced().entry("emb", &Entry { shape: vec![2, 2], ..parent(&[a.clone(), b.clone()]) }),
        ),
        (
            "slice 0,3:- is not within shape [10]",
            sliced().entry("emb", &Entry { shape: vec![10], ..parent(&[a.clone(), b.clone()]) }),
        ),
        ("slice 0,3:-: in data file number 7", sliced().entry(key(&a), &Entry { shard: 7, ..entry(3) })),
        ("slice 0,3:-: bytes 99+24 past the end", sliced().entry(key(&a), &Entry { offset: 99, ..entry(3) })),
        ("slice 0,3:-: lists slices itself", sliced().entry(key(&a), &parent(std::slice::from_ref(&b)))),
        ("slice 0,3:-: the entry does not parse", sliced().row(key(&a), vec![0xff])),
        ("has no dtype", sliced().entry("emb", &Entry { dtype: 0, ..parent(&[a.clone(), b.clone()]) })),
    ];
    for (words, bundle) in cases {
        let error = opened(&written(&bundle).1).err().expect(words);
        assert!(error.contains("emb: ") && error.contains(words), "{words}: {error}");
    }
    let error = opened(&written(&sliced().row(b"\x00emb\x00\x02", vec![])).1).err().unwrap();
    assert!(error.contains("not the key of a slice"), "{error}");
}

#[test]
fn a_flipped_bit_in_the_row_of_a_slice_is_refused_or_opens_without_a_panic() {
    for name in ["partitioned", "object_sharded"] {
        let dir = tempfile::tempdir().unwrap();
        copy(&fixture(name), dir.path());
        let (prefix, index) = (dir.path().join("ckpt-9"), dir.path().join("ckpt-9.index"));
        let rows = table::decode(&fs::read(&index).unwrap()).unwrap();
        let sliced = |row: &table::Row| {
            row.key.first() == Some(&0) || !Entry::decode(&row.value).unwrap().slices.is_empty()
        };
        let mut refused = 0;
        for n in (1..rows.len()).filter(|&n| sliced(&rows[n])).step_by(4) {
            let (key, value) = (&rows[n].key, &rows[n].value);
            for bit in 0..(key.len() + value.len()) * 8 {
                let mut flipped = [&key[..], value].concat();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let (key, value) = flipped.split_at(key.len());
                let others = rows.iter().enumerate().filter(|(other, _)| *other != n);
                let mut all: Vec<_> =
                    others.map(|(_, row)| (&row.key[..], &row.value[..])).chain([(key, value)]).collect();
                all.sort();
                all.dedup_by_key(|(key, _)| *key);
                fs::write(&index, table::encode(all)).unwrap();
                match opened(&prefix) {
                    Err(error) => refused += usize::from(error.contains(index.to_str().unwrap())),
                    Ok(catalog) => {
                        catalog.variables.iter().for_each(|variable| _ = read(&variable.tensor.file()))
                    }
                }
            }
        }
        assert!(refused > 100, "{name}: {refused} were refused");
    }
}

/// The fixture has the values of three other fixtures in big-endian byte order.
#[test]
fn a_big_endian_bundle_shows_the_values_of_the_little_endian_one() {
    let big = opened(&fixture("big_endian/ckpt-9")).unwrap();
    let (_dir, again) = shown(&big);
    let mut seen = 0;
    for name in ["dtypes", "strings", "sliced_dtypes"] {
        let little = opened(&fixture(name).join("ckpt-9")).unwrap();
        for variable in &little.variables {
            let name = variable.name.to_string();
            assert_eq!(raw(&big, &name), raw(&little, &name), "{name}");
            assert_eq!(raw(&again, &name), raw(&little, &name), "{name}");
            let crc = |catalog: &Catalog| catalog.variable(name.as_bytes()).unwrap().tensor.crc32c;
            assert_eq!(crc(&again), crc(&little), "{name}");
            seen += 1;
        }
    }
    assert_eq!(seen, big.variables.len());
    let header = Header::decode(&shown_rows(&big)[0].value).unwrap();
    assert_eq!((header.endianness, header.num_shards), (Endianness::Little, 4));
}

#[test]
fn a_damaged_big_endian_value_does_not_affect_the_others() {
    let mut bundle =
        Bundle::sharded(2).header(|header| header.endianness = Endianness::Big).floats("damaged", &[1.0]);
    bundle = bundle.floats("sound", &[2.0]).tensor_in(1, "lost", Dtype::Float32, &[1], &f32s(&[3.0]));
    bundle.shards[0][0] ^= 1;
    let (dir, prefix) = written(&bundle);
    fs::remove_file(dir.path().join("ckpt-9.data-00001-of-00002")).unwrap();
    let catalog = opened(&prefix).unwrap();
    assert!(!catalog.variable(b"lost").unwrap().tensor.is_there());
    let crc = |name: &[u8]| {
        let rows = shown_rows(&catalog);
        let row = rows.iter().find(|row| row.key == name).unwrap();
        Entry::decode(&row.value).unwrap().crc32c
    };
    let turned = |value: f32| value.to_bits().swap_bytes().to_le_bytes();
    assert_eq!(crc(b"sound"), Masked::of(&turned(2.0)));
    assert_ne!(crc(b"damaged"), Masked::of(&raw(&catalog, "damaged")));
}

#[test]
fn a_big_endian_variant_is_refused_with_its_name() {
    let bundle = Bundle::new().header(|header| header.endianness = Endianness::Big);
    let error = opened(&written(&bundle.tensor("iterator", Dtype::Variant, &[], &[0; 9])).1).err().unwrap();
    assert!(error.contains("iterator: a big-endian variant"), "{error}");
}

#[test]
fn renamed_variants_keep_their_bytes_and_checksums_and_have_no_other_form() {
    let prefix = fixture("variants/ckpt-9");
    let flags = [Flag::Rename("list=a".into()), Flag::Alias("list=b".into())];
    let (before, after) = (opened(&prefix).unwrap(), mapped(&prefix, &flags));
    let list = &before.variable(b"list").unwrap().tensor;
    assert!(matches!(list.dtype.numpy(), Numpy::Absent) && list.crc32c.is_some());
    let (_dir, again) = shown(&after);
    for name in ["a", "b"] {
        assert_eq!(raw(&again, name), read(&list.file()).unwrap());
        assert_eq!(again.variable(name.as_bytes()).unwrap().tensor.crc32c, list.crc32c);
    }
    let info = view::info(&after, after.variable(b"a").unwrap());
    assert!(["npy", "raw", "text"].iter().all(|form| info["absent"][form].is_string()), "{info}");
    assert_eq!(info["shard"], "ckpt-9.data-00000-of-00001");
}
