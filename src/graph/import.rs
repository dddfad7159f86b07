//! The import of objects from one graph, the *scion*, into another, the *stock*: objects that only the scion has are
//! added at the path that they have there.
//!
//! ```text
//! stock    root ── model ── dense          ┐                root ── model ── dense
//! scion    root ── model ── adapter ── up  ┘ add(up)  ──►             └───── adapter ── up
//! ```
//!
//! Objects on the path are the stock's where it has them; missing ones are created. Objects of the stock keep their
//! numbers, names and contents. Created objects refer only to created objects, so no path to an object of the stock
//! becomes shorter. Objects that are reachable only through an optimizer are not added: names there are often plain
//! numbers, which mean something else in another optimizer.

use foldhash::{HashMap, HashMapExt};
use smol_str::{SmolStr, format_smolstr};

use crate::format::object_graph::{Attribute, Child, Node, NodeId, ObjectGraph};
use crate::graph::key::{ATTRIBUTES, escape, split};
use crate::graph::walk::MAX_PATH;
use crate::graph::{Graph, ROOT};

/// A merged graph under construction.
pub(crate) struct Import<'g> {
    stock: &'g Graph,
    scion: &'g Graph,
    objects: ObjectGraph,
    /// Edges that were created.
    edges: HashMap<(NodeId, SmolStr), NodeId>,
    /// The scion's node for each node that was added, or that was visited on the path to one.
    comes_from: HashMap<NodeId, NodeId>,
}

/// The reason why an object cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImportError {
    /// The key belongs to no object of the scion.
    #[error("no object of its graph has it")]
    Unknown,
    /// The object is reachable only through an optimizer, or not at all.
    #[error("no path leads to it but through an optimizer")]
    Optimizers,
    /// The path is too long for a key.
    #[error("its path is of over 4096 bytes")]
    TooLong,
    /// Two objects of the scion would become one.
    #[error("another of its objects is there already")]
    Taken,
}

impl<'g> Import<'g> {
    /// Creates an import of objects of `scion` into `stock`. Nothing is added yet.
    pub(crate) fn new(stock: &'g Graph, scion: &'g Graph) -> Self {
        let (edges, comes_from) = (HashMap::new(), HashMap::new());
        Self { stock, scion, objects: stock.objects.clone(), edges, comes_from }
    }

    /// Adds the object that owns this key of the scion's bundle. Returns its key in the merged graph.
    pub(crate) fn add(&mut self, key: &[u8]) -> Result<Vec<u8>, ImportError> {
        let (from, (_, attribute)) = self.scion.owner(key).zip(split(key)).ok_or(ImportError::Unknown)?;
        if from != ROOT && !self.scion.is_outside_optimizers(from) {
            return Err(ImportError::Optimizers);
        }
        let way = self.edges_to(from)?;
        let at = way.iter().try_fold(ROOT, |at, (name, from)| self.child(at, name, *from))?;
        let names: Vec<_> = way.iter().map(|(name, _)| escape(name)).collect();
        let path = names.join("/");
        self.hold(at, from, &path)?;
        Ok([path.as_bytes(), ATTRIBUTES.as_bytes(), attribute].concat())
    }

    /// Returns the merged graph.
    pub(crate) fn finish(mut self) -> ObjectGraph {
        let made: HashMap<NodeId, NodeId> = self.made().map(|at| (self.comes_from[&at], at)).collect();
        for at in self.made() {
            let children = &self.scion.objects.nodes[self.comes_from[&at]].children;
            for child in children {
                let is_free = !self.edges.contains_key(&(at, child.local_name.clone()));
                if let Some(&node) = made.get(&child.node).filter(|_| is_free) {
                    self.objects.nodes[at].children.push(Child { node, ..child.clone() });
                }
            }
        }
        self.mark_values();
        self.objects
    }

    /// Returns the nodes that were created.
    fn made(&self) -> std::ops::Range<NodeId> {
        self.stock.objects.nodes.len()..self.objects.nodes.len()
    }

