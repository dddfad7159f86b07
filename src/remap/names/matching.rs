//! The source as the rules see it: the rules that match each name, and the names that are slots of other variables.

use regex::bytes::RegexSet;

use crate::map::Map;
use crate::map::pattern::Pattern;
use crate::map::rule::{Matcher, Rule, RuleId, Verb};
use crate::slot_names::{Slot, VariableRole, is_optimizer_number, slots};
use crate::tensor::Shape;

/// Everything that is known about the names before any rule applies.
pub(crate) struct Matches<'a> {
    pub(crate) map: &'a Map,
    pub(crate) names: &'a [&'a [u8]],
    /// The rules whose patterns match each name, in order.
    pub(crate) matched: Vec<Vec<RuleId>>,
    slots: Vec<Option<Slot>>,
    /// The shapes of the variables. Empty if they are unknown.
    shapes: &'a [&'a Shape],
}

impl<'a> Matches<'a> {
    pub(crate) fn new(map: &'a Map, names: &'a [&'a [u8]], shapes: &'a [&'a Shape]) -> Self {
        let slots = slots(names);
        let set = PatternSet::new(map);
        let each = names.iter().zip(&slots).enumerate();
        let matched = each.map(|(at, (name, slot))| matched(map, &set, (at, name), slot.as_ref())).collect();
        Self { map, names, matched, slots, shapes }
    }

    pub(crate) fn rule(&self, id: RuleId) -> &'a Rule {
        self.map.rule(id)
    }

    pub(crate) fn slot(&self, variable: usize) -> Option<&Slot> {
        self.slots[variable].as_ref()
    }

    /// Returns the rules with one verb that match a variable's own name, in order.
    pub(crate) fn rules_matching(&self, variable: usize, verb: Verb) -> impl Iterator<Item = RuleId> {
        self.matched[variable].iter().copied().filter(move |id| self.rule(*id).verb == verb)
    }

    pub(crate) fn first(&self, variable: usize, verb: Verb) -> Option<RuleId> {
        self.rules_matching(variable, verb).next()
    }

    pub(crate) fn is_matched(&self, variable: usize, rule: RuleId) -> bool {
        self.matched[variable].binary_search(&rule).is_ok()
    }

    /// Returns the first rule that matches a variable and takes it. A slot may follow an earlier rule that takes its
    /// variable, which this function does not consider.
    pub(crate) fn taker(&self, variable: usize) -> Option<RuleId> {
        self.matched[variable].iter().copied().find(|id| self.rule(*id).takes())
    }

    /// Returns true if a slot has the shape of its variable, so that an op that moves the variable's elements can
    /// move the slot's too. Also true if the shapes are unknown.
    pub(crate) fn is_shaped_alike(&self, variable: usize, slot: &Slot) -> bool {
        self.shapes.get(variable) == self.shapes.get(slot.of)
    }

    pub(crate) fn shape(&self, variable: usize) -> Option<&'a Shape> {
        self.shapes.get(variable).copied()
    }

    /// Returns true if a rule other than a `drop` matches this slot but not its variable.
    pub(crate) fn names_itself(&self, variable: usize, slot: &Slot) -> bool {
        let own = |id: &RuleId| self.rule(*id).verb != Verb::Drop && !self.is_matched(slot.of, *id);
        self.matched[variable].iter().any(own)
    }

    /// Returns all variables sorted by the length of their names. Each slot comes after its variable, because its
    /// name contains the variable's name.
    pub(crate) fn variables_first(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by_key(|at| self.names[*at].len());
        order
    }
}

fn matched(map: &Map, set: &PatternSet<'_>, (at, name): (usize, &[u8]), slot: Option<&Slot>) -> Vec<RuleId> {
    let of_optimizer =
        || slot.is_some_and(|slot| slot.role == VariableRole::Optimizer) || is_optimizer_number(name);
    let by_role = |id: &RuleId| match &map.rule(*id).matcher {
        Matcher::Optimizer => of_optimizer(),
        Matcher::Damaged(positions) => positions.binary_search(&at).is_ok(),
        _ => false,
    };
    let mut matched: Vec<RuleId> = set.matches(name);
    matched.extend(map.ids().filter(by_role));
    matched.sort();
    matched.dedup();
    matched
}

/// A set of all patterns, which matches them in one pass. If the set is too big, the patterns are matched one by one.
struct PatternSet<'a> {
    map: &'a Map,
    ids: Vec<RuleId>,
    set: Option<RegexSet>,
}

impl<'a> PatternSet<'a> {
    fn new(map: &'a Map) -> Self {
        let ids = map.ids().flat_map(|id| map.rule(id).patterns().iter().map(move |_| id)).collect();
        let patterns = map.rules.iter().flat_map(Rule::patterns).map(Pattern::as_regex);
        let set = RegexSet::new(patterns).ok();
        Self { map, ids, set }
    }

    fn matches(&self, name: &[u8]) -> Vec<RuleId> {
        match &self.set {
            Some(set) => set.matches(name).iter().map(|at| self.ids[at]).collect(),
            None => self.ids.iter().copied().filter(|id| self.is_match(*id, name)).collect(),
        }
    }

    fn is_match(&self, id: RuleId, name: &[u8]) -> bool {
        self.map.rule(id).patterns().iter().any(|pattern| pattern.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::flags::Flag;
    use crate::map::test_util::map;

    #[test]
    fn patterns_too_big_for_one_set_are_tried_one_by_one() {
        let flags: Vec<_> = (0..30).map(|i| Flag::Drop(format!("re:(?:[ab]{{100}}){{150}}|x{i}"))).collect();
        let map = map(&flags, "");
        assert!(PatternSet::new(&map).set.is_none(), "the set fits after all: make the patterns bigger");
        let names: [&[u8]; 2] = [b"x1", b"x29"];
        assert_eq!(Matches::new(&map, &names, &[]).matched, [[RuleId::at(1)], [RuleId::at(29)]]);
    }
}
