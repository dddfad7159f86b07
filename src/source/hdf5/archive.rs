//! A `.keras` file: a zip archive in which one member, an HDF5 file, holds the weights. Keras stores this member
//! without compression, so it is a range of the archive. If another program compressed it, it is inflated into
//! memory, unless it is too large.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::source::error::Error;
use crate::source::hdf5::storage::FileStorage;
use crate::source_file::SourceFile;

/// The member that holds the weights.
const WEIGHTS: &str = "model.weights.h5";
/// The maximum length in bytes of a member that is inflated.
const MAX_INFLATED: u64 = 256 << 20;

/// Returns the storage of the weights in an archive.
pub(super) fn weights(shard: &Arc<SourceFile>) -> Result<FileStorage, Error> {
    let path = || shard.path().to_owned();
    let mut archive = ZipArchive::new(Cursor { shard, at: 0 }).map_err(|error| refused(path(), error))?;
    let Some(index) = archive.index_for_name(WEIGHTS) else {
        let what = format!("a zip archive without {WEIGHTS}, which a Keras model has");
        return Err(Error::Unsupported(path(), what));
    };
    let member = archive.by_index_raw(index).map_err(|error| refused(path(), error))?;
    let unpack = |what: &str| {
        let advice = format!("{WEIGHTS} in it is {what}\n  help: unpack it, and give the file {WEIGHTS}");
        Error::Unsupported(path(), advice)
    };
    if member.encrypted() {
        return Err(unpack("encrypted"));
    }
    let (size, stored, start) = (member.size(), member.compressed_size(), member.data_start());
    let method = member.compression();
    drop(member);
    match (method, start) {
        (CompressionMethod::Stored, Some(offset)) if size == stored => part(shard, offset, size),
        (CompressionMethod::Stored, _) => Err(unpack("of two lengths: the archive is damaged")),
        (CompressionMethod::Deflated, _) if size > MAX_INFLATED => Err(unpack("compressed and large")),
        (CompressionMethod::Deflated, _) => {
            let member = archive.by_index(index).map_err(|error| refused(path(), error))?;
            inflate(member, size).map_err(|error| damaged(path(), &error))
        }
        (other, _) => Err(unpack(&format!("compressed with {other}"))),
    }
}

fn part(shard: &Arc<SourceFile>, offset: u64, len: u64) -> Result<FileStorage, Error> {
    let file = shard.size().unwrap_or(0);
    match offset.checked_add(len).is_some_and(|end| end <= file) {
        true => Ok(FileStorage::Part { shard: shard.clone(), offset, len }),
        false => {
            let what = format!("{WEIGHTS} at {offset}+{len} past the end of the archive ({file} bytes)");
            Err(damaged(shard.path().to_owned(), &io::Error::other(what)))
        }
    }
}

/// Inflates a member. It must have exactly `size` bytes. The reader checks its checksum at the end.
fn inflate(member: impl Read, size: u64) -> io::Result<FileStorage> {
    let mut bytes = Vec::new();
    member.take(size + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == size {
        true => Ok(FileStorage::Memory(bytes.into())),
        false => Err(io::Error::other(format!("{WEIGHTS} is not the {size} bytes it should be"))),
    }
}

fn refused(path: PathBuf, error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => damaged(path, &error),
        ZipError::UnsupportedArchive(what) => {
            Error::Unsupported(path, format!("a zip archive of a kind not read here: {what}"))
        }
        error => damaged(path, &io::Error::other(error)),
    }
}

fn damaged(path: PathBuf, error: &io::Error) -> Error {
    if error.raw_os_error().is_some() {
        return Error::Io(path, io::Error::new(error.kind(), error.to_string()));
    }
    let advice = "help: the archive is damaged; copy it again from where it was saved";
    Error::Unsupported(path, format!("{error}\n  {advice}"))
}

/// A position in the file, in the form that the archive library needs.
struct Cursor<'a> {
    shard: &'a SourceFile,
    at: u64,
}

impl Read for Cursor<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.shard.size().unwrap_or(0).saturating_sub(self.at);
        let len = (buf.len() as u64).min(left) as usize;
        self.shard.read_exact_at(&mut buf[..len], self.at)?;
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.shard.size().unwrap_or(0).checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
