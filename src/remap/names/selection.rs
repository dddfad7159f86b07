//! Selection, which comes before naming. A variable that a `drop` matches is dropped. If there is a `keep` rule, so
//! is every variable that no `keep` matches.
//!
//! A slot is dropped with its variable, unless a rule that renames, aliases or keeps is meant for the slot itself.
//! With `drop = "w"` and a rule that renames `w/ExponentialMovingAverage`, the average stays.

use crate::map::rule::{RuleId, Verb};
use crate::remap::counts::RuleCounts;
use crate::remap::names::matching::Matches;

/// The selection of one variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    Kept,
    /// Dropped by a `drop`. `None` if no `keep` matches the variable.
    Dropped(Option<RuleId>),
}

/// Selects the variables.
pub(crate) fn select(matches: &Matches<'_>, counts: &mut RuleCounts) -> Vec<Selection> {
    let first_keep = matches.map.ids().find(|id| matches.rule(*id).verb == Verb::Keep);
    let mut selector = Selector {
        matches,
        keeps: first_keep.is_some(),
        selections: vec![Selection::Kept; matches.names.len()],
        keepers: vec![None; matches.names.len()],
    };
    for variable in matches.variables_first() {
        selector.decide(variable, counts);
    }
    for (variable, fate) in selector.selections.iter().enumerate() {
        count(matches, variable, *fate, first_keep, counts);
    }
    selector.selections
}

struct Selector<'a> {
    matches: &'a Matches<'a>,
    /// True if there is a `keep` rule, so that variables without one are dropped.
    keeps: bool,
    selections: Vec<Selection>,
    /// The rule that keeps each variable.
    keepers: Vec<Option<RuleId>>,
}

impl Selector<'_> {
    fn decide(&mut self, variable: usize, counts: &mut RuleCounts) {
        let (own, follows) = (self.matches.first(variable, Verb::Keep), self.follows(variable));
        let followed = self.keeper_followed(variable);
        self.keepers[variable] = own.or(followed);
        self.selections[variable] = match (self.matches.first(variable, Verb::Drop), follows) {
            (Some(drop), _) => Selection::Dropped(Some(drop)),
            (None, Some(drop)) => {
                counts.follow(drop, self.matches.names[variable], b"");
                Selection::Dropped(Some(drop))
            }
            (None, None) if self.keeps && self.keepers[variable].is_none() => Selection::Dropped(None),
            (None, None) => Selection::Kept,
        };
        if let (Selection::Kept, None, Some(keep)) = (self.selections[variable], own, followed) {
            counts.follow(keep, self.matches.names[variable], self.matches.names[variable]);
        }
    }

    /// Returns the `drop` by which a slot is dropped with its variable.
    fn follows(&self, variable: usize) -> Option<RuleId> {
        let slot = self.matches.slot(variable)?;
        match self.selections[slot.of] {
            Selection::Dropped(Some(drop)) if self.matches.rule(drop).follow_slots => {
                (!self.matches.names_itself(variable, slot)).then_some(drop)
            }
            _ => None,
        }
    }

    /// Returns the `keep` by which a slot is kept with its variable.
    fn keeper_followed(&self, variable: usize) -> Option<RuleId> {
        let slot = self.matches.slot(variable)?;
        self.keepers[slot.of].filter(|keep| self.matches.rule(*keep).follow_slots)
    }
}

/// Counts the results of selection for the rules that match a variable.
fn count(
    matches: &Matches<'_>,
    variable: usize,
    fate: Selection,
    first_keep: Option<RuleId>,
    counts: &mut RuleCounts,
) {
    let name = matches.names[variable];
    for id in &matches.matched[variable] {
        counts.matched(*id);
        match (matches.rule(*id).verb, fate) {
            (Verb::Drop, _) => counts.hit(*id, name, b""),
            (Verb::Keep, Selection::Kept) => counts.hit(*id, name, name),
            (_, Selection::Dropped(by)) => counts.shadowed(*id, by.or(first_keep)),
            (_, Selection::Kept) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::map::flags::Flag;
    use crate::remap::test_util::planned;

    const WITH_SLOTS: [&str; 6] =
        ["v", "w", "w/Adam", "w/Adam/ExponentialMovingAverage", "w/ExponentialMovingAverage", "x"];

    fn left(text: &str) -> Vec<String> {
        planned(&[], text, &WITH_SLOTS)
            .iter()
            .map(|line| line.split(" <- ").next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_drop_applies_at_any_position() {
        let names = left("[[rule]]\nrename = 'v'\nto = 'u'\noptional = true\n[[rule]]\ndrop = 'v'");
        assert!(!names.contains(&"u".into()) && !names.contains(&"v".into()));
    }

    #[test]
    fn with_a_keep_the_rest_is_dropped() {
        assert_eq!(left("[[rule]]\nkeep = 'x'\n[[rule]]\nkeep = 'v'"), ["v", "x"]);
        assert_eq!(left("[[rule]]\nkeep = 'x'\n[[rule]]\nkeep = '*'\n[[rule]]\ndrop = 'w'"), ["v", "x"]);
    }

    #[test]
    fn slots_of_slots_are_dropped_and_kept_with_their_variable() {
        assert_eq!(left("[[rule]]\ndrop = 'w'"), ["v", "x"]);
        assert_eq!(left("[[rule]]\nkeep = 'w'"), WITH_SLOTS[1..5]);
        assert_eq!(left("[[rule]]\ndrop = 'w/Adam'"), ["v", "w", "w/ExponentialMovingAverage", "x"]);
    }

    #[test]
    fn slots_do_not_follow_if_the_rule_says_so() {
        assert_eq!(left("[[rule]]\ndrop = 'w'\nfollow_slots = false").len(), 5);
        assert_eq!(left("[[rule]]\nkeep = 'w'\nfollow_slots = false"), ["w"]);
    }

    #[test]
    fn a_slot_that_a_rule_matches_outlives_its_variable() {
        let text = "[[rule]]\ndrop = 'w'\n[[rule]]\nrename = '{v:**}/ExponentialMovingAverage'\nto = '{v}'";
        let names = ["w", "w/ExponentialMovingAverage", "w/Momentum"];
        assert_eq!(planned(&[], text, &names), ["w <- w/ExponentialMovingAverage"]);
    }

    #[test]
    fn the_optimizer_is_dropped_by_its_role_and_averages_stay() {
        let names = [
            "Adam/iter",
            "Adam/w/m",
            "beta1_power",
            "s/beta2_power_1",
            "w",
            "w/Adam_1",
            "w/ExponentialMovingAverage",
        ];
        assert_eq!(
            planned(&[Flag::DropOptimizer], "", &names),
            ["w <- w", "w/ExponentialMovingAverage <- w/ExponentialMovingAverage"]
        );
    }
}
