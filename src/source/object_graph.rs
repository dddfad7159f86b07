//! The object graph of an object-based checkpoint. It is the only tensor that is read when a bundle is opened,
//! because the names of the variables are in it.

use std::io;

use crate::graph::Graph;
use crate::tensor::Tensor;

/// Protobuf's limit for a message. The graph is one message.
const MAX_GRAPH: u64 = 2 << 30;

/// Returns the graph in a tensor. Returns `None` if the data file is missing; then the checkpoint keys give the
/// names.
///
/// # Errors
/// A description of the fault in the graph.
pub(super) fn read(tensor: &Tensor) -> Result<Option<Graph>, String> {
    // If the data file is missing, the tensor's length was not checked against it.
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
