//! The role of each variable: a weight, a counter, or the state of an optimizer.
//!
//! The state of an optimizer is identified by the weight that it belongs to and by its own name, because its paths only
//! count. Programs write this relation in five ways:
//!
//! ```text
//! TF1                 X/Adam, X/Adam_1                    slot_names.rs
//! TF2, legacy Keras   X/.OPTIMIZER_SLOT/optimizer/m       the object graph
//! Keras 2.11          Adam/m/X                            full name
//! Keras 3             adam/<X joined by _>_momentum       full name
//! Keras 3, HDF5       optimizer/vars/4                    nothing: positions only
//! ```

use std::collections::HashMap;

use crate::catalog::{Catalog, Variable};
use crate::graph::{NameRole, key};
use crate::slot_names;
use crate::slot_names::VariableRole;
use crate::transform::like::number::without_number;

/// The role of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A value that the program trains or computes with.
    Weight,
    /// A number of steps: `save_counter`, `global_step`.
    Counter,
    /// A value that an optimizer keeps.
    State(State),
    /// An attribute of an object that is not a variable: a table, a configuration.
    Other,
}

/// A value that an optimizer keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The class of the optimizer, in lower case and without a number: `adam`. `None` if it is unknown.
    pub(crate) optimizer: Option<String>,
    /// The name of the value: `m`, `velocity`, `learning_rate`, in one spelling for all versions. `None` if it is
    /// unknown.
    pub(crate) name: Option<String>,
    /// The weight that it belongs to, as an index into the variables. `None` if it belongs to none, or is unknown.
    pub(crate) of: Option<usize>,
}

/// Scalar integers with these names are counters.
const COUNTERS: &[&str] =
    &["save_counter", "global_step", "step", "steps", "iter", "iteration", "iterations", "epoch"];
/// The names of an optimizer's own numbers.
const NUMBERS: &[&str] = &[
    "iter",
    "iteration",
    "iterations",
    "learning_rate",
    "current_learning_rate",
    "decay",
    "beta_1",
    "beta_2",
    "beta1_power",
    "beta2_power",
    "momentum",
    "rho",
    "momentum_cache",
];
/// The directories of a Keras 3 or Keras 2 HDF5 file that hold an optimizer's state.
const HDF5_STATE: &[&[u8]] = &[b"optimizer/", b"optimizer_weights/"];

/// One spelling for values that have several names: the optimizer (empty for any), the other name, the one name.
const SPELLINGS: &[(&str, &str, &str)] = &[
    ("rmsprop", "velocity", "rms"),
    ("sgd", "m", "momentum"),
    ("", "momentum", "m"),
    ("", "velocity", "v"),
    ("", "accumulated_grad", "accum_grad"),
    ("", "accumulated_delta_var", "accum_var"),
    ("", "iter", "iteration"),
    ("", "iterations", "iteration"),
    ("", "current_learning_rate", "learning_rate"),
];
/// Optimizers whose `momentum` is not the first moment of Adam.
const WITH_MOMENTUM: &[&str] = &["sgd", "momentum", "rmsprop"];

/// Returns the role of each variable.
pub(crate) fn roles(catalog: &Catalog) -> Vec<Role> {
    match catalog.graph() {
        Some(_) => in_graph(catalog),
        None => by_name(catalog),
    }
}

/// Returns true if it is a scalar integer with a counter's name.
fn is_counter(variable: &Variable) -> bool {
    let name = key::stem(variable.name.as_bytes());
    let leaf = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let is_integer = ["int64", "int32", "uint64", "uint32"].contains(&variable.tensor.dtype.name());
    is_integer && variable.tensor.shape.0.is_empty() && COUNTERS.iter().any(|known| known.as_bytes() == leaf)
}

fn in_graph(catalog: &Catalog) -> Vec<Role> {
    let graph = catalog.graph().expect("the caller has it");
    let keys: Vec<_> = catalog.variables.iter().map(|variable| variable.key().as_bytes()).collect();
    let known = graph.roles(&keys);
    let is_weight = |at: usize| !known[at].optimizer_state && known[at].role == NameRole::Variable;
    let owners = FullNames::new(catalog, is_weight);
    let role = |(at, variable): (usize, &Variable)| match known[at].role {
        NameRole::Slot { of } => Role::State(of_slot(variable, of)),
        _ if known[at].optimizer_state => Role::State(owners.state(variable)),
        NameRole::Other if is_counter(variable) => Role::Counter,
        NameRole::Other => Role::Other,
        NameRole::Variable if is_counter(variable) => Role::Counter,
        NameRole::Variable => Role::Weight,
    };
    catalog.variables.iter().enumerate().map(role).collect()
}

/// Returns the state that a slot of the object graph is: `X/.OPTIMIZER_SLOT/optimizer/m`.
fn of_slot(variable: &Variable, of: Option<usize>) -> State {
    let name = key::stem(variable.name.as_bytes());
    let leaf = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    State { optimizer: None, name: Some(spelled("", &String::from_utf8_lossy(leaf))), of }
}

