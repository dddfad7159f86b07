//! What a mount shows of a source: where sources, the map and the tree meet.
//!
//! A mirror is a directory of the source, held open, and the map in force. It lists by names alone; a checkpoint is opened
//! and mapped when the tree asks for its plan. What kind of directory it is decides which checkpoints it has:
//!
//! | | checkpoints |
//! |---|---|
//! | a directory | those in it |
//! | a prefix | that one, and nothing else of its directory |
//! | the same, with all around it | those of its directory, and only that one under the map |
//! | a SavedModel | `remapped`: its variables under the map; they themselves stay where they are |
//! | `variables/` of a SavedModel | its variables, which only gain names: its loaders know them by the old ones |

mod saved_model;
mod scan;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use crate::catalog::Catalog;
use crate::checksums::ChecksumStore;
use crate::directory::Directory;
use crate::source::{Checkpoint, Resolved};
use crate::source_file::{SourceFile, Stamp};
use crate::transform::{Transform, TransformError, Transformed};
use crate::tree::{Backend, Scan};
use crate::{remap, source};

/// A directory of a source, and what is done to its checkpoints.
pub struct MountedSource {
    dir: Arc<Directory>,
    kind: SourceKind,
    transform: Arc<Transform>,
    checksum_store: Option<Arc<dyn ChecksumStore>>,
    /// How many directories below the topmost.
    depth: usize,
}

enum SourceKind {
    Directory,
    /// The only checkpoint that is shown.
    Prefix(source::Prefix),
    /// The only checkpoint of a directory that the map applies to.
    Around(source::Prefix),
    SavedModel,
    Variables,
}

/// Why the newest checkpoint of a source cannot be mounted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The map, or the checkpoint it is to be like.
    #[error(transparent)]
    Unmade(#[from] TransformError),
}

/// The newest checkpoint, opened and mapped.
pub(crate) struct Newest {
    /// What it is called in the mount.
    pub(crate) stem: OsString,
    /// Its variables under their new names.
    pub(crate) checkpoint: Checkpoint,
    /// What was done to it.
    pub(crate) transformed: Transformed,
    /// How many checkpoints there are.
    pub(crate) count: usize,
}

impl MountedSource {
    /// The mirror of what `path` means.
    ///
    /// # Errors
    /// What is there instead of a checkpoint.
    pub fn open(path: &Path, transform: Arc<Transform>) -> Result<Self, source::Error> {
        let (dir, kind) = match source::resolve(path)? {
            Resolved::Checkpoint(located) => (located.directory, SourceKind::Prefix(located.prefix)),
            Resolved::Directory(dir) => (dir, SourceKind::Directory),
            Resolved::SavedModel(dir) => {
                (Arc::new(Directory::clone(&dir).confined()), SourceKind::SavedModel)
            }
        };
        Ok(Self { dir, kind, transform, checksum_store: None, depth: 0 })
    }

    /// The same, with a place for the checksums that are computed.
    pub(crate) fn with_checksum_store(self, keep: Option<Arc<dyn ChecksumStore>>) -> Self {
        Self { checksum_store: keep, ..self }
    }

    /// The mirror of the whole directory that holds what `path` means: a checkpoint as the map has it, all else as it is.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn around(path: &Path, transform: Arc<Transform>) -> Result<Self, source::Error> {
        let source_dir = Self::open(path, transform)?;
        let kind = match source_dir.kind {
            SourceKind::Prefix(prefix) => SourceKind::Around(prefix),
            kind => kind,
        };
        Ok(Self { kind, ..source_dir })
    }

    /// The directory itself.
    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// Opens the newest checkpoint and holds the map against it.
    ///
    /// # Errors
    /// Everything that is wrong with either, or that there is none.
    pub(crate) fn newest(&self) -> Result<Newest, Error> {
        let scan = self.scan().map_err(|error| self.unreadable(error))?;
        let complete = scan.in_order.last().map(|listed| &listed.stem);
        let incomplete =
            || scan.checkpoints.iter().max_by_key(|found| found.index.mtime).map(|found| &found.stem);
        let stem = match &self.kind {
            SourceKind::Around(prefix) => Some(prefix.stem.as_bytes()),
            _ => complete.or_else(incomplete).map(Vec::as_slice),
        };
        let stem = OsStr::from_bytes(stem.ok_or_else(|| source::no_checkpoints(&self.dir))?);
        let mut checkpoint = self.checkpoint(stem)?;
        checkpoint.catalog.checksum_store = self.checksum_store.clone();
        let outcome = self.transform.apply_to(&checkpoint.stamp, &mut checkpoint.catalog)?;
        Ok(Newest { stem: stem.into(), checkpoint, transformed: outcome, count: scan.checkpoints.len() })
    }

    /// The directory that it mirrors, or the prefix.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.kind {
            SourceKind::Prefix(prefix) | SourceKind::Around(prefix) => self.dir.path().join(&prefix.stem),
            _ => self.dir.path().into(),
        }
    }

    /// The checkpoint that a stem here stands for, as the source has it.
    fn checkpoint(&self, stem: &OsStr) -> Result<Checkpoint, source::Error> {
        match &self.kind {
            SourceKind::Prefix(prefix) | SourceKind::Around(prefix) if stem == prefix.stem => {
                source::open_prefix(prefix, &self.dir)
            }
            SourceKind::SavedModel if stem == saved_model::REMAPPED => {
                let variables = self.dir.open_dir(OsStr::new(source::VARIABLES));
                let variables = variables.map_err(|error| self.unreadable(error))?;
                source::open_in(&Arc::new(variables), OsStr::new(source::VARIABLES))
            }
            _ => source::open_in(&self.dir, stem),
        }
    }

    /// What is done to a checkpoint here.
    fn transform_of(&self, stem: &[u8]) -> &Transform {
        static NOTHING: LazyLock<Transform> = LazyLock::new(Transform::default);
        match &self.kind {
            SourceKind::Around(only) if only.stem.as_bytes() != stem => &NOTHING,
            _ => &self.transform,
        }
    }

    fn unreadable(&self, error: io::Error) -> source::Error {
        source::Error::Io(self.dir.path().into(), error)
    }
}

