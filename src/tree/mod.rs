//! Names and inodes: the files that a mount has, without storing any of them.
//!
//! ```text
//! root.rs              inode numbers
//!  ├─ source_dir/      a directory of the source: listing.rs its names, lazy_checkpoint.rs its checkpoints
//!  │   ├─ inodes.rs        the assignment of inode numbers
//!  │   └─ ../backend.rs    the interface to the source directory
//!  └─ checkpoint/      the files of one checkpoint: names.rs, node_kind.rs, checkpoint_files.rs, show.rs, ../escape.rs
//! ```
//!
//! Directories of the source are short lists. Each checkpoint in them has a tree whose directories follow the
//! components of variable names. Everything in that tree is computed from an ordinal on request.

mod backend;
mod checkpoint;
mod checkpoints;
mod escape;
mod root;
mod source_dir;

use std::borrow::Cow;
use std::io;
use std::time::SystemTime;

pub use checkpoints::{Checkpoints, Counts};
pub use root::{DynamicFile, Planned, Tree};

use crate::extent::VirtualFile;
use crate::format::checkpoint_state;
use crate::format::checkpoint_state::State;
pub(crate) use crate::tree::backend::{Backend, FoundCheckpoint, Listed, Other, Scan};
pub(crate) use crate::tree::checkpoint::files;
pub use crate::tree::checkpoint::show::Show;
pub(crate) use crate::tree::source_dir::names_newest;

/// An inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ino(pub u64);

impl Ino {
    /// The mount's root directory.
    pub const ROOT: Self = Self(1);

    fn new(tag: u32, ordinal: u32) -> Self {
        Self(u64::from(tag) << 32 | u64::from(ordinal))
    }

    fn tag(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn ordinal(self) -> u32 {
        self.0 as u32
    }
}

/// The type of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are their names")]
pub enum Kind {
    Directory,
    File,
    Link,
}

/// The attributes that `stat` reports for an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    /// The inode number.
    pub ino: Ino,
    /// The inode type.
    pub kind: Kind,
    /// The length in bytes.
    pub len: u64,
    /// The modification time of the source.
    pub mtime: SystemTime,
    /// The link count: two for a directory, plus one for each subdirectory.
    pub nlink: u32,
    /// The permission bits.
    pub mode: u16,
    /// True if the name may refer to something else later while mounted.
    pub(crate) volatile: bool,
}

impl Attr {
    /// Returns attributes for an entry about which only the inode number and type are known.
    pub(crate) fn unknown(entry: &Entry<'_>) -> Self {
        let (ino, kind, mtime) = (entry.ino, entry.kind, SystemTime::UNIX_EPOCH);
        Self { ino, kind, len: 0, mtime, nlink: 1, mode: 0o400, volatile: true }
    }
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The inode number.
    pub ino: Ino,
    /// The inode type.
    pub kind: Kind,
    /// The file name.
    pub name: Cow<'a, [u8]>,
}

/// The readable content of an inode.
#[derive(Clone)]
pub enum Content<'a> {
    /// A directory. Its entries are listed by position.
    Directory,
    /// A file.
    File(VirtualFile),
    /// The target of a symlink.
    Link(Cow<'a, [u8]>),
}

impl Content<'_> {
    fn into_owned(self) -> Content<'static> {
        match self {
            Self::Directory => Content::Directory,
            Self::File(file) => Content::File(file),
            Self::Link(target) => Content::Link(target.into_owned().into()),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Directory => Kind::Directory,
            Self::File(_) => Kind::File,
            Self::Link(_) => Kind::Link,
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Directory => 0,
            Self::File(file) => file.len(),
            Self::Link(target) => target.len() as u64,
        }
    }
}

/// Returns `ENOENT` as an error with its number, which the kernel receives.
fn absent() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOENT)
}

/// Returns a state file that names one checkpoint.
fn state_file(prefix: &[u8]) -> VirtualFile {
    let named = State {
        model_checkpoint_path: prefix.to_vec(),
        all_model_checkpoint_paths: vec![prefix.to_vec()],
        ..State::default()
    };
    checkpoint_state::encode(&named).into()
}
