//! The tensor that holds an object graph.

use std::sync::Arc;

use crate::catalog::Objects;
use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::string_tensor;
use crate::graph::Graph;
use crate::tensor::{Shape, Tensor};

/// Returns the graph as a scalar string tensor, which is its form in a bundle.
pub(crate) fn tensor(bytes: &[u8]) -> Tensor {
    let (data, crc32c) = string_tensor::encode(&[bytes]);
    let data = vec![Extent::Inline(data.into())];
    Tensor::new(Dtype::String, Shape::default(), data, Some(crc32c))
}

/// Returns the objects of a catalog: the graph, and the tensor with its serialized `bytes`.
pub(crate) fn objects(graph: Graph, bytes: &[u8]) -> Objects {
    Objects { graph: Some(Arc::new(graph)), tensor: Arc::new(tensor(bytes)) }
}
