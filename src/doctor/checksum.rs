//! The variable whose recorded checksum TensorFlow prints: `Checksum does not match: stored 4151747308`.
//!
//! The index holds the checksum masked; TensorFlow prints it unmasked.

use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use crate::catalog::Variable;
use crate::checksums::{Verdict, audit};
use crate::doctor::finding::Mend;
use crate::doctor::repair;
use crate::name::Name;
use crate::source;
use crate::source::{Checkpoint, Located};
use crate::tensor::Tensor;

/// The maximum number of checkpoints that are opened.
const OPENED: usize = 64;

/// A variable whose recorded checksum is a given number.
#[derive(Clone, Debug)]
pub(crate) struct ChecksumOwner {
    /// The prefix of the checkpoint.
    pub(crate) prefix: PathBuf,
    /// The name of the variable, as `ls` shows it.
    pub(crate) name: Name,
    /// Its shape, as Python prints it.
    pub(crate) shape: String,
    /// The data file, and the offset and length of the bytes in it.
    pub(crate) range: Option<(PathBuf, u64, u64)>,
    /// False if the bytes do not match the checksum, or cannot be read.
    pub(crate) is_intact: bool,
    /// The lines that repair it, if it is damaged.
    pub(crate) mends: Vec<Mend>,
}

/// Finds the variables whose recorded checksum, unmasked, is `stored`: in the checkpoint at a prefix, or in all
/// checkpoints of a directory. The damaged ones come first.
pub(crate) fn variable_with_checksum(path: &Path, stored: u32) -> Vec<ChecksumOwner> {
    let candidates = source::candidates(path).map(|candidates| candidates.located).unwrap_or_default();
    let opened = candidates
        .iter()
        .take(OPENED)
        .filter_map(|located| Some((located, source::open_located(located).ok()?)));
    let mut owners: Vec<_> =
        opened.flat_map(|(located, checkpoint)| owners(located, &checkpoint, stored)).collect();
    owners.sort_by_key(|owner| owner.is_intact);
    owners
}

fn owners(located: &Located, checkpoint: &Checkpoint, stored: u32) -> Vec<ChecksumOwner> {
    let owner = |variable: &Variable| {
        let piece = piece_with(&variable.tensor, stored)?;
        let is_intact = !matches!(audit(slice::from_ref(&piece), &|_| {}).first(), Some(Verdict::Damaged(_)));
        let mends = match is_intact {
            true => Vec::new(),
            false => repair::mends(located, checkpoint, slice::from_ref(variable), true),
        };
        let range = piece.ranges().first().map(|(file, at, len)| (file.path().to_owned(), *at, *len));
        let (name, shape) = (variable.name.clone(), variable.tensor.shape.to_string());
        Some(ChecksumOwner { prefix: checkpoint.prefix.path(), name, shape, range, is_intact, mends })
    };
    checkpoint.catalog.variables.iter().filter_map(owner).collect()
}

/// Returns the tensor, or the slice of it, that has this checksum.
fn piece_with(tensor: &Arc<Tensor>, stored: u32) -> Option<Arc<Tensor>> {
    match tensor.crc32c {
        Some(masked) if masked.unmask() == stored => Some(tensor.clone()),
        _ => tensor.sources().find_map(|piece| piece_with(piece, stored)),
    }
}
