//! The alignment of two sets of names, component by component from the root.
//!
//! A component that means something, such as `encoder`, is paired with the same component. Components that only count,
//! such as `dense`, `dense_1`, `dense_2` or `0`, `1`, `2`, form a group, and a group is paired in its order if both
//! sides count alike:
//!
//! * It has as many members on both sides.
//! * Where the members have full names, these agree one by one, numbers apart.
//! * The shapes agree in order. A member of another shape is allowed if its full name agrees, or if both its
//!   neighbors' shapes agree: that is a new head or a grown vocabulary.
//!
//! Otherwise the group is unlike: an exact name in it is no evidence. What the user says comes first: a number that a rule
//! wrote is exact, and members that `--missing PATTERN` names may be missing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::tensor::Shape;
use crate::transform::like::number::{Numbered, same_apart_from_numbers};

/// The reason to trust a pair, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// Every component means something.
    Named,
    /// Some components count, and both sides count alike.
    Counted,
    /// Some components count, and the sides do not count alike: the same name is no evidence.
    Unlike,
}

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
    /// A rule renamed it. This is its old name.
    Renamed(&'a [u8]),
    /// `--missing PATTERN` names it: it may be missing.
    MayBeMissing,
}

/// A name, split into components, and its variable.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    components: Vec<&'a [u8]>,
    pub(crate) variable: usize,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(name: &'a [u8], variable: usize) -> Self {
        Self { components: name.split(|&byte| byte == b'/').collect(), variable }
    }
}

/// A group of counting names whose sides do not count alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The members of the source, each with its name and its variables.
    pub(crate) have: Vec<(Vec<u8>, Vec<usize>)>,
    /// The members of WANTED.
    pub(crate) want: Vec<(Vec<u8>, Vec<usize>)>,
}

/// The result of an alignment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alignment {
    /// For each wanted variable, the variables of the source, the most trusted first.
    pub(crate) pairs: Vec<Vec<(Trust, usize)>>,
    /// For each wanted variable, the unlike group that it is in.
    pub(crate) group: Vec<Option<usize>>,
    pub(crate) groups: Vec<Group>,
}

/// The entries of both sides that have one parent.
struct Level<'e, 'a> {
    have: Vec<&'e Entry<'a>>,
    want: Vec<&'e Entry<'a>>,
    depth: usize,
    trust: Trust,
    /// The unlike group that all of it is in.
    group: Option<usize>,
}

/// The entries of one side below one component.
struct Member<'e, 'a> {
    component: &'a [u8],
    entries: Vec<&'e Entry<'a>>,
}

