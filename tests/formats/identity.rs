//! Identity: a bundle that is renamed and renamed back equals the first one byte for byte, a bundle that is not
//! renamed is
//! served as the source's own files, and every value is read as it was written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ckptfs::cache::Cache;
use ckptfs::catalog::{Catalog, Kind, Variable};
use ckptfs::dtype::{Dtype, Numpy, Value};
use ckptfs::extent::VirtualFile;
use ckptfs::format::bundle::{Entry, Extent};
use ckptfs::format::{slice_key, table};
use ckptfs::map::{Flag, Map};
use ckptfs::{remap, source, view};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::{fixture, fixture_indexes};

/// A variable to be written.
#[derive(Clone, Debug)]
struct Made {
    dtype: Dtype,
    shape: Vec<u64>,
    bytes: Vec<u8>,
    shard: u32,
    /// The number of rows in the first of two slices. `None` if the variable is not sliced.
    cut: Option<u64>,
    new_name: Option<String>,
}

type Variables = BTreeMap<Vec<u8>, Made>;

const SHARDS: u32 = 3;

/// Generates names from few letters, none of which starts an optimizer slot, and from the characters that are special
/// in patterns, paths and terminals.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let plain = vec(prop::sample::select("bcdx09/./_-%*{}\\=:|[]?é\n ".chars().collect::<Vec<_>>()), 1..9);
    let plain = plain.prop_map(|chars| chars.into_iter().collect::<String>().into_bytes());
    let odd = vec(prop_oneof![1u8..=255, Just(b'/')], 1..9);
    prop_oneof![3 => plain, 1 => odd].prop_filter("the graph has a name of its own", |name| !name.is_empty())
}

fn made() -> impl Strategy<Value = Made> {
    let dtypes: Vec<_> =
        (1..40).filter_map(Dtype::from_tensorflow).filter(|dtype| dtype.width().is_some()).collect();
    let new_name =
        prop::option::of(name().prop_filter_map("a flag is text", |name| String::from_utf8(name).ok()));
    let kind = (prop::sample::select(dtypes), vec(0..4u64, 0..4), 0..SHARDS, 0..4u64, new_name);
    kind.prop_flat_map(|(dtype, shape, shard, cut, new_name)| {
        let len = shape.iter().product::<u64>() * dtype.width().unwrap();
        vec(any::<u8>(), len as usize).prop_map(move |bytes| Made {
            dtype,
            shape: shape.clone(),
            bytes,
            shard,
            cut: (1..shape.first().copied().unwrap_or(0)).contains(&cut).then_some(cut),
            new_name: new_name.clone(),
        })
    })
}

/// Generates variables. A new name collides with no other name. A name that is not UTF-8 is kept.
fn variables() -> impl Strategy<Value = Variables> {
    btree_map(name(), made(), 0..12).prop_map(|mut variables| {
        let mut taken: BTreeSet<_> = variables.keys().cloned().collect();
        for (name, made) in &mut variables {
            made.new_name = made
                .new_name
                .take()
                .filter(|new| str::from_utf8(name).is_ok() && taken.insert(new.clone().into()));
        }
        variables
    })
}

fn bundle(variables: &Variables) -> Bundle {
    variables.iter().fold(Bundle::sharded(SHARDS), |bundle, (name, made)| match made.cut {
        Some(rows) => in_slices(bundle, name, made, rows),
        None => bundle.tensor_in(made.shard, name, made.dtype, &made.shape, &made.bytes),
    })
}

/// Adds a variable in two slices. The second is in another data file than the first.
fn in_slices(bundle: Bundle, name: &[u8], made: &Made, rows: u64) -> Bundle {
    let (all, deeper) = (made.shape[0], &made.shape[1..]);
    let whole = Extent { start: 0, length: None };
    let slice = |start: u64, rows: u64| -> Vec<Extent> {
        let first = Extent { start: start as i64, length: Some(rows as i64) };
        [first].into_iter().chain(deeper.iter().map(|_| whole)).collect()
    };
    let slices = [
        (slice(0, rows), rows, made.shard),
        (slice(rows, all - rows), all - rows, (made.shard + 1) % SHARDS),
    ];
    let listed = slices.iter().map(|(slice, ..)| slice.clone()).collect();
    let (dtype, shape) = (made.dtype.tensorflow(), made.shape.clone());
    let mut bundle = bundle.entry(name, &Entry { dtype, shape, slices: listed, ..Entry::default() });
    let mut rest = made.bytes.as_slice();
    for (slice, rows, shard) in slices {
        let bytes = rest.split_off(..made.bytes.len() / all as usize * rows as usize).unwrap();
        let shape = [&[rows], deeper].concat();
        bundle = bundle.tensor_in(shard, slice_key::encode(name, &slice), made.dtype, &shape, bytes);
    }
    bundle
}

