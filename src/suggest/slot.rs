//! The numbers in a template that differ between its members, and the map from one template's to another's: by rank.

use std::rc::Rc;

/// A number of a template that differs between its members.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// The position among the template's numbers.
    pub(crate) at: usize,
    /// The values, each once, in ascending order.
    pub(crate) values: Rc<[u64]>,
    /// True if the counter has no gap, over all names that begin the same.
    pub(crate) is_whole: bool,
}

impl Slot {
    /// Finds the slots of a group by the numbers of its members. A number that only repeats another, as in `conv2/conv2_1`, is none.
    pub(crate) fn all(members: &[&[u64]], is_whole: impl Fn(usize) -> bool) -> Vec<Self> {
        let count = members.first().map_or(0, |numbers| numbers.len());
        let mut slots: Vec<(Self, Vec<usize>)> = Vec::new();
        for at in 0..count {
            let column = || members.iter().map(|numbers| numbers[at]);
            let mut values: Vec<u64> = column().collect();
            values.sort_unstable();
            values.dedup();
            if values.len() < 2 {
                continue;
            }
            let ranks: Vec<_> =
                column().map(|value| values.partition_point(|other| *other < value)).collect();
            if slots.iter().all(|(_, other)| *other != ranks) {
                slots.push((Self { at, values: values.into(), is_whole: is_whole(at) }, ranks));
            }
        }
        slots.into_iter().map(|(slot, _)| slot).collect()
    }

    /// Returns the rank of a variable's number.
    pub(crate) fn rank(&self, numbers: &[u64]) -> Option<usize> {
        self.values.binary_search(numbers.get(self.at)?).ok()
    }
}

/// The map from the numbers of one group to those of another, by rank.
#[derive(Clone, Debug)]
pub(crate) struct SlotMap {
    /// The slots of the source and of the wanted.
    pub(crate) pairs: Vec<(Slot, Slot)>,
    /// The share of the wanted slots that have a pair.
    pub(crate) coverage: f64,
    /// True if each pair has the same numbers, or two counters without gaps.
    pub(crate) is_certain: bool,
}

impl SlotMap {
    /// Pairs slots with the same number of values: the same values first, then the nearest position. `None` if there is
    /// nothing to pair.
    pub(crate) fn new(have: &[Slot], want: &[Slot]) -> Option<Self> {
        let mut pairs: Vec<(Slot, Slot)> = Vec::new();
        for wanted in want {
            let free = have.iter().filter(|slot| {
                slot.values.len() == wanted.values.len() && pairs.iter().all(|(used, _)| used.at != slot.at)
            });
            let best = free.min_by_key(|slot| (slot.values != wanted.values, slot.at.abs_diff(wanted.at)));
            pairs.extend(best.map(|slot| (slot.clone(), wanted.clone())));
        }
        let coverage = pairs.len() as f64 / want.len() as f64;
        let is_certain = pairs.iter().all(|(a, b)| a.values == b.values || a.is_whole && b.is_whole);
        (!pairs.is_empty()).then_some(Self { pairs, coverage, is_certain })
    }

    /// Returns the share of the pairs in which two variables have the same rank.
    pub(crate) fn agreement(&self, source: &[u64], wanted: &[u64]) -> f64 {
        let same =
            self.pairs.iter().filter(|(a, b)| a.rank(source).is_some() && a.rank(source) == b.rank(wanted));
        same.count() as f64 / self.pairs.len() as f64
    }
}
