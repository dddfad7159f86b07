//! The variables of a side, as a catalog lists them.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Variable};
use crate::dtype::Dtype;
use crate::name::Name;
use crate::slot_names::{Slot, slots};
use crate::tensor::Shape;
use crate::transform::like::role::{Role, roles};

/// A variable of one of the two sides.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The name, as `ls` shows it and as a map's pattern matches it.
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Shape,
    /// The name in the program that saved it, if it is recorded beside the name.
    pub(crate) full_name: Option<String>,
    /// What it is if it is no weight. Only state of the same kind pairs.
    pub(crate) state: Option<State>,
}

/// The state of an optimizer, an average, or a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// The class of the optimizer and the name of the value, as far as they are known: `adam m`, `counter global_step`.
    pub(crate) kind: String,
    /// The weight that it belongs to.
    pub(crate) of: Option<String>,
}

/// Returns the variables of a catalog. Those whose names are not UTF-8 are left out, because no map can name them.
pub(crate) fn items(catalog: &Catalog) -> Vec<Item> {
    both_names(catalog).into_iter().map(|(item, _)| item).collect()
}

/// Returns the same variables under the names that they had before any map.
pub(crate) fn originals(catalog: &Catalog) -> Vec<Item> {
    both_names(catalog).into_iter().map(|(item, name)| Item { name, ..item }).collect()
}

/// Returns each variable, and its name before any map.
fn both_names(catalog: &Catalog) -> Vec<(Item, String)> {
    let text = |name: &Name| str::from_utf8(name.as_bytes()).ok().map(str::to_owned);
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let slots = slot_forms(&names);
    let item = |((variable, role), slot): ((&Variable, Role), Option<String>)| {
        let (dtype, shape) = (variable.tensor.dtype, variable.tensor.shape.clone());
        let full_name = variable.full_name.as_ref().and_then(text);
        let state = state(variable, role, slot, &names);
        let item = Item { name: text(&variable.name)?, dtype, shape, full_name, state };
        Some((item, text(variable.name_before())?))
    };
    catalog.variables.iter().zip(roles(catalog)).zip(slots).filter_map(item).collect()
}

/// Returns the state that a variable is. `None` for a weight.
fn state(variable: &Variable, role: Role, slot: Option<String>, names: &[&[u8]]) -> Option<State> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let leaf = || text(variable.name.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default());
    match role {
        Role::State(state) => {
            let known = [state.optimizer, state.name].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let kind = if known.is_empty() { slot.unwrap_or_default() } else { known };
            Some(State { kind, of: state.of.map(|at| text(names[at])) })
        }
        Role::Counter | Role::Other => Some(State { kind: format!("counter {}", leaf()), of: None }),
        Role::Weight => slot.map(|kind| State { kind, of: None }),
    }
}

/// Returns the text around the variable's name, for each slot of an optimizer and each average. A slot whose variable is
/// missing has the form of others.
fn slot_forms(names: &[&[u8]]) -> Vec<Option<String>> {
    let slots = slots(names);
    let around = |(name, slot): (&&[u8], &Option<Slot>)| {
        let (start, end) = slot.as_ref()?.around(name);
        Some((start.to_vec(), end.to_vec()))
    };
    let forms: BTreeSet<_> = names.iter().zip(&slots).filter_map(around).collect();
    let form = |name: &&[u8]| {
        let mut like = forms.iter().filter(|(start, end)| name.starts_with(start) && name.ends_with(end));
        like.next()
            .map(|(start, end)| String::from_utf8_lossy(&[start.as_slice(), end].concat()).into_owned())
    };
    names.iter().map(form).collect()
}
