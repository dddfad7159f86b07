//! The match of optimizers' state: by the weight that a value belongs to and the value's own name.
//!
//! The paths of these values only count (`optimizer/_variables/4`), and the numbers mean other values after a layer is
//! inserted or unfrozen, or with another optimizer. So a position is evidence only if nothing else is known, and then
//! only if both sides have the same shapes in the same order. A position that contradicts the name is ambiguous. An
//! optimizer of another class has nothing to give.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::transform::like::candidates::{Candidates, Checkpoint, How};
use crate::transform::like::number::{Numbered, same_apart_from_numbers};
use crate::transform::like::options::Matching;
use crate::transform::like::role::{Role, State};

/// The name of an optimizer's number of steps.
const ITERATION: &str = "iteration";
/// The name of the number of steps in TF1, where all optimizers share it.
const GLOBAL_STEP: &[u8] = b"global_step";

/// The state of the optimizers of two checkpoints.
pub(crate) struct States<'s> {
    source: &'s Checkpoint<'s>,
    wanted: &'s Checkpoint<'s>,
    matching: Option<Matching>,
    /// The source's values by path.
    by_path: HashMap<&'s [u8], usize>,
    /// The source's values by weight and name.
    by_name: HashMap<(Option<usize>, &'s str), Vec<usize>>,
}

impl<'s> States<'s> {
    pub(crate) fn new(
        source: &'s Checkpoint<'s>,
        wanted: &'s Checkpoint<'s>,
        matching: Option<Matching>,
    ) -> Self {
        let (mut by_path, mut by_name) = (HashMap::new(), HashMap::<_, Vec<_>>::new());
        for (at, role) in source.roles.iter().enumerate() {
            let Some(state) = role.state() else { continue };
            by_path.extend(source.names[at].paths.iter().map(|path| (path.as_slice(), at)));
            if let Some(name) = &state.name {
                by_name.entry((state.of, name.as_str())).or_default().push(at);
            }
        }
        Self { source, wanted, matching, by_path, by_name }
    }

    /// Adds the matches of optimizers' state to `candidates`, which has those of all other variables.
    pub(crate) fn find(&self, candidates: &mut [Candidates]) {
        let weights: Vec<_> = candidates
            .iter()
            .map(|candidates| match candidates {
                Candidates::One(at, _) => Some(*at),
                _ => None,
            })
            .collect();
        let alike = self.alike_lists();
        for (at, role) in self.wanted.roles.iter().enumerate() {
            let (Some(state), Candidates::None) = (role.state(), &candidates[at]) else { continue };
            candidates[at] = match state.of.map(|of| &candidates[of]) {
                Some(undecided @ (Candidates::Group(_) | Candidates::New)) => undecided.clone(),
                _ => self.one(at, state, &weights, &alike),
            };
        }
        if self.matching == Some(Matching::Position) {
            self.yield_positions(candidates);
        }
    }

    /// Takes a match by name away if another value has the same source by its position.
    fn yield_positions(&self, candidates: &mut [Candidates]) {
        let states = |at: &usize| self.wanted.roles[*at].state().is_some();
        let all: Vec<_> = (0..candidates.len()).filter(states).collect();
        let by_position = |candidates: &Candidates| match candidates {
            Candidates::One(source, How::Position) => Some(*source),
            _ => None,
        };
        let claimed: HashSet<_> = all.iter().filter_map(|at| by_position(&candidates[*at])).collect();
        for at in all {
            if matches!(candidates[at], Candidates::One(source, How::FullName) if claimed.contains(&source)) {
                candidates[at] = Candidates::None;
            }
        }
    }

    fn one(
        &self,
        at: usize,
        state: &State,
        weights: &[Option<usize>],
        alike: &HashMap<Vec<u8>, bool>,
    ) -> Candidates {
        let named = self.by_name(state, weights);
        let (path, is_position) = self.at_path(at).unzip();
        let is_position = is_position.unwrap_or(false);
        let is_other = |source: &usize| self.is_other_class(*source, state);
        match (named, path, self.matching) {
            (_, Some(source), None | Some(Matching::Name)) if is_other(&source) => {
                Candidates::OtherOptimizer(source)
            }
            (_, Some(source), Some(Matching::Position)) => Candidates::One(source, How::Position),
            (_, Some(source), _) if !is_position && state.of.is_none() => Candidates::One(source, How::Path),
            (Some(Some(named)), Some(source), None) if named != source => {
                Candidates::OtherState(Some(named), source)
            }
            (Some(None), Some(source), None) if self.contradicts(source, state, weights) => {
                Candidates::OtherState(None, source)
            }
            (Some(Some(named)), ..) => Candidates::One(named, How::FullName),
            (Some(None), None, _) | (None, None, _) | (Some(None), _, Some(Matching::Name)) => {
                Candidates::None
            }
            (_, Some(source), _) if self.is_alike(at, source, alike) => {
                Candidates::One(source, How::Position)
            }
            (_, Some(source), _) => Candidates::OtherState(None, source),
        }
    }

