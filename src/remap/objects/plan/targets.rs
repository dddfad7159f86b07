//! The new paths of a rule's matches: its target, filled for each match.

use foldhash::{HashMap, HashMapExt};

use crate::map::rule::{Rule, RuleId};
use crate::remap::objects::matching::Matches;
use crate::remap::objects::matching::search::{Meaning, PathMatch};
use crate::remap::rejected_names::RejectedNames;

/// The targets of one rule's matches.
pub(crate) struct Targets<'a> {
    matches: &'a Matches<'a>,
    rule: RuleId,
    target: usize,
    /// The new path of each match. `None` if the target cannot be filled, or if the rule applies only to what is
    /// below the match.
    pub(crate) filled: Vec<Option<String>>,
    /// True if the match moves there anyway, with a match above it.
    pub(crate) along: Vec<bool>,
}

impl<'a> Targets<'a> {
    pub(crate) fn new(matches: &'a Matches<'a>, rule: RuleId, target: usize) -> Self {
        Self { matches, rule, target, filled: Vec::new(), along: Vec::new() }
    }

    pub(crate) fn fill(&mut self, found: &[PathMatch], meaning: Meaning, rejected: &mut RejectedNames) {
        let rule = self.matches.map.rule(self.rule);
        let spelled_out = rule.pattern().is_some_and(|pattern| pattern.captures.is_empty());
        for found in found {
            // An object without a value, for which the new name is invalid, is ignored unless the pattern has no
            // wildcards.
            let has_value = self.matches.of_node.has(found.node);
            let mut ignored = RejectedNames::default();
            let rejected = if has_value || spelled_out { &mut *rejected } else { &mut ignored };
            let to = match meaning {
                Meaning::Paths => self.path(rule, found, rejected),
                Meaning::Containers => self.container(rule, found),
            };
            self.filled.push(to);
        }
        self.along = vec![false; found.len()];
        if found.len() > 1 {
            self.compare_with_what_is_above(found, meaning);
        }
    }

    fn path(&self, rule: &Rule, found: &PathMatch, rejected: &mut RejectedNames) -> Option<String> {
        let captures = rule.captures(found.path.as_bytes())?;
        let to =
            rejected.fill(self.matches.map, (self.rule, self.target), &captures, found.path.as_bytes())?;
        String::from_utf8(to).ok()
    }

    /// Returns the new path of an object whose whole content the rule moves.
    fn container(&self, rule: &Rule, found: &PathMatch) -> Option<String> {
        let pattern = rule.pattern()?;
        let something = join_paths(&found.path, "x");
        let captures = pattern.captures(something.as_bytes())?;
        let template = rule.targets[self.target].0.container(pattern.captures.len() - 1)?;
        String::from_utf8(template.fill(&captures, &self.matches.map.tables).ok()?).ok()
    }

    /// Removes the targets of objects whose content would be moved elsewhere, and finds the matches that move with a
    /// match above them.
    fn compare_with_what_is_above(&mut self, found: &[PathMatch], meaning: Meaning) {
        let mut at_path: HashMap<&str, usize> = HashMap::with_capacity(found.len());
        for (at, one) in found.iter().enumerate() {
            at_path.entry(&one.path).or_insert(at);
        }
        let above = |path: &str, slash: usize| at_path.get(&path[..slash]).copied();
        for (at, one) in found.iter().enumerate().filter(|_| meaning == Meaning::Paths) {
            let Some(to) = self.filled[at].clone() else { continue };
            for (slash, _) in one.path.rmatch_indices('/') {
                let Some(above) = above(&one.path, slash) else { continue };
                let Some(above_to) = &self.filled[above] else { continue };
                let agrees = to.strip_prefix(above_to.as_str()) == Some(&one.path[slash..]);
                if agrees || self.matches.of_node.has(found[above].node) {
                    break;
                }
                self.filled[above] = None;
            }
        }
        for (at, one) in found.iter().enumerate() {
            let Some(to) = &self.filled[at] else { continue };
            let nearest = one
                .path
                .rmatch_indices('/')
                .find_map(|(slash, _)| Some((slash, self.filled[above(&one.path, slash)?].as_ref()?)));
            let agrees = |(slash, above): (usize, &String)| {
                to.strip_prefix(above.as_str()) == Some(&one.path[slash..])
            };
            self.along[at] = nearest.is_some_and(agrees);
        }
    }
}

/// Joins two parts of a path.
pub(crate) fn join_paths(above: &str, below: &str) -> String {
    match (above, below) {
        ("", path) | (path, "") => path.to_owned(),
        _ => [above, "/", below].concat(),
    }
}
