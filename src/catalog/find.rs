//! The look-up of a variable by the name that a user enters.

use std::fmt;

use crate::catalog::{Catalog, Variable};
use crate::name::near_names;

/// The error that a variable does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    /// The requested name.
    pub(crate) name: String,
    /// The most similar names, most similar first.
    pub(crate) nearest: Vec<String>,
}

/// Finds a variable by its name as `ls` shows it: its bytes, or their escaped form if they are not printable.
///
/// # Errors
/// [`UnknownVariable`] with the most similar names.
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