fn by_name(catalog: &Catalog) -> Vec<Role> {
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let slots = slot_names::slots(&names);
    let exists = |name: &[u8]| names.contains(&name);
    let role = |(at, variable): (usize, &Variable)| match &slots[at] {
        Some(slot) if slot.role == VariableRole::Optimizer => {
            let known = slot_names::in_tf2(names[at], names[slot.of], exists);
            let (optimizer, name) = known.map(|(class, slot)| (class_of(class), slot)).unzip();
            let name = name.map(|name| spelled(optimizer.as_deref().unwrap_or(""), name));
            Role::State(State { optimizer, name, of: Some(slot.of) })
        }
        _ if slot_names::is_optimizer_number(names[at]) => Role::State(number(names[at])),
        _ if HDF5_STATE.iter().any(|start| names[at].starts_with(start)) => Role::State(State::default()),
        _ if is_counter(variable) => Role::Counter,
        _ => Role::Weight,
    };
    catalog.variables.iter().enumerate().map(role).collect()
}

/// Returns the state that an optimizer's own number is: `training/Adam/iter`, `beta1_power`.
fn number(name: &[u8]) -> State {
    let keras = slot_names::keras_number(name);
    let leaf = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let leaf = String::from_utf8_lossy(without_number(leaf)).into_owned();
    State { optimizer: keras.map(|(class, _)| class_of(class)), name: Some(spelled("", &leaf)), of: None }
}

/// The weights by their full names.
struct FullNames {
    plain: HashMap<String, Option<usize>>,
    /// The same with `_` instead of `/`.
    joined: HashMap<String, Option<usize>>,
}

impl FullNames {
    fn new(catalog: &Catalog, is_weight: impl Fn(usize) -> bool) -> Self {
        let (mut plain, mut joined) = (HashMap::new(), HashMap::new());
        for (at, variable) in catalog.variables.iter().enumerate().filter(|(at, _)| is_weight(*at)) {
            let Some(name) = &variable.full_name else { continue };
            let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
            joined.entry(name.replace('/', "_")).and_modify(|one| *one = None).or_insert(Some(at));
            plain.entry(name).and_modify(|one| *one = None).or_insert(Some(at));
        }
        Self { plain, joined }
    }

    /// Returns the state that a variable of an optimizer is, by its full name.
    fn state(&self, variable: &Variable) -> State {
        let name =
            variable.full_name.as_ref().map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
        let Some(name) = name else { return State::default() };
        let Some((class, rest)) = name.split_once('/') else {
            let is_number = NUMBERS.contains(&name.as_str());
            return State { name: is_number.then(|| spelled("", &name)), ..State::default() };
        };
        if let Some(&of) = self.plain.get(rest) {
            // An optimizer of Keras 2.11 that is built outside of its own scope writes `m/X`.
            return State { optimizer: None, name: Some(spelled("", class)), of };
        }
        let class = class_of(class);
        self.keras3(&class, rest).or_else(|| self.keras2(&class, rest)).unwrap_or_else(|| {
            let name = NUMBERS.contains(&rest).then(|| spelled("", rest));
            State { optimizer: Some(class), name, of: None }
        })
    }

    /// Parses `sequential_dense_kernel_momentum`: the longest start that is a weight's full name.
    fn keras3(&self, class: &str, rest: &str) -> Option<State> {
        let ends = rest.rmatch_indices('_').map(|(at, _)| at);
        let (at, of) = ends.filter_map(|at| Some((at, *self.joined.get(&rest[..at])?))).next()?;
        let name = spelled(class, &rest[at + 1..]);
        Some(State { optimizer: Some(class.to_owned()), name: Some(name), of })
    }

    /// Parses `m/dense/kernel`.
    fn keras2(&self, class: &str, rest: &str) -> Option<State> {
        let (slot, of) = rest.split_once('/')?;
        let of = *self.plain.get(of)?;
        Some(State { optimizer: Some(class.to_owned()), name: Some(spelled(class, slot)), of })
    }
}

/// Returns an optimizer's class from the name of an instance: `adam` for `Adam_1`.
fn class_of(name: &str) -> String {
    String::from_utf8_lossy(without_number(name.as_bytes())).to_lowercase()
}

/// Returns the one spelling of a value's name.
fn spelled(class: &str, name: &str) -> String {
    let keeps = name == "momentum" && WITH_MOMENTUM.contains(&class);
    let row = SPELLINGS.iter().find(|(of, other, _)| *other == name && (of.is_empty() || *of == class));
    row.filter(|_| !keeps).map_or(name, |(_, _, one)| one).to_owned()
}

impl Role {
    /// Returns true if it is a weight.
    pub(crate) fn is_weight(&self) -> bool {
        *self == Self::Weight
    }

    /// Returns the state, if it is one.
    pub(crate) fn state(&self) -> Option<&State> {
        match self {
            Self::State(state) => Some(state),
            _ => None,
        }
    }
}

/// Returns the number of weights in a checkpoint.
pub(crate) fn num_weights(catalog: &Catalog) -> usize {
    roles(catalog).iter().filter(|role| role.is_weight()).count()
}
