//! The type of an HDF5 dataset's elements, according to its datatype message.
//!
//! ```text
//! type := class:4 version:4  bits(3)  size(4)  properties of the class
//! ```
//!
//! Numbers are described bit by bit: the positions of sign, exponent and mantissa, and the bias of the exponent. A
//! number is only recognized if it is exactly a type of TensorFlow. A float of two bytes may be a half, a bfloat16 or
//! neither. The types that h5py composes because HDF5 lacks them are also recognized: a bool is an enum of FALSE and
//! TRUE, and a complex number is a compound of r and i.

use crate::format::varint::Reader;
use crate::format::{Malformed, Result};

/// The type of the elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// Numbers of a type that TensorFlow has.
    Number {
        /// TensorFlow's name of the type.
        name: &'static str,
        /// Bytes of one component. A complex number has two components.
        width: usize,
        /// True if the components are big-endian.
        big_endian: bool,
    },
    /// Strings of one fixed size.
    Text {
        /// Bytes of each string.
        size: u32,
        /// The way in which shorter strings are padded.
        padding: Padding,
    },
    /// Strings of variable size, which are stored elsewhere.
    VariableText,
    /// Bytes that HDF5 does not interpret. An attribute may tell their type.
    Opaque {
        /// Bytes of each element.
        size: u32,
    },
    /// Another type, described in words.
    Other(String),
}

/// The end of a string that is shorter than its fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// The first NUL ends the string. The bytes after it are ignored.
    Terminated,
    /// NULs up to the end of the fixed size.
    Nul,
    /// Spaces up to the end of the fixed size.
    Space,
}

/// The maximum nesting depth, far above any real type.
const MAX_DEPTH: u32 = 16;

/// Decodes a datatype message.
///
/// # Errors
/// The fault, if the message ends too early, nests too deep or contains invalid lengths.
pub(crate) fn decode(message: &[u8]) -> Result<Type> {
    description(&mut Reader::new(message), MAX_DEPTH)
}

/// The head of a type.
struct Head {
    class: u8,
    version: u8,
    bits: u32,
    size: u32,
}

fn description(reader: &mut Reader, depth: u32) -> Result<Type> {
    let at = reader.at();
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Malformed::new(format!("a datatype of more than {MAX_DEPTH} levels"), at));
    };
    let [first, a, b, c] = reader.array()?;
    let size = u32::from_le_bytes(reader.array()?);
    let head = Head { class: first & 15, version: first >> 4, bits: u32::from_le_bytes([a, b, c, 0]), size };
    let words = |text: &str| Ok(Type::Other(text.into()));
    match head.class {
        0 => integer(reader, &head),
        1 => float(reader, &head),
        3 => text(&head, at),
        5 => opaque(reader, &head, at),
        6 => compound(reader, &head, depth),
        8 => enumeration(reader, &head, depth),
        9 => variable(reader, &head, depth),
        2 => words("times"),
        4 => words("bit fields"),
        7 => words("references"),
        10 => words("arrays"),
        class => Ok(Type::Other(format!("HDF5 class {class}"))),
    }
}

fn integer(reader: &mut Reader, head: &Head) -> Result<Type> {
    let (offset, precision) = (u16::from_le_bytes(reader.array()?), u16::from_le_bytes(reader.array()?));
    let signed = head.bits & 8 != 0;
    let name = match (head.size, signed) {
        (1, false) => "uint8",
        (1, true) => "int8",
        (2, false) => "uint16",
        (2, true) => "int16",
        (4, false) => "uint32",
        (4, true) => "int32",
        (8, false) => "uint64",
        (8, true) => "int64",
        (size, _) => return Ok(Type::Other(format!("integers of {size} bytes"))),
    };
    match offset == 0 && u32::from(precision) == head.size.saturating_mul(8) {
        true => Ok(number(name, head.size, head.bits & 1 != 0)),
        false => {
            let size = head.size;
            Ok(Type::Other(format!("integers of {precision} bits from bit {offset} of {size} bytes")))
        }
    }
}

fn number(name: &'static str, width: u32, big_endian: bool) -> Type {
    Type::Number { name, width: width as usize, big_endian }
}

/// The size, the position of the sign, the positions and sizes of exponent and mantissa, and the bias.
type Float = (u32, u8, [u8; 4], u32);

/// The names of the floats with these bits.
#[rustfmt::skip]
const FLOATS: [(Float, &str); 4] = [
    ((2, 15, [10, 5, 0, 10], 15), "float16"),
    ((2, 15, [7, 8, 0, 7], 127), "bfloat16"),
    ((4, 31, [23, 8, 0, 23], 127), "float32"),
    ((8, 63, [52, 11, 0, 52], 1023), "float64"),
];

