//! A variable by the name that a person writes.

use std::fmt;

use crate::catalog::{Catalog, Variable};
use crate::name::near_names;

/// That there is no such variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    /// The name that was asked for.
    pub(crate) name: String,
    /// Those that look like it, the nearest first.
    pub(crate) nearest: Vec<String>,
}

/// The variable of that name, as `ls` shows it: its bytes, or where those are no text the escapes that stand for them.
///
/// # Errors
/// The names that are nearest.
pub(crate) fn find_variable<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Variable, UnknownVariable> {
    let printed = || catalog.variables.iter().find(|variable| variable.name.to_string() == name);
    catalog.variable(name.as_bytes()).or_else(printed).ok_or_else(|| {
        let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
        UnknownVariable { name: name.to_owned(), nearest: near_names(name, &names) }
    })
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no variable `{}` here", self.name)?;
        match self.nearest.as_slice() {
            [] => Ok(()),
            near => write!(f, "\n  help: nearest: {}", near.join(", ")),
        }
    }
}

impl std::error::Error for UnknownVariable {}
