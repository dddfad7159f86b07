//! The findings as text: the evidence, and below it the lines that can be pasted.

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};

use anstream::AutoStream;
use anstyle::Style;

use crate::cli::output::terminal::{BAD, GOOD, ODD, styled};
use crate::doctor::{Finding, Mend, Severity};

/// Prints the findings.
pub(super) fn print(findings: &[Finding]) -> io::Result<()> {
    let mut out = BufWriter::new(AutoStream::auto(io::stdout().lock()));
    write(findings, &mut out)?;
    out.flush()
}

/// Writes each finding. A line that several findings have is written once.
fn write(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    let mut written = HashSet::new();
    for finding in findings {
        let label = styled(style(finding.severity), format!("{}[{}]", finding.severity.word(), finding.id));
        let mut lines = finding.evidence.lines();
        writeln!(out, "{label}: {}", lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| writeln!(out, "  {line}"))?;
        let lines = finding.mends.iter().map(line).filter(|line| written.insert(line.clone()));
        lines.collect::<Vec<_>>().iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    Ok(())
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Error => BAD,
        Severity::Warning => ODD,
        Severity::Note => GOOD,
    }
}

fn line(mend: &Mend) -> String {
    match mend {
        Mend::Command(line) => format!("    {line}"),
        Mend::Python(line) => format!("  in the program:  {line}"),
        Mend::Advice(text) => format!("  help: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evidence_comes_first_and_the_lines_that_mend_are_indented() {
        let mends = vec![
            Mend::Python("checkpoint.restore('a')".into()),
            Mend::Advice("or:".into()),
            Mend::Command("ckptfs ls a".into()),
        ];
        let finding =
            Finding { id: "some-id", severity: Severity::Error, evidence: "one\ntwo".into(), mends };
        let mut out = Vec::new();
        write(&[finding], &mut out).unwrap();
        let text = anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string();
        let expected = "error[some-id]: one\n  two\n  in the program:  checkpoint.restore('a')\n  \
                        help: or:\n    ckptfs ls a\n";
        assert_eq!(text, expected);
    }
}
