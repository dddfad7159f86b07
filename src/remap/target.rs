//! `--target`: the same values for the other kind of program.
//!
//! `object` gives a name-based catalog a graph, so that `tf.train.Checkpoint` restores it: each name is split at `/`, a node for
//! each component. The plain names stay as second keys, so that TF1's `Saver` reads the same files.
//!
//! * Slots of optimizers that TF2 knows become slot variables of `optimizer`, the name that such an optimizer has in nearly
//!   every program; of several, each is `optimizer_<its name>`. TF2 counts steps in the optimizer: `optimizer/iter` is
//!   `global_step` again.
//! * What no TF2 program asks for by a path stays out of the graph and keeps its name: slots of other optimizers,
//!   averages, TF1's beta powers. So do names that no path can have: an empty component, bytes that are not UTF-8.
//! * `Checkpoint.restore` wants a `save_counter`; a catalog without one gets one, at 0.
//!
//! `name` takes the graph away: a variable is then called by its full name if it is the only one of that name, else by its
//! path. A slot is called `X/<slot>`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::slots::{self, Slot};
use crate::catalog::{Catalog, Objects, Origin, Variable};
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::crc::Masked;
use crate::format::object_graph::{self, NodeId, ObjectGraph};
use crate::format::string_tensor;
use crate::graph::synthesise::{self, Synthesis};
use crate::graph::{Graph, Role};
use crate::name::Name;
use crate::tensor::{Shape, Tensor};

/// The kind of program that is to restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `tf.train.Checkpoint`, Keras.
    Object,
    /// `tf.compat.v1.train.Saver`.
    Name,
}

/// The targets, as they are written.
pub const TARGETS: &[(&str, Target)] = &[("object", Target::Object), ("name", Target::Name)];

/// Makes the catalog what such a program reads. One that is that already stays as it is.
pub fn retarget(catalog: &mut Catalog, target: Target) {
    match target {
        Target::Object if catalog.objects.is_none() => to_object(catalog),
        Target::Name if catalog.objects.is_some() => to_name(catalog),
        _ => {}
    }
}

const COUNTER: &str = "save_counter";
const STEP: &[u8] = b"global_step";
const ITERATIONS: &str = "iter";
const OPTIMIZER: &str = "optimizer";

fn to_object(catalog: &mut Catalog) {
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let mut placing = Placing::new(&names);
    placing.variables();
    placing.slots();
    let Placing { keys, again, mut synthesis, .. } = placing;
    let mut variables = std::mem::take(&mut catalog.variables);
    let mut added = again_as_iterations(&variables, &again, &mut synthesis);
    if !synthesis.reaches(&[COUNTER]) {
        added.push(with_key(counter(), synthesis.variable(&[COUNTER], COUNTER).1));
    }
    for (variable, key) in variables.iter_mut().zip(keys) {
        let Some(key) = key else { continue };
        let plain = variable.name.clone();
        variable.key = Some(key.into_bytes().into());
        (variable.full_name, variable.plain_key) = (Some(plain.clone()), Some(plain));
    }
    variables.extend(added);
    let objects = objects(synthesis.finish());
    name_by_graph(&mut variables, objects.graph.as_deref());
    (catalog.variables, catalog.objects, catalog.index) = (variables, Some(objects), None);
}

/// Variables that stand in a second place, if they can count steps there and the place is free.
fn again_as_iterations(
    variables: &[Variable],
    again: &[(Vec<String>, usize)],
    synthesis: &mut Synthesis,
) -> Vec<Variable> {
    let mut added = vec![];
    for (edges, source) in again {
        let (edges, variable): (Vec<_>, _) =
            (edges.iter().map(String::as_str).collect(), &variables[*source]);
        if is_counter(&variable.tensor) && !synthesis.reaches(&edges) {
            let full_name = edges.join("/");
            let key = synthesis.variable(&edges, &full_name).1;
            let origin = Some(Origin { name: variable.name.clone(), rule: "--target object".into() });
            let full_name = Some(full_name.as_str().into());
            added.push(with_key(Variable { origin, full_name, ..variable.clone() }, key));
        }
    }
    added
}

