//! The map: which variables a checkpoint shows, and under which names.
//!
//! ```text
//! flags ─► flags.rs ─┐                            ┌─ selection.rs   who stays: drop, keep
//!                    ├─► rules ─► survey.rs ─────►├─ naming.rs      what they are called: rename, alias, slots
//! files ─► map_file ─┘   (pattern.rs,  who is     │                 grouping.rs: join
//!                         template.rs,  meant     ├─ steps.rs       what is done to their values: ops, convert
//!                         ops; scope.rs)          ├─ collision.rs   one name, one variable
//!                                                 └─ report.rs      what each rule did
//! ```
//!
//! bundled.rs has maps that come along with the program, vars.rs the numbers that flags change.
//!
//! Rules see the source's own names, all at once; the result of one never feeds another. Names go in, a [`Plan`] comes out,
//! or every mistake there is; apply.rs and values.rs hold it against tensors, whose dtypes and shapes are looked at and
//! whose data are not.

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
