//! The options of a mount: the page-cache policy, and the owner and permissions of its files.

use rustix::process::{getgid, getuid};

/// The page-cache policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// Passthrough: the kernel reads whole data files by itself. Falls back to [`Self::Kernel`] where the kernel
    /// refuses.
    #[default]
    Auto,
    /// The kernel's page cache, filled through the daemon.
    Kernel,
    /// Direct I/O for large files, without the page cache: the fastest mode for one sequential read without
    /// privileges, slow for small random reads.
    Direct,
}

/// The options for how files look and are served.
#[derive(Clone, Copy, Debug)]
pub struct ServeOptions {
    /// The page-cache policy.
    pub cache: CacheMode,
    /// The user that files belong to.
    pub uid: u32,
    /// The group that files belong to.
    pub gid: u32,
    /// The permission bits that are cleared in files and directories.
    pub umask: u16,
    /// True if the variables in a file are checked against their checksums when the file is first opened.
    pub verify: bool,
}

impl Default for ServeOptions {
    /// Returns options under which files belong to the user and group of this process.
    fn default() -> Self {
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        Self { cache: CacheMode::default(), uid, gid, umask: 0, verify: false }
    }
}
