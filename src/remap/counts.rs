//! Counts of the work of each rule.

use crate::map::Map;
use crate::map::rule::RuleId;
use crate::remap::report::Example;
/// What rules do, counted while they do it.
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

    /// Whether some pattern matches nothing.
    pub(crate) fn any_unused(&self) -> bool {
        self.0.iter().any(|tally| tally.matched == 0)
    }

    /// The pattern matches one more name, whatever comes of it.
    pub(crate) fn matched(&mut self, rule: RuleId) {
        self.0[rule.index()].matched += 1;
    }

    pub(crate) fn hit(&mut self, rule: RuleId, old: &[u8], new: &[u8]) {
        self.hit_all(rule, &[old], &[new]);
    }

    /// It made these of those.
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
