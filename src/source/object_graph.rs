//! The object graph of an object-based checkpoint: the one tensor that is read when a checkpoint is opened, because
//! names live in it.

use crate::cache::Cache;
use crate::format::crc::Masked;
use crate::format::string_tensor;
use crate::graph::Graph;
use crate::tensor::Tensor;

/// Protobuf's limit for a message, which the graph is.
const MAX_GRAPH: u64 = 2 << 30;

/// The graph that a tensor holds; none if its data file is missing, which leaves names to the keys.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(tensor: &Tensor) -> Result<Option<Graph>, String> {
    // Without its data file nothing has held its length against anything.
    if !tensor.is_there() {
        return Ok(None);
    }
    if tensor.len() > MAX_GRAPH {
        return Err(format!("{} bytes, but an object graph has {MAX_GRAPH} at most", tensor.len()));
    }
    let mut bytes = vec![0; tensor.len() as usize];
    if tensor.file().read_at(&Cache::new(0), &mut bytes, 0).is_err() {
        return Ok(None);
    }
    let strings = string_tensor::decode(&bytes, 1).map_err(|error| error.to_string())?;
    let [graph] = strings.as_slice() else { return Err(format!("{} strings instead of one", strings.len())) };
    let (stored, actual) =
        (tensor.crc32c.map_or(0, Masked::unmask), string_tensor::checksum(&strings).unmask());
    if stored != actual {
        return Err(format!("its checksum is {actual}, but {stored} is stored"));
    }
    Graph::decode(graph).map(Some).map_err(|error| format!("the object graph does not parse: {error} of it"))
}
