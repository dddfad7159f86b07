//! The resolution of a path that the user gives to a checkpoint. Each file is probed once.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use crate::directory::{Directory, Entry};
use crate::format::checkpoint_state::State;
use crate::source::checkpoint_files::Part;
use crate::source::error::Error;
use crate::source::file_format::SourceFormat;
use crate::source::prefix::Prefix;
use crate::source::saved_model::{VARIABLES, is_saved_model};
use crate::source::sniff::Probe;
use crate::source::{checkpoint_files, checkpoint_list, diagnose, formats, leads};

/// A checkpoint that was found and not yet opened.
#[derive(Clone, Debug)]
pub struct Located {
    /// Its name.
    pub(crate) prefix: Prefix,
    /// Its directory, held open.
    pub(crate) directory: Arc<Directory>,
    /// Its format; `None` for TensorFlow's V2 bundle.
    pub(crate) format: Option<&'static SourceFormat>,
}

/// The kind of source to which a path resolves.
#[derive(Debug)]
pub enum Resolved {
    /// One checkpoint.
    Checkpoint(Located),
    /// A directory of checkpoints.
    Directory(Arc<Directory>),
    /// A SavedModel.
    SavedModel(Arc<Directory>),
}

/// Resolves a path: a prefix, any file of a checkpoint, a directory, a SavedModel.
///
/// # Errors
/// A description of what the path leads to instead, or the reason why it cannot be read.
pub fn resolve(path: &Path) -> Result<Resolved, Error> {
    let prefix = Prefix::of(path);
    let around = Directory::open(&prefix.dir).map(Arc::new);
    let asks_for_directory = path.as_os_str().as_bytes().ends_with(b"/");
    if let Ok(directory) = &around
        && !asks_for_directory
        && !prefix.stem.is_empty()
        && directory.metadata(&prefix.head).is_ok()
    {
        return Ok(Resolved::Checkpoint(Located { prefix, directory: directory.clone(), format: None }));
    }
    let unreadable = |error| Error::Io(path.into(), error);
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            let directory = Arc::new(Directory::open(path).map_err(unreadable)?);
            Ok(match is_saved_model(&directory) {
                true => Resolved::SavedModel(directory),
                false => Resolved::Directory(directory),
            })
        }
        Ok(_) => of_file(path, &prefix, &around.map_err(unreadable)?).map(Resolved::Checkpoint),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let located = around.as_ref().ok().and_then(|directory| of_other_format(directory, &prefix.stem));
            let nearest =
                || around.as_ref().map_or_else(|_| vec![], |around| diagnose::nearest(around, &prefix));
            located.map(Resolved::Checkpoint).ok_or_else(|| {
                let is_temporary = |around: &Arc<Directory>| {
                    let entries = around.entries().unwrap_or_default();
                    checkpoint_files::unfinished(around, &entries).contains(&prefix.stem)
                };
                let is_unfinished = around.as_ref().is_ok_and(is_temporary);
                let leads = leads::leads(path);
                Error::NotFound { path: path.into(), leads, nearest: nearest(), is_unfinished }
            })
        }
        Err(error) => Err(unreadable(error)),
    }
}

/// Finds the checkpoints to which a path resolves.
pub(crate) fn candidates(path: &Path) -> Result<Candidates, Error> {
    match resolve(path)? {
        Resolved::Checkpoint(located) => Ok(Candidates::one(located)),
        Resolved::SavedModel(directory) => {
            let dir = directory.path().join(VARIABLES);
            let directory = Directory::open(&dir).map_err(|error| Error::Io(dir.clone(), error))?;
            let prefix = Prefix::new(&dir, OsStr::new(VARIABLES));
            let located = Located { prefix, directory: Arc::new(directory), format: None };
            Ok(Candidates::one(located))
        }
        Resolved::Directory(directory) => Candidates::of_directory(&directory),
    }
}

