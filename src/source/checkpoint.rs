//! An open checkpoint.

use crate::catalog::Catalog;
use crate::source::prefix::Prefix;
use crate::source_file::Stamp;

/// A checkpoint that was opened: its index was read and checked, its data were not touched.
pub struct Checkpoint {
    /// Where it is and what it is called.
    pub(crate) prefix: Prefix,
    /// Its variables.
    pub catalog: Catalog,
    /// The index's identity, length and time when it was read.
    pub stamp: Stamp,
    /// What the user should know and what does not stop the work.
    pub warnings: Vec<String>,
}