    /// Returns the best path to a node of the scion: the names on it, and the node that each leads to.
    fn edges_to(&self, node: NodeId) -> Result<Vec<(&'g str, NodeId)>, ImportError> {
        let (mut way, mut at, mut len) = (Vec::new(), node, 0);
        while at != ROOT {
            let (parent, child) = self.scion.home(at).ok_or(ImportError::Optimizers)?;
            let name = self.scion.objects.nodes[parent].children[child].local_name.as_str();
            len += escape(name).len() + 1;
            if len > MAX_PATH {
                return Err(ImportError::TooLong);
            }
            way.push((name, at));
            at = parent;
        }
        way.reverse();
        Ok(way)
    }

    /// Returns the child with that name, and creates it if it is missing.
    fn child(&mut self, parent: NodeId, name: &str, from: NodeId) -> Result<NodeId, ImportError> {
        let own = (parent < self.stock.objects.nodes.len()).then(|| self.stock.child(parent, name)).flatten();
        let there = own.or_else(|| self.edges.get(&(parent, name.into())).copied());
        let node = there.unwrap_or_else(|| self.import_node(parent, name, from));
        match *self.comes_from.entry(node).or_insert(from) == from {
            true => Ok(node),
            false => Err(ImportError::Taken),
        }
    }

    fn import_node(&mut self, parent: NodeId, name: &str, from: NodeId) -> NodeId {
        let source = &self.scion.objects.nodes[from];
        let node = self.objects.nodes.len();
        self.objects.nodes.push(Node {
            registered_saver: source.registered_saver.clone(),
            has_checkpoint_values: Some(true),
            unknown: source.unknown.clone(),
            ..Node::default()
        });
        let local_name = SmolStr::from(name);
        self.edges.insert((parent, local_name.clone()), node);
        self.objects.nodes[parent].children.push(Child { node, local_name, ..Child::default() });
        node
    }

    /// Copies the scion's values to a node. Returns an error if the node has other values of the same name.
    fn hold(&mut self, at: NodeId, from: NodeId, path: &str) -> Result<(), ImportError> {
        let attributes = &mut self.objects.nodes[at].attributes;
        for attribute in &self.scion.objects.nodes[from].attributes {
            let (_, rest) = split(attribute.checkpoint_key.as_bytes()).ok_or(ImportError::Unknown)?;
            let checkpoint_key = format_smolstr!("{path}{ATTRIBUTES}{}", String::from_utf8_lossy(rest));
            match attributes.iter().find(|other| other.name == attribute.name) {
                None => attributes.push(Attribute { checkpoint_key, ..attribute.clone() }),
                Some(other) if other.checkpoint_key == checkpoint_key => {}
                Some(_) => return Err(ImportError::Taken),
            }
        }
        Ok(())
    }

