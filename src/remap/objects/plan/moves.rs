//! Renames, splits and joins. The first rule that matches a path takes it. A rename takes everything below the path
//! too.
//!
//! * A path below one that an earlier rule took belongs to that rule. If one rule matches a path and a deeper path,
//!   and gives the deeper one the place that it gets anyway, the deeper match is not a separate move. Example:
//!   `model/**` matches `model/a` and `model/a/w`.
//! * A rule may match an object and also give something below it a path other than the one it would get with the
//!   object. The rule then applies to what is below, as in a name-based checkpoint.
//! * A rule for the whole content of an object (`old/**` to `new/**`) takes the object itself, with its references
//!   and slots. If the new path already has an object, the contents are merged.

use std::collections::BTreeMap;

use foldhash::HashMap;

use crate::format::object_graph::NodeId;
use crate::graph::ROOT;
use crate::graph::key::{OPTIMIZER_SLOT, VARIABLE_VALUE};
use crate::map::diagnostic::{Error, Kind};
use crate::map::rule::{Rule, RuleId, Verb};
use crate::remap::counts::RuleCounts;
use crate::remap::objects::matching::search::{Edge, Meaning, PathMatch};
use crate::remap::objects::matching::{Matches, RuleMatches};
use crate::remap::objects::plan::selection::Selected;
use crate::remap::objects::plan::targets::{Targets, join_paths};
use crate::remap::rejected_names::RejectedNames;

/// A path that a rule takes, and its new path.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) rule: RuleId,
    pub(crate) path: String,
    pub(crate) edges: Vec<Edge>,
    pub(crate) node: NodeId,
    pub(crate) to: String,
    pub(crate) how: How,
}

/// The way in which a path gets to its new place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The path moves with the object above it.
    Along,
    /// The last edge of the path moves.
    Moves,
    /// The contents of the object move.
    Empties,
}

/// A variable that a rule joins or splits.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) rule: RuleId,
    pub(crate) entry: usize,
    /// The path or the full name that the rule matches.
    pub(crate) name: String,
}

/// The paths that rules take.
pub(crate) struct Moves<'a> {
    pub(crate) matches: &'a Matches<'a>,
    pub(crate) selected: &'a Selected,
    pub(crate) takes: Vec<Move>,
    by_edge: HashMap<Edge, Vec<usize>>,
    /// The index of the move that takes the whole content of the root.
    of_root: Option<usize>,
    /// The matches that each rule acted on.
    pub(crate) acted: HashMap<RuleId, Vec<usize>>,
    /// The matches that are values below objects, each with the path that its rule gives it.
    slot_values: Vec<(RuleId, PathMatch, String)>,
    /// The new full names by entry, and the rule of each.
    pub(crate) full_names: HashMap<usize, (RuleId, String)>,
    /// The variables that rules join and split. `used` has the edges that they lose by this. `used_up` has the
    /// variables that a full name selected, which lose all their paths.
    pub(crate) inputs: Vec<Input>,
    pub(crate) used: HashMap<Edge, RuleId>,
    pub(crate) used_up: HashMap<NodeId, RuleId>,
    pub(crate) errors: Vec<Error>,
}

impl<'a> Moves<'a> {
    pub(crate) fn new(
        matches: &'a Matches<'a>,
        selected: &'a Selected,
        counts: &mut RuleCounts,
        rejected: &mut RejectedNames,
    ) -> Self {
        let (takes, by_edge, acted, slot_values, full_names) = Default::default();
        let (inputs, used, used_up) = Default::default();
        let mut moves = Self {
            matches,
            selected,
            takes,
            by_edge,
            of_root: None,
            acted,
            slot_values,
            full_names,
            inputs,
            used,
            used_up,
            errors: vec![],
        };
        for (id, rule, of_rule) in matches.all_rules().filter(|(_, rule, _)| rule.takes()) {
            if rule.verb != Verb::Rename {
                moves.use_variables(id, of_rule, counts);
                continue;
            }
            let mut targets = Targets::new(matches, id, 0);
            targets.fill(&of_rule.found, of_rule.meaning, rejected);
            for (at, found) in of_rule.found.iter().enumerate() {
                counts.matched(id);
                match (moves.blocker(found, id, of_rule.meaning), targets.filled[at].take()) {
                    (Some(by), _) => counts.shadowed(id, by),
                    (None, Some(to)) => moves.take(id, found, to, at),
                    (None, None) => {}
                }
            }
            moves.take_full_names(id, rule, &of_rule.entries, counts, rejected);
        }
        moves.resolve_conflicts();
        moves
    }

