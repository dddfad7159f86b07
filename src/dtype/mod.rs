//! Element types: TensorFlow's `DataType`. All differences between them are in `ROWS`, one row for each.
//!
//! Widths are in bytes of the checkpoint. A sub-byte type takes a whole byte there, with its value in the low bits,
//! not sign-extended.

pub(crate) mod range;
mod safetensors;

use std::fmt;

use crate::minifloat;
use crate::minifloat::Minifloat;

/// An element type that a checkpoint can hold. The discriminants are TensorFlow's numbers.
#[allow(missing_docs, reason = "the rows below say what each is")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    Float32 = 1,
    Float64 = 2,
    Int32 = 3,
    Uint8 = 4,
    Int16 = 5,
    Int8 = 6,
    String = 7,
    Complex64 = 8,
    Int64 = 9,
    Bool = 10,
    Qint8 = 11,
    Quint8 = 12,
    Qint32 = 13,
    Bfloat16 = 14,
    Qint16 = 15,
    Quint16 = 16,
    Uint16 = 17,
    Complex128 = 18,
    Float16 = 19,
    Variant = 21,
    Uint32 = 22,
    Uint64 = 23,
    Float8E5m2 = 24,
    Float8E4m3fn = 25,
    Float8E4m3fnuz = 26,
    Float8E4m3b11fnuz = 27,
    Float8E5m2fnuz = 28,
    Int4 = 29,
    Uint4 = 30,
    Int2 = 31,
    Uint2 = 32,
    Float4E2m1fn = 33,
}

