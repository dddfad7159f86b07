//! From a key of the bundle to the node whose value it is.

use crate::format::object_graph::{NodeId, ObjectGraph};

use super::{Graph, key};

/// A node's attribute: the node, and which of its attributes.
type Place = (NodeId, usize);

/// The attributes, sorted by the paths of their keys; of two with one path, which no writer makes, the first node's.
#[derive(Clone, Debug)]
pub(super) struct Owners(Vec<Place>);

impl Owners {
    fn new(objects: &ObjectGraph) -> Self {
        let attributes = |(id, node): (NodeId, &super::object_graph::Node)| {
            (0..node.attributes.len()).map(move |at| (id, at))
        };
        let mut places: Vec<Place> = objects.nodes.iter().enumerate().flat_map(attributes).collect();
        places.retain(|&place| path(objects, place).is_some());
        places.sort_by_key(|&place| path(objects, place));
        places.dedup_by(|b, a| path(objects, *a) == path(objects, *b));
        Self(places)
    }
}

impl Graph {
    /// The node that a key of the bundle belongs to. Tables and iterators have keys that begin with their node's and
    /// differ in the attribute.
    pub fn owner(&self, key: &[u8]) -> Option<NodeId> {
        let (wanted, _) = key::split(key)?;
        let Owners(places) = self.owners.get_or_init(|| Owners::new(&self.objects));
        let at = places.binary_search_by(|&place| path(&self.objects, place).cmp(&Some(wanted))).ok()?;
        Some(places[at].0)
    }
}

fn path(objects: &ObjectGraph, (node, at): Place) -> Option<&[u8]> {
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
