//! /dev/fuse, mount(2) and umount(2). Without the privilege for them, the setuid helper `fusermount3` makes the calls
//! and passes the open device through a socket.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{getgid, getuid};

use crate::mount::mountpoint::TYPE;

const DEVICE: &str = "/dev/fuse";
const HELPER: &str = "fusermount3";
/// The configuration file of the helper: the options that users may ask for.
const CONFIGURATION: &str = "/etc/fuse.conf";
/// The environment variable in which the helper finds its end of the socket.
const HELPER_SOCKET: &str = "_FUSE_COMMFD";

/// The reason why a mount or an unmount failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "their texts say it")]
pub enum Error {
    #[error(
        "{DEVICE} does not exist, so nothing can be mounted here\n  \
         help: `modprobe fuse`; in a container, start it with `--device /dev/fuse --cap-add SYS_ADMIN`\n  \
         help: `ckptfs ls`, `cat` and `check` work without it"
    )]
    NoDevice,
    #[error(
        "no right to mount: neither root nor the helper {HELPER}\n  \
         help: install the package fuse3, or run as root; in a container, add `--cap-add SYS_ADMIN`\n  \
         help: `ckptfs ls`, `cat` and `check` work without it"
    )]
    NotPermitted,
    #[error(
        "allow_other, allow_root: {CONFIGURATION} does not allow them for users\n  \
         help: as root, put a line `user_allow_other` into {CONFIGURATION}, or do without"
    )]
    OthersNotAllowed,
    #[error("{HELPER}: {0}")]
    Helper(String),
    #[error("{0}: {1}")]
    Io(String, io::Error),
    #[error(
        "{0}: in use\n  help: `fuser -vm {0}` shows its users; `ckptfs umount --lazy {0}` detaches it now and ends it when it is free"
    )]
    Busy(String),
}

/// Mounts on `path`, for the owner only unless `allow_other` is set, and returns the device through which to serve
/// the mount. `source` is what mount(8) lists.
pub(super) fn mount(source: &Path, path: &Path, allow_other: bool) -> Result<OwnedFd, Error> {
    let device = File::options().read(true).write(true).open(DEVICE);
    let device = match device {
        Ok(device) => device,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::NoDevice),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return mount_by_helper(source, path, allow_other);
        }
        Err(error) => return Err(Error::Io(DEVICE.into(), error)),
    };
    let flags =
        [MountFlags::RDONLY, MountFlags::NOSUID, MountFlags::NODEV, MountFlags::NOEXEC, MountFlags::NOATIME];
    let (uid, gid, other) =
        (getuid().as_raw(), getgid().as_raw(), if allow_other { ",allow_other" } else { "" });
    let fd = device.as_raw_fd();
    let data = format!("fd={fd},rootmode=40000,user_id={uid},group_id={gid},default_permissions{other}");
    let data = CString::new(data).expect("digits and words have no NUL");
    match rustix::mount::mount(source, path, TYPE, flags.into_iter().collect(), data.as_c_str()) {
        Ok(()) => Ok(device.into()),
        Err(Errno::PERM) => mount_by_helper(source, path, allow_other),
        Err(errno) => Err(Error::Io(path.display().to_string(), errno.into())),
    }
}

fn mount_by_helper(source: &Path, path: &Path, allow_other: bool) -> Result<OwnedFd, Error> {
    if allow_other && !getuid().is_root() && !others_allowed() {
        return Err(Error::OthersNotAllowed);
    }
    let io = |error| Error::Io(HELPER.into(), error);
    let (ours, theirs) = UnixStream::pair().map_err(io)?;
    // The helper inherits only this one of the file descriptors of this process.
    let theirs = rustix::io::dup(&theirs).map_err(|errno| io(errno.into()))?;
    let mut options =
        OsString::from("ro,nosuid,nodev,noexec,noatime,default_permissions,subtype=ckptfs,fsname=");
    options.push(escape_commas(source));
    if allow_other {
        options.push(",allow_other");
    }
    let mut helper = Command::new(HELPER);
    helper.arg("-o").arg(options).arg("--").arg(path).env(HELPER_SOCKET, theirs.as_raw_fd().to_string());
    let output = helper.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NotPermitted,
        _ => io(error),
    })?;
    drop(theirs);
    if !output.status.success() {
        return Err(helper_failed(&output));
    }
    receive(&ours).map_err(io)
}

