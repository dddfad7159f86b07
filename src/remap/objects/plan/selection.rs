//! Selection, which comes before naming. A path that a `drop` matches is dropped. If there is a `keep` rule, so is
//! every variable that has no path matched by a `keep`.
//!
//! A `drop` removes the last edge of a path. An object that has no path left is removed with its slots. So the
//! weights that a Keras 3 optimizer lists stay if the optimizer is dropped, because they have other paths.

use foldhash::{HashMap, HashSet, HashSetExt};

use crate::format::object_graph::NodeId;
use crate::map::rule::{Matcher, RuleId, Verb};
use crate::remap::counts::RuleCounts;
use crate::remap::objects::matching::Matches;
use crate::remap::objects::matching::search::{Edge, Meaning, PathMatch};
use crate::remap::objects::plan::subtree::Subtree;

/// The name of a Keras 3 optimizer's list of the weights that it trains.
pub(crate) const TRAINED: &str = "_trainable_variables";

/// The dropped edges, objects and slots, each with its `drop` rule. The rule is `None` if no `keep` matches the
/// variable, or no rule at all.
#[derive(Default)]
pub(crate) struct Selected {
    pub(crate) cut: HashMap<Edge, RuleId>,
    pub(crate) objects: HashMap<NodeId, Option<RuleId>>,
    pub(crate) slots: HashMap<NodeId, Option<RuleId>>,
}

pub(crate) fn select(matches: &Matches<'_>, counts: &mut RuleCounts) -> Selected {
    let mut selected = Selected::default();
    for (id, rule, of_rule) in matches.rules(Verb::Drop) {
        if matches!(rule.matcher, Matcher::Optimizer) {
            selected.drop_lists(matches, id);
        }
        for found in &of_rule.found {
            counts.matched(id);
            match of_rule.meaning {
                Meaning::Paths => selected.drop_path(found, id),
                Meaning::Containers => selected.drop_content(matches, found.node, id),
            }
        }
        for &entry in &of_rule.entries {
            counts.matched(id);
            selected.drop_entry(matches, entry, Some(id));
        }
    }
    selected.keep(matches, counts);
    selected
}

impl Selected {
    fn drop_path(&mut self, found: &PathMatch, id: RuleId) {
        match (&found.leaf, found.edges.last()) {
            (Some(leaf), _) => match leaf.slot {
                Some(slot) => drop(self.slots.entry(slot).or_insert(Some(id))),
                None => drop(self.objects.entry(found.node).or_insert(Some(id))),
            },
            (None, Some(edge)) => drop(self.cut.entry(*edge).or_insert(id)),
            (None, None) => {}
        }
    }

    /// Drops all names in an object, and all its values and slots.
    fn drop_content(&mut self, matches: &Matches<'_>, node: NodeId, id: RuleId) {
        for edge in (0..matches.node(node).children.len()).map(|child| (node, child)) {
            if !matches.is_counter(edge) {
                self.cut.entry(edge).or_insert(id);
            }
        }
        for leaf in matches.slot_values.below(node) {
            match leaf.slot {
                Some(slot) => drop(self.slots.entry(slot).or_insert(Some(id))),
                None => drop(self.objects.entry(node).or_insert(Some(id))),
            }
        }
        for slot in &matches.node(node).slots {
            self.slots.entry(slot.variable).or_insert(Some(id));
        }
    }

    /// Drops the optimizers' lists of the weights that they train, if the weights have other names too. With the
    /// list, the weights' keys would keep the optimizer's name.
    fn drop_lists(&mut self, matches: &Matches<'_>, id: RuleId) {
        let optimizers =
            (0..matches.graph.objects().nodes.len()).filter(|&node| matches.graph.is_optimizer(node));
        for edge in
            optimizers.flat_map(|node| (0..matches.node(node).children.len()).map(move |child| (node, child)))
        {
            let (node, child) = edge;
            let is_list = matches.node(node).children[child].local_name == TRAINED;
            let mut trained = matches.node(matches.child(edge)).children.iter();
            if is_list && trained.all(|child| matches.graph.is_outside_optimizers(child.node)) {
                self.cut.entry(edge).or_insert(id);
            }
        }
    }

    /// Drops a value under all its paths.
    pub(crate) fn drop_entry(&mut self, matches: &Matches<'_>, entry: usize, by: Option<RuleId>) {
        let Some(node) = matches.entries[entry].node else { return };
        let gone = if matches.is_slot(entry) { &mut self.slots } else { &mut self.objects };
        gone.entry(node).or_insert(by);
    }

    fn keep(&mut self, matches: &Matches<'_>, counts: &mut RuleCounts) {
        if matches.rules(Verb::Keep).next().is_none() {
            return;
        }
        let mut kept: HashSet<usize> = HashSet::new();
        for (id, _, of_rule) in matches.rules(Verb::Keep) {
            let mut cover = Subtree::new(matches);
            for found in &of_rule.found {
                counts.matched(id);
                cover.add(found, of_rule.meaning, |_| false);
            }
            let covered = cover.entries().into_iter().chain(of_rule.entries.iter().copied());
            for entry in covered.filter(|&entry| !matches.is_slot(entry)) {
                let name = matches.entries[entry].visible;
                of_rule.entries.contains(&entry).then(|| counts.matched(id));
                counts.hit(id, name, name);
                kept.insert(entry);
            }
        }
        for entry in (0..matches.entries.len()).filter(|entry| !kept.contains(entry)) {
            let Some(node) = matches.entries[entry].node else { continue };
            if !matches.is_slot(entry) && matches.counter() != Some(node) {
                self.drop_entry(matches, entry, None);
            }
        }
    }
}
