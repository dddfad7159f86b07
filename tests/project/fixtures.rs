//! Fixtures: the list and the directories agree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::project_files;

/// The size limit of a fixture in bytes. Scripts make larger checkpoints when they are needed.
const LARGEST: u64 = 32 * 1024;

#[test]
fn every_fixture_is_listed_and_every_listed_fixture_exists() {
    let (listed, present) = (listed(), present());

    let unlisted: Vec<_> = present.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&present).collect();

    assert!(!present.is_empty(), "no fixtures under {}", root().display());
    assert!(
        unlisted.is_empty() && gone.is_empty(),
        "not in LIST.md: {unlisted:?}; only in LIST.md: {gone:?}"
    );
}

#[test]
fn every_fixture_is_listed_once_with_its_writer_and_purpose() {
    let list = fs::read_to_string(root().join("LIST.md")).unwrap();
    let full = rows(&list).filter(|cells| cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()));

    assert_eq!(full.count(), listed().len());
}

#[test]
fn every_fixture_is_small() {
    for name in present() {
        let files = children(&root().join(&name));
        let size: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(size > 0 && size <= LARGEST, "{name} has {size} bytes");
    }
}

fn listed() -> BTreeSet<String> {
    let list = fs::read_to_string(root().join("LIST.md")).unwrap();
    rows(&list).map(|cells| cells[0].to_owned()).collect()
}

/// Returns the cells of each row below the head of the table.
fn rows(list: &str) -> impl Iterator<Item = Vec<&str>> {
    list.lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

/// Returns `<writer-version>/<name>` of each directory.
fn present() -> BTreeSet<String> {
    let writers = children(&root()).into_iter().filter(|path| path.is_dir());
    let fixtures = writers.flat_map(|writer| children(&writer));
    fixtures.map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()).collect()
}

fn children(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn root() -> PathBuf {
    project_files::root().join("tests/fixtures")
}
