//! `TrackableObjectGraph`: the objects of a TF2 program, and the variables of the checkpoint that each object owns.
//!
//! ```text
//! graph     := 1 node*
//! node      := 1 child*  2 attribute*  3 slot variable*  4 registered saver?  5 BoolValue(1 has checkpoint values)?
//! child     := 1 node id   2 local name (not escaped)
//! attribute := 1 name      2 full name    3 checkpoint key
//! slot      := 1 original variable's node id   2 slot name   3 slot variable's node id
//! saver     := 1 name      2 object name
//! ```
//!
//! Node 0 is the root. The nodes are a general directed graph. A decoded graph has these invariants: there is a root,
//! every node id refers to a node, and no node has two children of the same name. Unknown fields are kept and written
//! after the known ones, which is where a newer writer would put them. So a graph that was written in field order
//! survives a round trip byte for byte. TensorFlow writes in field order. TensorFlow Serving's sample SavedModel was
//! written by another serializer, which put `local name` before `node id`. It survives a round trip except for that
//! order.

use std::collections::HashSet;

use smol_str::SmolStr;

use crate::format::wire::{Field, Fields, fields, put_bytes, put_int, put_string};
use crate::format::{Malformed, Result};

/// The index of a node in [`ObjectGraph::nodes`].
pub(crate) type NodeId = usize;

/// The whole graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectGraph {
    /// The objects; the first is the root.
    pub nodes: Vec<Node>,
    /// Unknown fields, unchanged.
    pub(crate) unknown: Vec<u8>,
}

/// One object of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The objects to which it refers by name.
    pub(crate) children: Vec<Child>,
    /// The values it has in the checkpoint.
    pub attributes: Vec<Attribute>,
    /// The optimizer slots, if it is an optimizer.
    pub(crate) slots: Vec<Slot>,
    /// The saver of the object, if it is not TensorFlow itself.
    pub(crate) registered_saver: Option<RegisteredSaver>,
    /// True if the object or one below it has values; `None` in files of older writers.
    pub(crate) has_checkpoint_values: Option<bool>,
    /// Unknown fields, unchanged.
    pub(crate) unknown: Vec<u8>,
}

/// An edge to another object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Child {
    /// The object.
    pub(crate) node: NodeId,
    /// Its name in the parent object, as in the program.
    pub(crate) local_name: SmolStr,
    /// Unknown fields, unchanged.
    pub(crate) unknown: Vec<u8>,
}

/// A value in the checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attribute {
    /// `VARIABLE_VALUE` for a variable.
    pub(crate) name: SmolStr,
    /// The variable's own name, by which a TF1 program would restore it. It is not unique.
    pub(crate) full_name: SmolStr,
    /// Its key in the bundle. For tables and iterators it is only the beginning of the key.
    pub checkpoint_key: SmolStr,
    /// Unknown fields, unchanged.
    pub(crate) unknown: Vec<u8>,
}

/// An optimizer slot: a value that an optimizer keeps for a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The variable to which the slot belongs.
    pub(crate) original: NodeId,
    /// The kind of slot: `m`, `v`, `momentum`…
    pub(crate) name: SmolStr,
    /// The variable that holds the slot's value.
    pub(crate) variable: NodeId,
    /// Unknown fields, unchanged.
    pub(crate) unknown: Vec<u8>,
}

/// The saver that a program registered for an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RegisteredSaver {
    /// The name of the saver.
    pub(crate) name: String,
    /// The saver's name for the object. The saver may use it in file names.
    pub(crate) object_name: String,
    /// Unknown fields, unchanged.
    pub(crate) unknown: Vec<u8>,
}

/// Decodes a serialized graph.
pub fn decode(bytes: &[u8]) -> Result<ObjectGraph> {
    let mut graph = ObjectGraph::default();
    let count = fields(bytes).filter(|f| matches!(f, Ok(f) if f.number == 1)).count();
    for field in fields(bytes) {
        let field = field?;
        match field.number {
            1 => graph.nodes.push(decode_node(&field, graph.nodes.len(), count)?),
            _ => graph.unknown.extend_from_slice(field.raw),
        }
    }
    if graph.nodes.is_empty() {
        return Err(Malformed::new("object graph without a root", 0));
    }
    Ok(graph)
}

fn decode_node(field: &Field, id: NodeId, count: usize) -> Result<Node> {
    let mut node = Node::default();
    for field in field.message()? {
        let field = field?;
        let in_node =
            |fault: Malformed| Malformed { what: format!("node {id}: {}", fault.what).into(), ..fault };
        match field.number {
            1 => node.children.push(decode_child(&field, count).map_err(in_node)?),
            2 => node.attributes.push(decode_attribute(&field).map_err(in_node)?),
            3 => node.slots.push(decode_slot(&field, count).map_err(in_node)?),
            4 => decode_saver(&field, node.registered_saver.get_or_insert_default()).map_err(in_node)?,
            5 => node.has_checkpoint_values = Some(decode_bool(field.message()?).map_err(in_node)?),
            _ => node.unknown.extend_from_slice(field.raw),
        }
    }
    let mut names = HashSet::with_capacity(node.children.len());
    match node.children.iter().find(|child| !names.insert(child.local_name.as_str())) {
        Some(child) => {
            Err(Malformed::new(format!("node {id}: two children called {:?}", child.local_name), field.at))
        }
        None => Ok(node),
    }
}

