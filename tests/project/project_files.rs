//! The files of the project, by their paths in it.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the directory of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the text of a file.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the file `place`, or all files below the directory `place`, sorted.
pub(crate) fn files(place: &str) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![root().join(place)]);
    while let Some(path) = open.pop() {
        match path.is_dir() {
            true => open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path())),
            false => found.push(in_project(&path)),
        }
    }
    found.sort();
    found
}

fn in_project(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}
