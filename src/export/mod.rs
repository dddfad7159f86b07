//! Virtual files written to disk: all of them, or none.
//!
//! Each file is written under a temporary name in the target directory. When all are complete, they are renamed, the
//! index of a bundle last: until then, no program recognizes a checkpoint. On any failure, such as a full disk or an
//! interrupt, the written files are removed.

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

/// A file to write.
pub(crate) struct Output {
    /// The path of the new file.
    pub(crate) path: PathBuf,
    /// The content.
    pub(crate) file: VirtualFile,
}

/// The options of writing.
pub(crate) struct CopyMode<'a> {
    /// True if an output that is a whole source file becomes a link to it: a hard link, or a symlink across devices.
    pub(crate) link: bool,
    /// True if existing files are replaced.
    pub(crate) replace: bool,
    /// The callback that receives the number of bytes of each write. It returns false to stop.
    pub(crate) progress: &'a (dyn Fn(u64) -> bool + Sync),
}

/// The reason why nothing was written.
#[derive(Debug)]
pub(crate) enum Error {
    /// Some files that already exist.
    Exists(Vec<PathBuf>),
    /// An interrupt.
    Interrupted,
    /// An error of writing a file, or of reading its content.
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

/// The length of a read and write in bytes.
const CHUNK: usize = 4 << 20;
/// The size of the cache in bytes; enough for a sequential reader.
const CACHE: usize = 64 << 20;
/// The permission bits of new files, before the umask.
const MODE: u32 = 0o666;

/// Writes the files in their order, and creates their directories.
///
/// # Errors
/// The reason of the failure. None of the files is left in that case.
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

/// Renames the files in their order. The last one makes the others usable.
fn rename(outputs: &[Output], written: Vec<TempPath>) -> Result<(), Error> {
    let mut done = Vec::new();
    for (output, temporary) in outputs.iter().zip(written) {
        let name = temporary.to_path_buf();
        if let Err(error) = temporary.persist(&output.path) {
            done.into_iter().for_each(|path: &PathBuf| _ = fs::remove_file(path));
            return Err(output.failed(error.error));
        }
        // Renaming a hard link to another link of the same file does nothing and leaves it, so it must be removed.
        let _ = fs::remove_file(name);
        done.push(&output.path);
    }
    // This is best effort: the files are in a directory even if it cannot be synced.
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

/// Returns true if a path exists, even if it is a dangling symlink.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
