//! The names by which a variable may be found: paths of the object graph, and the full name.

use std::collections::HashMap;

use crate::catalog::{Catalog, Variable};
use crate::graph::key;
use crate::name::Name;
use crate::remap::objects::plan::selection::TRAINED;

/// The maximum number of paths of a variable that are tried, shortest first.
const PATHS: usize = 64;

/// The names of one variable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// The paths, unescaped. For a name-based checkpoint, the name.
    pub(crate) paths: Vec<Vec<u8>>,
    /// The name in the program that saved the variable. For a name-based checkpoint that records none, the name.
    pub(crate) full_name: Option<Vec<u8>>,
}

impl Names {
    /// Returns the names of a variable.
    pub(crate) fn new(catalog: &Catalog, variable: &Variable) -> Self {
        Self { paths: paths(catalog, variable), full_name: full_name(catalog, variable) }
    }

    /// Returns all names.
    pub(crate) fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.paths.iter().chain(&self.full_name).map(Vec::as_slice)
    }
}

/// Returns the names of each variable.
pub(crate) fn names(catalog: &Catalog) -> Vec<Names> {
    catalog.variables.iter().map(|variable| Names::new(catalog, variable)).collect()
}

fn paths(catalog: &Catalog, variable: &Variable) -> Vec<Vec<u8>> {
    let key = variable.key().as_bytes();
    let attribute = key::split(key).map(|(_, attribute)| attribute);
    let attribute = attribute.filter(|attribute| *attribute != key::VARIABLE_VALUE.as_bytes());
    let whole = |path: Name| match attribute {
        Some(attribute) => [&unescaped(path.as_bytes())[..], key::ATTRIBUTES.as_bytes(), attribute].concat(),
        None => unescaped(path.as_bytes()),
    };
    let mut paths: Vec<_> = catalog.paths(variable, PATHS).into_iter().map(whole).collect();
    // Positions in an optimizer's list of weights count only if the variable has no other path.
    let lists = |path: &Vec<u8>| path.split(|&byte| byte == b'/').any(|edge| edge == TRAINED.as_bytes());
    if paths.iter().any(|path| !lists(path)) {
        paths.retain(|path| !lists(path));
    }
    if paths.is_empty() {
        paths.push(variable.name.as_bytes().to_vec());
    }
    paths
}

/// Returns a path of the object graph as a plain name.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let components = str::from_utf8(path).ok().and_then(key::components);
    components.map_or_else(|| path.to_vec(), |components| components.join("/").into_bytes())
}

/// Returns the name in the program that saved the variable. In a name-based checkpoint, that is the name.
fn full_name(catalog: &Catalog, variable: &Variable) -> Option<Vec<u8>> {
    let plain = || catalog.objects.is_none().then_some(&variable.name);
    let name = variable.full_name.as_ref().or(variable.plain_key.as_ref()).or_else(plain)?;
    Some(name.as_bytes().to_vec()).filter(|name| !name.is_empty())
}

/// Returns each full name with the variable that has it, or with `None` if several have it.
pub(crate) fn full_names(names: &[Names]) -> HashMap<&[u8], Option<usize>> {
    let mut found: HashMap<_, _> = HashMap::new();
    for (at, name) in names.iter().enumerate() {
        if let Some(name) = &name.full_name {
            found.entry(name.as_slice()).and_modify(|one| *one = None).or_insert(Some(at));
        }
    }
    found
}

/// Returns a variable's name in the program's own words: the full name if the path leads through numbers or private
/// edges, which users do not write.
pub(crate) fn in_words(variable: &Variable) -> Name {
    let obscure = |component: &[u8]| {
        component.starts_with(b"_")
            || component.iter().all(u8::is_ascii_digit)
            || component.starts_with(b"layer-")
            || component.starts_with(b"layer_with_weights-")
    };
    let mut scopes = variable.name.as_bytes().rsplit(|&byte| byte == b'/').skip(1);
    let is_obscure = scopes.any(obscure);
    let full_name = variable.full_name.as_ref().filter(|name| is_obscure && name.as_bytes().contains(&b'/'));
    full_name.unwrap_or(&variable.name).clone()
}