/// Returns true if the helper permits users to use `allow_other`. If its configuration cannot be read, the helper
/// decides.
fn others_allowed() -> bool {
    std::fs::read_to_string(CONFIGURATION).map_or(true, |text| allows_others(&text))
}

fn allows_others(configuration: &str) -> bool {
    let words = configuration.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    words.into_iter().any(|word| word == "user_allow_other")
}

fn escape_commas(source: &Path) -> OsString {
    let escaped = source.as_os_str().as_bytes().iter().flat_map(|&byte| match byte {
        b',' | b'\\' => vec![b'\\', byte],
        _ => vec![byte],
    });
    OsString::from_vec(escaped.collect())
}

/// The failures of the helper that a user can fix: a part of its message, and the remedy.
const HELPS: &[(&str, &str)] = &[
    (DEVICE, "users may not open /dev/fuse here; as root: `chmod 666 /dev/fuse`"),
    (
        "/etc/mtab",
        "fusermount3 reads /etc/mtab, which is missing here; as root: `ln -s /proc/self/mounts /etc/mtab`",
    ),
];

fn helper_failed(output: &Output) -> Error {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().trim_start_matches("fusermount3: ").to_owned();
    let help = HELPS.iter().find(|(part, _)| said.contains(part));
    Error::Helper(said + &help.map_or(String::new(), |(_, help)| format!("\n  help: {help}")))
}

/// Receives the device from the socket.
fn receive(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let (mut control, mut byte) = (RecvAncillaryBuffer::new(&mut space), [0]);
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptors = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let device = descriptors.and_then(|mut descriptors| descriptors.next());
    device.ok_or_else(|| io::Error::other("mounted, but did not hand over the device"))
}

/// Unmounts `path`; `lazy` detaches it at once even if it is in use.
///
/// # Errors
/// [`Error::Busy`] if the mount is in use, or an error of umount(2) or of the helper.
pub(crate) fn unmount(path: &Path, lazy: bool) -> Result<(), Error> {
    let flags = if lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
    match rustix::mount::unmount(path, flags | UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(()),
        Err(Errno::BUSY) => Err(Error::Busy(path.display().to_string())),
        Err(Errno::PERM) => unmount_by_helper(path, lazy),
        Err(errno) => Err(Error::Io(path.display().to_string(), errno.into())),
    }
}

fn unmount_by_helper(path: &Path, lazy: bool) -> Result<(), Error> {
    let mut helper = Command::new(HELPER);
    helper.arg(if lazy { "-uz" } else { "-u" }).arg("--").arg(path).stdin(Stdio::null());
    let output = helper.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NotPermitted,
        _ => Error::Io(HELPER.into(), error),
    })?;
    match output.status.success() {
        true => Ok(()),
        false if String::from_utf8_lossy(&output.stderr).contains("busy") => {
            Err(Error::Busy(path.display().to_string()))
        }
        false => Err(helper_failed(&output)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_helper_comes_with_a_remedy() {
        let failed = |said: &str| {
            let status = std::os::unix::process::ExitStatusExt::from_raw(256);
            helper_failed(&Output { status, stdout: vec![], stderr: said.into() }).to_string()
        };
        let said = failed("fusermount3: failed to open /etc/mtab: No such file or directory\n");
        assert!(said.contains("ln -s /proc/self/mounts /etc/mtab"), "{said}");
        let said = failed("fusermount3: failed to open /dev/fuse: Permission denied\n");
        assert!(said.contains("chmod 666 /dev/fuse"), "{said}");
        assert!(!failed("fusermount3: other").contains("help"));
    }

    #[test]
    fn a_line_that_is_commented_out_allows_nothing() {
        assert!(allows_others("# FUSE\nmount_max = 10\n user_allow_other # for all\n"));
        assert!(!allows_others("#user_allow_other\nmount_max = 10\n"));
        assert!(!allows_others(""));
    }
}
