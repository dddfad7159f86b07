//! The match of each wanted variable with a variable of the source: by path, then by full name.
//!
//! A path may contain only a position: `_operations/2`, `layer-1`. A full name may contain only a number: `dense_1`. After
//! a layer is inserted, the same positions and numbers mean other layers, so they are evidence only where both sides
//! count alike ([`align`]). Everything else is ambiguous, and `--match`, `--pair` or `--new` decides.
//!
//! ```text
//! --pair, --new ──► out of the search
//! path      named ──────────────────────► match
//!           counted, no other full name ► match
//!           counted, another full name ─► ambiguous
//!           unlike, or none ─► full name, named or counted ► match
//!                              unlike ─────────────────────► ambiguous
//! the state of optimizers: states.rs
//! ```

use std::collections::{HashMap, HashSet};

use crate::transform::like::align::{Alignment, Group, Trust, align};
use crate::transform::like::alike::{Entry, Said, Side};
use crate::transform::like::candidates::{Candidates, Checkpoint, How};
use crate::transform::like::names::full_names;
use crate::transform::like::number::{Numbered, without_number};
use crate::transform::like::options::{Choices, Matching, Selector};
use crate::transform::like::states::States;

/// The result of a search.
pub(crate) struct Found {
    /// The match of each wanted variable.
    pub(crate) candidates: Vec<Candidates>,
    /// The groups that the two sides do not count alike: those of paths, then those of full names.
    pub(crate) groups: Vec<Group>,
    /// The selections of `--pair` and `--new` that select nothing: the flag, and true if it is WANTED's side.
    pub(crate) unknown: Vec<(String, Selector, bool)>,
}

/// Finds the match for each of the wanted variables.
pub(crate) fn find(
    source: &Checkpoint<'_>,
    wanted: &Checkpoint<'_>,
    choices: &Choices,
    matching: Option<Matching>,
) -> Found {
    let forced = Forced::new(source, wanted, choices);
    let said = (source.renamed(), wanted.may_be_missing(choices));
    let paths = forced.align(source, wanted, &said, |side| {
        let all = side.names.iter().enumerate();
        all.flat_map(|(at, names)| names.paths.iter().map(move |path| (at, path.as_slice()))).collect()
    });
    let by_full_name = match names_are_full_names(source) && names_are_full_names(wanted) {
        true => paths.clone(),
        false => {
            let model = models(source, wanted);
            forced.align(source, wanted, &said, |side| {
                let unique = full_names(&side.names).into_iter().filter_map(|(name, at)| Some((at?, name)));
                let model = if std::ptr::eq(side, source) { model.0 } else { model.1 };
                unique.map(|(at, name)| (at, without_model(name, model))).collect()
            })
        }
    };
    let mut shared: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, names) in source.names.iter().enumerate() {
        names.full_name.iter().for_each(|name| shared.entry(name).or_default().push(at));
    }
    let search = Search { wanted, paths, by_full_name, matching, shared };
    let mut candidates: Vec<_> = (0..wanted.names.len()).map(|at| search.candidates(at, &forced)).collect();
    let groups = [search.paths.groups, search.by_full_name.groups].concat();
    yield_claimed(&mut candidates, &groups);
    States::new(source, wanted, matching).find(&mut candidates);
    Found { candidates, groups, unknown: forced.unknown }
}

/// Returns true if the checkpoint records no other full names than its names.
fn names_are_full_names(side: &Checkpoint<'_>) -> bool {
    side.names
        .iter()
        .all(|names| matches!(names.paths.as_slice(), [path] if Some(path) == names.full_name.as_ref()))
}

/// The names that Keras gives to models.
const MODELS: &[&[u8]] = &[b"sequential", b"functional", b"model"];

/// Returns the name of the model that the full names of all weights begin with, of the side that alone has one: Keras 3
/// writes `sequential/dense/kernel`, Keras 2 `dense/kernel`.
fn models<'s>(
    source: &'s Checkpoint<'_>,
    wanted: &'s Checkpoint<'_>,
) -> (Option<&'s [u8]>, Option<&'s [u8]>) {
    match (model(source), model(wanted)) {
        (Some(_), Some(_)) => (None, None),
        models => models,
    }
}

fn model<'s>(side: &'s Checkpoint<'_>) -> Option<&'s [u8]> {
    let weights = side.names.iter().zip(&side.roles).filter(|(_, role)| role.is_weight());
    let mut models = weights.map(|(names, _)| names.full_name.as_deref()?.split(|&byte| byte == b'/').next());
    let first = models.next()??;
    let is_model = MODELS.contains(&without_number(first)) && models.all(|model| model == Some(first));
    is_model.then_some(first)
}

fn without_model<'n>(name: &'n [u8], model: Option<&[u8]>) -> &'n [u8] {
    let below = model.and_then(|model| name.strip_prefix(model)?.strip_prefix(b"/"));
    below.unwrap_or(name)
}

