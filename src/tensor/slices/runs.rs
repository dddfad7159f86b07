//! The location of a slice in the whole tensor: runs of equal length, in the order in which the slice contains them.

use crate::tensor::Shape;
use crate::tensor::slices::SlicePlace;

/// The runs of a slice, in bytes or in the unit that they were created with.
#[derive(Hash)]
pub(super) struct Runs {
    /// The length of each run.
    pub(super) len: u64,
    /// The number of runs; 0 in a slice without elements.
    pub(super) count: u64,
    /// The start of the first run in the whole tensor.
    pub(super) first: u64,
    /// The number of indices in the slice and their stride, for each dimension outside a run, innermost first.
    outer: Vec<(u64, u64)>,
}

impl Runs {
    /// Returns the runs of the slice at `place` of a tensor whose elements have `width` units. The size of the whole
    /// tensor must not overflow.
    pub(super) fn new(place: &SlicePlace, shape: &Shape, width: u64) -> Self {
        let mut runs = Self { len: width, count: 1, first: 0, outer: Vec::new() };
        if place.iter().any(|range| range.is_empty()) {
            return Self { count: 0, ..runs };
        }
        let (mut stride, mut open) = (width, true);
        for (range, &dim) in place.iter().zip(&shape.0).rev() {
            let indices = range.end - range.start;
            match open {
                true => runs.len *= indices,
                false => runs.outer.push((indices, stride)),
            }
            runs.first += range.start * stride;
            open &= indices == dim;
            stride *= dim;
        }
        runs.count = runs.outer.iter().map(|(indices, _)| indices).product();
        runs
    }

    /// Returns the start of a run in the whole tensor. The starts increase with the run's number.
    pub(super) fn begin(&self, mut run: u64) -> u64 {
        let mut at = self.first;
        for (indices, stride) in &self.outer {
            at += run % indices * stride;
            run /= indices;
        }
        at
    }

    /// Returns the first run that ends after offset `at` of the whole tensor.
    pub(super) fn behind(&self, at: u64) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.begin(middle) + self.len <= at {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }
}
