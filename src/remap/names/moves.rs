//! Naming: every matching `alias` adds a name, then the first matching `rename`, `split` or `join` takes the
//! variable.
//!
//! A slot is named after its variable, unless a rule is meant for the slot itself:
//! * A rule that matches the slot but not its variable is meant for the slot: it takes the slot.
//! * A rule that matches both (`bert/**`) and takes the variable also takes the slot, with the slot's own match.
//! * A rule that matches both, but whose variable an earlier rule took, does not take the slot: the slot follows its
//!   variable.

use crate::map::diagnostic::Errors;
use crate::map::options::Unmatched;
use crate::map::rule::{RuleId, Verb};
use crate::remap::counts::RuleCounts;
use crate::remap::names::assignment::Assignment;
use crate::remap::names::matching::Matches;
use crate::remap::names::new_values::{Groups, Joined};
use crate::remap::names::selection::Selection;
use crate::remap::rejected_names::{RejectedNames, without_rule};

/// Names all selected variables. Returns the names and the joined variables.
pub(crate) fn assign_names(
    matches: &Matches<'_>,
    selections: &[Selection],
    counts: &mut RuleCounts,
    errors: &mut Errors,
    warnings: &mut Errors,
) -> (Vec<Assignment>, Vec<Joined>) {
    let assignments = vec![Assignment::default(); selections.len()];
    let (rejected, groups, without_rule) = Default::default();
    let mut namer = Namer { matches, counts, assignments, rejected, groups, without_rule };
    for variable in matches.variables_first() {
        if selections[variable] == Selection::Kept {
            namer.name(variable);
        }
    }
    let Namer { mut assignments, mut rejected, groups, without_rule, .. } = namer;
    let joined = groups.finish(matches, &mut assignments, &mut rejected, (errors, warnings));
    joined.iter().for_each(|joined| joined.count(matches, counts));
    rejected.into_errors(matches.map, errors);
    unmatched(matches, without_rule, errors);
    (assignments, joined)
}

struct Namer<'a, 't> {
    matches: &'a Matches<'a>,
    counts: &'t mut RuleCounts,
    assignments: Vec<Assignment>,
    rejected: RejectedNames,
    groups: Groups,
    /// The variables that `unmatched = "error"` refuses.
    without_rule: Vec<usize>,
}

/// The source of a variable's name.
enum NameSource {
    Taken(RuleId),
    /// The name of the variable that this slot belongs to.
    Follows(RuleId),
    /// A drop: the variable gets no name.
    Dropped,
    OwnName,
}

impl Namer<'_, '_> {
    fn name(&mut self, variable: usize) {
        self.assignments[variable].aliases = self.aliases(variable);
        let old = self.matches.names[variable];
        let way = self.name_source(variable);
        match way {
            NameSource::Taken(rule) => self.take(variable, rule),
            NameSource::Follows(rule) => self.follow(variable, rule),
            NameSource::OwnName => self.assignments[variable].name = Some((old.to_vec(), None)),
            NameSource::Dropped => {}
        }
        self.count(variable, &way);
    }

    fn take(&mut self, variable: usize, rule: RuleId) {
        let old = self.matches.names[variable];
        self.assignments[variable].taker = Some(rule);
        match self.matches.rule(rule).verb {
            Verb::Join => {
                self.assignments[variable].group = Some(self.groups.add(self.matches, variable, rule))
            }
            Verb::Split => {
                let targets = 0..self.matches.rule(rule).targets.len();
                let parts = targets.map(|target| self.fill(variable, rule, target).unwrap_or(old.to_vec()));
                self.assignments[variable].parts = parts.collect();
            }
            _ => {
                let new = self.fill(variable, rule, 0).unwrap_or(old.to_vec());
                self.assignments[variable].name = Some((new, Some(rule)));
            }
        }
    }

    /// Gives a slot the names, parts and group of its variable.
    fn follow(&mut self, variable: usize, rule: RuleId) {
        let Some(slot) = self.matches.slot(variable) else { return };
        let (old, of) = (self.matches.names[variable], &self.assignments[slot.of]);
        let name = of.name.as_ref().map(|(name, _)| (slot.renamed(old, name), Some(rule)));
        let parts = of.parts.iter().map(|part| slot.renamed(old, part)).collect();
        let group = of.group.map(|group| self.groups.add_slot(group, variable, slot, old));
        let aliases = std::mem::take(&mut self.assignments[variable].aliases);
        self.assignments[variable] = Assignment { name, aliases, taker: Some(rule), parts, group };
    }

