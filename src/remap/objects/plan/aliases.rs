//! Aliases: copies of objects, with keys of their own, under one more path.

use crate::graph::key::escape;
use crate::map::rule::{RuleId, Verb};
use crate::remap::counts::RuleCounts;
use crate::remap::objects::matching::Matches;
use crate::remap::objects::matching::search::{Edge, PathMatch, Meaning};
use crate::remap::objects::plan::moves::Moves;
use crate::remap::objects::plan::targets::{Targets, join_paths};
use crate::remap::rejected_names::RejectedNames;

/// A path that is to be had twice.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) rule: RuleId,
    pub(crate) path: String,
    pub(crate) to: String,
}

/// The copies, the matches that rules acted on, and full names that are to be had besides: of an entry, the path of a copy.
#[derive(Default)]
pub(crate) struct Aliases {
    pub(crate) copies: Vec<Alias>,
    pub(crate) acted: Vec<(RuleId, usize)>,
    pub(crate) full_names: Vec<(RuleId, usize, String)>,
}

impl Aliases {
    pub(crate) fn new(
        survey: &Matches<'_>,
        taking: &Moves<'_>,
        tallies: &mut RuleCounts,
        misfits: &mut RejectedNames,
    ) -> Self {
        let mut copying = Self::default();
        for (id, rule, matches) in survey.rules(Verb::Alias) {
            matches.found.iter().for_each(|_| tallies.matched(id));
            matches.entries.iter().for_each(|_| tallies.matched(id));
            for target in 0..rule.targets.len() {
                let mut targets = Targets::new(survey, id, target);
                targets.fill(&matches.found, matches.meaning, misfits);
                for (at, found) in matches.found.iter().enumerate() {
                    let dropped = found.way.iter().find_map(|edge| taking.selected.cut.get(edge));
                    if let Some(drop) = dropped {
                        tallies.shadowed(id, Some(*drop));
                        continue;
                    }
                    copying.acted.push((id, at));
                    if let Some(to) = targets.filled[at].as_ref().filter(|_| !targets.along[at]) {
                        copying.copy(survey, taking, (id, matches.meaning), found, to);
                    }
                }
                for &entry in &matches.entries {
                    let caught =
                        survey.entries[entry].full_name.and_then(|name| Some((name, rule.captures(name)?)));
                    let to = caught
                        .and_then(|(name, caught)| misfits.fill(survey.map, (id, target), &caught, name));
                    copying
                        .full_names
                        .extend(to.and_then(|to| Some((id, entry, String::from_utf8(to).ok()?))));
                }
            }
        }
        copying
    }

    fn copy(
        &mut self,
        survey: &Matches<'_>,
        taking: &Moves<'_>,
        (rule, meaning): (RuleId, Meaning),
        found: &PathMatch,
        to: &str,
    ) {
        if found.leaf.is_some() || found.path == to {
            return;
        }
        let is_whole = meaning == Meaning::Paths
            || !found.way.is_empty() && !to.is_empty() && taking.occupant(to).is_none();
        if is_whole {
            self.copies.push(Alias { rule, path: found.path.clone(), to: to.to_owned() });
            return;
        }
        for (child, edge) in survey.node(found.node).children.iter().enumerate() {
            let at: Edge = (found.node, child);
            if !survey.is_counter(at) && !taking.selected.cut.contains_key(&at) {
                let name = escape(&edge.local_name);
                let (path, to) = (join_paths(&found.path, &name), join_paths(to, &name));
                self.copies.push(Alias { rule, path, to });
            }
        }
    }
}
