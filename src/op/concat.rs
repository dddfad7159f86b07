//! Joining tensors along an axis and splitting them again, also as fused attention weights interleave their parts.
//!
//! ```text
//! blocked              q q q q  k k k k  v v v v      GPT-2 `c_attn`, MPT, and Falcon's multi-query with its one k and v
//! interleaved, 4       q k v  q k v  q k v  q k v     GPT-NeoX and BLOOM `query_key_value`: for each head
//! grouped, 4 and 2     q q k v  q q k v               Falcon 40B, InternLM2 `wqkv`: for each group its heads, then k, v
//! ```

use std::sync::Arc;

use crate::dtype::Dtype;
use crate::op::blocks::{Segment, rows};
use crate::op::check::check_axis;
use crate::op::strings;
use crate::tensor::{Shape, Tensor};

/// The order of the parts along the axis on which they are joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One part after the other.
    #[default]
    Blocked,
    /// Of every part one head, then of every part the next.
    #[allow(missing_docs, reason = "as above")]
    Interleaved { heads: u64 },
    /// Three parts, of which the first has `heads` heads and the others have `groups`: each group's heads of the first, then
    /// one of each other.
    #[allow(missing_docs, reason = "as above")]
    Grouped { heads: u64, groups: u64 },
}

/// One tensor of several, which agree in dtype and in every other axis.
///
/// # Errors
/// What does not go together.
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

/// The parts that [`join`] would make the tensor of, of these sizes along the axis.
///
/// # Errors
/// Sizes that are not the tensor's.
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
    /// Into how many pieces each part is cut, whose pieces then take turns.
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
    // Another number of axes stays another number.
    if axis < dims.len() {
        dims.remove(axis);
    }
    dims
}

fn only(tensors: Vec<Tensor>) -> Tensor {
    tensors.into_iter().next().expect("one was made")
}
