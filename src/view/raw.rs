//! The `raw/` directory: each variable's bytes as they are stored.
//!
//! For dtypes with a fixed width, these are the elements, little-endian and row-major. For strings, they are
//! everything that a bundle stores: the lengths, their checksum, and the concatenated strings.

use crate::catalog::Variable;
use crate::dtype::Numpy;
use crate::extent::VirtualFile;
use crate::view::form::{Format, no_form};

pub(super) const FORMAT: Format = Format { name: "raw", suffix: "", link: "raw", file };

fn file(variable: &Variable) -> Result<VirtualFile, String> {
    let tensor = &variable.tensor;
    match tensor.dtype.numpy() {
        Numpy::Absent => Err(no_form(tensor.dtype)),
        _ => Ok(tensor.file()),
    }
}
