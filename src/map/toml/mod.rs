//! Map files: reading them with the place of everything, and writing them.

pub(crate) mod file;
pub(crate) mod rule_table;
#[cfg(test)]
mod tests;
pub(crate) mod value_reader;
pub(crate) mod writer;