fn decode_child(field: &Field, count: usize) -> Result<Child> {
    let mut child = Child::default();
    for field in field.message()? {
        let field = field?;
        match field.number {
            1 => child.node = node_id(&field, count)?,
            2 => child.local_name = field.string()?.into(),
            _ => child.unknown.extend_from_slice(field.raw),
        }
    }
    Ok(child)
}

fn decode_attribute(field: &Field) -> Result<Attribute> {
    let mut attribute = Attribute::default();
    for field in field.message()? {
        let field = field?;
        match field.number {
            1 => attribute.name = field.string()?.into(),
            2 => attribute.full_name = field.string()?.into(),
            3 => attribute.checkpoint_key = field.string()?.into(),
            _ => attribute.unknown.extend_from_slice(field.raw),
        }
    }
    Ok(attribute)
}

fn decode_slot(field: &Field, count: usize) -> Result<Slot> {
    let mut slot = Slot::default();
    for field in field.message()? {
        let field = field?;
        match field.number {
            1 => slot.original = node_id(&field, count)?,
            2 => slot.name = field.string()?.into(),
            3 => slot.variable = node_id(&field, count)?,
            _ => slot.unknown.extend_from_slice(field.raw),
        }
    }
    Ok(slot)
}

fn decode_saver(field: &Field, saver: &mut RegisteredSaver) -> Result<()> {
    for field in field.message()? {
        let field = field?;
        match field.number {
            1 => saver.name = field.string()?.to_owned(),
            2 => saver.object_name = field.string()?.to_owned(),
            _ => saver.unknown.extend_from_slice(field.raw),
        }
    }
    Ok(())
}

/// Decodes `google.protobuf.BoolValue`, which has one field and never gets another.
fn decode_bool(mut fields: Fields) -> Result<bool> {
    fields.try_fold(false, |last, field| match field? {
        field if field.number == 1 => Ok(field.int64()? != 0),
        _ => Ok(last),
    })
}

fn node_id(field: &Field, count: usize) -> Result<NodeId> {
    let id = field.int64()?;
    let known = usize::try_from(id).ok().filter(|&id| id < count);
    known.ok_or_else(|| Malformed::new(format!("node id {id} of {count} nodes"), field.at))
}

/// Encodes a graph as TensorFlow does: in field order, without zeros and empty strings.
pub fn encode(graph: &ObjectGraph) -> Vec<u8> {
    let (mut out, mut message, mut inner) = (Vec::new(), Vec::new(), Vec::new());
    for node in &graph.nodes {
        message.clear();
        encode_node(node, &mut message, &mut inner);
        put_bytes(&mut out, 1, &message);
    }
    out.extend_from_slice(&graph.unknown);
    out
}

/// Appends a node's fields. `inner` is a reusable buffer for one message.
fn encode_node(node: &Node, out: &mut Vec<u8>, inner: &mut Vec<u8>) {
    for child in &node.children {
        encode_reference(child.node, &child.local_name, 0, &child.unknown, inner);
        put_bytes(out, 1, inner);
    }
    for Attribute { name, full_name, checkpoint_key, unknown } in &node.attributes {
        encode_strings(&[name, full_name, checkpoint_key], unknown, inner);
        put_bytes(out, 2, inner);
    }
    for slot in &node.slots {
        encode_reference(slot.original, &slot.name, slot.variable, &slot.unknown, inner);
        put_bytes(out, 3, inner);
    }
    if let Some(RegisteredSaver { name, object_name, unknown }) = &node.registered_saver {
        encode_strings(&[name, object_name], unknown, inner);
        put_bytes(out, 4, inner);
    }
    if let Some(value) = node.has_checkpoint_values {
        put_bytes(out, 5, if value { &[0x08, 1] } else { &[] });
    }
    out.extend_from_slice(&node.unknown);
}

fn encode_reference(first: NodeId, name: &str, third: NodeId, unknown: &[u8], out: &mut Vec<u8>) {
    out.clear();
    put_int(out, 1, first as u64);
    put_string(out, 2, name);
    put_int(out, 3, third as u64);
    out.extend_from_slice(unknown);
}

fn encode_strings(strings: &[&str], unknown: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for (number, string) in (1..).zip(strings) {
        put_string(out, number, string);
    }
    out.extend_from_slice(unknown);
}

#[cfg(test)]
pub(crate) mod tests;
