//! The counts of each rule's results, computed when all results are known.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt};

use crate::map::rule::{RuleId, Verb};
use crate::name::Name;
use crate::remap::counts::RuleCounts;
use crate::remap::objects::plan::new_values::{NewValue, NewValuePlace};
use crate::remap::objects::plan::subtree::Subtree;
use crate::remap::objects::result::MappedObjects;

impl MappedObjects<'_> {
    /// Counts the results of drops. Returns the rule that dropped each entry.
    pub(crate) fn count_drops(&self, counts: &mut RuleCounts) -> HashMap<usize, RuleId> {
        let mut by_drop = HashMap::new();
        for (id, _, of_rule) in self.matches.rules(Verb::Drop) {
            let mut cover = Subtree::new(self.matches);
            of_rule.found.iter().for_each(|found| cover.add(found, of_rule.meaning, |_| false));
            let followers = cover.followers();
            let followers = followers.iter().flat_map(|slot| self.matches.of_node.get(*slot)).copied();
            let meant: Vec<_> = of_rule.entries.iter().copied().chain(cover.entries()).collect();
            let mut hits = 0;
            for entry in meant.into_iter().filter(|entry| self.names[*entry].is_none()) {
                if by_drop.insert(entry, id).is_none() {
                    counts.hit(id, self.matches.entries[entry].visible, b"");
                    hits += 1;
                }
            }
            for entry in followers.filter(|entry| self.names[*entry].is_none()) {
                if by_drop.insert(entry, id).is_none() {
                    counts.follow(id, self.matches.entries[entry].visible, b"");
                    hits += 1;
                }
            }
            // Counts the dropped paths, if all their variables stay.
            for found in of_rule.found.iter().filter(|_| hits == 0) {
                counts.hit(id, found.path.as_bytes(), b"");
            }
        }
        by_drop
    }

    pub(crate) fn count_renames(&self, counts: &mut RuleCounts) {
        for (&id, acted) in &self.moves.acted {
            let of_rule = &self.matches.by_rule[id.index()];
            let mut cover = Subtree::new(self.matches);
            for &at in acted {
                cover.add(&of_rule.found[at], of_rule.meaning, |edge| self.moves.is_taken_before(edge, id));
            }
            self.count(counts, id, &cover, &HashMap::new());
            if let (true, Some(take)) =
                (cover.entries().is_empty(), self.moves.takes.iter().find(|t| t.rule == id))
            {
                counts.hit(id, take.path.as_bytes(), take.to.as_bytes());
            }
        }
        for (&entry, (rule, full_name)) in &self.moves.full_names {
            let name = self.matches.entries[entry].full_name.unwrap_or_default();
            counts.hit(*rule, name, full_name.as_bytes());
        }
    }

    pub(crate) fn count_aliases(&self, counts: &mut RuleCounts) {
        let copied = self.shown.iter().filter(|shown| shown.copied_by.is_some());
        let names: HashMap<_, _> = copied.map(|shown| (shown.entry, shown.name.as_bytes())).collect();
        for (id, _, of_rule) in self.matches.rules(Verb::Alias) {
            let mut cover = Subtree::new(self.matches);
            for (_, at) in self.aliases.acted.iter().filter(|(rule, _)| *rule == id) {
                cover.add(&of_rule.found[*at], of_rule.meaning, |_| false);
            }
            self.count(counts, id, &cover, &names);
            for &entry in &of_rule.entries {
                let new = names.get(&entry).copied().unwrap_or_default();
                counts.hit(id, self.matches.entries[entry].visible, new);
            }
        }
    }

    /// Counts the joined, split and created variables.
    pub(crate) fn count_made(&self, counts: &mut RuleCounts) {
        let mut of_inputs = BTreeMap::<_, Vec<&[u8]>>::new();
        for shown in &self.made {
            let NewValue { rule, inputs, place, .. } = &self.new_values.values[shown.entry];
            let is_slot = matches!(place, NewValuePlace::Slot { .. });
            of_inputs.entry((*rule, is_slot, inputs.as_slice())).or_default().push(shown.name.as_bytes());
        }
        for ((rule, is_slot, inputs), new) in of_inputs {
            let old: Vec<_> = inputs.iter().map(|input| self.matches.entries[*input].visible).collect();
            match is_slot {
                false => counts.hit_all(rule, &old, &new),
                true => counts.follow_all(rule, &old, &new),
            }
        }
    }

    /// Counts the variables of a subtree and the slots that follow them, under their new names or the names of their
    /// copies.
    fn count(
        &self,
        counts: &mut RuleCounts,
        id: RuleId,
        subtree: &Subtree<'_>,
        copies: &HashMap<usize, &[u8]>,
    ) {
        let new = |entry: usize| {
            copies.get(&entry).copied().or(self.names[entry].as_ref().map(Name::as_bytes)).unwrap_or_default()
        };
        let entries = subtree.entries();
        for &entry in
            entries.iter().filter(|entry| !self.matches.is_slot(**entry) && self.names[**entry].is_some())
        {
            counts.hit(id, self.matches.entries[entry].visible, new(entry));
        }
        let slots: BTreeSet<_> =
            subtree.followers().iter().flat_map(|slot| self.matches.of_node.get(*slot)).copied().collect();
        let covered = entries.into_iter().filter(|entry| self.matches.is_slot(*entry));
        for entry in slots.into_iter().chain(covered).collect::<BTreeSet<_>>() {
            if self.names[entry].is_some() {
                counts.follow(id, self.matches.entries[entry].visible, new(entry));
            }
        }
    }
}
