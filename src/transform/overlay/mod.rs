//! Values of other checkpoints laid over a checkpoint's, before any map: all of one (`--overlay`), or a single one (`--take`).
//!
//! ```text
//! base ──► overlays, in order ──► takes, in order ──► the map
//!          of one name the later wins                │
//!          new names are added (new_objects.rs)      └─ names are those that `ls` shows of each
//! ```
//!
//! * An overlay may bring another shape or dtype, as of a head for other classes; that is told. A take may not: it is the same
//!   variable from another time.
//! * Under an object graph a name is a path, and a value that is replaced keeps its place in the base's graph. State of
//!   optimizers stays the base's: there names are often mere numbers, which mean something else in another optimizer. So do
//!   `save_counter` and the configurations of objects.
//! * Nothing is copied: the data files of an overlay follow those of the base.

pub(crate) mod error;
pub(crate) mod new_objects;
pub(crate) mod summary;

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Catalog, Variable, find_variable};
use crate::graph::key;
use crate::source_file::Stamp;
use crate::tensor::Tensor;
pub use crate::transform::overlay::error::{Fault, OverlayError};
pub use crate::transform::overlay::summary::{From, OverlaySummary};
use crate::transform::overlay::summary::{Ledger, Note};

/// Another checkpoint, of which there are values to be had.
pub struct Overlay {
    /// What messages call it.
    pub name: String,
    /// Where it is.
    pub path: Arc<str>,
    /// Its head when it was opened.
    pub stamp: Stamp,
    /// Its variables.
    pub catalog: Catalog,
}

/// One variable of another checkpoint.
pub struct Take {
    /// Its name, the same in both.
    pub name: String,
    /// The other.
    pub from: Arc<Overlay>,
}

/// What is laid over a checkpoint.
#[derive(Default)]
pub struct Overlays {
    /// All that these have; of one name the later wins.
    pub whole: Vec<Arc<Overlay>>,
    /// Then these.
    pub takes: Vec<Take>,
}

/// What the counter of `Checkpoint.save` is called.
const COUNTER: &[u8] = b"save_counter";
/// How Keras 2 keeps what an object was made of.
const CONFIGURATION: &[u8] = b"OBJECT_CONFIG_JSON";

impl Overlays {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.takes.is_empty()
    }

    /// That none of them is the checkpoint with this head itself.
    ///
    /// # Errors
    /// All that are.
    pub(crate) fn refuse_base(&self, head: &Stamp) -> Result<(), OverlayError> {
        let is_base = |overlay: &&Arc<Overlay>| overlay.stamp.same_content(head);
        let whole = self.whole.iter().filter(is_base).map(|overlay| Fault::Itself { flag: overlay.flag() });
        let takes = self.takes.iter().filter(|take| is_base(&&take.from));
        let takes = takes.map(|take| Fault::Itself { flag: take.flag() });
        OverlayError(whole.chain(takes).collect()).none()
    }

    /// Lays them over a catalog; says what came of it.
    ///
    /// # Errors
    /// Everything that does not fit. The catalog is not to be used then.
    pub fn lay(&self, catalog: &mut Catalog) -> Result<OverlaySummary, OverlayError> {
        if self.is_empty() {
            return Ok(OverlaySummary::default());
        }
        let (mut ledger, mut faults) = (Ledger::new(catalog), Vec::new());
        for overlay in &self.whole {
            lay(overlay, catalog, &mut ledger, &mut faults);
        }
        for take in &self.takes {
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
        if !is_alike(have, want) {
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

/// Lays all of one overlay over a catalog, whose variables are in order afterwards.
fn lay(overlay: &Arc<Overlay>, catalog: &mut Catalog, ledger: &mut Ledger, faults: &mut Vec<Fault>) {
    let Sorted { replaced, new, left } = sort(overlay, catalog, faults);
    let flag = overlay.flag();
    ledger.opened(flag.clone(), left);
    let missing = replaced.iter().map(|(variable, _)| *variable).chain(new.iter().copied());
    let missing: Vec<_> = missing.filter(|variable| !variable.tensor.is_there()).collect();
    if !missing.is_empty() {
        let names = missing.iter().map(|variable| variable.name.clone()).collect();
        return faults.push(Fault::NoValues { flag, names });
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

/// What is to be told when one variable replaces another.
fn notes(base: &Variable, other: &Variable) -> impl Iterator<Item = (Note, String)> {
    let (was, is) = (described(&base.tensor), described(&other.tensor));
    let unlike = (was != is).then(|| (Note::Unlike, format!("{}  {is}, was {was}", base.name)));
    let counts = |component: &[u8]| !component.is_empty() && component.iter().all(u8::is_ascii_digit);
    let only_counts = base.name.as_bytes().split(|&byte| byte == b'/').any(counts);
    let names = base.full_name.as_ref().zip(other.full_name.as_ref()).filter(|(was, is)| was != is);
    let counted = names.filter(|_| only_counts);
    let counted = counted.map(|(was, is)| (Note::Counted, format!("{}  {is}, was {was}", base.name)));
    unlike.into_iter().chain(counted)
}

/// The variables of an overlay.
#[derive(Default)]
struct Sorted<'a> {
    /// Those that the base has, with their places in it.
    replaced: Vec<(&'a Variable, usize)>,
    /// Those that it does not have.
    new: Vec<&'a Variable>,
    /// How many stay the base's whatever the overlay has.
    left: usize,
}

fn sort<'a>(overlay: &'a Overlay, catalog: &Catalog, faults: &mut Vec<Fault>) -> Sorted<'a> {
    let base = Base::new(catalog);
    let state = optimizer_state(&overlay.catalog);
    let (mut sorted, mut taken) = (Sorted::default(), HashMap::new());
    for (variable, is_state) in overlay.catalog.variables.iter().zip(state) {
        let at = base.find(variable.name.as_bytes());
        match at {
            _ if is_state => sorted.left += 1,
            Some(_) if stays(variable) => sorted.left += 1,
            None => sorted.new.push(variable),
            Some(at) => match taken.insert(at, &variable.name) {
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

/// Whether it is TensorFlow's own, and about the checkpoint that it is in.
fn stays(variable: &Variable) -> bool {
    let parts = key::split(variable.key().as_bytes());
    parts.is_some_and(|(path, attribute)| path == COUNTER || attribute == CONFIGURATION)
}

/// For each variable of an object-based checkpoint whether an optimizer keeps it for itself.
fn optimizer_state(catalog: &Catalog) -> Vec<bool> {
    let keys: Vec<_> = catalog.variables.iter().map(|variable| variable.key().as_bytes()).collect();
    match catalog.graph() {
        Some(graph) => graph.roles(&keys).into_iter().map(|known| known.optimizer_state).collect(),
        None => vec![false; keys.len()],
    }
}

/// A catalog's variables by name, and by every other path of its graph.
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
