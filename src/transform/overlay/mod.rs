//! Values of other checkpoints laid over a base checkpoint, before the map: all values of one (`--overlay`), or a
//! single variable (`--take`).
//!
//! ```text
//! base ──► overlays, in order ──► takes, in order ──► the map
//!          for one name, the last wins               │
//!          new names are added (new_objects.rs)      └─ names are those that `ls` shows of each
//! ```
//!
//! * An overlay may have another shape or dtype, such as a head with other classes; that is reported. A take may not:
//!   it must be the same variable at another time.
//! * With an object graph, a name is a path, and a replaced value keeps its place in the base's graph. Optimizer
//!   state stays the base's: names there are often plain numbers, which mean something else in another optimizer.
//!   `save_counter` and the configurations of objects stay too.
//! * Names that only count are evidence only if both checkpoints count alike (counting.rs). Otherwise `--match` decides.
//! * Nothing is copied: the data files of an overlay follow those of the base.

mod counting;
pub(crate) mod error;
pub(crate) mod new_objects;
pub(crate) mod summary;

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Catalog, Variable, find_variable, keys};
use crate::graph;
use crate::graph::key;
use crate::source_file::Stamp;
use crate::tensor::Tensor;
use crate::transform::Matching;
pub use crate::transform::overlay::error::{Fault, OverlayError};
pub use crate::transform::overlay::summary::{From, OverlaySummary};
use crate::transform::overlay::summary::{Ledger, Note};

/// Another checkpoint, whose values overlay the base.
pub struct Overlay {
    /// The name in messages.
    pub name: String,
    /// The path.
    pub path: Arc<str>,
    /// The fingerprint of its head, the file that lists the checkpoint's contents, at the time of opening.
    pub stamp: Stamp,
    /// Its variables.
    pub catalog: Catalog,
}

/// One variable from another checkpoint.
#[derive(Clone)]
pub struct Take {
    /// The name, the same in both checkpoints.
    pub name: String,
    /// The other checkpoint.
    pub from: Arc<Overlay>,
}

/// The overlays of a base checkpoint.
#[derive(Clone, Default)]
pub struct Overlays {
    /// Checkpoints whose variables all overlay the base. If two have one name, the later wins.
    pub whole: Vec<Arc<Overlay>>,
    /// Single variables, applied after `whole`.
    pub takes: Vec<Take>,
}

/// The name of the counter of `Checkpoint.save`.
const COUNTER: &[u8] = b"save_counter";
/// The attribute in which Keras 2 stores an object's configuration.
const CONFIGURATION: &[u8] = b"OBJECT_CONFIG_JSON";

impl Overlays {
    /// Returns true if there are no overlays.
    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.takes.is_empty()
    }

    /// Checks that no overlay is the base checkpoint itself, whose head is given.
    ///
    /// # Errors
    /// Every overlay that is the base.
    pub(crate) fn refuse_base(&self, head: &Stamp) -> Result<(), OverlayError> {
        let is_base = |overlay: &&Arc<Overlay>| overlay.stamp.same_content(head);
        let whole = self.whole.iter().filter(is_base).map(|overlay| Fault::Itself { flag: overlay.flag() });
        let takes = self.takes.iter().filter(|take| is_base(&&take.from));
        let takes = takes.map(|take| Fault::Itself { flag: take.flag() });
        OverlayError(whole.chain(takes).collect()).none()
    }

    /// Lays the overlays over a catalog. Returns a summary.
    ///
    /// # Errors
    /// Every mismatch. After an error, the catalog must not be used.
    pub fn lay(&self, catalog: &mut Catalog) -> Result<OverlaySummary, OverlayError> {
        self.lay_by(None, catalog)
    }

    /// Like [`Self::lay`], with the evidence that decides where names only count.
    pub(crate) fn lay_by(
        &self,
        matching: Option<Matching>,
        catalog: &mut Catalog,
    ) -> Result<OverlaySummary, OverlayError> {
        if self.is_empty() {
            return Ok(OverlaySummary::default());
        }
        let (mut ledger, mut faults) = (Ledger::new(catalog), Vec::new());
        // A lost object graph is needed before anything is found by its name.
        let (graphs, takes): (Vec<_>, Vec<_>) =
            self.takes.iter().partition(|take| take.name == graph::KEY && catalog.damaged_graph().is_some());
        graphs.iter().for_each(|take| faults.extend(take.lay_graph(catalog, &mut ledger).err()));
        for overlay in &self.whole {
            lay(overlay, matching, catalog, &mut ledger, &mut faults);
        }
        for take in takes {
            if let Err(fault) = take.lay(catalog, &mut ledger) {
                faults.push(fault);
            }
        }
        OverlayError(faults).none()?;
        catalog.changed();
        Ok(ledger.close(catalog))
    }
}

impl Overlay {
    fn flag(&self) -> String {
        format!("--overlay {}", self.name)
    }
}

