//! Datatypes, in version 1 of their encoding: the types of NumPy that h5py maps to HDF5, encoded as h5py does.
//!
//! ```text
//! datatype := class and version: u8, 0x1C   bits: 3 bytes   size: u32   properties
//! ```
//!
//! A bool is an enumeration of FALSE and TRUE. A complex number is a compound of `r` and `i`. A bfloat16 is two bytes
//! that HDF5 does not interpret, with an attribute by which Keras recognizes it.

/// The type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Datatype {
    /// An integer, little-endian.
    #[allow(missing_docs, reason = "`size` bytes, with a sign or without")]
    Integer { size: u8, signed: bool },
    /// A floating-point number in a format of IEEE 754.
    Float(Float),
    /// One byte, 0 or 1.
    Bool,
    /// A complex number of two such floats.
    Complex(Float),
    /// Uninterpreted bytes, with their number.
    Opaque(u8),
    /// Text of a fixed number of bytes. Shorter text is padded with NUL bytes.
    String(u32),
    /// Text of any length, in a heap.
    VariableString,
}

/// The bits of a float. The sign is the highest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Float {
    pub(super) size: u8,
    exponent: u8,
    mantissa: u8,
    bias: u32,
}

const HALF: Float = Float { size: 2, exponent: 5, mantissa: 10, bias: 15 };
const SINGLE: Float = Float { size: 4, exponent: 8, mantissa: 23, bias: 127 };
const DOUBLE: Float = Float { size: 8, exponent: 11, mantissa: 52, bias: 1023 };

/// NumPy's float16.
pub(crate) const FLOAT16: Datatype = Datatype::Float(HALF);
/// NumPy's float32.
pub(crate) const FLOAT32: Datatype = Datatype::Float(SINGLE);
/// NumPy's float64.
pub(crate) const FLOAT64: Datatype = Datatype::Float(DOUBLE);
/// NumPy's complex64.
pub(crate) const COMPLEX64: Datatype = Datatype::Complex(SINGLE);
/// NumPy's complex128.
pub(crate) const COMPLEX128: Datatype = Datatype::Complex(DOUBLE);
/// NumPy's bool.
pub(crate) const BOOL: Datatype = Datatype::Bool;
/// The bytes of a bfloat16.
pub(crate) const BFLOAT16: Datatype = Datatype::Opaque(2);

/// Returns the type of an integer of `size` bytes.
pub(crate) const fn integer(size: u8, signed: bool) -> Datatype {
    Datatype::Integer { size, signed }
}

/// Returns the type of text of `size` bytes.
pub(crate) const fn fixed_string(size: u32) -> Datatype {
    Datatype::String(size)
}

/// The bits for text that is padded with NUL bytes and not marked as UTF-8.
const NUL_PADDED: u8 = 1;
/// The bits for text of variable length that is UTF-8 and ends with a NUL.
const UTF8: [u8; 3] = [1, 1, 0];

impl Datatype {
    /// Returns the number of bytes of an element.
    pub(crate) fn size(self) -> u32 {
        match self {
            Self::Integer { size, .. } | Self::Opaque(size) => size.into(),
            Self::Float(float) => float.size.into(),
            Self::Bool => 1,
            Self::Complex(float) => u32::from(float.size).saturating_mul(2),
            Self::String(size) => size,
            // The length, the address of a heap, and the number of an object in it.
            Self::VariableString => 16,
        }
    }

    /// Encodes the body of a datatype message.
    pub(super) fn encode(self) -> Vec<u8> {
        let (class, bits, properties) = match self {
            Self::Integer { size, signed } => (0, [u8::from(signed) << 3, 0, 0], bit_range(size).to_vec()),
            Self::Float(float) => (1, float.bits(), float.properties()),
            Self::String(_) => (3, [NUL_PADDED, 0, 0], vec![]),
            Self::Opaque(_) => (5, [0; 3], vec![]),
            Self::Complex(float) => (6, [2, 0, 0], complex(float)),
            Self::Bool => (8, [2, 0, 0], booleans()),
            Self::VariableString => (9, UTF8, integer(1, false).encode()),
        };
        [&[0x10 | class], bits.as_slice(), &self.size().to_le_bytes(), &properties].concat()
    }
}

/// Encodes the bits of a number: the offset of the first bit, and their count.
fn bit_range(size: u8) -> [u8; 4] {
    let [low, high] = u16::from(size).saturating_mul(8).to_le_bytes();
    [0, 0, low, high]
}

impl Float {
    /// Returns the class bits: the first bit of the mantissa is implied, and the position of the sign.
    fn bits(self) -> [u8; 3] {
        [0x20, self.size.saturating_mul(8).saturating_sub(1), 0]
    }

    fn properties(self) -> Vec<u8> {
        let fields = [self.mantissa, self.exponent, 0, self.mantissa];
        [bit_range(self.size).as_slice(), &fields, &self.bias.to_le_bytes()].concat()
    }
}

/// Encodes the two members: a name padded to eight bytes, an offset, 28 bytes for array dimensions that it does not
/// have, and a datatype.
fn complex(float: Float) -> Vec<u8> {
    let part = |name: u8, offset: u8| {
        let (name, offset) = ([name, 0, 0, 0, 0, 0, 0, 0], [offset, 0, 0, 0]);
        [name.as_slice(), &offset, &[0; 28], &Datatype::Float(float).encode()].concat()
    };
    [part(b'r', 0), part(b'i', float.size)].concat()
}

/// Encodes the base type, the names padded to eight bytes each, and the values.
fn booleans() -> Vec<u8> {
    [integer(1, true).encode().as_slice(), b"FALSE\0\0\0TRUE\0\0\0\0", &[0, 1]].concat()
}
