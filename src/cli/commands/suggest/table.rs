//! The table of `suggest --tsv`: a line for each wanted variable.

use std::io;
use std::io::Write;

use crate::name::printable;
use crate::suggest::{CHANGES, CONFIDENCES, Confidence, Item, Pair, Suggestion};

/// Writes the table.
pub(crate) fn write(have: &[Item], want: &[Item], found: &Suggestion, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "want\thave\tops\tconfidence")?;
    for (wanted, pair) in want.iter().zip(&found.pairs) {
        let source = pair.have.map_or_else(|| "-".to_owned(), |at| printable(have[at].name.as_bytes()));
        let (op, trust) = (op(pair), confidence(pair.confidence));
        writeln!(out, "{}\t{source}\t{op}\t{trust}", printable(wanted.name.as_bytes()))?;
    }
    Ok(())
}

/// Returns the op that a pair needs; empty if it needs none.
pub(crate) fn op(pair: &Pair) -> &'static str {
    let known = CHANGES.iter().find(|(_, change)| Some(change) == pair.change.as_ref());
    known.map_or("", |(name, _)| *name)
}

/// Returns the word for the trust in a pair.
pub(crate) fn confidence(confidence: Confidence) -> &'static str {
    CONFIDENCES.iter().find(|(_, known)| *known == confidence).map_or("", |(word, _)| *word)
}
