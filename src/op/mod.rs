//! Operations on values: a rule's changes to a tensor other than its name.
//!
//! Results are planned from dtypes and shapes alone; no data is read until the result is read. An operation that
//! keeps the order of bytes (reshape, a slice of the first axis, padding at the end) reuses the tensor's own extents.
//! All others are computed in blocks, through the cache.
//!
//! ```text
//! number              how each dtype's numbers are loaded and stored: casts
//! elementwise         cast, scale, add
//! blocks, concat      slice, pad, gather, flip, join, split: rows of tensors in another order
//! transpose           the axes in another order
//! mean normal create  values that do not come from a tensor
//! value_audit         the numbers that are not finite, and those that casts lose
//! value_diff          the difference between the values of two tensors
//! ```

mod blocks;
mod check;
mod compute;
mod concat;
mod create;
mod elementwise;
mod literal;
mod mean;
mod normal;
mod number;
mod runs;
mod strings;
#[cfg(test)]
mod tests;
mod transpose;
pub(crate) mod value_audit;
pub(crate) mod value_diff;

use std::ops::Range;
use std::sync::Arc;

pub(crate) use create::{Create, create};
use elementwise::Step;
pub(crate) use literal::Literal;

use crate::dtype::Dtype;
use crate::op::blocks::{Segment, rows};
use crate::op::check::{check_axis, elements};
pub(crate) use crate::op::concat::{Layout, join, split};
use crate::tensor::{Shape, Tensor};

/// An operation, with its numbers resolved for the shape of its input.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A cast of each element to the nearest number of another dtype, ties to even; inf and NaN are kept. A value
    /// outside the range of an integer type is an error when it is read; with `saturate` it becomes the nearest value
    /// in range.
    #[allow(missing_docs, reason = "as above")]
    Cast { dtype: Dtype, saturate: bool },
    /// A transpose: entry `i` is the tensor's axis that becomes axis `i` of the result.
    Transpose(Box<[usize]>),
    /// The same elements in the same order, with another shape.
    Reshape(Shape),
    /// The range of indices to keep, for each axis.
    Slice(Box<[Range<u64>]>),
    /// Padding at the end of axes, up to this shape.
    #[allow(missing_docs, reason = "as above")]
    Pad { shape: Shape, fill: Fill },
    /// A gather: along `axis`, index `i` of the result is index `rows[i]` of the tensor, or new if that is `None`.
    #[allow(missing_docs, reason = "as above")]
    Gather { axis: usize, rows: Arc<[Option<u64>]>, fill: Fill },
    /// A reversal of the order along an axis.
    Flip(usize),
    /// A factor for each element.
    Scale(f64),
    /// A number to add to each element.
    Add(f64),
}

/// The values of new elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// A number.
    Value(f64),
    /// The mean along the axis that grows.
    Mean,
    /// Random numbers, normally distributed around 0. The same seed gives the same numbers.
    #[allow(missing_docs, reason = "as above")]
    Normal { std: f64, seed: u64 },
}

impl Op {
    /// Returns the tensor with this operation applied. No data is read, except for strings whose order changes.
    ///
    /// # Errors
    /// The reason why the operation is impossible, with the shapes.
    pub fn apply(&self, tensor: &Arc<Tensor>) -> Result<Tensor, String> {
        self.made(tensor).map(|made| made.computed_of([tensor.clone()]))
    }

    fn made(&self, tensor: &Arc<Tensor>) -> Result<Tensor, String> {
        let moves = !matches!(self, Self::Cast { .. } | Self::Reshape(_) | Self::Scale(_) | Self::Add(_));
        if tensor.dtype == Dtype::String && moves {
            self.check_strings()?;
            let one = |numbers: &[Arc<Tensor>]| Ok(vec![self.apply(&numbers[0])?]);
            return strings::rearranged(std::slice::from_ref(tensor), one).map(|mut made| made.remove(0));
        }
        match self {
            Self::Cast { dtype, saturate } => elementwise::cast(tensor, *dtype, *saturate),
            Self::Transpose(axes) => transpose::transpose(tensor, axes),
            Self::Reshape(shape) => reshape(tensor, shape),
            Self::Slice(ranges) => slice(tensor, ranges),
            Self::Pad { shape, fill } => pad(tensor, shape, fill),
            Self::Gather { axis, rows, fill } => gather(tensor, *axis, rows, fill),
            Self::Flip(axis) => flip(tensor, *axis),
            Self::Scale(by) => elementwise::arithmetic(tensor, Step::Scale(*by)),
            Self::Add(by) => elementwise::arithmetic(tensor, Step::Add(*by)),
        }
    }

