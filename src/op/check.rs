//! Checks that several operations share.

use crate::dtype::Dtype;
use crate::tensor::{Shape, Tensor};

pub(crate) fn elements(shape: &Shape) -> Result<u64, String> {
    shape.num_elements().ok_or_else(|| format!("{shape}: too many elements"))
}

/// Returns the width of the elements. Returns an error if the width is not fixed, or if the data's length does not
/// match the shape.
pub(crate) fn fixed_width(tensor: &Tensor) -> Result<u64, String> {
    let (dtype, shape) = (tensor.dtype, &tensor.shape);
    let width = dtype.width().ok_or_else(|| format!("elements of dtype {dtype} vary in size"))?;
    let len = elements(shape)?.checked_mul(width).ok_or_else(|| format!("{shape}: too many bytes"))?;
    match tensor.len() {
        has if has == len => Ok(width),
        has => Err(format!("{dtype} {shape} takes {len} bytes, but there are {has}")),
    }
}

pub(crate) fn check_axis(what: &str, axis: usize, shape: &Shape) -> Result<(), String> {
    match shape.0.len() {
        rank if axis < rank => Ok(()),
        rank => Err(format!("{what} along axis {axis} of a tensor with {rank} axes, {shape}")),
    }
}

pub(crate) fn no_number(what: &str, dtype: Dtype) -> String {
    format!("{what} of {dtype}: not supported for that dtype")
}
