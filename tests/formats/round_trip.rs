//! Round trips: every fixture is written in every format of a checkpoint view and opened again, with the same values.
//!
//! Sources are found by their content, so a new fixture is tested without a change here. A new format needs a row in
//! [`FORMS`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ckptfs::cache::Cache;
use ckptfs::catalog::{Catalog, H5Layout};
use ckptfs::dtype::Dtype;
use ckptfs::extent::VirtualFile;
use ckptfs::{source, view};

/// A format: its name, a function that writes it and returns the file to open, and the expected value of a variable
/// in it.
struct Form {
    name: &'static str,
    write: fn(&Arc<Catalog>, &Path) -> Option<PathBuf>,
    expected: fn(&Value) -> Option<Value>,
}

/// The dtype, shape and bytes of a variable.
type Value = (Dtype, Vec<u64>, Vec<u8>);

const FORMS: &[Form] = &[
    Form { name: "bundle", write: bundle, expected: |value| Some(value.clone()) },
    Form {
        name: "safetensors",
        write: |catalog, to| whole(catalog, to, "model.safetensors"),
        expected: in_safetensors,
    },
    Form { name: "h5", write: |catalog, to| whole(catalog, to, "model.weights.h5"), expected: in_hdf5 },
];

/// The budget of a cache, in bytes.
const CACHE: usize = 64 << 20;

#[test]
fn every_source_survives_a_round_trip_through_every_format() {
    let sources = sources();
    assert!(sources.len() > 35, "the fixtures were not found");
    for source in &sources {
        let first = opened(source);
        for form in FORMS {
            let dir = tempfile::tempdir().unwrap();
            let written = (form.write)(&first, dir.path()).expect("no fixture has too many names");
            compare(source, form, &first, &opened(&written));
        }
    }
}

/// Returns every checkpoint among the fixtures, by the path that a user would give.
fn sources() -> Vec<PathBuf> {
    let mut sources = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => directories.push(entry),
                false => sources.extend(source::resolve(&entry).is_ok().then_some(entry)),
            }
        }
    }
    sources.retain(|path| source::open(path).is_ok());
    sources.sort();
    sources
}

fn opened(path: &Path) -> Arc<Catalog> {
    let mut catalog =
        source::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).catalog;
    // The version of Keras that can read the file does not matter here.
    catalog.h5_layout = H5Layout::Keras3;
    Arc::new(catalog)
}

fn compare(source: &Path, form: &Form, first: &Catalog, second: &Catalog) {
    let left_out: Vec<String> = view::CHECKPOINT_VIEWS
        .iter()
        .filter(|whole| whole.name.ends_with(form.name))
        .flat_map(|whole| (whole.left_out)(&Catalog { h5_layout: H5Layout::Keras3, ..first.clone() }))
        .collect();
    let expected: BTreeMap<_, _> = values(first)
        .into_iter()
        .filter_map(|(name, value)| Some((name, (form.expected)(&value)?)))
        .filter(|(name, _)| !left_out.iter().any(|why| why.starts_with(&format!("{name}: "))))
        .collect();
    let (place, found) = (format!("{} as {}", source.display(), form.name), values(second));
    let names = |values: &BTreeMap<String, Value>| values.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{place}");
    for (name, value) in expected {
        assert_eq!(found[&name], value, "{place}: {name}");
    }
    if form.name == "bundle" {
        assert_eq!(second.kind(), first.kind(), "{place}");
    }
}

fn values(catalog: &Catalog) -> BTreeMap<String, Value> {
    let value = |variable: &ckptfs::catalog::Variable| {
        let tensor = &variable.tensor;
        (variable.name.to_string(), (tensor.dtype, tensor.shape.0.to_vec(), read(&tensor.file())))
    };
    catalog.variables.iter().map(value).collect()
}

fn read(file: &VirtualFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len() as usize];
    assert_eq!(file.read_at(&Cache::new(CACHE), &mut bytes, 0).unwrap(), bytes.len());
    bytes
}

fn bundle(catalog: &Arc<Catalog>, to: &Path) -> Option<PathBuf> {
    for (suffix, file) in view::bundle::files(catalog) {
        fs::write(to.join(format!("model{suffix}")), read(&file)).unwrap();
    }
    Some(to.join("model"))
}

fn whole(catalog: &Arc<Catalog>, to: &Path, name: &str) -> Option<PathBuf> {
    let whole =
        view::CHECKPOINT_VIEWS.iter().find(|whole| whole.name == name && (whole.is_there)(catalog))?;
    let path = to.join(name);
    fs::write(&path, read(&(whole.file)(catalog))).unwrap();
    Some(path)
}

/// Returns the value as safetensors has it: quantized numbers are integers. `None` if the format lacks the dtype.
fn in_safetensors((dtype, shape, bytes): &Value) -> Option<Value> {
    let (name, _) = dtype.safetensors()?;
    Some((Dtype::from_safetensors(name)?, shape.clone(), bytes.clone()))
}

/// Returns the value as HDF5 has it: quantized numbers are integers. Strings are padded to one length and are read
/// back unchanged, unless they end in NUL.
fn in_hdf5((dtype, shape, bytes): &Value) -> Option<Value> {
    let dtype = match dtype {
        Dtype::Qint8 => Dtype::Int8,
        Dtype::Quint8 => Dtype::Uint8,
        Dtype::Qint16 => Dtype::Int16,
        Dtype::Quint16 => Dtype::Uint16,
        Dtype::Qint32 => Dtype::Int32,
        other => *other,
    };
    Some((dtype, shape.clone(), bytes.clone()))
}
