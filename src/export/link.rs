//! Links to the files of a source.

use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::{fs, io};

use rustix::fs::{AtFlags, CWD, linkat};
use rustix::io::Errno;

use crate::source_file::SourceFile;

/// Creates a hard link to the open file, even if its name refers to another file by now. Creates a symlink if a hard
/// link is impossible: on another device, on a file system without hard links, or for a file of another user.
pub(super) fn link(shard: &SourceFile, path: &Path) -> io::Result<()> {
    shard.verify()?;
    let descriptor = shard.backing().ok_or(io::ErrorKind::NotFound)?;
    let open = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    match linkat(CWD, open, CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(Errno::EXIST.into()),
        Err(_) => symlink(fs::canonicalize(shard.path())?, path),
    }
}
