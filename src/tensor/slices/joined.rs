//! Slices of strings. In the stored form, all lengths precede all bytes, so the whole tensor must be generated.
//!
//! Its length is known in advance: the sum of the slices' lengths, but with one checksum of lengths instead of one
//! for each slice.

use std::io;
use std::sync::Arc;

use crate::extent::Extent;
use crate::format::string_tensor;
use crate::tensor::checksum::damaged;
use crate::tensor::memory;
use crate::tensor::slices::{Part, Runs};

/// The length of the checksum of lengths in bytes.
const CHECKSUM: u64 = 4;

/// Returns the whole tensor that these parts form.
pub(super) fn extent(parts: &Arc<[Part]>, runs: Vec<Runs>) -> Result<Extent, String> {
    let strings = |part: &Part| part.tensor.len().checked_sub(CHECKSUM);
    let len = parts.iter().try_fold(CHECKSUM, |sum, part| sum.checked_add(strings(part)?));
    let len = len.ok_or("slices of too many bytes, or of too few for their strings")?;
    let (of, parts) = (parts.iter().map(|part| part.tensor.clone()).collect(), parts.clone());
    Ok(memory::extent(len, of, Box::new(move || join(&parts, &runs, len))))
}

fn join(parts: &[Part], runs: &[Runs], len: u64) -> io::Result<Vec<u8>> {
    let mut placed = Vec::new();
    for (part, runs) in parts.iter().zip(runs) {
        let place = |(i, element): (usize, &&[u8])| {
            let i = i as u64;
            (runs.begin(i / runs.len) + i % runs.len, element.to_vec())
        };
        part.tensor.with_elements(|_, elements| placed.extend(elements.iter().enumerate().map(place)))?;
    }
    placed.sort_unstable_by_key(|(at, _)| *at);
    let elements: Vec<_> = placed.into_iter().map(|(_, element)| element).collect();
    match string_tensor::encode(&elements).0 {
        bytes if bytes.len() as u64 == len => Ok(bytes),
        bytes => Err(damaged(format!("{} bytes of strings instead of {len}", bytes.len()))),
    }
}
