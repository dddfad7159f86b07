//! The JSON of the header. Faults have an offset in the text.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::format::safetensors::{Entry, Header, Kind, METADATA};
use crate::format::{Malformed, Result};

/// Decodes a header. Checks that each tensor is as long as its type and shape require, but not how the tensors follow
/// each other.
pub(super) fn decode(text: &str) -> Result<Header> {
    let Found(mut header) = parse(text)?;
    header.tensors.sort_by_key(|entry| (entry.start, entry.end));
    Ok(header)
}

/// Parses a JSON text.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let before: usize =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let what = error.to_string();
        let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
        Malformed::new(what.to_owned(), before.saturating_add(error.column()))
    })
}

/// Encodes a header without any white space, with the metadata first.
pub(super) fn encode(header: &Header) -> String {
    let metadata: Vec<_> =
        header.metadata.iter().map(|(name, value)| format!("{}:{}", text(name), text(value))).collect();
    let metadata = (!metadata.is_empty()).then(|| format!("{}:{{{}}}", text(METADATA), metadata.join(",")));
    let members: Vec<_> = metadata.into_iter().chain(header.tensors.iter().map(member)).collect();
    format!("{{{}}}", members.join(","))
}

fn member(Entry { name, kind, shape, start, end }: &Entry) -> String {
    let shape: Vec<_> = shape.iter().map(u64::to_string).collect();
    let (name, kind, shape) = (text(name), text(kind.name()), shape.join(","));
    format!("{name}:{{\"dtype\":{kind},\"shape\":[{shape}],\"data_offsets\":[{start},{end}]}}")
}

/// Encodes a text as a JSON string.
pub(super) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The JSON members of a tensor. Other members are ignored.
#[derive(serde::Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// A value that is built from the members of a JSON object. The names of the members are unique.
pub(super) trait Members<'de>: Default {
    /// Reads the value of the next member.
    fn take<A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> std::result::Result<(), A::Error>;
}

/// A header with its tensors in the order of the text.
#[derive(Default)]
struct Found(Header);

/// A JSON object whose values are strings.
#[derive(Default)]
pub(super) struct Texts(pub(super) Vec<(String, String)>);

impl<'de> Members<'de> for Found {
    fn take<A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> std::result::Result<(), A::Error> {
        if name == METADATA {
            self.0.metadata = map.next_value::<Option<Texts>>()?.unwrap_or_default().0;
        } else {
            self.0.tensors.push(entry(name, map.next_value()?).map_err(A::Error::custom)?);
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Texts {
    fn take<A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> std::result::Result<(), A::Error> {
        self.0.push((name, map.next_value()?));
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Object(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Object(PhantomData))
    }
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Members<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<T, A::Error> {
        let (mut members, mut seen) = (T::default(), HashSet::new());
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("{name:?} a second time")));
            }
            members.take(name, &mut map)?;
        }
        Ok(members)
    }
}

fn entry(
    name: String,
    Info { dtype, shape, data_offsets: (start, end) }: Info,
) -> std::result::Result<Entry, String> {
    let Some(kind) = Kind::from_name(&dtype) else {
        return Err(format!("{name:?}: no dtype is called {dtype:?}"));
    };
    let entry = Entry { name, kind, shape, start, end };
    let takes = || format!("{:?}: {dtype} {:?} takes", entry.name, entry.shape);
    match (entry.size(), end.checked_sub(start)) {
        (Some(size), Some(len)) if size == len => Ok(entry),
        (_, None) => Err(format!("{:?}: its end {end} is before its start {start}", entry.name)),
        (Some(size), Some(len)) => Err(format!("{} {size} bytes, but it has {len}", takes())),
        (None, _) => Err(format!("{} no number of bytes that can be", takes())),
    }
}
