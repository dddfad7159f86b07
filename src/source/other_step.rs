//! The search for another step of the same directory that has sound values of damaged variables.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::{Catalog, Variable, keys};
use crate::directory::Directory;
use crate::graph;
use crate::source::resolve::{Candidates, Located};
use crate::source::{checkpoint_list, open_located};

/// The maximum number of checkpoints that are opened.
const OPENED: usize = 8;

/// Returns the prefix of another checkpoint of the directory in which all these variables are sound: the newest of the
/// older steps, else a newer one.
pub(crate) fn other_step(
    directory: &Arc<Directory>,
    stem: &OsStr,
    (base, variables): (&Catalog, &[Variable]),
) -> Option<PathBuf> {
    let mut others = Candidates::of_directory(directory).ok()?.located;
    let is_newer = |other: &Located| checkpoint_list::by_number(&other.prefix.stem, stem).is_gt();
    others.retain(|other| other.prefix.stem != stem);
    others.sort_by_key(is_newer);
    let has_all = |other: &&Located| {
        open_located(other)
            .is_ok_and(|other| variables.iter().all(|wanted| has(&other.catalog, base, wanted)))
    };
    others.iter().take(OPENED).find(has_all).map(|other| other.prefix.path())
}

/// Returns true if a catalog has a sound variable of the same name, dtype and shape, or an object graph for `base`.
fn has(catalog: &Catalog, base: &Catalog, wanted: &Variable) -> bool {
    if wanted.name.as_bytes() == graph::KEY.as_bytes() {
        return catalog.graph().is_some_and(|graph| keys::is_graph_of(graph, base));
    }
    let Some(found) = catalog.variable(wanted.name_before().as_bytes()) else { return false };
    let is_known = wanted.tensor.damage().is_none_or(|damage| damage.is_described);
    let is_alike = (found.tensor.dtype, &found.tensor.shape) == (wanted.tensor.dtype, &wanted.tensor.shape);
    !found.tensor.is_lost() && (is_alike || !is_known)
}
