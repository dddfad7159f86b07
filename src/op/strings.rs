//! Operations that reorder strings. Strings vary in size, so their tensor is read immediately and encoded again. The
//! operation runs on the strings' indices, which shows the new place of each string.

use std::sync::Arc;

use crate::dtype::Dtype;
use crate::format::string_tensor;
use crate::op::check::elements;
use crate::op::compute::Input;
use crate::op::create;
use crate::tensor::Tensor;

/// Applies `rearrange` to tensors of strings by applying it to tensors of their indices. Index 0, the value of new
/// elements, is the empty string.
pub(super) fn rearranged(
    tensors: &[Arc<Tensor>],
    rearrange: impl FnOnce(&[Arc<Tensor>]) -> Result<Vec<Tensor>, String>,
) -> Result<Vec<Tensor>, String> {
    let read: Vec<_> = tensors.iter().map(|tensor| bytes(tensor)).collect::<Result<_, _>>()?;
    let mut strings: Vec<&[u8]> = vec![b""];
    let mut numbers = Vec::new();
    for (tensor, bytes) in tensors.iter().zip(&read) {
        let decoded = string_tensor::decode(bytes, elements(&tensor.shape)?).map_err(damaged)?;
        if tensor.crc32c.is_some_and(|recorded| recorded != string_tensor::checksum(&decoded)) {
            return Err(damaged("its checksum is not the one that is recorded"));
        }
        let own = strings.len() as u64..(strings.len() + decoded.len()) as u64;
        let own: Vec<u8> = own.flat_map(u64::to_le_bytes).collect();
        numbers.push(Arc::new(Tensor::new(Dtype::Uint64, tensor.shape.clone(), vec![own.into()], None)));
        strings.extend(decoded);
    }
    rearrange(&numbers)?.iter().map(|numbers| chosen(&strings, numbers)).collect()
}

fn chosen(strings: &[&[u8]], numbers: &Tensor) -> Result<Tensor, String> {
    let numbers_bytes = bytes(numbers)?;
    let numbered =
        numbers_bytes.as_chunks::<8>().0.iter().map(|number| strings[u64::from_le_bytes(*number) as usize]);
    Ok(create::strings(&numbers.shape, &numbered.collect::<Vec<_>>()))
}

fn bytes(tensor: &Tensor) -> Result<Vec<u8>, String> {
    if !tensor.is_there() {
        return Err("its strings cannot be read: the data file is missing".into());
    }
    let mut bytes = vec![0; tensor.len() as usize];
    Input::new(tensor).read(&mut bytes, 0).map_err(|error| format!("its strings cannot be read: {error}"))?;
    Ok(bytes)
}

fn damaged(error: impl ToString) -> String {
    format!("its strings are damaged: {}", error.to_string())
}
