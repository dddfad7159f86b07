//! The checksum of a tensor's bytes, where the source recorded none for them.

use std::io;
use std::ops::Range;
use std::sync::LazyLock;

use crate::cache::Cache;
use crate::dtype::Dtype;
use crate::format::crc::Masked;
use crate::format::string_tensor;
use crate::tensor::Tensor;

/// Bytes that are read at once: as many as the processor keeps near.
const CHUNK: u64 = 1 << 20;
/// The same of what is decoded in bands, past the cache: in a smaller one it would be decoded again and again.
const BAND: u64 = 32 << 20;
/// Memory for the piece that is read from.
const PIECES: usize = 16 << 20;

impl Tensor {
    /// The checksum that the tensor's entry in a bundle has, by a reading of all of it. What it is made of is held against
    /// the checksums that are recorded there.
    ///
    /// # Errors
    /// Those of the source; `InvalidData` if what it stores is damaged.
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

    /// The checksum of some of its bytes, which are numbers. Pieces that are decoded for it go through the cache; the buffer
    /// may be used again.
    ///
    /// # Errors
    /// Those of the source.
    pub(crate) fn sum(&self, cache: &Cache, range: Range<u64>, buffer: &mut Vec<u8>) -> io::Result<Masked> {
        static NONE: LazyLock<Cache> = LazyLock::new(|| Cache::new(0));
        let file = self.file();
        let (cache, chunk) = if file.reads_whole_bands() { (&*NONE, BAND) } else { (cache, CHUNK) };
        let (mut sum, mut at) = (Masked::of(b""), range.start);
        while at < range.end {
            let len = chunk.min(range.end - at) as usize;
            buffer.resize(len.max(buffer.len()), 0);
            match file.read_at(cache, &mut buffer[..len], at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => (sum, at) = (sum.extend(&buffer[..n]), at + n as u64),
            }
        }
        Ok(sum)
    }

    /// Whether the bytes are those that the source recorded the checksum of; of what is computed, those that it is made of.
    /// Where there is none this cannot tell, nor of strings, whose checksum is over more than their bytes and is held against
    /// them whenever they are decoded.
    ///
    /// # Errors
    /// Those of reading.
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

/// That a reading gave another checksum than is recorded.
pub(crate) fn mismatch(actual: Masked, recorded: Masked) -> io::Error {
    damaged(format!("its checksum is {:#010x}, but {:#010x} is recorded", actual.unmask(), recorded.unmask()))
}

pub(super) fn damaged(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
