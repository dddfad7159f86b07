//! A directory of the source, held open.
//!
//! What is in it is reached through the open directory and never through its path, which may come to lead elsewhere: into
//! our own mount, once that is over the source, where a request of ours would wait for us.
//!
//! A folder may be confined, as that of a SavedModel is, which came from anywhere: no link then leads out of the topmost.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirEntryExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

/// An open directory.
#[derive(Debug)]
pub struct Directory {
    handle: Arc<File>,
    path: PathBuf,
    confined: Option<Confined>,
}

/// The folder that links must not leave, and the way from it to this one.
#[derive(Debug)]
struct Confined {
    top: Arc<File>,
    below: PathBuf,
}

/// A name in a folder.
#[derive(Debug)]
pub struct Entry {
    /// The name.
    pub name: OsString,
    /// What it is; a link is a link here.
    pub kind: FileType,
    /// Inode number.
    pub ino: u64,
}

impl Directory {
    /// Opens a directory.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        Ok(Self { handle: Arc::new(open_directory(&path, 0)?), path, confined: None })
    }

    /// Opens a directory in this one; a link is refused.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open_dir(&self, name: &OsStr) -> io::Result<Self> {
        let handle = Arc::new(open_directory(&self.reach(name), libc::O_NOFOLLOW)?);
        let below =
            |confined: &Confined| Confined { top: confined.top.clone(), below: confined.below.join(name) };
        Ok(Self { handle, path: self.path.join(name), confined: self.confined.as_ref().map(below) })
    }

    /// The folder as one that no link leads out of.
    pub fn confined(mut self) -> Self {
        let top = self.handle.clone();
        self.confined.get_or_insert(Confined { top, below: PathBuf::new() });
        self
    }

    /// Whether links are kept from leading out.
    pub fn is_confined(&self) -> bool {
        self.confined.is_some()
    }

    /// Where it was opened, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path that leads to a name in this very directory for as long as it is held.
    pub fn reach(&self, name: &OsStr) -> PathBuf {
        Path::new(&format!("/proc/self/fd/{}", self.handle.as_raw_fd())).join(name)
    }

    /// Opens a file for reading. A pipe is not waited for.
    ///
    /// # Errors
    /// Those of the file system; `EXDEV` for a link that leads out of a confined folder.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        match &self.confined {
            None => File::options().read(true).custom_flags(libc::O_NONBLOCK).open(self.reach(name)),
            Some(confined) => Ok(confined.file(name)?.into()),
        }
    }

    /// What the file system tells of a name; of what it leads to, if it is a link.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub fn metadata(&self, name: &OsStr) -> io::Result<Metadata> {
        match &self.confined {
            None => fs::metadata(self.reach(name)),
            Some(_) => self.open_file(name)?.metadata(),
        }
    }

    /// What the file system tells of the directory itself.
    ///
    /// # Errors
    /// `ESTALE` once it was removed, those of the file system.
    pub fn own_metadata(&self) -> io::Result<Metadata> {
        let meta = self.handle.metadata()?;
        match meta.nlink() {
            0 => Err(io::Error::from_raw_os_error(libc::ESTALE)),
            _ => Ok(meta),
        }
    }

    /// Where a link leads.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        fs::read_link(self.reach(name))
    }

    /// The names in it, in no order.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            let ino = entry.ino();
            // One that is gone since it was listed was never there.
            Ok(entry.file_type().ok().map(|kind| Entry { name: entry.file_name(), kind, ino }))
        };
        fs::read_dir(self.reach(OsStr::new("")))?.map(entry).filter_map(Result::transpose).collect()
    }
}

impl Confined {
    fn file(&self, name: &OsStr) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let open = |flags, resolve| openat2(&self.top, self.below.join(name), flags, Mode::empty(), resolve);
        match open(flags, ResolveFlags::BENEATH) {
            // A kernel or a sandbox without this call: then no link is followed at all.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                let file = rustix::fs::openat(
                    &self.top,
                    self.below.join(name),
                    flags | OFlags::NOFOLLOW,
                    Mode::empty(),
                );
                Ok(file?)
            }
            opened => Ok(opened?),
        }
    }
}

/// Whether a link that stands `depth` folders below the topmost leads out of that, by its text alone.
pub fn leaves(target: &Path, depth: usize) -> bool {
    let step = |depth: usize, component| match component {
        Component::ParentDir => depth.checked_sub(1),
        Component::Normal(_) => Some(depth + 1),
        Component::CurDir => Some(depth),
        Component::RootDir | Component::Prefix(_) => None,
    };
    target.components().try_fold(depth, step).is_none()
}

fn open_directory(path: &Path, flags: i32) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_DIRECTORY | flags).open(path)
}

#[cfg(test)]
mod tests {
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
