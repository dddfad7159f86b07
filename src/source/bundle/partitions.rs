//! The slices of an index, whose rows come before the rows of all names, and the variables that are assembled from
//! them.
//!
//! A variable lists its slices, and each slice has a row of its own. TensorFlow does not check this: a slice that is
//! not listed keeps TensorFlow from listing any variable, and a slice that is listed twice aborts its process.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::dtype::Dtype;
use crate::format::bundle::{Entry, Slice};
use crate::tensor::slices::{Part, text};
use crate::tensor::{Shape, Tensor};

/// The slices that were read and that no variable has claimed yet, by the variable's name. A slice is `None` if it
/// has a fault that was already reported.
#[derive(Default)]
pub(super) struct Partitions(BTreeMap<Vec<u8>, HashMap<Slice, Option<Tensor>>>);

impl Partitions {
    /// Adds a slice.
    pub(super) fn add(&mut self, name: Vec<u8>, slice: Slice, tensor: Option<Tensor>) {
        self.0.entry(name).or_default().insert(slice, tensor);
    }

    /// Returns the variable whose entry lists slices. Returns `None` if one of the slices has a fault of its own.
    pub(super) fn claim(&mut self, name: &[u8], entry: &Entry) -> Result<Option<Tensor>, String> {
        let mut slices = self.0.remove(name).unwrap_or_default();
        let once: HashSet<_> = entry.slices.iter().collect();
        if once.len() < entry.slices.len() {
            return Err(format!("lists {} slices, some twice: {}", entry.slices.len(), twice(&entry.slices)));
        }
        let claimed: Vec<_> = entry.slices.iter().map(|slice| (slice, slices.remove(slice))).collect();
        if let Some((slice, _)) = claimed.iter().find(|(_, tensor)| tensor.is_none()) {
            return Err(format!("lists slice {}, which has no row", text(slice)));
        }
        if let Some(slice) = slices.keys().min() {
            return Err(unlisted(slice));
        }
        let part = |(slice, tensor): (&Slice, Option<Option<Tensor>>)| {
            Some(Part { slice: slice.clone(), tensor: tensor??.into() })
        };
        let Some(parts) = claimed.into_iter().map(part).collect::<Option<Vec<_>>>() else { return Ok(None) };
        let dtype = Dtype::of_stored(entry.dtype)?;
        Tensor::sliced(dtype, Shape(entry.shape.as_slice().into()), parts).map(Some)
    }

    /// Returns the faults of the slices that no variable claimed, by the variable's name.
    pub(super) fn unclaimed(self) -> impl Iterator<Item = (Vec<u8>, String)> {
        self.0.into_iter().filter_map(|(name, slices)| Some((name, unlisted(slices.keys().min()?))))
    }
}

fn unlisted(slice: &Slice) -> String {
    format!("slice {} has a row and is not in the list of slices", text(slice))
}

fn twice(slices: &[Slice]) -> String {
    let mut seen = HashSet::new();
    let twice = slices.iter().filter(|slice| !seen.insert(*slice));
    twice.take(3).map(text).collect::<Vec<_>>().join(" ")
}
