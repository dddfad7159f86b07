//! An open checkpoint.

use crate::catalog::Catalog;
use crate::source::prefix::Prefix;
use crate::source_file::Stamp;

/// An open checkpoint. Its index was read and checked. Its values were not read, except for the object graph, and
/// strings in some formats.
pub struct Checkpoint {
    /// Its directory and the names of its files.
    pub prefix: Prefix,
    /// Its variables.
    pub catalog: Catalog,
    /// The stamp (inode, length and modification time) of the index when it was read.
    pub stamp: Stamp,
    /// The problems that the user should know about and that do not stop the work.
    pub warnings: Vec<String>,
}
