//! Virtual files written to disk: all of them, or none.
//!
//! Each is written under a temporary name beside its own, and all are renamed when all are whole, the index of a bundle
//! last: until then nobody takes what is there for a checkpoint. Whatever goes wrong, disk full or an interrupt, what was
//! written is removed.

mod link;

use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

use crate::cache::Cache;
use crate::extent::VirtualFile;
use crate::source_file::SourceFile;

/// A file that is to be.
pub(crate) struct Output {
    /// Where.
    pub(crate) path: PathBuf,
    /// What is in it.
    pub(crate) file: VirtualFile,
}

/// How it is done.
pub(crate) struct CopyMode<'a> {
    /// Whether what is a whole file of the source becomes a link to it: a hard one, across devices a symbolic one.
    pub(crate) link: bool,
    /// Whether what is there is replaced.
    pub(crate) replace: bool,
    /// Told of bytes as they are written; says whether to go on.
    pub(crate) progress: &'a (dyn Fn(u64) -> bool + Sync),
}

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum Error {
    /// Files that are there already.
    Exists(Vec<PathBuf>),
    /// Told to stop.
    Interrupted,
    /// Writing one, or reading what was to be written, failed.
    Io(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(paths) => {
                let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                write!(
                    f,
                    "{}: exists already\n  help: another name, or --force to replace it",
                    paths.join(", ")
                )
            }
            Self::Interrupted => f.write_str("interrupted; nothing was written"),
            Self::Io(path, error) => write!(f, "{}: {error}; nothing was written", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// What was read is written in pieces of this size.
const CHUNK: usize = 4 << 20;
/// Enough for a reader from front to back.
const CACHE: usize = 64 << 20;
/// What files are made with, less the umask.
const MODE: u32 = 0o666;

/// Writes the files, in their order, and makes directories for them.
///
/// # Errors
/// What failed; nothing of the files is left then.
pub(crate) fn write(outputs: &[Output], manner: &CopyMode<'_>) -> Result<(), Error> {
    let present: Vec<_> =
        outputs.iter().map(|output| &output.path).filter(|path| is_there(path)).cloned().collect();
    if !manner.replace && !present.is_empty() {
        return Err(Error::Exists(present));
    }
    let cache = Cache::new(CACHE);
    let write = |output: &Output| output.write(manner, &cache).map_err(|error| output.failed(error));
    let written = outputs.iter().map(write).collect::<Result<Vec<_>, _>>()?;
    rename(outputs, written)
}

/// The last file is the one that makes the others mean something.
fn rename(outputs: &[Output], written: Vec<TempPath>) -> Result<(), Error> {
    let mut done = Vec::new();
    for (output, temporary) in outputs.iter().zip(written) {
        let name = temporary.to_path_buf();
        if let Err(error) = temporary.persist(&output.path) {
            done.into_iter().for_each(|path: &PathBuf| _ = fs::remove_file(path));
            return Err(output.failed(error.error));
        }
        // To rename a link to another of the same file does nothing, and leaves it.
        let _ = fs::remove_file(name);
        done.push(&output.path);
    }
    // Best effort: a directory that cannot be synced holds its files all the same.
    outputs.iter().for_each(|output| _ = File::open(directory(&output.path)).and_then(|dir| dir.sync_all()));
    Ok(())
}

impl Output {
    fn write(&self, manner: &CopyMode<'_>, cache: &Cache) -> io::Result<TempPath> {
        fs::create_dir_all(directory(&self.path))?;
        match self.file.whole_file().filter(|_| manner.link) {
            Some(shard) => self.link(shard),
            None => self.copy(manner, cache),
        }
    }

    fn link(&self, shard: &SourceFile) -> io::Result<TempPath> {
        let link = self.temporary().make_in(directory(&self.path), |path| link::link(shard, path))?;
        Ok(link.into_temp_path())
    }

    fn copy(&self, manner: &CopyMode<'_>, cache: &Cache) -> io::Result<TempPath> {
        let mut builder = self.temporary();
        let mut out = builder.permissions(Permissions::from_mode(MODE)).tempfile_in(directory(&self.path))?;
        let (mut buffer, mut at) = (vec![0; CHUNK.min(self.file.len() as usize)], 0);
        self.file.verify()?;
        while at < self.file.len() {
            let n = self.file.read_at(cache, &mut buffer, at)?;
            out.write_all(&buffer[..n])?;
            at += n as u64;
            if !(manner.progress)(n as u64) {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        out.as_file().sync_all()?;
        Ok(out.into_temp_path())
    }

    fn temporary(&self) -> Builder<'static, 'static> {
        let mut builder = Builder::new();
        builder.prefix(".ckptfs-").suffix(".part");
        builder
    }

    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::Interrupted => Error::Interrupted,
            _ => Error::Io(self.path.clone(), error),
        }
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A link that leads nowhere is there too.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