    /// Returns the path in the result of the first `n` edges of a path of the source, and the rule that gives it.
    pub(crate) fn position(&self, way: &[Edge], path: &str, n: usize) -> (String, Option<RuleId>) {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let end = n.checked_sub(1).and_then(|last| ends.clone().nth(last)).unwrap_or(0);
        let takes = way[..n].iter().zip(ends).filter_map(|(edge, at)| Some((self.by_edge.get(edge)?, at)));
        if let Some((takes, at)) = takes.last() {
            let same = takes.iter().find(|take| self.takes[**take].path == path[..at]);
            let take = &self.takes[*same.unwrap_or(&takes[0])];
            return (join_paths(&take.to, path[at..end].trim_start_matches('/')), Some(take.rule));
        }
        match self.of_root.map(|take| &self.takes[take]) {
            Some(take) => (join_paths(&take.to, &path[..end]), Some(take.rule)),
            None => (path[..end].to_owned(), None),
        }
    }

    /// Returns true if an edge of the source is no longer at its place.
    pub(crate) fn is_left(&self, edge: Edge) -> bool {
        let moved = || self.by_edge.get(&edge)?.iter().find(|take| self.takes[**take].how == How::Moves);
        self.is_gone(edge)
            || self.selected.objects.contains_key(&self.matches.child(edge))
            || moved().is_some()
    }

    /// Returns true if an edge is dropped, or if a rule moves it separately from the object above it.
    pub(crate) fn has_own_path(&self, edge: Edge) -> bool {
        let goes = |take: &usize| self.takes[*take].how != How::Along;
        self.is_gone(edge) || self.by_edge.get(&edge).is_some_and(|takes| takes.iter().any(goes))
    }

    /// Returns true if an edge is dropped, or if a rule before this one took it.
    pub(crate) fn is_taken_before(&self, edge: Edge, rule: RuleId) -> bool {
        self.is_gone(edge)
            || self
                .by_edge
                .get(&edge)
                .is_some_and(|takes| takes.iter().any(|take| self.takes[*take].rule < rule))
    }

    /// Returns true if an edge is dropped, or was used for a new variable.
    fn is_gone(&self, edge: Edge) -> bool {
        self.selected.cut.contains_key(&edge)
            || self.used.contains_key(&edge)
            || !self.used_up.is_empty() && self.used_up.contains_key(&self.matches.child(edge))
    }

    /// Returns the object of the source that is at a path and stays there.
    pub(crate) fn occupant(&self, path: &str) -> Option<NodeId> {
        let way = self.matches.edges(path)?;
        let stays = way.iter().all(|edge| !self.is_left(*edge));
        stays.then(|| way.last().map_or(ROOT, |edge| self.matches.child(*edge)))
    }

