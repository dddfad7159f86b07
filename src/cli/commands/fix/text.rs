//! An answer as text: the evidence, the flags, and the lines that can be pasted.

use std::io::{self, BufWriter, Write};

use anstream::AutoStream;

use crate::cli::commands::fix::answer::{Answer, Mended};
use crate::cli::commands::fix::case::Case;
use crate::cli::commands::fix::{wanted, warn};
use crate::cli::output::terminal::{FAINT, GOOD, styled};
use crate::doctor::Mend;
use crate::name::{is_printable, printable, without_controls};
use crate::suggest::Confidence;

/// Prints an answer on standard output.
pub(crate) fn print(case: &Case, answer: &Answer) -> io::Result<()> {
    if case.failures.is_empty() && case.wanted.is_none() {
        warn(
            "no known failure in the text\n  help: `ckptfs doctor PATH` examines a checkpoint; `ckptfs fix CHECKPOINT --like WANTED` compares it",
        );
    }
    let mut out = BufWriter::new(AutoStream::auto(io::stdout().lock()));
    write(case, answer, &mut out)?;
    out.flush()
}

/// Writes an answer.
pub(crate) fn write(case: &Case, answer: &Answer, out: &mut impl Write) -> io::Result<()> {
    answer.evidence.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    for mended in &answer.mended {
        flags(mended, out)?;
    }
    if let Some(mended) = answer.chosen() {
        match answer.command(case, mended) {
            Some(line) => writeln!(out, "{}   {line}", styled(GOOD, "try"))?,
            None => writeln!(
                out,
                "help: a name has control characters, which no line can show; -o FILE writes the map"
            )?,
        }
        keep(case, answer, mended, out)?;
    }
    answer.mends.iter().try_for_each(|mend| line(mend, out))
}

/// Returns the evidence and the flags of an answer.
#[cfg(feature = "fuse")]
pub(crate) fn summary(answer: &Answer) -> String {
    let mut out = Vec::new();
    // A vector takes all that is written.
    let _ = answer.evidence.iter().try_for_each(|line| writeln!(out, "{line}"));
    let _ = answer.mended.iter().try_for_each(|mended| flags(mended, &mut out));
    String::from_utf8_lossy(&out).trim_end().to_owned()
}

/// Writes the flags that were found, and what they do.
fn flags(mended: &Mended, out: &mut impl Write) -> io::Result<()> {
    let flags = without_controls(&mended.flags.join(" "));
    let sure = match mended.confidence {
        Confidence::Ambiguous => "perhaps: ",
        Confidence::Likely => "likely: ",
        _ => "",
    };
    let doubt = mended.doubt.as_ref().map(|doubt| format!("{sure}{doubt}"));
    writeln!(out, "{}", format!("  {flags}     {}", mended.remark).trim_end())?;
    doubt.iter().try_for_each(|doubt| writeln!(out, "    {}", styled(FAINT, doubt)))
}

/// Writes the line that keeps the map in a file.
fn keep(case: &Case, answer: &Answer, mended: &Mended, out: &mut impl Write) -> io::Result<()> {
    if let Some(path) = &answer.written {
        return writeln!(out, "kept  {}", printable(path.to_string_lossy().as_bytes()));
    }
    let line = wanted::command(case, " -o fix.toml");
    match line.filter(|_| !mended.map.typed_map().0.is_empty()) {
        Some(line) => writeln!(out, "{}  {line}", styled(GOOD, "keep")),
        None => Ok(()),
    }
}

fn line(mend: &Mend, out: &mut impl Write) -> io::Result<()> {
    let (label, text) = match mend {
        // The second of two steps.
        Mend::Command(text) if text.starts_with("ckptfs fix ") && is_printable(text) => ("then  ", text),
        Mend::Command(text) if is_printable(text) => ("try   ", text),
        Mend::Python(text) if is_printable(text) => ("in the program:  ", text),
        Mend::Advice(text) => ("help: ", text),
        _ => return Ok(()),
    };
    writeln!(out, "{label}{text}")
}
