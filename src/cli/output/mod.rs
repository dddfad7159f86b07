//! The output for users: errors and warnings, trees, widths, reports of changes, and the reference of the map
//! language.

pub(crate) mod changes;
pub(crate) mod like_help;
pub(crate) mod missing_name;
pub(crate) mod page;
pub(crate) mod reference;
pub(crate) mod terminal;
pub(crate) mod tree_printer;
pub(crate) mod width;
