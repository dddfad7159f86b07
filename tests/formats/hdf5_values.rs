//! Values of HDF5 files: each dataset is served as the HDF5 library reads it.

use std::path::{Path, PathBuf};

use ckptfs::cache::Cache;
use ckptfs::dtype::Dtype;
use ckptfs::extent::Extent;
use ckptfs::source;
use hdf5_reader::Hdf5File;

/// The files whose variables are named by their paths.
const FILES: [&str; 7] = [
    "h5py-3.14/dtypes/all.h5",
    "h5py-3.14/filters/old.h5",
    "h5py-3.14/filters_latest/new.h5",
    "h5py-3.14/layouts/old.h5",
    "h5py-3.14/layouts_latest/new.h5",
    "keras-3.15/functional/model.weights.h5",
    "keras-3.15/subclassed/model.weights.h5",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn every_value_equals_that_of_the_hdf5_library() {
    for name in FILES {
        let (checkpoint, file) =
            (source::open(&fixture(name)).unwrap(), Hdf5File::open(fixture(name)).unwrap());
        assert!(!checkpoint.catalog.is_empty());
        // The library alone does not support LZF.
        for variable in
            checkpoint.catalog.variables.iter().filter(|variable| variable.name.as_bytes() != b"lzf")
        {
            assert_ne!(variable.tensor.dtype, Dtype::String);
            let mut bytes = vec![0; variable.tensor.len() as usize];
            variable.tensor.file().read_at(&Cache::new(0), &mut bytes, 0).unwrap();
            let right = file.dataset(&variable.name.to_string()).unwrap().read_native_bytes().unwrap();
            assert_eq!(bytes, right, "{name}: {}", variable.name);
        }
    }
}

#[test]
fn values_that_keras_wrote_are_ranges_of_the_file() {
    for name in [
        "keras-3.15/functional/model.weights.h5",
        "keras-3.15/archive/model.keras",
        "tf_keras-2.21/sequential/model.h5",
    ] {
        let catalog = source::open(&fixture(name)).unwrap().catalog;
        let ranges = catalog
            .variables
            .iter()
            .filter(|variable| matches!(variable.tensor.data[..], [Extent::Range { .. }]));
        assert!(ranges.count() == catalog.variables.len() && catalog.shards.len() == 1, "{name}");
    }
}
