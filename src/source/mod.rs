//! Sources: a path that a person gives, to the checkpoint that a person means.
//!
//! TensorFlow's V2 bundle is the one that a prefix means; `SOURCES` has a row for each other format. A new one is a file of
//! its own and a row here.

mod bundle;
mod checkpoint_files;
mod checkpoint_list;
mod contents;
mod error;
mod hdf5;
mod meta_graph;
mod object_graph;
mod resolve;
mod safetensors;
mod sniff;
mod v1;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

pub use error::{Cut, Error, Fault};
pub use meta_graph::wanted as wanted_by_graph;

use crate::catalog::{Catalog, NativeFormat};
use crate::directory::{Directory, Entry};
pub use crate::source::checkpoint_files::{CheckpointFiles, Part, Prefix};
pub use crate::source::checkpoint_list::{CheckpointList, in_order, named_by, state_file};
pub use crate::source::resolve::{Resolved, VARIABLES, is_saved_model, newest, resolve};
use crate::source::sniff::Probe;
pub use crate::source::sniff::{is_index, is_table};
use crate::source_file::{SourceFile, Stamp};

/// A checkpoint that was opened: its index was read and checked, its data were not touched.
pub struct Checkpoint {
    /// Where it is and what it is called.
    pub prefix: Prefix,
    /// Its variables.
    pub catalog: Catalog,
    /// The index's identity, length and time when it was read.
    pub stamp: Stamp,
    /// What the user should know and what does not stop the work.
    pub warnings: Vec<String>,
}

/// A format other than TensorFlow's V2 bundle.
struct SourceFormat {
    /// The stem of a checkpoint whose head, the file that says what it holds, has that name. Names that many other files
    /// have too are not worth a look.
    stem: fn(&OsStr) -> Option<OsString>,
    /// Whether a file of any name is such a head.
    is_head: fn(&Probe) -> bool,
    /// What the name of a head ends in, where a mount shows the checkpoint in its own format too, under that name and the
    /// map: for programs that load that file.
    suffix: Option<&'static str>,
    open: fn(&Prefix, &Arc<Directory>) -> Result<Checkpoint, Error>,
}

/// The formats. A directory's checkpoints are those of the first that it has any of.
static FORMATS: &[SourceFormat] =
    &[v1::SOURCE, safetensors::INDEX, safetensors::FILE, hdf5::WEIGHTS, hdf5::LEGACY, hdf5::ARCHIVE];

impl SourceFormat {
    /// The stem of an entry that is a head, by name and content.
    fn stem_of(&self, directory: &Directory, entry: &Entry) -> Option<OsString> {
        let is_file = entry.kind.is_file() || entry.kind.is_symlink();
        let stem = is_file.then(|| (self.stem)(&entry.name)).flatten()?;
        of_head(&directory.reach(&entry.name)).filter(|source| std::ptr::eq(*source, self)).map(|_| stem)
    }

    /// The head of a stem; of several files that each are one, the first by name.
    fn head(&self, directory: &Directory, entries: &[Entry], stem: &OsStr) -> Option<OsString> {
        let heads = entries.iter().filter(|entry| (self.stem)(&entry.name).is_some_and(|own| own == stem));
        heads.filter(|entry| self.stem_of(directory, entry).is_some()).map(|entry| entry.name.clone()).min()
    }
}

/// Opens the checkpoint that `path` means: a prefix, any file of a checkpoint, a directory (its newest), a SavedModel.
///
/// # Errors
/// What is there instead of a checkpoint, or everything that is wrong with it.
pub fn open(path: &Path) -> Result<Checkpoint, Error> {
    let (prefix, note) = resolve::locate(path)?;
    let directory = Directory::open(&prefix.dir).map_err(|error| Error::Io(prefix.dir.clone(), error))?;
    let mut checkpoint = open_prefix(&prefix, &Arc::new(directory))?;
    checkpoint.warnings.splice(0..0, note);
    Ok(checkpoint)
}

/// Opens a checkpoint of a folder that is held open: TensorFlow's of that stem, or the first of any other format.
///
/// # Errors
/// As [`open`].
pub fn open_in(directory: &Arc<Directory>, stem: &OsStr) -> Result<Checkpoint, Error> {
    let prefix = Prefix::new(directory.path(), stem);
    let head = |_| head(directory, stem).map(|head| Prefix { head, ..prefix.clone() });
    open_prefix(&directory.metadata(&prefix.head).err().and_then(head).unwrap_or(prefix), directory)
}

