//! The directory to mount on, and the mount that the kernel lists there (`/proc/self/mountinfo`).

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The file-system type of ckptfs mounts.
pub(super) const TYPE: &str = "fuse.ckptfs";

/// The kernel's list of mounts.
const MOUNTINFO: &str = "/proc/self/mountinfo";
const NO_PROC: &str = "/proc is not mounted, and a mount needs it (/proc/self/exe, /proc/self/mountinfo)\n  help: mount -t proc proc /proc; `ckptfs ls`, `cat`, `check`, `run` and `export` work without it";

/// Returns the error of a file in /proc, with the remedy if /proc is not mounted.
pub(super) fn no_proc(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), NO_PROC),
        _ => error,
    }
}

/// A mount, as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// The mountpoint.
    pub(crate) path: PathBuf,
    /// The file-system type: `fuse.ckptfs` for a ckptfs mount.
    pub(crate) fstype: String,
    /// The mounted source: for a ckptfs mount, the path of its source.
    pub(crate) source: PathBuf,
    /// The device number, `major:minor`. No two live ckptfs mounts share one.
    pub(crate) device: String,
}

/// The reason why a directory cannot be mounted on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "their texts say it")]
pub(crate) enum MountpointError {
    #[error("{0}: no such directory\n  help: mkdir {0}")]
    Missing(PathBuf),
    #[error("{0}: not a directory\n  help: a mount needs an empty directory of its own")]
    NotADirectory(PathBuf),
    #[error(
        "{path}: not empty ({entries} entries), and a mount would hide what is there\n  help: use an empty directory, or -o nonempty"
    )]
    NotEmpty { path: PathBuf, entries: usize },
    #[error("{path}: ckptfs has {source_path} mounted there already\n  help: ckptfs umount {path}")]
    AlreadyMounted { path: PathBuf, source_path: PathBuf },
    #[error("{0}: a mount whose daemon is gone (ENOTCONN)\n  help: ckptfs umount {0}")]
    Stale(PathBuf),
    #[error(transparent)]
    NoMountList(io::Error),
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
}

impl Mounted {
    /// Returns true if the mount is a ckptfs mount.
    pub(crate) fn is_ours(&self) -> bool {
        self.fstype == TYPE
    }
}

/// Checks that `path` can be mounted on and returns its absolute form.
///
/// # Errors
/// The obstacle, and the remedy for it.
pub(crate) fn check(path: &Path, nonempty: bool) -> Result<PathBuf, MountpointError> {
    let own = |error: io::Error| match error.raw_os_error() {
        Some(libc::ENOTCONN | libc::ECONNABORTED) => MountpointError::Stale(path.into()),
        Some(libc::ENOENT) => MountpointError::Missing(path.into()),
        Some(libc::ENOTDIR) => MountpointError::NotADirectory(path.into()),
        _ => MountpointError::Io(path.into(), error),
    };
    if !fs::metadata(path).map_err(own)?.is_dir() {
        return Err(MountpointError::NotADirectory(path.into()));
    }
    let absolute = fs::canonicalize(path).map_err(own)?;
    // The directory is listed before the other checks. The metadata of a mount without a daemon can still come from
    // the kernel's cache, so only the listing shows that the daemon is gone.
    let entries = count_entries(&absolute).map_err(own)?;
    let mounted = find(&absolute).map_err(MountpointError::NoMountList)?;
    if let Some(mounted) = mounted.filter(Mounted::is_ours) {
        return Err(MountpointError::AlreadyMounted { path: path.into(), source_path: mounted.source });
    }
    match entries {
        0 => Ok(absolute),
        _ if nonempty => Ok(absolute),
        _ => Err(MountpointError::NotEmpty { path: path.into(), entries }),
    }
}

fn count_entries(path: &Path) -> io::Result<usize> {
    fs::read_dir(path)?.try_fold(0, |n, entry| entry.map(|_| n + 1))
}

