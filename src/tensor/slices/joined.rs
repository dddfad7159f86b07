//! Slices of strings: their lengths stand before all of their bytes, so that the whole is made anew, in memory.
//!
//! Its length is known before: the slices' own, less the checksum of lengths that each has and the whole has once.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Part, Runs};
use crate::cache::{Cache, Decode, Identity};
use crate::extent::Extent;
use crate::format::string_tensor;
use crate::tensor::Tensor;

/// The whole that these parts make.
pub(super) fn extent(parts: &Arc<[Part]>, runs: Vec<Runs>) -> Result<Extent, String> {
    let bytes =
        |part: &Part| part.tensor.len().checked_sub(CHECKSUM).ok_or("a slice too short for its strings");
    let len = parts.iter().map(bytes).try_fold(CHECKSUM, |sum, len| Ok::<_, &str>(sum.saturating_add(len?)));
    let joined = Joined { parts: parts.clone(), runs, len: len?, bytes: Mutex::default() };
    Ok(Extent::Decoded { len: joined.len, data: Arc::new(joined) })
}

/// Bytes of the checksum of lengths.
const CHECKSUM: u64 = 4;

struct Joined {
    parts: Arc<[Part]>,
    /// Those of each part, in elements.
    runs: Vec<Runs>,
    len: u64,
    /// The whole, once it was read.
    bytes: Mutex<Option<Vec<u8>>>,
}

impl Joined {
    fn join(&self) -> io::Result<Vec<u8>> {
        let stored = self.parts.iter().map(|part| stored(&part.tensor)).collect::<io::Result<Vec<_>>>()?;
        let mut placed = Vec::new();
        for ((part, runs), bytes) in self.parts.iter().zip(&self.runs).zip(&stored) {
            let elements = elements(&part.tensor, bytes)?;
            let place = |(i, element)| (runs.begin(i as u64 / runs.len) + i as u64 % runs.len, element);
            placed.extend(elements.into_iter().enumerate().map(place));
        }
        placed.sort_unstable_by_key(|(at, _)| *at);
        let elements: Vec<_> = placed.into_iter().map(|(_, element)| element).collect();
        match string_tensor::encode(&elements).0 {
            bytes if bytes.len() as u64 == self.len => Ok(bytes),
            bytes => Err(damaged(format!("{} bytes of strings where {} should be", bytes.len(), self.len))),
        }
    }
}

/// All bytes of a slice, none of which is claimed to be there before its data file is.
fn stored(tensor: &Tensor) -> io::Result<Vec<u8>> {
    if !tensor.is_there() {
        return Err(io::Error::from_raw_os_error(libc::EIO));
    }
    let mut bytes = vec![0; tensor.len() as usize];
    tensor.file().read_at(&Cache::new(0), &mut bytes, 0)?;
    Ok(bytes)
}

fn elements<'a>(tensor: &Tensor, bytes: &'a [u8]) -> io::Result<Vec<&'a [u8]>> {
    let elements = string_tensor::decode(bytes, tensor.shape.num_elements().unwrap_or(0)).map_err(damaged)?;
    match tensor.crc32c {
        Some(recorded) if recorded != string_tensor::checksum(&elements) => {
            Err(damaged("a slice of strings is not what its checksum was made of"))
        }
        _ => Ok(elements),
    }
}

fn damaged(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

impl Decode for Joined {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "slices" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.is_none() {
            *bytes = Some(self.join()?);
        }
        let piece = bytes.as_deref().unwrap_or_default().get(at as usize..).and_then(|rest| rest.get(..len));
        Ok(piece.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }

    fn verify(&self) -> io::Result<()> {
        self.parts.iter().try_for_each(|part| part.tensor.file().verify())
    }
}
