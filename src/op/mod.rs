//! Operations on values: what a rule makes of a tensor, beside its name.
//!
//! Everything is decided from dtypes and shapes alone; no data is read before somebody reads the result. What leaves bytes
//! in their order (reshape, slices of the first axis, padding at the end) is made of the tensor's own extents; the rest is
//! computed in pieces, through the cache.

use std::ops::Range;
use std::sync::Arc;

use crate::dtype::Dtype;
use crate::tensor::Shape;

/// One operation, its numbers resolved against the shape that it meets.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Each element as another type: to the nearest, ties to even; inf and NaN kept. What an integer type cannot hold is an
    /// error when it is read, or with `saturate` the nearest that it can.
    #[allow(missing_docs, reason = "as above")]
    Cast { dtype: Dtype, saturate: bool },
    /// Axis `i` of the result is this axis of the tensor.
    Transpose(Box<[usize]>),
    /// The same elements in the same order.
    Reshape(Shape),
    /// For each axis the indices that stay.
    Slice(Box<[Range<u64>]>),
    /// Grown at the end of axes to this shape.
    #[allow(missing_docs, reason = "as above")]
    Pad { shape: Shape, fill: Fill },
    /// Along `axis`, index `i` of the result is index `rows[i]` of the tensor, or new where there is none.
    #[allow(missing_docs, reason = "as above")]
    Gather { axis: usize, rows: Arc<[Option<u64>]>, fill: Fill },
    /// The other way round along an axis.
    Flip(usize),
    /// Each element times this.
    Scale(f64),
    /// Each element and this.
    Add(f64),
}

/// What elements are that no tensor gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// This number.
    Value(f64),
    /// The mean along the axis that grows.
    Mean,
    /// Normally distributed around 0, the same for the same seed.
    #[allow(missing_docs, reason = "as above")]
    Normal { std: f64, seed: u64 },
}
