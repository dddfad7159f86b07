//! `npy/`: each variable as a NumPy array, for `np.load(path, mmap_mode="r")`. A header, then the tensor's own extents.
//!
//! Types that NumPy lacks are widened without loss: small floats to float32, signed sub-byte integers to int8. Strings are
//! `|S<n>`, unless one ends in a NUL byte, which NumPy would take for padding.

use super::elementwise::Elementwise;
use super::{Format, no_form, strings};
use crate::catalog::Variable;
use crate::dtype::{Numpy, Scalar, Value};
use crate::extent::{Extent, VirtualFile};
use crate::format::npy;

pub(super) const FORMAT: Format = Format { name: "npy", suffix: ".npy", link: "array.npy", file };

fn file(variable: &Variable) -> Result<VirtualFile, String> {
    let tensor = &variable.tensor;
    let header = |descr| Extent::from(npy::header(descr, &tensor.shape.0));
    match tensor.dtype.numpy() {
        Numpy::Same(descr) => Ok([header(descr)].into_iter().chain(tensor.data.iter().cloned()).collect()),
        Numpy::Widened(scalar) => {
            let widened =
                Elementwise { tensor: tensor.clone(), width: scalar.width(), to: "npy", put: put(scalar) };
            Ok([header(scalar.descr()), widened.extent()].into_iter().collect())
        }
        Numpy::Strings => strings::npy(variable),
        Numpy::Absent => Err(no_form(tensor.dtype)),
    }
}

fn put(scalar: Scalar) -> fn(Value, &mut Vec<u8>) {
    match scalar {
        Scalar::Float32 => |value, out| {
            if let Value::Float32(x) = value {
                out.extend(x.to_le_bytes());
            }
        },
        Scalar::Int8 => |value, out| {
            if let Value::Signed(x) = value {
                out.extend((x as i8).to_le_bytes());
            }
        },
    }
}
