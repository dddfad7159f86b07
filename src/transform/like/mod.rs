//! The transformation of `--like WANTED`: the source's values get the names and the object graph that the restoring
//! program would itself save. WANTED is a checkpoint of that program or a table of names. Its values are used only if
//! a flag asks for them.
//!
//! ```text
//! source ─┐            ┌─ found      its tensor, under WANTED's name and key
//!         ├─ find.rs ──┼─ missing    refused, or --missing zeros | like   ─┐
//! WANTED ─┘            ├─ too short  refused, or --fit like               ─┴─ fill.rs
//!                      └─ left over  left out, and listed
//! ```
//!
//! All mismatches are reported together.

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

/// The checkpoint or table that the result must look like.
pub(crate) struct Wanted {
    name: String,
    catalog: Catalog,
    has_values: bool,
}

/// The treatment of values that the source does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filling {
    /// The values of variables without a match. `None` makes them an error.
    pub(crate) missing: Option<Missing>,
    /// True if an axis that is too short is extended with WANTED's rows.
    pub(crate) fit: bool,
}

/// The values for a missing variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Zeros, or empty strings.
    Zeros,
    /// WANTED's own values.
    Like,
}

/// The values of `--missing`.
pub(crate) const MISSING: &[(&str, Missing)] = &[("zeros", Missing::Zeros), ("like", Missing::Like)];

/// The result of making a catalog like another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Likeness {
    /// The number of variables that got a value of the source unchanged.
    pub(crate) found: usize,
    /// The variables of WANTED that have no match in the source and were filled in.
    pub(crate) filled: Vec<Name>,
    /// The variables whose missing part was filled in.
    pub(crate) fitted: Vec<Name>,
    /// The source's variables that have no match in WANTED.
    pub(crate) extra: Vec<Name>,
}

/// The key of the counter of `Checkpoint.save`. It is not a value of the source's program: if the source lacks it, a
/// WANTED with values supplies its own.
const COUNTER: &[u8] = b"save_counter/.ATTRIBUTES/VARIABLE_VALUE";

impl Wanted {
    /// Creates a goal from a checkpoint, called `name` in messages.
    pub(crate) fn checkpoint(name: String, catalog: Catalog) -> Self {
        Self { name, catalog, has_values: true }
    }

    /// Creates a goal from names, dtypes and shapes without values, called `name` in messages.
    pub(crate) fn valueless(name: String, catalog: Catalog) -> Self {
        Self { name, catalog, has_values: false }
    }

    /// Creates a goal from a table with the columns of `ls --tsv`. It has names and no graph, so the result is
    /// name-based.
    ///
    /// # Errors
    /// Every invalid line.
    pub(crate) fn table(name: String, text: &[u8]) -> Result<Self, Fault> {
        let catalog = table::decode(&name, text)?;
        Ok(Self { name, catalog, has_values: false })
    }
}

/// Makes `catalog` like `wanted`.
///
/// # Errors
/// Every mismatch: missing, of another shape or dtype, or ambiguous. After an error, the catalog is unchanged.
pub(crate) fn like(
    catalog: &mut Catalog,
    wanted: &Wanted,
    filling: Filling,
) -> Result<Likeness, LikeMismatch> {
    let mut mismatch = LikeMismatch::new(&wanted.name, wanted.catalog.variables.len());
    check_wanted(wanted, filling, &mut mismatch);
    let found = find::find(catalog, &wanted.catalog);
    let mut making = LikeBuilder { catalog, wanted, filling, likeness: Likeness::default(), mismatch };
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
    let LikeBuilder { mut likeness, mut mismatch, .. } = making;
    if let Some(bytes) = excess(&variables) {
        mismatch.push(Problem::TooLarge { bytes });
    }
    if !mismatch.is_empty() {
        mismatch.add_nearest(catalog, &extra);
        return Err(mismatch);
    }
    likeness.extra = extra;
    let objects = wanted.catalog.objects.clone();
    (catalog.variables, catalog.objects) = (variables, objects);
    catalog.changed();
    Ok(likeness)
}

fn check_wanted(wanted: &Wanted, filling: Filling, mismatch: &mut LikeMismatch) {
    if wanted.catalog.objects.is_some() && wanted.catalog.graph().is_none() {
        mismatch.push(Problem::NoGraph);
    }
    if !wanted.has_values && (filling.fit || filling.missing == Some(Missing::Like)) {
        mismatch.push(Problem::NoValues);
    }
}

/// Returns the sum of all values' sizes if it exceeds the maximum size of a file.
fn excess(variables: &[Variable]) -> Option<u128> {
    let bytes = variables.iter().map(|variable| u128::from(variable.tensor.len())).sum();
    (bytes > i64::MAX as u128).then_some(bytes)
}

/// A result under construction.
struct LikeBuilder<'a> {
    catalog: &'a Catalog,
    wanted: &'a Wanted,
    filling: Filling,
    likeness: Likeness,
    mismatch: LikeMismatch,
}

impl LikeBuilder<'_> {
    /// Returns the variable with its value, or records a problem.
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
