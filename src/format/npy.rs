//! The header of a NumPy `.npy` file, byte for byte as NumPy writes it.
//!
//! ```text
//! header := "\x93NUMPY" major minor length text        length: u16 in version 1.0, u32 in 2.0
//! text   := a Python dict, spaces, newline             so long that the data begins at a multiple of 64
//! ```

use crate::format::{Malformed, Result};

const MAGIC: &[u8] = b"\x93NUMPY";
const ALIGNMENT: usize = 64;

/// The number of digits for which NumPy reserves space in the first dimension, so that appending does not move the
/// data.
const GROWTH_DIGITS: usize = 21;

/// The contents of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The elements' type, such as `<f4`.
    pub(crate) descr: String,
    /// True if the first index varies fastest.
    pub(crate) fortran_order: bool,
    /// Sizes of the dimensions.
    pub(crate) shape: Vec<u64>,
    /// Length of the header in bytes, which is the offset of the elements.
    pub(crate) len: usize,
}

impl Header {
    /// Decodes the header at the beginning of a file.
    pub(crate) fn decode(file: &[u8]) -> Result<Self> {
        let version = file.strip_prefix(MAGIC).ok_or_else(|| Malformed::new("another magic", 0))?;
        let (text_len, at) = match version {
            [1, _, a, b, ..] => (u32::from(u16::from_le_bytes([*a, *b])), 10usize),
            [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]), 12),
            _ => return Err(Malformed::new("a version that is not 1, 2 or 3, or no length", MAGIC.len())),
        };
        let end = usize::try_from(text_len).ok().and_then(|len| at.checked_add(len));
        let text = end
            .and_then(|end| file.get(at..end))
            .ok_or_else(|| Malformed::new("a header past the end", at))?;
        let text = std::str::from_utf8(text).map_err(|_| Malformed::new("a header that is not text", at))?;
        let parsed = Self::parse(text, at.saturating_add(text.len()));
        parsed
            .ok_or_else(|| Malformed::new("no dict with descr, fortran_order and shape of a plain array", at))
    }

    fn parse(text: &str, len: usize) -> Option<Self> {
        let value = |key: &str| Some(text.split_once(key)?.1.trim_start().strip_prefix(':')?.trim_start());
        let descr = value("'descr'")?.strip_prefix('\'')?.split_once('\'')?.0.to_owned();
        let order = value("'fortran_order'")?;
        let fortran_order = order.starts_with("True");
        let dims = value("'shape'")?.strip_prefix('(')?.split_once(')')?.0;
        let dims = dims.split(',').map(str::trim).filter(|dim| !dim.is_empty());
        let shape = dims.map(|dim| dim.parse().ok()).collect::<Option<_>>()?;
        (fortran_order || order.starts_with("False")).then_some(Self { descr, fortran_order, shape, len })
    }
}

/// Encodes the header of a row-major array of `shape`, with elements of type `descr`, such as `<f4`.
pub(crate) fn header(descr: &str, shape: &[u64]) -> Vec<u8> {
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {}, }}", tuple(shape));
    let growth = shape.first().map_or(0, |dim| GROWTH_DIGITS.saturating_sub(dim.to_string().len()));
    let text_len = dict.len().saturating_add(growth);
    let (start, len) = start(text_len);
    let mut out = start;
    out.extend(dict.as_bytes());
    out.resize(out.len().saturating_add(len).saturating_sub(dict.len()).saturating_sub(1), b' ');
    out.push(b'\n');
    out
}

/// Returns the bytes before the text, and the length of the text with its padding. The version is 1.0 if this length
/// fits in 16 bits.
fn start(text_len: usize) -> (Vec<u8>, usize) {
    let padded = |length_field: usize| {
        let before = MAGIC.len().saturating_add(2).saturating_add(length_field);
        // The padding is never empty: if the text would fit exactly, NumPy adds 64 bytes.
        let end = before.saturating_add(text_len).saturating_add(2);
        end.next_multiple_of(ALIGNMENT).saturating_sub(before)
    };
    match u16::try_from(padded(2)) {
        Ok(len) => ([MAGIC, &[1, 0], &len.to_le_bytes()].concat(), len.into()),
        Err(_) => {
            let len = u32::try_from(padded(4)).unwrap_or(u32::MAX);
            ([MAGIC, &[2, 0], &len.to_le_bytes()].concat(), padded(4))
        }
    }
}

