//! New variables: what rules join, split and create.
//!
//! A rule that joins or splits takes the paths that it matches, as a rename does, and what it makes stands at its target, a
//! path. The variable it was made of goes when no path is left. Where the same variables are met again by other paths,
//! these lead to what was made of them before.
//!
//! Slots follow: an optimizer that keeps a slot of one name for every variable that goes into a new one keeps a slot
//! of that name for the new one. The graph has no place for a slot without its variable, so others go with it.

use std::collections::BTreeMap;

use foldhash::HashMap;

use crate::format::object_graph::{NodeId, Slot};
use crate::graph::key;
use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::rule::{Rule, RuleId, Verb};
use crate::name::printable;
use crate::remap::counts::RuleCounts;
use crate::remap::objects::matching::Matches;
use crate::remap::objects::plan::moves::{Input, Moves};
use crate::remap::rejected_names::RejectedNames;
use crate::remap::steps::Output;

/// A value that the source does not have.
#[derive(Debug)]
pub(crate) struct NewValue {
    pub(crate) rule: RuleId,
    /// The entries it is made of.
    pub(crate) inputs: Vec<usize>,
    pub(crate) end: Output,
    pub(crate) place: NewValuePlace,
}

/// Where a new value stands.
#[derive(Debug)]
pub(crate) enum NewValuePlace {
    /// At a path.
    Path(String),
    /// Kept by an optimizer, under a name, for another new value.
    Slot { of: usize, optimizer: NodeId, name: String },
}

/// All that is made.
#[derive(Default)]
pub(crate) struct NewValues {
    /// Each slot after what it is kept for.
    pub(crate) values: Vec<NewValue>,
    /// More paths to new values.
    pub(crate) links: Vec<(RuleId, usize, String)>,
    /// The values that were made of what, by rule and part.
    known: HashMap<(RuleId, usize, Vec<usize>), usize>,
}

/// What the members of a group catch alike.
type GroupKey = Vec<Option<Vec<u8>>>;

/// The variables that one rule makes one of: for each of its patterns the entry, and the name that it matches.
type Group<'t> = Vec<Option<&'t Input>>;

impl NewValues {
    pub(crate) fn new(
        matches: &Matches<'_>,
        moves: &Moves<'_>,
        counts: &mut RuleCounts,
        rejected: &mut RejectedNames,
        (errors, warnings): (&mut Errors, &mut Errors),
    ) -> Self {
        let mut new_values = Self::default();
        let inputs = |id: RuleId| moves.inputs.iter().filter(move |input| input.rule == id);
        for (id, rule, _) in matches.all_rules() {
            match rule.verb {
                Verb::Create => new_values.create(id, rule, counts),
                Verb::Split => {
                    inputs(id)
                        .for_each(|input| new_values.split(moves, (id, rule), input, rejected, warnings));
                }
                Verb::Join => {
                    for (captures, group) in groups(rule, inputs(id), errors) {
                        match group.iter().copied().collect::<Option<Vec<_>>>() {
                            Some(members) => new_values.join(moves, id, &members, rejected, warnings),
                            None => errors.push_with(Kind::Value, || incomplete(rule, &captures, &group)),
                        }
                    }
                }
                _ => {}
            }
        }
        new_values
    }

    fn create(&mut self, rule: RuleId, written: &Rule, counts: &mut RuleCounts) {
        counts.matched(rule);
        let place = NewValuePlace::Path(written.from().text.clone());
        self.values.push(NewValue { rule, inputs: vec![], end: Output::Created(rule), place });
    }

    fn split(
        &mut self,
        moves: &Moves<'_>,
        (id, rule): (RuleId, &Rule),
        input: &Input,
        rejected: &mut RejectedNames,
        warnings: &mut Errors,
    ) {
        for part in 0..rule.targets.len() {
            if let Some(path) = filled(moves.matches, (id, part), input, rejected) {
                self.put(moves, id, vec![input.entry], Output::Part(id, part), path, warnings);
            }
        }
    }

    fn join(
        &mut self,
        moves: &Moves<'_>,
        id: RuleId,
        members: &[&Input],
        rejected: &mut RejectedNames,
        warnings: &mut Errors,
    ) {
        if let Some(path) = filled(moves.matches, (id, 0), members[0], rejected) {
            let inputs = members.iter().map(|member| member.entry).collect();
            self.put(moves, id, inputs, Output::Joined(id), path, warnings);
        }
    }

    /// A new value at a path, with its slots; or one more path to it.
    fn put(
        &mut self,
        moves: &Moves<'_>,
        rule: RuleId,
        inputs: Vec<usize>,
        end: Output,
        path: String,
        warnings: &mut Errors,
    ) {
        let part = if let Output::Part(_, part) = end { part } else { 0 };
        if let Some(&made) = self.known.get(&(rule, part, inputs.clone())) {
            return self.links.push((rule, made, path));
        }
        let of = self.values.len();
        self.known.insert((rule, part, inputs.clone()), of);
        let slots = match moves.matches.map.rule(rule).follow_slots {
            true => slots(moves, rule, &inputs, (part == 0).then_some(warnings)),
            false => vec![],
        };
        self.values.push(NewValue { rule, inputs, end, place: NewValuePlace::Path(path) });
        for (optimizer, name, inputs) in slots {
            let place = NewValuePlace::Slot { of, optimizer, name };
            self.values.push(NewValue { rule, inputs, end, place });
        }
    }
}

