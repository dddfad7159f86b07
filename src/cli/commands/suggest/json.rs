//! The object of `suggest --json`.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::commands::suggest::Suggested;
use crate::cli::commands::suggest::table::op;
use crate::suggest::CONFIDENCES;

/// Writes the object.
pub(super) fn write(suggested: &Suggested, out: &mut impl Write) -> io::Result<()> {
    let Suggested { have, want, found, map } = suggested;
    let names = |all: &[usize]| all.iter().map(|at| have[*at].name.as_str()).collect::<Vec<_>>();
    let pair = |(wanted, pair): (&crate::suggest::Item, &crate::suggest::Pair)| {
        json!({
            "want": wanted.name,
            "have": pair.have.map(|at| &have[at].name),
            "ops": op(pair),
            "confidence": pair.confidence.word(),
            "reason": pair.reason,
            "others": names(&pair.others),
        })
    };
    let pairs: Vec<Value> = want.iter().zip(&found.pairs).map(pair).collect();
    let count = |confidence| found.pairs.iter().filter(|pair| pair.confidence == confidence).count();
    let counts: serde_json::Map<_, _> = CONFIDENCES
        .iter()
        .map(|(word, confidence)| ((*word).to_owned(), count(*confidence).into()))
        .collect();
    let flags = map.flags.as_ref().map(|flags| flags.iter().map(|flag| flag.words()).collect::<Vec<_>>());
    let object = json!({ "counts": counts, "pairs": pairs, "map": map.text, "flags": flags });
    writeln!(out, "{object:#}")
}
