//! `raw/`: each variable's element bytes as they are stored, little-endian and row-major.

use super::Format;
use crate::catalog::Variable;
use crate::extent::VirtualFile;

pub(super) const FORMAT: Format = Format { name: "raw", suffix: "", link: "raw", file };

fn file(variable: &Variable) -> Result<VirtualFile, String> {
    let tensor = &variable.tensor;
    match tensor.dtype.width() {
        Some(_) => Ok(tensor.file()),
        None => Err(format!("elements of {} vary in size", tensor.dtype)),
    }
}
