//! safetensors as a source (one file, or several files with an index), and as a view of any source.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ckptfs::cache::Cache;
use ckptfs::catalog::{Catalog, Variable};
use ckptfs::dtype::Dtype;
use ckptfs::extent::{Extent, VirtualFile};
use ckptfs::source::{self, Checkpoint};
use ckptfs::view::CHECKPOINT_VIEWS;
use tempfile::TempDir;

use crate::support::{copy, fixture, open_sound};

const INDEX: &str = "model.safetensors.index.json";
const SECOND: &str = "model-00002-of-00003.safetensors";

fn written(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/safetensors-0.8").join(name)
}

/// Copies the fixture that has several files, and applies `change` to its index.
fn sharded(change: impl Fn(&str) -> String) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    copy(&written("sharded"), dir.path());
    let index = dir.path().join(INDEX);
    fs::write(&index, change(&fs::read_to_string(&index).unwrap())).unwrap();
    (dir, index)
}

fn open(path: &Path) -> Checkpoint {
    source::open(path).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(path: &Path) -> String {
    open_sound(path).map(drop).expect_err("it is not sound")
}

fn bytes(file: &VirtualFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len() as usize];
    file.read_at(&Cache::new(1 << 20), &mut bytes, 0).unwrap();
    bytes
}

/// The name, dtype, shape and bytes of a variable.
type Value = (Vec<u8>, Dtype, Vec<u64>, Vec<u8>);

fn values(catalog: &Catalog) -> Vec<Value> {
    let value = |v: &Variable| {
        (v.name.as_bytes().to_vec(), v.tensor.dtype, v.tensor.shape.0.to_vec(), bytes(&v.tensor.file()))
    };
    catalog.variables.iter().map(value).collect()
}

/// Writes the `model.safetensors` view of a catalog to a directory.
fn viewed(catalog: Catalog, dir: &Path) -> PathBuf {
    let view = CHECKPOINT_VIEWS.iter().find(|whole| whole.name == "model.safetensors").unwrap();
    let catalog = Arc::new(catalog);
    assert!((view.is_there)(&catalog));
    let path = dir.join("model.safetensors");
    fs::write(&path, bytes(&(view.file)(&catalog))).unwrap();
    path
}

#[test]
fn every_value_is_a_range_of_a_file() {
    for (path, shards) in [("dtypes/model.safetensors", 1), ("sharded/model.safetensors.index.json", 3)] {
        let catalog = open(&written(path)).catalog;
        assert_eq!(
            (catalog.shards.len(), catalog.is_complete(), catalog.index.is_none()),
            (shards, true, true)
        );
        for variable in &catalog.variables {
            let [Extent::Range { file: shard, .. }] = &variable.tensor.data[..] else {
                panic!("{}", variable.name)
            };
            assert!(catalog.shards.iter().any(|other| Arc::ptr_eq(other, shard)));
            assert!(variable.tensor.crc32c.is_none());
        }
    }
}

#[test]
fn the_view_has_the_values_of_its_source() {
    let dir = tempfile::tempdir().unwrap();
    for source in
        ["dtypes/model.safetensors", "sharded/model.safetensors.index.json", "foreign/model.safetensors"]
    {
        let expected = values(&open(&written(source)).catalog);
        let path = viewed(open(&written(source)).catalog, dir.path());
        assert_eq!(values(&open(&path).catalog), expected, "{source}");
    }
    for source in ["tf1_adam", "sharded", "object_module", "odd_names", "ddp"] {
        let source = fixture(source).join("ckpt-9");
        let expected = values(&open(&source).catalog);
        let path = viewed(open(&source).catalog, dir.path());
        assert_eq!(values(&open(&path).catalog), expected, "{}", source.display());
    }
}

#[test]
fn a_file_of_the_safetensors_package_is_shown_byte_for_byte() {
    let source = written("dtypes/model.safetensors");
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(fs::read(viewed(open(&source).catalog, dir.path())).unwrap(), fs::read(source).unwrap());
}

#[test]
fn unsupported_dtypes_are_left_out_and_named() {
    let Checkpoint { catalog, warnings, .. } = open(&written("foreign/model.safetensors"));
    assert_eq!(catalog.variables.iter().map(|v| v.name.to_string()).collect::<Vec<_>>(), ["weight"]);
    assert!(warnings.len() == 1 && warnings[0].contains("scales (F8_E8M0), blocks (F4)"), "{warnings:?}");
}

#[test]
fn a_missing_file_and_a_missing_tensor_are_reported_at_once() {
    let (dir, index) = sharded(|text| text.replace("model.layers.0.norm.weight", "model.layers.0.gone"));
    fs::remove_file(dir.path().join(SECOND)).unwrap();
    let said = refused(&index);
    assert!(said.contains(&format!("{SECOND}: No such file or directory")), "{said}");
    assert!(said.contains("model-00001-of-00003.safetensors: it lacks 1 tensors that the index has in it: model.layers.0.gone"), "{said}");
}

#[test]
fn a_tensor_that_is_not_in_the_index_is_left_out_with_a_warning() {
    let entry = format!("\"model.layers.1.norm.weight\": \"{SECOND}\",");
    let (_dir, index) = sharded(|text| text.replace(&entry, ""));
    let Checkpoint { catalog, warnings, .. } = open(&index);
    assert_eq!(catalog.variables.len(), 5);
    assert!(
        warnings.len() == 1
            && warnings[0].contains(SECOND)
            && warnings[0].contains("model.layers.1.norm.weight"),
        "{warnings:?}"
    );
}

#[test]
fn files_of_other_directories_are_not_opened() {
    for name in [
        "../model.safetensors",
        "/etc/passwd",
        "sub/model.safetensors",
        "./model-00002-of-00003.safetensors",
        "..",
        ".",
        "",
    ] {
        let (dir, index) = sharded(|text| text.replace(SECOND, name));
        copy(&written("sharded"), &dir.path().join("sub"));
        let said = refused(&index);
        assert!(
            said.contains("not a file of the index's own folder; 2 tensors are said to be in it"),
            "{said}"
        );
    }
}

#[test]
fn a_file_truncated_at_any_length_is_refused_with_its_name() {
    let (dir, index) = sharded(str::to_owned);
    let shard = dir.path().join(SECOND);
    let whole = fs::read(&shard).unwrap();
    for len in 0..whole.len() {
        fs::write(&shard, &whole[..len]).unwrap();
        assert!(refused(&index).contains(SECOND) && refused(&shard).contains(SECOND), "{len}");
        // The other files are sound.
        let catalog = source::open(&index).unwrap().catalog;
        let sound = catalog.variables.iter().filter(|variable| variable.tensor.damage().is_none()).count();
        assert!((4..6).contains(&sound), "cut to {len}: {sound}");
    }
}

#[test]
fn a_flipped_bit_in_the_index_is_refused_or_loses_no_variable() {
    let (_dir, index) = sharded(str::to_owned);
    let whole = fs::read(&index).unwrap();
    let names = open(&index).catalog.variables.len();
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&index, damaged).unwrap();
        if let Ok(checkpoint) = source::open(&index) {
            assert_eq!(checkpoint.catalog.variables.len(), names, "bit {bit}");
        }
    }
}
