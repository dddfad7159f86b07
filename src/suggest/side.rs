//! One of the two lists of variables, with what the suggestion compares: templates, numbers, modules, siblings.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::dtype::Dtype;
use crate::suggest::Item;
use crate::suggest::slot::Slot;
use crate::suggest::words::{Meaning, NUMBER, Parts};
use crate::tensor::Shape;

/// One of the two lists, in the natural order of its names: `layer_2` before `layer_10`.
pub(crate) struct Side {
    pub(crate) variables: Vec<Variable>,
    /// The variables whose names differ only in numbers.
    pub(crate) templates: Vec<Group>,
    /// The variables of a template whose layers also have the same number of variables of the same ranks.
    pub(crate) modules: Vec<Group>,
    /// The variables of each layer.
    pub(crate) parents: Vec<Vec<usize>>,
}

/// A variable, as the suggestion sees it.
pub(crate) struct Variable {
    /// The index into the list that was given.
    pub(crate) item: usize,
    pub(crate) shape: Shape,
    pub(crate) kind: Kind,
    pub(crate) numbers: Vec<u64>,
    /// The indexes of its groups.
    pub(crate) template: usize,
    pub(crate) module: usize,
    pub(crate) parent: usize,
}

/// The kind of a variable. Variables of different kinds never pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    state: Option<String>,
    class: u8,
}

/// The variables whose names differ only in numbers.
pub(crate) struct Group {
    pub(crate) members: Vec<usize>,
    /// The numbers that differ between members.
    pub(crate) slots: Vec<Slot>,
    pub(crate) meaning: Meaning,
}

impl Side {
    /// Reads a list. `names` are the names to compare, one for each item.
    pub(crate) fn new(items: &[Item], names: &[String]) -> Self {
        let names = with_zeros(names);
        let mut parts: Vec<(usize, &str, Parts)> =
            names.iter().enumerate().map(|(at, name)| (at, name.as_str(), Parts::of(name))).collect();
        parts.sort_by_cached_key(|(at, name, parts)| (natural(parts), *name, &items[*at].name));
        let (mut families, mut templates, mut modules) =
            (Index::default(), Index::default(), Index::default());
        let parents: Vec<usize> =
            parts.iter().map(|(_, name, _)| families.of(parent(name).to_owned())).collect();
        let mut ranks: Vec<Vec<usize>> = vec![vec![]; families.len()];
        parents.iter().zip(&parts).for_each(|(at, (item, ..))| ranks[*at].push(items[*item].shape.0.len()));
        ranks.iter_mut().for_each(|ranks| ranks.sort_unstable());
        let mut variables = Vec::with_capacity(parts.len());
        for ((item, _, parts), parent) in parts.iter().zip(parents) {
            let template = templates.of(parts.template.clone());
            let module = modules.of((template, ranks[parent].clone()));
            let Item { shape, dtype, state, .. } = &items[*item];
            let state = state.as_ref().map(|state| state.kind.clone());
            let kind = Kind { state, class: class(*dtype) };
            let (shape, numbers) = (shape.clone(), parts.numbers.clone());
            variables.push(Variable { item: *item, shape, kind, numbers, template, module, parent });
        }
        let counters = Counters::new(parts.iter().map(|(.., parts)| parts));
        let texts: Vec<&str> = templates.keys().into_iter().map(String::as_str).collect();
        let group = |members: Vec<usize>| {
            let text = members.first().map_or("", |at| texts[variables[*at].template]);
            let numbers: Vec<&[u64]> = members.iter().map(|at| variables[*at].numbers.as_slice()).collect();
            let slots = Slot::all(&numbers, |at| counters.is_whole(text, at));
            Group { members, slots, meaning: Meaning::of(text) }
        };
        let grouped = |of: fn(&Variable) -> usize, count| {
            let mut groups: Vec<Vec<usize>> = vec![vec![]; count];
            variables.iter().enumerate().for_each(|(at, variable)| groups[of(variable)].push(at));
            groups
        };
        let templates: Vec<_> =
            grouped(|variable| variable.template, templates.len()).into_iter().map(group).collect();
        let modules: Vec<_> =
            grouped(|variable| variable.module, modules.len()).into_iter().map(group).collect();
        let parents = grouped(|variable| variable.parent, families.len());
        Self { variables, templates, modules, parents }
    }
}

impl Side {
    /// Returns the template of a module.
    pub(crate) fn template_of(&self, module: usize) -> usize {
        self.variables[self.modules[module].members[0]].template
    }
}

/// The numbers that follow each beginning of a template.
struct Counters(HashMap<String, BTreeSet<u64>>);

