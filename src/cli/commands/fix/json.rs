//! An answer as JSON.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::cli::commands::doctor::json::mend;
use crate::cli::commands::fix::answer::{Answer, Mended};
use crate::cli::commands::fix::case::Case;
use crate::failure::Failure;

/// Prints an answer as an object.
pub(crate) fn print(case: &Case, answer: &Answer) -> io::Result<()> {
    let proposals: Vec<_> = answer.mended.iter().map(|mended| mended_value(case, answer, mended)).collect();
    let value = json!({
        "source": case.source.as_ref().map(|path| path.to_string_lossy()),
        "program": case.script,
        "failures": case.failures.iter().map(failure).collect::<Vec<_>>(),
        "evidence": answer.evidence,
        "proposals": proposals,
        "mends": answer.mends.iter().map(mend).collect::<Vec<_>>(),
        "written": answer.written.as_ref().map(|path| path.to_string_lossy()),
        "checked": answer.is_checked(),
    });
    writeln!(io::stdout(), "{value:#}")
}

fn failure(failure: &Failure) -> Value {
    let parts: Map<_, _> = failure.captured().map(|(group, text)| (group.to_owned(), text.into())).collect();
    json!({ "id": failure.row.id, "meaning": failure.row.meaning, "words": failure.words, "parts": parts })
}

fn mended_value(case: &Case, answer: &Answer, mended: &Mended) -> Value {
    json!({
        "flags": mended.flags,
        "remark": mended.remark,
        "confidence": mended.confidence.word(),
        "doubt": mended.doubt,
        "command": answer.command(case, mended),
    })
}
