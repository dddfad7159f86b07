//! The variable whose recorded checksum TensorFlow prints: `Checksum does not match: stored 4151747308`.

use std::path::{Path, PathBuf};

use crate::name::Name;

/// A variable whose recorded checksum is a given number.
#[derive(Clone, Debug)]
pub(crate) struct ChecksumOwner {
    /// The prefix of the checkpoint.
    pub(crate) prefix: PathBuf,
    /// The name of the variable, as `ls` shows it.
    pub(crate) name: Name,
    /// Its dtype and shape, in words.
    pub(crate) shape: String,
    /// The data file, and the offset and length of the bytes in it.
    pub(crate) range: Option<(PathBuf, u64, u64)>,
    /// False if the bytes do not match the checksum, or cannot be read.
    pub(crate) is_intact: bool,
    /// Another step of the same directory in which the variable is sound, if this one is damaged.
    pub(crate) other_step: Option<PathBuf>,
}

/// Finds the variables whose recorded checksum, unmasked, is `stored`: in the checkpoint at a prefix, or in all
/// checkpoints of a directory.
pub(crate) fn variable_with_checksum(_path: &Path, _stored: u32) -> Vec<ChecksumOwner> {
    Vec::new()
}
