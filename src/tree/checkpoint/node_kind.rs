//! The kinds of inodes that a node of the names can have in a checkpoint's tree, and their numbers.

use crate::tree::checkpoint::show::{Show, VARS};
use crate::view::{FORMATS, VARIABLE_FILES};

/// A kind of inode that a node of the names can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// A directory under `vars/`.
    Vars,
    VariableFile(usize),
    /// A symlink, next to the per-variable files, to the file of a format.
    Link(usize),
    /// A directory under a format's directory.
    FormDir(usize),
    File(usize),
}

/// The number of node kinds.
pub(crate) const NODE_KINDS: u32 = (1 + VARIABLE_FILES.len() + 3 * FORMATS.len()) as u32;

impl NodeKind {
    /// Returns the number of the kind, which is less than [`NODE_KINDS`].
    pub(crate) fn number(self) -> u32 {
        let (facts, formats) = (VARIABLE_FILES.len(), FORMATS.len());
        let number = match self {
            Self::Vars => 0,
            Self::VariableFile(i) => 1 + i,
            Self::Link(i) => 1 + facts + i,
            Self::FormDir(i) => 1 + facts + formats + i,
            Self::File(i) => 1 + facts + 2 * formats + i,
        };
        number as u32
    }

    /// Returns true if inodes of this kind are shown. A link is shown together with the file that it leads to.
    pub(crate) fn is_shown(self, show: &Show) -> bool {
        match self {
            Self::Vars | Self::VariableFile(_) => show.has(VARS),
            Self::Link(i) => show.has(VARS) && show.has(FORMATS[i].name),
            Self::FormDir(i) | Self::File(i) => show.has(FORMATS[i].name),
        }
    }

    /// Returns the kind with a number.
    pub(crate) fn of(number: u32) -> Self {
        let (facts, formats) = (VARIABLE_FILES.len(), FORMATS.len());
        match number as usize {
            0 => Self::Vars,
            n if n < 1 + facts => Self::VariableFile(n - 1),
            n if n < 1 + facts + formats => Self::Link(n - 1 - facts),
            n if n < 1 + facts + 2 * formats => Self::FormDir(n - 1 - facts - formats),
            n => Self::File(n - 1 - facts - 2 * formats),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_is_the_inverse_of_number() {
        for number in 0..NODE_KINDS {
            assert_eq!(NodeKind::of(number).number(), number);
        }
    }
}