    fn name_source(&mut self, variable: usize) -> NameSource {
        let own = self.matches.taker(variable);
        let Some(slot) = self.matches.slot(variable) else {
            return own.map_or_else(|| self.without_rename(variable), NameSource::Taken);
        };
        let taker = self.assignments[slot.of].taker.filter(|taker| self.matches.rule(*taker).follow_slots);
        // A slot with another shape cannot be split or joined like its variable, so it keeps its name.
        let can = |taker: &RuleId| {
            self.matches.rule(*taker).verb == Verb::Rename || self.matches.is_shaped_alike(variable, slot)
        };
        let taker = taker.filter(can);
        match (own, taker) {
            (Some(own), Some(taker)) if taker < own && self.matches.is_matched(slot.of, own) => {
                NameSource::Follows(taker)
            }
            (Some(own), _) => NameSource::Taken(own),
            (None, Some(taker)) => NameSource::Follows(taker),
            (None, None) if self.left_with(variable) => NameSource::Dropped,
            (None, None) => NameSource::OwnName,
        }
    }

    /// Returns true if a slot is dropped with its variable. `unmatched` does not apply to the slot itself, but if it
    /// drops the variable, a slot without a rule is dropped too.
    fn left_with(&self, variable: usize) -> bool {
        let Some(slot) = self.matches.slot(variable) else { return false };
        self.matches.map.options.unmatched.or(Unmatched::Keep) == Unmatched::Drop
            && self.matches.matched[variable].is_empty()
            && self.is_gone_unmatched(slot.of)
    }

    fn is_gone_unmatched(&self, variable: usize) -> bool {
        self.assignments[variable].is_gone() && self.matches.matched[variable].is_empty()
    }

    fn without_rename(&mut self, variable: usize) -> NameSource {
        let is_matched = !self.matches.matched[variable].is_empty();
        match self.matches.map.options.unmatched.or(Unmatched::Keep) {
            Unmatched::Drop if !is_matched => return NameSource::Dropped,
            Unmatched::Error if !is_matched => self.without_rule.push(variable),
            _ => {}
        }
        NameSource::OwnName
    }

    /// Returns the variable's own aliases, and those that follow from its variable's aliases.
    fn aliases(&mut self, variable: usize) -> Vec<(Vec<u8>, RuleId)> {
        let (matches, old) = (self.matches, self.matches.names[variable]);
        let mut aliases = vec![];
        for rule in matches.rules_matching(variable, Verb::Alias) {
            for target in 0..matches.rule(rule).targets.len() {
                aliases.extend(self.fill(variable, rule, target).map(|name| (name, rule)));
            }
            self.counts.hit(rule, old, aliases.last().map_or(b"", |(name, _)| name));
        }
        let Some(slot) = matches.slot(variable) else { return aliases };
        let follows = |rule| matches.rule(rule).follow_slots && !matches.is_matched(variable, rule);
        for (name, rule) in self.assignments[slot.of].aliases.iter().filter(|(_, rule)| follows(*rule)) {
            let name = slot.renamed(old, name);
            self.counts.follow(*rule, old, &name);
            aliases.push((name, *rule));
        }
        aliases
    }

    /// Returns the new name that a rule's target gives. If there is none, the reason is recorded.
    fn fill(&mut self, variable: usize, rule: RuleId, target: usize) -> Option<Vec<u8>> {
        let captures = self.matches.rule(rule).captures(self.matches.names[variable])?;
        self.rejected.fill(self.matches.map, (rule, target), &captures, self.matches.names[variable])
    }

    /// Counts the results of the rules that match a variable and could take it. Joins are counted by groups.
    fn count(&mut self, variable: usize, way: &NameSource) {
        let (NameSource::Taken(taker) | NameSource::Follows(taker)) = way else { return };
        let (matches, old) = (self.matches, self.matches.names[variable]);
        for rule in matches.matched[variable].iter().filter(|rule| *rule != taker) {
            if matches.rule(*rule).takes() {
                self.counts.shadowed(*rule, Some(*taker));
            }
        }
        let Assignment { name, parts, group, .. } = &self.assignments[variable];
        let new: Vec<&[u8]> = name.iter().map(|(name, _)| name).chain(parts).map(Vec::as_slice).collect();
        match way {
            _ if group.is_some() => {}
            NameSource::Taken(_) => self.counts.hit_all(*taker, &[old], &new),
            _ => self.counts.follow_all(*taker, &[old], &new),
        }
    }
}

