//! The contents of a directory without checkpoints, in a few words: kinds of files, and the directories that have some.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use crate::directory::{Directory, Entry};
use crate::name::listed;
use crate::source::checkpoint_files::Part;
use crate::source::find_checkpoints;
use crate::source::resolve::is_saved_model;

/// Kinds that are named; more are counted.
const KINDS: usize = 6;
/// Directories that are looked into.
const LOOKED_INTO: usize = 1000;
/// The longest ending that says a kind; what is longer is part of a name.
const ENDING: usize = 12;
/// The kind of an entry without an ending.
const NO_ENDING: &str = "without an ending";

/// The entries by kind, most first: `it holds 12 .npy, 1 .json, 2 directories`.
pub(super) fn held(dir: &Path) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for entry in &entries(dir) {
        *counts.entry(kind(dir, entry)).or_default() += 1;
    }
    let mut kinds: Vec<_> = counts.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| counted(kind, *count)).collect();
    match kinds.is_empty() {
        true => "it is empty".into(),
        false => format!("it holds {}", listed(&kinds, KINDS)),
    }
}

/// The directories one level below that have checkpoints: `train/run1 (3 checkpoints)`.
pub(super) fn below(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = entries(dir).into_iter().map(|entry| entry.name).collect();
    names.retain(|name| dir.join(name).is_dir());
    names.sort();
    let found = |name| checkpoints(&dir.join(name));
    names.iter().take(LOOKED_INTO).filter_map(found).collect()
}

fn entries(dir: &Path) -> Vec<Entry> {
    Directory::open(dir).and_then(|directory| directory.entries()).unwrap_or_default()
}

fn counted(kind: &str, count: usize) -> String {
    match kind {
        DIRECTORY if count > 1 => format!("{count} directories"),
        kind => format!("{count} {kind}"),
    }
}

const DIRECTORY: &str = "directory";

/// The ending of a file's name, with the dot; of a data file without an index, that it is one.
fn kind(dir: &Path, entry: &Entry) -> String {
    if entry.kind.is_dir() || entry.kind.is_symlink() && dir.join(&entry.name).is_dir() {
        return DIRECTORY.into();
    }
    if let Some((_, Part::Data { .. })) = Part::of(&entry.name) {
        return ".data-* without an .index".into();
    }
    let ending = Path::new(&entry.name).extension().and_then(OsStr::to_str);
    let ending = ending.filter(|ending| ending.len() <= ENDING && ending.chars().all(char::is_alphanumeric));
    ending.map_or_else(|| NO_ENDING.into(), |ending| format!(".{ending}"))
}

fn checkpoints(dir: &Path) -> Option<String> {
    let directory = Directory::open(dir).ok()?;
    if is_saved_model(&directory) {
        return Some(format!("{} (a SavedModel)", dir.display()));
    }
    let families = find_checkpoints(&directory, &directory.entries().ok()?);
    match families.values().filter(|family| family.index.is_some()).count() {
        0 => None,
        1 => Some(format!("{} (1 checkpoint)", dir.display())),
        n => Some(format!("{} ({n} checkpoints)", dir.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Error;

    #[test]
    fn a_directory_without_checkpoints_says_what_it_holds_and_where_some_are() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(dir.path().join(name), "x").unwrap();
        for below in ["run1", "run2", "logs"] {
            fs::create_dir(dir.path().join(below)).unwrap();
        }
        ["run1/a.index", "run1/b.index", "run2/c.index", "logs/x.txt"].iter().for_each(|name| write(name));
        ["1.npy", "2.npy", "3.npy", "4.npy", "a.json", "README"].iter().for_each(|name| write(name));
        write("model.data-00000-of-00001");
        let said = Error::no_checkpoints(dir.path()).to_string();
        let (path, at) = (dir.path().display(), |name: &str| dir.path().join(name).display().to_string());
        assert_eq!(
            said,
            format!(
                "{path}: no checkpoints in this directory; it holds 4 .npy, 3 directories, \
                 1 .data-* without an .index, 1 .json, 1 without an ending\n  \
                 help: checkpoints one level below: {} (2 checkpoints), {} (1 checkpoint)",
                at("run1"),
                at("run2")
            )
        );
    }

    #[test]
    fn an_empty_directory_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let said = Error::no_checkpoints(dir.path()).to_string();
        assert!(said.ends_with("no checkpoints in this directory; it is empty"), "{said}");
    }
}
