//! `MetaGraphDef`, which TF1 writes beside a checkpoint as `P.meta`: of it the variables of the program, in the order in
//! which it created them, and which of them it trains.
//!
//! ```text
//! meta graph := 2 graph  4 collection*  …
//! collection := 1 key    2 (2 (1 bytes*))                      of "variables", "trainable_variables": variables
//! variable   := 1 name ("x:0")   4 (1 full name)?   …          a part of a larger variable has that one's name as well
//! ```
//!
//! The graph may be huge and holds values too. So the file is read by pieces, and all but those two collections is
//! skipped.

use std::collections::HashSet;

use super::varint::Reader;
use super::wire::{Field, Fields, fields};
use super::{Malformed, Result};

/// A variable of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, or that of the variable that it is a part of: the key that a saver gives it.
    pub name: String,
    /// Whether the program trains it.
    pub is_trainable: bool,
}

/// Of the outermost message, bytes that are looked at to see what a field is: tag, length, and the key of a collection.
const HEAD: u64 = 64;
/// A collection of a million variables is no longer.
const MAX_COLLECTION: u64 = 256 << 20;
/// Fields of the outermost message; a program has some tens.
const MAX_FIELDS: usize = 100_000;

/// The tags of a collection and of its key: fields 4 and 1, of bytes.
const COLLECTION: u64 = 4 << 3 | 2;
const KEY: u64 = 1 << 3 | 2;
const CREATED: &str = "variables";
const TRAINED: &str = "trainable_variables";

/// The variables in the order of creation, each once. `read` gives the bytes `at..at + len` of a file of `file_len`.
///
/// # Errors
/// Those of `read`, and what is no such message.
pub fn decode<E: From<Malformed>>(
    file_len: u64,
    mut read: impl FnMut(u64, usize) -> std::result::Result<Vec<u8>, E>,
) -> std::result::Result<Vec<Variable>, E> {
    let (mut created, mut trained, mut at) = (Vec::new(), Vec::new(), 0);
    for _ in 0..MAX_FIELDS {
        let left = file_len.saturating_sub(at);
        if left == 0 {
            return Ok(variables(created, trained));
        }
        let head = read(at, count(left.min(HEAD)))?;
        let len = field_len(&head, left).map_err(|fault| behind(at, fault))?;
        if let Some(key) = collection(&head) {
            if len > MAX_COLLECTION {
                return Err(behind(at, Malformed::new(format!("a collection of {len} bytes"), 0)).into());
            }
            let names = names_in(&read(at, count(len))?).map_err(|fault| behind(at, fault))?;
            if key == CREATED { &mut created } else { &mut trained }.extend(names);
        }
        at = at.saturating_add(len);
    }
    Err(behind(at, Malformed::new(format!("more than {MAX_FIELDS} fields"), 0)).into())
}

/// Each name once, where it is first.
fn variables(created: Vec<String>, trained: Vec<String>) -> Vec<Variable> {
    let (trained, mut seen) = (HashSet::<String>::from_iter(trained), HashSet::new());
    let first = created.into_iter().filter(|name| seen.insert(name.clone()));
    first.map(|name| Variable { is_trainable: trained.contains(&name), name }).collect()
}

fn behind(at: u64, fault: Malformed) -> Malformed {
    Malformed { at: fault.at.saturating_add(at), ..fault }
}

fn count(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Bytes of the field that begins so, which are at most `left`.
fn field_len(head: &[u8], left: u64) -> Result<u64> {
    let mut reader = Reader::new(head);
    let value = match reader.varint32()? & 7 {
        0 => reader.varint().map(|_| 0)?,
        1 => 8,
        2 => reader.varint()?,
        5 => 4,
        kind => return Err(Malformed::new(format!("protobuf wire type {kind}"), 0)),
    };
    let len = value.saturating_add(reader.at() as u64);
    match len <= left {
        true => Ok(len),
        false => Err(Malformed::new(format!("a field of {len} bytes where {left} are left"), 0)),
    }
}

/// Which of the two collections the field is that begins so. What serializes a map writes the key first.
fn collection(head: &[u8]) -> Option<&'static str> {
    let mut reader = Reader::new(head);
    let is_keyed =
        reader.varint().ok()? == COLLECTION && reader.varint().is_ok() && reader.varint().ok()? == KEY;
    let len = reader.varint().ok()?;
    let key = reader.take(len).ok()?;
    [CREATED, TRAINED].into_iter().find(|known| is_keyed && known.as_bytes() == key)
}

/// The names in a collection, which is one field.
fn names_in(field: &[u8]) -> Result<Vec<String>> {
    let mut found = of_number(4, fields(field))?;
    for number in [2, 2, 1] {
        let below = found.iter().map(|field| of_number(number, field.message()?));
        found = below.collect::<Result<Vec<_>>>()?.concat();
    }
    found.iter().map(name).collect()
}

fn of_number<'a>(number: u32, fields: Fields<'a>) -> Result<Vec<Field<'a>>> {
    fields.filter(|field| !matches!(field, Ok(field) if field.number != number)).collect()
}

/// The key of a variable.
fn name(variable: &Field) -> Result<String> {
    let (mut name, mut full_name) = ("", "");
    for field in variable.message()? {
        let field = field?;
        match field.number {
            1 => name = field.string()?,
            4 => {
                for field in of_number(1, field.message()?)? {
                    full_name = field.string()?;
                }
            }
            _ => {}
        }
    }
    let operation = name.rsplit_once(':').map_or(name, |(operation, _)| operation);
    Ok(if full_name.is_empty() { operation } else { full_name }.to_owned())
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
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
    fn variables_are_in_the_order_of_creation_and_parts_are_one() {
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
    fn what_is_cut_off_is_malformed_or_ends_between_two_fields() {
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
    fn a_message_of_nothing_but_fields_is_not_read_forever() {
        let file = [8, 0].repeat(MAX_FIELDS + 1);
        assert!(decode_whole(&file).unwrap_err().what.starts_with("more than"));
        assert!(decode_whole(b"node {\n  name: \"x\"\n}").is_err());
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_a_fault_or_other_names(at in any::<prop::sample::Index>(), bit in 0..8) {
            let mut file = file();
            let at = at.index(file.len());
            file[at] ^= 1u8 << bit;
            if let Err(fault) = decode_whole(&file) {
                prop_assert!(fault.at <= file.len() as u64);
            }
        }
    }
}
