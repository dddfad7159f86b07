//! The file `model.safetensors`: a header, followed by the bytes of the tensors, which are served from this file.
//!
//! The file has no checksums. Its names are the names of the variables. A tensor of a type that TensorFlow does not
//! have, or stores in another form, is skipped with a warning.

mod index;

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(super) use index::SOURCE as INDEX;

use crate::catalog::{Catalog, TruncatedFile, Variable};
use crate::directory::Directory;
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::safetensors::{self, Entry, Header};
use crate::name::{Name, listed};
use crate::source::checkpoint::Checkpoint;
use crate::source::error::Error;
use crate::source::file_format::{SourceFormat, without_suffix};
use crate::source::prefix::Prefix;
use crate::source_file::{SourceFile, Stamp};
use crate::tensor::{Damage, Shape, Tensor};

/// The format of a single file.
pub(super) const FILE: SourceFormat = SourceFormat {
    stem: |name| without_suffix(name, OWN).filter(|stem| !is_part(stem)),
    is_head: |ends| is_header(&ends.head),
    suffix: Some(OWN),
    open,
};

/// The suffix of the names of such files.
const OWN: &str = ".safetensors";

/// Returns true if a file begins with eight bytes of a plausible header length and a JSON object.
fn is_header(head: &[u8]) -> bool {
    let Some((len, json)) = head.split_first_chunk::<8>() else { return false };
    u64::from_le_bytes(*len) <= safetensors::MAX_HEADER && json.starts_with(b"{")
}

/// Returns true if a file is one of several: `model-00001-of-00002`.
fn is_part(stem: &OsStr) -> bool {
    stem.as_encoded_bytes().windows(4).any(|part| part == b"-of-")
}

fn open(prefix: &Prefix, directory: &Arc<Directory>) -> Result<Checkpoint, Error> {
    let shard = Arc::new(SourceFile::open_in(directory, &prefix.head));
    let file = File::read(shard)?;
    let stamp = file.stamp;
    checkpoint(prefix, stamp, vec![file], Vec::new(), Vec::new())
}

/// Returns the checkpoint of the variables in these files, and of `variables`, whose files are not there. No two variables may have the same name.
fn checkpoint(
    prefix: &Prefix,
    stamp: Stamp,
    files: Vec<File>,
    mut variables: Vec<Variable>,
    mut warnings: Vec<String>,
) -> Result<Checkpoint, Error> {
    let (mut shards, mut truncated) = (Vec::new(), Vec::new());
    for file in files {
        truncated.extend(file.truncated());
        warnings.extend(file.foreign());
        variables.extend(file.header.tensors.iter().filter_map(|entry| file.variable(entry)));
        shards.push(file.shard);
    }
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    let catalog = Catalog { variables, shards, truncated, ..Catalog::default() };
    Ok(Checkpoint { prefix: prefix.clone(), catalog, stamp, warnings })
}

/// A file whose header was read and checked.
struct File {
    shard: Arc<SourceFile>,
    stamp: Stamp,
    header: Header,
    /// The offset at which the data begins.
    data_at: u64,
}

impl File {
    fn read(shard: Arc<SourceFile>) -> Result<Self, Error> {
        let unreadable = |error: &io::Error| unreadable(shard.path(), error);
        let stamp = stamp(&shard)?;
        let mut head = vec![0; stamp.len.min(safetensors::LENGTH as u64) as usize];
        shard.read_exact_at(&mut head, 0).map_err(|error| unreadable(&error))?;
        let malformed = |fault| Error::Malformed(shard.path().into(), fault);
        let data_at = safetensors::head_len(&head, stamp.len).map_err(malformed)?;
        head.resize(data_at as usize, 0);
        shard.read_exact_at(&mut head, 0).map_err(|error| unreadable(&error))?;
        let header = safetensors::decode_truncated(&head, stamp.len).map_err(malformed)?;
        Ok(Self { stamp, header, data_at, shard })
    }

    /// Returns the variable of an entry. Returns `None` if its type or shape is not supported.
    fn variable(&self, entry: &Entry) -> Option<Variable> {
        let dtype = Dtype::from_safetensors(entry.kind.name())?;
        let shape = Shape(entry.shape.as_slice().into());
        shape.num_elements()?;
        let (offset, len) = (self.data_at + entry.start, entry.end - entry.start);
        if offset + len > self.stamp.len {
            let (name, size) = (self.shard.name(), self.stamp.len);
            let what = format!("bytes {offset}+{len} past the end of {name} ({size} bytes)");
            let damage = Damage::described(&what, Some((self.shard.clone(), offset, len)));
            return Some(named(&entry.name, Tensor::damaged(dtype, shape, damage)));
        }
        let data = vec![Extent::Range { file: self.shard.clone(), offset, len }];
        Some(named(&entry.name, Tensor::new(dtype, shape, data, None)))
    }

    /// Returns the file's length and that which its header needs, if it ends too early.
    fn truncated(&self) -> Option<TruncatedFile> {
        let (len, needed) = (self.stamp.len, self.data_at + self.header.data_len());
        let path = self.shard.path().into();
        (len < needed).then_some(TruncatedFile { path, len, needed, instead: None })
    }

    /// Returns a warning that lists the skipped tensors.
    fn foreign(&self) -> Option<String> {
        let left_out = self.header.tensors.iter().filter(|entry| self.variable(entry).is_none());
        let left_out: Vec<_> = left_out
            .map(|entry| format!("{} ({})", Name::from(entry.name.as_str()), entry.kind.name()))
            .collect();
        let path = self.shard.path().display();
        let (count, named) = (left_out.len(), listed(&left_out, SHOWN));
        (count > 0)
            .then(|| format!("{path}: {count} left out, whose type no TensorFlow checkpoint has: {named}"))
    }
}

fn named(name: &str, tensor: Tensor) -> Variable {
    let (key, plain_key, full_name, origin) = (None, None, None, None);
    Variable { name: Name::from(name), key, plain_key, full_name, tensor: tensor.into(), origin }
}

fn stamp(shard: &SourceFile) -> Result<Stamp, Error> {
    let gone = || shard.fault().map_or_else(|| io::ErrorKind::NotFound.into(), copy);
    shard.stamp().ok_or_else(|| Error::Io(shard.path().into(), gone()))
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Io(path.into(), copy(error))
}

fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// The number of names that a message lists.
const SHOWN: usize = 5;
