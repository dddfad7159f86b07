//! Names and inodes: which files a mount has, without storing one of them.
//!
//! ```text
//! root.rs        what a number stands for
//!  ├─ folder.rs      a directory of the source: listing.rs its names, slot.rs its checkpoints, each planned when used
//!  │   └─ directory.rs   the source's side of it
//!  ├─ checkpoint.rs  the files of one checkpoint: names.rs, escape.rs, role.rs, top.rs, show.rs
//!  └─ inodes.rs      who has which number
//! ```
//!
//! Directories of the source are short lists. Below them each checkpoint has a tree whose directories follow the components
//! of variable names; everything in it is computed from an ordinal when it is asked for.

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

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are their names")]
pub enum Kind {
    Directory,
    File,
    Link,
}

/// What `stat` tells of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    /// Its number.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// Length in bytes.
    pub len: u64,
    /// Time of its source.
    pub mtime: SystemTime,
    /// Links: two for a directory, and one for each directory in it.
    pub nlink: u32,
    /// Permission bits.
    pub mode: u16,
    /// Whether the name may come to mean something else while mounted.
    pub(crate) volatile: bool,
}

impl Attr {
    /// What can be told of a name without looking further: what it is.
    pub(crate) fn unknown(entry: &Entry<'_>) -> Self {
        let (ino, kind, mtime) = (entry.ino, entry.kind, SystemTime::UNIX_EPOCH);
        Self { ino, kind, len: 0, mtime, nlink: 1, mode: 0o400, volatile: true }
    }
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The inode.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: Cow<'a, [u8]>,
}

/// What can be read of an inode.
#[derive(Clone)]
pub enum Content<'a> {
    /// A directory: its entries are listed by position.
    Directory,
    /// A file.
    File(VirtualFile),
    /// Where a symbolic link leads.
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

/// What `ENOENT` is in Rust, with its number, which the kernel is to get.
fn absent() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOENT)
}

/// A state file that names one checkpoint.
fn state_file(prefix: &[u8]) -> VirtualFile {
    let named = State {
        model_checkpoint_path: prefix.to_vec(),
        all_model_checkpoint_paths: vec![prefix.to_vec()],
        ..State::default()
    };
    checkpoint_state::encode(&named).into()
}
