//! The audit of values: all numbers are read, on all cores. It counts those that are not finite, and those that a cast
//! loses.
//!
//! A tensor knows the tensors that it is computed from. Where the dtypes of the two differ, there is a cast, and its
//! input is read and converted here too: an infinity of the input is no loss, an infinity of the result alone is.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::{io, thread};

use crate::cache::Cache;
use crate::dtype::Dtype;
use crate::op::number::{RUN, number};
use crate::tensor::Tensor;

/// The memory of each thread for decoded blocks, in bytes.
const BLOCKS: usize = 16 << 20;

/// The audit of one tensor.
#[derive(Debug, Default)]
pub(crate) struct ValueAudit {
    /// The numbers that are NaN. A complex number counts as two numbers.
    pub(crate) nan: u64,
    /// The numbers that are infinite.
    pub(crate) infinite: u64,
    /// The losses of each cast that the tensor is computed through.
    pub(crate) casts: Vec<CastAudit>,
    /// The error of a tensor that cannot be read.
    pub(crate) error: Option<io::Error>,
}

/// The losses of a cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CastAudit {
    pub(crate) from: Dtype,
    pub(crate) to: Dtype,
    /// The numbers that were cast.
    pub(crate) numbers: u64,
    pub(crate) losses: Losses,
}

/// The numbers that a cast loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Finite numbers that become infinite, NaN, or a number of less than half their size.
    pub(crate) overflow: u64,
    /// Numbers other than 0 that become 0 as floats.
    pub(crate) underflow: u64,
    /// Numbers that an integer type cannot hold. Reading them is an error.
    pub(crate) out_of_range: u64,
}

/// A cast of a tensor: its input and its result.
struct Cast {
    from: Arc<Tensor>,
    to: Arc<Tensor>,
}

/// The tensors, and the casts that each is computed through.
struct Scans<'a> {
    tensors: &'a [Arc<Tensor>],
    casts: Vec<Vec<Cast>>,
}

/// A range to read: of the tensor itself, or of the input of one of its casts.
struct Task {
    tensor: usize,
    cast: Option<usize>,
    range: Range<u64>,
    counts: OnceLock<io::Result<Counts>>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    nan: u64,
    infinite: u64,
    losses: Losses,
}

/// Reads the numeric tensors and returns an audit for each tensor. Calls `progress` with the number of bytes of each
/// range that was read.
pub(crate) fn audit_values(tensors: &[Arc<Tensor>], progress: &(dyn Fn(u64) + Sync)) -> Vec<ValueAudit> {
    let scans = Scans { tensors, casts: tensors.iter().map(casts).collect() };
    let tasks = scans.tasks();
    scans.run(&tasks, progress);
    let mut audits: Vec<_> = scans.casts.iter().map(|casts| ValueAudit::new(casts)).collect();
    for task in tasks {
        audits[task.tensor].add(task);
    }
    audits
}

/// Returns the number of bytes that an audit reads.
pub(crate) fn audited_len(tensors: &[Arc<Tensor>]) -> u64 {
    let len =
        |tensor: &Arc<Tensor>| tensor.len() + casts(tensor).iter().map(|cast| cast.from.len()).sum::<u64>();
    tensors.iter().filter(|tensor| number(tensor.dtype).is_some()).map(len).sum()
}

impl Scans<'_> {
    fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        for (at, tensor) in
            self.tensors.iter().enumerate().filter(|(_, tensor)| number(tensor.dtype).is_some())
        {
            let inputs =
                self.casts[at].iter().enumerate().map(|(cast, Cast { from, .. })| (Some(cast), from));
            for (cast, scanned) in [(None, tensor)].into_iter().chain(inputs) {
                let task = |range| Task { tensor: at, cast, range, counts: OnceLock::new() };
                tasks.extend(scanned.scan_ranges().map(task));
            }
        }
        tasks
    }

    /// Runs all tasks, on all cores.
    fn run(&self, tasks: &[Task], progress: &(dyn Fn(u64) + Sync)) {
        let next = AtomicUsize::new(0);
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(tasks.len());
        let work = || {
            let (cache, mut buffer) = (Cache::new(BLOCKS), Vec::new());
            while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                _ = task.counts.set(self.count(task, &cache, &mut buffer));
                progress(task.range.end - task.range.start);
            }
        };
        thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
    }

    fn count(&self, task: &Task, cache: &Cache, buffer: &mut Vec<u8>) -> io::Result<Counts> {
        let range = task.range.clone();
        match task.cast {
            None => finite(&self.tensors[task.tensor], range, cache, buffer),
            Some(cast) => self.casts[task.tensor][cast].losses(range, cache, buffer),
        }
    }
}