impl Backend for MountedSource {
    fn scan(&self) -> io::Result<Scan> {
        scan::scan(self)
    }

    fn plan(&self, stem: &[u8]) -> Result<(Catalog, Stamp), String> {
        let mut checkpoint = self.checkpoint(OsStr::from_bytes(stem)).map_err(|error| error.to_string())?;
        checkpoint.warnings.iter().for_each(|warning| log::warn!("{warning}"));
        let prefix = checkpoint.prefix.path();
        let catalog = &mut checkpoint.catalog;
        catalog.checksum_store = self.checksum_store.clone();
        match self.kind {
            // Whatever the map means to others: who loads a SavedModel must find what was saved.
            SourceKind::Variables => {
                catalog.h5_layout = self.transform.h5_layout.unwrap_or(catalog.h5_layout);
                let laid = self.transform.overlays.lay(catalog);
                laid.map_err(|unlaid| format!("{}: {unlaid}", prefix.display()))?;
                if let Err(misfit) = remap::add(&self.transform.map, catalog) {
                    log::warn!("{}: no names added: {misfit}", prefix.display());
                }
            }
            _ => {
                let outcome = self.transform_of(stem).apply(catalog);
                let unmade = |unmade| {
                    let what =
                        if matches!(unmade, TransformError::Unlaid(_)) { "an overlay" } else { "the map" };
                    format!("{}: {what} does not fit\n{unmade}", prefix.display())
                };
                let Transformed { overlays: laid, report, .. } = outcome.map_err(unmade)?;
                laid.warnings.iter().for_each(|warning| log::warn!("{}: {warning}", prefix.display()));
                report.warnings.iter().for_each(|warning| log::warn!("{}: {warning}", prefix.display()));
            }
        }
        Ok((checkpoint.catalog, checkpoint.stamp))
    }

    fn stamp(&self, name: &[u8]) -> io::Result<Stamp> {
        self.dir.metadata(OsStr::from_bytes(name)).map(|meta| Stamp::from(&meta))
    }

    fn file(&self, name: &[u8]) -> SourceFile {
        SourceFile::open_in(&self.dir, OsStr::from_bytes(name)).growing()
    }

    fn directory(&self, name: &[u8]) -> io::Result<Box<dyn Backend>> {
        let name = OsStr::from_bytes(name);
        let directory = self.dir.open_dir(name)?;
        let is_variables = matches!(self.kind, SourceKind::SavedModel) && name == source::VARIABLES;
        let (directory, kind) = match source::is_saved_model(&directory) {
            _ if is_variables => (directory, SourceKind::Variables),
            true => (directory.confined(), SourceKind::SavedModel),
            false => (directory, SourceKind::Directory),
        };
        let transform = match self.kind {
            SourceKind::Around(_) => Arc::default(),
            _ => self.transform.clone(),
        };
        Ok(Box::new(Self {
            dir: Arc::new(directory),
            kind,
            transform,
            checksum_store: self.checksum_store.clone(),
            depth: self.depth + 1,
        }))
    }

    fn names_in_state_file(&self, name: &[u8]) -> Option<Vec<Vec<u8>>> {
        let state = source::state_file(&self.dir, OsStr::from_bytes(name))?;
        Some(source::named_by(&state).into_iter().map(|stem| stem.as_bytes().to_vec()).collect())
    }

    fn len(&self) -> u64 {
        match &self.kind {
            SourceKind::Prefix(_) => scan::len_of_checkpoints(self),
            _ => self.dir.disk_usage(),
        }
    }
}
