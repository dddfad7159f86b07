//! The builder of the result: each wanted variable with its value, or the reason why it has none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::{Origin, Variable};
use crate::name::{Name, near_names};
use crate::tensor::Tensor;
use crate::transform::like::advice::Described;
use crate::transform::like::candidates::{Candidates, Checkpoint, How};
use crate::transform::like::find::Found;
use crate::transform::like::mismatch::LikeMismatch;
use crate::transform::like::names::in_words;
use crate::transform::like::neutral::{Neutral, neutral};
use crate::transform::like::options::{Choices, Fit, Missing, Selector, chosen};
use crate::transform::like::problem::{Fitting, Problem};
use crate::transform::like::{Likeness, Wanted, excess, fill};

/// The key of the counter of `Checkpoint.save`. It is not a value of the source's program: if the source lacks it, a
/// WANTED with values supplies its own.
const COUNTER: &[u8] = b"save_counter/.ATTRIBUTES/VARIABLE_VALUE";

/// Parts of the names of embeddings, whose rows are tokens. Another row leaves the others as they are.
const EMBEDDINGS: &[&str] = &["emb", "vocab", "lookup"];

/// A result under construction.
pub(crate) struct Builder<'a> {
    source: &'a Checkpoint<'a>,
    target: &'a Checkpoint<'a>,
    wanted: &'a Wanted,
    found: Found,
    missing: Vec<Option<(Missing, bool)>>,
    fit: Vec<Option<(Fit, bool)>>,
    likeness: Likeness,
    mismatch: LikeMismatch,
    /// The indices of the source's variables that are used, each with the name of the wanted one.
    used: Vec<Option<Name>>,
    weights: WeightCounts,
    /// The indices of the wanted variables without a source.
    lacking: Vec<usize>,
    /// The unlike groups, each with the number of its wanted variables.
    grouped: BTreeMap<usize, usize>,
}

/// The wanted weights that no pattern and no other flag names, which tell a few new ones from a wrong WANTED.
#[derive(Default)]
struct WeightCounts {
    counted: usize,
    /// Those of them that have a source.
    found: usize,
    /// True if a flag without a pattern filled one of them.
    is_filled: bool,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(
        (source, target): (&'a Checkpoint<'a>, &'a Checkpoint<'a>),
        wanted: &'a Wanted,
        choices: &Choices,
        found: Found,
    ) -> Self {
        let mut mismatch = LikeMismatch::new(&wanted.name, target.names.len(), wanted.has_values);
        let unknown = |selector: &Selector, is_wanted: bool, flag: String| {
            let side = if is_wanted { target } else { source };
            let names: Vec<_> = side.names.iter().flat_map(|names| names.all()).collect();
            let (name, nearest) = (selector.text.clone(), near_names(&selector.text, &names));
            Problem::Unknown { flag, name, is_wanted, nearest }
        };
        for (flag, selector, is_wanted) in &found.unknown {
            mismatch.push(unknown(selector, *is_wanted, flag.clone()));
        }
        let missing = choices.missing.iter().map(|rule| ("--missing", &rule.names));
        let fit = choices.fit.iter().map(|rule| ("--fit", &rule.names));
        for (flag, selector) in missing.chain(fit) {
            if let Some(selector) = selector.as_ref().filter(|it| it.select(&target.names).is_empty()) {
                mismatch.push(unknown(selector, true, format!("{flag} {}", selector.text)));
            }
        }
        Self {
            missing: chosen(&choices.missing, &target.names),
            fit: chosen(&choices.fit, &target.names),
            likeness: Likeness::default(),
            used: vec![None; source.names.len()],
            weights: WeightCounts::default(),
            lacking: vec![],
            grouped: BTreeMap::new(),
            source,
            target,
            wanted,
            found,
            mismatch,
        }
    }

    /// Returns the variables of the result.
    ///
    /// # Errors
    /// Every mismatch.
    pub(crate) fn build(mut self) -> Result<(Vec<Variable>, Likeness), LikeMismatch> {
        self.check_wanted();
        let candidates = std::mem::take(&mut self.found.candidates);
        let mut variables = Vec::with_capacity(candidates.len());
        for (at, candidates) in candidates.into_iter().enumerate() {
            variables.extend(self.variable(at, candidates));
        }
        self.check_groups();
        self.check_weights();
        if let Some(bytes) = excess(&variables) {
            self.mismatch.push(Problem::TooLarge { bytes });
        }
        if !self.mismatch.is_empty() {
            self.advise();
            return Err(self.mismatch);
        }
        let unused = self.source.catalog.variables.iter().zip(&self.used).filter(|(_, used)| used.is_none());
        self.likeness.extra = unused.map(|(variable, _)| in_words(variable)).collect();
        Ok((variables, self.likeness))
    }

