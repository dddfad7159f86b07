//! Attributes, in version 3 of their message:
//!
//! ```text
//! attribute := 3 0  name length: u16  datatype length: u16  dataspace length: u16  charset: u8
//!              name NUL datatype dataspace values
//! ```

use crate::format::hdf5_image::datatype::{Datatype, fixed_string};
use crate::format::hdf5_image::object_header::dataspace;

/// An attribute of a group or a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(super) name: String,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// One text in a heap, as Keras writes and compares it.
    Text(String),
    /// One text of fixed length.
    Bytes(Vec<u8>),
    /// Texts that are all padded to the length of the longest.
    List(Vec<Vec<u8>>),
}

/// The maximum number of bytes of an attribute's values in a message. Keras has the same limit.
pub(crate) const MAX_STRING: usize = 64512;

const CHARSET_UTF8: u8 = 1;

impl Attribute {
    /// Returns an attribute with a text that Python reads as `str`.
    pub(crate) fn text(name: &'static str, text: &str) -> Self {
        Self { name: name.into(), value: Value::Text(text.into()) }
    }

    /// Returns an attribute with a short text that Python reads as `bytes`.
    pub(crate) fn bytes(name: &'static str, text: &'static str) -> Self {
        Self { name: name.into(), value: Value::Bytes(text.into()) }
    }

    /// Returns attributes with a list of texts that Python reads as `bytes`. A list that is too long for one
    /// attribute is split into `name0`, `name1`, …, as Keras does. A text longer than [`MAX_STRING`] is truncated.
    pub(crate) fn list(name: &'static str, texts: impl IntoIterator<Item = String>) -> Vec<Self> {
        let mut lists = vec![vec![]];
        let mut longest = 1;
        for text in texts {
            let text: Vec<u8> = text.bytes().take(MAX_STRING).collect();
            let list = lists.last_mut().map_or(0, |list: &mut Vec<_>| list.len());
            longest = text.len().max(longest);
            if list.saturating_add(1).saturating_mul(longest) > MAX_STRING {
                longest = text.len().max(1);
                lists.push(vec![]);
            }
            lists.last_mut().into_iter().for_each(|list| list.push(text.clone()));
        }
        let split = lists.len() > 1;
        let named = |i: usize| if split { format!("{name}{i}") } else { name.to_owned() };
        let lists = lists.into_iter().enumerate();
        lists.map(|(i, list)| Self { name: named(i), value: Value::List(list) }).collect()
    }

    /// Encodes the message. `heap` returns the address of the heap that holds a text.
    pub(super) fn encode(&self, heap: impl FnOnce(&str) -> u64) -> Vec<u8> {
        let (datatype, space, values) = match &self.value {
            Value::Text(text) => (Datatype::VariableString, dataspace(&[]), reference(text, heap(text))),
            Value::Bytes(bytes) => (string_of(bytes.len()), dataspace(&[]), bytes.clone()),
            Value::List(list) => list_of(list),
        };
        let (name, datatype) = ([self.name.as_bytes(), &[0]].concat(), datatype.encode());
        let lengths = [&name, &datatype, &space].map(|part| u16::try_from(part.len()).unwrap_or(u16::MAX));
        let lengths = lengths.map(u16::to_le_bytes).concat();
        [&[3, 0], lengths.as_slice(), &[CHARSET_UTF8], &name, &datatype, &space, &values].concat()
    }
}

/// Encodes the reference to a text: its length, the address of a heap, and the number of the object in it.
fn reference(text: &str, heap: u64) -> Vec<u8> {
    let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [len.to_le_bytes().as_slice(), &heap.to_le_bytes(), &1u32.to_le_bytes()].concat()
}

fn list_of(list: &[Vec<u8>]) -> (Datatype, Vec<u8>, Vec<u8>) {
    let longest = list.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let padded = |text: &Vec<u8>| {
        let mut text = text.clone();
        text.resize(longest, 0);
        text
    };
    (string_of(longest), dataspace(&[list.len() as u64]), list.iter().flat_map(padded).collect())
}

fn string_of(len: usize) -> Datatype {
    fixed_string(u32::try_from(len).unwrap_or(u32::MAX).max(1))
}
