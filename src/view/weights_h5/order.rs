//! The order of layers, and of the weights of each, as a Keras 2 model has them. A wrong one would put weights in others'
//! places, so where it is not known that is said.
//!
//! A program's object graph numbers objects as the program made them. Without one, Keras's own names for the weights of one
//! layer tell their order, and nothing that of the layers. A graph made of names is not a program's.

use std::collections::HashSet;

use super::legacy::{Layer, Weight};
use crate::catalog::{Catalog, Variable};
use crate::graph::{Graph, NodeId};

pub(super) struct Order<'a> {
    graph: Option<&'a Graph>,
}

/// Names of weights in the order in which Keras's layers make them.
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

/// Weights that are never trained: a layer made of layers has those of all behind the others.
const NOT_TRAINED: &[&str] = &["moving_mean", "moving_variance", "mean", "variance", "count"];

impl<'a> Order<'a> {
    pub(super) fn of(catalog: &'a Catalog) -> Self {
        let made = catalog.variables.iter().any(|variable| variable.plain_key.is_some());
        Self { graph: catalog.graph().filter(|_| !made) }
    }

    /// Sorts the weights of a layer.
    pub(super) fn sort_weights(&self, weights: &mut [Weight<'_>]) -> Result<(), &'static str> {
        if weights.iter().all(|(_, variable)| self.node(variable).is_some()) {
            weights.sort_by_key(|(_, variable)| (is_not_trained(variable), self.node(variable)));
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

    /// Sorts the layers, each of which has weights; returns whether their order is known.
    pub(super) fn sort_layers(&self, layers: &mut [Layer<'_>]) -> bool {
        let first = |(_, weights): &Layer<'_>| {
            weights.iter().map(|(_, variable)| self.node(variable)).min().flatten()
        };
        layers.sort_by_key(first);
        layers.len() < 2 || layers.iter().all(|layer| first(layer).is_some()) && self.are_alike(layers)
    }

    /// Whether an optimizer lists weights of all layers, or of none: those that it lists were numbered before all others.
    fn are_alike(&self, layers: &[Layer<'_>]) -> bool {
        let listed = self.graph.map(listed).unwrap_or_default();
        let is_listed =
            |(_, variable): &Weight<'_>| self.node(variable).is_some_and(|node| listed.contains(&node));
        let count = layers.iter().filter(|(_, weights)| weights.iter().any(is_listed)).count();
        count == 0 || count == layers.len()
    }

    fn node(&self, variable: &Variable) -> Option<NodeId> {
        self.graph?.owner(variable.key().as_bytes())
    }
}

/// What optimizers have, and what is in their lists.
fn listed(graph: &Graph) -> HashSet<NodeId> {
    let nodes = &graph.objects().nodes;
    let children = |node: NodeId| nodes[node].children.iter().map(|child| child.node);
    let optimizers = (0..nodes.len()).filter(|&node| graph.is_optimizer(node));
    optimizers.flat_map(children).flat_map(|child| children(child).chain([child])).collect()
}

/// A name, split before its last component, which is without the `:0` that TensorFlow puts behind it.
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
