//! How a slice lies in the whole: runs of equal length, in the order in which the slice has them.

use crate::tensor::Shape;
use crate::tensor::slices::SlicePlace;

/// The runs of a slice, in bytes or whatever unit they were made with.
#[derive(Hash)]
pub(super) struct Runs {
    /// Length of each.
    pub(super) len: u64,
    /// How many there are; none in a slice without elements.
    pub(super) count: u64,
    /// Where the first begins in the whole.
    pub(super) first: u64,
    /// Of each dimension outside a run, innermost first: how many indices the slice has, and how far apart they are.
    outer: Vec<(u64, u64)>,
}

impl Runs {
    /// The runs of the slice at `place` of a tensor whose elements have `width` units. The whole's size does not overflow.
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

    /// Where a run begins in the whole. Later runs begin later.
    pub(super) fn begin(&self, mut run: u64) -> u64 {
        let mut at = self.first;
        for (indices, stride) in &self.outer {
            at += run % indices * stride;
            run /= indices;
        }
        at
    }

    /// The first run that ends behind `at` of the whole.
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
