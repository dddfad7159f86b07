//! Building an object graph for names that never had one: a tree with one node for each component of a name, as a
//! program builds it whose modules are named like TF1's scopes.
//!
//! The caller decides the position of each variable. This module keeps TensorFlow's rules: the key of a variable is
//! its path plus `/.ATTRIBUTES/VARIABLE_VALUE`; a slot has no edge, its optimizer refers to it, and its key joins the
//! paths of the variable and the optimizer.

use std::collections::HashMap;

use smol_str::SmolStr;

use crate::format::object_graph::{Attribute, Child, Node, NodeId, ObjectGraph, Slot};
use crate::graph::ROOT;
use crate::graph::key::{ATTRIBUTES, OPTIMIZER_SLOT, VARIABLE_VALUE, escape};

/// An object graph under construction.
#[derive(Clone, Debug)]
pub struct Synthesis {
    objects: ObjectGraph,
    /// The escaped path of each node; empty for the root and for slots.
    paths: Vec<String>,
    children: HashMap<(NodeId, SmolStr), NodeId>,
}

impl Default for Synthesis {
    fn default() -> Self {
        let objects = ObjectGraph { nodes: vec![object()], unknown: Vec::new() };
        Self { objects, paths: vec![String::new()], children: HashMap::new() }
    }
}

/// Splits a name into edges. Returns `None` if a component is empty or is one that TensorFlow cannot follow.
pub fn edges(name: &str) -> Option<Vec<&str>> {
    let edges: Vec<_> = name.split('/').collect();
    edges.iter().all(|edge| !edge.is_empty() && !edge.ends_with(".ATTRIBUTES")).then_some(edges)
}

/// Returns the key of the variable at the end of these edges.
pub(crate) fn key(edges: &[&str]) -> String {
    let path: Vec<_> = edges.iter().map(|edge| escape(edge)).collect();
    format!("{}{ATTRIBUTES}{VARIABLE_VALUE}", path.join("/"))
}

impl Synthesis {
    /// Returns the node at the end of these edges, and creates missing nodes.
    pub(crate) fn node(&mut self, edges: &[&str]) -> NodeId {
        edges.iter().fold(ROOT, |node, edge| self.child(node, edge))
    }

    /// Returns true if these edges already lead to a node.
    pub(crate) fn reaches(&self, edges: &[&str]) -> bool {
        let step = |node, edge: &&str| self.children.get(&(node, (*edge).into())).copied();
        edges.iter().try_fold(ROOT, step).is_some()
    }

    /// Adds a variable at the end of these edges. Returns its node and its key.
    pub fn variable(&mut self, edges: &[&str], full_name: &str) -> (NodeId, String) {
        let (node, key) = (self.node(edges), key(edges));
        self.hold(node, full_name, &key);
        (node, key)
    }

    /// Adds the slot that an optimizer keeps for a variable. Returns its key.
    pub(crate) fn slot(
        &mut self,
        optimizer: NodeId,
        original: NodeId,
        name: &str,
        full_name: &str,
    ) -> String {
        let (variable, optimizer_path) = (&self.paths[original], &self.paths[optimizer]);
        let key = format!(
            "{variable}{OPTIMIZER_SLOT}{optimizer_path}/{}{ATTRIBUTES}{VARIABLE_VALUE}",
            escape(name)
        );
        let node = self.add(String::new());
        self.hold(node, full_name, &key);
        self.objects.nodes[optimizer].slots.push(Slot {
            original,
            name: name.into(),
            variable: node,
            ..Slot::default()
        });
        key
    }

    /// Returns the finished graph.
    pub fn finish(self) -> ObjectGraph {
        self.objects
    }

    fn child(&mut self, parent: NodeId, edge: &str) -> NodeId {
        if let Some(&node) = self.children.get(&(parent, edge.into())) {
            return node;
        }
        let slash = if parent == ROOT { "" } else { "/" };
        let node = self.add(format!("{}{slash}{}", self.paths[parent], escape(edge)));
        self.objects.nodes[parent].children.push(Child { node, local_name: edge.into(), ..Child::default() });
        self.children.insert((parent, edge.into()), node);
        node
    }

    fn add(&mut self, path: String) -> NodeId {
        self.objects.nodes.push(object());
        self.paths.push(path);
        self.paths.len() - 1
    }

    fn hold(&mut self, node: NodeId, full_name: &str, key: &str) {
        self.objects.nodes[node].attributes.push(Attribute {
            name: VARIABLE_VALUE.into(),
            full_name: full_name.into(),
            checkpoint_key: key.into(),
            ..Attribute::default()
        });
    }
}

/// Creates a node. Every node has values below it, since nodes are created only for variables and optimizers.
fn object() -> Node {
    Node { has_checkpoint_values: Some(true), ..Node::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::format::object_graph;
    use crate::graph::Graph;
    use crate::graph::names::NameRole;

    #[test]
    fn a_variable_is_found_by_its_name_and_a_slot_by_its_variable() {
        let mut synthesis = Synthesis::default();
        let (kernel, key) = synthesis.variable(&["dense", "a.b"], "dense/a.b");
        let optimizer = synthesis.node(&["optimizer"]);
        let slot = synthesis.slot(optimizer, kernel, "m", "dense/a.b/Adam");
        let graph = Graph::new(synthesis.finish());
        assert_eq!(key, "dense/a..b/.ATTRIBUTES/VARIABLE_VALUE");
        assert_eq!(slot, "dense/a..b/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE");
        let names = graph.names(&[key.as_bytes(), slot.as_bytes()]);
        assert_eq!(names[0].visible, b"dense/a..b");
        assert_eq!(names[1].visible, b"dense/a..b/.OPTIMIZER_SLOT/optimizer/m");
        assert_eq!(names[1].role, NameRole::Slot { of: Some(0) });
        assert_eq!(graph.resolve("dense/a..b"), Some(kernel));
    }

    #[test]
    fn a_name_with_an_invalid_component_has_no_edges() {
        assert_eq!(edges("a/../b"), Some(vec!["a", "..", "b"]));
        for name in ["", "a//b", "/a", "a/", "a/.ATTRIBUTES/b", "x.ATTRIBUTES"] {
            assert_eq!(edges(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_name_leads_to_its_key_and_the_graph_reads_back(
            names in prop::collection::btree_set("[ab.]{1,2}(/[ab._]{1,2}){0,3}", 1..20),
        ) {
            let names: BTreeSet<_> = names.iter().filter(|name| edges(name).is_some()).collect();
            let mut synthesis = Synthesis::default();
            let keys: Vec<_> =
                names.iter().map(|name| synthesis.variable(&edges(name).unwrap(), name)).collect();
            let objects = synthesis.finish();
            prop_assert_eq!(&object_graph::decode(&object_graph::encode(&objects)).unwrap(), &objects);
            let graph = Graph::new(objects);
            for (node, key) in &keys {
                let path = graph.path(*node).unwrap();
                prop_assert_eq!(&format!("{path}/.ATTRIBUTES/VARIABLE_VALUE"), key);
                prop_assert_eq!(graph.owner(key.as_bytes()), Some(*node));
            }
            let distinct: BTreeSet<_> = keys.iter().map(|(_, key)| key).collect();
            prop_assert_eq!(distinct.len(), names.len());
        }
    }
}