fn write(bundle: &Bundle) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    bundle.write(&prefix);
    (dir, prefix)
}

fn open(prefix: &Path) -> Catalog {
    source::open(prefix).unwrap().catalog
}

/// Opens a bundle and applies the rules of `flags`.
fn mapped(prefix: &Path, flags: &[Flag]) -> Catalog {
    let mut catalog = open(prefix);
    let map = Map::parse(flags, &[]).unwrap();
    if !map.is_empty() {
        remap::apply(&map, &mut catalog).unwrap();
    }
    catalog
}

/// Returns a flag that renames one name. Each of its characters is literal.
fn rename(from: &str, to: &str) -> Flag {
    // A digit needs no backslash: `\1` refers to a group.
    let escaped = |c: char| if c.is_ascii_digit() { c.to_string() } else { format!("\\{c}") };
    let literal = |text: &str| text.chars().map(escaped).collect::<String>();
    Flag::Rename(format!("{}={}", literal(from), literal(to)))
}

fn bytes(file: &VirtualFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len() as usize];
    assert_eq!(file.read_at(&Cache::new(0), &mut bytes, 0).unwrap(), bytes.len());
    bytes
}

/// Writes the bundle view of a catalog under a new prefix.
fn write_shown(catalog: &Catalog, prefix: &Path) {
    for (suffix, file) in view::bundle::files(&Arc::new(catalog.clone())) {
        fs::write(prefix.with_added_extension(&suffix[1..]), bytes(&file)).unwrap();
    }
}

fn shown_index(catalog: &Catalog) -> Vec<u8> {
    bytes(&view::bundle::files(&Arc::new(catalog.clone()))[0].1)
}

/// Applies `there`, writes the bundle view, opens it, applies `back`, and returns the index that is shown then.
fn there_and_back(prefix: &Path, there: &[Flag], back: &[Flag]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let between = dir.path().join("between");
    write_shown(&mapped(prefix, there), &between);
    shown_index(&mapped(&between, back))
}

proptest! {
    #[test]
    fn renames_and_their_inverse_restore_the_index(variables in variables()) {
        let bundle = bundle(&variables);
        let (_dir, prefix) = write(&bundle);
        let renamed = || variables.iter().filter_map(|(name, made)| Some((str::from_utf8(name).ok()?, made.new_name.as_deref()?)));
        let there: Vec<_> = renamed().map(|(old, new)| rename(old, new)).collect();
        let back: Vec<_> = renamed().map(|(old, new)| rename(new, old)).collect();

        let names: BTreeSet<_> = mapped(&prefix, &there).variables.iter().map(|v| v.name.as_bytes().to_vec()).collect();
        let wanted = variables.iter().map(|(old, made)| made.new_name.as_ref().map_or(old.clone(), |new| new.clone().into()));
        prop_assert_eq!(names, wanted.collect::<BTreeSet<_>>());
        prop_assert_eq!(there_and_back(&prefix, &there, &back), bundle.index());
    }

    #[test]
    fn adding_and_stripping_a_prefix_restores_the_index(variables in variables(), prefix_text in "[a-z*{\\\\é/]{1,5}") {
        prop_assume!(!variables.is_empty());
        let bundle = bundle(&variables);
        let (_dir, prefix) = write(&bundle);
        let index = there_and_back(&prefix, &[Flag::AddPrefix(prefix_text.clone())], &[Flag::StripPrefix(prefix_text)]);
        prop_assert_eq!(index, bundle.index());
    }

    #[test]
    fn without_a_map_the_sources_own_files_are_served(variables in variables()) {
        let (_dir, prefix) = write(&bundle(&variables));
        for (suffix, file) in view::bundle::files(&Arc::new(mapped(&prefix, &[]))) {
            let own = prefix.with_added_extension(&suffix[1..]);
            prop_assert_eq!(file.len(), own.metadata().unwrap().len());
            prop_assert!(file.is_empty() || file.whole_file().unwrap().path() == own);
        }
    }

    #[test]
    fn values_are_read_as_they_were_written(variables in variables()) {
        let (_dir, prefix) = write(&bundle(&variables));
        let catalog = open(&prefix);
        prop_assert_eq!(catalog.variables.len(), variables.len());
        for (name, made) in &variables {
            let variable = catalog.variable(name).unwrap();
            prop_assert_eq!(formatted("raw", variable), made.bytes.clone());
            let npy = formatted("npy", variable);
            let (head, data) = split_npy(&npy);
            prop_assert_eq!(data, expected_npy(made));
            prop_assert!(head.contains(&format!("'shape': {}", python_tuple(&made.shape))), "{}", head);
            if let Numpy::Same(descr) = made.dtype.numpy() {
                prop_assert!(head.contains(&format!("'descr': '{descr}'")), "{}", head);
            }
        }
    }
}

