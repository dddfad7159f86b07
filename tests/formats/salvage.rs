//! Data files that end too early: exactly the variables beyond the end are damaged, and all others keep their values.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ckptfs::cache::Cache;
use ckptfs::catalog::Catalog;
use ckptfs::format::bundle::Entry;
use ckptfs::format::{slice_key, table};
use ckptfs::source;
use ckptfs::tensor::Tensor;

use crate::support::bundle::Bundle;
use crate::support::{copy, fixture, list};

const GRAPH: &[u8] = b"_CHECKPOINTABLE_OBJECT_GRAPH";

/// The end of each entry in a data file, by the key of its variable.
fn ends(index: &Path, shard: u32) -> Vec<(Vec<u8>, u64)> {
    let rows = table::decode(&fs::read(index).unwrap()).unwrap();
    let ends = rows.iter().skip(1).filter_map(|row| {
        let entry = Entry::decode(&row.value).unwrap();
        let name = if row.key[0] == 0 { slice_key::decode(&row.key).unwrap().0 } else { row.key.clone() };
        (entry.slices.is_empty() && entry.shard == shard).then_some((name, entry.offset + entry.size))
    });
    ends.collect()
}

fn read(tensor: &Tensor) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; tensor.len() as usize];
    tensor.file().read_at(&Cache::new(1 << 20), &mut bytes, 0).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn values(catalog: &Catalog) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let value = |v: &ckptfs::catalog::Variable| (v.key().as_bytes().to_vec(), read(&v.tensor).unwrap());
    catalog.variables.iter().map(value).collect()
}

#[test]
fn a_data_file_truncated_at_any_length_loses_exactly_the_variables_beyond_its_end() {
    for name in ["tf1_adam", "sharded", "object_keras3", "partitioned", "object_sharded", "big_endian"] {
        let dir = tempfile::tempdir().unwrap();
        copy(&fixture(name), dir.path());
        let (prefix, index) = (dir.path().join("ckpt-9"), dir.path().join("ckpt-9.index"));
        let right = values(&source::open(&prefix).unwrap().catalog);
        let shards = list(dir.path()).into_iter().filter(|file| file.starts_with("ckpt-9.data-"));
        for (number, shard) in (0..).zip(shards.collect::<Vec<_>>()) {
            let (path, ends) = (dir.path().join(&shard), ends(&index, number));
            let whole = fs::read(&path).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            let interesting = ends.iter().flat_map(|(_, end)| [end.saturating_sub(1), *end]);
            let lengths: BTreeSet<u64> = (0..whole.len() as u64)
                .step_by(if whole.len() > 2000 { 97 } else { 1 })
                .chain(interesting)
                .collect();
            for len in lengths.into_iter().rev() {
                file.set_len(len).unwrap();
                let lost: BTreeSet<_> =
                    ends.iter().filter(|(_, end)| *end > len).map(|(key, _)| key.clone()).collect();
                let opened = catch_unwind(AssertUnwindSafe(|| source::open(&prefix))).expect("no panic");
                let at = format!("{name} {shard} cut to {len}");
                let catalog = opened.unwrap_or_else(|error| panic!("{at}: {error}")).catalog;
                judge(&catalog, &right, &lost, &at);
            }
            fs::write(&path, &whole).unwrap();
        }
    }
}

/// Checks that exactly the variables in `lost` are damaged, and that the others have the right values.
fn judge(catalog: &Catalog, right: &BTreeMap<Vec<u8>, Vec<u8>>, lost: &BTreeSet<Vec<u8>>, at: &str) {
    assert_eq!(catalog.damaged_graph().is_some(), lost.contains(GRAPH), "{at}");
    assert_eq!(catalog.truncated.len(), usize::from(!lost.is_empty()), "{at}");
    assert_eq!(catalog.variables.len(), right.len(), "{at}");
    for variable in &catalog.variables {
        let key = variable.key().as_bytes();
        assert_eq!(variable.tensor.damage().is_some(), lost.contains(key), "{at}: {}", variable.name);
        match read(&variable.tensor) {
            Ok(found) => assert!(found == right[key] && !lost.contains(key), "{at}: {}", variable.name),
            Err(_) => assert!(lost.contains(key), "{at}: {}", variable.name),
        }
    }
}

#[test]
fn a_pointer_of_git_lfs_is_no_data_even_if_it_is_long_enough() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    Bundle::new().floats("a", &[1.0]).floats("b", &[2.0]).write(&prefix);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 8\n";
    fs::write(dir.path().join("ckpt-9.data-00000-of-00001"), pointer).unwrap();
    let catalog = source::open(&prefix).unwrap().catalog;
    assert_eq!(catalog.damaged().count(), 2);
    let said = catalog.truncated[0].to_string();
    assert!(said.contains("is a git-lfs pointer") && said.contains("git lfs pull"), "{said}");
}

#[test]
fn an_entry_that_claims_too_much_allocates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    let huge = |dtype, size| Entry { dtype, shape: vec![1 << 58], size, ..Entry::default() };
    let bundle = Bundle::new().floats("a", &[1.0]).entry("s", &huge(7, 1 << 62));
    bundle.entry("f", &huge(1, 1 << 60)).entry("g", &huge(1, 1 << 60)).write(&prefix);
    let catalog = source::open(&prefix).unwrap().catalog;
    assert_eq!(catalog.damaged().count(), 3);
    for variable in catalog.damaged() {
        assert!(ckptfs::view::info(&catalog, variable)["damaged"].is_string());
        assert!(variable.tensor.file().read_at(&Cache::new(0), &mut [0], 0).is_err());
    }
}