fn float(reader: &mut Reader, head: &Head) -> Result<Type> {
    let (offset, precision) = (u16::from_le_bytes(reader.array()?), u16::from_le_bytes(reader.array()?));
    let places = reader.array()?;
    let bias = u32::from_le_bytes(reader.array()?);
    let [kind, sign, _, _] = head.bits.to_le_bytes();
    let found = (head.size, sign, places, bias);
    let whole = offset == 0 && u32::from(precision) == head.size.saturating_mul(8);
    // The highest bit of the mantissa is 1 and not stored. Bits 0 and 6 are the byte order; both are set for VAX.
    let usual = whole && kind & 0b11_0000 == 0b10_0000 && kind & 0b100_0000 == 0;
    let known = FLOATS.iter().find(|(float, _)| usual && *float == found);
    Ok(known.map_or_else(
        || Type::Other(format!("floats of {} bytes that are not of IEEE 754", head.size)),
        |(_, name)| number(name, head.size, kind & 1 != 0),
    ))
}

fn text(head: &Head, at: usize) -> Result<Type> {
    let padding = match head.bits & 15 {
        0 => Padding::Terminated,
        1 => Padding::Nul,
        2 => Padding::Space,
        other => return Ok(Type::Other(format!("strings of padding {other}"))),
    };
    match head.size {
        0 => Err(Malformed::new("strings of no bytes", at)),
        size => Ok(Type::Text { size, padding }),
    }
}

fn opaque(reader: &mut Reader, head: &Head, at: usize) -> Result<Type> {
    // The tag is padded to a multiple of eight bytes.
    reader.take(u64::from(head.bits & 0xff).next_multiple_of(8))?;
    match head.size {
        0 => Err(Malformed::new("opaque elements of no bytes", at)),
        size => Ok(Type::Opaque { size }),
    }
}

/// Reads a compound. Two floats called r and i are a complex number.
fn compound(reader: &mut Reader, head: &Head, depth: u32) -> Result<Type> {
    let mut members = Vec::new();
    for _ in 0..head.bits & 0xffff {
        members.push(member(reader, head, depth)?);
    }
    let names: Vec<_> = members.iter().map(|(name, _, _)| name.escape_ascii().to_string()).collect();
    let other = || Ok(Type::Other(format!("compounds of {}", names.join(", "))));
    let [(b"r", 0, Type::Number { name, width, big_endian }), (b"i", at, imaginary)] = &members[..] else {
        return other();
    };
    let twice = width.saturating_mul(2);
    let packed = *at == *width as u64 && head.size as usize == twice;
    let same = *imaginary == Type::Number { name, width: *width, big_endian: *big_endian };
    let number = |name| Ok(Type::Number { name, width: *width, big_endian: *big_endian });
    match *name {
        "float32" if packed && same => number("complex64"),
        "float64" if packed && same => number("complex128"),
        _ => other(),
    }
}

/// Reads the name, the offset and the type of a compound's member.
fn member<'a>(reader: &mut Reader<'a>, head: &Head, depth: u32) -> Result<(&'a [u8], u64, Type)> {
    let name = name(reader, head.version)?;
    let offset = match head.version {
        0..3 => u64::from(u32::from_le_bytes(reader.array()?)),
        _ => shortest(reader, head.size)?,
    };
    if head.version == 1 {
        // The dimensions of an array: version 1 has no class for arrays.
        let [dimensions, ..] = reader.array::<28>()?;
        if dimensions != 0 {
            description(reader, depth)?;
            return Ok((name, offset, Type::Other("arrays".into())));
        }
    }
    Ok((name, offset, description(reader, depth)?))
}

/// Reads a name up to its NUL. Before version 3, it is padded to a multiple of eight bytes.
fn name<'a>(reader: &mut Reader<'a>, version: u8) -> Result<&'a [u8]> {
    let Some(len) = reader.rest().iter().position(|&byte| byte == 0) else {
        return Err(Malformed::new("a name without an end", reader.at()));
    };
    let name = reader.take(len as u64)?;
    let stored = (len as u64).saturating_add(1);
    let padded = if version < 3 { stored.next_multiple_of(8) } else { stored };
    reader.take(padded.saturating_sub(len as u64))?;
    Ok(name)
}