/// Aligns the names of two sides.
pub(crate) fn align(have: (&[Entry<'_>], Side<'_>), want: (&[Entry<'_>], Side<'_>)) -> Alignment {
    let wanted = want.1.shapes.len();
    let mut result = Alignment { pairs: vec![vec![]; wanted], group: vec![None; wanted], groups: vec![] };
    let sides = (have.1, want.1);
    let all = Level {
        have: have.0.iter().collect(),
        want: want.0.iter().collect(),
        depth: 0,
        trust: Trust::Named,
        group: None,
    };
    let mut levels = vec![all];
    while let Some(level) = levels.pop() {
        levels.extend(level.align(sides, &mut result));
    }
    for pairs in &mut result.pairs {
        pairs.sort_unstable();
        pairs.dedup_by_key(|(_, have)| *have);
    }
    result
}

impl<'e, 'a> Level<'e, 'a> {
    /// Pairs the variables that end here, and returns the levels below.
    fn align(self, sides: (Side<'_>, Side<'_>), result: &mut Alignment) -> Vec<Self> {
        let Self { depth, trust, group, .. } = self;
        let ends = |entry: &&&Entry<'_>| entry.components.len() == depth;
        for want in self.want.iter().filter(ends) {
            let found = self.have.iter().filter(ends).map(|have| (trust, have.variable));
            result.pairs[want.variable].extend(found);
            if group.is_some() {
                result.group[want.variable] = result.group[want.variable].or(group);
            }
        }
        let (have, mut want) = (stems(&self.have, depth), stems(&self.want, depth));
        let mut below = Vec::new();
        for (stem, have) in have {
            let Some(want) = want.remove(stem) else { continue };
            below.extend(self.members(have, want, sides, result));
        }
        if let Some(group) = group {
            // Members that only WANTED has are in the group too.
            for entry in want.into_values().flatten().flat_map(|member| member.entries) {
                result.group[entry.variable] = result.group[entry.variable].or(Some(group));
            }
        }
        below
    }

    /// Pairs the members of one stem.
    fn members(
        &self,
        have: Vec<Member<'e, 'a>>,
        want: Vec<Member<'e, 'a>>,
        sides: (Side<'_>, Side<'_>),
        result: &mut Alignment,
    ) -> Vec<Self> {
        if have.iter().any(|member| member.is_numbered_by_rule(sides.0)) {
            return self.same_components(have, want, self.trust.max(Trust::Counted), self.group);
        }
        let want = without_missing(&have, want, sides.1);
        let counts = have.len() > 1 || want.len() > 1 || numbered(&have) || numbered(&want);
        let alike = have.len() == want.len() && (!counts || are_alike(&have, &want, self.depth, sides));
        if alike {
            let trust = if counts { self.trust.max(Trust::Counted) } else { self.trust };
            let pairs = have.into_iter().zip(want);
            return pairs
                .map(|(have, want)| self.below(have.entries, want.entries, trust, self.group))
                .collect();
        }
        if shapes_tell(&have, &want, self.depth, sides) {
            return self.same_components(have, want, self.trust.max(Trust::Counted), self.group);
        }
        let group = Some(self.group.unwrap_or_else(|| {
            result.groups.push(Group { have: self.listed(&have), want: self.listed(&want) });
            result.groups.len() - 1
        }));
        if have.len() == want.len() {
            let pairs = have.into_iter().zip(want);
            return pairs
                .map(|(have, want)| self.below(have.entries, want.entries, Trust::Unlike, group))
                .collect();
        }
        self.same_components(have, want, Trust::Unlike, group)
    }

    /// Pairs the members that are called the same.
    fn same_components(
        &self,
        have: Vec<Member<'e, 'a>>,
        want: Vec<Member<'e, 'a>>,
        trust: Trust,
        group: Option<usize>,
    ) -> Vec<Self> {
        let mut have: BTreeMap<_, _> =
            have.into_iter().map(|member| (member.component, member.entries)).collect();
        let below = want.into_iter().map(|member| {
            let same = have.remove(member.component).unwrap_or_default();
            self.below(same, member.entries, trust, group)
        });
        below.collect()
    }

    fn below(
        &self,
        have: Vec<&'e Entry<'a>>,
        want: Vec<&'e Entry<'a>>,
        trust: Trust,
        group: Option<usize>,
    ) -> Self {
        Self { have, want, depth: self.depth + 1, trust, group }
    }

    /// Returns the name of each member, from the root on, and its variables.
    fn listed(&self, members: &[Member<'_, '_>]) -> Vec<(Vec<u8>, Vec<usize>)> {
        let one = |member: &Member<'_, '_>| {
            let name = member.entries[0].components[..=self.depth].join(&b'/');
            let mut variables: Vec<_> = member.entries.iter().map(|entry| entry.variable).collect();
            variables.dedup();
            (name, variables)
        };
        members.iter().map(one).collect()
    }
}

impl Member<'_, '_> {
    /// Returns true if a rule wrote the number: the old name has the same stem with another number.
    fn is_numbered_by_rule(&self, side: Side<'_>) -> bool {
        let own = Numbered::parse(self.component);
        self.entries.iter().any(|entry| match side.said[entry.variable] {
            Said::Renamed(old) => {
                let old = old.split(|&byte| byte == b'/').map(Numbered::parse);
                let mut same_stem = old.filter(|old| old.stem == own.stem).peekable();
                same_stem.peek().is_some() && same_stem.all(|old| old.number != own.number)
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
fn without_missing<'e, 'a>(
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

/// Returns the members below a level by stem, each list in the order of the numbers.
fn stems<'e, 'a>(entries: &[&'e Entry<'a>], depth: usize) -> BTreeMap<&'a [u8], Vec<Member<'e, 'a>>> {
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

fn numbered(members: &[Member<'_, '_>]) -> bool {
    members.iter().any(|member| Numbered::parse(member.component).number.is_some())
}

/// Returns true if the members are the variables of one layer, and their shapes are all different and agree where both
/// sides have the same number: Keras 3's `vars/0` and `vars/1` of a layer that has got a bias.
fn shapes_tell(
    have: &[Member<'_, '_>],
    want: &[Member<'_, '_>],
    depth: usize,
    sides: (Side<'_>, Side<'_>),
) -> bool {
    let all = |members: &[Member<'_, '_>], side: Side<'_>| -> Option<Vec<(Vec<u8>, Box<[u64]>)>> {
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
fn are_alike(
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
            (None, Said::Renamed(old)) => same_layer(old, wanted, sides.1.layers),
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
