//! A directory of the source, held open.
//!
//! Everything in it is reached through the open descriptor (`openat`), never through its path. If a mount covers the
//! source, the path leads into that mount, and a request of this process would wait for itself. /proc is not needed.
//!
//! A directory may be confined, as the directory of a SavedModel is: then no symlink in it leads out of the topmost
//! confined directory.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2, readlinkat, statat};
use rustix::io::Errno;

/// An open directory.
#[derive(Clone, Debug)]
pub struct Directory {
    handle: Arc<File>,
    path: PathBuf,
    confined: Option<Confined>,
}

/// The directory that symlinks must not leave, and the relative path from it to this directory.
#[derive(Clone, Debug)]
struct Confined {
    root: Arc<File>,
    below: PathBuf,
}

/// An entry of a directory.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its name.
    pub name: OsString,
    /// Its kind. A symlink is listed as a symlink, not as its target.
    pub kind: FileType,
    /// Its inode number.
    pub ino: u64,
}

/// The flags to open a file for reading, without waiting for the writer of a pipe.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
/// The flags to examine a file. They need no permission to read it.
const EXAMINE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

impl Directory {
    /// Opens a directory.
    ///
    /// # Errors
    /// An error of the file system.
    pub(crate) fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let handle = File::options().read(true).custom_flags(libc::O_DIRECTORY).open(&path)?;
        Ok(Self { handle: Arc::new(handle), path, confined: None })
    }

    /// Opens a directory in this one. A symlink is refused.
    ///
    /// # Errors
    /// An error of the file system.
    pub(crate) fn open_dir(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = openat(&self.handle, name, flags, Mode::empty())?;
        let below =
            |confined: &Confined| Confined { root: confined.root.clone(), below: confined.below.join(name) };
        Ok(Self {
            handle: Arc::new(handle.into()),
            path: self.path.join(name),
            confined: self.confined.as_ref().map(below),
        })
    }

    /// Returns the directory with the restriction that no symlink leads out of it.
    pub(crate) fn confined(mut self) -> Self {
        let top = self.handle.clone();
        self.confined.get_or_insert(Confined { root: top, below: PathBuf::new() });
        self
    }

    /// Returns true if no symlink may lead out of the directory.
    pub(crate) fn is_confined(&self) -> bool {
        self.confined.is_some()
    }

    /// Returns the path by which the directory was opened, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file for reading. It does not wait for the writer of a pipe.
    ///
    /// # Errors
    /// An error of the file system. `EXDEV` if a symlink leads out of a confined directory.
    pub(crate) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        self.open_with(name, READ)
    }

    /// Returns the metadata of a file. If it is a symlink, returns the metadata of its target.
    ///
    /// # Errors
    /// The same as those of [`Self::open_file`], but the file need not be readable.
    pub(crate) fn metadata(&self, name: &OsStr) -> io::Result<Metadata> {
        self.open_with(name, EXAMINE)?.metadata()
    }

    fn open_with(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        match &self.confined {
            None => Ok(openat(&self.handle, name, flags, Mode::empty())?.into()),
            Some(confined) => Ok(confined.open(name, flags)?.into()),
        }
    }

    /// Returns the metadata of the directory itself.
    ///
    /// # Errors
    /// `ESTALE` if the directory was removed, or an error of the file system.
    pub(crate) fn own_metadata(&self) -> io::Result<Metadata> {
        let meta = self.handle.metadata()?;
        match meta.nlink() {
            0 => Err(io::Error::from_raw_os_error(libc::ESTALE)),
            _ => Ok(meta),
        }
    }

    /// Returns the target of a symlink.
    ///
    /// # Errors
    /// An error of the file system.
    pub(crate) fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        let target = readlinkat(&self.handle, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    /// Returns the entries, in no particular order.
    ///
    /// # Errors
    /// An error of the file system.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            // An entry that was removed after the listing is skipped.
            if let Some(kind) = self.kind(name, entry.file_type()) {
                entries.push(Entry { name: name.into(), kind, ino: entry.ino() });
            }
        }
        Ok(entries)
    }

    /// Returns the kind of an entry. It is looked up if the file system does not list it.
    fn kind(&self, name: &OsStr, listed: FileType) -> Option<FileType> {
        if listed != FileType::Unknown {
            return Some(listed);
        }
        let stat = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(FileType::from_raw_mode(stat.st_mode))
    }

    /// Returns the total length in bytes of all files in the directory and below it. Files that cannot be examined
    /// are not counted.
    pub(crate) fn disk_usage(&self) -> u64 {
        let len = |entry: &Entry| match entry.kind {
            FileType::Directory => self.open_dir(&entry.name).map_or(0, |below| below.disk_usage()),
            FileType::RegularFile | FileType::Symlink => {
                self.metadata(&entry.name).map_or(0, |meta| if meta.is_file() { meta.len() } else { 0 })
            }
            _ => 0,
        };
        self.entries().unwrap_or_default().iter().map(len).sum()
    }
}

