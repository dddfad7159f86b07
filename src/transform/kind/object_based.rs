//! The conversion of `--target object`, which gives a name-based catalog a graph, so that `tf.train.Checkpoint`
//! restores it. Each name is split at `/`, with a node for each component. The plain names stay as second keys, so
//! TF1's `Saver` reads the same files.
//!
//! * Slots of optimizers that TF2 knows become slot variables of `optimizer`, the usual name of an optimizer in a
//!   program. If there are several, each becomes `optimizer_<its name>`. TF2 counts steps in the optimizer, so
//!   `optimizer/iter` repeats `global_step`.
//! * Variables that no TF2 program looks up by a path stay out of the graph and keep their names: slots of other
//!   optimizers, averages, TF1's beta powers. So do names that are not valid paths: with an empty component, or with
//!   bytes that are not UTF-8.
//! * `Checkpoint.restore` expects a `save_counter`. A catalog without one gets one with the value 0.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::catalog::{Catalog, Objects, Origin, Variable};
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::crc::Masked;
use crate::format::object_graph;
use crate::format::object_graph::{NodeId, ObjectGraph};
use crate::graph::synthesize::Synthesis;
use crate::graph::{Graph, synthesize};
use crate::remap::objects::{graph_tensor, name_by_graph};
use crate::slot_names as slots;
use crate::slot_names::Slot;
use crate::tensor::{Shape, Tensor};

const COUNTER: &str = "save_counter";
const STEP: &[u8] = b"global_step";
const ITERATIONS: &str = "iter";
const OPTIMIZER: &str = "optimizer";

/// Converts a name-based catalog to an object-based one. Returns the number of slots of each optimizer.
pub(crate) fn give_graph(catalog: &mut Catalog) -> BTreeMap<String, usize> {
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let mut placing = Placing::new(&names);
    placing.variables();
    let slots = placing.slots();
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
    (catalog.variables, catalog.objects) = (variables, Some(objects));
    catalog.changed();
    slots
}

/// Copies variables to a second place, if they can count steps and the place is free.
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
            let origin =
                Some(Origin { name: variable.name.clone(), rule: "--target object".into(), value: None });
            let full_name = Some(full_name.as_str().into());
            added.push(with_key(Variable { origin, full_name, ..variable.clone() }, key));
        }
    }
    added
}

fn with_key(variable: Variable, key: String) -> Variable {
    Variable { key: Some(key.into_bytes().into()), ..variable }
}

/// The assignment of variables to places in the graph.
struct Placing<'a> {
    names: &'a [&'a [u8]],
    slots: Vec<Option<Slot>>,
    /// The nodes of the variables that are reached by edges.
    nodes: Vec<Option<NodeId>>,
    /// The keys of all variables that are in the graph.
    keys: Vec<Option<String>>,
    /// Variables with a second place: the edges of that place and the variable.
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
            // A variable whose key another variable already has as its name gets no place.
            if !self.has(synthesize::key(&edges).as_bytes()) {
                let (node, key) = self.synthesis.variable(&edges, name);
                (self.nodes[at], self.keys[at]) = (Some(node), Some(key));
            }
        }
    }

    /// Places the slots. Returns the number of those of each optimizer.
    fn slots(&mut self) -> BTreeMap<String, usize> {
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
        let (mut taken, mut placed) = (HashSet::new(), BTreeMap::new());
        for (at, InTf2 { optimizer, slot, original }) in found {
            if taken.insert((optimizer, slot, original))
                && let Ok(name) = str::from_utf8(self.names[at])
            {
                self.keys[at] = Some(self.synthesis.slot(nodes[optimizer].0, original, slot, name));
                *placed.entry(optimizer.to_owned()).or_default() += 1;
            }
        }
        let edges = nodes.into_iter().map(|(kind, (_, edge))| (kind, edge)).collect();
        self.numbers(&edges);
        placed
    }

    /// Places the optimizers' own numbers that TF2's optimizers have too.
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

/// The TF2 form of a slot.
struct InTf2<'a> {
    optimizer: &'a str,
    slot: &'a str,
    original: NodeId,
}

fn edges(name: &[u8]) -> Option<(&str, Vec<&str>)> {
    let name = str::from_utf8(name).ok()?;
    Some((name, synthesize::edges(name)?))
}

/// Returns true if the tensor can count steps as TF2 does.
fn is_counter(tensor: &Tensor) -> bool {
    tensor.dtype == Dtype::Int64 && tensor.shape == Shape::default()
}

/// Builds a `save_counter` of 0: the new program has not saved anything yet.
fn counter() -> Variable {
    let zero = 0i64.to_le_bytes();
    let tensor = Tensor::new(
        Dtype::Int64,
        Shape::default(),
        vec![Extent::from(zero.to_vec())],
        Some(Masked::of(&zero)),
    );
    Variable {
        name: COUNTER.into(),
        key: None,
        plain_key: None,
        full_name: Some(COUNTER.into()),
        tensor: Arc::new(tensor),
        origin: None,
    }
}

/// Builds the graph and the tensor that holds it.
fn objects(objects: ObjectGraph) -> Objects {
    let bytes = object_graph::encode(&objects);
    graph_tensor::objects(Graph::new(objects), &bytes)
}
