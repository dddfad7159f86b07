//! Transposes: the axes in another order.
//!
//! Axes that stay adjacent count as one axis. Axes that stay innermost form the unit that is moved. A range of the
//! result consists of a few boxes, and each of them is a box of the tensor too. A box is read in parts of a few MiB:
//! runs that are far apart are read separately, others together with the bytes between them. Each part is transposed
//! in memory, tile by tile.
//!
//! A small range of a transposed matrix needs a little of every row, so reading the whole in small blocks would read
//! the tensor many times. So it is decoded in bands: blocks of half the cache, at most 64 MiB. In the worst case,
//! with short rows, the tensor is read (its size ÷ band) times. It is read once if the part of a row that a band
//! needs is longer than the gap that is read over. Float32 matrices of 1 GiB in bands of 64 MiB: [16384, 16384] and
//! [128, 2097152] read 1.0 GiB; [262144, 1024] and [2097152, 128] read 16 GiB. Memory use is the cache, one band and
//! a few MiB (`examples/transpose.rs`).

use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Range;

use crate::op::check::fixed_width;
use crate::op::compute::{Compute, Input, computed, in_units};
use crate::op::runs::{Run, fetch};
use crate::tensor::{Shape, Tensor};

pub(super) fn transpose(tensor: &Tensor, axes: &[usize]) -> Result<Tensor, String> {
    let dims = &tensor.shape.0;
    let width = fixed_width(tensor)?;
    check(axes, &tensor.shape)?;
    let shape = Shape(axes.iter().map(|&axis| dims[axis]).collect());
    let (dims, order, unit) = simplest(dims, axes, width);
    if order.is_empty() || tensor.is_empty() {
        return Ok(Tensor::new(tensor.dtype, shape, tensor.data.to_vec(), tensor.crc32c));
    }
    let turned = Transposed { input: [Input::new(tensor)], dims, order, unit };
    Ok(Tensor::new(tensor.dtype, shape, computed(turned, tensor.len()), None))
}

fn check(axes: &[usize], shape: &Shape) -> Result<(), String> {
    let rank = shape.0.len();
    if axes.len() != rank {
        return Err(format!("transpose {axes:?} of a tensor with {rank} axes, {shape}"));
    }
    match (0..rank).find(|axis| !axes.contains(axis)) {
        Some(missing) => Err(format!("transpose {axes:?} of {shape}: axis {missing} is not among them")),
        None => Ok(()),
    }
}

/// Returns the same transpose with as few axes as possible: their sizes, their order, and the size in bytes of the
/// unit.
fn simplest(dims: &[u64], axes: &[usize], width: u64) -> (Vec<u64>, Vec<usize>, u64) {
    let axes: Vec<_> = axes.iter().copied().filter(|&axis| dims[axis] != 1).collect();
    // Group axes that are adjacent in both orders. Axes of size 1 between them do not separate them.
    let follows = |a: usize, b: usize| a < b && dims[a + 1..b].iter().all(|&dim| dim == 1);
    let mut groups: Vec<Vec<usize>> = axes.chunk_by(|&a, &b| follows(a, b)).map(<[_]>::to_vec).collect();
    let last = axes.iter().max().copied();
    let kept = groups.pop_if(|group| group.last().copied() == last).unwrap_or_default();
    let unit = kept.iter().map(|&axis| dims[axis]).product::<u64>() * width;
    let mut sorted: Vec<_> = groups.iter().map(|group| group[0]).collect();
    sorted.sort_unstable();
    let order = groups.iter().map(|group| sorted.partition_point(|&first| first < group[0])).collect();
    groups.sort_unstable();
    let dims = groups.iter().map(|group| group.iter().map(|&axis| dims[axis]).product()).collect();
    (dims, order, unit)
}

struct Transposed {
    input: [Input; 1],
    /// The sizes of the tensor's axes.
    dims: Vec<u64>,
    /// The tensor's axis for each axis of the result.
    order: Vec<usize>,
    /// The size in bytes of the unit: bytes that stay together.
    unit: u64,
}

/// A box: a range along each axis.
type Region = Vec<Range<u64>>;

/// The unit size in bytes from which units are read one by one, because larger reads would not be faster.
const LONG: u64 = 16 << 10;

/// The number of bytes that are transposed at a time.
const PART: u64 = 4 << 20;

