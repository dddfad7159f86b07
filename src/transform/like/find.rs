//! The match of each wanted variable with a variable of the source: by key, then by path, then by full name.
//!
//! A path or a key may contain only a *position*: `_operations/2`, `layer-1`, and `optimizer/_trainable_variables/0`,
//! which compiled Keras 3 models use in the keys of their weights. After a layer is inserted, the same positions mean
//! other variables. So positions come last and decide only about variables that no name has claimed. If a position
//! and a full name disagree, either may be right, so the match is ambiguous. A full name counts only if it is unique
//! on both sides.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::catalog::{Catalog, Variable};
use crate::format::object_graph::NodeId;
use crate::graph::key;

/// The match for a wanted variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Candidates {
    /// One variable of the source, by its index.
    One(usize, How),
    /// The absence of a match.
    None,
    /// Several variables, each with the reason for it.
    Many(Vec<(usize, How)>),
}

/// The reason for a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    Key,
    Path,
    FullName,
    Position,
}

impl How {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Key => "by key",
            Self::Path => "by path",
            Self::FullName => "by full name",
            Self::Position => "by position",
        }
    }
}

/// The edge below which Keras 3's optimizers list the weights that they train.
const WEIGHTS: &[u8] = b"_trainable_variables";
/// The maximum number of paths of a variable that are tried, shortest first.
const PATHS: usize = 64;

/// Returns the match for each of the wanted variables.
pub(crate) fn find(source: &Catalog, wanted: &Catalog) -> Vec<Candidates> {
    let (source, full_names) = (Index::new(source), full_names(wanted));
    let spoken_for = |variable| {
        let names = Names::new(wanted, variable);
        let alone = full_name(wanted, variable).filter(|name| full_names[name].is_some());
        (source.by_name(&names, alone), source.by_position(&names), source.by_any_full_name(wanted, variable))
    };
    let all: Vec<_> = wanted.variables.iter().map(spoken_for).collect();
    let claimed: HashSet<usize> =
        all.iter().filter_map(|(named, ..)| Some(named.first().filter(|_| named.len() == 1)?.0)).collect();
    all.into_iter().map(|(named, placed, any)| choose(named, placed, any, &claimed)).collect()
}

type Hits = Vec<(usize, How)>;

fn choose(named: Hits, placed: Hits, any: Hits, claimed: &HashSet<usize>) -> Candidates {
    match (&named[..], &placed[..]) {
        ([(one, How::FullName)], [_, ..]) if placed.iter().any(|(other, _)| other != one) => {
            Candidates::Many([named, placed].concat())
        }
        (&[(one, how)], _) => Candidates::One(one, how),
        ([], &[(one, how)]) if !claimed.contains(&one) => Candidates::One(one, how),
        ([], &[_]) => Candidates::None,
        ([], []) => several(any),
        ([], _) => several(placed),
        _ => several(named),
    }
}

fn several(hits: Hits) -> Candidates {
    if hits.len() < 2 { Candidates::None } else { Candidates::Many(hits) }
}

/// The names by which a variable may be found.
struct Names<'a> {
    key: &'a [u8],
    paths: Vec<Vec<u8>>,
}

impl<'a> Names<'a> {
    fn new(catalog: &Catalog, variable: &'a Variable) -> Self {
        let key = variable.key().as_bytes();
        let attribute = key::split(key).map(|(_, attribute)| attribute);
        let attribute = attribute.filter(|attribute| *attribute != key::VARIABLE_VALUE.as_bytes());
        let whole = |path: crate::name::Name| match attribute {
            Some(attribute) => [path.as_bytes(), key::ATTRIBUTES.as_bytes(), attribute].concat(),
            None => path.as_bytes().to_vec(),
        };
        let mut paths: Vec<_> = catalog.paths(variable, PATHS).into_iter().map(whole).collect();
        let visible = variable.name.as_bytes();
        if !paths.iter().any(|path| path == visible) {
            paths.push(visible.to_vec());
        }
        Self { key, paths }
    }
}

/// The source's variables by all their names.
struct Index<'a> {
    catalog: &'a Catalog,
    keys: HashMap<&'a [u8], usize>,
    nodes: HashMap<(NodeId, &'a [u8]), usize>,
    full_names: HashMap<&'a [u8], Option<usize>>,
}

