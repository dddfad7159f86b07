//! A source file, opened once and checked for changes: only the content that was there when it was opened is served.
//!
//! Bytes are read with `pread`, which reports a truncated file by a short count. A mapping is only handed to the
//! kernel, as a reply: if a program truncates a file, touching its mapping would kill this process.
//!
//! This module is the seam for sources that are not local files. The code above it uses paths only in messages.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::hash::{Hash, Hasher};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::directory::Directory;

/// The time for which a check of the file is valid. A read after it checks again.
const FRESH: Duration = Duration::from_secs(1);

/// The age from which every later write changes the modification time. A file written more recently may be written
/// again with the same modification time.
const SETTLED: Duration = Duration::from_secs(2);

/// The number of file descriptors reserved for all files that are not shards.
const OTHER_FILES: u64 = 256;

/// One file of a source.
#[derive(Debug)]
pub struct SourceFile {
    /// The directory of the file; `None` if the directory could not be opened.
    directory: Option<Arc<Directory>>,
    name: OsString,
    path: PathBuf,
    opened: Result<Opened, io::Error>,
    may_grow: bool,
    /// The time in milliseconds of [`clock`] until which the last check is valid.
    fresh_until: AtomicU64,
    changed: AtomicBool,
    reported: AtomicBool,
}

#[derive(Debug)]
struct Opened {
    file: File,
    stamp: Stamp,
    map: OnceLock<Option<memmap2::Mmap>>,
}

/// The metadata that distinguishes one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Device number.
    pub(crate) dev: u64,
    /// Inode number.
    pub(crate) ino: u64,
    /// Length in bytes.
    pub(crate) len: u64,
    /// Modification time: seconds since the epoch, and nanoseconds.
    pub(crate) mtime: (i64, i64),
    /// Permission bits.
    pub(crate) mode: u32,
}

impl From<&Metadata> for Stamp {
    fn from(meta: &Metadata) -> Self {
        let mtime = (meta.mtime(), meta.mtime_nsec());
        Self { dev: meta.dev(), ino: meta.ino(), len: meta.len(), mtime, mode: meta.mode() & 0o7777 }
    }
}

impl Stamp {
    /// Returns the stamp of the file `name` in a directory, or `None` if it cannot be examined.
    pub(crate) fn at(directory: &Directory, name: &OsStr) -> Option<Self> {
        directory.metadata(name).ok().map(|meta| Self::from(&meta))
    }

    /// Returns true if every later write changes the modification time.
    pub(crate) fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mtime = Duration::from_secs(self.mtime.0.max(0).unsigned_abs());
        now.checked_sub(mtime).is_some_and(|age| age > SETTLED)
    }

    /// Returns true if both are the same inode with the same content. Permissions are ignored.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        (self.dev, self.ino, self.len, self.mtime) == (other.dev, other.ino, other.len, other.mtime)
    }
}

impl SourceFile {
    /// Opens the file. A failure is stored instead of returned: a checkpoint with a missing shard still has names and
    /// shapes.
    pub fn open(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let name = path.file_name().unwrap_or_default();
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        match Directory::open(parent.unwrap_or(Path::new("."))) {
            Ok(directory) => Self { path: path.into(), ..Self::open_in(&Arc::new(directory), name) },
            Err(error) => Self::new(None, name, path.into(), Err(error)),
        }
    }

    /// Opens a file in an open directory. The file keeps the directory open.
    pub(crate) fn open_in(directory: &Arc<Directory>, name: &OsStr) -> Self {
        let opened = directory.open_file(name).and_then(Opened::new);
        Self::new(Some(directory.clone()), name, directory.path().join(name), opened)
    }

    /// Marks the file as one that other programs may append to, such as a log. The bytes that were there when it was
    /// opened stay readable.
    pub(crate) fn growing(self) -> Self {
        Self { may_grow: true, ..self }
    }

    fn new(
        directory: Option<Arc<Directory>>,
        name: &OsStr,
        path: PathBuf,
        opened: io::Result<Opened>,
    ) -> Self {
        Self {
            directory,
            name: name.into(),
            path,
            opened,
            may_grow: false,
            fresh_until: AtomicU64::new(0),
            changed: AtomicBool::new(false),
            reported: AtomicBool::new(false),
        }
    }

