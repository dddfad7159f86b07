//! The life of a mount: from an empty directory to a mount that answers, until a signal or an `umount` ends it.
//!
//! This module mounts and unmounts instead of the FUSE library. It unmounts only a mount that is still its own: if
//! the path has another mount by then, an unmount would remove that one.

mod auto_unmount;
mod daemon;
mod device;
mod mountpoint;
mod namespace;
mod notify;
mod session;

pub(crate) use daemon::{ProcessRole, background, detach, process_role};
pub(crate) use device::{Error, unmount};
pub(crate) use mountpoint::{Mounted, check, daemon_of, find, has_glob_characters, ours};
pub(crate) use namespace::enter;
pub(crate) use notify::{READY, notify};
pub use session::{Access, EndReason, Options, Session};

pub(crate) use crate::mount::auto_unmount::{WORD as GUARD, guard};