    /// Returns the rule that already has a path: it dropped the path, or took the path or one above it. `Some(None)`
    /// if the object is dropped without a `drop` rule.
    fn blocker(&self, found: &PathMatch, id: RuleId, meaning: Meaning) -> Option<Option<RuleId>> {
        if let Some(drop) = found.edges.iter().find_map(|edge| self.selected.cut.get(edge)) {
            return Some(Some(*drop));
        }
        let used = found.edges.iter().find_map(|edge| self.used.get(edge));
        if let Some(by) = used.or_else(|| self.used_up.get(&found.node)) {
            return Some(Some(*by));
        }
        if let Some(by) = self.selected.objects.get(&found.node).filter(|_| meaning == Meaning::Paths) {
            return Some(*by);
        }
        if let Some(slot) = found.leaf.as_ref().and_then(|leaf| leaf.slot)
            && let Some(by) = self.selected.slots.get(&slot)
        {
            return Some(*by);
        }
        let before = |take: &&usize| self.takes[**take].rule < id;
        let of_root = self.of_root.as_ref().filter(before).map(|take| self.takes[*take].rule);
        let is_last = |at: usize| at + 1 == found.edges.len() && found.leaf.is_none();
        let of_edge = found.edges.iter().enumerate().find_map(|(at, edge)| {
            let mut takes = self.by_edge.get(edge)?.iter().filter(before);
            let take = takes.find(|take| !is_last(at) || self.takes[**take].path == found.path)?;
            Some(self.takes[*take].rule)
        });
        of_root.or(of_edge).map(Some)
    }

    fn take(&mut self, rule: RuleId, found: &PathMatch, to: String, at: usize) {
        self.acted.entry(rule).or_default().push(at);
        if found.leaf.is_some() {
            return self.slot_values.push((rule, found.clone(), to));
        }
        match found.edges.last() {
            Some(edge) => self.by_edge.entry(*edge).or_default().push(self.takes.len()),
            None => self.of_root = Some(self.takes.len()),
        }
        let (path, way, node) = (found.path.clone(), found.edges.clone(), found.node);
        self.takes.push(Move { rule, path, edges: way, node, to, how: How::Along });
    }

    /// Takes the variables that a rule joins or splits. Objects without a value are skipped.
    fn use_variables(&mut self, rule: RuleId, of_rule: &RuleMatches, counts: &mut RuleCounts) {
        for found in &of_rule.found {
            let Some((entry, edge)) = self.matches.variable_at(found).zip(found.edges.last()) else {
                continue;
            };
            counts.matched(rule);
            match self.blocker(found, rule, Meaning::Paths) {
                Some(by) if by == Some(rule) => {}
                Some(by) => counts.shadowed(rule, by),
                None => {
                    self.used.insert(*edge, rule);
                    self.inputs.push(Input { rule, entry, name: found.path.clone() });
                }
            }
        }
        for &entry in of_rule.entries.iter().filter(|entry| !self.matches.is_slot(**entry)) {
            let full_name = self.matches.entries[entry].full_name.and_then(|name| str::from_utf8(name).ok());
            let Some((node, name)) = self.matches.node_of(entry).zip(full_name) else { continue };
            counts.matched(rule);
            match self.selected.objects.get(&node).copied().or(self.used_up.get(&node).map(|by| Some(*by))) {
                Some(by) => counts.shadowed(rule, by),
                None => {
                    self.used_up.insert(node, rule);
                    self.inputs.push(Input { rule, entry, name: name.to_owned() });
                }
            }
        }
    }

