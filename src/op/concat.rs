//! Joins of tensors along an axis, and splits, also in the orders in which fused attention weights interleave their
//! parts.
//!
//! ```text
//! blocked           q q q q  k k k k  v v v v    GPT-2 `c_attn`, MPT, and Falcon's multi-query with its one k and v
//! interleaved, 4    q k v  q k v  q k v  q k v   GPT-NeoX and BLOOM `query_key_value`: for each head
//! grouped, 4 and 2  q q k v  q q k v             Falcon 40B, InternLM2 `wqkv`: for each group its heads, then k, v
//! ```

use std::sync::Arc;

use crate::dtype::Dtype;
use crate::op::blocks::{Segment, rows};
use crate::op::check::check_axis;
use crate::op::strings;
use crate::tensor::{Shape, Tensor};

/// The order of the parts along the joined axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One part after the other.
    #[default]
    Blocked,
    /// The first head of every part, then the second head of every part, and so on.
    #[allow(missing_docs, reason = "as above")]
    Interleaved { heads: u64 },
    /// Three parts: the first has `heads` heads, the other two have `groups` heads each. For each group: its heads of
    /// the first part, then one head of each other part.
    #[allow(missing_docs, reason = "as above")]
    Grouped { heads: u64, groups: u64 },
}

/// Joins several tensors, which must agree in dtype and in all other axes.
///
/// # Errors
/// A message that names the mismatch.
pub(crate) fn join(tensors: &[Arc<Tensor>], axis: usize, layout: &Layout) -> Result<Tensor, String> {
    let Some(first) = tensors.first() else { return Err("join of nothing".into()) };
    check_axis("join", axis, &first.shape)?;
    for other in tensors {
        if other.dtype != first.dtype || without(axis, &other.shape) != without(axis, &first.shape) {
            let (a, b) = (&**first, &**other);
            return Err(format!(
                "join along axis {axis} of {} {} and {} {}, which differ in more than that axis",
                a.dtype, a.shape, b.dtype, b.shape
            ));
        }
    }
    let sizes: Vec<_> = tensors.iter().map(|tensor| tensor.shape.0[axis]).collect();
    let chunks = layout.chunks(&sizes)?;
    let segments = (0..chunks).flat_map(|chunk| {
        let part =
            move |(input, &size): (usize, &u64)| Segment::new(input, chunk * (size / chunks), size / chunks);
        sizes.iter().enumerate().map(part)
    });
    if first.dtype == Dtype::String {
        return strings::rearranged(tensors, |numbers| Ok(vec![join(numbers, axis, layout)?])).map(only);
    }
    rows(tensors, axis, segments).map(|joined| joined.computed_of(tensors.iter().cloned()))
}

/// Splits a tensor into the parts that [`join`] would build it from, with these sizes along the axis.
///
/// # Errors
/// A message, if the sizes do not match the tensor's.
pub(crate) fn split(
    tensor: &Arc<Tensor>,
    axis: usize,
    sizes: &[u64],
    layout: &Layout,
) -> Result<Vec<Tensor>, String> {
    check_axis("split", axis, &tensor.shape)?;
    let (has, sum) = (tensor.shape.0[axis], sizes.iter().try_fold(0u64, |sum, &size| sum.checked_add(size)));
    if sum != Some(has) {
        return Err(format!(
            "split of {} along axis {axis} into {sizes:?}: the axis has {has}",
            tensor.shape
        ));
    }
    let chunks = layout.chunks(sizes)?;
    if tensor.dtype == Dtype::String {
        return strings::rearranged(std::slice::from_ref(tensor), |numbers| {
            split(&numbers[0], axis, sizes, layout)
        });
    }
    let part = |(i, &size): (usize, &u64)| {
        let before = sizes[..i].iter().sum::<u64>() / chunks;
        let chunk = |chunk| Segment::new(0, chunk * (has / chunks) + before, size / chunks);
        let part = rows(std::slice::from_ref(tensor), axis, (0..chunks).map(chunk))?;
        Ok(part.computed_of([tensor.clone()]))
    };
    sizes.iter().enumerate().map(part).collect()
}

impl Layout {
    /// Returns the number of pieces that each part is cut into. Along the axis, the pieces of the parts alternate.
    fn chunks(self, sizes: &[u64]) -> Result<u64, String> {
        match self {
            Self::Blocked => Ok(1),
            Self::Interleaved { heads } => {
                match sizes.iter().find(|&&size| heads == 0 || !size.is_multiple_of(heads)) {
                    Some(size) => {
                        Err(format!("interleaved by {heads} heads: {size} is not a multiple of {heads}"))
                    }
                    None => Ok(heads),
                }
            }
            Self::Grouped { heads, groups } => match *sizes {
                [q, k, v] if Self::goes(q, k, v, heads, groups) => Ok(groups),
                [q, k, v] => Err(format!(
                    "grouped, {heads} heads in {groups} groups: sizes {q}, {k} and {v} are not as {heads} to {groups} to {groups}"
                )),
                _ => Err(format!("grouped: {} parts, where queries, keys and values are three", sizes.len())),
            },
        }
    }

    fn goes(q: u64, k: u64, v: u64, heads: u64, groups: u64) -> bool {
        let divides = groups > 0 && heads > 0 && heads.is_multiple_of(groups) && k.is_multiple_of(groups);
        divides && k == v && u128::from(k / groups) * u128::from(heads) == u128::from(q)
    }
}

fn without(axis: usize, shape: &Shape) -> Vec<u64> {
    let mut dims = shape.0.to_vec();
    // A tensor with another number of axes also differs after the removal.
    if axis < dims.len() {
        dims.remove(axis);
    }
    dims
}

fn only(tensors: Vec<Tensor>) -> Tensor {
    tensors.into_iter().next().expect("one was made")
}