/// Finds the mount on exactly this directory, the topmost one if there are several. It does not access the mount
/// itself, which may be dead.
///
/// # Errors
/// An error of reading the kernel's list.
pub(crate) fn find(path: &Path) -> io::Result<Option<Mounted>> {
    let mounts = latest_first()?;
    Ok(resolved_paths(path).and_then(|paths| mounts.into_iter().find(|mount| paths.contains(&mount.path))))
}

/// Returns the paths under which the kernel may list a mount: with the last component as given, and with it resolved.
fn resolved_paths(path: &Path) -> Option<[PathBuf; 2]> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let absolute = match path.file_name() {
        Some(name) => fs::canonicalize(parent).ok()?.join(name),
        None => fs::canonicalize(path).ok()?,
    };
    let resolved = fs::canonicalize(&absolute).unwrap_or_else(|_| absolute.clone());
    Some([absolute, resolved])
}

/// Returns the ckptfs mounts that this process sees, oldest first. It does not access them.
///
/// # Errors
/// An error of reading the kernel's list.
pub(crate) fn ours() -> io::Result<Vec<Mounted>> {
    let mut ours: Vec<_> = latest_first()?.into_iter().filter(Mounted::is_ours).collect();
    ours.reverse();
    Ok(ours)
}

/// Returns the process that serves a mount, or `None` if the kernel does not show it. The kernel lists the FUSE
/// connection of each file descriptor of the device, for processes that this user may inspect.
pub(crate) fn daemon_of(mounted: &Mounted) -> Option<u32> {
    let (_, connection) = mounted.device.split_once(':')?;
    let line = format!("fuse_connection:\t{connection}");
    let serves = |pid: &u32| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten();
        let said = descriptors.filter_map(|descriptor| fs::read_to_string(descriptor.path()).ok());
        said.into_iter().any(|said| said.lines().any(|each| each == line))
    };
    let names =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    names.into_iter().find(serves)
}

fn latest_first() -> io::Result<Vec<Mounted>> {
    let table = fs::read(MOUNTINFO).map_err(no_proc)?;
    Ok(table.rsplit(|&byte| byte == b'\n').filter_map(parse).collect())
}

/// Parses a line: `36 35 98:0 /root /mountpoint options [optional]* - type source super-options`.
fn parse(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = String::from_utf8(fields.nth(2)?.to_vec()).ok()?;
    let path = unescape(fields.nth(1)?);
    let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
    let fstype = String::from_utf8_lossy(fields.next()?).into_owned();
    Some(Mounted { path, fstype, source: unescape(fields.next()?), device })
}

/// Replaces the escapes of a field: the kernel writes blanks and backslashes as `\` and three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let (mut out, mut rest) = (Vec::with_capacity(field.len()), field);
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| byte == b'\\').and_then(|digits| str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(escaped) => {
                out.push(escaped);
                rest = &tail[3..];
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    OsString::from_vec(out).into()
}

/// Returns true if TensorFlow would read a path below `path` as a glob pattern.
pub(crate) fn has_glob_characters(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|byte| b"*?[]\\".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo_is_parsed_with_and_without_optional_fields() {
        let line = br"36 35 0:45 / /mnt/my\040dir rw,noatime master:1 shared:2 - fuse.ckptfs /data/a\134b ro,user_id=0";
        let mounted = parse(line).unwrap();
        assert_eq!(mounted.path, Path::new("/mnt/my dir"));
        assert_eq!(mounted.source, Path::new(r"/data/a\b"));
        assert!(mounted.is_ours() && mounted.device == "0:45");
        let plain = parse(b"36 35 0:4 / /proc rw - proc proc rw").unwrap();
        assert!(!plain.is_ours());
    }

    #[test]
    fn each_obstacle_has_its_own_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(check(&dir.path().join("none"), false), Err(MountpointError::Missing(_))));
        assert!(matches!(check(&file, false), Err(MountpointError::NotADirectory(_))));
        assert!(matches!(check(dir.path(), false), Err(MountpointError::NotEmpty { entries: 1, .. })));
        assert!(check(dir.path(), true).is_ok());
        assert_eq!(find(Path::new("/proc")).unwrap().unwrap().fstype, "proc");
    }
}
