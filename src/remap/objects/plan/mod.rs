//! The plan of a map on an object graph: the paths that move, the new objects, and the variables that stay.

pub(crate) mod aliases;
pub(crate) mod moves;
pub(crate) mod new_values;
pub(crate) mod selection;
pub(crate) mod subtree;
pub(crate) mod targets;
