//! Slices side by side: a piece of the whole takes one read of each slice, since what it needs of one is together there.

use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::cache::{Cache, Decode, Identity};
use crate::extent::Extent;
use crate::tensor::slices::{Part, Runs};

/// The whole that these parts make.
pub(super) fn extent(parts: &Arc<[Part]>, runs: Vec<Runs>) -> Extent {
    let len = parts.iter().map(|part| part.tensor.len()).sum();
    Extent::Decoded { data: Arc::new(Assembled { parts: parts.clone(), runs }), len }
}

struct Assembled {
    parts: Arc<[Part]>,
    /// Those of each part, in bytes.
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
    /// Copies what the part has of `out`, which is the whole from `at` on.
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

    /// How much of the part stands before `at` of the whole.
    fn within(&self, at: u64) -> u64 {
        let run = self.behind(at);
        let begun = if run < self.count { at.saturating_sub(self.begin(run)) } else { 0 };
        run * self.len + begun
    }

    /// Where a run stands in the whole, as far as that is in `range`.
    fn clipped(&self, run: u64, range: Range<u64>) -> Range<u64> {
        let begin = self.begin(run);
        begin.max(range.start)..(begin + self.len).min(range.end)
    }
}
