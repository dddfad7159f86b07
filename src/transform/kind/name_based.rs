//! The conversion of `--target name`, which removes the graph. A variable gets its full name if no other variable has
//! that name, otherwise its path. A slot is called `X/<slot>`.

use std::collections::{HashMap, HashSet};

use crate::catalog::{Catalog, Origin, Variable};
use crate::graph::NameRole;
use crate::name::Name;

/// Converts an object-based catalog to a name-based one.
pub(crate) fn take_graph(catalog: &mut Catalog) {
    let names = plain_names(catalog);
    for (variable, name) in catalog.variables.iter_mut().zip(names) {
        let old = std::mem::replace(&mut variable.name, name);
        if old != variable.name && variable.origin.is_none() {
            variable.origin = Some(Origin { name: old, rule: "--target name".into(), value: None });
        }
        (variable.key, variable.plain_key, variable.full_name) = (None, None, None);
    }
    catalog.variables.sort_by(|a, b| a.name.cmp(&b.name));
    catalog.objects = None;
    catalog.changed();
}

/// Returns a plain name for each variable. All names differ.
fn plain_names(catalog: &Catalog) -> Vec<Name> {
    let variables = &catalog.variables;
    let mut count = HashMap::new();
    variables.iter().filter_map(full_name).for_each(|name| *count.entry(name).or_insert(0) += 1);
    let alone = |variable| full_name(variable).filter(|name| count[name] == 1);
    let slots = slots_by_graph(catalog);
    let mut taken: HashSet<Name> = HashSet::new();
    let mut names: Vec<Option<Name>> = vec![None; variables.len()];
    let mut claim = |at: usize, names: &mut Vec<Option<Name>>, name: Name| {
        if names[at].is_none() && taken.insert(name.clone()) {
            names[at] = Some(name);
        }
    };
    for (at, variable) in variables.iter().enumerate().filter(|(at, _)| slots[*at].is_none()) {
        alone(variable).into_iter().for_each(|name| claim(at, &mut names, name.clone()));
    }
    for (at, variable) in variables.iter().enumerate().filter(|(at, _)| slots[*at].is_none()) {
        claim(at, &mut names, variable.name.clone());
        claim(at, &mut names, variable.key().clone());
    }
    for (at, variable) in variables.iter().enumerate() {
        if let Some((of, slot)) = &slots[at]
            && let Some(of) = names[*of].clone()
        {
            claim(at, &mut names, [of.as_bytes(), b"/", slot.as_bytes()].concat().into());
        }
        claim(at, &mut names, variable.name.clone());
        claim(at, &mut names, variable.key().clone());
    }
    names
        .into_iter()
        .zip(variables)
        .map(|(name, variable)| name.unwrap_or_else(|| variable.key().clone()))
        .collect()
}

fn full_name(variable: &Variable) -> Option<&Name> {
    variable.full_name.as_ref().filter(|name| !name.as_bytes().is_empty())
}

/// Returns, for each variable that is a slot, the variable that it belongs to and the slot's own name.
fn slots_by_graph(catalog: &Catalog) -> Vec<Option<(usize, String)>> {
    let Some(graph) = catalog.graph() else { return vec![None; catalog.variables.len()] };
    let slots = graph.objects().nodes.iter().flat_map(|node| &node.slots);
    let by_node: HashMap<_, _> = slots.map(|slot| (slot.variable, slot.name.as_str())).collect();
    let keys: Vec<_> = catalog.variables.iter().map(|variable| variable.key().as_bytes()).collect();
    let slot = |name: crate::graph::Known| {
        let NameRole::Slot { of: Some(of) } = name.role else { return None };
        Some((of, (*by_node.get(&name.node?)?).to_owned()))
    };
    graph.roles(&keys).into_iter().map(slot).collect()
}