/// The new path that a rule's target gives an input.
fn filled(
    matches: &Matches<'_>,
    (rule, target): (RuleId, usize),
    input: &Input,
    rejected: &mut RejectedNames,
) -> Option<String> {
    let captures = matches.map.rule(rule).captures(input.name.as_bytes())?;
    let path = rejected.fill(matches.map, (rule, target), &captures, input.name.as_bytes())?;
    String::from_utf8(path).ok()
}

/// The groups of a rule that joins. One member too many is an error.
fn groups<'t>(
    rule: &Rule,
    inputs: impl Iterator<Item = &'t Input>,
    errors: &mut Errors,
) -> BTreeMap<GroupKey, Group<'t>> {
    let (patterns, mut groups) = (rule.patterns(), BTreeMap::<GroupKey, Group<'t>>::new());
    for input in inputs {
        let captures = patterns.iter().enumerate().find_map(|(at, pattern)| {
            let key = pattern.key(&pattern.captures(input.name.as_bytes())?);
            Some((at, key.into_iter().map(|part| part.map(<[u8]>::to_vec)).collect()))
        });
        let Some((at, captures)) = captures else { continue };
        let group = groups.entry(captures).or_insert_with(|| vec![None; patterns.len()]);
        match group[at] {
            Some(other) if other.entry != input.entry => errors.push_with(Kind::Value, || {
                let what = format!("`{}` is one too many beside `{}`", input.name, other.name);
                Error::new(Kind::Value, rule.place(), what)
            }),
            _ => group[at] = Some(input),
        }
    }
    groups
}

/// A group with a member that is missing.
fn incomplete(rule: &Rule, captures: &GroupKey, group: &Group<'_>) -> Error {
    let missing = group.iter().position(Option::is_none).unwrap_or(0);
    let captures: Vec<_> = captures.iter().map(Option::as_deref).collect();
    let name = rule.patterns()[missing].spelled(&captures);
    let there: Vec<_> = group.iter().flatten().map(|input| format!("`{}`", input.name)).collect();
    let what = format!("`{}` is missing, to be joined with {}", printable(&name), there.join(", "));
    Error::new(Kind::Value, &rule.from[missing].place, what)
        .note("no variable has that path, or another rule takes it")
}

/// The slots that follow some variables into a new one: the optimizer, the slot's name, the slots' entries.
fn slots(
    moves: &Moves<'_>,
    rule: RuleId,
    inputs: &[usize],
    mut warnings: Option<&mut Errors>,
) -> Vec<(NodeId, String, Vec<usize>)> {
    let matches = moves.matches;
    let mut found: BTreeMap<(NodeId, &str), Vec<Option<usize>>> = BTreeMap::new();
    for (at, node) in inputs.iter().enumerate().filter_map(|(at, input)| Some((at, matches.node_of(*input)?)))
    {
        let stays = |slot: &Slot| !moves.selected.slots.contains_key(&slot.variable);
        for (optimizer, slot) in matches.slots_of(node).filter(|(_, slot)| stays(slot)) {
            let members =
                found.entry((optimizer, slot.name.as_str())).or_insert_with(|| vec![None; inputs.len()]);
            members[at] = matches.of_node.get(slot.variable).first().copied();
        }
    }
    let mut follow = Vec::new();
    for ((optimizer, name), members) in found {
        let shape = |entry: usize| &matches.variables[entry].tensor.shape;
        let alike = |(slot, of): (&usize, &usize)| shape(*slot) == shape(*of);
        let whole: Option<Vec<usize>> = members.iter().copied().collect();
        match whole.filter(|slots| slots.iter().zip(inputs).all(alike)) {
            Some(slots) => follow.push((optimizer, name.to_owned(), slots)),
            None => {
                for slot in members.into_iter().flatten() {
                    warnings.iter_mut().for_each(|warnings| {
                        warnings.push_with(Kind::Value, || left_out(matches, rule, slot));
                    });
                }
            }
        }
    }
    follow
}

/// A slot that cannot follow its variable.
fn left_out(matches: &Matches<'_>, rule: RuleId, slot: usize) -> Error {
    let what = format!(
        "the slot `{}` does not follow: it has not the shape of its variable, or not every variable has such a slot",
        matches.variables[slot].name
    );
    Error::new(Kind::Value, matches.map.rule(rule).place(), what).warning()
}

/// A path as the name of a variable in a program.
pub(crate) fn as_full_name(path: &str) -> String {
    key::components(path).map_or_else(|| path.to_owned(), |names| names.join("/"))
}
