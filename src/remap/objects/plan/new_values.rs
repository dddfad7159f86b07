//! New variables, which rules join, split and create.
//!
//! A rule that joins or splits takes the paths that it matches, like a rename, and puts its result at its target,
//! which is a path. A source variable is removed when it has no path left. If a rule matches the same variables again
//! by other paths, the new paths lead to the same result.
//!
//! Slots follow. If an optimizer has a slot with one name for every variable that goes into a new one, it gets a slot
//! with that name for the new variable. Other slots are removed with their variables, because the graph cannot store
//! a slot without its variable.

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
    /// The entries that the value is made of.
    pub(crate) inputs: Vec<usize>,
    pub(crate) end: Output,
    pub(crate) place: NewValuePlace,
}

/// The place of a new value.
#[derive(Debug)]
pub(crate) enum NewValuePlace {
    /// A path.
    Path(String),
    /// A slot that an optimizer keeps under a name for another new value.
    Slot { of: usize, optimizer: NodeId, name: String },
}

/// All new values.
#[derive(Default)]
pub(crate) struct NewValues {
    /// The values. Each slot comes after the value that it is kept for.
    pub(crate) values: Vec<NewValue>,
    /// Additional paths to new values.
    pub(crate) links: Vec<(RuleId, usize, String)>,
    /// The index of each value, by rule, part and inputs.
    known: HashMap<(RuleId, usize, Vec<usize>), usize>,
}

/// The captures that the members of a group share.
type GroupKey = Vec<Option<Vec<u8>>>;

/// The variables that a rule joins to one: for each of its patterns, the entry and the name that it matches.
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

    /// Adds a new value at a path, with its slots. If the value exists already, adds one more path to it.
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

/// Returns the new path that a rule's target gives an input.
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

/// Returns the groups of a rule that joins. A second variable for one member is an error.
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
                let what = format!("`{}` is one too many next to `{}`", input.name, other.name);
                Error::new(Kind::Value, rule.span(), what)
            }),
            _ => group[at] = Some(input),
        }
    }
    groups
}

/// Returns the error for a group with a missing member.
fn incomplete(rule: &Rule, captures: &GroupKey, group: &Group<'_>) -> Error {
    let missing = group.iter().position(Option::is_none).unwrap_or(0);
    let captures: Vec<_> = captures.iter().map(Option::as_deref).collect();
    let name = rule.patterns()[missing].spelled(&captures);
    let there: Vec<_> = group.iter().flatten().map(|input| format!("`{}`", input.name)).collect();
    let what = format!("`{}` is missing, to be joined with {}", printable(&name), there.join(", "));
    Error::new(Kind::Value, &rule.from[missing].span, what)
        .note("no variable has that path, or another rule takes it")
}

/// Returns the slots that follow variables into a new one: the optimizer, the slot's name, the slots' entries.
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

/// Returns the warning for a slot that cannot follow its variable.
fn left_out(matches: &Matches<'_>, rule: RuleId, slot: usize) -> Error {
    let what = format!(
        "the slot `{}` does not follow: its shape is not that of its variable, or not every variable has such a slot",
        matches.variables[slot].name
    );
    Error::new(Kind::Value, matches.map.rule(rule).span(), what).warning()
}

/// Converts a path to a variable's name in a program.
pub(crate) fn as_full_name(path: &str) -> String {
    key::components(path).map_or_else(|| path.to_owned(), |names| names.join("/"))
}
