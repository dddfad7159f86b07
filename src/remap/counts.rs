//! Counts of the matches and results of each rule.

use crate::map::Map;
use crate::map::rule::RuleId;
use crate::remap::report::Example;

/// The counters of all rules, updated while the rules apply.
pub(crate) struct RuleCounts(pub(crate) Vec<RuleCount>);

#[derive(Clone, Debug, Default)]
pub(crate) struct RuleCount {
    pub(crate) matched: usize,
    pub(crate) hits: usize,
    pub(crate) followed: usize,
    pub(crate) example: Option<Example>,
    pub(crate) shadowed_by: Option<RuleId>,
}

impl RuleCounts {
    pub(crate) fn new(map: &Map) -> Self {
        Self(vec![RuleCount::default(); map.rules.len()])
    }

    /// Returns true if some rule matches nothing.
    pub(crate) fn any_unused(&self) -> bool {
        self.0.iter().any(|tally| tally.matched == 0)
    }

    /// Counts a name that a rule's pattern matches, regardless of the result.
    pub(crate) fn matched(&mut self, rule: RuleId) {
        self.0[rule.index()].matched += 1;
    }

    pub(crate) fn hit(&mut self, rule: RuleId, old: &[u8], new: &[u8]) {
        self.hit_all(rule, &[old], &[new]);
    }

    /// Counts the variables `old`, of which a rule made the names `new`.
    pub(crate) fn hit_all(&mut self, rule: RuleId, old: &[&[u8]], new: &[&[u8]]) {
        let tally = &mut self.0[rule.index()];
        if tally.hits == 0 {
            tally.example = Some(Example::new(old, new));
        }
        tally.hits += old.len().max(1);
    }

    pub(crate) fn follow(&mut self, rule: RuleId, old: &[u8], new: &[u8]) {
        self.follow_all(rule, &[old], &[new]);
    }

    pub(crate) fn follow_all(&mut self, rule: RuleId, old: &[&[u8]], new: &[&[u8]]) {
        let tally = &mut self.0[rule.index()];
        tally.example.get_or_insert_with(|| Example::new(old, new));
        tally.followed += old.len();
    }

    pub(crate) fn shadowed(&mut self, rule: RuleId, by: Option<RuleId>) {
        let tally = &mut self.0[rule.index()];
        tally.shadowed_by = tally.shadowed_by.or(by);
    }
}