impl Counters {
    fn new<'p>(names: impl Iterator<Item = &'p Parts>) -> Self {
        let mut counters: HashMap<String, BTreeSet<u64>> = HashMap::new();
        for Parts { template, numbers } in names {
            for ((end, _), number) in template.match_indices(NUMBER).zip(numbers) {
                match counters.get_mut(&template[..end]) {
                    Some(known) => _ = known.insert(*number),
                    None => _ = counters.insert(template[..end].to_owned(), BTreeSet::from([*number])),
                }
            }
        }
        Self(counters)
    }

    /// Returns true if the numbers at a position have no gap.
    fn is_whole(&self, template: &str, at: usize) -> bool {
        let end = template.match_indices(NUMBER).nth(at).map_or(0, |(end, _)| end);
        let known = self.0.get(&template[..end]);
        known.is_some_and(|known| match (known.first(), known.last()) {
            (Some(first), Some(last)) => last - first == known.len() as u64 - 1,
            _ => false,
        })
    }
}

/// The numbers of keys, in the order in which they were first met.
struct Index<K>(BTreeMap<K, usize>);

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Index<K> {
    fn of(&mut self, key: K) -> usize {
        let next = self.0.len();
        *self.0.entry(key).or_insert(next)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the keys by their numbers.
    fn keys(&self) -> Vec<&K> {
        let mut keys: Vec<(&K, &usize)> = self.0.iter().collect();
        keys.sort_by_key(|(_, at)| **at);
        keys.into_iter().map(|(key, _)| key).collect()
    }
}

/// Returns the names with `dense_0` for `dense` where there is also a `dense_1`: as a component, or in a name like
/// `adam/sequential_dense_kernel_velocity`.
fn with_zeros(names: &[String]) -> Vec<String> {
    let known: HashSet<String> =
        names.iter().flat_map(|name| ends(name).map(|end| Parts::of(&name[..end]).template)).collect();
    let components: Vec<String> = names.iter().map(|name| with_zero_components(name, &known)).collect();
    let templates: HashSet<String> = components.iter().map(|name| Parts::of(name).template).collect();
    let counted = templates.iter().flat_map(|template| {
        let numbers = template.match_indices(COUNTED).map(|(at, _)| at);
        numbers.map(move |at| ([&template[..at], &template[at + COUNTED.len()..]].concat(), at))
    });
    let mut places: HashMap<String, BTreeSet<usize>> = HashMap::new();
    counted.filter(|(without, _)| templates.contains(without)).for_each(|(without, at)| {
        places.entry(without).or_default().insert(at);
    });
    let one = |name: String| match places.get(&Parts::of(&name).template) {
        Some(places) => with_zero_at(&name, places),
        None => name,
    };
    components.into_iter().map(one).collect()
}

/// A number after a word, as Keras counts.
const COUNTED: &str = "_#";

/// Iterates over the ends of a name's components.
fn ends(name: &str) -> impl Iterator<Item = usize> {
    name.match_indices(['/', '.']).map(|(at, _)| at).chain([name.len()])
}

fn with_zero_components(name: &str, known: &HashSet<String>) -> String {
    let (mut renamed, mut start) = (String::with_capacity(name.len()), 0);
    for end in ends(name) {
        renamed.push_str(&name[start..end]);
        let is_word =
            end > 0 && !name[..end].ends_with(|c: char| c.is_ascii_digit() || ['/', '.'].contains(&c));
        if is_word && known.contains(&(Parts::of(&name[..end]).template + COUNTED)) {
            renamed.push_str("_0");
        }
        start = end;
    }
    renamed
}

/// Inserts zeros at places of a name's template.
fn with_zero_at(name: &str, places: &BTreeSet<usize>) -> String {
    let Parts { template, numbers } = Parts::of(name);
    let (mut renamed, mut numbers) = (String::new(), numbers.into_iter());
    for (at, c) in template.char_indices() {
        if places.contains(&at) {
            renamed.push_str("_0");
        }
        match c {
            NUMBER => renamed.extend(numbers.next().map(|number| number.to_string())),
            c => renamed.push(c),
        }
    }
    renamed
}

/// Returns the name of the layer that a variable is in.
fn parent(name: &str) -> &str {
    name.rsplit_once('/').or_else(|| name.rsplit_once('.')).map_or("", |(parent, _)| parent)
}

/// Returns the key of the natural order.
fn natural(parts: &Parts) -> Vec<(String, u64)> {
    let numbers = parts.numbers.iter().copied().chain(std::iter::repeat(0));
    parts.template.split(NUMBER).map(str::to_owned).zip(numbers).collect()
}

fn class(dtype: Dtype) -> u8 {
    match dtype.name() {
        name if name.contains("float") => 0,
        name if name.contains("int") => 1,
        name if name.starts_with("complex") => 2,
        "bool" => 3,
        "string" => 4,
        _ => 5,
    }
}
