//! The diagnosis of a source that cannot be opened: what the path leads to instead, and the checkpoints nearby.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::directory::{Directory, Entry};
use crate::name::listed;
use crate::source::checkpoint_files::Part;
use crate::source::error::Error;
use crate::source::formats::find_checkpoints;
use crate::source::leads::leads;
use crate::source::prefix::Prefix;
use crate::source::saved_model::is_saved_model;
use crate::source::sniff::{self, Probe, lookalike};

/// The number of nearby checkpoints that a message names.
const NEAREST: usize = 5;
/// The number of kinds that a message names. It counts the others.
const KINDS: usize = 6;
/// The maximum number of subdirectories that are searched for checkpoints.
const LOOKED_INTO: usize = 1000;
/// The maximum length of an extension. A longer one counts as part of the name.
const ENDING: usize = 12;
/// The kind of an entry without an extension.
const NO_ENDING: &str = "without an ending";

/// Returns the error for a file that is not a checkpoint. `probe` is `None` if it is not a regular file.
pub(crate) fn not_a_checkpoint(
    directory: &Directory,
    wanted: &Prefix,
    path: &Path,
    probe: Option<&Probe>,
) -> Error {
    let known = probe.and_then(lookalike).map(|kind| (kind.what, kind.advice));
    let unknown = match probe {
        Some(_) => "not a TensorFlow checkpoint or another known format",
        None => "not a regular file",
    };
    let (what, advice) = known.unwrap_or((unknown, "give a prefix such as train/ckpt-9, or its directory"));
    let nearest = nearest(directory, wanted);
    Error::Lookalike { path: path.into(), what: what.into(), advice: advice.into(), nearest }
}

/// Returns the error for a bundle that cannot be opened. A malformed index may be another kind of file.
pub(crate) fn malformed_index(error: Error, prefix: &Prefix, directory: &Directory) -> Error {
    let Error::Malformed(..) = error else { return error };
    match Probe::read(directory, &prefix.head) {
        Ok(Some(probe)) if !probe.is_table() && lookalike(&probe).is_some() => {
            not_a_checkpoint(directory, prefix, &prefix.index(), Some(&probe))
        }
        _ => error,
    }
}

/// Returns the error for a directory without checkpoints.
pub(crate) fn no_checkpoints(directory: &Directory) -> Error {
    let dir = directory.path().to_owned();
    let below = below(&dir);
    let models = below.iter().filter(|below| below.is_model).map(|below| below.dir.clone()).collect();
    let leads = if below.is_empty() { leads(&dir) } else { Vec::new() };
    let below = below.iter().map(ToString::to_string).collect();
    Error::NoCheckpoints { dir, holds: held(directory), below, models, leads }
}

/// Returns the prefixes in a directory, most similar names first.
pub(crate) fn nearest(directory: &Directory, wanted: &Prefix) -> Vec<String> {
    let checkpoints = find_checkpoints(directory, &directory.entries().unwrap_or_default());
    let indexed = checkpoints.iter().filter(|(_, files)| files.index.is_some());
    let prefixes = indexed.map(|(stem, files)| files.prefix(&wanted.dir, stem));
    let usable = prefixes.filter(|prefix| !prefix.is_bundle() || sniff::is_table(directory, &prefix.head));
    let stem = wanted.stem.to_string_lossy();
    let mut scored: Vec<_> = usable
        .map(|found| {
            let score = strsim::jaro_winkler(&found.stem.to_string_lossy(), &stem);
            (score, found.path().display().to_string())
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.into_iter().take(NEAREST).map(|(_, path)| path).collect()
}

/// Returns the counts of the entries by kind, largest first: `it holds 12 .npy, 1 .json, 2 directories`.
fn held(directory: &Directory) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for entry in &directory.entries().unwrap_or_default() {
        *counts.entry(kind(directory, entry)).or_default() += 1;
    }
    let mut kinds: Vec<_> = counts.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| counted(kind, *count)).collect();
    match kinds.is_empty() {
        true => "it is empty".into(),
        false => format!("it holds {}", listed(&kinds, KINDS)),
    }
}

/// A directory one level below that has checkpoints.
struct Below {
    dir: PathBuf,
    is_model: bool,
    count: usize,
}

/// Format: `train/run1 (3 checkpoints)`, `export/1 (a SavedModel)`.
impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.dir.display();
        match (self.is_model, self.count) {
            (true, _) => write!(f, "{dir} (a SavedModel)"),
            (false, 1) => write!(f, "{dir} (1 checkpoint)"),
            (false, n) => write!(f, "{dir} ({n} checkpoints)"),
        }
    }
}

/// Returns the directories one level below that have checkpoints.
fn below(dir: &Path) -> Vec<Below> {
    let mut names: Vec<_> = entries(dir).into_iter().map(|entry| entry.name).collect();
    names.retain(|name| dir.join(name).is_dir());
    names.sort();
    names.iter().take(LOOKED_INTO).filter_map(|name| Below::of(dir.join(name))).collect()
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

/// Returns the kind of an entry: a directory, a data file without an index, or the extension with its dot.
fn kind(directory: &Directory, entry: &Entry) -> String {
    if entry.kind.is_dir()
        || entry.kind.is_symlink() && directory.metadata(&entry.name).is_ok_and(|meta| meta.is_dir())
    {
        return DIRECTORY.into();
    }
    if let Some((_, Part::Data { .. })) = Part::of(&entry.name) {
        return ".data-* without an .index".into();
    }
    let ending = Path::new(&entry.name).extension().and_then(OsStr::to_str);
    let ending = ending.filter(|ending| ending.len() <= ENDING && ending.chars().all(char::is_alphanumeric));
    ending.map_or_else(|| NO_ENDING.into(), |ending| format!(".{ending}"))
}

impl Below {
    /// Returns `None` if there is no checkpoint in the directory.
    fn of(dir: PathBuf) -> Option<Self> {
        let directory = Directory::open(&dir).ok()?;
        let is_model = is_saved_model(&directory);
        let checkpoints = find_checkpoints(&directory, &directory.entries().ok()?);
        let count = checkpoints.values().filter(|files| files.index.is_some()).count();
        (is_model || count > 0).then_some(Self { dir, is_model, count })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_error_for_no_checkpoints_lists_the_entries_and_the_checkpoints_below() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(dir.path().join(name), "x").unwrap();
        for below in ["run1", "run2", "logs"] {
            fs::create_dir(dir.path().join(below)).unwrap();
        }
        ["run1/a.index", "run1/b.index", "run2/c.index", "logs/x.txt"].iter().for_each(|name| write(name));
        ["1.npy", "2.npy", "3.npy", "4.npy", "a.json", "README"].iter().for_each(|name| write(name));
        write("model.data-00000-of-00001");
        let said = no_checkpoints(&Directory::open(dir.path()).unwrap()).to_string();
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
    fn the_error_for_an_empty_directory_says_that_it_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let said = no_checkpoints(&Directory::open(dir.path()).unwrap()).to_string();
        assert!(said.ends_with("no checkpoints in this directory; it is empty"), "{said}");
    }
}