/// The NumPy representation of a type's elements.
#[derive(Clone, Copy)]
pub enum Numpy {
    /// The same bytes, under this `descr`.
    Same(&'static str),
    /// A wider type, for a type that NumPy lacks: each element is converted without loss.
    Widened(Dtype),
    /// Elements of varying size, which NumPy pads to the size of the longest (`|S5`).
    Strings,
    /// A missing representation: NumPy has no form for the type.
    Absent,
}

/// One element (or one component of a complex element) as a number.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "they are their names")]
pub enum Value {
    Float32(f32),
    Float64(f64),
    Signed(i64),
    Unsigned(u64),
    Bool(bool),
}

struct Row {
    dtype: Dtype,
    name: &'static str,
    /// Bytes per element. `None` if elements vary in size.
    width: Option<u64>,
    numpy: Numpy,
    /// The function that reads one component of an element from its `width / components` bytes.
    value: fn(&[u8]) -> Value,
    components: u64,
}

const fn row(dtype: Dtype, name: &'static str, width: u64, numpy: Numpy, value: fn(&[u8]) -> Value) -> Row {
    Row { dtype, name, width: Some(width), numpy, value, components: 1 }
}

const fn complex(
    dtype: Dtype,
    name: &'static str,
    width: u64,
    descr: &'static str,
    part: fn(&[u8]) -> Value,
) -> Row {
    Row { dtype, name, width: Some(width), numpy: Numpy::Same(descr), value: part, components: 2 }
}

const fn variable(dtype: Dtype, name: &'static str, numpy: Numpy) -> Row {
    Row { dtype, name, width: None, numpy, value: |_| Value::Bool(false), components: 0 }
}

const fn widened(dtype: Dtype, name: &'static str, width: u64, to: Dtype, value: fn(&[u8]) -> Value) -> Row {
    Row { dtype, name, width: Some(width), numpy: Numpy::Widened(to), value, components: 1 }
}

use Numpy::Same;

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row(Dtype::Float32, "float32", 4, Same("<f4"), |b| Value::Float32(f32::from_le_bytes(fixed(b)))),
    row(Dtype::Float64, "float64", 8, Same("<f8"), |b| Value::Float64(f64::from_le_bytes(fixed(b)))),
    row(Dtype::Int32, "int32", 4, Same("<i4"), |b| Value::Signed(i32::from_le_bytes(fixed(b)).into())),
    row(Dtype::Uint8, "uint8", 1, Same("|u1"), |b| Value::Unsigned(b[0].into())),
    row(Dtype::Int16, "int16", 2, Same("<i2"), |b| Value::Signed(i16::from_le_bytes(fixed(b)).into())),
    row(Dtype::Int8, "int8", 1, Same("|i1"), |b| Value::Signed((b[0] as i8).into())),
    variable(Dtype::String, "string", Numpy::Strings),
    complex(Dtype::Complex64, "complex64", 8, "<c8", |b| Value::Float32(f32::from_le_bytes(fixed(b)))),
    row(Dtype::Int64, "int64", 8, Same("<i8"), |b| Value::Signed(i64::from_le_bytes(fixed(b)))),
    row(Dtype::Bool, "bool", 1, Same("|b1"), |b| Value::Bool(b[0] != 0)),
    row(Dtype::Qint8, "qint8", 1, Same("|i1"), |b| Value::Signed((b[0] as i8).into())),
    row(Dtype::Quint8, "quint8", 1, Same("|u1"), |b| Value::Unsigned(b[0].into())),
    row(Dtype::Qint32, "qint32", 4, Same("<i4"), |b| Value::Signed(i32::from_le_bytes(fixed(b)).into())),
    widened(Dtype::Bfloat16, "bfloat16", 2, Dtype::Float32, |b| Value::Float32(minifloat::bfloat16(u16::from_le_bytes(fixed(b))))),
    row(Dtype::Qint16, "qint16", 2, Same("<i2"), |b| Value::Signed(i16::from_le_bytes(fixed(b)).into())),
    row(Dtype::Quint16, "quint16", 2, Same("<u2"), |b| Value::Unsigned(u16::from_le_bytes(fixed(b)).into())),
    row(Dtype::Uint16, "uint16", 2, Same("<u2"), |b| Value::Unsigned(u16::from_le_bytes(fixed(b)).into())),
    complex(Dtype::Complex128, "complex128", 16, "<c16", |b| Value::Float64(f64::from_le_bytes(fixed(b)))),
    row(Dtype::Float16, "float16", 2, Same("<f2"), |b| Value::Float32(minifloat::FLOAT16.decode(u16::from_le_bytes(fixed(b))))),
    variable(Dtype::Variant, "variant", Numpy::Absent),
    row(Dtype::Uint32, "uint32", 4, Same("<u4"), |b| Value::Unsigned(u32::from_le_bytes(fixed(b)).into())),
    row(Dtype::Uint64, "uint64", 8, Same("<u8"), |b| Value::Unsigned(u64::from_le_bytes(fixed(b)))),
    widened(Dtype::Float8E5m2, "float8_e5m2", 1, Dtype::Float32, |b| small(&minifloat::FLOAT8_E5M2, b)),
    widened(Dtype::Float8E4m3fn, "float8_e4m3fn", 1, Dtype::Float32, |b| small(&minifloat::FLOAT8_E4M3FN, b)),
    widened(Dtype::Float8E4m3fnuz, "float8_e4m3fnuz", 1, Dtype::Float32, |b| small(&minifloat::FLOAT8_E4M3FNUZ, b)),
    widened(Dtype::Float8E4m3b11fnuz, "float8_e4m3b11fnuz", 1, Dtype::Float32, |b| small(&minifloat::FLOAT8_E4M3B11FNUZ, b)),
    widened(Dtype::Float8E5m2fnuz, "float8_e5m2fnuz", 1, Dtype::Float32, |b| small(&minifloat::FLOAT8_E5M2FNUZ, b)),
    widened(Dtype::Int4, "int4", 1, Dtype::Int8, |b| Value::Signed(i64::from((b[0] << 4) as i8 >> 4))),
    row(Dtype::Uint4, "uint4", 1, Same("|u1"), |b| Value::Unsigned(b[0].into())),
    widened(Dtype::Int2, "int2", 1, Dtype::Int8, |b| Value::Signed(i64::from((b[0] << 6) as i8 >> 6))),
    row(Dtype::Uint2, "uint2", 1, Same("|u1"), |b| Value::Unsigned(b[0].into())),
    widened(Dtype::Float4E2m1fn, "float4_e2m1fn", 1, Dtype::Float32, |b| small(&minifloat::FLOAT4_E2M1FN, b)),
];

