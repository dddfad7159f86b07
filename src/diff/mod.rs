//! The difference between two lists of variables: HAVE, which a program would restore, and WANT, which it would itself save.
//!
//! ```text
//! HAVE ─┬─ evidence.rs   the source of each wanted variable: names, numbers, shapes ─┐
//!       │                                                                           ├─ silent.rs: where they disagree
//! WANT ─┴─ restore/      the source that TensorFlow takes: equal keys, equal edges ──┘
//!                        mod.rs: sections    shape.rs: the meaning of a shape    commands.rs: flags that may help
//! ```
//!
//! It compares two catalogs and reads no data. Values are compared by [`crate::op::value_diff`].

pub(crate) mod commands;
mod evidence;
pub(crate) mod groups;
pub(crate) mod restore;
mod shape;
pub(crate) mod silent;
#[cfg(test)]
mod tests;
pub(crate) mod unexpected;

use std::collections::HashSet;

use crate::catalog::{Catalog, Variable};
use crate::diff::evidence::{Evidence, evidence};
use crate::diff::groups::Layers;
use crate::diff::restore::Restore;
use crate::diff::shape::Changes;
use crate::diff::silent::Wrong;
use crate::name::{Name, near_names};
use crate::suggest;
use crate::transform::like::candidates::Checkpoint;
use crate::transform::like::names::in_words;

/// The maximum number of missing variables that get candidates by spelling.
const NEAREST: usize = 50;

/// The difference between two catalogs.
pub(crate) struct Diff<'a> {
    pub(crate) have: Checkpoint<'a>,
    pub(crate) want: Checkpoint<'a>,
    /// The evidence about the source of each wanted variable, in WANT's order.
    pub(crate) evidence: Vec<Evidence>,
    /// The groups of counting names that the two sides do not count alike.
    pub(crate) layers: Vec<Layers>,
    /// The wanted variables in these groups.
    grouped: HashSet<usize>,
    /// The wanted variables whose source has another name.
    pub(crate) renamed: Vec<usize>,
    /// The wanted variables whose source has another shape, with the meaning of that.
    pub(crate) other_shape: Vec<(usize, String)>,
    /// The wanted variables whose source has another dtype.
    pub(crate) other_dtype: Vec<usize>,
    /// The wanted variables without a source, with the names of candidates.
    pub(crate) missing: Vec<(usize, Vec<String>)>,
    /// The variables of HAVE that no wanted variable has as its source.
    pub(crate) unexpected: Vec<usize>,
    /// The restore by TensorFlow. `None` if TensorFlow cannot restore the one into the other.
    pub(crate) restore: Option<Restore>,
    /// The wanted variables that TensorFlow restores wrongly without an error.
    pub(crate) silent: Vec<Wrong>,
}

impl<'a> Diff<'a> {
    /// Compares two catalogs by names, dtypes and shapes.
    pub(crate) fn new(have: &'a Catalog, want: &'a Catalog) -> Self {
        let (have, want) = (Checkpoint::new(have), Checkpoint::new(want));
        let found = evidence(&have, &want);
        let restore = Restore::new(&have, &want);
        let layers = groups::layers((&have, &want), &found.groups, |at| !found.evidence[at].is_certain);
        let in_group = layers.iter().flat_map(|layers| &layers.want).flat_map(|layer| &layer.variables);
        let mut diff = Self {
            grouped: in_group.copied().collect(),
            layers,
            evidence: found.evidence,
            have,
            want,
            renamed: vec![],
            other_shape: vec![],
            other_dtype: vec![],
            missing: vec![],
            unexpected: vec![],
            restore,
            silent: vec![],
        };
        diff.sort();
        diff.silent = silent::silent(&diff);
        diff.candidates(&found.candidates);
        diff
    }

    /// Returns true if names, dtypes and shapes are equal, and TensorFlow takes each value as the names say.
    pub(crate) fn is_equal(&self) -> bool {
        let sides = [&self.have, &self.want].map(|side| side.catalog.variables.len());
        let sections = [&self.renamed, &self.other_dtype, &self.unexpected]
            .into_iter()
            .all(|section| section.is_empty());
        let is_certain = |wrong: &Wrong| wrong.is_certain;
        sections
            && sides[0] == sides[1]
            && self.other_shape.is_empty()
            && self.missing.is_empty()
            && !self.silent.iter().any(is_certain)
    }

    /// Returns true if a program takes every value rightly as it is.
    pub(crate) fn is_fit(&self) -> bool {
        let stops = self.restore.as_ref().is_some_and(|restore| restore.stops().next().is_some());
        let is_open = self.restore.is_none() && !self.is_equal();
        self.missing.is_empty() && self.silent.is_empty() && !stops && !is_open
    }

