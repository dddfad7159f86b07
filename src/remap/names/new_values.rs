//! New values: the variables that a `join` puts together, group by group, and those of `create`.
//!
//! A group consists of the variables that the patterns of a `join` match with the same captures. Slots of the members
//! form a group of their own if each member has a slot of that kind. Otherwise the slots keep their names, with a
//! warning.

use std::collections::HashMap;

use crate::map::Map;
use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::rule::{RuleId, Verb};
use crate::name::printable;
use crate::remap::counts::RuleCounts;
use crate::remap::names::assignment::Assignment;
use crate::remap::names::matching::Matches;
use crate::remap::plan::Planned;
use crate::remap::rejected_names::RejectedNames;
use crate::remap::steps::{Input, Output, ValuePlan, ValuePlanner};
use crate::slot_names::Slot;

/// A variable that a rule makes by joining several.
pub(crate) struct Joined {
    pub(crate) name: Vec<u8>,
    pub(crate) rule: RuleId,
    /// The members, in the order of the rule's patterns.
    pub(crate) members: Vec<usize>,
    /// True if the members are slots of another group's members.
    follows: bool,
}

impl Joined {
    /// Counts the result for the rule.
    pub(crate) fn count(&self, matches: &Matches<'_>, counts: &mut RuleCounts) {
        let members: Vec<_> = self.members.iter().map(|member| matches.names[*member]).collect();
        match self.follows {
            false => counts.hit_all(self.rule, &members, &[&self.name]),
            true => counts.follow_all(self.rule, &members, &[&self.name]),
        }
    }
}

/// The groups so far, in the order in which they were found. A group of slots comes after the group of their
/// variables.
#[derive(Default)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    by_key: HashMap<Key, usize>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// The captures of a rule's patterns.
    Captured(RuleId, Vec<Option<Vec<u8>>>),
    /// The text of the slots' names before and after the names of a group's members.
    Slots(usize, Vec<u8>, Vec<u8>),
}

struct Group {
    rule: RuleId,
    key: Key,
    members: Vec<Option<usize>>,
    /// A variable that would be a second candidate for a member that the group already has.
    double: Option<usize>,
}

impl Groups {
    /// Adds a variable that a rule takes to its group.
    pub(crate) fn add(&mut self, matches: &Matches<'_>, variable: usize, rule: RuleId) -> usize {
        let (name, patterns) = (matches.names[variable], matches.rule(rule).patterns());
        let found = patterns.iter().enumerate().find_map(|(at, pattern)| {
            let captures = pattern.captures(name)?;
            let key = pattern.key(&captures).into_iter().map(|part| part.map(<[u8]>::to_vec));
            Some((at, key.collect()))
        });
        let (at, captures) = found.expect("the rule matches");
        self.put(variable, rule, at, Key::Captured(rule, captures), patterns.len())
    }

    /// Adds a slot of a member to the group of the members' slots of that kind.
    pub(crate) fn add_slot(&mut self, of: usize, variable: usize, slot: &Slot, name: &[u8]) -> usize {
        let Group { rule, members, .. } = &self.groups[of];
        let at = members.iter().position(|member| *member == Some(slot.of)).unwrap_or(0);
        let (before, after) = slot.around(name);
        let key = Key::Slots(of, before.to_vec(), after.to_vec());
        self.put(variable, *rule, at, key, members.len())
    }

    fn put(&mut self, variable: usize, rule: RuleId, at: usize, key: Key, members: usize) -> usize {
        let id = *self.by_key.entry(key.clone()).or_insert_with(|| {
            self.groups.push(Group { rule, key, members: vec![None; members], double: None });
            self.groups.len() - 1
        });
        match &mut self.groups[id] {
            Group { members, .. } if members[at].is_none() => members[at] = Some(variable),
            Group { double, .. } => *double = Some(variable),
        }
        id
    }