impl Compute for Transposed {
    const NAME: &'static str = "transpose";

    fn inputs(&self) -> &[Input] {
        &self.input
    }

    fn reads_whole_bands(&self) -> bool {
        self.unit < LONG || self.input[0].reads_whole_bands()
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) {
        (&self.dims, &self.order, self.unit).hash(&mut to);
    }

    fn fill(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        if self.unit >= LONG {
            return fetch(&self.input, self.units(at, buf.len()), buf);
        }
        in_units(buf, at, self.unit, |buf, first| {
            let dims: Vec<_> = self.order.iter().map(|&axis| self.dims[axis]).collect();
            let mut boxes = Vec::new();
            split(&dims, first..first + buf.len() as u64 / self.unit, &mut Vec::new(), &mut boxes);
            boxes.into_iter().try_for_each(|part| self.turn(&self.in_source(&part), buf, first))
        })
    }
}

/// Splits a range of a row-major array into boxes: at most two for each axis, and one more.
fn split(dims: &[u64], range: Range<u64>, outer: &mut Region, boxes: &mut Vec<Region>) {
    let Some((_, rest)) = dims.split_first() else { return boxes.push(outer.clone()) };
    let inner: u64 = rest.iter().product();
    let mut at = range.start;
    while at < range.end {
        let (row, within) = (at / inner, at % inner);
        let whole = range.end / inner;
        if within == 0 && row < whole {
            let full = rest.iter().map(|&dim| 0..dim);
            boxes.push(outer.iter().cloned().chain(std::iter::once(row..whole)).chain(full).collect());
            at = whole * inner;
        } else {
            let end = range.end.min((row + 1) * inner);
            outer.push(row..row + 1);
            split(rest, within..within + (end - at), outer, boxes);
            outer.pop();
            at = end;
        }
    }
}

impl Transposed {
    /// Returns the runs for the bytes from `at` on, one for each unit or part of a unit.
    fn units(&self, at: u64, len: usize) -> impl Iterator<Item = Run> {
        let strides = strides(&self.dims);
        let ends = (at / self.unit + 1..).map(|number| number * self.unit);
        let mut to = 0;
        ends.map_while(move |end| {
            let start = at + to as u64;
            let len = (len - to).min((end - start) as usize);
            let mut number = start / self.unit;
            let mut from = 0;
            for &axis in self.order.iter().rev() {
                from += number % self.dims[axis] * strides[axis];
                number /= self.dims[axis];
            }
            let run = Run { input: 0, from: from * self.unit + start % self.unit, to, len };
            to += len;
            (len > 0).then_some(run)
        })
    }

    /// Converts a box of the result into the box of the tensor.
    fn in_source(&self, part: &Region) -> Region {
        let mut source = vec![0..0; part.len()];
        self.order.iter().zip(part).for_each(|(&axis, range)| source[axis] = range.clone());
        source
    }

    /// Fills the part of `buf` that this box of the tensor covers. `buf` begins with unit `first` of the result.
    fn turn(&self, part: &Region, buf: &mut [u8], first: u64) -> io::Result<()> {
        let bytes = volume(part) * self.unit;
        let most = PART.max(if self.input[0].reads_whole_bands() { self.input[0].reach() as u64 } else { 0 });
        let longer = part.iter().position(|range| range.end - range.start > 1);
        if let Some(axis) = longer.filter(|_| bytes > most) {
            let Range { start, end } = part[axis];
            let middle = start + (end - start) / 2;
            return [start..middle, middle..end].into_iter().try_for_each(|half| {
                let mut part = part.clone();
                part[axis] = half;
                self.turn(&part, buf, first)
            });
        }
        let mut compact = vec![0; bytes as usize];
        fetch(&self.input, self.runs(part), &mut compact)?;
        self.scatter(part, &compact, buf, first);
        Ok(())
    }

    /// Returns the runs of a box's bytes, in the tensor's order.
    fn runs(&self, part: &Region) -> impl Iterator<Item = Run> {
        let strides = strides(&self.dims);
        // If the box spans all axes after some axis, the range of that axis is contiguous.
        let partial = part.iter().zip(&self.dims).rposition(|(range, &dim)| range.end - range.start < dim);
        let axis = partial.unwrap_or(0);
        let start = part[axis].start * strides[axis];
        let len = ((part[axis].end - part[axis].start) * strides[axis] * self.unit) as usize;
        let count = volume(&part[..axis]);
        let (part, unit) = (part[..axis].to_vec(), self.unit);
        (0..count)
            .map(move |mut number| {
                let mut from = start;
                for (range, stride) in part.iter().zip(&strides).rev() {
                    let size = range.end - range.start;
                    from += (range.start + number % size) * stride;
                    number /= size;
                }
                (from * unit, len)
            })
            .enumerate()
            .map(|(i, (from, len))| Run { input: 0, from, to: i * len, len })
    }

