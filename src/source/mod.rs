//! Sources: a path that a person gives, to the checkpoint that a person means.
//!
//! [`SOURCES`] has a row for each format; a new one is a file of its own and a row here.

mod bundle;
mod error;
mod family;
mod identify;
mod locate;
mod object_graph;

use std::path::Path;

pub use error::{Error, Fault};
pub use family::Prefix;

use crate::catalog::Catalog;
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
    detect: fn(&Prefix) -> bool,
    open: fn(&Prefix) -> Result<Checkpoint, Error>,
}

const SOURCES: &[Source] = &[bundle::SOURCE];

/// The prefix of the checkpoint that `path` means, and what to tell the user about the choice. Nothing is opened.
///
/// # Errors
/// What is there instead of a checkpoint.
pub fn locate(path: &Path) -> Result<(Prefix, Option<String>), Error> {
    locate::locate(path)
}

/// Opens the checkpoint that `path` means: a prefix, any file of a checkpoint, a directory (its newest), a SavedModel.
///
/// # Errors
/// What is there instead of a checkpoint, or everything that is wrong with it.
pub fn open(path: &Path) -> Result<Checkpoint, Error> {
    let (prefix, note) = locate::locate(path)?;
    let source = SOURCES.iter().find(|source| (source.detect)(&prefix));
    let source = source.ok_or_else(|| Error::not_a_checkpoint(&prefix.index()))?;
    let mut checkpoint = (source.open)(&prefix)?;
    checkpoint.warnings.splice(0..0, note);
    Ok(checkpoint)
}
