//! `MetaGraphDef`, which TF1 writes next to a checkpoint as `P.meta`. This codec reads the variables of the program,
//! in the order in which the program created them, and which of them it trains.
//!
//! ```text
//! meta graph := 2 graph  4 collection*  …
//! collection := 1 key    2 (2 (1 bytes*))                      of "variables", "trainable_variables": variables
//! variable   := 1 name ("x:0")   4 (1 full name)?   …          a part of a larger variable also has the name of the whole
//! ```
//!
//! The graph may be huge and may also contain values. So the file is read in pieces, and everything except those two
//! collections is skipped.

use std::collections::HashSet;

pub mod nodes;
mod walk;

use walk::{behind, walk, whole};

use crate::format::varint::Reader;
use crate::format::wire::{Field, Fields, fields};
use crate::format::{Malformed, Result};

/// A variable of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, or the name of the variable of which it is a part. It is the key that a saver uses.
    pub name: String,
    /// True if the program trains it.
    pub(crate) is_trainable: bool,
    /// The operation that holds the variable, or the first part of it.
    pub(crate) operation: String,
    /// The shape of the whole variable, if this is a part of a partitioned variable.
    pub(crate) full_shape: Option<Vec<u64>>,
}

/// The maximum length of a collection in bytes. A million variables fit.
const MAX_COLLECTION: u64 = 256 << 20;

/// The tags of a collection and of its key: fields 4 and 1, of bytes.
const COLLECTION: u64 = 4 << 3 | 2;
const KEY: u64 = 1 << 3 | 2;
const CREATED: &str = "variables";
const TRAINED: &str = "trainable_variables";

/// Returns the variables in the order of creation, each once. `read` returns the bytes `at..at + len` of a file of
/// `file_len` bytes.
///
/// # Errors
/// The errors of `read`, or the fault in the message.
pub fn decode<E: From<Malformed>>(
    file_len: u64,
    mut read: impl FnMut(u64, usize) -> std::result::Result<Vec<u8>, E>,
) -> std::result::Result<Vec<Variable>, E> {
    let (mut created, mut trained) = (Vec::new(), Vec::new());
    walk(&mut read, (0, file_len), &mut |read, part| {
        if let Some(key) = collection(part.head) {
            let field = whole(read, &part, MAX_COLLECTION)?;
            let variables = variables_in(&field).map_err(|fault| behind(part.at, fault))?;
            if key == CREATED { &mut created } else { &mut trained }.extend(variables);
        }
        Ok(())
    })?;
    Ok(merged(created, &trained))
}

/// Returns the first variable of each name, and marks the trainable ones.
fn merged(created: Vec<Variable>, trained: &[Variable]) -> Vec<Variable> {
    let trained: HashSet<_> = trained.iter().map(|variable| &variable.name).collect();
    let mut seen = HashSet::new();
    let first = created.into_iter().filter(|variable| seen.insert(variable.name.clone()));
    first.map(|variable| Variable { is_trainable: trained.contains(&variable.name), ..variable }).collect()
}

/// Returns the key of the field if it is one of the two collections. A serializer of a map writes the key first.
fn collection(head: &[u8]) -> Option<&'static str> {
    let mut reader = Reader::new(head);
    let is_keyed =
        reader.varint().ok()? == COLLECTION && reader.varint().is_ok() && reader.varint().ok()? == KEY;
    let len = reader.varint().ok()?;
    let key = reader.take(len).ok()?;
    [CREATED, TRAINED].into_iter().find(|known| is_keyed && known.as_bytes() == key)
}

/// Returns the variables in a collection, which is one field.
fn variables_in(field: &[u8]) -> Result<Vec<Variable>> {
    let mut found = of_number(4, fields(field))?;
    for number in [2, 2, 1] {
        let below = found.iter().map(|field| of_number(number, field.message()?));
        found = below.collect::<Result<Vec<_>>>()?.concat();
    }
    found.iter().map(variable).collect()
}

fn of_number<'a>(number: u32, fields: Fields<'a>) -> Result<Vec<Field<'a>>> {
    fields.filter(|field| !matches!(field, Ok(field) if field.number != number)).collect()
}

