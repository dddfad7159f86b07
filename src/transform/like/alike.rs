//! The comparison of the members of a group: true if both sides count alike.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::tensor::Shape;
use crate::transform::like::number::{Numbered, same_apart_from_numbers};

/// The variables of one side.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    /// The shape of each variable.
    pub(crate) shapes: &'a [&'a Shape],
    /// The full name of each variable, if it is evidence beside the names that are aligned.
    pub(crate) full_names: &'a [Option<&'a [u8]>],
    /// What the user has said of each variable.
    pub(crate) said: &'a [Said<'a>],
    /// The layers in the full names, without those whose names only count.
    pub(crate) layers: &'a HashSet<&'a [u8]>,
}

/// What the user has said of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    Nothing,
    /// A rule renamed it. These are its old and its new name.
    Renamed(&'a [u8], &'a [u8]),
    /// `--missing PATTERN` names it: it may be missing.
    MayBeMissing,
}

/// A name, split into components, and its variable.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) components: Vec<&'a [u8]>,
    pub(crate) variable: usize,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(name: &'a [u8], variable: usize) -> Self {
        Self { components: name.split(|&byte| byte == b'/').collect(), variable }
    }

    /// Returns the components from a depth on.
    pub(crate) fn below(&self, depth: usize) -> &[&'a [u8]] {
        self.components.get(depth..).unwrap_or_default()
    }

    /// Returns true if a component from a depth on has a number.
    pub(crate) fn counts(&self, depth: usize) -> bool {
        self.below(depth).iter().any(|component| Numbered::parse(component).number.is_some())
    }
}

/// The entries of one side below one component.
pub(crate) struct Member<'e, 'a> {
    pub(crate) component: &'a [u8],
    pub(crate) entries: Vec<&'e Entry<'a>>,
}

impl Member<'_, '_> {
    /// Returns true if a rule wrote the number: the old name has the same stem with another number, or the rule wrote
    /// the whole component.
    pub(crate) fn is_numbered_by_rule(&self, side: Side<'_>) -> bool {
        let own = Numbered::parse(self.component);
        self.entries.iter().any(|entry| match side.said[entry.variable] {
            Said::Renamed(old, new) => {
                let old = old.split(|&byte| byte == b'/').map(Numbered::parse);
                let mut same_stem = old.filter(|old| old.stem == own.stem).peekable();
                match same_stem.peek() {
                    Some(_) => same_stem.all(|old| old.number != own.number),
                    None => entry.components.iter().copied().eq(new.split(|&byte| byte == b'/')),
                }
            }
            _ => false,
        })
    }

    fn may_be_missing(&self, side: Side<'_>) -> bool {
        self.entries.iter().all(|entry| side.said[entry.variable] == Said::MayBeMissing)
    }
}

/// Removes the members that the source does not have and that the user calls missing. If the user calls all members
/// missing, that says nothing about any of them.
pub(crate) fn without_missing<'e, 'a>(
    have: &[Member<'e, 'a>],
    mut want: Vec<Member<'e, 'a>>,
    side: Side<'_>,
) -> Vec<Member<'e, 'a>> {
    if !want.iter().all(|member| member.may_be_missing(side)) {
        let is_there = |member: &Member<'_, '_>| have.iter().any(|other| other.component == member.component);
        want.retain(|member| is_there(member) || !member.may_be_missing(side));
    }
    want
}

/// Returns true if a rule gives a member the place of another layer of WANTED: the name before the rule is that of a layer
/// that WANTED has elsewhere.
pub(crate) fn another_layer(
    have: &[Member<'_, '_>],
    want: &[Member<'_, '_>],
    depth: usize,
    sides: (Side<'_>, Side<'_>),
) -> bool {
    let same = |have: &Member<'_, '_>| want.iter().find(|want| want.component == have.component);
    have.iter().any(|have| {
        let is_other = |want| compare(have, want, depth, sides).names == Some(false);
        have.entries.iter().all(|entry| sides.0.full_names[entry.variable].is_none())
            && same(have).is_some_and(is_other)
    })
}

/// Returns the members below a level by stem, each list in the order of the numbers.
pub(crate) fn stems<'e, 'a>(
    entries: &[&'e Entry<'a>],
    depth: usize,
) -> BTreeMap<&'a [u8], Vec<Member<'e, 'a>>> {
    let mut members: BTreeMap<(Numbered<'a>, &'a [u8]), Vec<&'e Entry<'a>>> = BTreeMap::new();
    for entry in entries {
        if let Some(component) = entry.components.get(depth) {
            members.entry((Numbered::parse(component), component)).or_default().push(entry);
        }
    }
    let mut stems: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for ((numbered, component), entries) in members {
        stems.entry(numbered.stem).or_default().push(Member { component, entries });
    }
    stems
}

/// Returns true if a member has a number.
pub(crate) fn numbered(members: &[Member<'_, '_>]) -> bool {
    members.iter().any(|member| Numbered::parse(member.component).number.is_some())
}

/// The component of a variable, and its dimensions.
type NamedShape = (Vec<u8>, Box<[u64]>);

