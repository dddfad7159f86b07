//! The names that rules choose for variables. The path that a rule gives a variable also becomes its key.

use std::borrow::Cow;

use foldhash::HashSet;
use smol_str::SmolStr;

use crate::format::object_graph::NodeId;
use crate::graph::key::{components, escape};
use crate::graph::{PathCursor, ROOT};
use crate::map::rule::RuleId;
use crate::remap::objects::matching::Matches;
use crate::remap::objects::plan::moves::{How, Moves};

/// The new path of each variable that a rule renames, with the rule.
pub(crate) struct ChosenNames(Vec<Option<(RuleId, SmolStr)>>);

impl ChosenNames {
    /// Returns an instance for a graph with this number of nodes. It has no claims.
    pub(crate) fn new(nodes: usize) -> Self {
        Self(vec![None; nodes])
    }

    /// Claims the new path for each variable whose visible path is renamed.
    pub(crate) fn visible(&mut self, matches: &Matches<'_>, moves: &Moves<'_>) {
        let (mut guide, mut way) = (PathCursor::new(matches.graph), Vec::new());
        for entry in (0..matches.entries.len()).filter(|entry| !matches.is_slot(*entry)) {
            let (Some(node), Some(path)) = (matches.entries[entry].node, matches.visible_path(entry)) else {
                continue;
            };
            way.clear();
            way.extend(guide.edges(path).into_iter().flatten());
            if way.last().is_some_and(|edge| matches.child(*edge) == node) {
                let (to, rule) = moves.position(&way, path, way.len());
                if let Some(rule) = rule.filter(|_| to != path) {
                    self.claim(node, rule, to);
                }
            }
        }
    }

    /// Claims the new path for each variable that has another of its paths renamed, if that rule comes before the
    /// rule of its present claim.
    pub(crate) fn moved(&mut self, matches: &Matches<'_>, moves: &Moves<'_>) {
        let mut seen = vec![false; matches.graph.objects().nodes.len()];
        seen[ROOT] = true;
        for take in moves.takes.iter().filter(|take| take.how == How::Moves) {
            let way: HashSet<_> = take.edges.iter().map(|edge| edge.0).collect();
            // The objects below the moved one, each with the index of its last step. A step is the previous step and
            // a name.
            let (mut steps, mut open) = (vec![(0, "")], vec![(take.node, 0)]);
            while let Some((node, step)) = open.pop() {
                if matches.graph.is_optimizer(node) || std::mem::replace(&mut seen[node], true) {
                    continue;
                }
                let is_called = |claim: &(RuleId, SmolStr)| claim.0 <= take.rule;
                if matches.of_node.has(node) && !self.get(node).is_some_and(is_called) {
                    self.claim(node, take.rule, spelled(&take.to, &steps, step));
                }
                for (child, edge) in matches.node(node).children.iter().enumerate().rev() {
                    if !way.contains(&edge.node) && !moves.is_taken_before((node, child), take.rule) {
                        open.push((edge.node, steps.len()));
                        steps.push((step, &edge.local_name));
                    }
                }
            }
        }
    }

    fn claim(&mut self, node: NodeId, rule: RuleId, path: String) {
        if self.get(node).is_none_or(|claim| rule < claim.0) {
            self.insert(node, rule, path);
        }
    }

    /// Returns the claims in node order, in which neighbors share much of their paths.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = (NodeId, RuleId, &SmolStr)> {
        let chosen_names = self.0.iter().enumerate();
        chosen_names.filter_map(|(node, claim)| claim.as_ref().map(|(rule, path)| (node, *rule, path)))
    }

    /// Returns the rule and the path of a variable.
    pub(crate) fn get(&self, node: NodeId) -> Option<&(RuleId, SmolStr)> {
        self.0[node].as_ref()
    }

    /// Sets the path of a variable, replacing any previous claim.
    pub(crate) fn insert(&mut self, node: NodeId, rule: RuleId, path: String) {
        self.0[node] = Some((rule, path.into()));
    }
}

/// Returns the path that begins with `above` and continues along these steps.
fn spelled(above: &str, steps: &[(usize, &str)], mut step: usize) -> String {
    let mut names = Vec::new();
    while step != 0 {
        names.push(escape(steps[step].1));
        step = steps[step].0;
    }
    names.push(above.into());
    names.reverse();
    names.join("/")
}

/// Returns the full name for the new path `to`. The old full name must be `path` or the end of it.
pub(crate) fn respelled(path: &str, to: &str, full_name: &str) -> Option<String> {
    if !path.ends_with(full_name.rsplit(['/', '.']).next()?) {
        return None;
    }
    let (path, to) = (unescaped(path)?, unescaped(to)?);
    let above = path.strip_suffix(full_name)?;
    if !above.is_empty() && !above.ends_with('/') {
        return None;
    }
    Some(to.strip_prefix(above)?.to_owned()).filter(|new| !new.is_empty())
}

/// Returns a path with its names as the program has them.
fn unescaped(path: &str) -> Option<Cow<'_, str>> {
    let is_escaped = path.contains('.');
    if is_escaped { Some(components(path)?.join("/").into()) } else { Some(path.into()) }
}

/// Returns the full name that a path rule gives, if its pattern also matches the old full name.
pub(crate) fn by_rule(matches: &Matches<'_>, rule: RuleId, full_name: &str) -> Option<String> {
    let rule = matches.map.rule(rule);
    let captures = rule.captures(full_name.as_bytes())?;
    let filled = rule.targets.first()?.0.fill(&captures, &matches.map.tables).ok()?;
    String::from_utf8(filled).ok().filter(|new| !new.is_empty())
}
