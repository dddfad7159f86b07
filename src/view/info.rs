//! `info.json`: everything known about a variable, in one object.

use serde_json::{Value, json};

use super::{FORMATS, Format};
use crate::catalog::{Catalog, Origin, Variable};
use crate::extent::Extent;
use crate::format::crc::Masked;
use crate::name::Name;

/// So many paths are listed; a graph may have exponentially many.
const PATHS: usize = 100;

pub(super) fn text(catalog: &Catalog, variable: &Variable) -> String {
    format!("{:#}\n", json(catalog, variable))
}

/// The variable as a JSON object. `offset` is that in the data file `shard`; both are null where the bytes are computed.
pub(super) fn json(catalog: &Catalog, variable: &Variable) -> Value {
    let tensor = &variable.tensor;
    let (shard, offset) = match tensor.data.as_slice() {
        [Extent::Range { shard, offset, .. }] => (Some(shard.name().into_owned()), Some(*offset)),
        _ => (None, None),
    };
    let mut info = json!({
        "name": text_of(&variable.name),
        "key": text_of(variable.key()),
        "paths": null,
        "full_name": variable.full_name.as_ref().map(text_of),
        "dtype": tensor.dtype.name(),
        "shape": &*tensor.shape.0,
        "bytes": tensor.len(),
        "shard": shard,
        "offset": offset,
        "crc32c": tensor.crc32c.map(Masked::unmask),
        "rule": variable.origin.as_ref().map(rule),
    });
    if catalog.graph().is_some() {
        let mut paths = catalog.paths(variable, PATHS + 1);
        if paths.len() > PATHS {
            paths.truncate(PATHS);
            info["more_paths"] = true.into();
        }
        info["paths"] = paths.iter().map(text_of).collect();
    }
    if str::from_utf8(variable.name.as_bytes()).is_err() {
        info["name_hex"] =
            variable.name.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    }
    let absent =
        |format: &Format| Some((format.name.to_owned(), Value::from((format.file)(variable).err()?)));
    let absent: serde_json::Map<_, _> = FORMATS.iter().filter_map(absent).collect();
    if !absent.is_empty() {
        info["absent"] = absent.into();
    }
    info
}

/// What a rule made of it, and what was done to its value where anything was.
fn rule(origin: &Origin) -> Value {
    let mut rule = json!({"place": &*origin.rule, "from": text_of(&origin.name)});
    if let Some(value) = &origin.value {
        rule["value"] = (**value).into();
    }
    rule
}

/// JSON escapes by itself; what is not UTF-8 it cannot hold.
fn text_of(name: &Name) -> String {
    String::from_utf8_lossy(name.as_bytes()).into_owned()
}