    /// Returns the path by which the file was opened, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the last component of the path, for messages.
    pub(crate) fn name(&self) -> std::borrow::Cow<'_, str> {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy()
    }

    /// Returns the reason why the file could not be opened.
    pub fn fault(&self) -> Option<&io::Error> {
        self.opened.as_ref().err()
    }

    /// Returns the state of the file when it was opened; `None` if it could not be opened.
    pub fn stamp(&self) -> Option<Stamp> {
        self.opened.as_ref().ok().map(|opened| opened.stamp)
    }

    /// Hashes the identity and the state of the file into `to`. Returns `None` if a later write might not change
    /// them.
    pub(crate) fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        let Stamp { dev, ino, len, mtime, mode: _ } = self.stamp().filter(Stamp::is_settled)?;
        (dev, ino, len, mtime).hash(&mut to);
        Some(())
    }

    /// Returns the length in bytes when the file was opened; `None` if it could not be opened.
    pub fn size(&self) -> Option<u64> {
        self.stamp().map(|stamp| stamp.len)
    }

    /// Checks that the path still leads to the same content. Every `open` in a mount calls this.
    ///
    /// # Errors
    /// `EACCES` if the permission to open the file was missing. `EIO` if the file could not be opened for another
    /// reason. `ESTALE` if it is gone, replaced or changed.
    pub(crate) fn verify(&self) -> io::Result<()> {
        let opened = self.opened()?;
        let gone = || io::Error::from_raw_os_error(libc::ENOENT);
        let now =
            self.directory.as_ref().ok_or_else(gone).and_then(|directory| directory.metadata(&self.name));
        match now.map(|meta| Stamp::from(&meta)) {
            Ok(now) if self.still_holds(&opened.stamp, &now) => Ok(()),
            Ok(now) => Err(self.report(libc::ESTALE, &self.difference(&opened.stamp, &now))),
            Err(error) => Err(self.report(libc::ESTALE, &format!("gone since the mount ({error})"))),
        }
    }

    /// Fills `buf` with the bytes from `offset` on.
    ///
    /// # Errors
    /// `EACCES` or `EIO` if the file could not be opened. `EIO` if bytes are gone or cannot be read. `ESTALE` after
    /// the file was changed in place.
    pub fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let opened = self.opened()?;
        self.check_fresh(opened)?;
        opened.file.read_exact_at(buf, offset).map_err(|error| {
            let what = format!("bytes {offset}+{} cannot be read ({error})", buf.len());
            self.report(libc::EIO, &what)
        })
    }

    /// Returns the bytes `offset..offset + len` of a mapping. The caller hands them to the kernel and never touches
    /// them. Returns `None` if the file cannot be mapped.
    ///
    /// # Errors
    /// The same as those of [`Self::read_exact_at`].
    pub(crate) fn reply_from_map(&self, offset: u64, len: usize) -> io::Result<Option<&[u8]>> {
        let opened = self.opened()?;
        // Checked on every call: behind the last page of a mapping there would be zeros instead of a short count.
        self.fresh_until.store(0, Ordering::Relaxed);
        self.check_fresh(opened)?;
        let map = opened.map.get_or_init(|| map(&opened.file));
        let at = usize::try_from(offset).ok();
        Ok(map.as_ref().zip(at).and_then(|(map, at)| map.get(at..at.checked_add(len)?)))
    }

    /// Returns the file descriptor from which the kernel reads directly.
    pub(crate) fn backing(&self) -> Option<BorrowedFd<'_>> {
        self.opened.as_ref().ok().map(|opened| opened.file.as_fd())
    }

    fn opened(&self) -> io::Result<&Opened> {
        self.opened.as_ref().map_err(|error| {
            let errno =
                if error.kind() == io::ErrorKind::PermissionDenied { libc::EACCES } else { libc::EIO };
            self.report(errno, &format!("cannot be opened ({error})"))
        })
    }

    /// Checks the open file for changes if the last check is too old. An unlinked file stays readable.
    fn check_fresh(&self, opened: &Opened) -> io::Result<()> {
        let now = clock();
        if !self.changed.load(Ordering::Relaxed) {
            if now < self.fresh_until.load(Ordering::Relaxed) {
                return Ok(());
            }
            let stamp = Stamp::from(&opened.file.metadata()?);
            if self.still_holds(&opened.stamp, &stamp) {
                self.fresh_until.store(now + FRESH.as_millis() as u64, Ordering::Relaxed);
                return Ok(());
            }
            self.changed.store(true, Ordering::Relaxed);
            return Err(self.report(libc::ESTALE, &self.difference(&opened.stamp, &stamp)));
        }
        Err(io::Error::from_raw_os_error(libc::ESTALE))
    }

    /// Returns true if the content of `then` is still in the file.
    fn still_holds(&self, then: &Stamp, now: &Stamp) -> bool {
        let grown = (now.dev, now.ino) == (then.dev, then.ino) && now.len >= then.len;
        now.same_content(then) || self.may_grow && grown
    }

    fn difference(&self, then: &Stamp, now: &Stamp) -> String {
        match (then.dev, then.ino) == (now.dev, now.ino) {
            false => "another file has taken its place since the mount".into(),
            true if then.len != now.len => format!("{} bytes now, {} when it was mounted", now.len, then.len),
            true => "changed in place since the mount".into(),
        }
    }

    /// Logs the problem, once per file, and returns the error for the reader.
    fn report(&self, errno: i32, what: &str) -> io::Error {
        if !self.reported.swap(true, Ordering::Relaxed) {
            log::error!("{}: {what}", self.path.display());
        }
        io::Error::from_raw_os_error(errno)
    }
}

