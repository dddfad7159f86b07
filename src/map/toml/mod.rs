//! Map files: TOML in, rules, options, tables and numbers out, with the span of everything; and back.

pub(crate) mod file;
pub(crate) mod rule_table;
#[cfg(test)]
mod tests;
pub(crate) mod value_reader;
pub(crate) mod writer;