    fn check_strings(&self) -> Result<(), String> {
        match self {
            Self::Pad { fill, .. } | Self::Gather { fill, .. } if *fill != Fill::Value(0.0) => {
                Err("new elements among strings are empty strings: no other fill".into())
            }
            _ => Ok(()),
        }
    }
}

fn reshape(tensor: &Tensor, shape: &Shape) -> Result<Tensor, String> {
    let (has, wanted) = (elements(&tensor.shape)?, elements(shape)?);
    if has != wanted {
        return Err(format!("reshape of {} ({has} elements) to {shape} ({wanted} elements)", tensor.shape));
    }
    Ok(Tensor::new(tensor.dtype, shape.clone(), tensor.data.to_vec(), tensor.crc32c))
}

fn slice(tensor: &Arc<Tensor>, ranges: &[Range<u64>]) -> Result<Tensor, String> {
    let (dims, shape) = (&tensor.shape.0, &tensor.shape);
    if ranges.len() != dims.len() {
        let (given, rank) = (ranges.len(), dims.len());
        return Err(format!("slice {ranges:?} has {given} ranges for a tensor with {rank} axes, {shape}"));
    }
    if let Some(axis) = (0..dims.len()).find(|&i| ranges[i].start > ranges[i].end || ranges[i].end > dims[i])
    {
        return Err(format!("slice {:?} of axis {axis} of {shape}, which has {}", ranges[axis], dims[axis]));
    }
    let mut sliced = tensor.clone();
    for (axis, range) in ranges.iter().enumerate().filter(|(axis, range)| **range != (0..dims[*axis])) {
        let segment = Segment::new(0, range.start, range.end - range.start);
        sliced = Arc::new(rows(&[sliced], axis, [segment])?);
    }
    Ok(Arc::unwrap_or_clone(sliced))
}

fn pad(tensor: &Arc<Tensor>, shape: &Shape, fill: &Fill) -> Result<Tensor, String> {
    let (dims, from) = (&tensor.shape.0, &tensor.shape);
    if shape.0.len() != dims.len() {
        return Err(format!("pad of {from} to {shape}, which has another number of axes"));
    }
    if let Some(axis) = (0..dims.len()).find(|&axis| shape.0[axis] < dims[axis]) {
        return Err(format!(
            "pad of {from} to {shape}: axis {axis} would shrink from {} to {}",
            dims[axis], shape.0[axis]
        ));
    }
    elements(shape)?;
    let mut padded = tensor.clone();
    for axis in (0..dims.len()).filter(|&axis| shape.0[axis] > dims[axis]) {
        let fill = Arc::new(fill.rows(&padded, axis, shape.0[axis] - dims[axis])?);
        padded = Arc::new(join(&[padded, fill], axis, &Layout::Blocked)?);
    }
    Ok(Arc::unwrap_or_clone(padded))
}

fn gather(tensor: &Arc<Tensor>, axis: usize, from: &[Option<u64>], fill: &Fill) -> Result<Tensor, String> {
    check_axis("gather", axis, &tensor.shape)?;
    let size = tensor.shape.0[axis];
    if let Some(row) = from.iter().flatten().find(|&&row| row >= size) {
        return Err(format!("gather of row {row} along axis {axis} of {}, which has {size}", tensor.shape));
    }
    let missing = from.iter().filter(|row| row.is_none()).count() as u64;
    let mut inputs = vec![tensor.clone()];
    if missing > 0 {
        inputs.push(Arc::new(fill.rows(tensor, axis, missing)?));
    }
    let mut new = 0..;
    let segment = |row: &Option<u64>| match row {
        Some(row) => Segment::new(0, *row, 1),
        None => Segment::new(1, new.next().unwrap_or(0), 1),
    };
    rows(&inputs, axis, from.iter().map(segment))
}

fn flip(tensor: &Arc<Tensor>, axis: usize) -> Result<Tensor, String> {
    check_axis("flip", axis, &tensor.shape)?;
    let segment = Segment { reversed: true, ..Segment::new(0, 0, tensor.shape.0[axis]) };
    rows(std::slice::from_ref(tensor), axis, [segment])
}

impl Fill {
    /// Creates `count` new rows along an axis of the tensor.
    fn rows(&self, tensor: &Tensor, axis: usize, count: u64) -> Result<Tensor, String> {
        let mut shape = tensor.shape.clone();
        shape.0[axis] = count;
        match *self {
            Self::Mean => mean::mean(tensor, axis, count),
            Self::Normal { std, seed } => create(tensor.dtype, &shape, &Create::Normal { std, seed }),
            Self::Value(value) if tensor.dtype == Dtype::Bool && (value == 0.0 || value == 1.0) => {
                create(tensor.dtype, &shape, &Create::Value(Literal::Bool(value == 1.0)))
            }
            Self::Value(value) => create(tensor.dtype, &shape, &Create::Value(Literal::Float(value))),
        }
    }
}
