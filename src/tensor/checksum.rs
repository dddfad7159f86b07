//! The checksum of a tensor's bytes, for tensors without a recorded one.

use std::io;
use std::ops::Range;

use crate::cache::Cache;
use crate::dtype::Dtype;
use crate::format::crc::Masked;
use crate::format::string_tensor;
use crate::tensor::Tensor;

/// The memory for the current block in bytes.
const PIECES: usize = 16 << 20;

impl Tensor {
    /// Computes the checksum of the tensor's entry in a bundle; reads the whole tensor. Checks the tensors that it is
    /// computed from against their recorded checksums.
    ///
    /// # Errors
    /// Errors of the source; `InvalidData` if the stored bytes are damaged.
    pub(crate) fn checksum(&self) -> io::Result<Masked> {
        match self.dtype {
            Dtype::String => self.with_elements(|_, elements| string_tensor::checksum(elements)),
            Dtype::Variant => Err(io::Error::other("a variant is not summed, only copied")),
            _ => {
                self.sources().try_for_each(|source| source.check())?;
                self.sum_of_all()
            }
        }
    }

    /// Computes the checksum of a range of the bytes of a numeric tensor. Blocks that must be decoded go through the
    /// cache. The buffer can be reused for the next call.
    ///
    /// # Errors
    /// Errors of the source.
    pub(crate) fn sum(&self, cache: &Cache, range: Range<u64>, buffer: &mut Vec<u8>) -> io::Result<Masked> {
        let mut sum = Masked::of(b"");
        self.scan(cache, range, buffer, |bytes| sum = sum.extend(bytes))?;
        Ok(sum)
    }

    /// Returns true if the bytes match the recorded checksum. A computed tensor is intact if all tensors that it is
    /// computed from are. Also returns true if no checksum is recorded, and for strings: their checksum covers more
    /// than their bytes, and is checked whenever they are decoded.
    ///
    /// # Errors
    /// Errors of reading.
    pub fn is_intact(&self) -> io::Result<bool> {
        let mut sources = self.sources().map(|source| source.is_intact()).peekable();
        match (sources.peek(), self.crc32c.filter(|_| self.dtype.width().is_some())) {
            (Some(_), _) => sources.find(|is| !matches!(is, Ok(true))).unwrap_or(Ok(true)),
            (None, Some(recorded)) => Ok(self.sum_of_all()? == recorded),
            (None, None) => Ok(true),
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.sources().next().is_some() {
            return self.sources().try_for_each(|source| source.check());
        }
        match self.crc32c.filter(|_| self.dtype.width().is_some()) {
            Some(recorded) => match self.sum_of_all()? {
                actual if actual == recorded => Ok(()),
                actual => Err(mismatch(actual, recorded)),
            },
            None => Ok(()),
        }
    }

    fn sum_of_all(&self) -> io::Result<Masked> {
        self.sum(&Cache::new(PIECES), 0..self.len(), &mut Vec::new())
    }
}

/// Returns the error that the bytes have another checksum than the recorded one.
pub(crate) fn mismatch(actual: Masked, recorded: Masked) -> io::Error {
    damaged(format!("its checksum is {:#010x}, but {:#010x} is recorded", actual.unmask(), recorded.unmask()))
}

pub(super) fn damaged(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
