//! What a directory of the source looks like from here: checkpoints that can be planned, and files that can be opened.

use std::io;

use crate::catalog::Catalog;
use crate::format::checkpoint_state::State;
use crate::source_file::{SourceFile, Stamp};
use crate::tree::Kind;

/// A directory of the source.
pub trait Backend: Send + Sync {
    /// What is in it now, by names alone.
    ///
    /// # Errors
    /// Those of the file system.
    fn scan(&self) -> io::Result<Scan>;

    /// A checkpoint that a scan found: its variables under the names that are to be shown, and its index's state.
    ///
    /// # Errors
    /// Why it cannot be shown, for a person to read.
    fn plan(&self, stem: &[u8]) -> Result<(Catalog, Stamp), String>;

    /// What a file is now.
    ///
    /// # Errors
    /// Those of the file system.
    fn stamp(&self, name: &[u8]) -> io::Result<Stamp>;

    /// A file, opened now.
    fn file(&self, name: &[u8]) -> SourceFile;

    /// A directory in it.
    ///
    /// # Errors
    /// Those of the file system.
    fn directory(&self, name: &[u8]) -> io::Result<Box<dyn Backend>>;

    /// The checkpoints that a file names, the newest first, if it is a state file.
    fn names_in_state_file(&self, name: &[u8]) -> Option<Vec<Vec<u8>>>;

    /// Bytes of all files in it and below it.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a directory holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// Time of its newest index; of itself if it has none.
    pub(crate) mtime: (i64, i64),
    /// Its permission bits.
    pub(crate) mode: u32,
    /// Its checkpoints, complete or not.
    pub(crate) checkpoints: Vec<FoundCheckpoint>,
    /// Everything else.
    pub(crate) others: Vec<Other>,
    /// The complete ones, oldest first; empty where there is to be no state file.
    pub(crate) in_order: Vec<Listed>,
    /// When the last one that is never deleted was written; 0 if nobody said.
    pub(crate) last_preserved: f64,
}

/// A checkpoint, by the names of its files.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundCheckpoint {
    /// The prefix's last component.
    pub(crate) stem: Vec<u8>,
    /// Its index.
    pub(crate) index: Stamp,
    /// The names of its data files as they will be shown, and what they are; `None` if that cannot be told.
    pub(crate) data: Vec<(Vec<u8>, Option<Stamp>)>,
    /// Whether its variables are shown as files too.
    pub(crate) has_tree: bool,
}

/// A file, directory or link that is shown as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Other {
    /// Its name.
    pub(crate) name: Vec<u8>,
    /// What it is.
    pub(crate) kind: Kind,
    /// Where it leads, if it is a link.
    pub(crate) target: Vec<u8>,
    /// Its inode number in the source.
    pub(crate) ino: u64,
}

/// A complete checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    /// Its stem.
    pub(crate) stem: Vec<u8>,
    /// When it was written, if the source's state file says.
    pub(crate) time: Option<f64>,
}

/// The state file that names these checkpoints, of which the last is the newest. Times are kept if all are known.
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
