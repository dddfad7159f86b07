//! The sources: from a path to a checkpoint.
//!
//! ```text
//! path ─► resolve.rs ─► Located { prefix, directory, format } ─► bundle/ v1/ hdf5/ safetensors/ ─► Checkpoint
//!         sniff.rs: a file's first and last bytes, read once      (formats.rs: one row per format)
//!         diagnose.rs: what the path leads to instead
//! ```
//!
//! The format of a prefix is TensorFlow's V2 bundle unless its head says otherwise. A new format is a directory of
//! its own and a row in formats.rs.

mod bundle;
mod checkpoint;
mod checkpoint_files;
mod checkpoint_list;
mod diagnose;
mod error;
mod file_format;
mod formats;
mod hdf5;
mod lead;
mod leads;
mod meta_graph;
mod object_graph;
mod other_step;
mod prefix;
mod resolve;
mod rights;
mod safetensors;
mod saved_model;
mod sniff;
mod v1;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

pub use checkpoint::Checkpoint;
pub(crate) use checkpoint_files::{CheckpointFiles, Part, unfinished as unfinished_saves};
pub(crate) use checkpoint_list::{CheckpointList, by_number, in_order, named_by, state_file};
pub(crate) use diagnose::no_checkpoints;
pub use error::{Error, Fault};
pub(crate) use formats::{find_checkpoints, find_files};
pub use lead::{Lead, LeadKind};
pub(crate) use lead::{shown, word};
pub(crate) use leads::first_missing;
pub(crate) use meta_graph::wanted as wanted_by_graph;
pub(crate) use other_step::other_step;
pub use prefix::Prefix;
pub(crate) use resolve::{Candidates, candidates, unfinished};
pub use resolve::{Located, Resolved, resolve};
pub(crate) use rights::{Obstacle, obstacle};
pub(crate) use saved_model::{VARIABLES, is_saved_model};
pub(crate) use sniff::{is_index, is_table};

use crate::catalog::NativeFormat;
use crate::directory::Directory;
use crate::source::file_format::SourceFormat;
use crate::source::sniff::Probe;
use crate::source_file::SourceFile;

/// Opens the checkpoint to which `path` resolves. The path is a prefix, any file of a checkpoint, a directory (its
/// newest checkpoint that is sound) or a SavedModel. Variables may be damaged: they are in the catalog, but have no
/// values.
///
/// # Examples
///
/// ```
/// use ckptfs::source;
///
/// // A prefix, any file of the checkpoint, or its directory.
/// let checkpoint = source::open("tests/fixtures/tf-2.21/ddp".as_ref())?;
/// assert_eq!(checkpoint.prefix.path().file_name().unwrap(), "ckpt-9");
/// # Ok::<(), source::Error>(())
/// ```
///
/// # Errors
/// A description of what the path leads to instead of a checkpoint, or every fault of the checkpoint.
pub fn open(path: &Path) -> Result<Checkpoint, Error> {
    let candidates = resolve::candidates(path)?;
    let is_sound = |checkpoint: &Checkpoint| {
        let Checkpoint { catalog, .. } = checkpoint;
        catalog.damaged().next().is_none() && catalog.damaged_graph().is_none()
    };
    let older = candidates.located.iter().skip(1);
    let mut skipped = Vec::new();
    let (located, mut checkpoint) = match open_located(&candidates.located[0]) {
        Ok(checkpoint) if is_sound(&checkpoint) => (&candidates.located[0], checkpoint),
        first => {
            let mut sound = older.filter_map(|located| {
                Some((located, open_located(located).ok().filter(|checkpoint| is_sound(checkpoint))?))
            });
            match sound.next() {
                None => (&candidates.located[0], first?),
                Some(sound) => {
                    let stem = candidates.located[0].prefix.stem.to_string_lossy();
                    let why = first.err().map(|error| format!(": {error}")).unwrap_or_default();
                    skipped.push(format!("{stem} is not whole and not used{why}"));
                    sound
                }
            }
        }
    };
    let notes = skipped.into_iter().chain(candidates.notes(located));
    checkpoint.warnings.splice(0..0, notes);
    Ok(checkpoint)
}

/// Opens the checkpoint with this stem in an open directory: the V2 bundle, or else the first checkpoint of another
/// format.
///
/// # Errors
/// The same as those of [`open`].
pub(crate) fn open_in(directory: &Arc<Directory>, stem: &OsStr) -> Result<Checkpoint, Error> {
    open_located(&resolve::locate_in(directory, stem))
}

/// Opens a checkpoint whose prefix is known. The format of its head is detected again.
///
/// # Errors
/// The same as those of [`open`].
pub(crate) fn open_prefix(prefix: &Prefix, directory: &Arc<Directory>) -> Result<Checkpoint, Error> {
    let is_bundle = prefix.is_bundle() && directory.metadata(&prefix.head).is_ok();
    let format = match is_bundle {
        true => None,
        false => {
            let probe = Probe::read(directory, &prefix.head);
            let probe = probe.map_err(|error| Error::Io(prefix.index(), error))?;
            let format = probe.as_ref().and_then(|probe| formats::of_probe(probe, &prefix.head));
            let other = || diagnose::not_a_checkpoint(directory, prefix, &prefix.index(), probe.as_ref());
            Some(format.ok_or_else(other)?)
        }
    };
    open_located(&Located { prefix: prefix.clone(), directory: directory.clone(), format })
}

/// Opens a checkpoint that was located. Its format is detected again only for an error message.
///
/// # Errors
/// The same as those of [`open`].
pub(crate) fn open_located(located: &Located) -> Result<Checkpoint, Error> {
    let Located { prefix, directory, format } = located;
    let mut checkpoint = match format {
        None => bundle::open(prefix, directory)
            .map_err(|error| diagnose::malformed_index(error, prefix, directory))?,
        Some(format) => open_other(format, prefix, directory)?,
    };
    checkpoint.catalog.program = meta_graph::saved_program(prefix, directory);
    Ok(checkpoint)
}

/// Opens a checkpoint of a format other than TensorFlow's V2 bundle.
fn open_other(
    format: &SourceFormat,
    prefix: &Prefix,
    directory: &Arc<Directory>,
) -> Result<Checkpoint, Error> {
    let mut checkpoint = (format.open)(prefix, directory)?;
    checkpoint.catalog.native = format.suffix.map(|suffix| {
        let is_one_file = prefix.head.as_bytes().ends_with(suffix.as_bytes());
        let head = directory.path().join(&prefix.head);
        let opened = || checkpoint.catalog.shards.iter().find(|file| file.path() == head).cloned();
        let open = || Arc::new(SourceFile::open_in(directory, &prefix.head));
        let file = is_one_file.then(|| opened().unwrap_or_else(open));
        NativeFormat { suffix, file }
    });
    Ok(checkpoint)
}
