//! `--like WANTED`: the source's values under the names of what the restoring program would itself save, and under its object
//! graph. WANTED is a checkpoint of that program or a table of names; nothing is taken from it but what is asked for.
//!
//! ```text
//! source ─┐            ┌─ found      its tensor, under WANTED's name and key
//!         ├─ find.rs ──┼─ missing    refused, or --missing zeros | like   ─┐
//! WANTED ─┘            ├─ too short  refused, or --fit like               ─┴─ fill.rs
//!                      └─ left over  left out, and listed
//! ```
//!
//! Everything that does not fit is said at once.

pub(crate) mod fill;
pub(crate) mod find;
pub(crate) mod mismatch;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::catalog::{Catalog, Origin, Variable};
use crate::name::Name;
use crate::tensor::Tensor;
use crate::transform::like::find::{Candidates, How};
pub(crate) use crate::transform::like::mismatch::{LikeMismatch, Problem};
pub(crate) use crate::transform::like::table::Fault;

/// What the result is to look like.
pub(crate) struct Wanted {
    name: String,
    catalog: Catalog,
    has_values: bool,
}

/// What to do about values that the source does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filling {
    /// For variables that it has nothing for.
    pub(crate) missing: Option<Missing>,
    /// Whether an axis that is too short takes its rest from WANTED's rows.
    pub(crate) fit: bool,
}

/// What a variable is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Zeros, or empty strings.
    Zeros,
    /// WANTED's own values.
    Like,
}

/// The ways of filling, as they are written.
pub(crate) const MISSING: &[(&str, Missing)] = &[("zeros", Missing::Zeros), ("like", Missing::Like)];

/// How a catalog came to look like another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Likeness {
    /// How many variables got a value of the source as it is.
    pub(crate) found: usize,
    /// WANTED's variables that the source has nothing for, filled in.
    pub(crate) filled: Vec<Name>,
    /// Those whose rest was filled in.
    pub(crate) fitted: Vec<Name>,
    /// The source's variables that WANTED has no place for.
    pub(crate) extra: Vec<Name>,
}

/// The counter of `Checkpoint.save`: no value of the source's program, and never worth a refusal.
const COUNTER: &[u8] = b"save_counter/.ATTRIBUTES/VARIABLE_VALUE";

impl Wanted {
    /// A checkpoint, called `name` in messages.
    pub(crate) fn checkpoint(name: String, catalog: Catalog) -> Self {
        Self { name, catalog, has_values: true }
    }

    /// Names, types and shapes without values, called `name` in messages.
    pub(crate) fn valueless(name: String, catalog: Catalog) -> Self {
        Self { name, catalog, has_values: false }
    }

    /// A table with the columns of `ls --tsv`. It has names and no graph, so that what is like it is name-based.
    ///
    /// # Errors
    /// Every line that is none of such a table.
    pub(crate) fn table(name: String, text: &[u8]) -> Result<Self, Fault> {
        let catalog = table::decode(&name, text)?;
        Ok(Self { name, catalog, has_values: false })
    }
}

/// Makes `catalog` like `wanted`.
///
/// # Errors
/// Everything that is missing, misshapen or ambiguous. The catalog stays as it is then.
pub(crate) fn like(
    catalog: &mut Catalog,
    wanted: &Wanted,
    filling: Filling,
) -> Result<Likeness, LikeMismatch> {
    let mut unlike = LikeMismatch::new(&wanted.name, wanted.catalog.variables.len());
    check_wanted(wanted, filling, &mut unlike);
    let found = find::find(catalog, &wanted.catalog);
    let mut making =
        LikeBuilder { catalog, wanted, filling, likeness: Likeness::default(), mismatch: unlike };
    let mut used = vec![None; making.catalog.variables.len()];
    let mut variables = Vec::with_capacity(found.len());
    for (variable, candidates) in wanted.catalog.variables.iter().zip(found) {
        if let Candidates::One(source, _) = candidates {
            match used[source] {
                None => used[source] = Some(&variable.name),
                Some(first) => making.twice(variable, first, source),
            }
        }
        variables.extend(making.variable(variable, candidates));
    }
    let unused = making.catalog.variables.iter().zip(&used).filter(|(_, used)| used.is_none());
    let extra: Vec<_> = unused.map(|(variable, _)| variable.name.clone()).collect();
    let LikeBuilder { mut likeness, mismatch: mut unlike, .. } = making;
    if let Some(bytes) = excess(&variables) {
        unlike.push(Problem::TooLarge { bytes });
    }
    if !unlike.is_empty() {
        unlike.add_nearest(catalog, &extra);
        return Err(unlike);
    }
    likeness.extra = extra;
    let objects = wanted.catalog.objects.clone();
    (catalog.variables, catalog.objects) = (variables, objects);
    catalog.changed();
    Ok(likeness)
}

