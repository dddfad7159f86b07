//! A mount's life: from an empty directory to one that answers, until a signal or somebody's `umount`.
//!
//! The mount is made here rather than by the FUSE library, and unmade only as long as it is still ours: an unmount of a
//! path that somebody else has mounted by then would take theirs down.

mod auto_unmount;
mod daemon;
mod device;
mod mountpoint;
mod namespace;
mod notify;
mod session;

pub(crate) use daemon::{ProcessRole, background, detach, role};
pub(crate) use device::{Error, unmount};
pub(crate) use mountpoint::{Mounted, check, daemon_of, find, has_glob_characters, ours};
pub(crate) use namespace::enter;
pub(crate) use notify::{READY, notify};
pub use session::{Access, EndReason, Options, Session};

pub(crate) use crate::mount::auto_unmount::{WORD as GUARD, guard};