/// Other names of a type: those of `tf.half` and `tf.double`, and those common for mixed precision.
const OTHER_WORDS: &[(&str, Dtype)] = &[
    ("fp16", Dtype::Float16),
    ("half", Dtype::Float16),
    ("bf16", Dtype::Bfloat16),
    ("fp32", Dtype::Float32),
    ("fp64", Dtype::Float64),
    ("double", Dtype::Float64),
];

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes[..N].try_into().expect("a slice of N bytes is an array of N")
}

fn small(format: &Minifloat, bytes: &[u8]) -> Value {
    Value::Float32(format.decode(bytes[0].into()))
}

impl Dtype {
    /// Returns the type with TensorFlow's number. `None` for 0, references, `resource` and unknown numbers.
    pub fn from_tensorflow(number: u32) -> Option<Self> {
        ROWS.iter().find(|row| row.dtype as u32 == number).map(|row| row.dtype)
    }

    /// Returns the dtype of stored values with a number in TensorFlow's enum `DataType`.
    ///
    /// # Errors
    /// A description of a number that no stored value has.
    pub(crate) fn of_stored(number: u32) -> Result<Self, String> {
        Self::from_tensorflow(number).ok_or_else(|| match number {
            0 => "has no dtype".into(),
            101..=199 => format!("dtype {number} is a reference, which is never stored"),
            _ => format!("dtype {number} is unknown"),
        })
    }

    /// Returns the type with TensorFlow's name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.name == name).map(|row| row.dtype)
    }

    /// Returns the type that a user means, by TensorFlow's name or by another common name such as `bf16`.
    pub(crate) fn written(word: &str) -> Option<Self> {
        let other = || OTHER_WORDS.iter().find(|(other, _)| *other == word).map(|(_, dtype)| *dtype);
        Self::from_name(word).or_else(other)
    }

    /// Returns TensorFlow's number.
    pub fn tensorflow(self) -> u32 {
        self as u32
    }

    /// Returns TensorFlow's name, as in `tf.dtypes`.
    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the number of bytes per element. `None` if elements vary in size (strings, variants).
    pub fn width(self) -> Option<u64> {
        self.row().width
    }

    /// Returns the NumPy representation.
    pub fn numpy(self) -> Numpy {
        self.row().numpy
    }

    /// Returns the number of components of an element: 2 for complex types, 0 if elements vary in size.
    pub(crate) fn components(self) -> u64 {
        self.row().components
    }

    /// Returns the number of bytes per component; 0 if elements vary in size.
    pub(crate) fn component_width(self) -> usize {
        self.width().map_or(0, |width| (width / self.components()) as usize)
    }

    /// Returns the function that reads one component from its `width / components` bytes.
    pub fn value(self) -> fn(&[u8]) -> Value {
        self.row().value
    }

    fn row(self) -> &'static Row {
        ROWS.iter().find(|row| row.dtype == self).expect("every dtype has a row")
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_unique_number() {
        for row in ROWS {
            assert_eq!(Dtype::from_tensorflow(row.dtype.tensorflow()), Some(row.dtype));
            assert_eq!(ROWS.iter().filter(|r| r.name == row.name).count(), 1);
        }
        assert_eq!(ROWS.len(), 32);
        for absent in [0, 20, 34, 101] {
            assert_eq!(Dtype::from_tensorflow(absent), None);
        }
    }

    #[test]
    fn common_words_name_a_type_and_are_not_official_names() {
        for (word, name) in
            [("fp16", "float16"), ("bf16", "bfloat16"), ("half", "float16"), ("double", "float64")]
        {
            assert_eq!(Dtype::written(word), Dtype::from_name(name), "{word}");
        }
        assert!(OTHER_WORDS.iter().all(|(word, _)| Dtype::from_name(word).is_none()));
        assert_eq!(Dtype::written("float16"), Some(Dtype::Float16));
        assert_eq!(Dtype::written("fp17"), None);
    }

    #[test]
    fn sub_byte_integers_are_sign_extended() {
        assert_eq!((Dtype::Int4.value())(&[0x0f]), Value::Signed(-1));
        assert_eq!((Dtype::Int4.value())(&[0x08]), Value::Signed(-8));
        assert_eq!((Dtype::Int2.value())(&[0x02]), Value::Signed(-2));
        assert_eq!((Dtype::Int2.value())(&[0x01]), Value::Signed(1));
    }
}