impl Opened {
    fn new(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(Self { file, stamp: Stamp::from(&meta), map: OnceLock::new() })
    }
}

/// Raises this process's limit of open files to at least `files` and [`OTHER_FILES`], or to the hard limit if that is
/// lower: a checkpoint may have a thousand shards.
pub(crate) fn make_room(files: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = files.saturating_add(OTHER_FILES);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Returns the milliseconds since the first call.
fn clock() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64
}

#[allow(unsafe_code, reason = "the one place that maps files")]
fn map(file: &File) -> Option<memmap2::Mmap> {
    // SAFETY: a mapping must not change while this process reads it. This process never reads it: `reply_from_map` is
    // the only access to it, and its slices go to writev(2), where the kernel turns a missing page into an error.
    unsafe { memmap2::Mmap::map(file) }.ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn shard(bytes: &[u8]) -> (tempfile::TempDir, PathBuf, SourceFile) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.data-00000-of-00001");
        fs::write(&path, bytes).unwrap();
        let shard = SourceFile::open(&path);
        (dir, path, shard)
    }

    fn errno(result: io::Result<()>) -> Option<i32> {
        result.unwrap_err().raw_os_error()
    }

    /// Moves the modification time forward, as any later write would.
    fn touch(path: &Path) {
        let later = std::time::SystemTime::now() + Duration::from_secs(10);
        File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
    }

    #[test]
    fn a_missing_file_opens_and_every_read_of_it_fails() {
        let shard = SourceFile::open("/nonexistent/model.data-00000-of-00001");
        assert_eq!(shard.fault().unwrap().kind(), io::ErrorKind::NotFound);
        assert_eq!(errno(shard.read_exact_at(&mut [0; 1], 0)), Some(libc::EIO));
        assert_eq!(errno(shard.verify()), Some(libc::EIO));
    }

    #[test]
    fn reading_past_a_truncation_fails_and_never_returns_zeros() {
        let (_dir, path, shard) = shard(b"0123456789");
        File::options().write(true).open(&path).unwrap().set_len(4).unwrap();
        let mut buf = [0; 4];
        assert!(shard.read_exact_at(&mut buf, 2).is_err());
        assert_eq!(errno(shard.verify()), Some(libc::ESTALE));
    }

    #[test]
    fn a_truncation_between_two_checks_is_detected_by_the_short_count() {
        let (_dir, path, shard) = shard(b"0123456789");
        let mut buf = [0; 4];
        shard.read_exact_at(&mut buf, 0).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(4).unwrap();
        assert!(shard.read_exact_at(&mut buf, 4).is_err());
        assert!(shard.reply_from_map(4, 4).is_err());
    }

    #[test]
    fn an_unlinked_file_stays_readable_but_cannot_be_opened_again() {
        let (_dir, path, shard) = shard(b"0123456789");
        fs::remove_file(&path).unwrap();
        let mut buf = [0; 10];
        shard.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(&buf, b"0123456789");
        assert_eq!(errno(shard.verify()), Some(libc::ESTALE));
    }

    #[test]
    fn a_replaced_file_is_stale_on_open_and_the_old_one_stays_readable() {
        let (dir, path, shard) = shard(b"0123456789");
        fs::write(dir.path().join("new"), b"9876543210").unwrap();
        fs::rename(dir.path().join("new"), &path).unwrap();
        assert_eq!(errno(shard.verify()), Some(libc::ESTALE));
        let mut buf = [0; 2];
        shard.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(&buf, b"01");
    }

    #[test]
    fn a_file_changed_in_place_is_stale_from_the_next_check_on() {
        let (_dir, path, shard) = shard(b"0123456789");
        fs::write(&path, b"9876543210").unwrap();
        touch(&path);
        assert_eq!(errno(shard.read_exact_at(&mut [0; 2], 0)), Some(libc::ESTALE));
        assert_eq!(errno(shard.read_exact_at(&mut [0; 2], 0)), Some(libc::ESTALE));
    }

    #[test]
    fn a_growing_file_stays_readable_when_it_grows_but_not_when_it_shrinks() {
        let (_dir, path, shard) = shard(b"0123456789");
        let shard = shard.growing();
        fs::write(&path, b"0123456789abc").unwrap();
        touch(&path);
        let mut buf = [0; 10];
        shard.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(&buf, b"0123456789");
        shard.verify().unwrap();
        fs::write(&path, b"012").unwrap();
        assert_eq!(errno(shard.verify()), Some(libc::ESTALE));
        assert!(shard.read_exact_at(&mut buf, 0).is_err());
    }
}