    /// Copies the units of a box from `compact`, which is in the tensor's order, to their places in `buf`.
    fn scatter(&self, part: &Region, compact: &[u8], buf: &mut [u8], first: u64) {
        let sizes: Vec<_> = part.iter().map(|range| range.end - range.start).collect();
        let out = self.out_strides();
        let base: u64 = part.iter().zip(&out).map(|(range, stride)| range.start * stride).sum();
        let from = strides(&sizes);
        let (across, along) = (sizes.len() - 1, self.order[self.order.len() - 1]);
        let plane = Plane {
            across: Axis::new(sizes[across], from[across], out[across]),
            along: Axis::new(sizes[along], from[along], out[along]),
        };
        let others: Vec<_> = (0..across).filter(|&axis| axis != along).collect();
        let count: u64 = others.iter().map(|&axis| sizes[axis]).product();
        for mut number in 0..count {
            let (mut at, mut to) = (0, base - first);
            for &axis in others.iter().rev() {
                let index = number % sizes[axis];
                number /= sizes[axis];
                (at, to) = (at + index * from[axis], to + index * out[axis]);
            }
            plane.turn(
                &compact[(at * self.unit) as usize..],
                &mut buf[(to * self.unit) as usize..],
                self.unit,
            );
        }
    }

    /// Returns, for each axis of the tensor, the stride in the result, in units.
    fn out_strides(&self) -> Vec<u64> {
        let dims: Vec<_> = self.order.iter().map(|&axis| self.dims[axis]).collect();
        let mut out = vec![0; dims.len()];
        self.order.iter().zip(strides(&dims)).for_each(|(&axis, stride)| out[axis] = stride);
        out
    }
}

fn volume(part: &[Range<u64>]) -> u64 {
    part.iter().map(|range| range.end - range.start).product()
}

/// Returns the strides of a row-major array, in elements.
fn strides(dims: &[u64]) -> Vec<u64> {
    (1..=dims.len()).map(|inner| dims[inner..].iter().product()).collect()
}

/// The plane of two axes: the innermost of the tensor and the innermost of the result.
struct Plane {
    across: Axis,
    along: Axis,
}

#[derive(Clone, Copy)]
struct Axis {
    len: usize,
    from: usize,
    to: usize,
}

impl Axis {
    fn new(len: u64, from: u64, to: u64) -> Self {
        Self { len: len as usize, from: from as usize, to: to as usize }
    }
}

/// The side of a tile in units. A tile's lines on both sides fit the processor's innermost cache.
const TILE: usize = 32;

impl Plane {
    fn turn(&self, from: &[u8], to: &mut [u8], unit: u64) {
        match unit {
            1 => self.tiles(from, to, copy::<1>),
            2 => self.tiles(from, to, copy::<2>),
            4 => self.tiles(from, to, copy::<4>),
            8 => self.tiles(from, to, copy::<8>),
            16 => self.tiles(from, to, copy::<16>),
            unit => self.tiles(from, to, |from, i, to, j| {
                let unit = unit as usize;
                to[j * unit..(j + 1) * unit].copy_from_slice(&from[i * unit..(i + 1) * unit]);
            }),
        }
    }

    fn tiles(&self, from: &[u8], to: &mut [u8], copy: impl Fn(&[u8], usize, &mut [u8], usize)) {
        let (across, along) = (self.across, self.along);
        for i in (0..across.len).step_by(TILE) {
            for j in (0..along.len).step_by(TILE) {
                for i in i..across.len.min(i + TILE) {
                    for j in j..along.len.min(j + TILE) {
                        copy(from, i * across.from + j * along.from, to, i * across.to + j * along.to);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn copy<const N: usize>(from: &[u8], i: usize, to: &mut [u8], j: usize) {
    to[j * N..(j + 1) * N].copy_from_slice(&from[i * N..(i + 1) * N]);
}
