//! Variables that the base does not have: additional names, or additional objects in its graph.

use std::collections::HashSet;

use crate::catalog::{Catalog, Variable};
use crate::format::object_graph;
use crate::graph::Graph;
use crate::graph::import::{Import, ImportError};
use crate::name::{Name, near_names};
use crate::remap::objects::graph_tensor::objects;
use crate::remap::objects::name_by_graph;
use crate::transform::overlay::Overlay;
use crate::transform::overlay::error::Fault;

/// Adds variables of an overlay to a catalog. Returns their names in the catalog.
pub(crate) fn add(catalog: &mut Catalog, overlay: &Overlay, new: &[&Variable]) -> Result<Vec<Name>, Fault> {
    if new.is_empty() {
        return Ok(vec![]);
    }
    match (&catalog.objects, overlay.catalog.graph()) {
        (None, _) => {
            let plain = |variable: &&Variable| plain((*variable).clone());
            add_sorted(catalog, new.iter().map(plain).collect());
            Ok(new.iter().map(|variable| variable.name.clone()).collect())
        }
        (Some(objects), Some(scion)) => match objects.graph.clone() {
            Some(stock) => add_objects(catalog, overlay, (&stock, scion), new),
            None => Err(no_place(catalog, overlay, new)),
        },
        (Some(_), None) => Err(no_place(catalog, overlay, new)),
    }
}

/// Converts a variable for a checkpoint without a graph: its name is its key.
fn plain(variable: Variable) -> Variable {
    Variable { key: None, plain_key: None, full_name: None, ..variable }
}

fn add_sorted(catalog: &mut Catalog, new: Vec<Variable>) {
    catalog.variables.extend(new);
    catalog.variables.sort_by(|a, b| a.name.cmp(&b.name));
}

/// Builds the error for names that have no place in a graph: a program would not look for them.
fn no_place(catalog: &Catalog, overlay: &Overlay, new: &[&Variable]) -> Fault {
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let nearest = new.first().map(|variable| near_names(&variable.name.to_string(), &names));
    Fault::NoPlace {
        flag: overlay.flag(),
        names: new.iter().map(|variable| variable.name.clone()).collect(),
        nearest: nearest.unwrap_or_default(),
    }
}

fn add_objects(
    catalog: &mut Catalog,
    overlay: &Overlay,
    (stock, scion): (&Graph, &Graph),
    new: &[&Variable],
) -> Result<Vec<Name>, Fault> {
    let (mut graft, mut keys) = (Import::new(stock, scion), keys(catalog));
    let (mut added, mut refused) = (Vec::new(), Vec::new());
    for variable in new {
        let key = graft.add(variable.key().as_bytes()).map(Name::from);
        match key.and_then(|key| if keys.insert(key.clone()) { Ok(key) } else { Err(ImportError::Taken) }) {
            Ok(key) => added.push(Variable { plain_key: None, key: Some(key), ..(*variable).clone() }),
            Err(why) => refused.push((variable.name.clone(), why.to_string())),
        }
    }
    if !refused.is_empty() {
        return Err(Fault::NoObjects { flag: overlay.flag(), objects: refused });
    }
    let keys: HashSet<_> = added.iter().map(|variable| variable.key().clone()).collect();
    catalog.variables.extend(added);
    let merged = graft.finish();
    let bytes = object_graph::encode(&merged);
    let merged = objects(Graph::new(merged), &bytes);
    name_by_graph(&mut catalog.variables, merged.graph.as_deref());
    catalog.objects = Some(merged);
    let is_new = |variable: &&Variable| keys.contains(variable.key());
    Ok(catalog.variables.iter().filter(is_new).map(|variable| variable.name.clone()).collect())
}

/// Returns the keys of all variables.
fn keys(catalog: &Catalog) -> HashSet<Name> {
    let keys = |variable: &Variable| [Some(variable.key().clone()), variable.plain_key.clone()];
    catalog.variables.iter().flat_map(keys).flatten().collect()
}