impl Take {
    fn flag(&self) -> String {
        format!("--take {}={}", self.name, self.from.name)
    }

    /// Replaces a lost object graph, if that of the other checkpoint has the same keys.
    fn lay_graph(&self, catalog: &mut Catalog, ledger: &mut Ledger) -> Result<(), Fault> {
        let flag = self.flag();
        let objects = self.from.catalog.objects.clone();
        let Some((objects, graph)) = objects.and_then(|objects| Some((objects.clone(), objects.graph?)))
        else {
            return Err(Fault::OtherGraph { flag, what: "there is no object graph there" });
        };
        if !keys::is_graph_of(&graph, catalog) {
            return Err(Fault::OtherGraph { flag, what: "the object graph there has other keys" });
        }
        let variables = std::mem::take(&mut catalog.variables).into_iter();
        let tensors = variables.map(|variable| (variable.key().clone(), variable.tensor)).collect();
        catalog.variables = keys::object_based(Some(&graph), tensors);
        catalog.variables.sort_by(|a, b| a.name.cmp(&b.name));
        catalog.objects = Some(objects);
        ledger.added(graph::KEY.into(), format!("--take …={}", self.from.name), &self.from);
        Ok(())
    }

    fn lay(&self, catalog: &mut Catalog, ledger: &mut Ledger) -> Result<(), Fault> {
        let flag = self.flag();
        let unnamed = |place: &str| {
            let (flag, place) = (flag.clone(), place.to_owned());
            move |unnamed| Fault::Unnamed { flag, place, unnamed }
        };
        let (base, other) =
            (find_variable(catalog, &self.name), find_variable(&self.from.catalog, &self.name));
        let (base, other) = match (base, other) {
            (Ok(base), Ok(other)) => (base, other),
            (Err(base), Err(_)) => return Err(unnamed("either checkpoint")(base)),
            (Err(base), _) => return Err(unnamed("the checkpoint itself")(base)),
            (_, Err(other)) => return Err(unnamed(&self.from.name)(other)),
        };
        let (have, want) = (&other.tensor, &base.tensor);
        if let Some(damage) = have.damage() {
            return Err(Fault::Damaged { flag, names: vec![(other.name.clone(), damage.what.to_string())] });
        }
        if want.damage().is_none_or(|damage| damage.is_described) && !is_alike(have, want) {
            return Err(Fault::Unlike { flag, found: described(have), wanted: described(want) });
        }
        if !have.is_there() {
            return Err(Fault::NoValues { flag, names: vec![other.name.clone()] });
        }
        let (name, tensor) = (base.name.clone(), have.clone());
        if let Ok(at) = catalog.variables.binary_search_by(|variable| variable.name.cmp(&name)) {
            catalog.variables[at].tensor = tensor;
        }
        ledger.replaced(name, format!("--take …={}", self.from.name), &self.from);
        Ok(())
    }
}

/// Lays all variables of one overlay over a catalog. Afterwards the catalog's variables are sorted.
fn lay(
    overlay: &Arc<Overlay>,
    matching: Option<Matching>,
    catalog: &mut Catalog,
    ledger: &mut Ledger,
    faults: &mut Vec<Fault>,
) {
    let Sorted { replaced, by_full_name, new, left } = sort(overlay, matching, catalog, faults);
    if matching != Some(Matching::Position) {
        faults.extend(counting::refuse(overlay, catalog, &replaced));
    }
    let replaced: Vec<_> = replaced.into_iter().chain(by_full_name).collect();
    let flag = overlay.flag();
    ledger.opened(flag.clone(), left);
    let missing = replaced.iter().map(|(variable, _)| *variable).chain(new.iter().copied());
    let missing: Vec<_> = missing.filter(|variable| !variable.tensor.is_there()).collect();
    if !missing.is_empty() {
        let names = missing.iter().map(|variable| variable.name.clone()).collect();
        return faults.push(Fault::NoValues { flag, names });
    }
    let used = replaced.iter().map(|(variable, _)| *variable).chain(new.iter().copied());
    let damaged = used.filter_map(|variable| Some((&variable.name, variable.tensor.damage()?)));
    let names: Vec<_> = damaged.map(|(name, damage)| (name.clone(), damage.what.to_string())).collect();
    if !names.is_empty() {
        return faults.push(Fault::Damaged { flag, names });
    }
    for (variable, at) in replaced {
        let base = &mut catalog.variables[at];
        notes(base, variable).for_each(|(note, what)| ledger.note(&flag, note, what));
        base.tensor = variable.tensor.clone();
        ledger.replaced(base.name.clone(), flag.clone(), overlay);
    }
    match new_objects::add(catalog, overlay, &new) {
        Ok(names) => names.into_iter().for_each(|name| ledger.added(name, flag.clone(), overlay)),
        Err(what) => faults.push(what),
    }
    catalog.shards.extend(overlay.catalog.shards.iter().cloned());
}