impl<'a> Index<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        let (mut keys, mut nodes) = (HashMap::new(), HashMap::new());
        for (at, variable) in catalog.variables.iter().enumerate() {
            let key = variable.key().as_bytes();
            keys.extend(variable.plain_key.iter().map(|key| (key.as_bytes(), at)).chain([(key, at)]));
            let node = catalog.graph().and_then(|graph| graph.owner(key));
            nodes.extend(node.zip(key::split(key)).map(|(node, (_, attribute))| ((node, attribute), at)));
        }
        Self { catalog, keys, nodes, full_names: full_names(catalog) }
    }

    /// Returns the candidates of the first kind of name that has any.
    fn by_name(&self, names: &Names<'_>, full_name: Option<&[u8]>) -> Hits {
        let by_key = Some(names.key).filter(|key| !is_position(key)).and_then(|key| self.keys.get(key));
        if let Some(&at) = by_key {
            return vec![(at, How::Key)];
        }
        let paths = names.paths.iter().filter(|path| !is_position(path));
        let by_path = distinct(paths.filter_map(|path| self.path(path)), How::Path);
        if !by_path.is_empty() {
            return by_path;
        }
        let by_full_name = full_name.and_then(|name| *self.full_names.get(name)?);
        distinct(by_full_name, How::FullName)
    }

    /// Returns the candidates by position. Positions in an optimizer's list of weights count only if the variable has
    /// no other path.
    fn by_position(&self, names: &Names<'_>) -> Hits {
        let lists = |path: &&Vec<u8>| path.split(|&byte| byte == b'/').any(|edge| edge == WEIGHTS);
        let outside = names.paths.iter().any(|path| !lists(&path));
        let paths = names.paths.iter().filter(|path| is_position(path) && !(outside && lists(path)));
        let by_path = distinct(paths.filter_map(|path| self.path(path)), How::Position);
        if outside || !by_path.is_empty() {
            return by_path;
        }
        let by_key =
            Some(names.key).filter(|key| is_position(key)).and_then(|key| self.keys.get(key).copied());
        distinct(by_key, How::Position)
    }

    /// Returns all variables that have the same full name, if several have it.
    fn by_any_full_name(&self, wanted: &Catalog, variable: &Variable) -> Hits {
        let Some(name) = full_name(wanted, variable) else { return vec![] };
        let same = self.full_names.get(name).is_some_and(Option::is_none);
        let all = self.catalog.variables.iter().enumerate();
        let all = all.filter(|(_, variable)| same && full_name(self.catalog, variable) == Some(name));
        all.map(|(at, _)| (at, How::FullName)).collect()
    }

    /// Returns the variable at the end of a path, escaped or not.
    fn path(&self, path: &[u8]) -> Option<usize> {
        spellings(path).iter().find_map(|path| self.by_path(path))
    }

    fn by_path(&self, path: &[u8]) -> Option<usize> {
        let variables = &self.catalog.variables;
        let visible = variables.binary_search_by(|variable| variable.name.as_bytes().cmp(path)).ok();
        let (object, attribute) = key::split(path).unwrap_or((path, key::VARIABLE_VALUE.as_bytes()));
        let node = || self.catalog.graph()?.resolve(str::from_utf8(object).ok()?);
        visible.or_else(|| self.nodes.get(&(node()?, attribute)).copied())
    }
}

/// Returns the distinct indices in their original order.
fn distinct(found: impl IntoIterator<Item = usize>, how: How) -> Hits {
    let mut seen = HashSet::new();
    found.into_iter().filter(|&at| seen.insert(at)).map(|at| (at, how)).collect()
}

/// Returns a path as it is and, if different, as escaped in a graph and as unescaped in plain names.
fn spellings(path: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut all = vec![Cow::Borrowed(path)];
    let text = str::from_utf8(path).ok().filter(|text| text.contains('.') && key::split(path).is_none());
    if let Some(text) = text {
        let escaped: Vec<_> = text.split('/').map(key::escape).collect();
        all.push(Cow::Owned(escaped.join("/").into_bytes()));
        all.extend(key::components(text).map(|components| Cow::Owned(components.join("/").into_bytes())));
    }
    all
}

/// Returns true if a path or a key contains a position: a number as a component, or `layer-1`.
fn is_position(path: &[u8]) -> bool {
    let path = key::split(path).map_or(path, |(path, _)| path);
    let numbered = |component: &[u8]| {
        let digits = component.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let rest = &component[..component.len() - digits];
        digits > 0 && (rest.is_empty() || rest.ends_with(b"-"))
    };
    path.split(|&byte| byte == b'/').any(numbered)
}

/// Returns each full name with the variable that has it, or with `None` if several have it.
fn full_names(catalog: &Catalog) -> HashMap<&[u8], Option<usize>> {
    let mut names: HashMap<_, _> = HashMap::new();
    for (at, variable) in catalog.variables.iter().enumerate() {
        if let Some(name) = full_name(catalog, variable) {
            names.entry(name).and_modify(|one| *one = None).or_insert(Some(at));
        }
    }
    names
}

/// Returns the name in the program that saved the variable. In a name-based checkpoint, that is the name.
fn full_name<'a>(catalog: &Catalog, variable: &'a Variable) -> Option<&'a [u8]> {
    let plain = || catalog.objects.is_none().then_some(&variable.name);
    let name = variable.full_name.as_ref().or(variable.plain_key.as_ref()).or_else(plain)?;
    Some(name.as_bytes()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_components_are_positions() {
        for position in [
            "model/_operations/2/_kernel",
            "optimizer/_trainable_variables/0/.ATTRIBUTES/VARIABLE_VALUE",
            "layer-1/kernel",
            "layer_with_weights-0/bias",
            "0",
        ] {
            assert!(is_position(position.as_bytes()), "{position}");
        }
        for name in ["encoder/layer_0/kernel", "dense_1/kernel", "conv2d/kernel", "a-b", "v2"] {
            assert!(!is_position(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_name_and_a_position_that_disagree_give_two_candidates() {
        let (named, placed) = (vec![(1, How::FullName)], vec![(2, How::Position)]);
        let none = HashSet::new();
        let both = Candidates::Many(vec![(1, How::FullName), (2, How::Position)]);
        assert_eq!(choose(named.clone(), placed.clone(), vec![], &none), both);
        assert_eq!(
            choose(vec![(1, How::Path)], placed.clone(), vec![], &none),
            Candidates::One(1, How::Path)
        );
        assert_eq!(choose(vec![], placed.clone(), vec![], &none), Candidates::One(2, How::Position));
        assert_eq!(choose(vec![], placed, vec![], &HashSet::from([2])), Candidates::None);
    }
}
