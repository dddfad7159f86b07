//! The plan of a map on an object graph: which paths move, which objects are new, which variables stay.

pub(crate) mod aliases;
pub(crate) mod moves;
pub(crate) mod new_values;
pub(crate) mod selection;
pub(crate) mod subtree;
pub(crate) mod targets;
