//! The `npy/` directory: each variable as a NumPy array, for `np.load(path, mmap_mode="r")`. A file is a header and
//! the tensor's own extents.
//!
//! Dtypes that NumPy lacks are widened without loss: small floats to float32, signed sub-byte integers to int8.
//! Strings are `|S<n>`, unless one ends in a NUL byte, which NumPy would treat as padding.

use crate::catalog::Variable;
use crate::dtype::Numpy;
use crate::extent::{Extent, VirtualFile};
use crate::format::npy;
use crate::op::Op;
use crate::tensor::Tensor;
use crate::view::form::{Format, no_form};
use crate::view::strings;

pub(super) const FORMAT: Format = Format { name: "npy", suffix: ".npy", link: "array.npy", file };

fn file(variable: &Variable) -> Result<VirtualFile, String> {
    let tensor = &variable.tensor;
    match tensor.dtype.numpy() {
        Numpy::Same(descr) => Ok(array(descr, tensor)),
        Numpy::Widened(dtype) => {
            let widened = Op::Cast { dtype, saturate: false }.apply(tensor)?;
            match dtype.numpy() {
                Numpy::Same(descr) => Ok(array(descr, &widened)),
                _ => Err(no_form(dtype)),
            }
        }
        Numpy::Strings => strings::npy(variable),
        Numpy::Absent => Err(no_form(tensor.dtype)),
    }
}

/// Returns the unchanged tensor with a header.
fn array(descr: &str, tensor: &Tensor) -> VirtualFile {
    let header = Extent::from(npy::header(descr, &tensor.shape.0));
    [header].into_iter().chain(tensor.data.iter().cloned()).collect()
}
