//! The difference between the values of pairs of tensors. All numbers are read, on all cores, in blocks.
//!
//! Two numbers are equal if they have the same bits, so NaN equals NaN of the same bits. With a tolerance `R`, they are equal
//! too if `|have - want| <= R * |want|`. Numbers of different dtypes are equal if they are the same number.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::{io, thread};

use crate::cache::Cache;
use crate::dtype::Dtype;
use crate::op::number::{Load, Number, RUN, number};
use crate::tensor::Tensor;

/// The memory of each thread for decoded blocks, in bytes.
const BLOCKS: usize = 16 << 20;

/// A pair of tensors of the same shape: HAVE's and WANT's.
pub(crate) type Pair = (Arc<Tensor>, Arc<Tensor>);

/// The difference between two tensors. A complex number counts as two numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ValueDiff {
    /// The numbers, or the strings.
    pub(crate) elements: u64,
    /// Those that are equal.
    pub(crate) equal: u64,
    /// The numbers that are NaN, of HAVE and of WANT.
    pub(crate) nan: [u64; 2],
    /// The maximum of `|have - want|` where neither is NaN.
    pub(crate) max_abs: f64,
    /// The sum of the squares of `have - want` where both are finite.
    square_diff: f64,
    /// The sum of the squares of `want` where both are finite.
    square_want: f64,
}

impl ValueDiff {
    /// Returns true if all elements are equal.
    pub(crate) fn is_equal(&self) -> bool {
        self.equal == self.elements
    }

    /// Returns the share of elements that are equal, from 0 to 1.
    pub(crate) fn share_equal(&self) -> f64 {
        if self.elements == 0 { 1.0 } else { self.equal as f64 / self.elements as f64 }
    }

    /// Returns the norm of the difference, relative to that of WANT. It is infinite if WANT is zero and HAVE is not.
    pub(crate) fn relative_norm(&self) -> f64 {
        match (self.square_diff, self.square_want) {
            (0.0, _) => 0.0,
            (diff, want) => (diff / want).sqrt(),
        }
    }

    /// Adds the difference of other elements.
    pub(crate) fn add(&mut self, other: &Self) {
        self.elements += other.elements;
        self.equal += other.equal;
        self.nan[0] += other.nan[0];
        self.nan[1] += other.nan[1];
        self.max_abs = self.max_abs.max(other.max_abs);
        self.square_diff += other.square_diff;
        self.square_want += other.square_want;
    }

    /// Counts two numbers that do not have the same bits. `distance` is the exact one if it is known.
    fn unequal(&mut self, have: f64, want: f64, distance: Option<f64>, tolerance: Option<f64>) {
        let distance = distance.unwrap_or((have - want).abs());
        let is_near = distance.is_finite() && tolerance.is_some_and(|most| distance <= most * want.abs());
        self.equal += u64::from(is_near);
        if !distance.is_nan() {
            self.max_abs = self.max_abs.max(distance);
        }
        if distance.is_finite() {
            self.square_diff += distance * distance;
        }
    }
}

/// A range of elements to read.
struct Task {
    pair: usize,
    range: Range<u64>,
    found: OnceLock<io::Result<ValueDiff>>,
}

/// Reads pairs of tensors of the same shape and returns the difference of each. Calls `progress` with the number of bytes of
/// HAVE's that were read.
pub(crate) fn diff_values(
    pairs: &[Pair],
    tolerance: Option<f64>,
    progress: &(dyn Fn(u64) + Sync),
) -> Vec<io::Result<ValueDiff>> {
    let tasks: Vec<Task> = pairs.iter().enumerate().flat_map(|(at, pair)| tasks(at, pair)).collect();
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(tasks.len());
    let work = || {
        let (cache, mut buffers) = (Cache::new(BLOCKS), [vec![], vec![]]);
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            _ = task.found.set(compare(&pairs[task.pair], task, tolerance, &cache, &mut buffers));
            progress(task.range.end - task.range.start);
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
    let mut found: Vec<_> = pairs.iter().map(|_| Ok(ValueDiff::default())).collect();
    for task in tasks {
        let result = task.found.into_inner().unwrap_or_else(|| Err(io::Error::other("a range was not read")));
        match (&mut found[task.pair], result) {
            (Ok(sum), Ok(part)) => sum.add(&part),
            (sum @ Ok(_), Err(error)) => *sum = Err(error),
            (Err(_), _) => {}
        }
    }
    found
}

/// Returns the ranges of bytes of HAVE's tensor that threads read independently.
fn tasks(at: usize, (have, want): &Pair) -> Vec<Task> {
    let task = |range| Task { pair: at, range, found: OnceLock::new() };
    match have.dtype.width().zip(want.dtype.width()) {
        Some(_) if !want.file().reads_whole_bands() => have.scan_ranges().map(task).collect(),
        _ => vec![task(0..have.len())],
    }
}

fn compare(
    (have, want): &Pair,
    task: &Task,
    tolerance: Option<f64>,
    cache: &Cache,
    buffers: &mut [Vec<u8>; 2],
) -> io::Result<ValueDiff> {
    for tensor in [have, want] {
        if let Some(damage) = tensor.damage() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, &*damage.what));
        }
        if !tensor.is_there() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "its data file is missing"));
        }
    }
    let mut diff = ValueDiff::default();
    match (have.dtype, want.dtype) {
        (Dtype::String, Dtype::String) => {
            have.with_elements(|_, have| want.with_elements(|_, want| diff.strings(have, want)))??;
        }
        (a, b) => match number(a).zip(number(b)) {
            Some(numbers) if a.components() == b.components() => {
                let runs = Runs { numbers, dtypes: (a, b), tolerance };
                have.scan_with(want, cache, task.range.clone(), buffers, |have, want| {
                    runs.add(have, want, &mut diff)
                })?;
            }
            _ if a == b => have.scan_with(want, cache, task.range.clone(), buffers, |have, want| {
                diff.add(&ValueDiff { elements: 1, equal: u64::from(have == want), ..ValueDiff::default() });
            })?,
            _ => diff.elements = have.shape.num_elements().unwrap_or(1).max(1),
        },
    }
    Ok(diff)
}