/// Reads an offset within `size` bytes. It takes as few bytes as `size` needs.
fn shortest(reader: &mut Reader, size: u32) -> Result<u64> {
    let len = match size {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xff_ffff => 3,
        _ => 4,
    };
    Ok(reader.take(len)?.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// Reads an enum. FALSE and TRUE in one byte are a bool. Other enums are read as their integers.
fn enumeration(reader: &mut Reader, head: &Head, depth: u32) -> Result<Type> {
    let base = description(reader, depth)?;
    let count = head.bits & 0xffff;
    let names = (0..count).map(|_| name(reader, head.version)).collect::<Result<Vec<_>>>()?;
    let Type::Number { width, .. } = base else { return Ok(Type::Other("enums of no integers".into())) };
    let values = reader.take(u64::from(count).saturating_mul(width as u64))?;
    match (width, &names[..], values) {
        (1, [b"FALSE", b"TRUE"], [0, 1]) => Ok(number("bool", 1, false)),
        _ => Ok(base),
    }
}

fn variable(reader: &mut Reader, head: &Head, depth: u32) -> Result<Type> {
    description(reader, depth)?;
    match head.bits & 15 {
        1 => Ok(Type::VariableText),
        _ => Ok(Type::Other("sequences of varying length".into())),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message that h5py 3.14 wrote, like the two below.
    const FLOAT32: &[u8] =
        b"\x11\x20\x1f\x00\x04\x00\x00\x00\x00\x00\x20\x00\x17\x08\x00\x17\x7f\x00\x00\x00";
    const INT16_BIG: &[u8] = b"\x10\x09\x00\x00\x02\x00\x00\x00\x00\x00\x10\x00";
    const BOOL: &[u8] = b"\x18\x02\x00\x00\x01\x00\x00\x00\x10\x08\x00\x00\x01\x00\x00\x00\x00\x00\x08\x00\
        FALSE\x00\x00\x00TRUE\x00\x00\x00\x00\x00\x01";

    fn complex64() -> Vec<u8> {
        let member = |name: &[u8], at: u8| [name, &[0; 7], &[at, 0, 0, 0], &[0; 28], FLOAT32].concat();
        [&b"\x16\x02\x00\x00\x08\x00\x00\x00"[..], &member(b"r", 0), &member(b"i", 4)].concat()
    }

    fn number(name: &'static str, width: usize, big_endian: bool) -> Type {
        Type::Number { name, width, big_endian }
    }

    #[test]
    fn types_that_h5py_writes_are_recognized() {
        assert_eq!(decode(FLOAT32), Ok(number("float32", 4, false)));
        assert_eq!(decode(INT16_BIG), Ok(number("int16", 2, true)));
        assert_eq!(decode(BOOL), Ok(number("bool", 1, false)));
        assert_eq!(decode(&complex64()), Ok(number("complex64", 4, false)));
        assert_eq!(
            decode(b"\x13\x01\x00\x00\x05\x00\x00\x00"),
            Ok(Type::Text { size: 5, padding: Padding::Nul })
        );
        assert_eq!(decode(b"\x15\x00\x00\x00\x02\x00\x00\x00"), Ok(Type::Opaque { size: 2 }));
    }

    #[test]
    fn two_bytes_are_a_half_or_a_bfloat16_by_their_bits() {
        let float = |places: [u8; 4], bias: u8| {
            [&b"\x11\x20\x0f\x00\x02\x00\x00\x00\x00\x00\x10\x00"[..], &places, &[bias, 0, 0, 0]].concat()
        };
        assert_eq!(decode(&float([10, 5, 0, 10], 15)), Ok(number("float16", 2, false)));
        assert_eq!(decode(&float([7, 8, 0, 7], 127)), Ok(number("bfloat16", 2, false)));
        assert!(matches!(decode(&float([10, 5, 0, 10], 16)), Ok(Type::Other(_))));
    }

    #[test]
    fn a_type_that_is_almost_a_number_is_not_one() {
        let mut twelve_bits = INT16_BIG.to_vec();
        twelve_bits[10] = 12;
        assert_eq!(decode(&twelve_bits), Ok(Type::Other("integers of 12 bits from bit 0 of 2 bytes".into())));
        let mut swapped = complex64();
        swapped.swap(8, 8 + 60);
        assert_eq!(decode(&swapped), Ok(Type::Other("compounds of i, r".into())));
        let mut vax = FLOAT32.to_vec();
        vax[1] = 0x61;
        assert!(matches!(decode(&vax), Ok(Type::Other(_))));
    }

    #[test]
    fn a_message_truncated_at_any_length_is_malformed() {
        for message in [FLOAT32, INT16_BIG, BOOL, &complex64()] {
            for len in 0..message.len() {
                assert!(decode(&message[..len]).is_err(), "{len}");
            }
        }
    }

    #[test]
    fn a_type_nested_without_end_is_malformed() {
        let deep = b"\x19\x00\x00\x00\x10\x00\x00\x00".repeat(1000);
        assert_eq!(decode(&deep).unwrap_err().what, "a datatype of more than 16 levels");
    }

    #[test]
    fn a_flipped_bit_gives_another_type_or_an_error() {
        for message in [FLOAT32, INT16_BIG, BOOL] {
            for bit in 0..message.len() * 8 {
                let mut flipped = message.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let _ = decode(&flipped);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_type_or_malformed(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
