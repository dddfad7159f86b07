//! The application of a map: the choice of the variables that a checkpoint shows, and their names.
//!
//! A checkpoint without an object graph has only names, one with a graph has paths. Both take the same steps:
//!
//! | step | names/ | objects/ |
//! |---|---|---|
//! | find what each rule matches | matching.rs | matching/ |
//! | drop, keep | selection.rs | plan/selection.rs |
//! | rename, alias; slots follow | moves.rs | plan/moves.rs, plan/aliases.rs |
//! | join, split, create | new_values.rs | plan/new_values.rs |
//! | values: ops, convert | ../steps.rs | result/values.rs |
//! | one variable for each name | collision.rs | edit/ |
//! | the result, and what each rule did | mod.rs | result/ |
//!
//! counts.rs counts what each rule did, judge.rs makes errors and warnings of the counts, report/ is their data.
//!
//! All rules match the source's own names. The result of one rule is never the input of another. The input is names,
//! and the result is a [`Plan`] or a list of all mistakes. apply.rs and values.rs check the plan against the tensors'
//! dtypes and shapes. They do not read the tensors' data.

pub mod apply;
pub(crate) mod counts;
pub(crate) mod judge;
pub(crate) mod names;
pub(crate) mod objects;
pub(crate) mod plan;
#[cfg(test)]
pub(crate) mod real_maps;
pub(crate) mod rejected_names;
pub(crate) mod report;
pub(crate) mod steps;
#[cfg(test)]
pub(crate) mod test_util;
pub(crate) mod values;

pub use apply::{add, apply};
pub use names::plan_names;
pub use plan::{MapMismatch, Plan, Planned};
