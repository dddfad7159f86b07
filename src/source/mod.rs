//! Sources: a path that a person gives, to the checkpoint that a person means.
//!
//! `SOURCES` has a row for each format; a new one is a file of its own and a row here.

mod bundle;
mod error;
mod family;
mod hdf5;
mod identify;
mod locate;
mod object_graph;
mod roster;

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

pub use error::{Error, Fault};
pub use family::{Family, Part, Prefix, families};
pub use identify::{is_index, is_table};
pub use locate::{Meant, VARIABLES, is_saved_model, meant};
pub use roster::{Roster, named, roster, state_file};

use crate::catalog::Catalog;
use crate::folder::Folder;
use crate::shard::Stamp;

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

/// A format.
struct Source {
    /// Whether the files under a prefix are of this format.
    detect: fn(&Prefix, &Folder) -> bool,
    open: fn(&Prefix, &Arc<Folder>) -> Result<Checkpoint, Error>,
}

const SOURCES: &[Source] = &[hdf5::SOURCE, bundle::SOURCE];

/// Opens the checkpoint that `path` means: a prefix, any file of a checkpoint, a directory (its newest), a SavedModel.
///
/// # Errors
/// What is there instead of a checkpoint, or everything that is wrong with it.
pub fn open(path: &Path) -> Result<Checkpoint, Error> {
    let (prefix, note) = locate::locate(path)?;
    let folder = Folder::open(&prefix.dir).map_err(|error| Error::Io(prefix.dir.clone(), error))?;
    let mut checkpoint = open_prefix(&prefix, &Arc::new(folder))?;
    checkpoint.warnings.splice(0..0, note);
    Ok(checkpoint)
}

/// Opens a checkpoint of a folder that is held open.
///
/// # Errors
/// As [`open`].
pub fn open_in(folder: &Arc<Folder>, stem: &OsStr) -> Result<Checkpoint, Error> {
    open_prefix(&Prefix { dir: folder.path().into(), stem: stem.into() }, folder)
}

fn open_prefix(prefix: &Prefix, folder: &Arc<Folder>) -> Result<Checkpoint, Error> {
    let source = SOURCES.iter().find(|source| (source.detect)(prefix, folder));
    let source = source.ok_or_else(|| Error::not_an_index(prefix, folder))?;
    (source.open)(prefix, folder)
}
