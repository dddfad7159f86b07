//! What a node of the names can be in a checkpoint's tree, and the number of each.

use crate::tree::checkpoint::show::{Show, VARS};
use crate::view::{FORMATS, VARIABLE_FILES};

/// What a node of the names can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// A directory under `vars/`.
    Vars,
    Fact(usize),
    /// A link among the facts to the file of a format.
    Link(usize),
    /// A directory under a format's folder.
    FormDir(usize),
    File(usize),
}

/// How many there are.
pub(crate) const NODE_KINDS: u32 = (1 + VARIABLE_FILES.len() + 3 * FORMATS.len()) as u32;

impl NodeKind {
    /// Its number, below [`ROLES`].
    pub(crate) fn number(self) -> u32 {
        let (facts, formats) = (VARIABLE_FILES.len(), FORMATS.len());
        let number = match self {
            Self::Vars => 0,
            Self::Fact(i) => 1 + i,
            Self::Link(i) => 1 + facts + i,
            Self::FormDir(i) => 1 + facts + formats + i,
            Self::File(i) => 1 + facts + 2 * formats + i,
        };
        number as u32
    }

    /// Returns whether nodes appear in this role. A link appears together with the file that it leads to.
    pub(crate) fn is_shown(self, show: &Show) -> bool {
        match self {
            Self::Vars | Self::Fact(_) => show.has(VARS),
            Self::Link(i) => show.has(VARS) && show.has(FORMATS[i].name),
            Self::FormDir(i) | Self::File(i) => show.has(FORMATS[i].name),
        }
    }

    /// The role of a number.
    pub(crate) fn of(number: u32) -> Self {
        let (facts, formats) = (VARIABLE_FILES.len(), FORMATS.len());
        match number as usize {
            0 => Self::Vars,
            n if n < 1 + facts => Self::Fact(n - 1),
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
    fn every_number_is_that_of_its_role() {
        for number in 0..NODE_KINDS {
            assert_eq!(NodeKind::of(number).number(), number);
        }
    }
}
