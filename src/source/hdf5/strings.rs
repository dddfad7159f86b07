//! The strings of a dataset, in the layout of a string tensor in a checkpoint. They are read at once, within a
//! budget, because only reading them tells their total length.

use hdf5_reader::Dataset;

use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::hdf5_type::{Padding, Type};
use crate::format::string_tensor;
use crate::source::hdf5::error::DatasetError;
use crate::tensor::{Shape, Tensor};

/// The maximum number of bytes of all strings of a file together.
pub(super) const BUDGET: u64 = 64 << 20;
/// The minimum number of bytes that a string takes in memory.
const EACH: u64 = 24;

/// Returns the tensor of a dataset of strings. `file` is the length of the file in bytes.
pub(super) fn tensor(
    dataset: &Dataset,
    kind: &Type,
    shape: Shape,
    file: u64,
    budget: &mut u64,
) -> Result<Tensor, DatasetError> {
    let elements = match kind {
        Type::Text { size, padding } => fixed(dataset, *size, *padding, &shape, budget)?,
        _ => variable(dataset, &shape, file, budget)?,
    };
    let (bytes, crc32c) = string_tensor::encode(&elements);
    Ok(Tensor::new(Dtype::String, shape, vec![Extent::from(bytes)], Some(crc32c)))
}

/// Subtracts the bytes from the budget that the strings of a shape need, `size` bytes each.
fn spend(budget: &mut u64, shape: &Shape, size: u64) -> Result<(), DatasetError> {
    let elements = shape.num_elements();
    let needed = elements.and_then(|elements| elements.checked_mul(size.checked_add(EACH)?));
    let left = needed.and_then(|needed| budget.checked_sub(needed));
    *budget = left.ok_or_else(|| {
        DatasetError::LeftOut(format!("more than {} MB of strings; only so many are read", BUDGET >> 20))
    })?;
    Ok(())
}

fn fixed(
    dataset: &Dataset,
    size: u32,
    padding: Padding,
    shape: &Shape,
    budget: &mut u64,
) -> Result<Vec<Vec<u8>>, DatasetError> {
    spend(budget, shape, size.into())?;
    let stored = dataset.read_raw_bytes()?;
    Ok(stored.chunks_exact(size as usize).map(|element| unpadded(element, padding).to_vec()).collect())
}

fn unpadded(element: &[u8], padding: Padding) -> &[u8] {
    let filled = |filler: u8| element.iter().rposition(|&byte| byte != filler).map_or(0, |last| last + 1);
    match padding {
        Padding::Terminated => up_to_nul(element),
        Padding::Nul => &element[..filled(0)],
        Padding::Space => &element[..filled(b' ')],
    }
}

fn up_to_nul(element: &[u8]) -> &[u8] {
    element.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Reads strings of variable length from the heaps to which the elements refer.
fn variable(
    dataset: &Dataset,
    shape: &Shape,
    file: u64,
    budget: &mut u64,
) -> Result<Vec<Vec<u8>>, DatasetError> {
    let size = dataset.vlen_reference_size();
    spend(budget, shape, size as u64)?;
    let references = dataset.read_raw_bytes()?;
    let mut elements = Vec::new();
    for reference in references.chunks_exact(size) {
        let len = reference.first_chunk().map_or(0, |len| u32::from_le_bytes(*len));
        if u64::from(len) > file {
            return Err(DatasetError::Damaged(format!("a string of {len} bytes in a file of {file}")));
        }
        spend(budget, &Shape::default(), len.into())?;
        let element = dataset.resolve_vlen_reference_bytes(reference, 1)?;
        elements.push(up_to_nul(&element).to_vec());
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_not_part_of_a_string() {
        for (element, padding, string) in [
            (&b"ab\0c\0\0"[..], Padding::Terminated, &b"ab"[..]),
            (b"ab\0c\0\0", Padding::Nul, b"ab\0c"),
            (b"ab c  ", Padding::Space, b"ab c"),
            (b"\0\0", Padding::Nul, b""),
            (b"full", Padding::Terminated, b"full"),
        ] {
            assert_eq!(unpadded(element, padding), string);
        }
    }
}