/// Formats a tuple as Python does: `()`, `(3,)`, `(3, 4)`.
fn tuple(shape: &[u64]) -> String {
    match shape {
        [one] => format!("({one},)"),
        many => format!("({})", many.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Returns the header's version and its text.
    fn split(header: &[u8]) -> (u8, &str) {
        assert!(header.starts_with(MAGIC) && header[7] == 0);
        let (length, text) = match header[6] {
            1 => (u64::from(u16::from_le_bytes(header[8..10].try_into().unwrap())), &header[10..]),
            _ => (u64::from(u32::from_le_bytes(header[8..12].try_into().unwrap())), &header[12..]),
        };
        assert_eq!(length, text.len() as u64);
        (header[6], std::str::from_utf8(text).unwrap())
    }

    /// The expected headers are those that NumPy 2 wrote.
    #[test]
    fn headers_equal_those_that_numpy_writes() {
        let cases: [(&[u64], usize, &str); 5] = [
            (&[], 62, "(), }"),
            (&[3], 60, "(3,), }"),
            (&[2, 3], 58, "(2, 3), }"),
            (&[0], 60, "(0,), }"),
            (&[u64::MAX, 1], 39, "(18446744073709551615, 1), }"),
        ];
        for (shape, spaces, tuple) in cases {
            let header = header("<f4", shape);
            let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple}");
            assert_eq!(split(&header), (1, &*format!("{text}{}\n", " ".repeat(spaces))));
            assert_eq!((header.len(), &header[..10]), (128, &b"\x93NUMPY\x01\x00v\x00"[..]));
        }
    }

    #[test]
    fn headers_survive_a_round_trip_and_truncated_ones_are_malformed() {
        for shape in [&[][..], &[3], &[2, 3], &[0], &[u64::MAX, 1], &[7; 22_000]] {
            let bytes = header("|S5", shape);
            let (descr, fortran_order) = ("|S5".to_owned(), false);
            let want = Header { descr, fortran_order, shape: shape.to_vec(), len: bytes.len() };
            assert_eq!(Header::decode(&bytes).unwrap(), want);
            assert_eq!(Header::decode(&[&bytes[..], b"more"].concat()).unwrap(), want);
            for len in (0..bytes.len()).step_by(1 + bytes.len() / 1000) {
                assert!(Header::decode(&bytes[..len]).is_err());
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_an_error_or_another_header_and_never_a_panic() {
        let bytes = header("<f4", &[2, 3]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = Header::decode(&flipped).map(|header| assert!(header.len <= flipped.len()));
        }
    }

    #[test]
    fn headers_of_other_writers_may_have_their_keys_in_any_order() {
        let text = "{ 'shape':(4 , 5), 'fortran_order' : True,'descr': '>i2'}\n";
        let bytes = [MAGIC, &[1, 0, u8::try_from(text.len()).unwrap(), 0], text.as_bytes()].concat();
        let header = Header::decode(&bytes).unwrap();
        assert_eq!((&*header.descr, header.fortran_order, &*header.shape), (">i2", true, &[4, 5][..]));
        for text in
            ["{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", "{}", "{'shape': (-1,)}"]
        {
            let bytes = [MAGIC, &[1, 0, u8::try_from(text.len()).unwrap(), 0], text.as_bytes()].concat();
            assert!(Header::decode(&bytes).is_err());
        }
    }

    #[test]
    fn data_begins_at_a_multiple_of_64_at_every_rank() {
        for rank in 0..=254 {
            for dim in [0, 7, 768, u64::MAX] {
                let shape = vec![dim; rank];
                let header = header("|b1", &shape);
                let (version, text) = split(&header);
                let dict = text.trim_end();
                assert_eq!((version, header.len() % 64, text.ends_with(" \n")), (1, 0, true));
                assert_eq!(dict.matches(',').count(), 3 + rank.saturating_sub(1) + usize::from(rank == 1));
                assert!(text.len() - dict.len() <= 64 + 22);
            }
        }
        assert_eq!(header("|S5", &[7; 254]).len(), 896);
    }

    /// The lengths are those between which NumPy itself changes the version.
    #[test]
    fn a_header_beyond_65535_bytes_is_of_version_2() {
        let (old, new) = (header("|S5", &[7; 21_000]), header("|S5", &[7; 22_000]));
        assert_eq!((split(&old).0, old.len()), (1, 63_104));
        assert_eq!((split(&new).0, new.len(), &new[8..12]), (2, 66_112, &[0x34, 0x02, 0x01, 0x00][..]));
    }
}