fn formatted(format: &str, variable: &Variable) -> Vec<u8> {
    bytes(&(view::format(format).unwrap().file)(variable).unwrap())
}

/// Splits a `.npy` file into the text of its header and its data.
fn split_npy(file: &[u8]) -> (&str, &[u8]) {
    assert!(file.starts_with(b"\x93NUMPY\x01\x00"));
    let end = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
    assert!(end % 64 == 0 && file[end - 1] == b'\n');
    (str::from_utf8(&file[10..end]).unwrap(), &file[end..])
}

fn python_tuple(shape: &[u64]) -> String {
    let dims: Vec<_> = shape.iter().map(u64::to_string).collect();
    format!("({}{})", dims.join(", "), if dims.len() == 1 { "," } else { "" })
}

/// Returns the data of the `.npy` file: the stored bytes, converted only for dtypes that NumPy lacks.
fn expected_npy(made: &Made) -> Vec<u8> {
    let nibble = |byte: &u8| ((byte << 4) as i8 >> 4) as u8;
    let crumb = |byte: &u8| ((byte << 6) as i8 >> 6) as u8;
    match made.dtype {
        Dtype::Bfloat16 => made.bytes.chunks(2).flat_map(|x| [0, 0, x[0], x[1]]).collect(),
        Dtype::Int4 => made.bytes.iter().map(nibble).collect(),
        Dtype::Int2 => made.bytes.iter().map(crumb).collect(),
        dtype if matches!(dtype.numpy(), Numpy::Same(_)) => made.bytes.clone(),
        dtype => made.bytes.chunks(1).map(dtype.value()).flat_map(float_bytes).collect(),
    }
}

/// Returns the bytes of a small float, widened to float32.
fn float_bytes(value: Value) -> [u8; 4] {
    let Value::Float32(x) = value else { panic!("small floats are widened to float32, not {value:?}") };
    x.to_le_bytes()
}

#[test]
fn an_index_of_several_blocks_survives_a_round_trip() {
    let long = "x".repeat(200);
    let bundle = (0..3000).fold(Bundle::new(), |bundle, i| {
        bundle.tensor(format!("{i:04}/{long}"), Dtype::Uint8, &[1], &[i as u8])
    });
    let index = bundle.index();
    assert!(table::decode(&index).unwrap().last().unwrap().at > 0, "the index needs several blocks");
    let (_dir, prefix) = write(&bundle);
    let flag = |text: &str| [Flag::Rename(text.to_owned())];
    assert_eq!(there_and_back(&prefix, &flag("**=y/**"), &flag("y/**=**")), index);
}

#[test]
fn tensorflow_checkpoints_are_served_verbatim_and_survive_a_rename_round_trip() {
    let mut tried = 0;
    for index in fixture_indexes() {
        let prefix = index.with_extension("");
        let checkpoint = source::open(&prefix).unwrap();
        let own = fs::read(&index).unwrap();
        // The bundle view is little-endian.
        if prefix.to_str().unwrap().contains("big_endian") {
            continue;
        }
        assert_eq!(shown_index(&checkpoint.catalog), own, "{}", prefix.display());
        if checkpoint.catalog.kind() == Kind::NameBased {
            let prefixed = there_and_back(
                &prefix,
                &[Flag::AddPrefix("old/".into())],
                &[Flag::StripPrefix("old/".into())],
            );
            // Other writers cut blocks differently. The view cuts them like TensorFlow.
            let plain =
                table::encode(table::decode(&own).unwrap().iter().map(|row| (&row.key[..], &row.value[..])));
            assert_eq!(prefixed, plain, "{}", prefix.display());
            assert_eq!(plain == own, !prefix.starts_with(fixture("snappy")), "{}", prefix.display());
            tried += 1;
        }
    }
    assert!(tried >= 9, "only {tried} fixtures were tried");
}
