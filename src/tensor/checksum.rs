//! The checksum of a tensor's bytes, where the source recorded none for them.

use std::io;

use super::{Tensor, strings};
use crate::cache::Cache;
use crate::dtype::Dtype;
use crate::extent::VirtualFile;
use crate::format::crc::Masked;
use crate::format::string_tensor;

/// Bytes that are read at once.
const CHUNK: usize = 4 << 20;
/// The same of what is better read in few large parts.
const BAND: usize = 32 << 20;

impl Tensor {
    /// The checksum that the tensor's entry in a bundle has, by a reading of all of it. What the source stores in another
    /// order is held against the checksum that is recorded there.
    ///
    /// # Errors
    /// Those of the source; `InvalidData` if what it stores is damaged.
    pub fn checksum(&self) -> io::Result<Masked> {
        match (self.dtype, &self.stored) {
            (Dtype::String, _) => self.with_elements(|_, elements| string_tensor::checksum(elements)),
            (Dtype::Variant, _) => Err(io::Error::other("a variant is not summed, only copied")),
            (_, Some(stored)) => {
                stored.check()?;
                sum(&self.file())
            }
            (_, None) => sum(&self.file()),
        }
    }

    /// Whether the bytes are those that the source recorded the checksum of. Where there is none this cannot tell, nor of
    /// strings, whose checksum is over more than their bytes and is held against them whenever they are decoded.
    ///
    /// # Errors
    /// Those of reading.
    pub fn is_intact(&self) -> io::Result<bool> {
        match (&self.parts, &self.stored, self.crc32c.filter(|_| self.dtype.width().is_some())) {
            (Some(parts), ..) => parts
                .iter()
                .map(|part| part.tensor.is_intact())
                .find(|is| !matches!(is, Ok(true)))
                .unwrap_or(Ok(true)),
            (None, Some(stored), _) => stored.is_intact(),
            (None, None, Some(recorded)) => Ok(sum(&self.file())? == recorded),
            (None, None, None) => Ok(true),
        }
    }

    fn check(&self) -> io::Result<()> {
        let actual = sum(&self.file())?;
        match self.crc32c {
            Some(recorded) if recorded != actual => Err(strings::mismatch(actual, recorded)),
            _ => Ok(()),
        }
    }
}

fn sum(file: &VirtualFile) -> io::Result<Masked> {
    let (cache, mut crc32c, mut at) = (Cache::new(0), Masked::of(b""), 0);
    let most = if file.in_bands() { BAND } else { CHUNK };
    let mut buffer = vec![0; most.min(file.len() as usize)];
    while at < file.len() {
        let n = file.read_at(&cache, &mut buffer, at)?;
        crc32c = crc32c.extend(&buffer[..n]);
        at += n as u64;
    }
    Ok(crc32c)
}
