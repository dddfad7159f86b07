//! The connection between sources, maps and the tree: the part of a source that a mount shows.
//!
//! A mounted source is an open directory of the source, together with the active map. Listing uses file names only. A
//! checkpoint is opened and mapped when the tree requests its plan. The kind of directory determines its checkpoints:
//!
//! | | checkpoints |
//! |---|---|
//! | a directory | the checkpoints in it |
//! | a prefix | this checkpoint, without the other files of its directory |
//! | a prefix with its directory | the checkpoints of the directory; the map applies only to the prefix |
//! | a SavedModel | `remapped`: its variables under the map; the originals stay where they are |
//! | `variables/` of a SavedModel | its variables under old and new names, because its loaders use the old ones |

pub(crate) mod newest;
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
use crate::mounted_source::newest::{Skipped, first_sound};
use crate::source::{Checkpoint, Resolved};
use crate::source_file::{SourceFile, Stamp};
use crate::transform::{Transform, TransformError, Transformed};
use crate::tree::{Backend, Scan};
use crate::{remap, source};

/// A directory of a source, and the transform of its checkpoints.
pub struct MountedSource {
    dir: Arc<Directory>,
    kind: SourceKind,
    transform: Arc<Transform>,
    checksum_store: Option<Arc<dyn ChecksumStore>>,
    /// The number of directories between this one and the topmost.
    depth: usize,
}

enum SourceKind {
    Directory,
    /// The prefix of the only checkpoint that is shown.
    Prefix(source::Prefix),
    /// The prefix of the only checkpoint in the directory that the map applies to.
    Around(source::Prefix),
    SavedModel,
    Variables,
}

/// The reason why the newest checkpoint of a source cannot be mounted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error of the source.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// An error of the transform.
    #[error(transparent)]
    Transform(#[from] TransformError),
}

/// The newest checkpoint, opened and mapped.
pub(crate) struct Newest {
    /// The stem of the checkpoint in the mount.
    pub(crate) stem: OsString,
    /// The checkpoint, with its variables under their new names.
    pub(crate) checkpoint: Checkpoint,
    /// The result of the transform.
    pub(crate) transformed: Transformed,
    /// The number of checkpoints in the directory.
    pub(crate) count: usize,
    /// The newer checkpoints that are damaged and not served.
    pub(crate) skipped: Vec<Skipped>,
}

impl Error {
    /// Returns true if the checkpoint is damaged or cannot be read, so that an older one may do.
    fn is_damage(&self) -> bool {
        matches!(self, Self::Source(_) | Self::Transform(TransformError::Damaged(_)))
    }

    /// Adds the command line to the flags that an error about damage suggests.
    pub(crate) fn in_command(mut self, command: &str) -> Self {
        if let Self::Transform(TransformError::Damaged(damaged)) = &mut self
            && damaged.command.is_empty()
        {
            damaged.command = command.into();
        }
        self
    }
}

impl MountedSource {
    /// Opens the source that `path` refers to.
    ///
    /// # Errors
    /// A description of the files that exist instead of a checkpoint.
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

    /// Sets the store for computed checksums.
    pub(crate) fn with_checksum_store(self, keep: Option<Arc<dyn ChecksumStore>>) -> Self {
        Self { checksum_store: keep, ..self }
    }

    /// Opens the whole directory that contains the source that `path` refers to. The map applies to that checkpoint;
    /// everything else is shown unchanged.
    ///
    /// # Errors
    /// Same as [`Self::open`].
    pub(crate) fn around(path: &Path, transform: Arc<Transform>) -> Result<Self, source::Error> {
        let source_dir = Self::open(path, transform)?;
        let kind = match source_dir.kind {
            SourceKind::Prefix(prefix) => SourceKind::Around(prefix),
            kind => kind,
        };
        Ok(Self { kind, ..source_dir })
    }

