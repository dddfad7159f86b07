//! The refusal of a `drop` that takes weights by their only path, which leads through an optimizer.
//!
//! A Keras 3 optimizer lists the weights that it trains. If TensorFlow does not see the layers, such as those in a list
//! of Python, the weights have no other path, and `optimizer/**` is not meant for them.

use foldhash::{HashSet, HashSetExt};

use crate::graph::NameRole;
use crate::map::diagnostic::{Error, Errors, Kind, counted};
use crate::map::rule::{Rule, Verb};
use crate::remap::objects::matching::RuleMatches;
use crate::remap::objects::plan::selection::TRAINED;
use crate::remap::objects::plan::subtree::Subtree;
use crate::remap::objects::result::MappedObjects;
use crate::remap::rejected_names::list;

/// The maximum number of weights that a message lists.
const LISTED: usize = 20;

impl MappedObjects<'_> {
    /// Reports every rule that drops such weights, unless a rule spells the list's name, or selects the weights
    /// themselves.
    pub(crate) fn refuse_trained(&self, errors: &mut Errors) {
        let rules = || self.matches.rules(Verb::Drop).filter(|(_, rule, _)| rule.pattern().is_some());
        let is_meant = |rule: &Rule| rule.from().text.contains(TRAINED);
        let mut known: HashSet<usize> = HashSet::new();
        for (_, rule, of_rule) in rules() {
            known.extend(&of_rule.entries);
            if is_meant(rule) {
                known.extend(self.covered(of_rule));
            }
        }
        for (_, rule, of_rule) in rules().filter(|(_, rule, _)| !is_meant(rule)) {
            let mut taken = self.covered(of_rule);
            taken.retain(|entry| self.is_lost_weight(*entry) && known.insert(*entry));
            if !taken.is_empty() {
                errors.push(self.refusal(rule, &taken));
            }
        }
    }

    fn covered(&self, of_rule: &RuleMatches) -> Vec<usize> {
        let mut cover = Subtree::new(self.matches);
        of_rule.found.iter().for_each(|found| cover.add(found, of_rule.meaning, |_| false));
        cover.entries()
    }

    /// Returns true for a weight that is gone, and whose every path led through an optimizer.
    fn is_lost_weight(&self, entry: usize) -> bool {
        let (known, graph) = (&self.matches.entries[entry], self.matches.graph);
        let is_weight = known.role == NameRole::Variable && !known.optimizer_state;
        let is_inside = known.node.is_some_and(|node| !graph.is_outside_optimizers(node));
        is_weight && is_inside && self.names[entry].is_none()
    }

    fn refusal(&self, rule: &Rule, taken: &[usize]) -> Error {
        let names: Vec<_> = taken.iter().map(|entry| self.matches.entries[*entry].visible).collect();
        let what = match names.len() {
            1 => "1 weight has no other path than the optimizer's list".into(),
            n => format!("{} have no other path than the optimizer's list", counted(n, "weight")),
        };
        let error = Error::new(Kind::Conflict, rule.span(), what).note(list(&names, LISTED));
        let error = error.help("--drop-optimizer drops the optimizer's state and keeps them");
        let node = taken.first().and_then(|entry| self.matches.node_of(*entry));
        let path = node.and_then(|node| self.matches.graph.path(node)).unwrap_or_default();
        match path.rsplit_once('/') {
            Some((list, _)) => error.help(format!("--drop '{list}/**' takes them all the same")),
            None => error,
        }
    }
}
