//! The slices of an index, whose rows come before the rows of all names, and the variables that are assembled from
//! them.
//!
//! A variable lists its slices, and each slice has a row of its own. TensorFlow does not check this: a slice that is
//! not listed keeps TensorFlow from listing any variable, and a slice that is listed twice aborts its process.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::dtype::Dtype;
use crate::format::bundle::{Entry, Slice};
use crate::tensor::slices::{Part, text};
use crate::tensor::{Damage, Shape, Tensor};

/// The slices that were read and that no variable has claimed yet, by the variable's name.
#[derive(Default)]
pub(super) struct Partitions(BTreeMap<Vec<u8>, HashMap<Slice, Tensor>>);

impl Partitions {
    /// Adds a slice.
    pub(super) fn add(&mut self, name: Vec<u8>, slice: Slice, tensor: Tensor) {
        self.0.entry(name).or_default().insert(slice, tensor);
    }

    /// Returns the variable whose entry lists slices.
    ///
    /// # Errors
    /// The reason why it is damaged, with the slices that are.
    pub(super) fn claim(&mut self, name: &[u8], entry: &Entry) -> Result<Tensor, Damage> {
        let parts = self.parts(name, entry).map_err(|what| Damage::described(&what, None))?;
        refuse_damaged(&parts)?;
        let shape = Shape(entry.shape.as_slice().into());
        let tensor = Dtype::of_stored(entry.dtype).and_then(|dtype| Tensor::sliced(dtype, shape, parts));
        tensor.map_err(|what| Damage::described(&what, None))
    }

    /// Returns the slices that an entry lists.
    fn parts(&mut self, name: &[u8], entry: &Entry) -> Result<Vec<Part>, String> {
        let mut slices = self.0.remove(name).unwrap_or_default();
        let once: HashSet<_> = entry.slices.iter().collect();
        if once.len() < entry.slices.len() {
            return Err(format!("lists {} slices, some twice: {}", entry.slices.len(), twice(&entry.slices)));
        }
        let claim = |slice: &Slice| {
            let missing = || format!("lists slice {}, which has no row", text(slice));
            let tensor = slices.remove(slice).ok_or_else(missing)?;
            Ok(Part { slice: slice.clone(), tensor: tensor.into() })
        };
        let parts = entry.slices.iter().map(claim).collect::<Result<Vec<_>, String>>()?;
        match slices.keys().min() {
            Some(slice) => Err(unlisted(slice)),
            None => Ok(parts),
        }
    }

    /// Returns the faults of the slices that no variable claimed, by the variable's name.
    pub(super) fn unclaimed(self) -> impl Iterator<Item = (Vec<u8>, String)> {
        self.0.into_iter().filter_map(|(name, slices)| Some((name, unlisted(slices.keys().min()?))))
    }
}

/// Returns the damage of the slices as that of the variable.
fn refuse_damaged(parts: &[Part]) -> Result<(), Damage> {
    let mut damaged = parts.iter().filter_map(|part| Some((&part.slice, part.tensor.damage()?)));
    let Some((slice, damage)) = damaged.next() else { return Ok(()) };
    let more = match damaged.count() {
        0 => String::new(),
        1 => "; and 1 more slice".into(),
        more => format!("; and {more} more slices"),
    };
    let what = format!("slice {}: {}{more}", text(slice), damage.what);
    Err(Damage::described(&what, damage.range.clone()))
}

fn unlisted(slice: &Slice) -> String {
    format!("slice {} has a row and is not in the list of slices", text(slice))
}

fn twice(slices: &[Slice]) -> String {
    let mut seen = HashSet::new();
    let twice = slices.iter().filter(|slice| !seen.insert(*slice));
    twice.take(3).map(text).collect::<Vec<_>>().join(" ")
}