/// Takes a match by position away from a variable if a better reason gives the same value to another one. A group whose
/// members in the source are all matched otherwise is no longer ambiguous: its other members are new.
fn yield_claimed(candidates: &mut [Candidates], groups: &[Group]) {
    let matched = |how: &dyn Fn(How) -> bool| -> HashSet<usize> {
        let one = |candidates: &Candidates| match candidates {
            Candidates::One(at, by) if how(*by) => Some(*at),
            _ => None,
        };
        candidates.iter().filter_map(one).collect()
    };
    let (claimed, all) = (matched(&|how| how != How::Position), matched(&|_| true));
    let is_claimed = |group: &Group| {
        group.have.iter().all(|(_, variables)| variables.iter().any(|variable| all.contains(variable)))
    };
    let is_settled: Vec<_> = groups.iter().map(is_claimed).collect();
    for candidate in candidates {
        match candidate {
            Candidates::One(at, How::Position) if claimed.contains(at) => *candidate = Candidates::None,
            Candidates::Group(group) if is_settled[*group] => *candidate = Candidates::None,
            _ => {}
        }
    }
}

/// The effect of `--pair` and `--new`.
struct Forced {
    /// For each wanted variable, the decision. `None` leaves it to the search.
    decided: Vec<Option<Candidates>>,
    /// The source's variables that are out of the search.
    used: HashSet<usize>,
    unknown: Vec<(String, Selector, bool)>,
}

impl Forced {
    fn new(source: &Checkpoint<'_>, wanted: &Checkpoint<'_>, choices: &Choices) -> Self {
        let mut forced =
            Self { decided: vec![None; wanted.names.len()], used: HashSet::new(), unknown: vec![] };
        for pair in &choices.pairs {
            let (have, want) = (pair.have.select(&source.names), pair.want.select(&wanted.names));
            let flag = format!("--pair {}", pair.text());
            let empty = [(have.is_empty(), &pair.have, false), (want.is_empty(), &pair.want, true)];
            for (_, selector, is_wanted) in empty.into_iter().filter(|(is_empty, ..)| *is_empty) {
                forced.unknown.push((flag.clone(), selector.clone(), is_wanted));
            }
            forced.pair(source, wanted, &have, &want);
        }
        for selector in &choices.new {
            let selected = selector.select(&wanted.names);
            if selected.is_empty() {
                forced.unknown.push((format!("--new {}", selector.text), selector.clone(), true));
            }
            for (at, _) in selected {
                forced.decided[at] = Some(Candidates::New);
            }
        }
        forced
    }

    /// Pairs the variables of two layers, or two variables.
    fn pair(
        &mut self,
        source: &Checkpoint<'_>,
        wanted: &Checkpoint<'_>,
        have: &[(usize, &[u8])],
        want: &[(usize, &[u8])],
    ) {
        let (mut have, mut want) = (have.to_vec(), want.to_vec());
        have.retain(|(at, _)| source.roles[*at].state().is_none());
        want.retain(|(at, _)| wanted.roles[*at].state().is_none());
        let found = match (have.as_slice(), want.as_slice()) {
            ([(have, _)], [(want, _)]) => vec![(*want, *have)],
            _ => {
                let nothing = |side: &Checkpoint<'_>| vec![Said::Nothing; side.names.len()];
                let paired = aligned(source, wanted, &(nothing(source), nothing(wanted)), &have, &want);
                let first = |(at, pairs): (usize, &Vec<(Trust, usize)>)| Some((at, pairs.first()?.1));
                paired.pairs.iter().enumerate().filter_map(first).collect()
            }
        };
        for (at, _) in &want {
            self.decided[*at] = Some(Candidates::None);
        }
        for (want, have) in found {
            self.decided[want] = Some(Candidates::One(have, How::Pair));
        }
        self.used.extend(have.iter().map(|(at, _)| *at));
    }

    /// Aligns the names that `names` returns of each side, except those of decided variables and of optimizers' state.
    fn align<'s>(
        &self,
        source: &'s Checkpoint<'_>,
        wanted: &'s Checkpoint<'_>,
        said: &(Vec<Said<'_>>, Vec<Said<'_>>),
        names: impl Fn(&'s Checkpoint<'_>) -> Vec<(usize, &'s [u8])>,
    ) -> Alignment {
        let (mut have, mut want) = (names(source), names(wanted));
        have.retain(|(at, _)| !self.used.contains(at) && source.roles[*at].state().is_none());
        want.retain(|(at, _)| self.decided[*at].is_none() && wanted.roles[*at].state().is_none());
        aligned(source, wanted, said, &have, &want)
    }
}

fn aligned(
    source: &Checkpoint<'_>,
    wanted: &Checkpoint<'_>,
    said: &(Vec<Said<'_>>, Vec<Said<'_>>),
    have: &[(usize, &[u8])],
    want: &[(usize, &[u8])],
) -> Alignment {
    let have_entries: Vec<_> = have.iter().map(|(at, name)| Entry::new(name, *at)).collect();
    let want_entries: Vec<_> = want.iter().map(|(at, name)| Entry::new(name, *at)).collect();
    let (have_names, want_names) = (source.recorded(), wanted.recorded());
    let (have_layers, want_layers) = (layers(&have_names), layers(&want_names));
    align(
        (
            &have_entries,
            Side { shapes: &source.shapes, full_names: &have_names, said: &said.0, layers: &have_layers },
        ),
        (
            &want_entries,
            Side { shapes: &wanted.shapes, full_names: &want_names, said: &said.1, layers: &want_layers },
        ),
    )
}

