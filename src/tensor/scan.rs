//! Sequential reads of a tensor's bytes, in ranges that several threads can share.

use std::io;
use std::ops::Range;
use std::sync::LazyLock;

use crate::cache::Cache;
use crate::extent::VirtualFile;
use crate::tensor::Tensor;

/// The length of a range in bytes. A multiple of the width of every dtype, as are the next two.
const RANGE: u64 = 16 << 20;
/// The number of bytes that are read at once, small enough for the processor's cache.
const CHUNK: u64 = 1 << 20;
/// The same for data that is decoded in whole bands, without a cache. With a smaller value, the same data would be
/// decoded many times.
const BAND: u64 = 32 << 20;

/// The cache of data that is decoded in whole bands.
static NONE: LazyLock<Cache> = LazyLock::new(|| Cache::new(0));

impl Tensor {
    /// Returns the ranges of the bytes that threads read independently. A value that is decoded in whole bands is one
    /// range, because decoding a part takes as long as decoding everything.
    pub(crate) fn scan_ranges(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let len = self.len();
        let is_one = len <= RANGE || self.dtype.width().is_none() || self.file().reads_whole_bands();
        let step = if is_one { len.max(1) } else { RANGE };
        (0..len.div_ceil(step)).map(move |i| i * step..((i + 1) * step).min(len))
    }

    /// Calls `each` with the bytes of a range, in chunks. Blocks that must be decoded go through the cache. The buffer
    /// can be reused for the next call.
    ///
    /// # Errors
    /// Errors of the source.
    pub(crate) fn scan(
        &self,
        cache: &Cache,
        range: Range<u64>,
        buffer: &mut Vec<u8>,
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let file = self.file();
        let (cache, chunk) = if file.reads_whole_bands() { (&*NONE, BAND) } else { (cache, CHUNK) };
        let mut at = range.start;
        while at < range.end {
            let len = chunk.min(range.end - at) as usize;
            buffer.resize(len.max(buffer.len()), 0);
            match file.read_at(cache, &mut buffer[..len], at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => {
                    each(&buffer[..n]);
                    at += n as u64;
                }
            }
        }
        Ok(())
    }

    /// Calls `each` with the bytes of a range and those of the same elements of another tensor of the same shape, in chunks.
    ///
    /// # Errors
    /// Errors of the sources.
    pub(crate) fn scan_with(
        &self,
        other: &Self,
        cache: &Cache,
        range: Range<u64>,
        buffers: &mut [Vec<u8>; 2],
        mut each: impl FnMut(&[u8], &[u8]),
    ) -> io::Result<()> {
        let files = [self.file(), other.file()];
        let Some((width, other_width)) = self.dtype.width().zip(other.dtype.width()) else {
            return self.scan_whole(&files, cache, buffers, each);
        };
        let (cache, chunk) = match files.iter().any(|file| file.reads_whole_bands()) {
            true => (&*NONE, BAND),
            false => (cache, CHUNK),
        };
        let [own, others] = buffers;
        let mut at = range.start;
        while at < range.end {
            let len = chunk.min(range.end - at);
            read_exact(&files[0], cache, own, at, len)?;
            read_exact(&files[1], cache, others, at / width * other_width, len / width * other_width)?;
            each(own, others);
            at += len;
        }
        Ok(())
    }

    /// Calls `each` with all bytes of two tensors whose elements vary in size.
    fn scan_whole(
        &self,
        files: &[VirtualFile; 2],
        cache: &Cache,
        buffers: &mut [Vec<u8>; 2],
        mut each: impl FnMut(&[u8], &[u8]),
    ) -> io::Result<()> {
        for (file, buffer) in files.iter().zip(&mut *buffers) {
            read_exact(file, cache, buffer, 0, file.len())?;
        }
        each(&buffers[0], &buffers[1]);
        Ok(())
    }
}

/// Fills a buffer with bytes of a file.
fn read_exact(file: &VirtualFile, cache: &Cache, buffer: &mut Vec<u8>, at: u64, len: u64) -> io::Result<()> {
    buffer.resize(len as usize, 0);
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(cache, &mut buffer[done..], at + done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => done += n,
        }
    }
    Ok(())
}