fn check_wanted(wanted: &Wanted, filling: Filling, unlike: &mut LikeMismatch) {
    if wanted.catalog.objects.is_some() && wanted.catalog.graph().is_none() {
        unlike.push(Problem::NoGraph);
    }
    if !wanted.has_values && (filling.fit || filling.missing == Some(Missing::Like)) {
        unlike.push(Problem::NoValues);
    }
}

/// The sum of all values if it is more than a file can hold.
fn excess(variables: &[Variable]) -> Option<u128> {
    let bytes = variables.iter().map(|variable| u128::from(variable.tensor.len())).sum();
    (bytes > i64::MAX as u128).then_some(bytes)
}

/// A result in the making.
struct LikeBuilder<'a> {
    catalog: &'a Catalog,
    wanted: &'a Wanted,
    filling: Filling,
    likeness: Likeness,
    mismatch: LikeMismatch,
}

impl LikeBuilder<'_> {
    /// The variable with its value, or a problem.
    fn variable(&mut self, wanted: &Variable, candidates: Candidates) -> Option<Variable> {
        match candidates {
            Candidates::One(source, _) => self.found(wanted, &self.catalog.variables[source].clone()),
            Candidates::None => self.missing(wanted),
            Candidates::Many(several) => {
                let name =
                    |(source, how): (usize, How)| (self.catalog.variables[source].name.clone(), how.text());
                let candidates = several.into_iter().map(name).collect();
                self.mismatch.push(Problem::Ambiguous { name: wanted.name.clone(), candidates });
                None
            }
        }
    }

    fn found(&mut self, wanted: &Variable, source: &Variable) -> Option<Variable> {
        let (have, want) = (&source.tensor, &wanted.tensor);
        let of = || (wanted.name.clone(), source.name.clone());
        if have.dtype != want.dtype {
            let (name, from) = of();
            self.mismatch.push(Problem::Dtype { name, from, wanted: want.dtype, found: have.dtype });
            return None;
        }
        let tensor = match have.shape == want.shape {
            true => {
                self.likeness.found += 1;
                have.clone()
            }
            false if self.filling.fit && self.wanted.has_values && fill::fits(have, want) => {
                self.likeness.fitted.push(wanted.name.clone());
                Arc::new(fill::fitted(have, want))
            }
            false => {
                let ((name, from), dtype) = (of(), want.dtype);
                let (wanted, found) = (want.shape.clone(), have.shape.clone());
                let can_fit = fill::fits(have, want);
                self.mismatch.push(Problem::Shape { name, from, dtype, wanted, found, can_fit });
                return None;
            }
        };
        let renamed = Origin { name: source.name.clone(), rule: "--like".into(), value: None };
        let origin = if source.name == wanted.name { None } else { Some(renamed) };
        Some(Variable { tensor, origin: source.origin.clone().or(origin), ..wanted.clone() })
    }

    fn missing(&mut self, wanted: &Variable) -> Option<Variable> {
        let own = self.wanted.has_values;
        let is_counter = wanted.key().as_bytes() == COUNTER;
        let tensor = match self.filling.missing {
            _ if is_counter && own => Some(wanted.tensor.clone()),
            Some(Missing::Like) if own => Some(wanted.tensor.clone()),
            Some(Missing::Zeros) => fill::zeros(wanted.tensor.dtype, &wanted.tensor.shape).map(Arc::new),
            _ => None,
        };
        let (name, Tensor { dtype, shape, .. }) = (&wanted.name, &*wanted.tensor);
        match tensor {
            Some(tensor) => {
                self.likeness.filled.push(name.clone());
                Some(Variable { tensor, origin: None, ..wanted.clone() })
            }
            None if self.filling.missing == Some(Missing::Zeros) => {
                self.mismatch.push(Problem::NoZero { name: name.clone(), dtype: *dtype });
                None
            }
            None => {
                let (name, shape) = (name.clone(), shape.clone());
                let full_name = wanted.full_name.clone().filter(|full_name| *full_name != name);
                self.mismatch.push(Problem::Missing {
                    name,
                    full_name,
                    dtype: *dtype,
                    shape,
                    nearest: vec![],
                });
                None
            }
        }
    }

    fn twice(&mut self, wanted: &Variable, first: &Name, source: usize) {
        let source = self.catalog.variables[source].name.clone();
        self.mismatch.push(Problem::Twice { source, names: [first.clone(), wanted.name.clone()] });
    }
}