    fn check_wanted(&mut self) {
        let catalog = self.target.catalog;
        if catalog.objects.is_some() && catalog.graph().is_none() {
            self.mismatch.push(Problem::NoGraph);
        }
        let takes_values = self.missing.iter().flatten().any(|(with, _)| *with == Missing::Like);
        if !self.wanted.has_values && (takes_values || self.fit.iter().any(Option::is_some)) {
            self.mismatch.push(Problem::NoValues);
        }
        for (side, is_wanted) in [(self.source, false), (self.target, true)] {
            if side.num_weights() == 0 {
                self.mismatch.push(Problem::NoWeights { is_wanted, variables: side.names.len() });
            }
        }
    }

    /// Returns the variable with its value, or records a problem.
    fn variable(&mut self, at: usize, candidates: Candidates) -> Option<Variable> {
        let wanted = &self.target.catalog.variables[at];
        let name = || in_words(wanted);
        let of_source = |source: usize| in_words(&self.source.catalog.variables[source]);
        let is_named = [self.missing[at].map(|(_, named)| named), self.fit[at].map(|(_, named)| named)];
        let is_free = !is_named.contains(&Some(true)) && candidates != Candidates::New;
        let counts = self.target.roles[at].is_weight() && is_free;
        self.weights.counted += usize::from(counts);
        match candidates {
            Candidates::One(source, how) => {
                self.take(at, source);
                let found = self.found(at, source, how);
                self.weights.found += usize::from(counts && found.is_some());
                found
            }
            Candidates::None | Candidates::New => {
                self.weights.is_filled |= counts && self.missing[at].is_some();
                self.lacking(at, candidates == Candidates::New)
            }
            Candidates::Many(several) => {
                let several =
                    several.into_iter().map(|(source, how)| (of_source(source), how.text())).collect();
                self.mismatch.push(Problem::Ambiguous { name: name(), candidates: several });
                None
            }
            Candidates::Group(group) => {
                self.lacking.push(at);
                *self.grouped.entry(group).or_default() += 1;
                None
            }
            Candidates::OtherState(own, other) => {
                let own = own.map(of_source);
                self.mismatch.push(Problem::OtherState { name: name(), own, other: of_source(other) });
                None
            }
            Candidates::OtherOptimizer(other) => {
                self.other_optimizer(at, other);
                None
            }
        }
    }