    /// Returns the complete groups. An incomplete group is an error, or a warning if it consists of slots.
    pub(crate) fn finish(
        self,
        matches: &Matches<'_>,
        assignments: &mut [Assignment],
        rejected: &mut RejectedNames,
        (errors, warnings): (&mut Errors, &mut Errors),
    ) -> Vec<Joined> {
        let mut names: Vec<Option<Vec<u8>>> = Vec::with_capacity(self.groups.len());
        let mut joined = Vec::new();
        for group in &self.groups {
            let whole: Option<Vec<usize>> = group.members.iter().copied().collect();
            let follows = matches!(group.key, Key::Slots(..));
            let name = match (&whole, &group.double, &group.key) {
                (Some(members), None, Key::Captured(..)) => {
                    new_name(matches, group.rule, members[0], rejected)
                }
                (Some(_), None, Key::Slots(of, before, after)) => {
                    names[*of].as_ref().map(|name| [before, name.as_slice(), after].concat())
                }
                (_, _, Key::Captured(_, key)) => {
                    errors.push_with(Kind::Value, || group.incomplete(matches, assignments, key));
                    None
                }
                (None, _, Key::Slots(..)) | (_, Some(_), Key::Slots(..)) => None,
            };
            names.push(name.clone());
            match (whole, name) {
                (Some(members), Some(name)) => {
                    joined.push(Joined { name, rule: group.rule, members, follows })
                }
                _ if follows => group.stay(matches, assignments, warnings),
                _ => {}
            }
        }
        joined
    }
}

fn new_name(
    matches: &Matches<'_>,
    rule: RuleId,
    first: usize,
    rejected: &mut RejectedNames,
) -> Option<Vec<u8>> {
    let old = matches.names[first];
    let captures = matches.rule(rule).patterns().first()?.captures(old)?;
    rejected.fill(matches.map, (rule, 0), &captures, old)
}

impl Group {
    /// Returns the error for a member that is missing, or for one member too many.
    fn incomplete(
        &self,
        matches: &Matches<'_>,
        assignments: &[Assignment],
        key: &[Option<Vec<u8>>],
    ) -> Error {
        let (rule, key): (_, Vec<_>) = (matches.rule(self.rule), key.iter().map(Option::as_deref).collect());
        let there: Vec<_> = self.members.iter().flatten().map(|at| shown(matches.names[*at])).collect();
        if let Some(double) = self.double {
            let what = format!(
                "{} is one too many for the group of {}",
                shown(matches.names[double]),
                there.join(", ")
            );
            return Error::new(Kind::Value, rule.span(), what);
        }
        let missing = self.members.iter().position(Option::is_none).unwrap_or(0);
        let name = rule.patterns()[missing].spelled(&key);
        let what = format!("{} is missing, to be joined with {}", shown(&name), there.join(", "));
        let error = Error::new(Kind::Value, &rule.from[missing].span, what);
        let Ok(at) = matches.names.binary_search(&name.as_slice()) else {
            return error.note("the checkpoint has no variable of that name");
        };
        match assignments[at].taker {
            Some(by) => error.related(matches.rule(by).span(), "this rule has it"),
            None => error.note("it is there, but a rule leaves it out"),
        }
    }

    /// Lets slots that cannot be joined keep their names, with a warning.
    fn stay(&self, matches: &Matches<'_>, assignments: &mut [Assignment], warnings: &mut Errors) {
        for &member in self.members.iter().flatten() {
            let name = matches.names[member];
            assignments[member].name = Some((name.to_vec(), None));
            (assignments[member].taker, assignments[member].group) = (None, None);
            let what = format!(
                "the slot {} stays as it is: not every variable that is joined has such a slot",
                shown(name)
            );
            warnings.push_with(Kind::Value, || {
                Error::new(Kind::Value, matches.rule(self.rule).span(), what).warning()
            });
        }
    }
}

fn shown(name: &[u8]) -> String {
    format!("`{}`", printable(name))
}

/// Returns the plan for the variable that a group is joined to.
pub(crate) fn of_group(planner: &ValuePlanner<'_>, joined: Joined, counts: &mut RuleCounts) -> Planned {
    let Joined { name, rule, members, .. } = joined;
    let mut input = |&source: &usize| {
        let steps = planner.steps(source, None);
        planner.count(source, &steps, &name, counts);
        Input { source, steps }
    };
    let inputs: Vec<_> = members.iter().map(&mut input).collect();
    let value = Some(Box::new(ValuePlan { inputs, end: Output::Joined(rule) }));
    Planned { name, source: members.first().copied(), rule: Some(rule), value }
}

/// Returns the variables that `create` rules add.
pub(crate) fn created(map: &Map, counts: &mut RuleCounts) -> Vec<Planned> {
    let creates = map.ids().filter(|id| map.rule(*id).verb == Verb::Create);
    let mut planned = |id: RuleId| {
        let name = map.rule(id).from().text.clone().into_bytes();
        counts.matched(id);
        counts.hit_all(id, &[], &[&name]);
        let value = Some(Box::new(ValuePlan { inputs: vec![], end: Output::Created(id) }));
        Planned { name, source: None, rule: Some(id), value }
    };
    creates.map(&mut planned).collect()
}
