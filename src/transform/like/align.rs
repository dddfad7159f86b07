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

use std::collections::BTreeMap;

use crate::transform::like::alike::{
    Entry, Member, Side, another_layer, are_alike, numbered, shapes_tell, stems, without_missing,
};

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
        if group.is_none() && self.is_same(sides) {
            for (have, want) in self.have.iter().zip(&self.want) {
                let trust = if want.counts(depth) { trust.max(Trust::Counted) } else { trust };
                result.pairs[want.variable].push((trust, have.variable));
            }
            return vec![];
        }
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

    /// Returns true if both sides have the same names, with the same shapes and full names. Then nothing is open.
    fn is_same(&self, sides: (Side<'_>, Side<'_>)) -> bool {
        let same = |(have, want): (&&Entry<'_>, &&Entry<'_>)| {
            let (one, other) = (have.variable, want.variable);
            have.below(self.depth) == want.below(self.depth)
                && sides.0.shapes[one] == sides.1.shapes[other]
                && sides.0.full_names[one] == sides.1.full_names[other]
        };
        self.have.len() == self.want.len() && self.have.iter().zip(&self.want).all(same)
    }

    /// Pairs the members of one stem.
    fn members(
        &self,
        have: Vec<Member<'e, 'a>>,
        want: Vec<Member<'e, 'a>>,
        sides: (Side<'_>, Side<'_>),
        result: &mut Alignment,
    ) -> Vec<Self> {
        let is_said = have.iter().any(|member| member.is_numbered_by_rule(sides.0));
        if is_said && !another_layer(&have, &want, self.depth, sides) {
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
