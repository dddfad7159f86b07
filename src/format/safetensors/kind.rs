//! Element types, by the names that the format uses.

/// An element type. Types of wider elements compare greater, and the reference implementation writes greater types
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    rank: u8,
    bits: u64,
    name: &'static str,
}

/// All element types.
pub(super) const KINDS: &[Kind] = &[
    kind(0, 8, "BOOL"),
    kind(1, 4, "F4"),
    kind(2, 6, "F6_E2M3"),
    kind(3, 6, "F6_E3M2"),
    kind(4, 8, "U8"),
    kind(5, 8, "I8"),
    kind(6, 8, "F8_E5M2"),
    kind(7, 8, "F8_E4M3"),
    kind(8, 8, "F8_E8M0"),
    kind(9, 8, "F8_E4M3FNUZ"),
    kind(10, 8, "F8_E5M2FNUZ"),
    kind(11, 16, "I16"),
    kind(12, 16, "U16"),
    kind(13, 16, "F16"),
    kind(14, 16, "BF16"),
    kind(15, 32, "I32"),
    kind(16, 32, "U32"),
    kind(17, 32, "F32"),
    kind(18, 64, "C64"),
    kind(19, 64, "F64"),
    kind(20, 64, "I64"),
    kind(21, 64, "U64"),
];

const fn kind(rank: u8, bits: u64, name: &'static str) -> Kind {
    Kind { rank, bits, name }
}

impl Kind {
    /// Returns the type with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        KINDS.iter().find(|kind| kind.name == name).copied()
    }

    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    /// Returns the number of bits of an element.
    pub(crate) fn bits(self) -> u64 {
        self.bits
    }
}