/// Finds the checkpoint with this stem in an open directory: the V2 bundle, or else the first checkpoint of another
/// format.
pub(crate) fn locate_in(directory: &Arc<Directory>, stem: &OsStr) -> Located {
    let prefix = Prefix::new(directory.path(), stem);
    let directory = directory.clone();
    let other = directory.metadata(&prefix.head).err().and_then(|_| formats::find_head(&directory, stem));
    match other {
        Some((head, format)) => {
            Located { prefix: Prefix { head, ..prefix }, directory, format: Some(format) }
        }
        None => Located { prefix, directory, format: None },
    }
}

/// Finds the checkpoint to which a file belongs. `file` is the file's path, split as a prefix.
fn of_file(path: &Path, file: &Prefix, directory: &Arc<Directory>) -> Result<Located, Error> {
    let name = &file.stem;
    let probe = Probe::read(directory, name).map_err(|error| Error::Io(path.into(), error))?;
    if name == "checkpoint" && !probe.as_ref().is_some_and(Probe::is_table) {
        return Candidates::of_directory(directory).map(|mut candidates| candidates.located.swap_remove(0));
    }
    if let Some(format) = probe.as_ref().and_then(|probe| of_head(probe, name)) {
        let stem = (format.stem)(name);
        let head = match &stem {
            Some(stem) => formats::first_head(directory, format, stem, name),
            None => name.clone(),
        };
        let prefix = Prefix { dir: file.dir.clone(), stem: stem.unwrap_or_else(|| name.clone()), head };
        return Ok(Located { prefix, directory: directory.clone(), format: Some(format) });
    }
    let not_a_checkpoint = || diagnose::not_a_checkpoint(directory, file, path, probe.as_ref());
    let Some((stem, part)) = Part::of(name) else { return Err(not_a_checkpoint()) };
    let prefix = Prefix::new(&file.dir, &stem);
    if directory.metadata(&prefix.head).is_ok() {
        return Ok(Located { prefix, directory: directory.clone(), format: None });
    }
    of_other_format(directory, &stem).ok_or_else(|| match part {
        Part::Index => not_a_checkpoint(),
        _ => {
            let nearest = diagnose::nearest(directory, file);
            Error::NoIndex { path: path.into(), index: prefix.index(), nearest }
        }
    })
}

/// Returns the format of which the file is a head, regardless of its name. A bundle's index ends in the same magic
/// number as a V1 file, but is not such a head.
fn of_head(probe: &Probe, name: &OsStr) -> Option<&'static SourceFormat> {
    let is_index = Path::new(name).extension() == Some(OsStr::new("index"));
    (!is_index).then(|| formats::of_probe(probe, name)).flatten()
}

/// Finds the checkpoint with this stem in a format other than TensorFlow's V2 bundle.
fn of_other_format(directory: &Arc<Directory>, stem: &OsStr) -> Option<Located> {
    let stem = checkpoint_list::without_glob(stem);
    let (head, format) = formats::find_head(directory, stem)?;
    let prefix = Prefix { head, ..Prefix::new(directory.path(), stem) };
    Some(Located { prefix, directory: directory.clone(), format: Some(format) })
}

/// The checkpoints to which a path resolves, in the order in which they are tried: the newest first. Only a directory has
/// several.
pub(crate) struct Candidates {
    /// The checkpoints.
    pub(crate) located: Vec<Located>,
    /// The directory, if the path is one.
    pub(crate) of_directory: Option<Arc<Directory>>,
    /// The notes about saves that have not finished.
    pub(crate) unfinished: Vec<String>,
}

impl Candidates {
    fn one(located: Located) -> Self {
        Self { located: vec![located], of_directory: None, unfinished: Vec::new() }
    }

