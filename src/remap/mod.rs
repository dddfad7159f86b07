//! The application of a map: the choice of the variables that a checkpoint shows, and their names.
//!
//! ```text
//! flags ─► map/flags.rs ─┐                               ┌─ selection.rs   which variables stay: drop, keep
//!                        ├─► rules ─► matches.rs ───────►├─ naming.rs      their names: rename, alias, slots
//! files ─► map/toml ─────┘   (pattern,  which names      │                 join.rs: join
//!                             template, each rule        ├─ steps.rs       their values: ops, convert
//!                             ops,      matches          ├─ collision.rs   one variable for each name
//!                             scope.rs)                  └─ report         the result of each rule
//! ```
//!
//! map/builtin.rs has the maps that are built into the program, map/vars.rs the numbers that flags change.
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
