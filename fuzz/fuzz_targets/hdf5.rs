//! The fuzz target for HDF5 files, and archives that contain one: each file is opened or rejected. Each value of an
//! opened file is read or rejected, and a value that is read has the announced length.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use ckptfs::cache::Cache;
use ckptfs::source;
use libfuzzer_sys::fuzz_target;

/// The maximum number of bytes that are read of a value. A false length in the file then costs time, not memory.
const MOST: u64 = 1 << 20;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("ckptfs-fuzz-hdf5-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory for the file");
    directory
});

fuzz_target!(|bytes: &[u8]| {
    let name = if bytes.starts_with(b"PK") { "model.keras" } else { "model.h5" };
    let path = DIRECTORY.join(name);
    std::fs::write(&path, bytes).expect("the file is written");
    let Ok(checkpoint) = source::open(&path) else { return };
    for variable in &checkpoint.catalog.variables {
        let len = variable.tensor.len().min(MOST);
        let mut value = vec![0; len as usize];
        if let Ok(read) = variable.tensor.file().read_at(&Cache::new(0), &mut value, 0) {
            assert_eq!(read as u64, len, "{}", variable.name);
        }
    }
});
