//! Aliases: copies of objects under an additional path. The copies have their own keys.

use crate::graph::key::escape;
use crate::map::rule::{RuleId, Verb};
use crate::remap::counts::RuleCounts;
use crate::remap::objects::matching::Matches;
use crate::remap::objects::matching::search::{Edge, Meaning, PathMatch};
use crate::remap::objects::plan::moves::Moves;
use crate::remap::objects::plan::targets::{Targets, join_paths};
use crate::remap::rejected_names::RejectedNames;

/// A path that gets a copy.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) rule: RuleId,
    pub(crate) path: String,
    pub(crate) to: String,
}

/// The copies, the matches that rules acted on, and additional full names. An additional full name belongs to an
/// entry and becomes the path of a copy.
#[derive(Default)]
pub(crate) struct Aliases {
    pub(crate) copies: Vec<Alias>,
    pub(crate) acted: Vec<(RuleId, usize)>,
    pub(crate) full_names: Vec<(RuleId, usize, String)>,
}

impl Aliases {
    pub(crate) fn new(
        matches: &Matches<'_>,
        moves: &Moves<'_>,
        counts: &mut RuleCounts,
        rejected: &mut RejectedNames,
    ) -> Self {
        let mut aliases = Self::default();
        for (id, rule, of_rule) in matches.rules(Verb::Alias) {
            of_rule.found.iter().for_each(|_| counts.matched(id));
            of_rule.entries.iter().for_each(|_| counts.matched(id));
            for target in 0..rule.targets.len() {
                let mut targets = Targets::new(matches, id, target);
                targets.fill(&of_rule.found, of_rule.meaning, rejected);
                for (at, found) in of_rule.found.iter().enumerate() {
                    let dropped = found.edges.iter().find_map(|edge| moves.selected.cut.get(edge));
                    if let Some(drop) = dropped {
                        counts.shadowed(id, Some(*drop));
                        continue;
                    }
                    aliases.acted.push((id, at));
                    if let Some(to) = targets.filled[at].as_ref().filter(|_| !targets.along[at]) {
                        aliases.copy(matches, moves, (id, of_rule.meaning), found, to);
                    }
                }
                for &entry in &of_rule.entries {
                    let captures =
                        matches.entries[entry].full_name.and_then(|name| Some((name, rule.captures(name)?)));
                    let to = captures.and_then(|(name, captures)| {
                        rejected.fill(matches.map, (id, target), &captures, name)
                    });
                    aliases
                        .full_names
                        .extend(to.and_then(|to| Some((id, entry, String::from_utf8(to).ok()?))));
                }
            }
        }
        aliases
    }

    fn copy(
        &mut self,
        matches: &Matches<'_>,
        moves: &Moves<'_>,
        (rule, meaning): (RuleId, Meaning),
        found: &PathMatch,
        to: &str,
    ) {
        if found.leaf.is_some() || found.path == to {
            return;
        }
        let is_whole = meaning == Meaning::Paths
            || !found.edges.is_empty() && !to.is_empty() && moves.occupant(to).is_none();
        if is_whole {
            self.copies.push(Alias { rule, path: found.path.clone(), to: to.to_owned() });
            return;
        }
        for (child, edge) in matches.node(found.node).children.iter().enumerate() {
            let at: Edge = (found.node, child);
            if !matches.is_counter(at) && !moves.selected.cut.contains_key(&at) {
                let name = escape(&edge.local_name);
                let (path, to) = (join_paths(&found.path, &name), join_paths(to, &name));
                self.copies.push(Alias { rule, path, to });
            }
        }
    }
}
