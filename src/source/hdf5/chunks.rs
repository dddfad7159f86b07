//! A dataset in chunks, compressed or not, decoded block by block.
//!
//! A block is a run of values in row-major order. A chunk is a box. A run consists of a few boxes, and the library
//! reads each box out of the chunks that overlap it. The values of chunks that lie side by side alternate in a run.
//! So the library keeps the last few MiB of decoded chunks, and reading from front to back decodes each chunk once.
//! If the row of chunks is longer, it is decoded in bands, chunk by chunk. Each chunk is then decoded once per band
//! that overlaps it.

use std::hash::{Hash, Hasher};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hdf5_reader::error::{Error, Result};
use hdf5_reader::{Dataset, Datatype, H5Type, Hdf5File, OpenOptions, SliceInfo, SliceInfoElem};

use crate::cache::{Decode, Identity};
use crate::source::hdf5::decoders::swap;
use crate::source::hdf5::error::DatasetError;
use crate::source::hdf5::filters;
use crate::source::hdf5::storage::{FileStorage, MAX_READ};
use crate::tensor::Shape;

/// The number of bytes of decoded chunks that an open file keeps, in addition to the cache.
const KEPT: usize = 8 << 20;
/// The maximum number of chunks that an open file keeps: small chunks take more memory than their bytes.
const KEPT_CHUNKS: usize = 4 << 10;
/// The maximum number of HDF5 files that are open at the same time.
const MOST_OPEN: usize = 2;

/// A file that is opened when values of it are read. The data structures that opened the checkpoint are not kept.
pub(super) struct DataFile {
    storage: FileStorage,
}

/// The open files, the most recently used one last.
static OPEN: Mutex<Vec<(Weak<DataFile>, Hdf5File)>> = Mutex::new(Vec::new());

impl DataFile {
    /// Returns a file that is not open yet.
    pub(super) fn new(bytes: FileStorage) -> Self {
        Self { storage: bytes }
    }

    fn dataset(self: &Arc<Self>, path: &str) -> Result<Dataset> {
        if let Some(file) = self.used(None) {
            return file.dataset(path);
        }
        let file = open(&self.storage, KEPT)?;
        self.used(Some(file.clone())).unwrap_or(file).dataset(path)
    }

    /// Returns the open file and marks it as the most recently used. If it was not open yet, stores and returns
    /// `new`.
    fn used(self: &Arc<Self>, new: Option<Hdf5File>) -> Option<Hdf5File> {
        let (mut files, this) = (opened(), Arc::downgrade(self));
        let found = files.iter().position(|(of, _)| of.ptr_eq(&this)).map(|i| files.remove(i).1);
        let file = found.or(new)?;
        files.push((this, file.clone()));
        let excess = files.len().saturating_sub(MOST_OPEN);
        files.drain(..excess);
        Some(file)
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        opened().retain(|(of, _)| of.strong_count() > 0);
    }
}

fn opened() -> MutexGuard<'static, Vec<(Weak<DataFile>, Hdf5File)>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the file with read limits and with LZF support. The library keeps `kept` bytes of decoded chunks.
pub(super) fn open(bytes: &FileStorage, kept: usize) -> Result<Hdf5File> {
    let options = OpenOptions::default()
        .with_chunk_cache_bytes(kept)
        .with_chunk_cache_slots(KEPT_CHUNKS)
        .with_filter_registry(filters::registry())
        .with_max_chunk_bytes(MAX_READ)
        .with_max_read_bytes(MAX_READ);
    Hdf5File::from_storage_with_options(Arc::new(bytes.clone()), options)
}

/// A dataset in chunks.
pub(super) struct Chunks {
    pub(super) file: Arc<DataFile>,
    pub(super) path: String,
    pub(super) shape: Shape,
    /// The number of elements of a chunk along each axis.
    pub(super) chunk: Vec<u64>,
    /// The number of bytes of an element, a power of two.
    pub(super) width: u64,
    /// The number of bytes of a component, if it is big-endian.
    pub(super) swapped: Option<usize>,
}

impl Chunks {
    fn read(&self, at: u64, len: usize) -> Result<Vec<u8>> {
        let dataset = self.file.dataset(&self.path)?;
        let (first, count) = (at / self.width, len as u64 / self.width);
        let mut bytes = vec![0; len];
        for range in boxes(&self.shape.0, first, count) {
            let parts = if self.reads_whole_bands() { cells(&range, &self.chunk) } else { vec![range] };
            for part in parts {
                let elements = slice(&dataset, &part, self.width)?;
                self.place(&part, &elements, &mut bytes, first)?;
            }
        }
        Ok(bytes)
    }