fn with_key(variable: Variable, key: String) -> Variable {
    Variable { key: Some(key.into_bytes().into()), ..variable }
}

/// Which variables stand where in the graph.
struct Placing<'a> {
    names: &'a [&'a [u8]],
    slots: Vec<Option<Slot>>,
    /// The nodes of the variables that are reached by edges.
    nodes: Vec<Option<NodeId>>,
    /// The keys of all that are in the graph.
    keys: Vec<Option<String>>,
    /// What stands in a second place too: the edges and the variable.
    again: Vec<(Vec<String>, usize)>,
    synthesis: Synthesis,
}

impl<'a> Placing<'a> {
    fn new(names: &'a [&'a [u8]]) -> Self {
        let (slots, count) = (slots::slots(names), names.len());
        let synthesis = Synthesis::default();
        Self { names, slots, nodes: vec![None; count], keys: vec![None; count], again: vec![], synthesis }
    }

    fn variables(&mut self) {
        for (at, name) in self.names.iter().enumerate() {
            if self.slots[at].is_some() || slots::is_optimizer_number(name) {
                continue;
            }
            let Some((name, edges)) = edges(name) else { continue };
            // A name that is spelled like this one's key leaves it no place.
            if !self.has(synthesise::key(&edges).as_bytes()) {
                let (node, key) = self.synthesis.variable(&edges, name);
                (self.nodes[at], self.keys[at]) = (Some(node), Some(key));
            }
        }
    }

    fn slots(&mut self) {
        let found: Vec<_> = (0..self.names.len()).filter_map(|at| Some((at, self.slot(at)?))).collect();
        let kinds: BTreeSet<_> = found.iter().map(|(_, slot)| slot.optimizer).collect();
        let mut nodes = HashMap::new();
        for kind in &kinds {
            let edge = match kinds.len() {
                1 => OPTIMIZER.to_owned(),
                _ => format!("{OPTIMIZER}_{}", kind.to_lowercase()),
            };
            nodes.insert(*kind, (self.synthesis.node(&[&edge]), edge));
        }
        let mut taken = HashSet::new();
        for (at, InTf2 { optimizer, slot, original }) in found {
            if taken.insert((optimizer, slot, original))
                && let Ok(name) = str::from_utf8(self.names[at])
            {
                self.keys[at] = Some(self.synthesis.slot(nodes[optimizer].0, original, slot, name));
            }
        }
        let edges = nodes.into_iter().map(|(kind, (_, edge))| (kind, edge)).collect();
        self.numbers(&edges);
    }

    /// The numbers that optimizers have for themselves, as far as TF2's have them too.
    fn numbers(&mut self, optimizers: &HashMap<&str, String>) {
        for (at, name) in self.names.iter().enumerate() {
            if let Some((optimizer, number)) = slots::keras_number(name)
                && let Some(edge) = optimizers.get(optimizer)
                && let Ok(full_name) = str::from_utf8(name)
                && !self.synthesis.reaches(&[edge, number])
            {
                self.keys[at] = Some(self.synthesis.variable(&[edge, number], full_name).1);
            }
        }
        if let Ok(step) = self.names.binary_search(&STEP) {
            let mut edges: Vec<_> = optimizers.values().cloned().collect();
            edges.sort();
            self.again.extend(edges.into_iter().map(|edge| (vec![edge, ITERATIONS.to_owned()], step)));
        }
    }

    fn slot(&self, at: usize) -> Option<InTf2<'a>> {
        let slot = self.slots[at].as_ref()?;
        let (name, variable) = (self.names[at], self.names[slot.of]);
        let (optimizer, name) = slots::in_tf2(name, variable, |name| self.has(name))?;
        Some(InTf2 { optimizer, slot: name, original: self.nodes[slot.of]? })
    }

    fn has(&self, name: &[u8]) -> bool {
        self.names.binary_search(&name).is_ok()
    }
}

