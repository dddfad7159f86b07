//! LZF, a compression of chunks in h5py.
//!
//! ```text
//! stream    := ( literals | reference ) *
//! literals  := 000nnnnn  byte (n + 1 of them)
//! reference := lllooooo [length, if l = 7]  offset      l + length + 2 bytes from offset + 1 bytes back
//! ```
//!
//! The total length is stored elsewhere, and the output must match it exactly.

use crate::format::varint::Reader;
use crate::format::{Malformed, Result};

/// Decompresses `stream` into exactly `len` bytes.
///
/// # Errors
/// The fault, if the stream ends early, refers back past its beginning, or produces more or fewer bytes.
pub(crate) fn decode(stream: &[u8], len: usize) -> Result<Vec<u8>> {
    let (mut reader, mut out) = (Reader::new(stream), Vec::new());
    while !reader.is_empty() {
        let at = reader.at();
        let [control] = reader.array()?;
        match control {
            0..32 => out.extend_from_slice(reader.take(u64::from(control).saturating_add(1))?),
            _ => back(&mut reader, control, &mut out, at)?,
        }
        if out.len() > len {
            return Err(Malformed::new(format!("more than {len} bytes"), at));
        }
    }
    match out.len() == len {
        true => Ok(out),
        false => Err(Malformed::new(format!("{} bytes instead of {len}", out.len()), stream.len())),
    }
}

/// Copies the bytes to which a reference refers. They may overlap the bytes that it produces.
fn back(reader: &mut Reader, control: u8, out: &mut Vec<u8>, at: usize) -> Result<()> {
    let mut length = usize::from(control >> 5).saturating_add(2);
    if control >> 5 == 7 {
        let [more] = reader.array()?;
        length = length.saturating_add(more.into());
    }
    let [low] = reader.array()?;
    let distance = (usize::from(control & 31) << 8 | usize::from(low)).saturating_add(1);
    let Some(mut from) = out.len().checked_sub(distance) else {
        return Err(Malformed::new(format!("{distance} bytes back from byte {}", out.len()), at));
    };
    for _ in 0..length {
        out.extend(out.get(from).copied());
        from = from.saturating_add(1);
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A stream of `abcabcabc…`, 300 bytes: three literals, a reference of the maximum length, and another reference.
    const STREAM: &[u8] = b"\x02abc\xe0\xff\x02\xe0\x18\x02";

    #[test]
    fn a_reference_may_overlap_its_output() {
        assert_eq!(decode(STREAM, 300).unwrap(), b"abc".repeat(100));
        assert_eq!(decode(b"\x00x\x20\x00", 4).unwrap(), b"xxxx");
    }

    #[test]
    fn a_stream_truncated_at_any_length_is_malformed() {
        for len in 0..STREAM.len() {
            assert!(decode(&STREAM[..len], 300).is_err(), "{len}");
        }
    }

    #[test]
    fn a_stream_that_produces_too_much_or_refers_back_too_far_is_malformed() {
        assert_eq!(decode(STREAM, 299).unwrap_err().what, "more than 299 bytes");
        assert_eq!(decode(b"\x00x\x20\x01", 4).unwrap_err().what, "2 bytes back from byte 1");
    }

    proptest! {
        #[test]
        fn literals_are_copied(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let run = |run: &[u8]| [&[u8::try_from(run.len()).unwrap().wrapping_sub(1)][..], run].concat();
            let stream: Vec<u8> = bytes.chunks(32).flat_map(run).collect();
            prop_assert_eq!(decode(&stream, bytes.len()).unwrap(), bytes);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(stream: Vec<u8>, len in 0usize..1000) {
            prop_assert!(decode(&stream, len).is_ok_and(|bytes| bytes.len() == len) || decode(&stream, len).is_err());
        }
    }
}
