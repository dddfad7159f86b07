//! An argument that lists variables: any checkpoint, a graph of TF1 (`.meta`), or a table (TSV). The last two have no
//! values.

use std::fs;
use std::io::Read;
use std::path::{Path, absolute};

use anyhow::Context;

use crate::catalog::Catalog;
use crate::cli::output::terminal;
use crate::source;
use crate::transform::like::{Wanted, table};

/// The variables that an argument lists.
pub(crate) struct Listing {
    /// The argument, for messages.
    pub(crate) name: String,
    pub(crate) catalog: Catalog,
    /// True if the variables have values.
    pub(crate) has_values: bool,
}

impl Listing {
    /// Opens a list of variables. Prints the warnings about it.
    ///
    /// # Errors
    /// The reason why it cannot be read, or every invalid line of a table.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        if let Some(catalog) = valueless(path)? {
            return Ok(Self { name, catalog, has_values: false });
        }
        // The path must be absolute, because a process that has left this directory reads the values again.
        let checkpoint = source::open(&absolute(path)?)?;
        checkpoint.warnings.iter().for_each(terminal::warning);
        Ok(Self { name, catalog: checkpoint.catalog, has_values: true })
    }

    /// Returns it as the goal of `--like`.
    pub(crate) fn into_wanted(self) -> Wanted {
        let Self { name, catalog, has_values } = self;
        if has_values { Wanted::checkpoint(name, catalog) } else { Wanted::valueless(name, catalog) }
    }
}

/// Returns the variables of a graph of TF1 or of a table, which have no values.
pub(crate) fn valueless(path: &Path) -> anyhow::Result<Option<Catalog>> {
    let extension = path.extension().and_then(|end| end.to_str());
    if path.is_file() && extension == Some("meta") {
        return Ok(Some(source::wanted_by_graph(path)?));
    }
    if path.is_file() && (extension == Some("tsv") || is_table(path)) {
        let name = path.display().to_string();
        let text = fs::read(path).with_context(|| name.clone())?;
        return Ok(Some(table::decode(&name, &text)?));
    }
    Ok(None)
}

fn is_table(path: &Path) -> bool {
    let mut start = [0; 5];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"name\t"
}
