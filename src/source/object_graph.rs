//! The object graph of an object-based checkpoint: the one tensor that is read when a checkpoint is opened, because
//! names live in it.

use std::io;

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
    let decode = |_: &[u8], strings: &[&[u8]]| match strings {
        [graph] => Graph::decode(graph)
            .map(Some)
            .map_err(|error| format!("the object graph does not parse: {error} of it")),
        _ => Err(format!("{} strings instead of one", strings.len())),
    };
    match tensor.with_elements(decode) {
        Ok(graph) => graph,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error.to_string()),
        Err(_) => Ok(None),
    }
}