/// Returns the layers in full names, without those whose names only count.
fn layers<'n>(names: &[Option<&'n [u8]>]) -> HashSet<&'n [u8]> {
    let layer = |name: &'n [u8]| name.rsplit(|&byte| byte == b'/').nth(1);
    let layers = names.iter().flatten().filter_map(|name| layer(name));
    layers.filter(|layer| Numbered::parse(layer).number.is_none()).collect()
}

/// A search for matches by path and by full name.
struct Search<'s> {
    wanted: &'s Checkpoint<'s>,
    paths: Alignment,
    by_full_name: Alignment,
    matching: Option<Matching>,
    /// The source's variables by full name.
    shared: HashMap<&'s [u8], Vec<usize>>,
}

/// The evidence of one kind of name for one wanted variable.
enum Reading {
    /// Evidence for one variable.
    One(usize, Trust),
    /// Evidence for several variables.
    Many(Vec<usize>),
    /// A name in a group that the two sides do not count alike, and the variable of the same name.
    Unlike {
        group: usize,
        same: Option<usize>,
    },
    None,
}

impl Reading {
    fn new(alignment: &Alignment, at: usize) -> Self {
        let pairs = &alignment.pairs[at];
        let best = pairs.first().map(|(trust, _)| *trust);
        let found: Vec<_> =
            pairs.iter().filter(|(trust, _)| Some(*trust) == best).map(|(_, have)| *have).collect();
        match (best, found.as_slice(), alignment.group[at]) {
            (Some(trust @ (Trust::Named | Trust::Counted)), &[one], _) => Self::One(one, trust),
            (Some(Trust::Named | Trust::Counted), ..) => Self::Many(found),
            (_, found, Some(group)) => Self::Unlike { group, same: found.first().copied() },
            _ => Self::None,
        }
    }

    /// Returns the variable of the same name, also if that is no evidence.
    fn same(&self) -> Option<usize> {
        match self {
            Self::One(at, _) => Some(*at),
            Self::Unlike { same, .. } => *same,
            _ => None,
        }
    }
}

impl Search<'_> {
    /// Returns the match of a wanted variable. That of an optimizer's state follows later.
    fn candidates(&self, at: usize, forced: &Forced) -> Candidates {
        if let Some(decided) = &forced.decided[at] {
            return decided.clone();
        }
        if self.wanted.roles[at].state().is_some() {
            return Candidates::None;
        }
        let (path, full_name) = (Reading::new(&self.paths, at), Reading::new(&self.by_full_name, at));
        match (&path, &full_name, self.matching) {
            (Reading::One(one, Trust::Named), ..) => Candidates::One(*one, How::Path),
            (Reading::Many(several), ..) => many(several, How::Path),
            (_, _, Some(Matching::Name)) => either((&full_name, How::FullName), (&path, How::Position)),
            (_, _, Some(Matching::Position)) => either((&path, How::Position), (&full_name, How::FullName)),
            (_, Reading::One(name, trust), None) => match self.position(&path) {
                Some(position) if position != *name => {
                    Candidates::Many(vec![(*name, How::FullName), (position, How::Position)])
                }
                _ if *trust == Trust::Named => Candidates::One(*name, How::FullName),
                _ => Candidates::One(*name, How::Position),
            },
            (Reading::One(one, _), ..) => Candidates::One(*one, How::Position),
            (_, Reading::Many(several), _) => many(several, How::FullName),
            (Reading::Unlike { group, .. }, ..) => Candidates::Group(*group),
            (_, Reading::Unlike { group, .. }, _) => Candidates::Group(self.paths.groups.len() + group),
            _ => self.shared_full_name(at),
        }
    }

    /// Returns the variable at the same position. `None` if the two sides have different numbers of positions.
    fn position(&self, path: &Reading) -> Option<usize> {
        match path {
            Reading::Unlike { group, same } => {
                let Group { have, want } = &self.paths.groups[*group];
                same.filter(|_| have.len() == want.len())
            }
            _ => path.same(),
        }
    }

    /// Returns all variables that share the full name, if several do.
    fn shared_full_name(&self, at: usize) -> Candidates {
        let name = self.wanted.names[at].full_name.as_deref();
        let same = name.and_then(|name| self.shared.get(name)).map_or(&[][..], Vec::as_slice);
        if same.len() < 2 { Candidates::None } else { many(same, How::FullName) }
    }
}

/// Returns the match by the first of two readings, or else by the second if that is evidence.
fn either((first, how): (&Reading, How), (second, other): (&Reading, How)) -> Candidates {
    match (first.same(), second) {
        (Some(one), _) => Candidates::One(one, how),
        (None, Reading::One(one, _)) => Candidates::One(*one, other),
        _ => Candidates::None,
    }
}

fn many(several: &[usize], how: How) -> Candidates {
    Candidates::Many(several.iter().map(|at| (*at, how)).collect())
}
