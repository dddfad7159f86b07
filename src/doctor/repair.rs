//! What repairs a checkpoint that is not whole: the values of another step, or leaving out what is lost. Each command is
//! tried in memory before it is printed.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::{Catalog, Variable, keys};
use crate::checksums::{Verdict, audit};
use crate::doctor::finding::Mend;
use crate::doctor::line::{mount, restore};
use crate::map::Map;
use crate::source::{Candidates, Checkpoint, Located};
use crate::transform::Transform;
use crate::transform::damage::take;
use crate::transform::overlay::{Overlay, Overlays, Take};
use crate::{graph, source};

/// The maximum number of other steps that are opened.
const OPENED: usize = 8;
/// The maximum number of variables that are taken one by one.
const TAKEN: usize = 20;

/// Returns the lines that give back what is lost of a checkpoint. `data` says that the values of the other step are
/// compared with their checksums.
pub(super) fn mends(located: &Located, checkpoint: &Checkpoint, lost: &[Variable], data: bool) -> Vec<Mend> {
    let prefix = checkpoint.prefix.path();
    let mut others = others(located);
    let is_all = lost.len() >= checkpoint.catalog.variables.len();
    others.retain(|other| !is_all && has_all(other, &checkpoint.catalog, lost, data));
    let takes = others
        .into_iter()
        .find_map(|other| taken(checkpoint, lost, &other.prefix.path(), other.catalog, &other.stamp));
    let salvage = || {
        let mut catalog = checkpoint.catalog.clone();
        Transform::from(Map::salvage()).apply(&mut catalog).is_ok().then(|| "--salvage".to_owned())
    };
    let flags = takes.into_iter().chain(if data { None } else { salvage() });
    flags.map(|flags| mount(&prefix, &flags)).chain(other_step(located)).collect()
}

/// Returns the call that restores another step, the newest one that is whole.
pub(super) fn other_step(located: &Located) -> Option<Mend> {
    let is_whole =
        |other: &Checkpoint| other.catalog.lost().next().is_none() && other.catalog.damaged_graph().is_none();
    let other = others(located).into_iter().find(is_whole)?;
    Some(Mend::Python(restore(&other.catalog, &other.prefix.path())))
}

/// Opens other checkpoints of the directory that have values: the older steps first, the newest of them first.
fn others(located: &Located) -> Vec<Checkpoint> {
    let Ok(candidates) = Candidates::of_directory(&located.directory) else { return Vec::new() };
    let mut others = candidates.located;
    let stem = &located.prefix.stem;
    others.retain(|other| other.prefix.stem != *stem);
    others.sort_by_key(|other| source::by_number(&other.prefix.stem, stem).is_gt());
    others.iter().take(OPENED).filter_map(|other| source::open_located(other).ok()).collect()
}

/// Returns true if another step has sound values of the variables.
fn has_all(other: &Checkpoint, base: &Catalog, lost: &[Variable], data: bool) -> bool {
    let found = |wanted: &Variable| match wanted.name.as_bytes() == graph::KEY.as_bytes() {
        true => other.catalog.graph().is_some_and(|graph| keys::is_graph_of(graph, base)),
        false => other.catalog.variable(wanted.name.as_bytes()).is_some_and(|found| !found.tensor.is_lost()),
    };
    let intact = || {
        let tensors: Vec<_> =
            lost.iter().filter_map(|wanted| other.catalog.variable(wanted.name.as_bytes())).collect();
        let tensors: Vec<_> = tensors.into_iter().map(|variable| variable.tensor.clone()).collect();
        audit(&tensors, &|_| {}).iter().all(|verdict| !matches!(verdict, Verdict::Damaged(_)))
    };
    lost.iter().all(found) && (!data || intact())
}

/// Returns the flags that take the variables from another step, if they can be taken.
fn taken(
    checkpoint: &Checkpoint,
    lost: &[Variable],
    from: &Path,
    catalog: Catalog,
    stamp: &crate::source_file::Stamp,
) -> Option<String> {
    let names = lost.iter().map(|variable| str::from_utf8(variable.name.as_bytes()).ok().map(str::to_owned));
    let names = names.collect::<Option<Vec<_>>>().filter(|names| (1..=TAKEN).contains(&names.len()))?;
    let path = from.to_str()?;
    let overlay = Arc::new(Overlay { name: path.into(), path: path.into(), stamp: *stamp, catalog });
    let take_of = |name: &String| Take { name: name.clone(), from: overlay.clone() };
    let overlays = Overlays { whole: Vec::new(), takes: names.iter().map(take_of).collect() };
    let mut catalog = checkpoint.catalog.clone();
    let applied = Transform { overlays, ..Transform::default() }.apply_to(&checkpoint.stamp, &mut catalog);
    let flags = || names.iter().map(|name| take(name, path)).collect::<Vec<_>>().join(" ");
    (applied.is_ok() && catalog.is_complete()).then(flags)
}
