//! A directory of the source, held open.
//!
//! Everything in it is reached through the open descriptor (`openat`), never through its path: the path may come to lead into
//! our own mount, once that covers the source, and a request of ours would then wait for ourselves. /proc is not needed.
//!
//! A directory may be confined, as that of a SavedModel is: then no link in it leads out of the topmost one.

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

/// The directory that links must not leave, and the way from it to this one.
#[derive(Clone, Debug)]
struct Confined {
    top: Arc<File>,
    below: PathBuf,
}

/// An entry of a directory.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its name.
    pub name: OsString,
    /// Its kind. A link is a link here.
    pub kind: FileType,
    /// Its inode number.
    pub ino: u64,
}

/// Opens a file for reading without waiting for the writer of a pipe.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
/// Opens a file to examine it, which needs no permission to read it.
const EXAMINE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

impl Directory {
    /// Opens a directory.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let handle = File::options().read(true).custom_flags(libc::O_DIRECTORY).open(&path)?;
        Ok(Self { handle: Arc::new(handle), path, confined: None })
    }

    /// Opens a directory in this one. A link is refused.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn open_dir(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = openat(&self.handle, name, flags, Mode::empty())?;
        let below =
            |confined: &Confined| Confined { top: confined.top.clone(), below: confined.below.join(name) };
        Ok(Self {
            handle: Arc::new(handle.into()),
            path: self.path.join(name),
            confined: self.confined.as_ref().map(below),
        })
    }

    /// Returns the directory with the restriction that no link leads out of it.
    pub(crate) fn confined(mut self) -> Self {
        let top = self.handle.clone();
        self.confined.get_or_insert(Confined { top, below: PathBuf::new() });
        self
    }

    /// Returns true if no link may lead out.
    pub(crate) fn is_confined(&self) -> bool {
        self.confined.is_some()
    }

    /// Returns the path by which it was opened, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file for reading. A pipe is not waited for.
    ///
    /// # Errors
    /// Those of the file system; `EXDEV` for a link that leads out of a confined directory.
    pub(crate) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        self.open_with(name, READ)
    }

    /// Returns what the file system knows of a name; of the link's target, if it is a link.
    ///
    /// # Errors
    /// As [`Self::open_file`], but a file need not be readable.
    pub(crate) fn metadata(&self, name: &OsStr) -> io::Result<Metadata> {
        self.open_with(name, EXAMINE)?.metadata()
    }

    fn open_with(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        match &self.confined {
            None => Ok(openat(&self.handle, name, flags, Mode::empty())?.into()),
            Some(confined) => Ok(confined.open(name, flags)?.into()),
        }
    }

    /// Returns what the file system knows of the directory itself.
    ///
    /// # Errors
    /// `ESTALE` once it was removed, those of the file system.
    pub(crate) fn own_metadata(&self) -> io::Result<Metadata> {
        let meta = self.handle.metadata()?;
        match meta.nlink() {
            0 => Err(io::Error::from_raw_os_error(libc::ESTALE)),
            _ => Ok(meta),
        }
    }

    /// Returns the target of a link.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        let target = readlinkat(&self.handle, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    /// Returns the entries, in no order.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            // An entry that is gone since it was listed was never there.
            if let Some(kind) = self.kind(name, entry.file_type()) {
                entries.push(Entry { name: name.into(), kind, ino: entry.ino() });
            }
        }
        Ok(entries)
    }

    /// Returns the kind of an entry. Some file systems do not list it.
    fn kind(&self, name: &OsStr, listed: FileType) -> Option<FileType> {
        if listed != FileType::Unknown {
            return Some(listed);
        }
        let stat = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(FileType::from_raw_mode(stat.st_mode))
    }

    /// Returns the bytes of all files in the directory and below it. What cannot be examined does not count.
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
        match openat2(&self.top, &path, flags, Mode::empty(), ResolveFlags::BENEATH) {
            // A kernel or a sandbox without this call: then no link is followed at all.
            Err(Errno::NOSYS | Errno::PERM) => {
                let file = openat(&self.top, &path, flags | OFlags::NOFOLLOW, Mode::empty())?;
                match statat(&file, "", AtFlags::EMPTY_PATH).map(|stat| FileType::from_raw_mode(stat.st_mode))
                {
                    // With O_PATH a link is opened itself.
                    Ok(FileType::Symlink) => Err(Errno::LOOP.into()),
                    _ => Ok(file),
                }
            }
            opened => Ok(opened?),
        }
    }
}

/// Returns true if a link that stands `depth` directories below the topmost leads out of that, by its text alone.
pub(crate) fn leaves(target: &Path, depth: usize) -> bool {
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
    fn a_folder_goes_on_to_be_the_same_when_its_path_leads_elsewhere() {
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
    fn no_link_leads_out_of_a_confined_folder_by_whatever_way() {
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
    fn a_link_leaves_by_its_text() {
        for (target, depth, out) in [
            ("a", 0, false),
            ("../a", 0, true),
            ("../a", 1, false),
            ("a/../../b", 0, true),
            ("./a/..", 0, false),
            ("/a", 9, true),
        ] {
            assert_eq!(leaves(Path::new(target), depth), out, "{target}");
        }
    }
}
