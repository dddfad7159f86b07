//! The newest whole checkpoint of a directory.

use std::ffi::{OsStr, OsString};

use crate::doctor::finding::Mend;
use crate::doctor::line::restore;
use crate::name::printable;
use crate::source::Checkpoint;

/// The newest whole checkpoint of a directory.
pub(super) struct Newest {
    pub(super) stem: OsString,
    pub(super) checkpoint: Checkpoint,
}

impl Newest {
    /// Returns the call that restores it.
    pub(super) fn restore(&self) -> Mend {
        Mend::Python(restore(&self.checkpoint.catalog, &self.checkpoint.prefix.path()))
    }
}

/// Returns a name for a message.
pub(super) fn text(name: &OsStr) -> String {
    printable(name.as_encoded_bytes())
}