    /// Records that a value of the source belongs to an optimizer of another class.
    fn other_optimizer(&mut self, at: usize, other: usize) {
        let class = |side: &Checkpoint<'_>, at: usize| {
            side.roles[at].state().and_then(|state| state.optimizer.clone()).unwrap_or_default()
        };
        let words = |side: &Checkpoint<'_>, at: usize| in_words(&side.catalog.variables[at]);
        let classes = [class(self.source, other), class(self.target, at)];
        let (name, other) = (words(self.source, other), words(self.target, at));
        self.mismatch.push(Problem::OtherOptimizer { name, other, classes });
    }

    /// Records that a variable of the source is used.
    fn take(&mut self, at: usize, source: usize) {
        let wanted = in_words(&self.target.catalog.variables[at]);
        match &self.used[source] {
            None => self.used[source] = Some(wanted),
            Some(first) => {
                let (first, source) = (first.clone(), in_words(&self.source.catalog.variables[source]));
                self.mismatch.push(Problem::Twice { source, names: [first, wanted] });
            }
        }
    }

    /// Returns the variable with the source's value, or records a problem.
    fn found(&mut self, at: usize, source: usize, how: How) -> Option<Variable> {
        let (wanted, source) = (&self.target.catalog.variables[at], &self.source.catalog.variables[source]);
        let (have, want) = (&source.tensor, &wanted.tensor);
        let of = || (in_words(wanted), in_words(source));
        if have.dtype != want.dtype {
            let ((name, _), from) = (of(), source.name.clone());
            self.mismatch.push(Problem::Dtype { name, from, wanted: want.dtype, found: have.dtype });
            return None;
        }
        let fitting = fitting(wanted, have, want);
        let fits = match self.fit[at] {
            Some((Fit::Like, true)) => fitting != Fitting::None,
            Some((Fit::Like, false)) => fitting == Fitting::Rows,
            None => false,
        };
        let tensor = match have.shape == want.shape {
            true => {
                self.likeness.found += 1;
                let is_renamed = in_words(source) != in_words(wanted);
                self.likeness.by_position += usize::from(how == How::Position && is_renamed);
                have.clone()
            }
            false if fits && self.wanted.has_values => {
                self.weights.is_filled |= self.fit[at].is_some_and(|(_, is_named)| !is_named);
                self.likeness.fitted.push(in_words(wanted));
                Arc::new(fill::fitted(have, want))
            }
            false => {
                let ((name, from), dtype) = (of(), want.dtype);
                let (wanted, found) = (want.shape.clone(), have.shape.clone());
                self.mismatch.push(Problem::Shape { name, from, dtype, wanted, found, fit: fitting });
                return None;
            }
        };
        let renamed = Origin { name: source.name.clone(), rule: "--like".into(), value: None };
        let origin = if source.name == wanted.name { None } else { Some(renamed) };
        Some(Variable { tensor, origin: source.origin.clone().or(origin), ..wanted.clone() })
    }

    /// Returns a variable that the source does not have, with the value that the flags choose.
    fn lacking(&mut self, at: usize, is_new: bool) -> Option<Variable> {
        let (wanted, has_values) = (&self.target.catalog.variables[at], self.wanted.has_values);
        let (name, role) = (in_words(wanted), &self.target.roles[at]);
        let Tensor { dtype, shape, .. } = &*wanted.tensor;
        let is_counter = wanted.key().as_bytes() == COUNTER;
        let choice = self.missing[at].or((is_new && has_values).then_some((Missing::Like, true)));
        let constant = |value| fill::constant(*dtype, shape, value).map(Arc::new);
        let neutral = neutral(wanted, role);
        let tensor = match choice {
            _ if is_counter && has_values => Some(wanted.tensor.clone()),
            Some((Missing::Like, _)) if has_values => Some(wanted.tensor.clone()),
            Some((Missing::Zeros, is_named)) => {
                if neutral.is_none() && !is_named {
                    let (dtype, shape) = (*dtype, shape.clone());
                    self.mismatch.push(Problem::NotNeutral { name, dtype, shape });
                    return None;
                }
                constant(neutral.unwrap_or(Neutral::Zeros))
            }
            _ => None,
        };
        self.lacking.push(at);
        match tensor {
            Some(tensor) => {
                self.likeness.filled.push(name);
                Some(Variable { tensor, origin: None, ..wanted.clone() })
            }
            None if matches!(choice, Some((Missing::Zeros, _))) => {
                self.mismatch.push(Problem::NoZero { name, dtype: *dtype });
                None
            }
            None => {
                let (path, dtype, shape) = (wanted.name.clone(), *dtype, shape.clone());
                self.mismatch.push(Problem::Missing { name, path, dtype, shape, nearest: vec![] });
                None
            }
        }
    }

    /// Reports the unlike groups.
    fn check_groups(&mut self) {
        let layers = |side: &Checkpoint<'_>, members: &[(Vec<u8>, Vec<usize>)]| -> Vec<String> {
            let words: Vec<_> =
                members.iter().map(|(name, variables)| layer(side, name, variables)).collect();
            let is_unique = words.iter().collect::<BTreeSet<_>>().len() == words.len();
            let path = |(name, _): &(Vec<u8>, Vec<usize>)| Name::from(name.clone()).to_string();
            let words = if is_unique { words } else { members.iter().map(path).collect() };
            let shape = |(_, variables): &(Vec<u8>, Vec<usize>)| {
                variables.iter().max_by_key(|at| side.shapes[**at].num_elements()).map(|at| side.shapes[*at])
            };
            let shapes = members
                .iter()
                .map(|member| shape(member).map_or(String::new(), |shape| format!("  {shape}")));
            words.into_iter().zip(shapes).map(|(word, shape)| word + &shape).collect()
        };
        for (group, variables) in &self.grouped {
            let members = &self.found.groups[*group];
            let (have, want) = (layers(self.source, &members.have), layers(self.target, &members.want));
            self.mismatch.count(have, want, *variables);
        }
    }

    /// Checks whether the wanted weights have a source, if a flag without a pattern fills some.
    fn check_weights(&mut self) {
        let WeightCounts { counted, found, is_filled } = self.weights;
        if is_filled && found * 2 < counted.max(1) && self.source.num_weights() > 0 {
            self.mismatch.push(Problem::Few { found, counted });
        }
    }

    /// Adds to the problems what may solve them.
    fn advise(&mut self) {
        // Full names of one side and names of the other belong together if only one side has a graph.
        let both = [self.source, self.target].map(|side| side.catalog.objects.is_some());
        let name = |variable: &'a Variable, other_has_graph: bool| {
            let full_name = variable.full_name.as_ref().filter(|_| !other_has_graph);
            str::from_utf8(full_name.unwrap_or(&variable.name).as_bytes()).ok()
        };
        let described =
            |side: &'a Checkpoint<'a>, at: usize, other_has_graph: bool| -> Option<Described<'a>> {
                let variable = &side.catalog.variables[at];
                Some((name(variable, other_has_graph)?, variable.tensor.dtype, &variable.tensor.shape))
            };
        let unused =
            (0..self.used.len()).filter(|at| self.used[*at].is_none() && self.source.roles[*at].is_weight());
        let unused: Vec<_> =
            unused.filter_map(|at| described(self.source, at, both[1] || !both[0])).collect();
        let missing: Vec<_> =
            self.lacking.iter().copied().filter(|at| self.target.roles[*at].is_weight()).collect();
        let missing: Vec<_> =
            missing.into_iter().filter_map(|at| described(self.target, at, both[0])).collect();
        let words = |side: &'a Checkpoint<'a>| -> Vec<String> {
            side.catalog.variables.iter().map(|variable| in_words(variable).to_string()).collect()
        };
        let (have, want) = (words(self.source), words(self.target));
        let all = (0..self.target.names.len()).filter_map(|at| Some(described(self.target, at, both[0])?.0));
        let all: BTreeSet<_> = all.chain(want.iter().map(String::as_str)).collect();
        let all: Vec<_> = all.into_iter().collect();
        let have: Vec<_> = have.iter().map(String::as_str).collect();
        self.mismatch.advise((&unused, &have), (&missing, &all));
    }
}

