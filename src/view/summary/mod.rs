//! Statistics of a tensor's numbers: one pass in chunks, so memory use is small for tensors of any size.
//!
//! `min`, `max`, `mean` and `std` (of the population, as in `np.std`) cover the finite elements; the others are
//! counted. A complex number is represented by its magnitude. Sums are float64. Each block is summed separately:
//! first its mean, then the squared deviations from it. The blocks are merged with the method of Chan, Golub and
//! LeVeque. For narrow dtypes, the occurrences of each of the few values are counted.

use std::io;

use crate::cache::Cache;
use crate::dtype::{Dtype, Value};
use crate::tensor::Tensor;

/// Statistics of a tensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    /// The minimum. `None` if no element is finite, as are the next three fields.
    pub(crate) min: Option<Value>,
    pub(crate) max: Option<Value>,
    pub(crate) mean: Option<f64>,
    pub(crate) std: Option<f64>,
    pub(crate) zeros: u64,
    pub(crate) nan: u64,
    pub(crate) inf: u64,
}

/// The number of stored bytes that are read at once. A multiple of the width of every dtype.
const CHUNK: u64 = 256 << 10;
/// The size of the cache in bytes, for tensors whose bytes are computed: two of their blocks.
const CACHE: usize = 8 << 20;
/// The number of elements that are summed together; they stay in the L1 cache meanwhile.
const BLOCK: usize = 1024;
/// The number of parallel sums. They use the processor better and increase the precision.
const LANES: usize = 8;

impl Summary {
    /// Computes the summary of a tensor of numbers.
    pub(crate) fn of(tensor: &Tensor) -> io::Result<Self> {
        let (file, cache, mut running) = (tensor.file(), Cache::new(CACHE), Running::new(tensor.dtype));
        let mut bytes = vec![0; CHUNK.min(tensor.len()) as usize];
        let mut at = 0;
        while at < tensor.len() {
            let n = file.read_at(&cache, &mut bytes, at)?;
            running.add(&bytes[..n]);
            at += n as u64;
        }
        Ok(running.summary())
    }
}

/// An unfinished summary.
struct Running {
    dtype: Dtype,
    finite: u64,
    mean: f64,
    /// The sum of the squared deviations from the mean.
    squares: f64,
    min: f64,
    max: f64,
    /// The smallest and the largest integer, which may have more digits than a float64. In this order if there are
    /// any.
    integers: (i128, i128),
    /// The number of occurrences of each value, by its bytes, for dtypes of one or two bytes.
    occurrences: Vec<u64>,
    zeros: u64,
    nan: u64,
    inf: u64,
}

