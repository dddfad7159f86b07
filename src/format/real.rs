//! Indexes that TensorFlow wrote, for tests that check a codec against them. They are in the directory that
//! `CKPTFS_REAL_CHECKPOINTS` names, or else next to the project, outside it. If there are none, the test prints that
//! it is skipped.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the name and the contents of every `.index` file in that directory.
pub(super) fn indexes() -> Vec<(String, Vec<u8>)> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/checkpoints");
    let root = std::env::var_os("CKPTFS_REAL_CHECKPOINTS").map_or_else(beside, PathBuf::from);
    let mut found = Vec::new();
    collect(&root, &mut found);
    if found.is_empty() {
        eprintln!("skipped: no real checkpoints in {} (see CKPTFS_REAL_CHECKPOINTS)", root.display());
    }
    found
}

fn collect(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension() == Some(OsStr::new("index")) {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}
