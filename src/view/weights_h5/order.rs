//! The order of layers, and of the weights of each layer, in a Keras 2 model. With a wrong order, weights would be
//! loaded into the wrong variables. Therefore an unknown order is reported.
//!
//! The order comes from the program's object graph. Lists number their members (`layer_with_weights-2/cell/kernel`,
//! `_operations/2/_kernel`). Objects at the same distance from the root are numbered in the order in which the
//! program created them. Names are those in the source, because a map may rename variables in any order. Without a
//! graph, Keras's own weight names determine the order in a layer, and nothing determines the order of the layers. A
//! graph that was synthesized from names is ignored, because it does not come from a program.

use std::collections::{HashMap, HashSet};

use crate::catalog::{Catalog, Variable};
use crate::format::object_graph::NodeId;
use crate::graph::Graph;

/// A variable of a layer, with its position in the catalog.
pub(super) type Weight<'a> = (usize, &'a Variable);
/// A layer: its name, and its weights.
pub(super) type Layer<'a> = (&'a str, Vec<Weight<'a>>);

pub(super) struct Order<'a> {
    graph: Option<&'a Graph>,
}

/// The names of weights, in the order in which Keras's layers create them.
const WEIGHTS: &[&str] = &[
    "depthwise_kernel",
    "pointwise_kernel",
    "kernel",
    "recurrent_kernel",
    "gamma",
    "beta",
    "bias",
    "moving_mean",
    "moving_variance",
];

/// The weights that are never trained. A layer that consists of layers has those of all its layers after the other
/// weights.
const NOT_TRAINED: &[&str] = &["moving_mean", "moving_variance"];

impl<'a> Order<'a> {
    pub(super) fn of(catalog: &'a Catalog) -> Self {
        let made = catalog.variables.iter().any(|variable| variable.plain_key.is_some());
        Self { graph: catalog.graph().filter(|_| !made) }
    }

    /// Sorts the weights of a layer. Returns an error if their order is unknown.
    pub(super) fn sort_weights(&self, weights: &mut [Weight<'_>]) -> Result<(), &'static str> {
        let places: Option<Vec<_>> = weights.iter().map(|(_, variable)| self.place(variable)).collect();
        if places.is_some_and(|places| are_comparable(&places)) {
            weights.sort_by_cached_key(|(_, variable)| (is_not_trained(variable), self.place(variable)));
            return Ok(());
        }
        let parents: HashSet<_> = weights.iter().map(|(_, variable)| path(variable).0).collect();
        let ranks: HashSet<_> = weights.iter().map(|(_, variable)| rank(variable)).collect();
        let are_known = parents.len() == 1 && ranks.len() == weights.len() && !ranks.contains(&None);
        if weights.len() > 1 && !are_known {
            return Err("the order of its layer's weights is not known");
        }
        weights.sort_by_key(|(_, variable)| rank(variable));
        Ok(())
    }

    /// Sorts the layers, each of which has weights. Returns true if their order is known.
    pub(super) fn sort_layers(&self, layers: &mut [Layer<'_>]) -> bool {
        let weights = layers.iter().flat_map(|(_, weights)| weights);
        let places: Option<Vec<_>> = weights.map(|(_, variable)| self.place(variable)).collect();
        layers.sort_by_cached_key(|layer| self.first(layer));
        layers.len() < 2 || places.is_some_and(|places| are_comparable(&places)) && self.are_alike(layers)
    }

    /// Returns the first position of a layer's weights.
    fn first(&self, (_, weights): &Layer<'_>) -> Option<GraphPosition> {
        weights.iter().map(|(_, variable)| self.place(variable)).min().flatten()
    }

    /// Returns true if the indices in lists distinguish all layers, or if the optimizers list weights of all layers
    /// or of none. Objects that an optimizer lists are numbered before all others.
    fn are_alike(&self, layers: &[Layer<'_>]) -> bool {
        let firsts: HashSet<_> =
            layers.iter().filter_map(|layer| self.first(layer)).map(|place| place.indices).collect();
        let listed = self.graph.map(listed).unwrap_or_default();
        let is_listed =
            |(_, variable): &Weight<'_>| self.node(variable).is_some_and(|node| listed.contains(&node));
        let count = layers.iter().filter(|(_, weights)| weights.iter().any(is_listed)).count();
        firsts.len() == layers.len() || count == 0 || count == layers.len()
    }

    fn place(&self, variable: &Variable) -> Option<GraphPosition> {
        let node = self.node(variable)?;
        let name = variable.origin.as_ref().map_or(&variable.name, |origin| &origin.name);
        let (mut indices, mut lists, mut list) = (vec![], vec![], vec![]);
        let components = str::from_utf8(name.as_bytes()).ok()?.split('/');
        for component in components.clone() {
            list.push(index(component).map_or(component, |(list, _)| list).to_owned());
            if let Some((_, index)) = index(component) {
                indices.push(index);
                lists.append(&mut list);
            }
        }
        Some(GraphPosition { indices, node, lists, depth: components.count() })
    }

    fn node(&self, variable: &Variable) -> Option<NodeId> {
        self.graph?.owner(variable.key().as_bytes())
    }
}

/// The position of a variable in the source's graph.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct GraphPosition {
    /// The indices in the lists on the variable's path.
    indices: Vec<u64>,
    node: NodeId,
    /// The path up to the last of these lists, without the indices.
    lists: Vec<String>,
    depth: usize,
}

/// Returns true if all variables are in the same lists or in nested ones, and variables with the same indices in
/// these lists are at the same distance from the root.
fn are_comparable(places: &[GraphPosition]) -> bool {
    let longest = places.iter().map(|place| &place.lists).max_by_key(|lists| lists.len());
    let mut depths = HashMap::new();
    places.iter().all(|place| {
        let depth = *depths.entry(&place.indices).or_insert(place.depth);
        depth == place.depth && longest.is_some_and(|longest| longest.starts_with(&place.lists))
    })
}

/// Returns the list that a path component belongs to, and the component's index in it.
fn index(component: &str) -> Option<(&str, u64)> {
    let lists = ["layer_with_weights-", "layer-", ""].into_iter();
    lists.filter_map(|list| Some((list, component.strip_prefix(list)?.parse().ok()?))).next()
}

/// Returns the children of optimizers and the children of these, such as the members of an optimizer's lists.
fn listed(graph: &Graph) -> HashSet<NodeId> {
    let nodes = &graph.objects().nodes;
    let children = |node: NodeId| nodes[node].children.iter().map(|child| child.node);
    let optimizers = (0..nodes.len()).filter(|&node| graph.is_optimizer(node));
    optimizers.flat_map(children).flat_map(|child| children(child).chain([child])).collect()
}

/// Splits a name before its last component. Removes the `:0` that TensorFlow appends to a name.
fn path(variable: &Variable) -> (&[u8], &[u8]) {
    let name = variable.name.as_bytes();
    let name = name.strip_suffix(b":0").unwrap_or(name);
    let slash = name.iter().rposition(|&byte| byte == b'/');
    slash.map_or((&[], name), |slash| (&name[..slash], &name[slash + 1..]))
}

fn rank(variable: &Variable) -> Option<usize> {
    WEIGHTS.iter().position(|weight| weight.as_bytes() == path(variable).1)
}

fn is_not_trained(variable: &Variable) -> bool {
    NOT_TRAINED.iter().any(|weight| weight.as_bytes() == path(variable).1)
}
