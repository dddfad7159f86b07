//! The table of `suggest --tsv`: a line for each wanted variable.

use std::io::{self, Write};

use crate::cli::commands::suggest::Suggested;
use crate::name::printable;
use crate::suggest::{CHANGES, Pair};

/// Writes the table.
pub(super) fn write(suggested: &Suggested, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "want\thave\tops\tconfidence")?;
    for (wanted, pair) in suggested.want.iter().zip(&suggested.found.pairs) {
        let source = pair.have.map(|at| printable(suggested.have[at].name.as_bytes()));
        let (source, op) = (source.as_deref().unwrap_or("-"), op(pair));
        writeln!(out, "{}\t{source}\t{op}\t{}", printable(wanted.name.as_bytes()), pair.confidence.word())?;
    }
    Ok(())
}

/// Returns the op that a pair needs; empty if it needs none.
pub(super) fn op(pair: &Pair) -> &'static str {
    let known = CHANGES.iter().find(|(_, change)| Some(change) == pair.change.as_ref());
    known.map_or("", |(name, _)| *name)
}
