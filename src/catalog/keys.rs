//! The names of the variables of a bundle: the keys themselves, or the names that an object graph gives them.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use crate::catalog::{Catalog, Variable};
use crate::format::bundle::Slice;
use crate::format::object_graph::NodeId;
use crate::graph;
use crate::graph::Graph;
use crate::name::Name;
use crate::tensor::Tensor;

/// Returns a variable whose name is its key.
pub(crate) fn name_based((name, tensor): (Name, Arc<Tensor>)) -> Variable {
    Variable { name, key: None, plain_key: None, full_name: None, tensor, origin: None }
}

/// Returns the variables under the names that the graph gives their keys. Without a graph, the names are derived from
/// the keys.
pub(crate) fn object_based(graph: Option<&Graph>, tensors: Vec<(Name, Arc<Tensor>)>) -> Vec<Variable> {
    match graph {
        Some(graph) => named_by(graph, tensors),
        None => tensors.into_iter().map(named_by_key).collect(),
    }
}

fn named_by_key((key, tensor): (Name, Arc<Tensor>)) -> Variable {
    Variable { key: Some(key.clone()), ..name_based((graph::key::stem(key.as_bytes()).into(), tensor)) }
}

fn named_by(graph: &Graph, tensors: Vec<(Name, Arc<Tensor>)>) -> Vec<Variable> {
    let nodes: Vec<_> = tensors.iter().map(|(key, _)| graph.owner(key.as_bytes())).collect();
    let plain = plain_keys(graph, &tensors, &nodes);
    let mut is_plain = vec![false; tensors.len()];
    plain.iter().flatten().for_each(|at| is_plain[*at] = true);
    let plain_keys: Vec<_> = plain.into_iter().map(|at| Some(tensors[at?].0.clone())).collect();
    let keys = tensors.iter().map(|(key, _)| key.as_bytes()).zip(nodes);
    let keys: Vec<_> = keys.zip(&is_plain).filter(|(_, is_plain)| !**is_plain).map(|(key, _)| key).collect();
    let names: Vec<_> = graph.names_with(&keys, &HashMap::default());
    let names: Vec<(Name, Option<Name>)> =
        names.into_iter().map(|name| (name.visible.into(), name.full_name.map(Name::from))).collect();
    let own = tensors.into_iter().zip(plain_keys).zip(is_plain).filter(|(_, is_plain)| !is_plain);
    let variable = |((name, full_name), (((key, tensor), plain_key), _))| Variable {
        name,
        key: Some(key),
        plain_key,
        full_name,
        tensor,
        origin: None,
    };
    names.into_iter().zip(own).map(variable).collect()
}

/// Returns true if a graph of another checkpoint has exactly the keys of this catalog, so that it can replace a lost one.
pub(crate) fn is_graph_of(graph: &Graph, catalog: &Catalog) -> bool {
    let keys =
        catalog.variables.iter().flat_map(|variable| variable.plain_key.iter().chain([variable.key()]));
    let keys: HashSet<&[u8]> = keys.map(Name::as_bytes).collect();
    let nodes = graph.objects().nodes.iter();
    let named: HashSet<&[u8]> = nodes
        .flat_map(|node| node.attributes.iter().map(|attribute| attribute.checkpoint_key.as_bytes()))
        .collect();
    let is_in_graph = |key: &&&[u8]| graph::key::split(key).is_some();
    named.iter().all(|key| keys.contains(key))
        && keys.iter().filter(is_in_graph).all(|key| named.contains(key))
}

/// For each key in the graph, returns the second key of the same value, which TF1 programs use. It is the key without
/// an object path that equals the full name in the graph and refers to the same bytes.
fn plain_keys(
    graph: &Graph,
    tensors: &[(Name, Arc<Tensor>)],
    nodes: &[Option<NodeId>],
) -> Vec<Option<usize>> {
    let others = (0..tensors.len()).filter(|at| graph::key::split(tensors[*at].0.as_bytes()).is_none());
    let others: HashMap<&[u8], usize> = others.map(|at| (tensors[at].0.as_bytes(), at)).collect();
    let plain = |((key, tensor), node): (&(Name, Arc<Tensor>), &Option<NodeId>)| {
        let mut attributes = graph.objects().nodes[(*node)?].attributes.iter();
        let attribute = attributes.find(|attribute| attribute.checkpoint_key.as_bytes() == key.as_bytes())?;
        let at = *others.get(attribute.full_name.as_bytes())?;
        same_bytes(tensor, &tensors[at].1).then_some(at)
    };
    tensors.iter().zip(nodes).map(plain).collect()
}

fn same_bytes(a: &Tensor, b: &Tensor) -> bool {
    let place = |tensor: &Tensor| -> Vec<_> {
        tensor.ranges().into_iter().map(|(shard, offset, len)| (Arc::as_ptr(shard), offset, len)).collect()
    };
    (a.dtype, &a.shape) == (b.dtype, &b.shape) && slices(a).eq(slices(b)) && place(a) == place(b)
}

fn slices(tensor: &Tensor) -> impl Iterator<Item = &Slice> {
    tensor.parts().into_iter().flat_map(|parts| parts.iter().map(|part| &part.slice))
}
