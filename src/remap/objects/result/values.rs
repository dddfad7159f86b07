//! The rules that change the values of an object graph, in their order. The order is the same as for names
//! (steps.rs).
//!
//! The ops of a rule that takes a path apply to all variables that the rule takes. The ops of an alias apply to all
//! variables that it copies. A `convert` applies to the variables that it matches, not to those below a matched
//! object. Slots follow their variables.

use foldhash::{HashMap, HashSet};

use crate::graph::NameRole;
use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::rule::{Rule, RuleId, Verb};
use crate::name::Name;
use crate::remap::counts::RuleCounts;
use crate::remap::objects::matching::{Matches, RuleMatches};
use crate::remap::objects::plan::moves::Moves;
use crate::remap::objects::plan::new_values::NewValue;
use crate::remap::objects::plan::subtree::Subtree;
use crate::remap::steps::{Input, Scope, Step, ValuePlan, has_ops};

/// The rules that apply to each entry.
pub(crate) struct Steps<'a> {
    matches: &'a Matches<'a>,
    /// True if no rule has ops, as in most maps.
    idle: bool,
    /// The rename that took each entry.
    takers: HashMap<usize, RuleId>,
    /// The entries that each `convert` matches directly.
    converts: Vec<(RuleId, HashSet<usize>)>,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(matches: &'a Matches<'a>, moves: &Moves<'_>) -> Self {
        let idle = matches.map.rules.iter().all(|rule| rule.ops.is_empty());
        let takers = if idle { HashMap::default() } else { takers(matches, moves) };
        let converts =
            matches.rules(Verb::Convert).map(|(id, _, of_rule)| (id, matched_values(matches, of_rule)));
        Self { matches, idle, takers, converts: converts.collect() }
    }

    /// Returns the plan for the value of an entry, or of its copy by an alias. `None` if the value does not change.
    pub(crate) fn value_plan(
        &self,
        entry: usize,
        alias: Option<RuleId>,
        warnings: &mut Errors,
    ) -> Option<Box<ValuePlan>> {
        if self.idle {
            return None;
        }
        let steps = self.steps(entry, self.takers.get(&entry).copied(), alias);
        ValuePlan::whole(entry, self.possible(entry, steps, warnings))
    }

    /// Returns the plan for a new value.
    pub(crate) fn made(&self, value: &NewValue) -> ValuePlan {
        let steps = |entry| if self.idle { vec![] } else { self.steps(entry, Some(value.rule), None) };
        let input = |&source: &usize| Input { source, steps: steps(source) };
        ValuePlan { inputs: value.inputs.iter().map(input).collect(), end: value.end }
    }

    fn steps(&self, entry: usize, taker: Option<RuleId>, alias: Option<RuleId>) -> Vec<Step> {
        let mut rules: Vec<_> = self.of_entry(entry).into_iter().chain(alias).collect();
        rules.sort_unstable();
        let steps = taker.into_iter().chain(rules).map(|rule| {
            let own = !self.matches.is_slot(entry) || self.is_converted(entry, rule);
            Step { rule, scope: if own { Scope::All } else { Scope::Layout { zeros: true } } }
        });
        steps.filter(|step| has_ops(self.matches.map.rule(step.rule), step.scope)).collect()
    }

    fn is_converted(&self, entry: usize, rule: RuleId) -> bool {
        self.converts.iter().any(|(id, meant)| *id == rule && meant.contains(&entry))
    }

    /// Returns the `convert` rules that apply to an entry: those that match it and, for a slot, those of its
    /// variable.
    fn of_entry(&self, entry: usize) -> Vec<RuleId> {
        let matching = |entry: usize| {
            self.converts.iter().filter(move |(_, meant)| meant.contains(&entry)).map(|(id, _)| *id)
        };
        let mut rules: Vec<_> = matching(entry).collect();
        let moves = |id: &RuleId| has_ops(self.matches.map.rule(*id), Scope::Layout { zeros: true });
        if let Some(of) = self.variable_of(entry)
            && !rules.iter().any(|id| moves(id) && !self.is_converted(of, *id))
        {
            let follows = |id: &RuleId| self.matches.map.rule(*id).follow_slots;
            rules.extend(matching(of).filter(follows).filter(|id| !self.is_converted(entry, *id)));
        }
        rules
    }

    /// Returns the variable of a slot. `None` if the entry is not a slot.
    fn variable_of(&self, entry: usize) -> Option<usize> {
        match self.matches.entries[entry].role {
            NameRole::Slot { of } => of,
            _ => None,
        }
    }

    /// Returns the possible steps. A slot can follow its variable's steps only if it has the same shape.
    fn possible(&self, entry: usize, steps: Vec<Step>, warnings: &mut Errors) -> Vec<Step> {
        let Some(of) = self.variable_of(entry) else { return steps };
        let [slot, variable] = [entry, of].map(|at| &self.matches.variables[at]);
        if slot.tensor.shape == variable.tensor.shape {
            return steps;
        }
        let (own, followed): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| step.scope == Scope::All);
        if let (Some(step), false) = (followed.first(), slot.tensor.shape.0.is_empty()) {
            let (a, b) = (&slot.tensor.shape, &variable.tensor.shape);
            let what = format!(
                "the slot `{}` {a} keeps its value: its shape is not that of `{}` {b}",
                slot.name, variable.name
            );
            let place = self.matches.map.rule(step.rule).span();
            warnings.push_with(Kind::Value, || Error::new(Kind::Value, place, what).warning());
        }
        own
    }

    /// Counts the results of each `convert`. `names` has the new names. `by_drop` has the rules that dropped the
    /// entries without one.
    pub(crate) fn count(
        &self,
        names: &[Option<Name>],
        by_drop: &HashMap<usize, RuleId>,
        counts: &mut RuleCounts,
    ) {
        for (id, meant) in &self.converts {
            let mut meant: Vec<_> = meant.iter().copied().collect();
            meant.sort_unstable();
            for entry in meant {
                counts.matched(*id);
                match &names[entry] {
                    Some(new) => counts.hit(*id, self.matches.entries[entry].visible, new.as_bytes()),
                    None => counts.shadowed(*id, by_drop.get(&entry).copied()),
                }
            }
        }
        for entry in (0..names.len()).filter(|entry| self.matches.is_slot(*entry)) {
            let steps =
                if self.idle { vec![] } else { self.steps(entry, self.takers.get(&entry).copied(), None) };
            let followed = |step: &&Step| step.scope != Scope::All && self.rule(step).verb == Verb::Convert;
            for step in steps.iter().filter(followed) {
                if let Some(new) = &names[entry] {
                    counts.follow(step.rule, self.matches.entries[entry].visible, new.as_bytes());
                }
            }
        }
    }

    fn rule(&self, step: &Step) -> &Rule {
        self.matches.map.rule(step.rule)
    }
}

