//! A dataset in chunks, compressed or not, decoded piece by piece.
//!
//! A piece is a run of the values in row-major order, a chunk is a box; a run is a few boxes, each of which the library reads
//! out of the chunks that it meets, one chunk at a time. It keeps as many decoded chunks as lie side by side in a row of
//! them, so that reading from front to back decodes each once.

use std::hash::{Hash, Hasher};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use hdf5_reader::error::{Error, Result};
use hdf5_reader::{Dataset, Datatype, H5Type, Hdf5File, OpenOptions, SliceInfo, SliceInfoElem};

use super::bytes::{Bytes, MAX_READ};
use super::decoders::swap;
use super::filters;
use super::trouble::Trouble;
use crate::cache::{Decode, Identity};
use crate::tensor::Shape;

/// Bytes of decoded chunks that are kept at least.
const KEPT: usize = 8 << 20;

/// A file opened when values of it are first read. What was needed to open the checkpoint is not kept.
pub(super) struct DataFile {
    bytes: Bytes,
    /// Bytes of decoded chunks that are worth keeping.
    kept: AtomicUsize,
    file: OnceLock<Hdf5File>,
}

impl DataFile {
    /// Nothing is opened yet.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes, kept: AtomicUsize::new(KEPT), file: OnceLock::new() }
    }

    /// Notes what a row of chunks takes.
    pub(super) fn keep(&self, row: u64) {
        let row = usize::try_from(row).map_or(MAX_READ, |row| row.min(MAX_READ));
        self.kept.fetch_max(row, Ordering::Relaxed);
    }

    fn dataset(&self, path: &str) -> Result<Dataset> {
        if let Some(file) = self.file.get() {
            return file.dataset(path);
        }
        let file = open(&self.bytes, self.kept.load(Ordering::Relaxed))?;
        self.file.get_or_init(|| file).dataset(path)
    }
}

/// Opens the file with limits, and with LZF; `kept` bytes of decoded chunks are kept.
pub(super) fn open(bytes: &Bytes, kept: usize) -> Result<Hdf5File> {
    let options = OpenOptions::default()
        .with_chunk_cache_bytes(kept)
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
    /// Bytes of an element, a power of two.
    pub(super) width: u64,
    /// Bytes of a component, where the high one comes first.
    pub(super) swapped: Option<usize>,
}

impl Chunks {
    fn read(&self, at: u64, len: usize) -> Result<Vec<u8>> {
        let dataset = self.file.dataset(&self.path)?;
        let (first, count) = (at / self.width, len as u64 / self.width);
        let mut bytes = Vec::with_capacity(len);
        for range in boxes(&self.shape.0, first, count) {
            slice(&dataset, &range, self.width, &mut bytes)?;
        }
        match bytes.len() == len {
            true => Ok(bytes),
            false => Err(Error::InvalidData(format!("{} bytes where there were {len}", bytes.len()))),
        }
    }
}

impl Decode for Chunks {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "chunks" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        // The library promises errors instead of panics, for files of any kind; a reader is not to pay if it errs.
        let read = catch_unwind(AssertUnwindSafe(|| self.read(at, len)));
        let read = read.unwrap_or_else(|_| Err(Error::Other("the chunks cannot be made sense of".into())));
        let mut bytes = read.map_err(|error| {
            let error = io::Error::from(Trouble::from(error));
            log::error!("{}: bytes {at}+{len} cannot be decoded: {error}", self.path);
            error
        })?;
        swap(&mut bytes, self.swapped);
        Ok(bytes)
    }

    fn verify(&self) -> io::Result<()> {
        self.file.bytes.verify()
    }

    /// Just the elements that are asked for: the library keeps the chunks that they are in.
    fn read(&self, _: u64, buf: &mut [u8], at: u64) -> io::Result<()> {
        let (start, end) = (at - at % self.width, (at + buf.len() as u64).next_multiple_of(self.width));
        let bytes = self.decode(start, (end - start) as usize)?;
        buf.copy_from_slice(&bytes[(at - start) as usize..][..buf.len()]);
        Ok(())
    }

    fn recipe(&self, mut to: &mut dyn Hasher) -> Option<()> {
        ("chunks", &self.path, &self.shape, self.width, self.swapped).hash(&mut to);
        self.file.bytes.recipe(to)
    }
}

/// Bytes of the chunks that lie side by side, all of one place on the first axis.
pub(super) fn row_of_chunks(shape: &Shape, chunk: &[u64], width: u64) -> u64 {
    let others = shape.0.iter().zip(chunk).skip(1);
    let row = others.map(|(dim, chunk)| dim.div_ceil(*chunk).saturating_mul(*chunk));
    row.chain(chunk.first().copied()).fold(width, u64::saturating_mul)
}

/// A box: for each axis where to begin and where to end.
type Ranges = Vec<(u64, u64)>;

/// The boxes that `count` elements from `first` on are, in their order.
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

/// The largest box that begins at an element and holds at most `most`, and how many it holds.
///
/// Only one axis is cut: those after it are whole, on those before it the box is one element wide.
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
            // The axes before may grow only if this one is taken whole.
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

/// Appends the elements of a box as they are stored.
fn slice(dataset: &Dataset, range: &[(u64, u64)], width: u64, bytes: &mut Vec<u8>) -> Result<()> {
    let selections = range.iter().map(|&(start, end)| SliceInfoElem::Slice { start, end, step: 1 }).collect();
    let selection = SliceInfo { selections };
    match width {
        1 => read::<1>(dataset, &selection, bytes),
        2 => read::<2>(dataset, &selection, bytes),
        4 => read::<4>(dataset, &selection, bytes),
        8 => read::<8>(dataset, &selection, bytes),
        16 => read::<16>(dataset, &selection, bytes),
        _ => Err(Error::UnsupportedEncoding(format!("elements of {width} bytes"))),
    }
}

fn read<const N: usize>(dataset: &Dataset, selection: &SliceInfo, bytes: &mut Vec<u8>) -> Result<()> {
    let elements = dataset.read_slice::<Raw<N>>(selection)?;
    elements.iter().for_each(|element| bytes.extend(element.0));
    Ok(())
}

/// An element's bytes, whatever they mean.
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

    /// The elements of a box, by their numbers.
    fn elements(shape: &[u64], range: &[(u64, u64)]) -> Vec<u64> {
        let axes = shape.iter().zip(range);
        axes.fold(vec![0], |outer, (dim, &(start, end))| {
            outer.iter().flat_map(|n| (start..end).map(move |at| n * dim + at)).collect()
        })
    }

    proptest! {
        #[test]
        fn boxes_are_the_run_that_was_asked_for(
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