    /// Returns true if a wanted variable belongs to layers that only count.
    fn is_in_group(&self, at: usize) -> bool {
        self.grouped.contains(&at)
    }

    /// Returns the pairs of HAVE's and WANT's variables that belong together.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.evidence.iter().enumerate().filter_map(|(want, evidence)| Some((evidence.have?, want)))
    }

    /// Returns the pairs with equal dtypes and shapes.
    pub(crate) fn matched(&self) -> impl Iterator<Item = (usize, usize)> {
        self.pairs().filter(|(have, want)| {
            let (have, want) = (&self.have_variable(*have).tensor, &self.want_variable(*want).tensor);
            (have.dtype, &have.shape) == (want.dtype, &want.shape)
        })
    }

    pub(crate) fn have_variable(&self, at: usize) -> &'a Variable {
        &self.have.catalog.variables[at]
    }

    pub(crate) fn want_variable(&self, at: usize) -> &'a Variable {
        &self.want.catalog.variables[at]
    }

    /// Returns the name of a wanted variable in the words of its program.
    pub(crate) fn wanted_name(&self, at: usize) -> Name {
        words(self.want_variable(at))
    }

    /// Returns the name of a variable of HAVE in the words of its program.
    pub(crate) fn own_name(&self, at: usize) -> Name {
        words(self.have_variable(at))
    }

    /// Fills the sections.
    fn sort(&mut self) {
        let mut used = vec![false; self.have.catalog.variables.len()];
        for (have, want) in self.pairs().collect::<Vec<_>>() {
            used[have] = true;
            let (source, wanted) = (self.have_variable(have), self.want_variable(want));
            if source.name != wanted.name {
                self.renamed.push(want);
            }
            if source.tensor.dtype != wanted.tensor.dtype {
                self.other_dtype.push(want);
            }
            if source.tensor.shape != wanted.tensor.shape {
                self.other_shape.push((want, String::new()));
            }
        }
        let changes = Changes::new(self);
        let meanings: Vec<_> = self.other_shape.iter().map(|(at, _)| changes.meaning(self, *at)).collect();
        self.other_shape.iter_mut().zip(meanings).for_each(|((_, text), meaning)| *text = meaning);
        let is_missing = |at: &usize| self.evidence[*at].have.is_none();
        self.missing = (0..self.evidence.len()).filter(is_missing).map(|at| (at, vec![])).collect();
        self.unexpected = (0..used.len()).filter(|at| !used[*at]).collect();
    }

    /// Names the candidates of each missing variable: those of the suggestion, then similar names of the same dtype and
    /// shape.
    fn candidates(&mut self, suggested: &[Vec<usize>]) {
        let near = |at: usize| {
            let (wanted, is_weight) = (&self.want_variable(at).tensor, self.want.roles[at].is_weight());
            let fits = |at: &&usize| {
                let have = &self.have_variable(**at).tensor;
                self.have.roles[**at].is_weight() == is_weight
                    && (have.dtype, &have.shape) == (wanted.dtype, &wanted.shape)
            };
            let names: Vec<_> = self.unexpected.iter().filter(fits).map(|at| self.own_name(*at)).collect();
            let names: Vec<_> = names.iter().map(Name::as_bytes).collect();
            near_names(&self.wanted_name(at).to_string(), &names)
        };
        let named = |(nth, at): (usize, usize)| match suggested[at].as_slice() {
            [] if nth < NEAREST => near(at),
            some => some.iter().map(|at| self.own_name(*at).to_string()).collect(),
        };
        let all: Vec<_> = self.missing.iter().map(|(at, _)| *at).enumerate().map(named).collect();
        self.missing.iter_mut().zip(all).for_each(|((_, names), found)| *names = found);
    }
}

/// The directory of a layer's variables in an HDF5 file of Keras 3.
const VARS: &[u8] = b"/vars/";

/// Returns a variable's name in the program's own words. In an HDF5 file of Keras 3, that is the full name too.
pub(crate) fn words(variable: &Variable) -> Name {
    let is_counted = memchr::memmem::find(variable.name.as_bytes(), VARS).is_some();
    let full_name = variable.full_name.as_ref().filter(|_| is_counted);
    full_name.cloned().unwrap_or_else(|| in_words(variable))
}

/// Returns the variables of a catalog for a suggestion, and the index of each in the catalog.
fn items(catalog: &Catalog) -> (Vec<suggest::Item>, Vec<usize>) {
    let is_text = |at: &usize| str::from_utf8(catalog.variables[*at].name.as_bytes()).is_ok();
    (suggest::items(catalog), (0..catalog.variables.len()).filter(is_text).collect())
}