/// Returns the first rename that takes each entry, or the variable of a slot.
fn takers(matches: &Matches<'_>, moves: &Moves<'_>) -> HashMap<usize, RuleId> {
    let mut acted: Vec<_> = moves.acted.iter().collect();
    acted.sort_unstable();
    let mut takers = HashMap::default();
    for (&id, acted) in acted {
        let (of_rule, rule) = (&matches.by_rule[id.index()], matches.map.rule(id));
        let mut cover = Subtree::new(matches);
        acted.iter().for_each(|at| {
            cover.add(&of_rule.found[*at], of_rule.meaning, |edge| moves.is_taken_before(edge, id));
        });
        let followers = if rule.follow_slots { cover.followers() } else { Default::default() };
        let followers = followers.iter().flat_map(|slot| matches.of_node.get(*slot)).copied();
        for entry in cover.entries().into_iter().chain(followers) {
            takers.entry(entry).or_insert(id);
        }
    }
    for (&entry, (id, _)) in &moves.full_names {
        takers.entry(entry).or_insert(*id);
    }
    takers
}

/// Returns the variables and slots that a pattern matches directly.
fn matched_values(matches: &Matches<'_>, of_rule: &RuleMatches) -> HashSet<usize> {
    let mut meant: HashSet<_> = of_rule.entries.iter().copied().collect();
    for found in &of_rule.found {
        let node = match &found.leaf {
            Some(leaf) => leaf.slot,
            None => Some(found.node),
        };
        meant.extend(node.iter().flat_map(|node| matches.of_node.get(*node)));
    }
    meant
}