/// Returns the notes for the user about the replacement of one variable by another.
fn notes(base: &Variable, other: &Variable) -> impl Iterator<Item = (Note, String)> {
    let (was, is) = (described(&base.tensor), described(&other.tensor));
    let mismatch = (was != is).then(|| (Note::Different, format!("{}  {is}, was {was}", base.name)));
    let names = base.full_name.as_ref().zip(other.full_name.as_ref());
    let counted = names.filter(|_| counting::counts(&base.name) && counting::disagree(base, other));
    let counted = counted.map(|(was, is)| (Note::Counted, format!("{}  {is}, was {was}", base.name)));
    mismatch.into_iter().chain(counted)
}

/// The variables of an overlay, sorted by their use.
#[derive(Default)]
struct Sorted<'a> {
    /// Variables that the base has too, each with its index in the base.
    replaced: Vec<(&'a Variable, usize)>,
    /// The same, for variables that were found by their full names.
    by_full_name: Vec<(&'a Variable, usize)>,
    /// Variables that the base does not have.
    new: Vec<&'a Variable>,
    /// The number of variables that are not taken because they always stay the base's.
    left: usize,
}

fn sort<'a>(
    overlay: &'a Overlay,
    matching: Option<Matching>,
    catalog: &Catalog,
    faults: &mut Vec<Fault>,
) -> Sorted<'a> {
    let base = Base::new(catalog);
    let full_names = (matching == Some(Matching::Name))
        .then(|| (counting::by_full_name(catalog), counting::by_full_name(&overlay.catalog)));
    let by_full_name = |variable: &Variable| {
        let ((here, there), name) = (full_names.as_ref()?, variable.full_name.as_ref()?);
        (*there.get(name)?).and(*here.get(name)?)
    };
    let state = optimizer_state(&overlay.catalog);
    let (mut sorted, mut taken) = (Sorted::default(), HashMap::new());
    for (variable, is_state) in overlay.catalog.variables.iter().zip(state) {
        let named = by_full_name(variable);
        let at = named.or_else(|| base.find(variable.name.as_bytes()));
        match at {
            _ if is_state => sorted.left += 1,
            Some(_) if stays(variable) => sorted.left += 1,
            None => sorted.new.push(variable),
            Some(at) => match taken.insert(at, &variable.name) {
                None if named.is_some() => sorted.by_full_name.push((variable, at)),
                None => sorted.replaced.push((variable, at)),
                Some(first) => faults.push(Fault::Twice {
                    flag: overlay.flag(),
                    name: catalog.variables[at].name.clone(),
                    both: [first.clone(), variable.name.clone()],
                }),
            },
        }
    }
    sorted
}

/// Returns true if it is the save counter or a configuration of an object, which describe the checkpoint that they
/// are in.
fn stays(variable: &Variable) -> bool {
    let parts = key::split(variable.key().as_bytes());
    parts.is_some_and(|(path, attribute)| path == COUNTER || attribute == CONFIGURATION)
}

/// Returns, for each variable of an object-based checkpoint, true if it is an optimizer's own state.
fn optimizer_state(catalog: &Catalog) -> Vec<bool> {
    let keys: Vec<_> = catalog.variables.iter().map(|variable| variable.key().as_bytes()).collect();
    match catalog.graph() {
        Some(graph) => graph.roles(&keys).into_iter().map(|known| known.optimizer_state).collect(),
        None => vec![false; keys.len()],
    }
}

/// A catalog's variables by name and by every other path of its graph.
struct Base<'a> {
    catalog: &'a Catalog,
    names: HashMap<&'a [u8], usize>,
    nodes: HashMap<(usize, &'a [u8]), usize>,
}

impl<'a> Base<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        let (mut names, mut nodes) = (HashMap::new(), HashMap::new());
        for (at, variable) in catalog.variables.iter().enumerate() {
            names.insert(variable.name.as_bytes(), at);
            let parts = catalog.graph().and_then(|graph| {
                let key = variable.key().as_bytes();
                Some((graph.owner(key)?, key::split(key)?.1))
            });
            nodes.extend(parts.map(|parts| (parts, at)));
        }
        Self { catalog, names, nodes }
    }

    fn find(&self, name: &[u8]) -> Option<usize> {
        let by_path = || {
            let (path, attribute) = key::split(name).unwrap_or((name, key::VARIABLE_VALUE.as_bytes()));
            let node = self.catalog.graph()?.resolve(str::from_utf8(path).ok()?)?;
            self.nodes.get(&(node, attribute)).copied()
        };
        self.names.get(name).copied().or_else(by_path)
    }
}

fn is_alike(a: &Tensor, b: &Tensor) -> bool {
    (a.dtype, &a.shape) == (b.dtype, &b.shape)
}

fn described(tensor: &Tensor) -> String {
    format!("{} {}", tensor.dtype, tensor.shape)
}