    /// Determines how each path gets to its place, which depends on the moves of the paths above it.
    fn resolve_conflicts(&mut self) {
        for at in 0..self.takes.len() {
            let Move { path, edges: way, node, to, .. } = &self.takes[at];
            let along = way.len().checked_sub(1).map(|above| {
                let name = path.rsplit('/').next().unwrap_or_default();
                join_paths(&self.position(way, path, above).0, name)
            });
            let has_value = || self.matches.node(*node).attributes.iter().any(|a| a.name == VARIABLE_VALUE);
            self.takes[at].how = match along {
                None => How::Empties,
                Some(along) if along == *to => How::Along,
                Some(_) if self.is_container(&self.takes[at]) && (to.is_empty() || has_value()) => {
                    How::Empties
                }
                Some(_) => How::Moves,
            };
        }
        let mut faults = BTreeMap::<(RuleId, &'static str), Vec<SlotValueError>>::new();
        for (rule, found, to) in std::mem::take(&mut self.slot_values) {
            if let Some((why, fault)) = self.slot_value_error(&found, to) {
                faults.entry((rule, why)).or_default().push(fault);
            }
        }
        for ((rule, why), faults) in faults {
            // A rule that gives many objects one path has its own error, which includes the values below them.
            let collides =
                |to: &str| self.takes.iter().filter(|take| take.rule == rule && take.to == to).count() > 1;
            if !faults.iter().all(|fault| collides(&fault.to)) {
                self.errors.push(slot_value_message(self.matches.map.rule(rule), why, &faults));
            }
        }
    }

    /// Returns the reason why a rule cannot choose the path of a value below an object. `None` if it does not change
    /// the path that the object's own path determines.
    fn slot_value_error(&self, found: &PathMatch, to: String) -> Option<(&'static str, SlotValueError)> {
        let leaf = found.leaf.as_ref()?;
        let object = &found.path[..found.path.len() - leaf.text.len()].trim_end_matches('/');
        let below = match leaf.text.strip_prefix(OPTIMIZER_SLOT.trim_start_matches('/')) {
            Some(slot) => {
                let (optimizer, name) = slot.rsplit_once('/').unwrap_or(("", slot));
                let way = self.matches.edges(optimizer).unwrap_or_default();
                format!("{OPTIMIZER_SLOT}{}", join_paths(&self.position(&way, optimizer, way.len()).0, name))
            }
            None => format!("/{}", leaf.text),
        };
        let along = self.position(&found.edges, object, found.edges.len()).0 + &below;
        let why = match leaf.slot {
            Some(_) => "a slot goes where its variable and its optimizer go",
            None => "it is part of an object and goes where that goes",
        };
        (to != along && to != found.path)
            .then(|| (why, SlotValueError { path: found.path.clone(), to, along }))
    }

    fn take_full_names(
        &mut self,
        id: RuleId,
        rule: &Rule,
        entries: &[usize],
        counts: &mut RuleCounts,
        rejected: &mut RejectedNames,
    ) {
        for &entry in entries {
            counts.matched(id);
            let Some(full_name) = self.matches.entries[entry].full_name else { continue };
            if let Some((by, _)) = self.full_names.get(&entry) {
                counts.shadowed(id, Some(*by));
                continue;
            }
            let Some(captures) = rule.captures(full_name) else { continue };
            let to = rejected.fill(self.matches.map, (id, 0), &captures, full_name);
            if let Some(to) = to.and_then(|to| String::from_utf8(to).ok()) {
                self.full_names.insert(entry, (id, to));
            }
        }
    }

    fn is_container(&self, take: &Move) -> bool {
        self.matches.by_rule[take.rule.index()].meaning == Meaning::Containers
    }
}

/// A value below an object, and a path that a rule gives it but the object's own path does not allow.
struct SlotValueError {
    path: String,
    to: String,
    /// The path that the value gets with its object.
    along: String,
}

/// The number of paths below objects that an error shows. Further paths are counted.
const SHOWN: usize = 3;

/// Returns one error for all such paths of a rule.
fn slot_value_message(rule: &Rule, why: &'static str, faults: &[SlotValueError]) -> Error {
    let sentence =
        |SlotValueError { path, to, .. }: &SlotValueError| format!("`{path}` cannot become `{to}`");
    let help = |fault: &SlotValueError| format!("it will be `{}`", fault.along);
    if let [fault] = faults {
        return Error::new(Kind::Name, rule.span(), sentence(fault)).note(why).help(help(fault));
    }
    let what = format!("{} paths cannot be renamed separately from their objects", faults.len());
    let error = Error::new(Kind::Name, rule.span(), what).note(why);
    let error = faults.iter().take(SHOWN).fold(error, |error, fault| error.note(sentence(fault)));
    match faults.len() - SHOWN.min(faults.len()) {
        0 => error,
        more => error.note(format!("and {more} more like these")),
    }
}
