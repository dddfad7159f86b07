//! The encoding of the numbers of each dtype: the field, and the form in it.

use crate::format::varint::{Reader, put};
use crate::format::{Malformed, Result};

/// The encoding of a dtype's elements.
#[derive(Debug, PartialEq, Eq)]
pub struct Coding {
    /// TensorFlow's number of the dtype.
    pub(crate) dtype: u32,
    /// The field in the tensor's message.
    pub(crate) field: u32,
    /// Bytes of an element in memory, which is little-endian.
    pub width: usize,
    /// The form of an element in the field.
    pub form: Form,
}

/// The form of an element in its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The bytes that it has in memory.
    Raw,
    /// A varint of 64 bits, two's complement.
    #[allow(missing_docs, reason = "the numbers that the dtype can be")]
    Varint { min: i64, max: i64 },
}

/// The field with the bytes as in memory, for any dtype of fixed width. TensorFlow's own writer does not use it.
pub(super) const CONTENT: u32 = 4;
/// The field of strings.
pub(super) const STRINGS: u32 = 8;
/// The last field of values.
pub(super) const LAST: u32 = 18;

const fn raw(dtype: u32, field: u32, width: usize) -> Coding {
    Coding { dtype, field, width, form: Form::Raw }
}

const fn varint(dtype: u32, field: u32, width: usize, min: i64, max: i64) -> Coding {
    Coding { dtype, field, width, form: Form::Varint { min, max } }
}

const CODINGS: &[Coding] = &[
    raw(1, 5, 4),                                       // float32
    raw(2, 6, 8),                                       // float64
    varint(3, 7, 4, i32::MIN as i64, i32::MAX as i64),  // int32
    varint(4, 7, 1, 0, u8::MAX as i64),                 // uint8
    varint(5, 7, 2, i16::MIN as i64, i16::MAX as i64),  // int16
    varint(6, 7, 1, i8::MIN as i64, i8::MAX as i64),    // int8
    raw(8, 9, 8),                                       // complex64
    varint(9, 10, 8, i64::MIN, i64::MAX),               // int64
    varint(10, 11, 1, 0, 1),                            // bool
    varint(11, 7, 1, i8::MIN as i64, i8::MAX as i64),   // qint8
    varint(12, 7, 1, 0, u8::MAX as i64),                // quint8
    varint(13, 7, 4, i32::MIN as i64, i32::MAX as i64), // qint32
    varint(14, 13, 2, 0, u16::MAX as i64),              // bfloat16
    varint(15, 7, 2, i16::MIN as i64, i16::MAX as i64), // qint16
    varint(16, 7, 2, 0, u16::MAX as i64),               // quint16
    varint(17, 7, 2, 0, u16::MAX as i64),               // uint16
    raw(18, 12, 16),                                    // complex128
    varint(19, 13, 2, 0, u16::MAX as i64),              // float16
    varint(22, 16, 4, 0, u32::MAX as i64),              // uint32
    varint(23, 17, 8, i64::MIN, i64::MAX),              // uint64: the same bits
];

impl Coding {
    /// Returns the encoding of a dtype, by TensorFlow's number. Returns `None` for strings, and for dtypes that a V1
    /// checkpoint cannot hold.
    pub fn of(dtype: u32) -> Option<&'static Self> {
        CODINGS.iter().find(|coding| coding.dtype == dtype)
    }

    /// Decodes the elements of `run`, which contains nothing else. Errors report offsets from `at` on.
    pub fn decode(&self, run: &[u8], at: u64) -> Result<Vec<u8>> {
        match self.form {
            Form::Raw => Ok(run.to_vec()),
            Form::Varint { min, max } => self.varints(run, at, min, max),
        }
    }

    fn varints(&self, run: &[u8], at: u64, min: i64, max: i64) -> Result<Vec<u8>> {
        let mut reader = Reader::based(run, usize::try_from(at).unwrap_or(usize::MAX));
        let mut elements = Vec::new();
        while !reader.is_empty() {
            let at = reader.at();
            let value = reader.varint()?.cast_signed();
            if value < min || value > max {
                return Err(Malformed::new(format!("{value}, where numbers are {min} to {max}"), at));
            }
            elements.extend(value.to_le_bytes().iter().take(self.width));
        }
        Ok(elements)
    }

    /// Encodes the run of these elements.
    pub(crate) fn encode(&self, elements: &[u8]) -> Vec<u8> {
        let Form::Varint { min, .. } = self.form else { return elements.to_vec() };
        let mut run = Vec::new();
        for element in elements.chunks_exact(self.width) {
            let is_negative = min < 0 && element.last().is_some_and(|&high| high >= 0x80);
            let mut bytes = if is_negative { [0xff; 8] } else { [0; 8] };
            bytes.iter_mut().zip(element).for_each(|(to, from)| *to = *from);
            put(&mut run, u64::from_le_bytes(bytes));
        }
        run
    }
}