    /// Sets `has_checkpoint_values` on the objects above the added ones that had it set to false.
    fn mark_values(&mut self) {
        let nodes = &mut self.objects.nodes;
        let mut parents: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for (parent, node) in nodes.iter().enumerate() {
            node.children.iter().for_each(|child| parents.entry(child.node).or_default().push(parent));
        }
        let mut open: Vec<_> = self.comes_from.keys().copied().collect();
        while let Some(node) = open.pop() {
            for &parent in parents.get(&node).into_iter().flatten() {
                if nodes[parent].has_checkpoint_values == Some(false) {
                    nodes[parent].has_checkpoint_values = Some(true);
                    open.push(parent);
                }
            }
        }
        for node in self.comes_from.keys() {
            nodes[*node].has_checkpoint_values.iter_mut().for_each(|has| *has = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::synthesize::{Synthesis, edges};

    fn graph(names: &[&str]) -> Graph {
        let mut synthesis = Synthesis::default();
        names.iter().for_each(|name| {
            synthesis.variable(&edges(name).unwrap(), name);
        });
        Graph::new(synthesis.finish())
    }

    fn key(path: &str) -> Vec<u8> {
        format!("{path}/.ATTRIBUTES/VARIABLE_VALUE").into_bytes()
    }

    #[test]
    fn old_and_added_objects_are_found_by_their_paths() {
        let (stock, scion) =
            (graph(&["model/dense/kernel"]), graph(&["model/adapter/up", "model/dense/kernel"]));
        let mut graft = Import::new(&stock, &scion);
        assert_eq!(graft.add(&key("model/adapter/up")), Ok(key("model/adapter/up")));
        let merged = Graph::new(graft.finish());
        assert_eq!(merged.owner(&key("model/adapter/up")), merged.resolve("model/adapter/up"));
        assert!(merged.resolve("model/adapter/up").is_some());
        assert_eq!(merged.resolve("model/dense/kernel"), stock.resolve("model/dense/kernel"));
        assert_eq!(merged.objects().nodes.len(), stock.objects().nodes.len() + 2);
    }

    #[test]
    fn a_key_without_an_object_is_rejected() {
        let stock = graph(&["a"]);
        let mut graft = Import::new(&stock, &stock);
        assert_eq!(graft.add(&key("b")), Err(ImportError::Unknown));
        assert_eq!(graft.add(b"plain"), Err(ImportError::Unknown));
        assert_eq!(&graft.finish(), stock.objects());
    }

    #[test]
    fn two_objects_that_are_one_in_the_stock_are_rejected() {
        let mut objects = graph(&["a/x"]).objects().clone();
        let node = objects.nodes[ROOT].children[0].node;
        objects.nodes[ROOT].children.push(Child { node, local_name: "b".into(), ..Child::default() });
        let (stock, scion) = (Graph::new(objects), graph(&["a/y", "b/y"]));
        let mut graft = Import::new(&stock, &scion);
        assert!(graft.add(&key("a/y")).is_ok());
        assert_eq!(graft.add(&key("b/y")), Err(ImportError::Taken));
    }

    #[test]
    fn objects_above_an_added_object_are_marked_as_having_values() {
        let mut objects = graph(&["model/dense"]).objects().clone();
        objects.nodes.iter_mut().for_each(|node| node.has_checkpoint_values = Some(false));
        let (stock, scion) = (Graph::new(objects), graph(&["model/new"]));
        let mut graft = Import::new(&stock, &scion);
        graft.add(&key("model/new")).unwrap();
        let merged = Graph::new(graft.finish());
        let has = |path| merged.objects().nodes[merged.resolve(path).unwrap()].has_checkpoint_values;
        assert_eq!((has(""), has("model"), has("model/new")), (Some(true), Some(true), Some(true)));
        assert_eq!(has("model/dense"), Some(false));
    }

    proptest! {
        #[test]
        fn stock_paths_stay_and_added_keys_lead_to_their_objects(
            stock in prop::collection::btree_set("[ab]{1,2}(/[ab.]{1,2}){0,2}", 0..8),
            scion in prop::collection::btree_set("[ab]{1,2}(/[ab.]{1,2}){0,2}", 1..8),
        ) {
            let names = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
            let (own, new) = (names(&stock), names(&scion));
            let graph_of = |names: &[String]| graph(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let (stock, scion) = (graph_of(&own), graph_of(&new));
            let mut graft = Import::new(&stock, &scion);
            let keys: Vec<_> = scion.objects().nodes.iter().flat_map(|node| &node.attributes).collect();
            let added: Vec<_> =
                keys.iter().map(|a| (a, graft.add(a.checkpoint_key.as_bytes()).unwrap())).collect();
            let merged = Graph::new(graft.finish());
            for node in 0..stock.objects().nodes.len() {
                prop_assert_eq!(merged.path(node), stock.path(node));
            }
            for (attribute, key) in added {
                prop_assert_eq!(attribute.checkpoint_key.as_bytes(), &key[..]);
                let (path, _) = split(&key).unwrap();
                let node = merged.resolve(str::from_utf8(path).unwrap());
                prop_assert!(node.is_some());
                prop_assert_eq!(merged.owner(&key), node);
            }
        }
    }
}
