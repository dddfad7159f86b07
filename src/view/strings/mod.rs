//! Tensors of strings as NumPy arrays and as text.
//!
//! The length of these files is known only after reading the tensor once. If a tensor cannot be read or is damaged,
//! its files exist all the same. Their length is then that of the stored bytes, because a file must have a length.
//! Reading them is an error.

use std::io;
use std::sync::Arc;

use crate::cache::{Decode, Identity};
use crate::catalog::Variable;
use crate::extent::{Extent, VirtualFile};
use crate::format::npy;
use crate::tensor::Tensor;
use crate::tensor::strings::{Strings, line};

/// Returns a `|S<n>` array. NumPy has no elements of 0 bytes, so `n` is at least 1.
pub(crate) fn npy(variable: &Variable) -> Result<VirtualFile, String> {
    let tensor = &variable.tensor;
    let Some((width, padded)) = padded(variable)? else { return Ok(unreadable(tensor)) };
    let header = Extent::from(npy::header(&format!("|S{width}"), &tensor.shape.0));
    Ok([header, padded].into_iter().collect())
}

/// Returns the elements, padded with NUL bytes to a common width, and that width; `None` if they cannot be read.
pub(crate) fn padded(variable: &Variable) -> Result<Option<(u64, Extent)>, String> {
    let tensor = &variable.tensor;
    let Some(strings) = tensor.strings(&variable.name) else { return Ok(None) };
    if strings.ends_in_nul {
        return Err("an element ends in a NUL byte, which NumPy's |S would lose".into());
    }
    let width = strings.longest.max(1);
    let elements = tensor.shape.num_elements().unwrap_or(0);
    let len =
        elements.checked_mul(width).ok_or("padded to the longest string it is longer than a file can be")?;
    let padded = Padded { tensor: tensor.clone(), strings: strings.clone(), width };
    Ok(Some((width, Extent::Decoded { data: Arc::new(padded), len })))
}

/// Returns one element per line, escaped.
pub(crate) fn text(variable: &Variable) -> Result<VirtualFile, String> {
    let tensor = &variable.tensor;
    let Some(strings) = tensor.strings(&variable.name) else { return Ok(unreadable(tensor)) };
    let lines = Lines { tensor: tensor.clone(), strings: strings.clone() };
    Ok([Extent::Decoded { data: Arc::new(lines), len: strings.text_len }].into_iter().collect())
}

/// Returns a placeholder file for the content of a tensor that cannot be read.
pub(crate) fn unreadable(tensor: &Arc<Tensor>) -> VirtualFile {
    let len = tensor.len().max(1);
    [Extent::Decoded { data: Arc::new(Unreadable { tensor: tensor.clone() }), len }].into_iter().collect()
}

/// The elements, padded with NUL bytes to a common width.
struct Padded {
    tensor: Arc<Tensor>,
    strings: Arc<Strings>,
    width: u64,
}

impl Decode for Padded {
    fn identity(&self) -> Identity {
        identity(&self.tensor, "npy")
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let (first, width) = (at / self.width, self.width as usize);
        let (skip, mut out) = ((at % self.width) as usize, Vec::new());
        let place = self.strings.before_element(first);
        let mut before = first - place.element;
        self.strings.visit(&self.tensor, place, &mut |element| {
            if before > 0 {
                before -= 1;
                return true;
            }
            let end = out.len() + width;
            out.extend_from_slice(element);
            out.resize(end, 0);
            end < skip + len
        })?;
        part(&out, skip, len)
    }

    fn verify(&self) -> io::Result<()> {
        self.tensor.file().verify()
    }
}

/// The elements as lines.
struct Lines {
    tensor: Arc<Tensor>,
    strings: Arc<Strings>,
}

impl Decode for Lines {
    fn identity(&self) -> Identity {
        identity(&self.tensor, "text")
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let place = self.strings.before_text(at);
        let (skip, mut out) = ((at - place.text_at) as usize, Vec::new());
        self.strings.visit(&self.tensor, place, &mut |element| {
            out.extend(line(element).bytes());
            out.len() < skip + len
        })?;
        part(&out, skip, len)
    }

    fn verify(&self) -> io::Result<()> {
        self.tensor.file().verify()
    }
}

/// The placeholder for a tensor that cannot be read.
struct Unreadable {
    tensor: Arc<Tensor>,
}

impl Decode for Unreadable {
    fn identity(&self) -> Identity {
        identity(&self.tensor, "unreadable")
    }

    fn decode(&self, _at: u64, _len: usize) -> io::Result<Vec<u8>> {
        Err(io::Error::from_raw_os_error(libc::EIO))
    }

    fn verify(&self) -> io::Result<()> {
        self.tensor.file().verify()
    }
}

fn identity(tensor: &Arc<Tensor>, to: &'static str) -> Identity {
    Identity { of: Arc::as_ptr(tensor) as usize, to }
}

/// Returns a part of the decoded bytes.
fn part(decoded: &[u8], skip: usize, len: usize) -> io::Result<Vec<u8>> {
    let part = decoded.get(skip..skip + len).ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(part.to_vec())
}

#[cfg(test)]
mod tests;