impl Running {
    fn new(dtype: Dtype) -> Self {
        let values = if dtype.width() <= Some(2) { 1 << (8 * dtype.component_width()) } else { 0 };
        Self {
            dtype,
            finite: 0,
            mean: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            integers: (i128::MAX, i128::MIN),
            occurrences: vec![0; values],
            zeros: 0,
            nan: 0,
            inf: 0,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let width = self.dtype.width().expect("numbers have a width") as usize;
        match width {
            1 => bytes.iter().for_each(|&x| self.occurrences[usize::from(x)] += 1),
            2 => {
                let values = bytes.as_chunks().0.iter().map(|x| u16::from_le_bytes(*x));
                values.for_each(|x| self.occurrences[usize::from(x)] += 1);
            }
            _ => {
                let mut numbers = Vec::with_capacity(2 * BLOCK);
                for block in bytes.chunks(BLOCK * width) {
                    numbers.clear();
                    self.decode(block, &mut numbers);
                    self.add_block(&mut numbers);
                }
            }
        }
    }

    /// Appends the numbers of whole elements. Handles the two most common dtypes without a function call for each
    /// number.
    fn decode(&mut self, bytes: &[u8], numbers: &mut Vec<f64>) {
        match self.dtype {
            Dtype::Float32 => {
                numbers.extend(bytes.as_chunks().0.iter().map(|x| f64::from(f32::from_le_bytes(*x))));
            }
            Dtype::Float64 => numbers.extend(bytes.as_chunks().0.iter().map(|x| f64::from_le_bytes(*x))),
            _ => self.decode_each(bytes, numbers),
        }
    }

    fn decode_each(&mut self, bytes: &[u8], numbers: &mut Vec<f64>) {
        let (value, width) = (self.dtype.value(), self.dtype.component_width());
        let mut integers = self.integers;
        numbers.extend(bytes.chunks_exact(width).map(|bytes| number(value(bytes), &mut integers)));
        self.integers = integers;
        if self.dtype.components() == 2 {
            *numbers = numbers.as_chunks().0.iter().map(|&[re, im]| magnitude(re, im)).collect();
        }
    }

    /// Adds numbers, each with its number of occurrences.
    fn add_weighted(&mut self, mut numbers: Vec<(f64, u64)>) {
        let count = |is: fn(f64) -> bool| numbers.iter().filter(|(x, _)| is(*x)).map(|(_, n)| n).sum::<u64>();
        self.nan += count(f64::is_nan);
        self.inf += count(f64::is_infinite);
        self.zeros += count(|x| x == 0.0);
        let finite = count(f64::is_finite);
        if finite == 0 {
            return;
        }
        numbers.retain(|(x, _)| x.is_finite());
        let sum = |of: &dyn Fn(f64) -> f64| numbers.iter().map(|&(x, n)| of(x) * n as f64).sum::<f64>();
        let mean = sum(&|x| x) / finite as f64;
        let squares = sum(&|x| (x - mean) * (x - mean));
        self.min = numbers.iter().fold(self.min, |min, (x, _)| min.min(*x));
        self.max = numbers.iter().fold(self.max, |max, (x, _)| max.max(*x));
        self.merge(finite, mean, squares);
    }

    /// Adds numbers. Removes those that are not finite from `block`.
    fn add_block(&mut self, block: &mut Vec<f64>) {
        let all = block.len() as u64;
        if count(block, f64::is_finite) < all {
            self.nan += count(block, f64::is_nan);
            self.inf += count(block, f64::is_infinite);
            block.retain(|x| x.is_finite());
        }
        let finite = block.len() as u64;
        if finite == 0 {
            return;
        }
        self.zeros += count(block, |x| x == 0.0);
        self.min = fold(block, self.min, |x| x, |a, b| if b < a { b } else { a });
        self.max = fold(block, self.max, |x| x, |a, b| if b > a { b } else { a });
        let mean = fold(block, 0.0, |x| x, |a, b| a + b) / finite as f64;
        let squares = fold(block, 0.0, |x| (x - mean) * (x - mean), |a, b| a + b);
        self.merge(finite, mean, squares);
    }

    fn merge(&mut self, count: u64, mean: f64, squares: f64) {
        let (ours, theirs) = (self.finite as f64, count as f64);
        let (all, distance) = (ours + theirs, mean - self.mean);
        self.mean += distance * (theirs / all);
        self.squares += squares + distance * distance * (ours * theirs / all);
        self.finite += count;
    }

    fn summary(mut self) -> Summary {
        let (value, width) = (self.dtype.value(), self.dtype.component_width());
        let occurrences = (0..=u16::MAX).zip(std::mem::take(&mut self.occurrences)).filter(|(_, n)| *n > 0);
        let read =
            |(bytes, n): (u16, u64)| (number(value(&bytes.to_le_bytes()[..width]), &mut self.integers), n);
        let numbers = occurrences.map(read).collect();
        self.add_weighted(numbers);
        let extremes = (self.finite > 0).then(|| self.extremes());
        let of_finite = |x: f64| (self.finite > 0).then_some(x);
        Summary {
            min: extremes.map(|(min, _)| min),
            max: extremes.map(|(_, max)| max),
            mean: of_finite(self.mean),
            std: of_finite((self.squares / self.finite as f64).sqrt()),
            zeros: self.zeros,
            nan: self.nan,
            inf: self.inf,
        }
    }

    /// Returns the smallest and the largest number in their own type.
    fn extremes(&self) -> (Value, Value) {
        let integer = |x: i128| match i64::try_from(x) {
            Ok(x) => Value::Signed(x),
            Err(_) => Value::Unsigned(x as u64),
        };
        let zero = (self.dtype.value())(&vec![0; self.dtype.component_width()]);
        match zero {
            Value::Float32(_) if self.dtype.components() == 1 => {
                (Value::Float32(self.min as f32), Value::Float32(self.max as f32))
            }
            Value::Float32(_) | Value::Float64(_) => (Value::Float64(self.min), Value::Float64(self.max)),
            _ => (integer(self.integers.0), integer(self.integers.1)),
        }
    }
}

/// Converts a number to float64. Also updates the smallest and the largest integer if it is an integer.
#[inline]
fn number(value: Value, (least, greatest): &mut (i128, i128)) -> f64 {
    let integer: i128 = match value {
        Value::Float32(x) => return x.into(),
        Value::Float64(x) => return x,
        Value::Signed(x) => x.into(),
        Value::Unsigned(x) => x.into(),
        Value::Bool(x) => x.into(),
    };
    (*least, *greatest) = (integer.min(*least), integer.max(*greatest));
    integer as f64
}

fn count(numbers: &[f64], is: impl Fn(f64) -> bool) -> u64 {
    numbers.iter().map(|&x| u64::from(is(x))).sum()
}

/// Folds all numbers in parallel lanes, then folds the lanes. Using `start` several times must not change the result.
fn fold(numbers: &[f64], start: f64, map: impl Fn(f64) -> f64, join: impl Fn(f64, f64) -> f64) -> f64 {
    let (mut lanes, (chunks, rest)) = ([start; LANES], numbers.as_chunks::<LANES>());
    let rest = rest.iter().fold(start, |so_far, &x| join(so_far, map(x)));
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = join(*lane, map(x));
        }
    }
    lanes.into_iter().fold(rest, join)
}

/// Returns the magnitude of a complex number: NaN if a part is NaN, else infinite if a part is infinite.
fn magnitude(re: f64, im: f64) -> f64 {
    if re.is_nan() || im.is_nan() { f64::NAN } else { re.hypot(im) }
}

#[cfg(test)]
mod tests;
