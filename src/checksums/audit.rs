//! The audit of tensors: all their bytes are read, on all cores, and compared with the checksums that the source
//! recorded.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::{io, thread};

use crate::cache::Cache;
use crate::checksums::pool::copy;
use crate::dtype::Dtype;
use crate::format::crc::Masked;
use crate::tensor::{Tensor, mismatch};

/// The memory of each thread for decoded blocks, in bytes.
const PIECES: usize = 16 << 20;

/// The verdict of an audit on a tensor.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The verdict that the bytes match the recorded checksums.
    Intact,
    /// The verdict that the bytes can be read, but the source recorded no checksum for some of them.
    Unrecorded,
    /// The verdict that the bytes have another checksum, or cannot be read.
    Damaged(io::Error),
}

/// A tensor as the source stores it, with its ranges.
struct Stored {
    tensor: Arc<Tensor>,
    tasks: Range<usize>,
}

/// A range of a stored tensor that is to be read.
struct Task {
    stored: usize,
    range: Range<u64>,
    sum: OnceLock<io::Result<Masked>>,
}

/// Reads the tensors and returns a verdict for each. Calls `progress` with the number of bytes of each range that was
/// read.
pub(crate) fn audit(tensors: &[Arc<Tensor>], progress: &(dyn Fn(u64) + Sync)) -> Vec<Verdict> {
    let (mut stored, mut tasks, mut parts) = (Vec::new(), Vec::new(), Vec::with_capacity(tensors.len()));
    for tensor in tensors {
        let first = stored.len();
        pieces(tensor, &mut |piece: &Arc<Tensor>| {
            let start = tasks.len();
            let task = |range| Task { stored: stored.len(), range, sum: OnceLock::new() };
            if piece.damage().is_none() {
                tasks.extend(piece.scan_ranges().map(task));
            }
            stored.push(Stored { tensor: piece.clone(), tasks: start..tasks.len() });
        });
        parts.push(first..stored.len());
    }
    read(&stored, &tasks, progress);
    let verdicts = |parts: Range<usize>| {
        stored[parts].iter().map(|part| part.verdict(&tasks)).fold(Verdict::Intact, worse)
    };
    parts.into_iter().map(verdicts).collect()
}

/// Calls `each` with the tensors that the source stores. Big-endian strings are passed as the converted tensor,
/// because decoding that tensor checks them.
fn pieces(tensor: &Arc<Tensor>, each: &mut dyn FnMut(&Arc<Tensor>)) {
    let is_whole = tensor.sources().next().is_none();
    match is_whole || tensor.dtype == Dtype::String && tensor.stored().is_some() {
        true => each(tensor),
        false => tensor.sources().for_each(|source| pieces(source, each)),
    }
}

/// Computes the checksums of all ranges, on all cores.
fn read(stored: &[Stored], tasks: &[Task], progress: &(dyn Fn(u64) + Sync)) {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(tasks.len());
    let work = || {
        let (cache, mut buffer) = (Cache::new(PIECES), Vec::new());
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let sum = stored[task.stored].sum(task, &cache, &mut buffer);
            _ = task.sum.set(sum);
            progress(task.range.end - task.range.start);
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
}

impl Stored {
    fn sum(&self, task: &Task, cache: &Cache, buffer: &mut Vec<u8>) -> io::Result<Masked> {
        match self.tensor.dtype {
            Dtype::String => self.tensor.checksum(),
            _ => self.tensor.sum(cache, task.range.clone(), buffer),
        }
    }

    fn verdict(&self, tasks: &[Task]) -> Verdict {
        if let Some(damage) = self.tensor.damage() {
            return Verdict::Damaged(io::Error::new(io::ErrorKind::InvalidData, &*damage.what));
        }
        if !self.tensor.is_there() {
            return Verdict::Damaged(io::Error::new(io::ErrorKind::NotFound, "its data file is missing"));
        }
        match self.recorded().map(|recorded| (recorded, self.joined(tasks))) {
            None => self.joined(tasks).map_or_else(Verdict::Damaged, |_| Verdict::Unrecorded),
            // Strings were checked when they were decoded.
            Some((_, Ok(_))) if self.tensor.dtype == Dtype::String => Verdict::Intact,
            Some((recorded, Ok(actual))) if recorded == actual => Verdict::Intact,
            Some((recorded, Ok(actual))) => Verdict::Damaged(mismatch(actual, recorded)),
            Some((_, Err(error))) => Verdict::Damaged(error),
        }
    }

    /// Returns the checksum that the source recorded. Returns `None` for a variant, because its checksum is not that
    /// of its bytes.
    fn recorded(&self) -> Option<Masked> {
        let stored = self.tensor.stored().unwrap_or(&self.tensor);
        stored.crc32c.filter(|_| stored.dtype != Dtype::Variant)
    }

    fn joined(&self, tasks: &[Task]) -> io::Result<Masked> {
        let join = |whole: Masked, task: &Task| match task.sum.get() {
            Some(Ok(sum)) => Ok(whole.join(*sum, (task.range.end - task.range.start) as usize)),
            Some(Err(error)) => Err(copy(error)),
            None => Err(io::Error::other("a sum was not computed")),
        };
        tasks[self.tasks.clone()].iter().try_fold(Masked::of(b""), join)
    }
}

fn worse(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (damaged @ Verdict::Damaged(_), _) | (_, damaged @ Verdict::Damaged(_)) => damaged,
        (Verdict::Intact, Verdict::Intact) => Verdict::Intact,
        _ => Verdict::Unrecorded,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::format::string_tensor;
    use crate::tensor::Shape;

    fn tensor(bytes: Vec<u8>, sum: Option<Masked>) -> Arc<Tensor> {
        let shape = Shape([bytes.len() as u64].into());
        Arc::new(Tensor::new(Dtype::Uint8, shape, vec![bytes.into()], sum))
    }

    #[test]
    fn every_tensor_gets_a_verdict_and_every_byte_is_read() {
        let bytes = vec![7; 40 << 20];
        let (strings, sum) = string_tensor::encode(&["text"]);
        let words = |sum| {
            Arc::new(Tensor::new(Dtype::String, Shape([1].into()), vec![strings.clone().into()], Some(sum)))
        };
        let tensors = [
            tensor(bytes.clone(), Some(Masked::of(&bytes))),
            tensor(bytes.clone(), Some(Masked::of(b"other"))),
            tensor(vec![1, 2], None),
            tensor(vec![], Some(Masked::of(b""))),
            words(sum),
            words(Masked::of(b"other")),
        ];
        let read = AtomicU64::new(0);
        let verdicts = audit(&tensors, &|n| _ = read.fetch_add(n, Ordering::Relaxed));
        let marks: String = verdicts
            .iter()
            .map(|verdict| match verdict {
                Verdict::Intact => '=',
                Verdict::Unrecorded => '?',
                Verdict::Damaged(_) => '!',
            })
            .collect();
        assert_eq!(marks, "=!?==!");
        assert_eq!(read.into_inner(), tensors.iter().map(|tensor| tensor.len()).sum::<u64>());
    }
}
