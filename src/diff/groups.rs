//! The groups of counting names that the two sides do not count alike, in words: `dense, dense_1` in HAVE, `dense, dense_1,
//! dense_2` in WANT.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::diff::words;
use crate::name::Name;
use crate::tensor::Shape;
use crate::transform::like::align::Group;
use crate::transform::like::candidates::Checkpoint;

/// A layer or a variable of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// The name in the words of the program.
    pub(crate) name: String,
    /// The shape of its largest variable.
    pub(crate) shape: Option<Shape>,
    /// Its variables.
    pub(crate) variables: BTreeSet<usize>,
}

/// A group: its layers on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layers {
    pub(crate) have: Vec<Layer>,
    pub(crate) want: Vec<Layer>,
}

impl Layers {
    /// Returns the difference in words.
    pub(crate) fn heading(&self) -> String {
        let (have, want) = (self.have.len(), self.want.len());
        match have.cmp(&want) {
            Ordering::Less => format!("{} more in WANT than in HAVE", counted(want - have)),
            Ordering::Greater => format!("{} less in WANT than in HAVE", counted(have - want)),
            Ordering::Equal => "layers whose names, shapes and positions disagree".into(),
        }
    }
}

fn counted(count: usize) -> String {
    if count == 1 { "a layer".into() } else { format!("{count} layers") }
}

/// Returns the groups that leave a wanted variable uncertain, in words. Groups of the same layers, which several kinds of names
/// give, are returned once.
pub(super) fn layers(
    sides: (&Checkpoint<'_>, &Checkpoint<'_>),
    groups: &[Group],
    is_open: impl Fn(usize) -> bool,
) -> Vec<Layers> {
    let mut all: Vec<Layers> = Vec::new();
    for group in
        groups.iter().filter(|group| group.want.iter().any(|(_, at)| at.iter().any(|at| is_open(*at))))
    {
        let one = Layers { have: named(sides.0, &group.have), want: named(sides.1, &group.want) };
        let variables =
            |layers: &[Layer]| layers.iter().map(|layer| layer.variables.clone()).collect::<BTreeSet<_>>();
        let same = |other: &Layers| {
            variables(&other.have) == variables(&one.have) && variables(&other.want) == variables(&one.want)
        };
        if !all.iter().any(same) {
            all.push(one);
        }
    }
    all
}

fn named(side: &Checkpoint<'_>, members: &[(Vec<u8>, Vec<usize>)]) -> Vec<Layer> {
    members.iter().map(|(path, variables)| layer(side, path, variables)).collect()
}

fn layer(side: &Checkpoint<'_>, path: &[u8], variables: &[usize]) -> Layer {
    let largest = variables.iter().max_by_key(|at| side.shapes[**at].num_elements());
    let scope = |at: &usize| {
        let name = words(&side.catalog.variables[*at]);
        let slash = name.as_bytes().iter().rposition(|&byte| byte == b'/')?;
        Some(Name::from(&name.as_bytes()[..slash]))
    };
    let first = variables.first().and_then(scope);
    let is_shared = variables.iter().all(|at| scope(at) == first);
    let name =
        first.filter(|_| is_shared && variables.len() > 1).unwrap_or_else(|| Name::from(path.to_vec()));
    let shape = largest.map(|at| side.shapes[*at].clone());
    Layer { name: name.to_string(), shape, variables: variables.iter().copied().collect() }
}
