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

pub use daemon::{ProcessRole, background, detach, role};
pub use device::{Error, unmount};
pub use mountpoint::{Mounted, MountpointError, check, daemon_of, find, has_glob_characters, ours};
pub use namespace::{NamespaceError, enter};
pub use notify::{READY, notify};
pub use session::{Access, EndReason, Options, Session};

pub use crate::mount::auto_unmount::{WORD as GUARD, guard};
