//! A mount's life: from an empty directory to one that answers, until a signal or somebody's `umount`.
//!
//! The mount is made here rather than by the FUSE library, and unmade only as long as it is still ours: an unmount of a
//! path that somebody else has mounted by then would take theirs down.

mod daemon;
mod device;
mod mountpoint;
mod session;

pub use daemon::{Role, background, detach, role};
pub use device::{Error, unmount};
pub use mountpoint::{Mounted, Obstacle, check, find, has_glob_characters};
pub use session::{End, Options, Session};
