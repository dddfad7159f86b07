//! A variable as a dataset: a datatype, and its bytes. The datatypes are those that h5py uses for NumPy's dtypes.

use crate::catalog::Variable;
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::hdf5_image::{
    Attribute, BFLOAT16, BOOL, COMPLEX64, COMPLEX128, Datatype, FLOAT16, FLOAT32, FLOAT64, fixed_string,
    integer,
};
use crate::view::strings;

/// The contents of a dataset.
pub(super) struct Form {
    pub(super) datatype: Datatype,
    pub(super) attributes: Vec<Attribute>,
    pub(super) data: Vec<Extent>,
}

/// The dtypes whose elements have the same bytes in the file and in a checkpoint.
const SAME: &[(Dtype, Datatype)] = &[
    (Dtype::Float16, FLOAT16),
    (Dtype::Float32, FLOAT32),
    (Dtype::Float64, FLOAT64),
    (Dtype::Bfloat16, BFLOAT16),
    (Dtype::Complex64, COMPLEX64),
    (Dtype::Complex128, COMPLEX128),
    (Dtype::Bool, BOOL),
    (Dtype::Int8, integer(1, true)),
    (Dtype::Int16, integer(2, true)),
    (Dtype::Int32, integer(4, true)),
    (Dtype::Int64, integer(8, true)),
    (Dtype::Uint8, integer(1, false)),
    (Dtype::Uint16, integer(2, false)),
    (Dtype::Uint32, integer(4, false)),
    (Dtype::Uint64, integer(8, false)),
    (Dtype::Qint8, integer(1, true)),
    (Dtype::Qint16, integer(2, true)),
    (Dtype::Qint32, integer(4, true)),
    (Dtype::Quint8, integer(1, false)),
    (Dtype::Quint16, integer(2, false)),
];

impl Form {
    /// Returns the form of a variable. The error is the reason why it has none.
    pub(super) fn of(variable: &Variable) -> Result<Self, String> {
        let dtype = variable.tensor.dtype;
        if dtype == Dtype::String {
            return of_strings(variable);
        }
        let (_, datatype) =
            SAME.iter().find(|(same, _)| *same == dtype).ok_or_else(|| format!("HDF5 has no {dtype}"))?;
        // HDF5 only knows two bytes per element. Keras reads this attribute.
        let named = (dtype == Dtype::Bfloat16).then(|| Attribute::text("dtype", "bfloat16"));
        let attributes = named.into_iter().collect();
        Ok(Self { datatype: *datatype, attributes, data: variable.tensor.data.to_vec() })
    }
}

fn of_strings(variable: &Variable) -> Result<Form, String> {
    let (width, data) = strings::padded(variable)?.ok_or("its strings cannot be read")?;
    let width = u32::try_from(width).map_err(|_| "a string is longer than HDF5 allows")?;
    Ok(Form { datatype: fixed_string(width), attributes: vec![], data: vec![data] })
}
