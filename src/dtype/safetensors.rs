//! The names of element types in safetensors.

use crate::dtype::Dtype;

/// Types that safetensors has too.
const SAME: &[(&str, Dtype)] = &[
    ("BOOL", Dtype::Bool),
    ("U8", Dtype::Uint8),
    ("I8", Dtype::Int8),
    ("F8_E5M2", Dtype::Float8E5m2),
    ("F8_E4M3", Dtype::Float8E4m3fn),
    ("F8_E4M3FNUZ", Dtype::Float8E4m3fnuz),
    ("F8_E5M2FNUZ", Dtype::Float8E5m2fnuz),
    ("I16", Dtype::Int16),
    ("U16", Dtype::Uint16),
    ("F16", Dtype::Float16),
    ("BF16", Dtype::Bfloat16),
    ("I32", Dtype::Int32),
    ("U32", Dtype::Uint32),
    ("F32", Dtype::Float32),
    ("C64", Dtype::Complex64),
    ("F64", Dtype::Float64),
    ("I64", Dtype::Int64),
    ("U64", Dtype::Uint64),
];

/// Types that safetensors lacks but whose elements equal those of another type: quantized integers, whose scale is
/// not in a checkpoint.
const STORED_AS: &[(&str, Dtype)] = &[
    ("U8", Dtype::Quint8),
    ("I8", Dtype::Qint8),
    ("U16", Dtype::Quint16),
    ("I16", Dtype::Qint16),
    ("I32", Dtype::Qint32),
];

impl Dtype {
    /// Returns the type with safetensors' name. `None` if there is no equal type here.
    pub fn from_safetensors(name: &str) -> Option<Self> {
        SAME.iter().find(|(theirs, _)| *theirs == name).map(|(_, dtype)| *dtype)
    }

    /// Returns safetensors' name for a type with the same bytes, and true if it is the same type. `None` if
    /// safetensors has no such type.
    pub fn safetensors(self) -> Option<(&'static str, bool)> {
        let named = |rows: &[(&'static str, Self)]| rows.iter().find(|row| row.1 == self).map(|row| row.0);
        named(SAME).map(|name| (name, true)).or_else(|| named(STORED_AS).map(|name| (name, false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::ROWS;

    #[test]
    fn safetensors_names_round_trip_unless_stored_as_another_type() {
        for row in ROWS {
            match row.dtype.safetensors() {
                Some((name, true)) => assert_eq!(Dtype::from_safetensors(name), Some(row.dtype)),
                Some((name, false)) => {
                    let other = Dtype::from_safetensors(name).unwrap();
                    assert_eq!((row.width, row.name.trim_start_matches('q')), (other.width(), other.name()));
                }
                None => {}
            }
        }
        let none: Vec<_> =
            ROWS.iter().filter(|row| row.dtype.safetensors().is_none()).map(|row| row.name).collect();
        let lacking = "string complex128 variant float8_e4m3b11fnuz int4 uint4 int2 uint2 float4_e2m1fn";
        assert_eq!(none, lacking.split(' ').collect::<Vec<_>>());
    }
}