    /// Finds the checkpoints of a directory. The first is the last complete one in the order of `in_order`. Incomplete
    /// ones follow, the one with the newest index first.
    ///
    /// # Errors
    /// An error of reading, or [`Error::NoCheckpoints`].
    pub(crate) fn of_directory(directory: &Arc<Directory>) -> Result<Self, Error> {
        let unreadable = |error| Error::Io(directory.path().into(), error);
        let state = checkpoint_list::state_file(directory, OsStr::new("checkpoint"));
        let entries = directory.entries().map_err(unreadable)?;
        let mut checkpoints = formats::find_checkpoints(directory, &entries);
        checkpoints.retain(|stem, _| !is_second_name(directory, stem, state.as_ref()));
        let complete = checkpoint_list::in_order(&checkpoints, state.as_ref()).checkpoints;
        let complete: Vec<_> = complete.iter().rev().map(|(stem, _)| stem).collect();
        let incomplete = checkpoints.iter().filter(|(_, files)| files.index.is_some());
        let mut incomplete: Vec<_> = incomplete.filter(|(stem, _)| !complete.contains(stem)).collect();
        incomplete.sort_by(|a, b| checkpoint_list::by_age(*b, *a));
        let located = |stem: &OsString| {
            let files = &checkpoints[stem];
            let prefix = files.prefix(directory.path(), stem);
            Located { prefix, directory: directory.clone(), format: files.format }
        };
        let stems = complete.into_iter().chain(incomplete.into_iter().map(|(stem, _)| stem));
        let located: Vec<_> = stems.map(located).collect();
        match located.is_empty() {
            true => Err(diagnose::no_checkpoints(directory)),
            false => Ok(Self {
                located,
                of_directory: Some(directory.clone()),
                unfinished: unfinished(directory, &entries),
            }),
        }
    }

    /// Returns the notes for the user: one if there was a choice, and one for each save that has not finished.
    pub(crate) fn notes(&self, chosen: &Located) -> impl Iterator<Item = String> {
        let (count, stem) = (self.located.len(), chosen.prefix.stem.to_string_lossy());
        let directory = self.of_directory.as_ref().filter(|_| count > 1);
        let note = |directory: &Arc<Directory>| {
            format!("{} holds {count} checkpoints; using {stem}", directory.path().display())
        };
        directory.map(note).into_iter().chain(self.unfinished.clone())
    }
}

/// Returns a note about each save in a directory that has not finished.
pub(crate) fn unfinished(directory: &Directory, entries: &[Entry]) -> Vec<String> {
    let note = |stem: OsString| {
        let stem = stem.to_string_lossy();
        let temporary = directory.path().join(format!("{stem}_temp"));
        format!(
            "{}/: a save that has not finished, or was interrupted; {stem} is not there",
            temporary.display()
        )
    };
    checkpoint_files::unfinished(directory, entries).into_iter().map(note).collect()
}

/// The file in which a mount reports its status.
const STATUS: &str = ".ckptfs/status.json";

/// Returns true for the stem that a mount adds as a second name of its newest checkpoint. The state file of the mount
/// names all the other stems.
fn is_second_name(directory: &Directory, stem: &OsStr, state: Option<&State>) -> bool {
    let is_named = || state.is_some_and(|state| checkpoint_list::named_by(state).contains(&stem));
    stem == "latest" && directory.metadata(OsStr::new(STATUS)).is_ok() && !is_named()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_name_in_a_mount_is_not_counted_as_a_checkpoint() {
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
        let directory = Arc::new(Directory::open(dir.path()).unwrap());
        let newest = || {
            let found = Candidates::of_directory(&directory).unwrap().located;
            (found[0].prefix.stem.clone(), found.len())
        };
        assert_eq!(newest(), ("ckpt-9".into(), 3), "in a directory of its own it is one");
        fs::create_dir(dir.path().join(".ckptfs")).unwrap();
        write(STATUS, "{}");
        assert_eq!(newest(), ("ckpt-9".into(), 2));
        write("checkpoint", "model_checkpoint_path: 'latest'");
        assert_eq!(newest(), ("latest".into(), 3), "a mount of a checkpoint that is called so");
    }
}
