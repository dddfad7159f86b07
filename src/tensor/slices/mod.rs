//! A tensor that was saved in several slices, assembled again.
//!
//! ```text
//! slices that are contiguous in row-major order   their extents in sequence, and their checksums combined
//! other slices                                    rows assembled on read, in blocks
//! strings                                         joined in memory on first read
//! ```
//!
//! The slices must cover the tensor exactly. This is checked before anything is assembled.

mod assembled;
mod cover;
mod joined;
mod runs;

use std::ops::Range;
use std::sync::Arc;

use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::bundle::Slice;
use crate::format::crc::Masked;
use crate::tensor::slices::runs::Runs;
use crate::tensor::{Origins, Shape, Tensor};

/// A slice of a tensor that was saved in several.
#[derive(Clone)]
pub struct Part {
    /// The part of the whole tensor that the slice covers.
    pub slice: Slice,
    /// The elements of the slice.
    pub tensor: Arc<Tensor>,
}

/// The ranges that a slice covers, by dimension.
type SlicePlace = Vec<Range<u64>>;

impl Tensor {
    /// Assembles the tensor with this shape from its slices `parts`, in any order.
    ///
    /// # Errors
    /// The reason why the slices do not contain each element exactly once.
    pub fn sliced(dtype: Dtype, shape: Shape, parts: Vec<Part>) -> Result<Self, String> {
        let places = parts.iter().map(|part| part.place(dtype, &shape)).collect::<Result<Vec<_>, _>>()?;
        cover::check(&parts, &places, &shape)?;
        let parts: Arc<[Part]> = parts.into();
        let runs = |width| places.iter().map(|place| Runs::new(place, &shape, width)).collect::<Vec<_>>();
        let (data, crc32c) = match (dtype.width(), dtype) {
            (Some(width), _) => {
                size(&shape, width)?;
                numbers(&parts, runs(width))?
            }
            (None, Dtype::String) => (vec![joined::extent(&parts, runs(1))?], None),
            (None, _) => return Err(format!("a {dtype} cannot be put together of slices")),
        };
        let made = Some(Box::new(Origins::Slices(parts)));
        Ok(Self { made, ..Self::new(dtype, shape, data, crc32c) })
    }
}

impl Part {
    fn place(&self, dtype: Dtype, shape: &Shape) -> Result<SlicePlace, String> {
        let place = place(&self.slice, shape)
            .ok_or_else(|| format!("slice {} is not within shape {shape}", text(&self.slice)))?;
        let lengths = Shape(place.iter().map(|range| range.end - range.start).collect());
        match (dtype, &lengths) == (self.tensor.dtype, &self.tensor.shape) {
            true => Ok(place),
            false => Err(format!(
                "slice {} holds {} {} instead of {dtype} {lengths}",
                text(&self.slice),
                self.tensor.dtype,
                self.tensor.shape
            )),
        }
    }
}

fn place(slice: &Slice, shape: &Shape) -> Option<SlicePlace> {
    let covered = |(extent, &dim): (&crate::format::bundle::Extent, &u64)| {
        let start = u64::try_from(extent.start).ok()?;
        let end = match extent.length {
            Some(length) => start.checked_add(length.try_into().ok()?)?,
            None => dim,
        };
        (start <= end && end <= dim).then_some(start..end)
    };
    (slice.len() == shape.0.len()).then(|| slice.iter().zip(&shape.0).map(covered).collect())?
}

/// Formats a slice as TensorFlow does: `0,3:-` is rows 0 to 2, with all columns.
pub(crate) fn text(slice: &Slice) -> String {
    let extent = |extent: &crate::format::bundle::Extent| match extent.length {
        Some(length) => format!("{},{length}", extent.start),
        None => "-".into(),
    };
    slice.iter().map(extent).collect::<Vec<_>>().join(":")
}

fn size(shape: &Shape, width: u64) -> Result<u64, String> {
    let size = shape.num_elements().and_then(|elements| elements.checked_mul(width));
    size.ok_or_else(|| format!("shape {shape} takes too many bytes"))
}

/// Returns the bytes of a numeric tensor, and their checksum if it is known.
fn numbers(parts: &Arc<[Part]>, runs: Vec<Runs>) -> Result<(Vec<Extent>, Option<Masked>), String> {
    for (part, runs) in parts.iter().zip(&runs) {
        let (len, size) = (part.tensor.len(), runs.len * runs.count);
        if len != size {
            return Err(format!("slice {} has {len} bytes instead of {size}", text(&part.slice)));
        }
    }
    if runs.iter().any(|runs| runs.count > 1) {
        return Ok((vec![assembled::extent(parts, runs)], None));
    }
    let mut order: Vec<_> = runs.iter().zip(parts.iter()).collect();
    order.sort_by_key(|(runs, part)| (runs.first, part.tensor.len()));
    let tensors = || order.iter().map(|(_, part)| &part.tensor);
    Ok((tensors().flat_map(|tensor| tensor.data.iter().cloned()).collect(), combined(tensors())))
}

fn combined<'a>(mut tensors: impl Iterator<Item = &'a Arc<Tensor>>) -> Option<Masked> {
    tensors.try_fold(Masked::of(b""), |crc, next| Some(crc.join(next.crc32c?, next.len() as usize)))
}

#[cfg(test)]
mod tests;
