//! From the path a person gives to the checkpoint a person means.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::directory::Directory;
use crate::format::checkpoint_state::State;
use crate::source::checkpoint_files::{Part, Prefix};
use crate::source::error::Error;
use crate::source::{checkpoint_list, find_checkpoints, sniff};

/// How many neighbours a message names.
const NEAREST: usize = 5;

/// What a path means.
#[derive(Debug)]
pub enum Resolved {
    /// One checkpoint.
    Checkpoint(Prefix),
    /// A directory of checkpoints.
    Directory(PathBuf),
    /// A SavedModel.
    SavedModel(PathBuf),
}

/// What `path` means: a prefix, any file of a checkpoint, a directory, a SavedModel.
///
/// # Errors
/// What is there instead.
pub fn resolve(path: &Path) -> Result<Resolved, Error> {
    let prefix = Prefix::of(path);
    let asks_for_directory = path.as_os_str().as_bytes().ends_with(b"/");
    if !asks_for_directory && !prefix.stem.is_empty() && prefix.index().exists() {
        return Ok(Resolved::Checkpoint(prefix));
    }
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            Ok(match Directory::open(path).is_ok_and(|directory| is_saved_model(&directory)) {
                true => Resolved::SavedModel(path.into()),
                false => Resolved::Directory(path.into()),
            })
        }
        Ok(_) => of_file(path).map(Resolved::Checkpoint),
        Err(error) if error.kind() == io::ErrorKind::NotFound => of_other_format(&prefix)
            .ok_or_else(|| Error::NotFound { path: path.into(), nearest: nearest(path) })
            .map(Resolved::Checkpoint),
        Err(error) => Err(Error::Io(path.into(), error)),
    }
}

/// The prefix that `path` means, and what to tell the user about the choice.
pub(crate) fn locate(path: &Path) -> Result<(Prefix, Option<String>), Error> {
    match resolve(path)? {
        Resolved::Checkpoint(prefix) => Ok((prefix, None)),
        Resolved::SavedModel(dir) => Ok((Prefix::new(&dir.join(VARIABLES), OsStr::new(VARIABLES)), None)),
        Resolved::Directory(dir) => newest(&dir).map(|(prefix, count)| {
            let stem = prefix.stem.to_string_lossy();
            let note = || format!("{} holds {count} checkpoints; using {stem}", dir.display());
            let note = (count > 1).then(note);
            (prefix, note)
        }),
    }
}

/// The folder of a SavedModel that holds its checkpoint, and the checkpoint's stem.
pub const VARIABLES: &str = "variables";

/// Whether a folder is a SavedModel that has variables.
pub fn is_saved_model(directory: &Directory) -> bool {
    let has = |name: &str| directory.metadata(OsStr::new(name)).is_ok_and(|meta| meta.is_file());
    (has("saved_model.pb") || has("saved_model.pbtxt")) && has("variables/variables.index")
}

/// The checkpoint that one of its files belongs to.
fn of_file(path: &Path) -> Result<Prefix, Error> {
    let name = path.file_name().unwrap_or_default();
    if name == "checkpoint" && !sniff::is_table_at(path) {
        return newest(&Prefix::of(path).dir).map(|(prefix, _)| prefix);
    }
    if let Some(prefix) = of_head(path) {
        return Ok(prefix);
    }
    let Some((stem, part)) = Part::of(name) else { return Err(Error::not_a_checkpoint(path)) };
    let prefix = Prefix::new(&Prefix::of(path).dir, &stem);
    if prefix.index().exists() {
        return Ok(prefix);
    }
    of_other_format(&prefix).ok_or_else(|| match part {
        Part::Index => Error::not_a_checkpoint(path),
        _ => Error::NoIndex { path: path.into(), index: prefix.index(), nearest: nearest(path) },
    })
}

/// The checkpoint of another format than TensorFlow's whose head a file is, whatever its name.
fn of_head(path: &Path) -> Option<Prefix> {
    let (source, prefix) = (crate::source::of_head(path).filter(|_| !is_index_name(path))?, Prefix::of(path));
    let Some(stem) = (source.stem)(&prefix.stem) else {
        return Some(Prefix { head: prefix.stem.clone(), ..prefix });
    };
    let directory = Directory::open(&prefix.dir).ok()?;
    let head = source.head(&directory, &directory.entries().ok()?, &stem).unwrap_or(prefix.stem);
    Some(Prefix { head, stem, dir: prefix.dir })
}

