//! The variables of both sides that can pair by their shapes: every pair is within one pool.

use std::collections::{BTreeMap, HashMap};

use crate::suggest::Change;
use crate::suggest::change::change;
use crate::suggest::side::{Kind, Side, Variable};
use crate::tensor::Shape;

/// The variables that can pair by their shapes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    pub(crate) have: Vec<usize>,
    pub(crate) want: Vec<usize>,
}

/// The changes between the shapes of both sides.
pub(crate) struct Fits {
    have: Vec<usize>,
    want: Vec<usize>,
    changes: BTreeMap<(usize, usize), Option<Change>>,
}

impl Fits {
    pub(crate) fn new(have: &Side, want: &Side) -> Self {
        let (have, old) = classes(&have.variables);
        let (want, new) = classes(&want.variables);
        let mut by_size: BTreeMap<Option<u64>, Vec<usize>> = BTreeMap::new();
        for (at, (_, shape)) in old.iter().enumerate() {
            by_size.entry(shape.num_elements()).or_default().push(at);
        }
        let mut changes = BTreeMap::new();
        for (to, (kind, shape)) in new.iter().enumerate() {
            for from in by_size.get(&shape.num_elements()).into_iter().flatten() {
                let found = change(old[*from].1, shape).filter(|_| old[*from].0 == *kind);
                changes.extend(found.map(|change| ((*from, to), change)));
            }
        }
        Self { have, want, changes }
    }

    /// Returns the change between two variables. `None` if they cannot pair.
    pub(crate) fn change(&self, have: usize, want: usize) -> Option<&Option<Change>> {
        self.changes.get(&(self.have[have], self.want[want]))
    }

    /// Groups variables into pools.
    pub(crate) fn pools(&self, have: &[usize], want: &[usize]) -> Vec<Pool> {
        self.grouped(self.sets(), have, want)
    }

    /// Groups templates into pools, by their first members. A template is in one pool with all its members.
    pub(crate) fn template_pools(&self, have: &Side, want: &Side) -> Vec<Pool> {
        let mut sets = self.sets();
        let base = self.num_have();
        for (side, classes, base) in [(have, &self.have, 0), (want, &self.want, base)] {
            for group in &side.templates {
                group
                    .members
                    .iter()
                    .for_each(|at| sets.join(base + classes[group.members[0]], base + classes[*at]));
            }
        }
        let firsts = |side: &Side| side.templates.iter().map(|group| group.members[0]).collect::<Vec<_>>();
        self.grouped(sets, &firsts(have), &firsts(want))
    }

    /// Returns the number of classes of HAVE. In the sets, those of WANT follow.
    fn num_have(&self) -> usize {
        self.have.iter().max().map_or(0, |max| max + 1)
    }

    fn sets(&self) -> Sets {
        let num_want = self.want.iter().max().map_or(0, |max| max + 1);
        let base = self.num_have();
        let mut sets = Sets::new(base + num_want);
        self.changes.keys().for_each(|(from, to)| sets.join(*from, base + *to));
        sets
    }

    fn grouped(&self, mut sets: Sets, have: &[usize], want: &[usize]) -> Vec<Pool> {
        let mut pools: BTreeMap<usize, Pool> = BTreeMap::new();
        for at in want {
            pools.entry(sets.root(self.num_have() + self.want[*at])).or_default().want.push(*at);
        }
        for at in have {
            if let Some(pool) = pools.get_mut(&sets.root(self.have[*at])) {
                pool.have.push(*at);
            }
        }
        pools.into_values().filter(|pool| !pool.have.is_empty()).collect()
    }
}

/// Returns the class of each variable, and the kind and the shape of each class.
fn classes(variables: &[Variable]) -> (Vec<usize>, Vec<(&Kind, &Shape)>) {
    let (mut known, mut classes) = (HashMap::new(), Vec::new());
    let mut of = Vec::with_capacity(variables.len());
    for Variable { kind, shape, .. } in variables {
        of.push(*known.entry((kind, shape)).or_insert(classes.len()));
        if of.last() == Some(&classes.len()) {
            classes.push((kind, shape));
        }
    }
    (of, classes)
}

/// Disjoint sets of numbers.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}
