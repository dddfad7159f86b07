//! Views: how a variable, or a whole checkpoint, is presented as files. A view lays extents out and reads no data.
//!
//! A new view is a file of its own and a row in a table here; the tree, `info.json` and `ckptfs cat` follow the tables.

pub mod bundle;
mod elementwise;
mod info;
mod npy;
mod raw;
mod text;

use crate::catalog::{Catalog, Variable};
use crate::extent::VirtualFile;

/// A format in which every variable has a file of its own: `npy/dense/kernel.npy`.
pub struct Format {
    /// The folder that holds the files, and the format's name on the command line.
    pub name: &'static str,
    /// What the files' names end in.
    pub suffix: &'static str,
    /// The name of the link to the file among the variable's facts.
    pub link: &'static str,
    /// The file; an error says why a variable has none.
    pub file: fn(&Variable) -> Result<VirtualFile, String>,
}

/// A small file beside a variable, made when it is asked for.
pub struct Fact {
    /// Its name.
    pub name: &'static str,
    /// Its content.
    pub text: fn(&Catalog, &Variable) -> String,
}

/// The formats, in the order in which they are listed.
pub const FORMATS: &[Format] = &[npy::FORMAT, raw::FORMAT, text::FORMAT];

/// The facts.
pub const FACTS: &[Fact] = &[
    Fact { name: "dtype", text: |_, variable| format!("{}\n", variable.tensor.dtype) },
    Fact { name: "info.json", text: info::text },
    Fact { name: "shape", text: |_, variable| format!("{}\n", variable.tensor.shape.spaced()) },
];

/// Names below a variable that are, or will be, facts: a variable of such a name is shown escaped there, so that adding
/// a fact moves no path.
pub const RESERVED: &[&str] = &["array.npy", "dtype", "info.json", "raw", "shape", "stats", "values.txt"];

/// The format of that name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// Everything known about a variable, as JSON in one line.
pub fn info(catalog: &Catalog, variable: &Variable) -> serde_json::Value {
    info::json(catalog, variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_and_link_has_a_reserved_name() {
        for name in FACTS.iter().map(|fact| fact.name).chain(FORMATS.iter().map(|format| format.link)) {
            assert!(RESERVED.contains(&name), "{name}");
        }
    }
}
