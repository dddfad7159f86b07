//! The operations of a program that hold variables, read from its graph.
//!
//! ```text
//! graph := 1 node*
//! node  := 1 name   2 operation ("VariableV2", "VarHandleOp", …)   5 attribute*
//! attribute := 1 key   2 (6 type | 7 shape | …)                     of them "dtype" and "shape"
//! shape := 2 (1 size)*   3 unknown rank?
//! ```

use std::collections::HashMap;

use crate::format::meta_graph::walk::{behind, walk, whole};
use crate::format::varint::Reader;
use crate::format::wire::{Field, fields};
use crate::format::{Malformed, Result};

/// The type and the shape of a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its element type, by TensorFlow's number; 0 if the graph does not contain it.
    pub(crate) dtype: u32,
    /// Its dimensions; `None` if they are not all known.
    pub(crate) shape: Option<Vec<u64>>,
}

/// The operations that hold a variable.
const HOLD: [&str; 3] = ["VariableV2", "VarHandleOp", "Variable"];
/// The tag of the graph: field 2, of bytes.
const GRAPH: u64 = 2 << 3 | 2;
/// The maximum length of a variable's node in bytes. The nodes of constants may be longer, because they contain their
/// values.
const MAX_NODE: u64 = 64 << 10;

/// Returns the variables of a graph by the names of their operations. `read` returns the bytes `at..at + len` of a
/// file of `file_len` bytes.
///
/// # Errors
/// The errors of `read`, or the fault in the message.
pub fn decode<E: From<Malformed>>(
    file_len: u64,
    mut read: impl FnMut(u64, usize) -> std::result::Result<Vec<u8>, E>,
) -> std::result::Result<HashMap<String, Node>, E> {
    let mut nodes = HashMap::new();
    walk(&mut read, (0, file_len), &mut |read, part| {
        let mut head = Reader::new(part.head);
        if head.varint()? != GRAPH {
            return Ok(());
        }
        head.varint()?;
        let (from, to) = (part.at.saturating_add(head.at() as u64), part.at.saturating_add(part.len));
        walk(read, (from, to), &mut |read, part| {
            if part.len <= MAX_NODE {
                let field = whole(read, &part, MAX_NODE)?;
                nodes.extend(node(&field).map_err(|fault| behind(part.at, fault))?);
            }
            Ok(())
        })
    })?;
    Ok(nodes)
}

/// Returns the variable in a field of a graph, and its name; `None` if the field is not a variable.
fn node(field: &[u8]) -> Result<Option<(String, Node)>> {
    let (mut name, mut operation, mut node) = ("", "", Node::default());
    for member in super::of_number(1, fields(field))? {
        for field in member.message()? {
            let field = field?;
            match field.number {
                1 => name = field.string()?,
                2 => operation = field.string()?,
                5 if HOLD.contains(&operation) => attribute(&field, &mut node)?,
                _ => {}
            }
        }
    }
    Ok(HOLD.contains(&operation).then(|| (name.to_owned(), node)))
}

fn attribute(field: &Field, node: &mut Node) -> Result<()> {
    let mut key = "";
    for field in field.message()? {
        let field = field?;
        match (field.number, key) {
            (1, _) => key = field.string()?,
            (2, "dtype") => {
                for value in super::of_number(6, field.message()?)? {
                    node.dtype = value.natural32()?;
                }
            }
            (2, "shape") => {
                for value in super::of_number(7, field.message()?)? {
                    node.shape = shape(&value)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Reads a shape. Returns `None` if a dimension or the rank is unknown.
fn shape(field: &Field) -> Result<Option<Vec<u64>>> {
    let mut dims = Some(Vec::new());
    for field in field.message()? {
        let field = field?;
        match field.number {
            2 => {
                let mut size = 0;
                for field in super::of_number(1, field.message()?)? {
                    size = field.int64()?;
                }
                dims = dims.zip(u64::try_from(size).ok()).map(|(mut dims, size)| {
                    dims.push(size);
                    dims
                });
            }
            3 if field.int64()? != 0 => dims = None,
            _ => {}
        }
    }
    Ok(dims)
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]
mod tests {
    use super::*;
    use crate::format::wire::{put_bytes, put_int};

    fn message(number: u32, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, number, body);
        out
    }

    fn int(number: u32, value: i64) -> Vec<u8> {
        let mut out = Vec::new();
        put_int(&mut out, number, value.cast_unsigned());
        out
    }

    fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
        message(5, &[message(1, key.as_bytes()), message(2, value)].concat())
    }

    fn node(name: &str, operation: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
        let named = [message(1, name.as_bytes()), message(2, operation.as_bytes())].concat();
        message(1, &[named, attributes.concat()].concat())
    }

    fn shape(dims: &[i64]) -> Vec<u8> {
        let dims: Vec<u8> = dims.iter().flat_map(|&dim| message(2, &int(1, dim))).collect();
        attribute("shape", &message(7, &dims))
    }

    fn file() -> Vec<u8> {
        let float = attribute("dtype", &int(6, 1));
        let nodes = [
            node("w", "VariableV2", &[float.clone(), shape(&[2, 0])]),
            node("c", "Const", &[attribute("value", &message(8, &[0xff; 100_000]))]),
            node("r", "VarHandleOp", &[shape(&[]), float.clone()]),
            node("u", "VariableV2", &[float.clone(), shape(&[-1, 3])]),
            node("k", "VariableV2", &[float, attribute("shape", &message(7, &int(3, 1)))]),
        ];
        [message(1, b""), message(2, &nodes.concat())].concat()
    }

    fn decode_whole(file: &[u8]) -> Result<HashMap<String, Node>> {
        decode(file.len() as u64, |at, len| Ok(file[at as usize..][..len].to_vec()))
    }

    #[test]
    fn types_and_known_shapes_of_variables_are_read() {
        let found = decode_whole(&file()).unwrap();
        let is = |shape: Option<&[u64]>| Node { dtype: 1, shape: shape.map(<[u64]>::to_vec) };
        let expected = [("w", is(Some(&[2, 0]))), ("r", is(Some(&[]))), ("u", is(None)), ("k", is(None))];
        assert_eq!(found, expected.map(|(name, node)| (name.to_owned(), node)).into());
    }

    #[test]
    fn a_graph_truncated_at_any_length_is_malformed() {
        let file = file();
        for len in (3..300).chain(file.len().saturating_sub(300)..file.len()) {
            assert!(decode_whole(&file[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn values_of_constants_are_never_read() {
        let (file, mut most) = (file(), 0);
        let read = |at: u64, len: usize| {
            most = most.max(len);
            Ok::<_, Malformed>(file[at as usize..][..len].to_vec())
        };
        decode(file.len() as u64, read).unwrap();
        assert!(most < 200, "{most}");
    }
}
