//! The tree's interface to a source directory: checkpoints to plan and files to open.

use std::io;

use crate::catalog::Catalog;
use crate::format::checkpoint_state::State;
use crate::source_file::{SourceFile, Stamp};
use crate::tree::Kind;

/// A directory of the source.
pub trait Backend: Send + Sync {
    /// Lists the directory, using names only.
    ///
    /// # Errors
    /// File system errors.
    fn scan(&self) -> io::Result<Scan>;

    /// Plans a checkpoint that a scan found. Returns its variables under the names to show, and the state of its
    /// index file.
    ///
    /// # Errors
    /// The reason why the checkpoint cannot be shown, as text for the user.
    fn plan(&self, stem: &[u8]) -> Result<(Catalog, Stamp), String>;

    /// Returns the current state of a file.
    ///
    /// # Errors
    /// File system errors.
    fn stamp(&self, name: &[u8]) -> io::Result<Stamp>;

    /// Opens a file. A failure to open it is recorded in the returned value.
    fn file(&self, name: &[u8]) -> SourceFile;

    /// Opens a subdirectory.
    ///
    /// # Errors
    /// File system errors.
    fn directory(&self, name: &[u8]) -> io::Result<Box<dyn Backend>>;

    /// Returns the checkpoints that a state file names, newest first. Returns `None` if the file is not a state file.
    fn names_in_state_file(&self, name: &[u8]) -> Option<Vec<Vec<u8>>>;

    /// Returns the total size in bytes of all files in the directory and below it.
    fn len(&self) -> u64;

    /// Returns true if the total size is 0.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The contents of a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The modification time of the newest index, or of the directory if it has no index.
    pub(crate) mtime: (i64, i64),
    /// The permission bits of the directory.
    pub(crate) mode: u32,
    /// All checkpoints, complete or not.
    pub(crate) checkpoints: Vec<FoundCheckpoint>,
    /// All other entries.
    pub(crate) others: Vec<Other>,
    /// The complete checkpoints, oldest first. Empty if the directory gets no state file.
    pub(crate) in_order: Vec<Listed>,
    /// The time at which the last never-deleted checkpoint was written; 0 if unknown.
    pub(crate) last_preserved: f64,
}

/// A checkpoint, discovered by the names of its files.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundCheckpoint {
    /// The last component of the prefix.
    pub(crate) stem: Vec<u8>,
    /// The state of the index file.
    pub(crate) index: Stamp,
    /// The names of the data files as they will be shown, and the files' states; `None` if a state is unknown.
    pub(crate) data: Vec<(Vec<u8>, Option<Stamp>)>,
    /// True if the variables are shown as files too.
    pub(crate) has_tree: bool,
}

/// A file, directory or symlink that is shown unchanged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Other {
    /// The name.
    pub(crate) name: Vec<u8>,
    /// The type.
    pub(crate) kind: Kind,
    /// The link target if it is a symlink.
    pub(crate) target: Vec<u8>,
    /// The inode number in the source.
    pub(crate) ino: u64,
}

/// A complete checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    /// The last component of the prefix.
    pub(crate) stem: Vec<u8>,
    /// The time at which it was written, if the source's state file contains it.
    pub(crate) time: Option<f64>,
}

/// Returns the state file that names these checkpoints, the newest last. Timestamps are included only if all are
/// known.
pub(crate) fn state(checkpoints: &[&Listed], last_preserved: f64) -> State {
    let paths: Vec<_> = checkpoints.iter().map(|listed| listed.stem.clone()).collect();
    let times: Option<Vec<_>> = checkpoints.iter().map(|listed| listed.time).collect();
    State {
        model_checkpoint_path: paths.last().cloned().unwrap_or_default(),
        all_model_checkpoint_paths: paths,
        last_preserved_timestamp: if times.is_some() { last_preserved } else { 0.0 },
        all_model_checkpoint_timestamps: times.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(stem: &str, time: Option<f64>) -> Listed {
        Listed { stem: stem.into(), time }
    }

    #[test]
    fn times_are_kept_if_all_are_known() {
        let (eight, nine) = (listed("ckpt-8", Some(8.0)), listed("ckpt-9", Some(9.0)));
        let whole = state(&[&eight, &nine], 7.0);
        assert_eq!(whole.model_checkpoint_path, b"ckpt-9");
        assert_eq!(whole.all_model_checkpoint_timestamps, [8.0, 9.0]);
        assert_eq!(whole.last_preserved_timestamp, 7.0);
        let partly = state(&[&eight, &listed("ckpt-10", None)], 7.0);
        assert_eq!(partly.all_model_checkpoint_paths, [b"ckpt-8".to_vec(), b"ckpt-10".to_vec()]);
        assert!(partly.all_model_checkpoint_timestamps.is_empty());
        assert_eq!(partly.last_preserved_timestamp, 0.0);
    }
}
