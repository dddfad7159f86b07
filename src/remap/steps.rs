//! The rules that change a variable's value, in order: the rule that takes it, then every `convert` and `alias` that
//! matches.
//!
//! A `split` or `join` comes after all of them, because the ops apply to the source's variables before these are
//! divided or joined. A slot follows the ops of its variable that move elements, if it has the variable's shape and
//! no rule is meant for the slot itself.

use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::rule::{Rule, RuleId, Verb};
use crate::name::printable;
use crate::remap::counts::RuleCounts;
use crate::remap::names::matching::Matches;
use crate::slot_names::VariableRole;

/// A rule whose ops are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Step {
    pub(crate) rule: RuleId,
    pub(crate) scope: Scope,
}

/// The ops of a rule that apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    All,
    /// The ops that move elements. If `zeros` is set, as for an optimizer's slots, new elements are zeros, regardless
    /// of the fill for the variable.
    Layout {
        zeros: bool,
    },
}

/// A value of the source, and the steps that apply to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Input {
    pub(crate) source: usize,
    pub(crate) steps: Vec<Step>,
}

/// The plan for a value that is made from the source's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValuePlan {
    pub(crate) inputs: Vec<Input>,
    pub(crate) end: Output,
}

/// The last operation, after the steps of each input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Whole,
    /// A part of the value that the rule splits, by its index.
    Part(RuleId, usize),
    Joined(RuleId),
    /// A value that the rule describes. It has no input.
    Created(RuleId),
}

impl ValuePlan {
    /// Returns the plan for one variable's value. `None` if there are no steps.
    pub(crate) fn whole(source: usize, steps: Vec<Step>) -> Option<Box<Self>> {
        (!steps.is_empty())
            .then(|| Box::new(Self { inputs: vec![Input { source, steps }], end: Output::Whole }))
    }
}

/// Returns true if a rule changes the values of its matches.
pub(crate) fn has_ops(rule: &Rule, scope: Scope) -> bool {
    match scope {
        Scope::All => !rule.ops.is_empty(),
        Scope::Layout { .. } => rule.ops.iter().any(|op| op.is_layout()),
    }
}

/// The planner of the steps for each variable's value.
pub(crate) struct ValuePlanner<'a> {
    matches: &'a Matches<'a>,
    /// The rule that took each variable.
    takers: &'a [Option<RuleId>],
    /// True if no rule has ops, as in most maps.
    idle: bool,
}

impl<'a> ValuePlanner<'a> {
    pub(crate) fn new(matches: &'a Matches<'a>, takers: &'a [Option<RuleId>]) -> Self {
        let idle = matches.map.rules.iter().all(|rule| rule.ops.is_empty());
        Self { matches, takers, idle }
    }

    /// Returns the steps of a variable, or of its alias.
    pub(crate) fn steps(&self, variable: usize, alias: Option<RuleId>) -> Vec<Step> {
        if self.idle {
            return vec![];
        }
        let taker = self.takers[variable];
        let mut rules: Vec<_> = self.converts(variable).into_iter().chain(alias).collect();
        rules.sort_unstable();
        let steps = taker.into_iter().chain(rules).map(|rule| self.step(variable, rule));
        steps.filter(|step| has_ops(self.matches.rule(step.rule), step.scope)).collect()
    }

    fn step(&self, variable: usize, rule: RuleId) -> Step {
        let role = self.matches.slot(variable).map(|slot| slot.role);
        let scope = match self.matches.is_matched(variable, rule) {
            true => Scope::All,
            false => Scope::Layout { zeros: role == Some(VariableRole::Optimizer) },
        };
        Step { rule, scope }
    }

    /// Returns the `convert` rules that apply to a variable: those that match it and, for a slot, those of its
    /// variable.
    fn converts(&self, variable: usize) -> Vec<RuleId> {
        let mut rules: Vec<_> = self.matches.rules_matching(variable, Verb::Convert).collect();
        if let Some(slot) = self.matches.slot(variable).filter(|_| !self.means_itself(variable)) {
            let of = self.converts(slot.of).into_iter();
            rules.extend(of.filter(|rule| self.matches.rule(*rule).follow_slots));
            rules.sort_unstable();
            rules.dedup();
        }
        rules
    }

    /// Returns true if a rule takes a slot, or moves its elements, and does not match its variable.
    fn means_itself(&self, variable: usize) -> bool {
        let Some(slot) = self.matches.slot(variable) else { return false };
        let moves = |rule: &Rule| rule.takes() || has_ops(rule, Scope::Layout { zeros: true });
        self.matches.matched[variable]
            .iter()
            .any(|id| moves(self.matches.rule(*id)) && !self.matches.is_matched(slot.of, *id))
    }

    /// Returns the possible steps. A slot can follow its variable's steps only if it has the same shape.
    pub(crate) fn possible(&self, variable: usize, steps: Vec<Step>, warnings: &mut Errors) -> Vec<Step> {
        let Some(slot) = self.matches.slot(variable) else { return steps };
        if self.matches.is_shaped_alike(variable, slot) {
            return steps;
        }
        let (own, followed): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| step.scope == Scope::All);
        // A scalar has no layout, so it needs no warning.
        if let (Some(step), Some(shape)) = (followed.first(), self.matches.shape(variable))
            && !shape.0.is_empty()
        {
            warnings.push_with(Kind::Value, || self.left(variable, step.rule));
        }
        own
    }

    /// Warns about a slot that keeps its name because its variable is split or joined and the slot has another shape.
    pub(crate) fn warn_of_torn(&self, variable: usize, warnings: &mut Errors) {
        let Some(slot) = self.matches.slot(variable) else { return };
        let taker = self.takers[slot.of].filter(|taker| self.matches.rule(*taker).follow_slots);
        let Some(taker) = taker.filter(|taker| self.matches.rule(*taker).verb != Verb::Rename) else {
            return;
        };
        if self.takers[variable].is_none() && !self.matches.is_shaped_alike(variable, slot) {
            warnings.push_with(Kind::Value, || self.left(variable, taker));
        }
    }

    /// Returns the warning for a slot with another shape, such as a slot of Adafactor.
    pub(crate) fn left(&self, variable: usize, rule: RuleId) -> Error {
        let [slot, of] = [variable, self.matches.slot(variable).map_or(variable, |slot| slot.of)].map(|at| {
            let shape = self.matches.shape(at).map(ToString::to_string).unwrap_or_default();
            format!("`{}` {shape}", printable(self.matches.names[at]))
        });
        let what = format!("the slot {slot} keeps its value: its shape is not that of {of}");
        Error::new(Kind::Value, self.matches.rule(rule).span(), what)
            .help("a rule of its own can change it; `drop` leaves it out")
            .warning()
    }

    /// Counts the results of each `convert` for a variable, whose new name is `new`.
    pub(crate) fn count(&self, variable: usize, steps: &[Step], new: &[u8], counts: &mut RuleCounts) {
        let old = self.matches.names[variable];
        for rule in self.matches.rules_matching(variable, Verb::Convert) {
            counts.hit(rule, old, new);
        }
        let converts = |step: &&Step| self.matches.rule(step.rule).verb == Verb::Convert;
        for step in steps.iter().filter(converts).filter(|step| step.scope != Scope::All) {
            counts.follow(step.rule, old, new);
        }
    }
}