/// Returns true if the members are the variables of one layer, and their shapes are all different and agree where both
/// sides have the same number: Keras 3's `vars/0` and `vars/1` of a layer that has got a bias.
pub(crate) fn shapes_tell(
    have: &[Member<'_, '_>],
    want: &[Member<'_, '_>],
    depth: usize,
    sides: (Side<'_>, Side<'_>),
) -> bool {
    let all = |members: &[Member<'_, '_>], side: Side<'_>| -> Option<Vec<NamedShape>> {
        let one = |member: &Member<'_, '_>| match member.entries.as_slice() {
            [entry] if entry.components.len() == depth + 1 => {
                Some((member.component.to_vec(), side.shapes[entry.variable].0.clone()))
            }
            _ => None,
        };
        let all: Vec<_> = members.iter().map(one).collect::<Option<_>>()?;
        let unique: BTreeSet<_> = all.iter().map(|(_, shape)| shape).collect();
        (unique.len() == all.len()).then_some(all)
    };
    let Some((have, want)) = all(have, sides.0).zip(all(want, sides.1)) else { return false };
    // The shorter list is the start of the longer one.
    have.iter().zip(&want).all(|(have, want)| have == want)
}

/// Returns true if the members, paired in their order, have agreeing full names and shapes.
pub(crate) fn are_alike(
    have: &[Member<'_, '_>],
    want: &[Member<'_, '_>],
    depth: usize,
    sides: (Side<'_>, Side<'_>),
) -> bool {
    let pairs: Vec<_> = have.iter().zip(want).map(|(have, want)| compare(have, want, depth, sides)).collect();
    let same =
        |at: Option<usize>| at.and_then(|at| pairs.get(at)).is_none_or(|pair: &Comparison| pair.shapes);
    let is_allowed = |(at, pair): (usize, &Comparison)| {
        pair.shapes || pair.names == Some(true) || same(at.checked_sub(1)) && same(Some(at + 1))
    };
    pairs.iter().all(|pair| pair.names != Some(false)) && pairs.iter().enumerate().all(is_allowed)
}

/// The comparison of two members.
struct Comparison {
    /// True if the full names agree. `None` if there are none.
    names: Option<bool>,
    /// True if the shapes agree.
    shapes: bool,
}

fn compare(
    have: &Member<'_, '_>,
    want: &Member<'_, '_>,
    depth: usize,
    sides: (Side<'_>, Side<'_>),
) -> Comparison {
    let by_rest: BTreeMap<_, _> =
        have.entries.iter().map(|entry| (&entry.components[depth + 1..], entry.variable)).collect();
    let common: Vec<_> = want
        .entries
        .iter()
        .filter_map(|entry| {
            let rest = &entry.components[depth + 1..];
            Some((*by_rest.get(rest)?, entry.variable, rest.len() + 1))
        })
        .collect();
    let shapes = match common.as_slice() {
        [] => shapes(have, sides.0) == shapes(want, sides.1),
        common => common.iter().all(|&(have, want, _)| sides.0.shapes[have] == sides.1.shapes[want]),
    };
    let agree = |&(have, want, len): &(usize, usize, usize)| {
        let wanted = layer(sides.1.full_names[want]?, len);
        match (sides.0.full_names[have], sides.0.said[have]) {
            (Some(have), _) => {
                let have = layer(have, len);
                Some(same_apart_from_numbers(have, wanted) || have == wanted)
            }
            (None, Said::Renamed(old, _)) => same_layer(old, wanted, sides.1.layers),
            _ => None,
        }
    };
    let names = common.iter().filter_map(agree).reduce(|one, other| one && other);
    // A component like `dense_1` is a full name by itself, a position is not.
    let Numbered { stem, .. } = Numbered::parse(have.component);
    let is_same = have.component == want.component && !stem.is_empty() && !stem.ends_with(b"-");
    Comparison { names: names.or(is_same.then_some(true)), shapes }
}

/// Returns true if the name before a rule has the wanted layer in it, and false if it has another one of WANTED's layers.
fn same_layer(old: &[u8], wanted: &[u8], layers: &HashSet<&[u8]>) -> Option<bool> {
    let mut components = old.split(|&byte| byte == b'/');
    let wanted = wanted.rsplit(|&byte| byte == b'/').find(|component| layers.contains(component))?;
    let is_known = components.clone().any(|component| layers.contains(component));
    is_known.then(|| components.any(|component| component == wanted))
}

/// Returns the last `len` components of a name, without the very last if there are several: a rule or a path names that.
fn layer(name: &[u8], len: usize) -> &[u8] {
    let last = last(name, len);
    let scope = last.iter().rposition(|&byte| byte == b'/').map(|slash| &last[..slash]);
    scope.filter(|_| len > 1).unwrap_or(last)
}

/// Returns the last `len` components of a name.
fn last(name: &[u8], len: usize) -> &[u8] {
    let slashes = name.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    slashes.take(len).nth(len - 1).map_or(name, |slash| &name[slash + 1..])
}

fn shapes<'s>(member: &Member<'_, '_>, side: Side<'s>) -> Vec<&'s Shape> {
    let mut shapes: Vec<_> = member.entries.iter().map(|entry| side.shapes[entry.variable]).collect();
    shapes.sort_by(|a, b| a.0.cmp(&b.0));
    shapes
}