/// A slot as TF2 has it.
struct InTf2<'a> {
    optimizer: &'a str,
    slot: &'a str,
    original: NodeId,
}

fn edges(name: &[u8]) -> Option<(&str, Vec<&str>)> {
    let name = str::from_utf8(name).ok()?;
    Some((name, synthesise::edges(name)?))
}

/// Whether it can count steps as TF2 does.
fn is_counter(tensor: &Tensor) -> bool {
    tensor.dtype == Dtype::Int64 && tensor.shape == Shape::default()
}

/// Nothing was saved by the new program yet.
fn counter() -> Variable {
    let zero = 0i64.to_le_bytes();
    let tensor = Tensor {
        dtype: Dtype::Int64,
        shape: Shape::default(),
        data: vec![Extent::from(zero.to_vec())],
        crc32c: Some(Masked::of(&zero)),
    };
    Variable {
        name: COUNTER.into(),
        key: None,
        plain_key: None,
        full_name: Some(COUNTER.into()),
        tensor: Arc::new(tensor),
        origin: None,
    }
}

/// A graph and the tensor that holds it.
fn objects(objects: ObjectGraph) -> Objects {
    let (bytes, crc32c) = string_tensor::encode(&[object_graph::encode(&objects)]);
    let tensor = Tensor {
        dtype: Dtype::String,
        shape: Shape::default(),
        data: vec![bytes.into()],
        crc32c: Some(crc32c),
    };
    Objects { graph: Some(Arc::new(Graph::new(objects))), tensor: Arc::new(tensor) }
}

/// Calls variables what they are called wherever there is a graph.
fn name_by_graph(variables: &mut [Variable], graph: Option<&Graph>) {
    let keys: Vec<_> = variables.iter().map(|variable| variable.key().as_bytes()).collect();
    let names = graph.map_or_else(Vec::new, |graph| graph.names(&keys));
    for (variable, name) in variables.iter_mut().zip(names) {
        let key = variable.key().clone();
        variable.name = name.visible.into();
        variable.key = Some(key).filter(|key| *key != variable.name);
    }
    variables.sort_by(|a, b| a.name.cmp(&b.name));
}

fn to_name(catalog: &mut Catalog) {
    let names = plain_names(catalog);
    for (variable, name) in catalog.variables.iter_mut().zip(names) {
        let old = std::mem::replace(&mut variable.name, name);
        if old != variable.name && variable.origin.is_none() {
            variable.origin = Some(Origin { name: old, rule: "--target name".into() });
        }
        (variable.key, variable.plain_key, variable.full_name) = (None, None, None);
    }
    catalog.variables.sort_by(|a, b| a.name.cmp(&b.name));
    (catalog.objects, catalog.index) = (None, None);
}

/// A plain name for each variable, all of them different.
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

/// For each variable that is a slot, the variable it is kept for and its own name.
fn slots_by_graph(catalog: &Catalog) -> Vec<Option<(usize, String)>> {
    let Some(graph) = catalog.graph() else { return vec![None; catalog.variables.len()] };
    let slots = graph.objects().nodes.iter().flat_map(|node| &node.slots);
    let by_node: HashMap<_, _> = slots.map(|slot| (slot.variable, slot.name.as_str())).collect();
    let keys: Vec<_> = catalog.variables.iter().map(|variable| variable.key().as_bytes()).collect();
    let slot = |name: crate::graph::Name| {
        let Role::Slot { of: Some(of) } = name.role else { return None };
        Some((of, (*by_node.get(&name.node?)?).to_owned()))
    };
    graph.names(&keys).into_iter().map(slot).collect()
}

#[cfg(test)]
mod tests;