impl ValueDiff {
    fn strings(&mut self, have: &[&[u8]], want: &[&[u8]]) {
        self.elements = have.len() as u64;
        self.equal = have.iter().zip(want).map(|(have, want)| u64::from(have == want)).sum();
    }
}

/// The comparison of runs of numbers.
struct Runs {
    numbers: (&'static Number, &'static Number),
    dtypes: (Dtype, Dtype),
    tolerance: Option<f64>,
}

impl Runs {
    /// Compares the same elements of both sides.
    fn add(&self, have: &[u8], want: &[u8], diff: &mut ValueDiff) {
        let (narrow, wide) = (self.dtypes.0.component_width(), self.dtypes.1.component_width());
        let (mut xs, mut ys) = ([0.0; RUN], [0.0; RUN]);
        for (have, want) in have.chunks(RUN * narrow).zip(want.chunks(RUN * wide)) {
            let len = have.len() / narrow;
            diff.elements += len as u64;
            let xs = self.numbers.0.doubles(have, &mut xs[..len]);
            if self.dtypes.0 == self.dtypes.1 && have == want {
                diff.equal += len as u64;
                let nan = xs.iter().filter(|x| x.is_nan()).count() as u64;
                diff.nan = diff.nan.map(|count| count + nan);
                diff.square_want += xs.iter().filter(|x| x.is_finite()).map(|x| x * x).sum::<f64>();
                continue;
            }
            let ys = self.numbers.1.doubles(want, &mut ys[..len]);
            let exact = self.distances(have, want, len);
            for (at, (x, y)) in xs.iter().zip(ys).enumerate() {
                diff.nan[0] += u64::from(x.is_nan());
                diff.nan[1] += u64::from(y.is_nan());
                if x.is_finite() && y.is_finite() {
                    diff.square_want += y * y;
                }
                let bits = (&have[at * narrow..][..narrow], &want[at * wide..][..wide]);
                let exact = exact.as_ref().map(|all| all[at]);
                let is_same = match self.dtypes.0 == self.dtypes.1 {
                    true => bits.0 == bits.1,
                    false => x == y && exact.is_none_or(|distance| distance == 0.0),
                };
                match is_same {
                    true => diff.equal += 1,
                    false => diff.unequal(*x, *y, exact, self.tolerance),
                }
            }
        }
    }

    /// Returns the exact distances of integers, which a float64 does not always hold.
    fn distances(&self, have: &[u8], want: &[u8], len: usize) -> Option<Vec<f64>> {
        let (have, want) = (integers(self.numbers.0, have, len)?, integers(self.numbers.1, want, len)?);
        Some(have.iter().zip(want).map(|(have, want)| (have - want).unsigned_abs() as f64).collect())
    }
}

fn integers(number: &Number, bytes: &[u8], len: usize) -> Option<Vec<i128>> {
    match &number.load {
        Load::I64(load) => {
            let mut wide = vec![0_i64; len];
            load(bytes, &mut wide);
            Some(wide.into_iter().map(i128::from).collect())
        }
        Load::U64(load) => {
            let mut wide = vec![0_u64; len];
            load(bytes, &mut wide);
            Some(wide.into_iter().map(i128::from).collect())
        }
        Load::F32(_) | Load::F64(_) => None,
    }
}
