//! What the keys of a bundle are called: themselves, or what an object graph calls them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::catalog::Variable;
use crate::format::bundle::Slice;
use crate::graph::{self, Graph};
use crate::name::Name;
use crate::tensor::Tensor;

/// A variable whose key is its name.
pub(super) fn name_based((name, tensor): (Name, Tensor)) -> Variable {
    Variable { name, key: None, plain_key: None, full_name: None, tensor: Arc::new(tensor), origin: None }
}

/// Variables under the names that the graph gives their keys; the keys' own without a graph.
pub(super) fn object_based(graph: Option<&Graph>, mut tensors: Vec<(Name, Tensor)>) -> Vec<Variable> {
    let plain = graph.map_or_else(HashMap::new, |graph| take_plain_keys(graph, &mut tensors));
    let keys: Vec<_> = tensors.iter().map(|(key, _)| key.as_bytes()).collect();
    let names: Vec<(Name, Option<Name>)> = match graph {
        Some(graph) => {
            graph.names(&keys).into_iter().map(|n| (n.visible.into(), n.full_name.map(Name::from))).collect()
        }
        None => keys.iter().map(|key| (graph::key::stem(key).into(), None)).collect(),
    };
    let variable = |((name, full_name), (key, tensor))| Variable {
        name,
        plain_key: plain.get(&key).cloned(),
        key: Some(key),
        full_name,
        tensor: Arc::new(tensor),
        origin: None,
    };
    names.into_iter().zip(tensors).map(variable).collect()
}

/// Takes out the keys that are a full name in the graph, and lead to the very bytes that the graph's own key leads to:
/// second keys for programs of TF1. By the graph's key.
fn take_plain_keys(graph: &Graph, tensors: &mut Vec<(Name, Tensor)>) -> HashMap<Name, Name> {
    let find = |key: &[u8]| {
        let at = tensors.binary_search_by(|(other, _)| other.as_bytes().cmp(key)).ok()?;
        Some(&tensors[at].1)
    };
    let is_plain = |key: &[u8]| graph::key::split(key).is_none();
    let candidates: BTreeSet<_> =
        tensors.iter().map(|(key, _)| key.as_bytes()).filter(|key| is_plain(key)).collect();
    if candidates.is_empty() {
        return HashMap::new();
    }
    let attributes = graph.objects().nodes.iter().flat_map(|node| &node.attributes);
    let plain: HashMap<Name, Name> = attributes
        .filter(|attribute| candidates.contains(attribute.full_name.as_bytes()))
        .filter_map(|attribute| {
            let (key, full_name) = (attribute.checkpoint_key.as_bytes(), attribute.full_name.as_bytes());
            same_bytes(find(key)?, find(full_name)?).then(|| (key.into(), full_name.into()))
        })
        .collect();
    let gone: BTreeSet<_> = plain.values().collect();
    tensors.retain(|(key, _)| !gone.contains(key));
    plain
}

fn same_bytes(a: &Tensor, b: &Tensor) -> bool {
    let place = |tensor: &Tensor| -> Vec<_> {
        tensor.ranges().into_iter().map(|(shard, offset, len)| (Arc::as_ptr(shard), offset, len)).collect()
    };
    (a.dtype, &a.shape) == (b.dtype, &b.shape) && slices(a).eq(slices(b)) && place(a) == place(b)
}

fn slices(tensor: &Tensor) -> impl Iterator<Item = &Slice> {
    tensor.parts.iter().flat_map(|parts| parts.iter().map(|part| &part.slice))
}
