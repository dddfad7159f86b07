//! The names of an object-based checkpoint's variables, which its object graph knows.

use crate::format::crc::Masked;
use crate::format::string_tensor;
use crate::graph::{self, Graph};
use crate::name::Name;
use crate::tensor::Tensor;

/// What ckptfs calls a key's variable, and what the program that saved it did.
pub(super) struct ObjectName {
    pub(super) visible: Name,
    pub(super) full_name: Option<Name>,
}

/// Protobuf's limit for a message, which the graph is.
const MAX_GRAPH: u64 = 2 << 30;

/// The names of `keys`, sorted, by the graph that a tensor holds; by the keys alone if the tensor cannot be read.
///
/// # Errors
/// What is wrong with the graph.
pub(super) fn names(tensor: &Tensor, keys: &[&[u8]]) -> Result<Vec<ObjectName>, String> {
    // Without its data file nothing has held its length against anything.
    if !tensor.is_there() {
        return Ok(keys.iter().map(|key| by_key(key)).collect());
    }
    if tensor.len() > MAX_GRAPH {
        return Err(format!("{} bytes, but an object graph has {MAX_GRAPH} at most", tensor.len()));
    }
    let mut bytes = vec![0; tensor.len() as usize];
    if tensor.file().read_at(&crate::cache::Cache::new(0), &mut bytes, 0).is_err() {
        return Ok(keys.iter().map(|key| by_key(key)).collect());
    }
    let strings = string_tensor::decode(&bytes, 1).map_err(|error| error.to_string())?;
    if tensor.crc32c != Some(string_tensor::checksum(&strings)) {
        let stored = tensor.crc32c.map_or(0, Masked::unmask);
        return Err(format!(
            "its checksum is {}, but {stored} is stored",
            string_tensor::checksum(&strings).unmask()
        ));
    }
    let graph = Graph::decode(strings[0])
        .map_err(|error| format!("the object graph does not parse: {error} of it"))?;
    let named = |name: graph::Name| ObjectName {
        visible: name.visible.into(),
        full_name: name.full_name.map(Name::from),
    };
    Ok(graph.names(keys).into_iter().map(named).collect())
}

fn by_key(key: &[u8]) -> ObjectName {
    ObjectName { visible: graph::key::stem(key).into(), full_name: None }
}
