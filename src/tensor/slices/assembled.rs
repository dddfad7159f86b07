//! Slices that are not contiguous in the whole tensor. A block of the whole requires one read of each slice, because
//! the bytes that it needs are contiguous in the slice.

use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::cache::{Cache, Decode, Identity};
use crate::extent::Extent;
use crate::tensor::slices::{Part, Runs};

/// Returns the whole tensor that these parts form.
pub(super) fn extent(parts: &Arc<[Part]>, runs: Vec<Runs>) -> Extent {
    let len = parts.iter().map(|part| part.tensor.len()).sum();
    Extent::Decoded { data: Arc::new(Assembled { parts: parts.clone(), runs }), len }
}

struct Assembled {
    parts: Arc<[Part]>,
    /// The runs of each part, in bytes.
    runs: Vec<Runs>,
}

impl Decode for Assembled {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "slices" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut out = vec![0; len];
        for (part, runs) in self.parts.iter().zip(&self.runs) {
            runs.fill(part, at, &mut out)?;
        }
        Ok(out)
    }

    fn verify(&self) -> io::Result<()> {
        self.parts.iter().try_for_each(|part| part.tensor.file().verify())
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        ("slices", &self.runs).hash(&mut to);
        self.parts.iter().try_for_each(|part| part.tensor.file().fingerprint(to))
    }

    fn alignment(&self) -> u64 {
        1
    }
}

impl Runs {
    /// Copies the bytes of the part into `out`, which is the whole tensor from offset `at` on.
    fn fill(&self, part: &Part, at: u64, out: &mut [u8]) -> io::Result<()> {
        let end = at + out.len() as u64;
        let (mut run, from, to) = (self.behind(at), self.within(at), self.within(end));
        if from == to {
            return Ok(());
        }
        let mut bytes = vec![0; (to - from) as usize];
        let read = part.tensor.file().read_at(&Cache::new(0), &mut bytes, from)?;
        if read != bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let Range { start, end } = self.clipped(run, at..end);
            let (now, later) = rest.split_at((end - start) as usize);
            out[(start - at) as usize..(end - at) as usize].copy_from_slice(now);
            (rest, run) = (later, run + 1);
        }
        Ok(())
    }

    /// Returns the number of bytes of the part before offset `at` of the whole tensor.
    fn within(&self, at: u64) -> u64 {
        let run = self.behind(at);
        let begun = if run < self.count { at.saturating_sub(self.begin(run)) } else { 0 };
        run * self.len + begun
    }

    /// Returns the range of a run in the whole tensor, clipped to `range`.
    fn clipped(&self, run: u64, range: Range<u64>) -> Range<u64> {
        let begin = self.begin(run);
        begin.max(range.start)..(begin + self.len).min(range.end)
    }
}