    /// Returns the path of the directory.
    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// Opens the newest sound checkpoint and applies the transform to it.
    ///
    /// # Errors
    /// All errors of the newest checkpoint or of the transform, or the error that there is no checkpoint.
    pub(crate) fn newest(&self) -> Result<Newest, Error> {
        let scan = self.scan().map_err(|error| self.unreadable(error))?;
        let stems = match &self.kind {
            SourceKind::Around(prefix) => vec![prefix.stem.clone()],
            _ => newest_first(&scan),
        };
        if stems.is_empty() {
            return Err(source::no_checkpoints(&self.dir).into());
        }
        let open = |stem: &OsString| {
            let mut checkpoint = self.checkpoint(stem)?;
            if let SourceKind::Directory = self.kind {
                checkpoint
                    .warnings
                    .extend(source::unfinished(&self.dir, &self.dir.entries().unwrap_or_default()));
            }
            checkpoint.catalog.checksum_store = self.checksum_store.clone();
            let applied = self.transform.apply_to(&checkpoint.stamp, &mut checkpoint.catalog);
            let outcome = applied.map_err(|error| self.advised(error, &checkpoint))?;
            Ok((stem.clone(), checkpoint, outcome))
        };
        let ((stem, checkpoint, transformed), skipped) = first_sound(&stems, OsString::clone, open)?;
        Ok(Newest { stem, checkpoint, transformed, count: scan.checkpoints.len(), skipped })
    }

    /// Adds to an error about damage what can be done about it.
    fn advised(&self, error: TransformError, checkpoint: &Checkpoint) -> TransformError {
        newest::advised(error, checkpoint, &self.dir, matches!(self.kind, SourceKind::Directory))
    }

    /// Returns the path of the directory, or the prefix of the only checkpoint that the map applies to.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.kind {
            SourceKind::Prefix(prefix) | SourceKind::Around(prefix) => self.dir.path().join(&prefix.stem),
            _ => self.dir.path().into(),
        }
    }

    /// Opens the checkpoint with a stem in this directory, without transforming it.
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

    /// Returns the transform of a checkpoint in this directory.
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

/// Returns the stems of a scan, the newest first. Incomplete checkpoints follow the complete ones.
fn newest_first(scan: &Scan) -> Vec<OsString> {
    let complete = scan.in_order.iter().rev().map(|listed| &listed.stem);
    let is_complete = |stem: &Vec<u8>| scan.in_order.iter().any(|listed| listed.stem == *stem);
    let mut incomplete: Vec<_> = scan.checkpoints.iter().filter(|found| !is_complete(&found.stem)).collect();
    incomplete.sort_by_key(|found| std::cmp::Reverse(found.index.mtime));
    let stems = complete.chain(incomplete.into_iter().map(|found| &found.stem));
    stems.map(|stem| OsStr::from_bytes(stem).to_owned()).collect()
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
            // The variables must stay under their saved names, regardless of the map, because a SavedModel's loaders
            // look for these.
            SourceKind::Variables => {
                catalog.h5_layout = self.transform.h5_layout.unwrap_or(catalog.h5_layout);
                let salvaged = self
                    .transform
                    .without_rules()
                    .apply(catalog)
                    .map_err(|error| self.advised(error, &checkpoint));
                let salvaged = salvaged.map_err(|error| format!("{}: {error}", prefix.display()))?.salvaged;
                salvaged.iter().for_each(|warning| log::warn!("{}: {warning}", prefix.display()));
                let catalog = &mut checkpoint.catalog;
                if let Err(mismatch) = remap::add(&self.transform.map, catalog) {
                    log::warn!("{}: no names added: {mismatch}", prefix.display());
                }
            }
            _ => {
                let outcome = self.transform_of(stem).apply(catalog);
                let error = |error| match self.advised(error, &checkpoint) {
                    error @ TransformError::Damaged(_) => error.to_string(),
                    error @ TransformError::Overlay(_) => {
                        format!("{}: an overlay does not fit\n{error}", prefix.display())
                    }
                    error => format!("{}: the map does not fit\n{error}", prefix.display()),
                };
                let Transformed { overlays: overlaid, report, salvaged, warnings, .. } =
                    outcome.map_err(error)?;
                salvaged.iter().for_each(|warning| log::warn!("{}: {warning}", prefix.display()));
                overlaid.warnings.iter().for_each(|warning| log::warn!("{}: {warning}", prefix.display()));
                report.warnings.iter().for_each(|warning| log::warn!("{}: {warning}", prefix.display()));
                warnings.iter().for_each(|warning| log::warn!("{}: {warning}", prefix.display()));
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
