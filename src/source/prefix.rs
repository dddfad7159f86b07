//! The prefix of a checkpoint: its directory and the beginning of its files' names.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The name of a checkpoint: its directory and the beginning of its files' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// The beginning of its files' names.
    pub(crate) stem: OsString,
    /// The name of the head, the file that lists what the checkpoint holds.
    pub(crate) head: OsString,
}

impl Prefix {
    /// Splits a path at its last component.
    pub(crate) fn of(path: &Path) -> Self {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self::new(parent.unwrap_or(Path::new(".")), path.file_name().unwrap_or_default())
    }

    /// Returns the prefix of a V2 bundle in a directory.
    pub(crate) fn new(dir: &Path, stem: &OsStr) -> Self {
        Self { dir: dir.into(), stem: stem.into(), head: with_suffix(stem, ".index") }
    }

    /// Returns the path of the index, or of another head.
    pub(crate) fn index(&self) -> PathBuf {
        self.at(self.head.clone())
    }

    /// Returns true if the checkpoint is a V2 bundle.
    pub(crate) fn is_bundle(&self) -> bool {
        self.head == with_suffix(&self.stem, ".index")
    }

    /// Returns the file name of the program's graph, which a TF1 `Saver` writes.
    pub(crate) fn meta_name(&self) -> OsString {
        with_suffix(&self.stem, ".meta")
    }

    /// Returns the file name of a data file.
    pub(crate) fn data_name(&self, shard: u32, num_shards: u32) -> OsString {
        with_suffix(&self.stem, &format!(".data-{shard:05}-of-{num_shards:05}"))
    }

    /// Returns the prefix in the form that TensorFlow accepts.
    pub fn path(&self) -> PathBuf {
        self.at(self.stem.clone())
    }

    fn at(&self, name: OsString) -> PathBuf {
        if self.dir == Path::new(".") { name.into() } else { self.dir.join(name) }
    }
}

/// Appends a suffix to a stem.
pub(crate) fn with_suffix(stem: &OsStr, suffix: &str) -> OsString {
    [stem, OsStr::new(suffix)].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_names_its_files_as_tensorflow_does() {
        let prefix = Prefix::of(Path::new("train/ckpt-9"));
        assert_eq!(prefix.index(), Path::new("train/ckpt-9.index"));
        assert_eq!(prefix.data_name(3, 123_456), "ckpt-9.data-00003-of-123456");
        assert_eq!(Prefix::of(Path::new("train/part-0")).index(), Path::new("train/part-0.index"));
        assert_eq!(Prefix::of(Path::new("ckpt-9")).index(), Path::new("ckpt-9.index"));
    }
}