/// Returns the way in which a variable of another shape can be made to fit.
pub(crate) fn fitting(wanted: &Variable, have: &Tensor, want: &Tensor) -> Fitting {
    if !fill::fits(have, want) {
        return Fitting::None;
    }
    let names = [Some(&wanted.name), wanted.full_name.as_ref()];
    let has_part = |name: &Name| {
        let name = name.to_string().to_lowercase();
        EMBEDDINGS.iter().any(|part| name.contains(part))
    };
    let is_embedding = names.into_iter().flatten().any(has_part);
    let grows_rows = have.shape.0.len() > 1 && have.shape.0[1..] == want.shape.0[1..];
    if is_embedding && grows_rows { Fitting::Rows } else { Fitting::Axes }
}

/// Returns a layer in the program's own words: the last component that the full names of all its variables share, or
/// else its path.
fn layer(side: &Checkpoint<'_>, path: &[u8], variables: &[usize]) -> String {
    let names = variables.iter().map(|at| side.catalog.variables[*at].full_name.as_ref());
    let scopes: Option<Vec<&[u8]>> = names.map(|name| scope(name?.as_bytes())).collect();
    let shared = scopes.filter(|scopes| !scopes.is_empty()).map(|scopes| {
        let components =
            |scope: &'_ [u8]| scope.split(|&byte| byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let common = |one: Vec<Vec<u8>>, other: Vec<Vec<u8>>| {
            one.into_iter().zip(other).take_while(|(one, other)| one == other).map(|(one, _)| one).collect()
        };
        scopes.into_iter().map(components).reduce(common).unwrap_or_default()
    });
    let last = shared.and_then(|shared: Vec<Vec<u8>>| shared.last().cloned());
    Name::from(last.unwrap_or_else(|| path.to_vec())).to_string()
}

/// Returns a name without its last component, if it has several.
fn scope(name: &[u8]) -> Option<&[u8]> {
    name.iter().rposition(|&byte| byte == b'/').map(|slash| &name[..slash])
}