impl Confined {
    fn open(&self, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
        let path = self.below.join(name);
        match openat2(&self.root, &path, flags, Mode::empty(), ResolveFlags::BENEATH) {
            // The kernel or the sandbox does not support this call: then symlinks are not followed at all.
            Err(Errno::NOSYS | Errno::PERM) => {
                let file = openat(&self.root, &path, flags | OFlags::NOFOLLOW, Mode::empty())?;
                match statat(&file, "", AtFlags::EMPTY_PATH).map(|stat| FileType::from_raw_mode(stat.st_mode))
                {
                    // With O_PATH, the open returns the symlink itself.
                    Ok(FileType::Symlink) => Err(Errno::LOOP.into()),
                    _ => Ok(file),
                }
            }
            opened => Ok(opened?),
        }
    }
}

/// Returns true if the text of a symlink's target leads out of the topmost directory. The symlink is `depth`
/// directories below it.
pub(crate) fn leads_out(target: &Path, depth: usize) -> bool {
    let step = |depth: usize, component| match component {
        Component::ParentDir => depth.checked_sub(1),
        Component::Normal(_) => Some(depth + 1),
        Component::CurDir => Some(depth),
        Component::RootDir | Component::Prefix(_) => None,
    };
    target.components().try_fold(depth, step).is_none()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn read(directory: &Directory, name: &str) -> io::Result<String> {
        io::read_to_string(directory.open_file(OsStr::new(name))?)
    }

    #[test]
    fn an_open_directory_stays_the_same_when_its_path_leads_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("train");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("a"), "old").unwrap();
        let directory = Directory::open(&path).unwrap();
        fs::rename(&path, dir.path().join("moved")).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("a"), "new").unwrap();
        assert_eq!(read(&directory, "a").unwrap(), "old");
        assert_eq!(directory.entries().unwrap().len(), 1);
    }

    #[test]
    fn no_symlink_leads_out_of_a_confined_directory() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("model");
        fs::create_dir_all(top.join("variables")).unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        fs::write(top.join("open"), "open").unwrap();
        for (link, target) in [
            ("relative", "../../secret"),
            ("absolute", dir.path().join("secret").to_str().unwrap()),
            ("twice", "relative"),
            ("inside", "../open"),
        ] {
            symlink(target, top.join("variables").join(link)).unwrap();
        }
        let directory = Directory::open(&top).unwrap().confined().open_dir(OsStr::new("variables")).unwrap();
        for link in ["relative", "absolute", "twice"] {
            assert!(read(&directory, link).is_err(), "{link}");
            assert!(directory.metadata(OsStr::new(link)).is_err(), "{link}");
        }
        assert_eq!(read(&directory, "inside").unwrap(), "open");
    }

    #[test]
    fn the_text_of_a_symlink_shows_if_it_leads_out() {
        for (target, depth, out) in [
            ("a", 0, false),
            ("../a", 0, true),
            ("../a", 1, false),
            ("a/../../b", 0, true),
            ("./a/..", 0, false),
            ("/a", 9, true),
        ] {
            assert_eq!(leads_out(Path::new(target), depth), out, "{target}");
        }
    }
}
