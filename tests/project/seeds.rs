//! Seeds of the fuzzer: each target must accept its seeds, because otherwise the fuzzer starts from nothing.

use std::fs;

use ckptfs::format::bundle::{Entry, Header};
use ckptfs::format::v1::{Meta, Slice};
use ckptfs::format::{
    Malformed, checkpoint_state, meta_graph, object_graph, safetensors, slice_key, string_tensor, table,
};
use ckptfs::map::{Map, MapText};

use crate::project_files;

/// A fuzz target: its name, and a function that returns true if the target decodes some bytes.
type Target = (&'static str, fn(&[u8]) -> bool);

const TARGETS: [Target; 11] = [
    ("index", |bytes| {
        table::decode(bytes)
            .unwrap()
            .iter()
            .all(|row| Entry::decode(&row.value).is_ok() || row.key.is_empty())
    }),
    ("entry", |bytes| {
        [
            Entry::decode(bytes).map(|entry| entry.encode()),
            Header::decode(bytes).map(|header| header.encode()),
        ]
        .contains(&Ok(bytes.to_vec()))
    }),
    ("string_tensor", |bytes| string_tensor::decode(&bytes[1..], bytes[0].into()).is_ok()),
    ("state", |bytes| {
        checkpoint_state::decode(bytes).is_ok_and(|state| !state.model_checkpoint_path.is_empty())
    }),
    ("slice_key", |bytes| slice_key::decode(bytes).is_ok()),
    ("hdf5", |bytes| {
        let directory = tempfile::tempdir().unwrap();
        let name = if bytes.starts_with(b"PK") { "model.keras" } else { "model.h5" };
        fs::write(directory.path().join(name), bytes).unwrap();
        !ckptfs::source::open(&directory.path().join(name)).unwrap().catalog.is_empty()
    }),
    ("object_graph", |bytes| object_graph::encode(&object_graph::decode(bytes).unwrap()) == bytes),
    ("safetensors", |bytes| {
        let header = safetensors::decode(bytes, bytes.len() as u64).unwrap();
        bytes.starts_with(&safetensors::encode(&header)) && !header.tensors.is_empty()
    }),
    ("meta_graph", |bytes| {
        let read = |at: u64, len: usize| Ok::<_, Malformed>(bytes[at as usize..][..len].to_vec());
        !meta_graph::decode(bytes.len() as u64, read).unwrap().is_empty()
    }),
    ("v1", |bytes| {
        let mut window = bytes;
        Meta::decode(bytes).is_ok() || Slice::locate(&mut window, 0..bytes.len() as u64).is_ok()
    }),
    ("map", |bytes| {
        // The fuzz target reads the flags after the NUL.
        let text = std::str::from_utf8(bytes).unwrap();
        let (file, flags) = text.split_once('\0').unwrap_or((text, ""));
        let map = Map::parse(&[], &[MapText { name: "seed".into(), text: file.into() }]).unwrap();
        !map.is_empty() || !flags.is_empty()
    }),
];

#[test]
fn every_seed_of_the_fuzzer_is_decoded() {
    let root = project_files::root().join("fuzz/seeds");
    assert_eq!(fs::read_dir(&root).unwrap().count(), TARGETS.len());
    for (target, accepts) in TARGETS {
        let seeds: Vec<_> =
            fs::read_dir(root.join(target)).unwrap().map(|seed| seed.unwrap().path()).collect();
        assert!(!seeds.is_empty(), "{target}");
        for seed in seeds {
            assert!(accepts(&fs::read(&seed).unwrap()), "{}", seed.display());
        }
    }
}
