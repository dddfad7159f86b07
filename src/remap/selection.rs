//! Selection, which comes before all naming: a variable that any `drop` matches is gone, and with any `keep` in force so is
//! one that no `keep` matches.
//!
//! A slot goes where its variable goes, unless a rule that renames, aliases or keeps means the slot itself: with
//! `drop = "w"` and a rule that renames `w/ExponentialMovingAverage`, the average stays.

use super::{RuleId, report::Tallies, rule::Verb, survey::Survey};

/// What selection says of one variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    /// By a `drop`; none: no `keep` wanted it.
    Goes(Option<RuleId>),
}

/// The fate of each variable.
pub(super) fn select(survey: &Survey<'_>, tallies: &mut Tallies) -> Vec<Fate> {
    let first_keep = survey.map.ids().find(|id| survey.rule(*id).verb == Verb::Keep);
    let mut selector = Selector {
        survey,
        keeps: first_keep.is_some(),
        fates: vec![Fate::Stays; survey.names.len()],
        keepers: vec![None; survey.names.len()],
    };
    for variable in survey.variables_first() {
        selector.decide(variable, tallies);
    }
    for (variable, fate) in selector.fates.iter().enumerate() {
        count(survey, variable, *fate, first_keep, tallies);
    }
    selector.fates
}

struct Selector<'a> {
    survey: &'a Survey<'a>,
    /// Some rule keeps, so what none keeps goes.
    keeps: bool,
    fates: Vec<Fate>,
    /// The rule that keeps each variable.
    keepers: Vec<Option<RuleId>>,
}

impl Selector<'_> {
    fn decide(&mut self, variable: usize, tallies: &mut Tallies) {
        let (own, follows) = (self.survey.first(variable, Verb::Keep), self.follows(variable));
        let followed = self.keeper_followed(variable);
        self.keepers[variable] = own.or(followed);
        self.fates[variable] = match (self.survey.first(variable, Verb::Drop), follows) {
            (Some(drop), _) => Fate::Goes(Some(drop)),
            (None, Some(drop)) => {
                tallies.follow(drop, self.survey.names[variable], b"");
                Fate::Goes(Some(drop))
            }
            (None, None) if self.keeps && self.keepers[variable].is_none() => Fate::Goes(None),
            (None, None) => Fate::Stays,
        };
        if let (Fate::Stays, None, Some(keep)) = (self.fates[variable], own, followed) {
            tallies.follow(keep, self.survey.names[variable], self.survey.names[variable]);
        }
    }

    /// The `drop` that a slot follows its variable out by.
    fn follows(&self, variable: usize) -> Option<RuleId> {
        let slot = self.survey.slot(variable)?;
        match self.fates[slot.of] {
            Fate::Goes(Some(drop)) if self.survey.rule(drop).follow_slots => {
                (!self.survey.names_itself(variable, slot)).then_some(drop)
            }
            _ => None,
        }
    }

    /// The `keep` that a slot stays with its variable by.
    fn keeper_followed(&self, variable: usize) -> Option<RuleId> {
        let slot = self.survey.slot(variable)?;
        self.keepers[slot.of].filter(|keep| self.survey.rule(*keep).follow_slots)
    }
}

/// Notes what the rules that match a variable did to it, as far as selection goes.
fn count(
    survey: &Survey<'_>,
    variable: usize,
    fate: Fate,
    first_keep: Option<RuleId>,
    tallies: &mut Tallies,
) {
    let name = survey.names[variable];
    for id in &survey.matched[variable] {
        tallies.matched(*id);
        match (survey.rule(*id).verb, fate) {
            (Verb::Drop, _) => tallies.hit(*id, name, b""),
            (Verb::Keep, Fate::Stays) => tallies.hit(*id, name, name),
            (_, Fate::Goes(by)) => tallies.shadowed(*id, by.or(first_keep)),
            (_, Fate::Stays) => {}
        }
    }
}
