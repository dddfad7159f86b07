//! The offsets of blocks in a run of varints, found by one pass over the run.

use crate::format::{Malformed, Result};

/// The offsets of every `step`-th element, collected while a run is read in chunks.
#[derive(Debug)]
pub struct VarintIndex {
    step: u64,
    starts: Vec<u64>,
    at: u64,
    elements: u64,
    /// The number of elements before the next offset is recorded.
    left: u64,
    is_within: bool,
}

impl VarintIndex {
    /// Starts an index of every `step`-th element of a run that begins at offset `at`.
    pub fn every(step: u64, at: u64) -> Self {
        Self { step, starts: vec![at], at, elements: 0, left: step, is_within: false }
    }

    /// Processes the next bytes of the run.
    pub fn pass(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            self.at = self.at.saturating_add(1);
            self.is_within = byte >= 0x80;
            if !self.is_within {
                self.end_element();
            }
        }
    }

    #[inline]
    fn end_element(&mut self) {
        self.elements = self.elements.saturating_add(1);
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.left = self.step;
            self.starts.push(self.at);
        }
    }

    /// Returns the offsets, followed by the end of the run. Returns an error if the run does not have exactly
    /// `elements` elements.
    pub fn finish(mut self, elements: u64) -> Result<Vec<u64>> {
        let fault = |what: String| Err(Malformed { what: what.into(), at: self.at });
        match self.is_within {
            true => return fault("truncated varint".into()),
            false if self.elements != elements => {
                return fault(format!("{} values, but the shape has {elements}", self.elements));
            }
            false => {}
        }
        if self.starts.last() != Some(&self.at) {
            self.starts.push(self.at);
        }
        Ok(self.starts)
    }
}