    /// Returns the source's value of the same name for the same weight. The outer `None` says that the name or the
    /// weight is unknown; the inner one, that the source has no such value.
    fn by_name(&self, state: &State, weights: &[Option<usize>]) -> Option<Option<usize>> {
        let name = state.name.as_deref()?;
        let of = match state.of {
            Some(of) => match weights[of] {
                Some(source) => Some(source),
                None => return Some(None),
            },
            None => None,
        };
        let found = self.by_name.get(&(of, name)).map_or(&[][..], Vec::as_slice);
        let mut fitting = found.iter().copied().filter(|source| !self.is_other_class(*source, state));
        match (fitting.next(), fitting.next()) {
            (Some(one), None) => Some(Some(one)),
            (None, _) if name == ITERATION => Some(self.global_step(state)),
            (None, _) => Some(None),
            _ => None,
        }
    }

    /// Returns TF1's `global_step`, which is the iteration of an optimizer of the same class.
    fn global_step(&self, state: &State) -> Option<usize> {
        let states = self.source.roles.iter().filter_map(Role::state);
        let classes = || states.clone().filter_map(|state| state.optimizer.as_ref());
        let same = |class: &String| state.optimizer.as_ref().is_none_or(|wanted| wanted == class);
        let is_same = classes().next().is_some() && classes().all(same);
        let all = self.source.catalog.variables.iter();
        let found = all.clone().position(|variable| variable.name.as_bytes() == GLOBAL_STEP);
        found.filter(|at| is_same && self.source.roles[*at] == Role::Counter)
    }

    /// Returns the source's value at the same path, and true if the path only counts.
    fn at_path(&self, at: usize) -> Option<(usize, bool)> {
        let found = |path: &Vec<u8>| Some((*self.by_path.get(path.as_slice())?, counts(path)));
        let all = self.wanted.names[at].paths.iter().filter_map(found);
        all.min_by_key(|(_, is_position)| *is_position)
    }

    fn is_other_class(&self, source: usize, state: &State) -> bool {
        let class = self.source.roles[source].state().and_then(|state| state.optimizer.as_deref());
        class.zip(state.optimizer.as_deref()).is_some_and(|(have, want)| have != want)
    }

    /// Returns true if the source's value is known to be another one.
    fn contradicts(&self, source: usize, state: &State, weights: &[Option<usize>]) -> bool {
        let Some(have) = self.source.roles[source].state() else { return true };
        let weight = state.of.and_then(|of| weights[of]);
        have.name != state.name || have.of.is_none() || have.of != weight
    }

    /// Returns true if both sides count the list that a value is in alike.
    fn is_alike(&self, at: usize, source: usize, alike: &HashMap<Vec<u8>, bool>) -> bool {
        let names = (&self.source.names[source].full_name, &self.wanted.names[at].full_name);
        let agree = match names {
            (Some(have), Some(want)) => {
                same_apart_from_numbers(have, want) || have == want || is_path(self.source, source)
            }
            _ => true,
        };
        let lists = self.wanted.names[at].paths.iter().filter_map(|path| alike.get(parent(path)));
        agree && lists.into_iter().all(|alike| *alike)
    }

    /// Returns for each list of values that both sides have, true if it has as many values of the same shapes in the
    /// same order.
    fn alike_lists(&self) -> HashMap<Vec<u8>, bool> {
        let lists = |side: &'s Checkpoint<'s>| {
            let mut lists: BTreeMap<&[u8], BTreeMap<Numbered<'_>, usize>> = BTreeMap::new();
            for (at, _) in side.roles.iter().enumerate().filter(|(_, role)| role.state().is_some()) {
                for path in &side.names[at].paths {
                    let leaf = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
                    lists.entry(parent(path)).or_default().insert(Numbered::parse(leaf), at);
                }
            }
            lists
        };
        let (have, want) = (lists(self.source), lists(self.wanted));
        let alike = |(list, want): (&[u8], BTreeMap<Numbered<'_>, usize>)| {
            let have = have.get(list)?;
            let shapes = have.values().map(|at| self.source.shapes[*at]);
            let same = shapes.eq(want.values().map(|at| self.wanted.shapes[*at]));
            Some((list.to_vec(), same))
        };
        want.into_iter().filter_map(alike).collect()
    }
}

/// Returns true if a variable's full name is only its path.
fn is_path(side: &Checkpoint<'_>, at: usize) -> bool {
    side.names[at].full_name.as_ref().is_some_and(|name| side.names[at].paths.contains(name))
}

/// Returns true if a component of a path only counts.
fn counts(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').any(|component| {
        let Numbered { stem, number } = Numbered::parse(component);
        number.is_some() && (stem.is_empty() || stem.ends_with(b"-"))
    })
}

/// Returns a path without its last component.
fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&byte| byte == b'/').map_or(b"", |slash| &path[..slash])
}