fn variable(field: &Field) -> Result<Variable> {
    let (mut name, mut whole) = ("", ("", Vec::new()));
    for field in field.message()? {
        let field = field?;
        match field.number {
            1 => name = field.string()?,
            4 => whole = slice(&field)?,
            _ => {}
        }
    }
    let operation = name.rsplit_once(':').map_or(name, |(operation, _)| operation);
    let (full_name, full_shape) = whole;
    let is_part = !full_name.is_empty();
    Ok(Variable {
        name: if is_part { full_name } else { operation }.to_owned(),
        is_trainable: false,
        operation: operation.to_owned(),
        full_shape: is_part.then_some(full_shape),
    })
}

/// Returns the name and the shape of the variable of which this one is a part.
fn slice<'a>(field: &Field<'a>) -> Result<(&'a str, Vec<u64>)> {
    let (mut name, mut shape) = ("", Vec::new());
    for field in field.message()? {
        let field = field?;
        match field.number {
            1 => name = field.string()?,
            2 => shape.extend(naturals(&field)?),
            _ => {}
        }
    }
    Ok((name, shape))
}

/// Reads numbers that are packed or not.
fn naturals(field: &Field) -> Result<Vec<u64>> {
    let Ok(packed) = field.bytes() else { return Ok(vec![field.natural()?]) };
    let (mut reader, mut numbers) = (Reader::based(packed, field.at), Vec::new());
    while !reader.is_empty() {
        numbers.push(reader.varint()?);
    }
    Ok(numbers)
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::wire::{put_bytes, put_int};

    fn decode_whole(file: &[u8]) -> Result<Vec<Variable>> {
        decode(file.len() as u64, |at, len| Ok(file[at as usize..][..len].to_vec()))
    }

    fn message(number: u32, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, number, body);
        out
    }

    fn collection_of(key: &str, variables: &[Vec<u8>]) -> Vec<u8> {
        let list: Vec<u8> = variables.iter().flat_map(|variable| message(1, variable)).collect();
        message(4, &[message(1, key.as_bytes()), message(2, &message(2, &list))].concat())
    }

    fn variable(name: &str) -> Vec<u8> {
        [message(1, name.as_bytes()), message(2, b"x/Assign")].concat()
    }

    fn part(name: &str, whole: &str) -> Vec<u8> {
        [variable(name), message(4, &message(1, whole.as_bytes()))].concat()
    }

    fn file() -> Vec<u8> {
        let created =
            [variable("step:0"), part("w/part_0:0", "w"), part("w/part_1:0", "w"), variable("a/b:0")];
        let mut version = Vec::new();
        put_int(&mut version, 9, 7);
        [
            message(2, &[0xff; 300]),
            collection_of("trainable_variables", &created[1..3]),
            collection_of("while_context", &[vec![0xff; 100]]),
            collection_of("variables", &created),
            version,
        ]
        .concat()
    }

    #[test]
    fn variables_are_in_the_order_of_creation_and_parts_are_merged() {
        let found = decode_whole(&file()).unwrap();
        let found: Vec<_> = found.iter().map(|variable| (&*variable.name, variable.is_trainable)).collect();
        assert_eq!(found, [("step", false), ("w", true), ("a/b", false)]);
    }

    #[test]
    fn the_graph_and_other_collections_are_never_read() {
        let (file, mut most) = (file(), 0);
        let read = |at: u64, len: usize| {
            most = most.max(len);
            Ok::<_, Malformed>(file[at as usize..][..len].to_vec())
        };
        decode(file.len() as u64, read).unwrap();
        assert!(most < 200, "{most}");
    }

    #[test]
    fn a_truncated_file_is_malformed_or_ends_between_two_fields() {
        let file = file();
        let mut ends = Vec::new();
        for len in 0..file.len() {
            match decode_whole(&file[..len]) {
                Ok(_) => ends.push(len),
                Err(fault) => assert!(fault.at <= len as u64, "{len}: {fault}"),
            }
        }
        assert_eq!(ends.len(), 5, "{ends:?}");
    }

    #[test]
    fn a_message_of_too_many_fields_is_refused() {
        let read = |_, len: usize| Ok::<_, Malformed>([8, 0].repeat(len.div_ceil(2)));
        assert!(decode(u64::MAX, read).unwrap_err().what.starts_with("more than"));
        assert!(decode_whole(b"node {\n  name: \"x\"\n}").is_err());
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_malformed_or_changes_names(at in any::<prop::sample::Index>(), bit in 0..8) {
            let mut file = file();
            let at = at.index(file.len());
            file[at] ^= 1u8 << bit;
            if let Err(fault) = decode_whole(&file) {
                prop_assert!(fault.at <= file.len() as u64);
            }
        }
    }
}