/// A bundle's index ends as V1 files do, and is none.
fn is_index_name(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("index"))
}

/// The checkpoint of another format that has a prefix's stem.
fn of_other_format(prefix: &Prefix) -> Option<Prefix> {
    let stem = checkpoint_list::without_glob(&prefix.stem);
    let head = crate::source::head(&Directory::open(&prefix.dir).ok()?, stem)?;
    Some(Prefix { dir: prefix.dir.clone(), stem: stem.into(), head })
}

/// The newest checkpoint of a directory, and how many there are: the newest complete one, as [`roster`] has it, else the
/// newest index.
///
/// # Errors
/// Those of reading, and that there is none.
pub fn newest(dir: &Path) -> Result<(Prefix, usize), Error> {
    let unreadable = |error| Error::Io(dir.into(), error);
    let directory = Directory::open(dir).map_err(unreadable)?;
    let state = checkpoint_list::state_file(&directory, OsStr::new("checkpoint"));
    let mut families = find_checkpoints(&directory, &directory.entries().map_err(unreadable)?);
    families.retain(|stem, _| !is_second_name(&directory, stem, state.as_ref()));
    let indexed = families.iter().filter(|(_, family)| family.index.is_some());
    let incomplete = indexed.clone().max_by(|a, b| checkpoint_list::by_age(*a, *b)).map(|(stem, _)| stem);
    let complete =
        checkpoint_list::in_order(&families, state.as_ref()).checkpoints.pop().map(|(stem, _)| stem);
    let stem = complete.or(incomplete.cloned()).ok_or_else(|| Error::no_checkpoints(dir))?;
    Ok((families[&stem].prefix(dir, &stem), indexed.count()))
}

/// Where a mount says how it is.
const STATUS: &str = ".ckptfs/status.json";

/// Returns true for the stem that a mount adds for its newest checkpoint. Its state file names all others.
fn is_second_name(directory: &Directory, stem: &OsStr, state: Option<&State>) -> bool {
    let is_named = || state.is_some_and(|state| checkpoint_list::named_by(state).contains(&stem));
    stem == "latest" && directory.metadata(OsStr::new(STATUS)).is_ok() && !is_named()
}

/// The prefixes in the directory of `path`, those with the most similar names first.
pub(crate) fn nearest(path: &Path) -> Vec<String> {
    let wanted = Prefix::of(path);
    Directory::open(&wanted.dir).map_or_else(|_| vec![], |directory| nearest_in(&directory, &wanted))
}

/// The same, in a folder that is held open.
pub(crate) fn nearest_in(directory: &Directory, wanted: &Prefix) -> Vec<String> {
    let families = find_checkpoints(directory, &directory.entries().unwrap_or_default());
    let indexed = families.iter().filter(|(_, family)| family.index.is_some());
    let prefixes = indexed.map(|(stem, family)| family.prefix(&wanted.dir, stem));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_name_of_a_mount_is_no_checkpoint_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        for stem in ["ckpt-8", "ckpt-9", "latest"] {
            write(&format!("{stem}.index"), "");
            write(&format!("{stem}.data-00000-of-00001"), "");
        }
        write(
            "checkpoint",
            "model_checkpoint_path: 'ckpt-9' all_model_checkpoint_paths: ['ckpt-8', 'ckpt-9']",
        );
        let newest = || newest(dir.path()).map(|(prefix, count)| (prefix.stem, count)).unwrap();
        assert_eq!(newest(), ("ckpt-9".into(), 3), "in a directory of its own it is one");
        fs::create_dir(dir.path().join(".ckptfs")).unwrap();
        write(STATUS, "{}");
        assert_eq!(newest(), ("ckpt-9".into(), 2));
        write("checkpoint", "model_checkpoint_path: 'latest'");
        assert_eq!(newest(), ("latest".into(), 3), "a mount of a checkpoint that is called so");
    }
}
