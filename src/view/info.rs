//! The `info.json` file: everything known about a variable, in one object.

use serde_json::{Value, json};

use crate::catalog::{Catalog, Origin, Variable, VariableInit};
use crate::extent::Extent;
use crate::format::crc::Masked;
use crate::name::Name;
use crate::tensor::Tensor;
use crate::tensor::slices::Part;
use crate::view::FORMATS;
use crate::view::form::Format;

/// The maximum number of listed paths; a graph may have exponentially many.
const PATHS: usize = 100;

pub(super) fn text(catalog: &Catalog, variable: &Variable) -> String {
    format!("{:#}\n", json(catalog, variable))
}

/// Returns the variable as a JSON object. `offset` is the offset in the data file `shard`. Both are null if the bytes
/// are computed, or are in several places.
pub(super) fn json(catalog: &Catalog, variable: &Variable) -> Value {
    let tensor = &variable.tensor;
    let mut info = json!({
        "name": text_of(&variable.name),
        "key": text_of(variable.key()),
        "paths": null,
        "full_name": variable.full_name.as_ref().map(text_of),
        "dtype": tensor.dtype.name(),
        "shape": &*tensor.shape.0,
        "bytes": tensor.len(),
        "shard": null,
        "offset": null,
        "crc32c": null,
        "rule": variable.origin.as_ref().map(rule),
    });
    stored(tensor, &mut info);
    if let Some(damage) = tensor.damage() {
        info["damaged"] = (*damage.what).into();
    }
    if let Some(parts) = tensor.parts() {
        info["slices"] = parts.iter().map(slice).collect();
    }
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
    if let Some(source) = catalog.other_source(variable) {
        info["source"] = source.into();
    }
    if let Some(VariableInit { created, is_trainable }) = catalog.variable_init(variable) {
        info["created"] = created.into();
        info["trainable"] = is_trainable.into();
    }
    let absent =
        |format: &Format| Some((format.name.to_owned(), Value::from((format.file)(variable).err()?)));
    let absent: serde_json::Map<_, _> = FORMATS.iter().filter_map(absent).collect();
    if !absent.is_empty() {
        info["absent"] = absent.into();
    }
    info
}

/// Fills in the location and the checksum of the bytes as the source stores them, in either byte order.
fn stored(tensor: &Tensor, info: &mut Value) {
    let stored = tensor.stored().map_or(tensor, |stored| stored);
    let (shard, offset) = match (&*stored.data, stored.damage().and_then(|damage| damage.range.as_ref())) {
        ([Extent::Range { file, offset, .. }], _) | (_, Some((file, offset, _))) => {
            (Some(file.name().into_owned()), Some(*offset))
        }
        _ => (None, None),
    };
    (info["shard"], info["offset"]) = (shard.into(), offset.into());
    info["crc32c"] = stored.crc32c.map(Masked::unmask).into();
    if tensor.stored().is_some() {
        info["byte_order"] = "big".into();
    }
}

fn slice(part: &Part) -> Value {
    let start: Vec<_> = part.slice.iter().map(|extent| extent.start).collect();
    let mut slice = json!({ "start": start, "shape": &*part.tensor.shape.0, "bytes": part.tensor.len() });
    stored(&part.tensor, &mut slice);
    slice
}

/// Returns the rule that produced the variable, and the change of its value if there is one.
fn rule(origin: &Origin) -> Value {
    let mut rule = json!({"place": &*origin.rule, "from": text_of(&origin.name)});
    if let Some(value) = &origin.value {
        rule["value"] = (**value).into();
    }
    rule
}

/// Converts a name to text. JSON escapes control characters, but cannot contain bytes that are not UTF-8: these are
/// replaced.
fn text_of(name: &Name) -> String {
    String::from_utf8_lossy(name.as_bytes()).into_owned()
}
