//! The index from a key of the bundle to the node that owns its value.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::format::object_graph::{NodeId, ObjectGraph};
use crate::graph::{Graph, key};

/// The position of an attribute: the node, and the index among its attributes.
type ValueIndex = (NodeId, usize);

/// The attributes by the paths of their keys. The paths are not copied. If two nodes share a
/// path, which no writer produces, the first node wins.
#[derive(Clone, Debug)]
pub(crate) struct KeyIndex {
    places: HashTable<ValueIndex>,
    hasher: RandomState,
}

impl KeyIndex {
    fn new(objects: &ObjectGraph) -> Self {
        let (count, hasher) =
            (objects.nodes.iter().map(|node| node.attributes.len()).sum(), RandomState::default());
        let mut places = HashTable::with_capacity(count);
        for (id, node) in objects.nodes.iter().enumerate() {
            for place in (0..node.attributes.len()).map(|at| (id, at)) {
                let Some(wanted) = path(objects, place) else { continue };
                let is_same = |other: &ValueIndex| path(objects, *other) == Some(wanted);
                let hash = |place: &ValueIndex| hasher.hash_one(path(objects, *place).unwrap_or_default());
                places.entry(hasher.hash_one(wanted), is_same, hash).or_insert(place);
            }
        }
        Self { places, hasher }
    }
}

impl Graph {
    /// Returns the node that a key of the bundle belongs to. The keys of tables and iterators begin with their node's
    /// path and differ only in the attribute.
    pub(crate) fn owner(&self, key: &[u8]) -> Option<NodeId> {
        self.owner_at(key::split(key)?.0)
    }

    /// Returns the node whose keys begin with a path.
    pub(crate) fn owner_at(&self, wanted: &[u8]) -> Option<NodeId> {
        let KeyIndex { places, hasher } = self.key_index.get_or_init(|| KeyIndex::new(&self.objects));
        let is_it = |place: &ValueIndex| path(&self.objects, *place) == Some(wanted);
        places.find(hasher.hash_one(wanted), is_it).map(|(node, _)| *node)
    }
}

fn path(objects: &ObjectGraph, (node, at): ValueIndex) -> Option<&[u8]> {
    key::split(objects.nodes[node].attributes[at].checkpoint_key.as_bytes()).map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::object_graph::tests::fixture;

    #[test]
    fn every_attribute_of_a_real_graph_leads_back_to_its_node() {
        for name in ["containers", "keras2_weights", "keras3_compiled", "modules", "root_variable"] {
            let graph = Graph::decode(&fixture(name)).unwrap();
            for (id, node) in graph.objects().nodes.iter().enumerate() {
                for attribute in &node.attributes {
                    assert_eq!(graph.owner(attribute.checkpoint_key.as_bytes()), Some(id), "{name}");
                }
            }
            assert_eq!(graph.owner(b"no/such/.ATTRIBUTES/VARIABLE_VALUE"), None);
            assert_eq!(graph.owner(b"plain"), None);
        }
    }

    #[test]
    fn a_tables_keys_belong_to_the_table() {
        let graph = Graph::decode(&fixture("containers")).unwrap();
        let tables = graph.objects().nodes.iter().enumerate().filter_map(|(id, node)| {
            let key = &node.attributes.first()?.checkpoint_key;
            Some((id, key.strip_suffix("table")?.to_owned()))
        });
        let tables: Vec<_> = tables.collect();
        assert!(!tables.is_empty());
        for (id, stem) in tables {
            assert_eq!(graph.owner(format!("{stem}table-keys").as_bytes()), Some(id));
        }
    }
}