/// Reports all variables that `unmatched = "error"` refuses, in one error.
fn unmatched(matches: &Matches<'_>, mut variables: Vec<usize>, errors: &mut Errors) {
    let Some(option) = matches.map.options.unmatched.0.as_ref().filter(|_| !variables.is_empty()) else {
        return;
    };
    variables.sort_unstable();
    let names: Vec<_> = variables.iter().map(|variable| matches.names[*variable]).collect();
    errors.push(without_rule(option, &names));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::map::flags::Flag;
    use crate::map::flags::Flag::{AddPrefix, Alias, Rename, StripPrefix};
    use crate::map::test_util::map;
    use crate::remap::names::plan_names;
    use crate::remap::test_util::{mismatch, planned};

    fn renames(rules: &[(&str, &str)]) -> String {
        rules.iter().map(|(from, to)| format!("[[rule]]\nrename = '{from}'\nto = '{to}'\n")).collect()
    }

    fn by_flags(flags: &[Flag], names: &[&str]) -> Vec<String> {
        planned(flags, "", names)
    }

    #[test]
    fn rules_match_the_sources_names_so_a_pair_swaps() {
        assert_eq!(planned(&[], &renames(&[("a", "b"), ("b", "a")]), &["a", "b"]), ["a <- b", "b <- a"]);
    }

    #[test]
    fn the_first_matching_rename_wins_and_flags_come_first() {
        let text = renames(&[("a/*", "file/*"), ("b/*", "file/*")]);
        let names = ["a/1", "b/2"];
        assert_eq!(planned(&[Rename("a/**=flag/**".into())], &(text + "optional = true"), &names).len(), 2);
        assert_eq!(
            planned(&[], &renames(&[("{x}", "1/{x}"), ("**", "2/**")]), &["a", "a/b"]),
            ["1/a <- a", "2/a/b <- a/b"]
        );
    }

    #[test]
    fn an_alias_adds_names_and_takes_nothing() {
        let flags = [Alias("a=b".into()), Alias("a=c".into()), Rename("a=d".into())];
        assert_eq!(by_flags(&flags, &["a"]), ["b <- a", "c <- a", "d <- a"]);
        assert_eq!(
            planned(&[], "[[rule]]\nalias = 'g'\nto = ['s', 't/s']", &["g"]),
            ["g <- g", "s <- g", "t/s <- g"]
        );
    }

    #[test]
    fn an_alias_to_the_present_name_is_not_a_collision() {
        assert_eq!(by_flags(&[Alias("a=a".into())], &["a"]), ["a <- a"]);
    }

    #[test]
    fn slots_follow_renames_and_aliases() {
        let names = ["Adam/w/m", "w", "w/Adam", "w/Adam/ExponentialMovingAverage"];
        assert_eq!(
            by_flags(&[Rename("w=model/w".into())], &names),
            [
                "Adam/model/w/m <- Adam/w/m",
                "model/w <- w",
                "model/w/Adam <- w/Adam",
                "model/w/Adam/ExponentialMovingAverage <- w/Adam/ExponentialMovingAverage",
            ]
        );
        assert_eq!(
            by_flags(&[Alias("w=v".into())], &["w", "w/Adam"]),
            ["v <- w", "v/Adam <- w/Adam", "w <- w", "w/Adam <- w/Adam"]
        );
    }

    #[test]
    fn slots_keep_their_names_if_the_rule_says_so_or_another_rule_matches_them() {
        let text = "[[rule]]\nrename = 'w'\nto = 'v'\nfollow_slots = false";
        assert_eq!(planned(&[], text, &["w", "w/Adam"]), ["v <- w", "w/Adam <- w/Adam"]);
        let text = renames(&[("w", "v"), ("**/Adam", "slots/**")]);
        assert_eq!(planned(&[], &text, &["w", "w/Adam"]), ["slots/w <- w/Adam", "v <- w"]);
    }

    #[test]
    fn a_rule_for_all_does_not_separate_a_slot_from_its_renamed_variable() {
        let text = renames(&[("w", "v"), ("**", "m/**")]);
        assert_eq!(planned(&[], &text, &["w", "w/Adam", "x"]), ["m/x <- x", "v <- w", "v/Adam <- w/Adam"]);
    }

    #[test]
    fn a_rule_that_takes_a_variable_takes_its_slot_by_the_slots_own_match() {
        assert_eq!(
            by_flags(&[Rename("**=**_old".into())], &["w", "w/Adam"]),
            ["w/Adam_old <- w/Adam", "w_old <- w"]
        );
    }

    #[test]
    fn prefixes_are_stripped_then_added() {
        let names = ["bert/w", "x"];
        assert_eq!(by_flags(&[StripPrefix("bert/".into())], &names), ["w <- bert/w", "x <- x"]);
        assert_eq!(by_flags(&[AddPrefix("m/".into())], &names), ["m/bert/w <- bert/w", "m/x <- x"]);
        let both = [AddPrefix("m/".into()), StripPrefix("bert/".into())];
        assert_eq!(by_flags(&both, &names), ["m/w <- bert/w", "m/x <- x"]);
        assert_eq!(planned(&both, &renames(&[("x", "y")]), &names), ["m/w <- bert/w", "y <- x"]);
        assert_eq!(by_flags(&[StripPrefix("module.".into())], &["module.a.b"]), ["a.b <- module.a.b"]);
        assert_eq!(by_flags(&[StripPrefix("{a}*".into())], &["{a}*b"]), ["b <- {a}*b"]);
    }

    #[test]
    fn a_flag_splits_at_the_first_unescaped_equals_sign() {
        assert_eq!(by_flags(&[Rename("{x:a=|b=}c\\=d=e=f".into())], &["a=c=d"]), ["e=f <- a=c=d"]);
    }

    #[test]
    fn unmatched_variables_are_dropped_or_refused_but_slots_are_exempt() {
        let rule = renames(&[("w", "v")]);
        let names = ["w", "w/Adam", "x", "x/Adam"];
        let dropping = format!("[options]\nunmatched = 'drop'\n{rule}");
        assert_eq!(planned(&[], &dropping, &names), ["v <- w", "v/Adam <- w/Adam"]);
        let errors = mismatch(&[], &format!("[options]\nunmatched = 'error'\n{rule}"), &names).errors;
        assert_eq!(errors.len(), 1);
        let message = errors.to_string();
        assert!(message.contains("1 variable without a rule") && message.contains("`x`"), "{message}");
        assert!(!message.contains("x/Adam"), "{message}");
    }

    #[test]
    fn invalid_new_names_are_errors_that_list_their_variables() {
        let text = renames(&[
            ("{v:**}/a", "{v}"),
            ("l{i:int}", "{i-2}"),
            ("g", "_CHECKPOINTABLE_OBJECT_GRAPH"),
            ("re:n(?<z>.*)", "{z}"),
        ]);
        let errors = mismatch(&[], &text, &["a", "g", "l1", "n\0x"]).errors;
        let whats: Vec<_> = errors.iter().map(|error| error.what().split(',').next().unwrap()).collect();
        assert_eq!(
            whats,
            [
                "the new name is empty",
                "1 - 2 is negative",
                "with this name in it TensorFlow takes the checkpoint for an object-based one",
                "the new name begins with a NUL byte",
            ]
        );
        assert_eq!(
            errors.iter().map(|error| (error.line(), error.column())).collect::<Vec<_>>()[..2],
            [(3, 7), (6, 7)]
        );
        assert!(errors.to_string().contains("for `l1`"));
        assert!(errors.to_string().contains("for `n\\u{0}x`"));
    }

    #[test]
    fn numbers_out_of_range_are_one_error_for_each_target() {
        let names: Vec<String> = (0..30).map(|i| format!("l{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let errors = mismatch(&[Rename("l{i:int}={i-50}".into())], "", &names).errors;
        assert_eq!(errors.len(), 1, "{errors}");
        let message = errors.to_string();
        assert!(
            message.contains("error: 0 - 50 is negative") && message.contains("and 27 more like these"),
            "{message}"
        );
    }

    proptest! {
        #[test]
        fn renames_and_then_their_inverse_change_nothing(
            stems in proptest::collection::btree_set("[a-e]{1,3}(/[a-e]{1,2}){0,2}", 1..12),
            by in 1usize..12,
        ) {
            let old: Vec<&str> = stems.iter().map(String::as_str).collect();
            let mut new = old.clone();
            new.rotate_left(by % old.len());
            let there: Vec<_> = old.iter().copied().zip(new.iter().copied()).collect();
            let back: Vec<_> = new.iter().copied().zip(old.iter().copied()).collect();
            let sorted: Vec<&[u8]> = old.iter().map(|name| name.as_bytes()).collect();

            let first = plan_names(&map(&[], &renames(&there)), &sorted).unwrap();
            let between: Vec<&[u8]> = first.variables.iter().map(|planned| &planned.name[..]).collect();
            let second = plan_names(&map(&[], &renames(&back)), &between).unwrap();
            for planned in second.variables {
                prop_assert_eq!(&planned.name[..], sorted[first.variables[planned.source.unwrap()].source.unwrap()]);
            }
        }

        #[test]
        fn a_scope_added_and_stripped_changes_nothing(names in proptest::collection::btree_set("[a-c/.]{1,6}", 1..12)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let added = by_flags(&[Rename("**=new/**".into())], &names);
            let added: Vec<&str> = added.iter().map(|line| line.split(" <- ").next().unwrap()).collect();
            let expected: Vec<_> = names.iter().map(|name| format!("{name} <- new/{name}")).collect();
            prop_assert_eq!(by_flags(&[Rename("new/**=**".into())], &added), expected);
        }
    }
}