    /// Copies the elements of a box to their places in the run that begins with element `first`.
    fn place(&self, part: &Ranges, elements: &[u8], run: &mut [u8], first: u64) -> Result<()> {
        // The last axis that the box does not cover fully. From this axis on, the elements are contiguous.
        let axis = part.iter().zip(&self.shape.0).rposition(|(&range, &dim)| range != (0, dim)).unwrap_or(0);
        let strides = (1..=part.len()).map(|inner| self.shape.0[inner..].iter().product());
        let strides: Vec<u64> = strides.collect();
        let start: u64 = part.iter().zip(&strides).map(|((start, _), stride)| start * stride).sum();
        let size = |&(start, end): &(u64, u64)| end - start;
        let line = (part[axis..].iter().map(size).product::<u64>() * self.width) as usize;
        if elements.len() as u64 != part.iter().map(size).product::<u64>() * self.width {
            return Err(Error::InvalidData(format!("{} bytes of the box {part:?}", elements.len())));
        }
        for (number, line) in elements.chunks_exact(line.max(1)).enumerate() {
            let (mut rest, mut at) = (number as u64, start - first);
            for (range, stride) in part[..axis].iter().zip(&strides).rev() {
                at += rest % size(range) * stride;
                rest /= size(range);
            }
            let at = (at * self.width) as usize;
            run[at..at + line.len()].copy_from_slice(line);
        }
        Ok(())
    }
}

impl Decode for Chunks {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "chunks" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        // The library promises errors instead of panics for any file. If it panics anyway, the reader gets an error.
        let read = catch_unwind(AssertUnwindSafe(|| self.read(at, len)));
        let read = read.unwrap_or_else(|_| Err(Error::Other("the chunks cannot be decoded".into())));
        let mut bytes = read.map_err(|error| {
            let error = io::Error::from(DatasetError::from(error));
            log::error!("{}: bytes {at}+{len} cannot be decoded: {error}", self.path);
            error
        })?;
        swap(&mut bytes, self.swapped);
        Ok(bytes)
    }

    fn verify(&self) -> io::Result<()> {
        self.file.storage.verify()
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        ("chunks", &self.path, &self.shape, self.width, self.swapped).hash(&mut to);
        self.file.storage.fingerprint(to)
    }

    /// Returns a small length, because decoding takes several times as long as reading.
    fn block_len(&self) -> u64 {
        1 << 20
    }

    fn alignment(&self) -> u64 {
        self.width
    }

    fn reads_whole_bands(&self) -> bool {
        row_of_chunks(&self.shape, &self.chunk, self.width) > KEPT as u64
    }
}

/// Returns the number of bytes of the chunks that lie side by side, all at the same index of the first axis.
fn row_of_chunks(shape: &Shape, chunk: &[u64], width: u64) -> u64 {
    let others = shape.0.iter().zip(chunk).skip(1);
    let row = others.map(|(dim, chunk)| dim.div_ceil(*chunk).saturating_mul(*chunk));
    row.chain(chunk.first().copied()).fold(width, u64::saturating_mul)
}

/// A box: the start and the end for each axis.
type Ranges = Vec<(u64, u64)>;

/// Splits the `count` elements from `first` on into boxes, in order.
fn boxes(shape: &[u64], mut first: u64, count: u64) -> Vec<Ranges> {
    let mut boxes = Vec::new();
    let end = first + count;
    while first < end {
        let (next, found) = largest(shape, first, end - first);
        boxes.push(found);
        first += next;
    }
    boxes
}

/// Returns the largest box that begins at an element and holds at most `most` elements, and its number of elements.
///
/// Only one axis is cut. The axes after it are whole. On the axes before it, the box is one element wide.
fn largest(shape: &[u64], first: u64, most: u64) -> (u64, Ranges) {
    let mut found: Ranges = vec![(0, 0); shape.len()];
    let (mut inner, mut cut) = (1, None);
    let mut rest = first;
    for axis in (0..shape.len()).rev() {
        let at = rest % shape[axis];
        rest /= shape[axis];
        found[axis] = (at, at + 1);
        if cut.is_none() {
            let (whole, wanted) = (shape[axis], most / inner);
            // The axes before this one may grow only if this one is taken whole.
            if at > 0 || wanted < whole || axis == 0 {
                let count = wanted.min(whole - at);
                found[axis] = (at, at + count);
                cut = Some(inner * count);
            } else {
                found[axis] = (0, whole);
                inner *= whole;
            }
        }
    }
    (cut.unwrap_or(1), found)
}