/// Returns the casts that a tensor is computed through.
fn casts(tensor: &Arc<Tensor>) -> Vec<Cast> {
    let own = tensor.sources().filter(|from| from.dtype != tensor.dtype && number(from.dtype).is_some());
    let own: Vec<_> = own.map(|from| Cast { from: from.clone(), to: tensor.clone() }).collect();
    own.into_iter().chain(tensor.sources().flat_map(casts)).collect()
}

/// Counts the numbers of a range that are not finite.
fn finite(tensor: &Tensor, range: Range<u64>, cache: &Cache, buffer: &mut Vec<u8>) -> io::Result<Counts> {
    let (mut counts, mut wide) = (Counts::default(), [0.0; RUN]);
    let (width, Some(number)) = (tensor.dtype.component_width(), number(tensor.dtype)) else {
        return Ok(counts);
    };
    tensor.scan(cache, range, buffer, |bytes| {
        let runs = if number.is_float() { bytes } else { &[] };
        for bytes in runs.chunks(RUN * width) {
            let wide = number.doubles(bytes, &mut wide[..bytes.len() / width]);
            counts.nan += count(wide, |x| x.is_nan());
            counts.infinite += count(wide, |x| x.is_infinite());
        }
    })?;
    Ok(counts)
}

fn count(numbers: &[f64], is: impl Fn(f64) -> bool) -> u64 {
    numbers.iter().map(|x| u64::from(is(*x))).sum()
}

impl Cast {
    /// Counts the numbers of a range of the input that the cast loses.
    fn losses(&self, range: Range<u64>, cache: &Cache, buffer: &mut Vec<u8>) -> io::Result<Counts> {
        let (from, to) = (self.from.dtype, self.to.dtype);
        let mut losses = Losses::default();
        let (Some(source), Some(target)) = (number(from), number(to).filter(|_| to != Dtype::Bool)) else {
            return Ok(Counts::default());
        };
        let (narrow, wide) = (from.component_width(), to.component_width());
        let (mut out, mut xs, mut ys) = (vec![0; RUN * wide], [0.0; RUN], [0.0; RUN]);
        self.from.scan(cache, range.clone(), buffer, |bytes| {
            for bytes in bytes.chunks(RUN * narrow) {
                let len = bytes.len() / narrow;
                let out = &mut out[..len * wide];
                losses.out_of_range += target.store_run(source, bytes, out, len);
                if target.is_float() {
                    losses.add(source.doubles(bytes, &mut xs[..len]), target.doubles(out, &mut ys[..len]));
                }
            }
        })?;
        // A cast that saturates can be read.
        let result = |at: u64| at / narrow as u64 * wide as u64;
        let is_read = losses.out_of_range > 0
            && self.to.scan(cache, result(range.start)..result(range.end), buffer, |_| ()).is_ok();
        if is_read {
            losses.out_of_range = 0;
        }
        Ok(Counts { losses, ..Counts::default() })
    }
}

impl Losses {
    /// Adds the numbers that a cast to a float loses.
    fn add(&mut self, before: &[f64], after: &[f64]) {
        for (x, y) in before.iter().zip(after) {
            let overflows = x.is_finite() && (!y.is_finite() || *y != 0.0 && x.abs() > 2.0 * y.abs());
            self.overflow += u64::from(overflows);
            self.underflow += u64::from(*x != 0.0 && *y == 0.0);
        }
    }
}

impl ValueAudit {
    fn new(casts: &[Cast]) -> Self {
        let audit = |Cast { from, to }: &Cast| CastAudit {
            from: from.dtype,
            to: to.dtype,
            numbers: from.shape.num_elements().unwrap_or(0) * from.dtype.components(),
            losses: Losses::default(),
        };
        Self { casts: casts.iter().map(audit).collect(), ..Self::default() }
    }

    fn add(&mut self, task: Task) {
        match task.counts.into_inner() {
            Some(Ok(Counts { nan, infinite, losses })) => {
                self.nan += nan;
                self.infinite += infinite;
                if let Some(cast) = task.cast.and_then(|at| self.casts.get_mut(at)) {
                    cast.losses.overflow += losses.overflow;
                    cast.losses.underflow += losses.underflow;
                    cast.losses.out_of_range += losses.out_of_range;
                }
            }
            Some(Err(error)) => self.error = Some(error),
            None => self.error = Some(io::Error::other("a range was not read")),
        }
    }
}