/// Opens a checkpoint whose head is known.
///
/// # Errors
/// As [`open`].
pub fn open_prefix(prefix: &Prefix, directory: &Arc<Directory>) -> Result<Checkpoint, Error> {
    let mut checkpoint = match prefix.is_bundle() && directory.metadata(&prefix.head).is_ok() {
        true => bundle::open(prefix, directory)?,
        false => open_other(prefix, directory)?,
    };
    checkpoint.catalog.program = meta_graph::beside(prefix, directory);
    Ok(checkpoint)
}

/// Opens a checkpoint of another format than TensorFlow's.
fn open_other(prefix: &Prefix, directory: &Arc<Directory>) -> Result<Checkpoint, Error> {
    let source =
        of_head(&directory.reach(&prefix.head)).ok_or_else(|| Error::not_an_index(prefix, directory))?;
    let mut checkpoint = (source.open)(prefix, directory)?;
    checkpoint.catalog.native = source.suffix.map(|suffix| {
        let is_one_file = prefix.head.as_bytes().ends_with(suffix.as_bytes());
        let file = is_one_file.then(|| Arc::new(SourceFile::open_in(directory, &prefix.head)));
        NativeFormat { suffix, file }
    });
    Ok(checkpoint)
}

/// The checkpoints of a folder by stem: bundles, or where there are none those of another format.
pub fn find_checkpoints(directory: &Directory, entries: &[Entry]) -> BTreeMap<OsString, CheckpointFiles> {
    let bundles = checkpoint_files::bundles(directory, entries);
    if bundles.values().any(|family| family.index.is_some()) {
        return bundles;
    }
    let of = |source: &SourceFormat| -> BTreeMap<_, _> {
        let stems = entries.iter().filter_map(|entry| Some((source.stem_of(directory, entry)?, &entry.name)));
        let mut heads = BTreeMap::new();
        for (stem, name) in stems {
            let head = heads.entry(stem).or_insert(name);
            *head = name.min(*head);
        }
        heads
            .into_iter()
            .map(|(stem, head)| (stem, CheckpointFiles::of_other_format(directory, head, source.suffix)))
            .collect()
    };
    FORMATS.iter().map(of).find(|families| !families.is_empty()).unwrap_or(bundles)
}

/// The files of one checkpoint.
pub fn find_files(directory: &Directory, entries: &[Entry], prefix: &Prefix) -> Option<CheckpointFiles> {
    match prefix.is_bundle() {
        true => checkpoint_files::bundles(directory, entries).remove(&prefix.stem),
        false => {
            let source = of_head(&directory.reach(&prefix.head))?;
            Some(CheckpointFiles::of_other_format(directory, &prefix.head, source.suffix))
        }
    }
}

/// The head of a checkpoint of another format than TensorFlow's, by its stem.
fn head(directory: &Directory, stem: &OsStr) -> Option<OsString> {
    let entries = directory.entries().ok()?;
    FORMATS.iter().find_map(|source| source.head(directory, &entries, stem))
}

/// The format of a head by its content; of one that is damaged, and nothing else either, by the end of its name.
fn of_head(path: &Path) -> Option<&'static SourceFormat> {
    let (ends, name) = (Probe::read(path).ok()?, path.file_name()?);
    let is_named = |source: &&SourceFormat| (source.stem)(name).is_some_and(|stem| stem != name);
    let mut by_content = FORMATS.iter().filter(|source| (source.is_head)(&ends));
    let by_both = by_content.clone().find(is_named);
    let by_name = || sniff::lookalike(path).is_none().then(|| FORMATS.iter().find(is_named))?;
    by_both.or_else(|| by_content.next()).or_else(by_name)
}

/// The stem that is left of a name without its end.
fn without(name: &OsStr, end: &str) -> Option<OsString> {
    let stem = name.as_bytes().strip_suffix(end.as_bytes()).filter(|stem| !stem.is_empty())?;
    Some(OsStr::from_bytes(stem).into())
}
