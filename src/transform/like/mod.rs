//! The transformation of `--like WANTED`: the source's values get the names and the object graph that the restoring
//! program would itself save. WANTED is a checkpoint of that program or a table of names. Its values are used only if
//! a flag asks for them.
//!
//! ```text
//! source ─┐            ┌─ found      its tensor, under WANTED's name and key
//!         ├─ find.rs ──┼─ ambiguous  refused, or --match, --pair, --new
//! WANTED ─┘            ├─ missing    refused, or --missing zeros | like   ─┐
//!                      ├─ too short  refused, or --fit like               ─┴─ fill.rs
//!                      └─ left over  left out, and listed
//! ```
//!
//! All mismatches are reported together.

pub(crate) mod advice;
pub(crate) mod align;
pub(crate) mod alike;
pub(crate) mod builder;
pub(crate) mod candidates;
pub(crate) mod fill;
pub(crate) mod find;
pub(crate) mod mismatch;
pub(crate) mod names;
pub(crate) mod neutral;
pub(crate) mod number;
pub(crate) mod options;
pub(crate) mod problem;
pub(crate) mod role;
pub(crate) mod states;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, Variable};
use crate::name::Name;
use crate::transform::like::builder::Builder;
use crate::transform::like::candidates::Checkpoint;
use crate::transform::like::find::find;
pub(crate) use crate::transform::like::mismatch::LikeMismatch;
pub(crate) use crate::transform::like::options::{Choices, Matching};
#[cfg(test)]
pub(crate) use crate::transform::like::problem::Problem;

/// The checkpoint or table that the result must look like.
pub(crate) struct Wanted {
    name: String,
    catalog: Catalog,
    has_values: bool,
}

/// The result of making a catalog like another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Likeness {
    /// The number of variables that got a value of the source unchanged.
    pub(crate) found: usize,
    /// The number of those that were found by a position or a number.
    pub(crate) by_position: usize,
    /// The variables of WANTED that have no match in the source and were filled in.
    pub(crate) filled: Vec<Name>,
    /// The variables whose missing part was filled in.
    pub(crate) fitted: Vec<Name>,
    /// The source's variables that have no match in WANTED.
    pub(crate) extra: Vec<Name>,
}

impl Wanted {
    /// Creates a goal from a checkpoint, called `name` in messages.
    pub(crate) fn checkpoint(name: String, catalog: Catalog) -> Self {
        Self { name, catalog, has_values: true }
    }

    /// Creates a goal from names, dtypes and shapes without values, called `name` in messages. Without an object graph, the
    /// result is name-based.
    pub(crate) fn valueless(name: String, catalog: Catalog) -> Self {
        Self { name, catalog, has_values: false }
    }
}

/// Makes `catalog` like `wanted`.
///
/// # Errors
/// Every mismatch: missing, of another shape or dtype, or ambiguous. After an error, the catalog is unchanged.
pub(crate) fn like(
    catalog: &mut Catalog,
    wanted: &Wanted,
    choices: &Choices,
    matching: Option<Matching>,
) -> Result<Likeness, LikeMismatch> {
    let (variables, likeness) = {
        let (source, target) = (Checkpoint::new(catalog), Checkpoint::new(&wanted.catalog));
        let found = find(&source, &target, choices, matching);
        Builder::new((&source, &target), wanted, choices, found).build()?
    };
    (catalog.variables, catalog.objects) = (variables, wanted.catalog.objects.clone());
    catalog.changed();
    Ok(likeness)
}

/// Returns the sum of all values' sizes if it exceeds the maximum size of a file.
fn excess(variables: &[Variable]) -> Option<u128> {
    let bytes = variables.iter().map(|variable| u128::from(variable.tensor.len())).sum();
    (bytes > i64::MAX as u128).then_some(bytes)
}
