//! The `object_graph.json` file: the object graph of an object-based checkpoint, one object per line.
//!
//! ```text
//! {"nodes": [
//!   {"id", "path", "children": {name: id}, "attributes": [{"name", "full_name", "checkpoint_key"}],
//!    "slots": [{"original": id, "name", "variable": id}], "registered_saver": {"name", "object_name"},
//!    "has_checkpoint_values": bool}
//! ]}
//! ```
//!
//! `path` is the shortest path from the root, escaped as in the keys, or null if the root does not reach the object.
//! The saver and the flag are absent if the graph has none. Fields that ckptfs does not know are kept in the graph,
//! but not shown.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::catalog::Catalog;
use crate::extent::VirtualFile;
use crate::format::object_graph::{Attribute, Child, Node, RegisteredSaver, Slot};
use crate::graph::Graph;
use crate::view::{strings, table};

/// Returns the file. Reading it fails if the graph's data file is missing.
pub(super) fn file(catalog: &Arc<Catalog>) -> VirtualFile {
    match &catalog.objects {
        Some(objects) if objects.graph.is_none() => strings::unreadable(&objects.tensor),
        _ => table::made("object_graph.json", catalog, |catalog| {
            let graph = catalog.objects.as_ref().and_then(|objects| objects.graph.as_ref());
            graph.map(|graph| text(graph)).unwrap_or_default()
        }),
    }
}

fn text(graph: &Graph) -> String {
    let nodes = &graph.objects().nodes;
    let lines: Vec<_> = (0..).zip(nodes).map(|(id, node)| format!("  {}", json(graph, id, node))).collect();
    format!("{{\"nodes\": [\n{}\n]}}\n", lines.join(",\n"))
}

fn json(graph: &Graph, id: usize, node: &Node) -> Value {
    let child = |Child { node, local_name, .. }: &Child| (local_name.to_string(), Value::from(*node));
    let attribute = |Attribute { name, full_name, checkpoint_key, .. }: &Attribute| json!({"name": name, "full_name": full_name, "checkpoint_key": checkpoint_key});
    let slot = |Slot { original, name, variable, .. }: &Slot| json!({"original": original, "name": name, "variable": variable});
    let mut object = json!({
        "id": id,
        "path": graph.path(id),
        "children": node.children.iter().map(child).collect::<serde_json::Map<_, _>>(),
        "attributes": node.attributes.iter().map(attribute).collect::<Vec<_>>(),
        "slots": node.slots.iter().map(slot).collect::<Vec<_>>(),
    });
    if let Some(RegisteredSaver { name, object_name, .. }) = &node.registered_saver {
        object["registered_saver"] = json!({"name": name, "object_name": object_name});
    }
    if let Some(value) = node.has_checkpoint_values {
        object["has_checkpoint_values"] = value.into();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::object_graph;

    #[test]
    fn every_object_is_a_line_with_all_its_fields() {
        for name in object_graph::tests::FIXTURES {
            let graph = Graph::decode(&object_graph::tests::fixture(name)).unwrap();
            let text = text(&graph);
            let json: Value = serde_json::from_str(&text).unwrap();
            let nodes = json["nodes"].as_array().unwrap();
            assert_eq!((nodes.len(), text.lines().count()), (graph.objects().nodes.len(), nodes.len() + 2));
            for (id, (shown, node)) in nodes.iter().zip(&graph.objects().nodes).enumerate() {
                assert_eq!((&shown["id"], &shown["path"]), (&json!(id), &json!(graph.path(id))));
                let children = shown["children"].as_object().unwrap();
                let children: Vec<_> = children
                    .iter()
                    .map(|(name, node)| (name.as_str(), node.as_u64().unwrap() as usize))
                    .collect();
                let wanted: Vec<_> =
                    node.children.iter().map(|child| (child.local_name.as_str(), child.node)).collect();
                assert_eq!(children, wanted);
                assert_eq!(shown["attributes"].as_array().unwrap().len(), node.attributes.len());
                assert_eq!(shown["slots"].as_array().unwrap().len(), node.slots.len());
                assert_eq!(
                    shown.get("has_checkpoint_values").and_then(Value::as_bool),
                    node.has_checkpoint_values
                );
            }
        }
    }

    #[test]
    fn attributes_and_slots_use_the_graphs_field_names() {
        let attribute = Attribute {
            name: "VARIABLE_VALUE".into(),
            full_name: "w".into(),
            checkpoint_key: "w/.A".into(),
            ..Attribute::default()
        };
        let slot = Slot { original: 0, name: "m".into(), variable: 0, ..Slot::default() };
        let saver =
            RegisteredSaver { name: "s".into(), object_name: "o".into(), ..RegisteredSaver::default() };
        let node = Node {
            attributes: vec![attribute],
            slots: vec![slot],
            registered_saver: Some(saver),
            ..Node::default()
        };
        let graph = Graph::new(object_graph::ObjectGraph { nodes: vec![node], ..Default::default() });
        let line = r#"{"id":0,"path":"","children":{},"attributes":[{"name":"VARIABLE_VALUE","full_name":"w","checkpoint_key":"w/.A"}],"slots":[{"original":0,"name":"m","variable":0}],"registered_saver":{"name":"s","object_name":"o"}}"#;
        assert_eq!(text(&graph), format!("{{\"nodes\": [\n  {line}\n]}}\n"));
    }
}
