//! Files that ops name: vocabularies, indices, arrays. Relative paths start at the map file's directory. Each file is
//! read once each time the map is checked against a checkpoint.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use crate::extent::VirtualFile;
use crate::map::ops::error::OpError;
use crate::map::span::Span;
use crate::map::toml::value_reader::{Reader, Value};
use crate::source_file::SourceFile;

/// The path of a file, and the place where it is written.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) place: Span,
}

impl File {
    pub(crate) fn read(reader: &mut Reader<'_>, key: &str, value: &Value<'_>) -> Option<Self> {
        let Some(name) = value.get_ref().as_str().filter(|name| !name.is_empty()) else {
            reader.wrong(value, format!("`{key}` is the path of a file, relative to the map"));
            return None;
        };
        Some(Self { path: reader.relative_path(name), place: reader.place(value.span()) })
    }
}

/// A cache of the files that were read so far.
#[derive(Default)]
pub(crate) struct Files(RefCell<HashMap<PathBuf, Read>>);

/// The bytes of a file, or the reason why it cannot be read.
type Read = Result<Arc<[u8]>, String>;

impl Files {
    /// Reads a whole file.
    pub(crate) fn bytes(&self, file: &File) -> Result<Arc<[u8]>, OpError> {
        let mut read = self.0.borrow_mut();
        let bytes = read.entry(file.path.clone()).or_insert_with(|| bytes(&file.path));
        bytes.clone().map_err(|what| OpError::new(&file.place, what))
    }

    /// Opens a file. Its bytes are read only on demand.
    pub(crate) fn open(&self, file: &File) -> Result<VirtualFile, OpError> {
        let misfit = |why: String| OpError::new(&file.place, format!("{}: {why}", file.path.display()));
        match fs::metadata(&file.path) {
            Ok(meta) if meta.is_file() => {}
            Ok(_) => return Err(misfit("not a regular file".into())),
            Err(error) => return Err(misfit(error.to_string())),
        }
        let shard = SourceFile::open(&file.path);
        match shard.fault() {
            Some(fault) => Err(misfit(fault.to_string())),
            None => Ok(VirtualFile::whole(shard)),
        }
    }

    /// Reads the lines of a file, without their line ends.
    pub(crate) fn lines(&self, file: &File) -> Result<Vec<Vec<u8>>, OpError> {
        let bytes = self.bytes(file)?;
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let lines =
            text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec());
        Ok(if bytes.is_empty() { Vec::new() } else { lines.collect() })
    }
}

/// Reads a regular file. A pipe or a device is an error, because reading it might never end.
fn bytes(path: &Path) -> Read {
    let read = || match fs::metadata(path)?.is_file() {
        true => fs::read(path),
        false => Err(io::Error::other("not a regular file")),
    };
    read().map(Into::into).map_err(|error| format!("{}: {error}", path.display()))
}