/// Splits a box into parts, each of which lies in one chunk.
fn cells(range: &Ranges, chunk: &[u64]) -> Vec<Ranges> {
    let mut cells = vec![Vec::with_capacity(range.len())];
    for (&(start, end), &chunk) in range.iter().zip(chunk) {
        let cuts = (start / chunk..end.div_ceil(chunk))
            .map(|number| ((number * chunk).max(start), ((number + 1) * chunk).min(end)));
        let cuts: Vec<_> = cuts.collect();
        let extended = |cell: &Ranges| -> Vec<Ranges> {
            cuts.iter().map(|&cut| cell.iter().copied().chain([cut]).collect()).collect()
        };
        cells = cells.iter().flat_map(extended).collect();
    }
    cells
}

/// Reads the elements of a box as they are stored.
fn slice(dataset: &Dataset, range: &[(u64, u64)], width: u64) -> Result<Vec<u8>> {
    let selections = range.iter().map(|&(start, end)| SliceInfoElem::Slice { start, end, step: 1 }).collect();
    let selection = SliceInfo { selections };
    match width {
        1 => read::<1>(dataset, &selection),
        2 => read::<2>(dataset, &selection),
        4 => read::<4>(dataset, &selection),
        8 => read::<8>(dataset, &selection),
        16 => read::<16>(dataset, &selection),
        _ => Err(Error::UnsupportedEncoding(format!("elements of {width} bytes"))),
    }
}

fn read<const N: usize>(dataset: &Dataset, selection: &SliceInfo) -> Result<Vec<u8>> {
    let elements = dataset.read_slice::<Raw<N>>(selection)?;
    let mut bytes = Vec::with_capacity(elements.len() * N);
    elements.iter().for_each(|element| bytes.extend_from_slice(&element.0));
    Ok(bytes)
}

/// The bytes of an element, without an interpretation.
#[derive(Clone)]
struct Raw<const N: usize>([u8; N]);

impl<const N: usize> H5Type for Raw<N> {
    fn hdf5_type() -> Datatype {
        Datatype::Opaque { size: N as u32, tag: String::new() }
    }

    fn from_bytes(bytes: &[u8], _: &Datatype) -> Result<Self> {
        let element = bytes.first_chunk().ok_or_else(|| Error::InvalidData("an element cut short".into()))?;
        Ok(Self(*element))
    }

    fn element_size(_: &Datatype) -> usize {
        N
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the elements of a box, by their numbers.
    fn elements(shape: &[u64], range: &[(u64, u64)]) -> Vec<u64> {
        let axes = shape.iter().zip(range);
        axes.fold(vec![0], |outer, (dim, &(start, end))| {
            outer.iter().flat_map(|n| (start..end).map(move |at| n * dim + at)).collect()
        })
    }

    proptest! {
        #[test]
        fn the_cells_of_a_run_are_copied_to_their_places_in_it(
            axes in proptest::collection::vec((1u64..6, 1u64..4), 0..5), at in 0.0..1.0f64, share in 0.0..1.0f64,
        ) {
            let (shape, chunk): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
            let file = Arc::new(DataFile::new(FileStorage::Memory([].into())));
            let shape = Shape(shape.into());
            let chunks = Chunks { file, path: String::new(), shape, chunk, width: 2, swapped: None };
            let all: u64 = chunks.shape.0.iter().product();
            let first = (at * all as f64) as u64;
            let count = (share * (all - first) as f64) as u64;
            let mut run = vec![0xff; 2 * count as usize];
            for cell in boxes(&chunks.shape.0, first, count).iter().flat_map(|range| cells(range, &chunks.chunk)) {
                let in_one = cell.iter().zip(&chunks.chunk).all(|(range, chunk)| range.0 / chunk == (range.1 - 1) / chunk);
                prop_assert!(in_one, "{cell:?} in chunks of {:?}", chunks.chunk);
                let numbers = elements(&chunks.shape.0, &cell).into_iter().flat_map(|n| (n as u16).to_le_bytes());
                chunks.place(&cell, &numbers.collect::<Vec<_>>(), &mut run, first).unwrap();
            }
            let expected: Vec<u8> = (first..first + count).flat_map(|n| (n as u16).to_le_bytes()).collect();
            prop_assert_eq!(run, expected);
        }

        #[test]
        fn boxes_cover_exactly_the_requested_run(
            shape in proptest::collection::vec(1u64..6, 0..5), at in 0.0..1.0f64, share in 0.0..1.0f64,
        ) {
            let all: u64 = shape.iter().product();
            let first = (at * all as f64) as u64;
            let count = (share * (all - first) as f64) as u64;
            let found = boxes(&shape, first, count);
            let run: Vec<u64> = found.iter().flat_map(|range| elements(&shape, range)).collect();
            prop_assert_eq!(run, (first..first + count).collect::<Vec<_>>());
            prop_assert!(found.len() <= 2 * shape.len().max(1));
        }
    }
}
