//! Rows of one or several tensors in another order: the common part of slices, gathers, flips, pads, joins and
//! splits.
//!
//! Along one axis, the result is an ordered list of segments. Each segment is a range of consecutive rows of one
//! input. All other axes are equal. If all axes before that one have size 1, the bytes of a segment are contiguous,
//! and the result reuses the inputs' own extents unless they would be many and short.

use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use crate::extent::{Extent, VirtualFile};
use crate::format::crc::Masked;
use crate::op::check::fixed_width;
use crate::op::compute::{Compute, Input, computed};
use crate::op::runs::{Run, fetch};
use crate::tensor::{Shape, Tensor};

/// A segment: `len` rows of an input from row `first` on, in reverse order if `reversed`.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub(crate) struct Segment {
    pub(crate) input: usize,
    pub(crate) first: u64,
    pub(crate) len: u64,
    pub(crate) reversed: bool,
}

impl Segment {
    /// Creates a segment in the original order.
    pub(crate) fn new(input: usize, first: u64, len: u64) -> Self {
        Self { input, first, len, reversed: false }
    }

    fn is_followed_by(&self, next: &Self) -> bool {
        !self.reversed && !next.reversed && self.input == next.input && self.first + self.len == next.first
    }
}

/// The limits for reusing extents: up to `FEW` of any length, or any number whose average is `LONG` bytes or more.
const FEW: usize = 16;
const LONG: u64 = 64 << 10;

/// Builds a tensor from rows of `inputs`, which agree in dtype and in all axes but `axis`.
pub(crate) fn rows(
    inputs: &[Arc<Tensor>],
    axis: usize,
    segments: impl IntoIterator<Item = Segment>,
) -> Result<Tensor, String> {
    let (dtype, dims) = (inputs[0].dtype, &inputs[0].shape.0);
    let width = inputs.iter().map(|input| fixed_width(input)).try_fold(0, |_, width| width)?;
    let segments = merged(segments);
    let mut shape = Shape(dims.clone());
    shape.0[axis] =
        segments.iter().try_fold(0u64, |sum, segment| sum.checked_add(segment.len)).ok_or("too many rows")?;
    let count = shape.num_elements().ok_or_else(|| format!("{shape}: too many elements"))?;
    let len = count.checked_mul(width).ok_or_else(|| format!("{shape}: too many bytes"))?;
    if len == 0 {
        return Ok(Tensor::new(dtype, shape, vec![Extent::from(vec![])], Some(Masked::of(b""))));
    }
    let inner = dims[axis + 1..].iter().product::<u64>() * width;
    if dims[..axis].iter().all(|&dim| dim == 1) && is_few(&segments, len) {
        let data = segments.iter().flat_map(|segment| cut(inputs, segment, inner)).collect();
        return Ok(Tensor::new(dtype, shape, data, checksum(inputs, &segments, axis)));
    }
    let ends = segments.iter().scan(0, |end, segment| {
        *end += segment.len * inner;
        Some(*end)
    });
    let (ends, strides) = (ends.collect(), inputs.iter().map(|input| input.shape.0[axis] * inner).collect());
    let inputs = inputs.iter().map(|input| Input::new(input)).collect();
    Ok(Tensor::new(dtype, shape, computed(Rows { inputs, strides, segments, ends, inner }, len), None))
}

/// Removes empty segments and merges adjacent ones.
fn merged(segments: impl IntoIterator<Item = Segment>) -> Vec<Segment> {
    let mut merged: Vec<Segment> = Vec::new();
    for segment in segments.into_iter().filter(|segment| segment.len > 0) {
        match merged.last_mut() {
            Some(last) if last.is_followed_by(&segment) => last.len += segment.len,
            _ => merged.push(segment),
        }
    }
    merged
}

fn is_few(segments: &[Segment], len: u64) -> bool {
    let turned = segments.iter().any(|segment| segment.reversed && segment.len > 1);
    !turned && (segments.len() <= FEW || len / segments.len() as u64 >= LONG)
}

fn cut(inputs: &[Arc<Tensor>], segment: &Segment, inner: u64) -> Vec<Extent> {
    let file: VirtualFile = inputs[segment.input].file();
    file.cut(segment.first * inner..(segment.first + segment.len) * inner)
}

/// Returns the checksum, if every segment is a whole tensor with a known checksum.
fn checksum(inputs: &[Arc<Tensor>], segments: &[Segment], axis: usize) -> Option<Masked> {
    segments.iter().try_fold(Masked::of(b""), |sum, segment| {
        let input = &inputs[segment.input];
        let whole = segment.first == 0 && segment.len == input.shape.0[axis];
        Some(sum.join(input.crc32c.filter(|_| whole)?, input.len() as usize))
    })
}

struct Rows {
    inputs: Vec<Input>,
    /// The size in bytes of all rows of each input.
    strides: Vec<u64>,
    segments: Vec<Segment>,
    /// The end of each segment, as a byte offset within all rows of the result.
    ends: Vec<u64>,
    /// The size in bytes of a row.
    inner: u64,
}

impl Compute for Rows {
    const NAME: &'static str = "rows";

    fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) {
        (&self.strides, &self.segments, self.inner).hash(&mut to);
    }

    fn fill(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        fetch(&self.inputs, self.runs(at, buf.len()), buf)
    }
}

impl Rows {
    /// Returns the runs that make up the bytes from `at` on.
    fn runs(&self, at: u64, len: usize) -> impl Iterator<Item = Run> {
        let stride = self.ends.last().copied().unwrap_or(1);
        let (mut outer, mut within, mut to) = (at / stride, at % stride, 0);
        let mut i = self.ends.partition_point(|&end| end <= within);
        std::iter::from_fn(move || {
            if to == len {
                return None;
            }
            if i == self.ends.len() {
                (outer, within, i) = (outer + 1, 0, 0);
            }
            let segment = &self.segments[i];
            let rest = self.ends[i] - within;
            let (from, together) = self.from(segment, rest);
            let run = together.min((len - to) as u64);
            let found = Run {
                input: segment.input,
                from: outer * self.strides[segment.input] + from,
                to,
                len: run as usize,
            };
            (within, to, i) = (within + run, to + run as usize, i + usize::from(run == rest));
            Some(found)
        })
    }

    /// Returns the input position of the last `rest` bytes of a segment, and the number of them that are contiguous
    /// there.
    fn from(&self, segment: &Segment, rest: u64) -> (u64, u64) {
        if !segment.reversed {
            return ((segment.first + segment.len) * self.inner - rest, rest);
        }
        let in_row = (rest - 1) % self.inner + 1;
        ((segment.first + rest.div_ceil(self.inner)) * self.inner - in_row, in_row)
    }
}
