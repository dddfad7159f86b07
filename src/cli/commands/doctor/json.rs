//! The findings as JSON.

use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};

use crate::doctor::{Finding, Mend};

/// Prints the findings as an array of objects.
pub(super) fn print(findings: &[Finding]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let findings: Vec<_> = findings.iter().map(value).collect();
    writeln!(out, "{:#}", Value::from(findings))?;
    out.flush()
}

fn value(finding: &Finding) -> Value {
    let mends: Vec<_> = finding.mends.iter().map(mend).collect();
    json!({
        "id": finding.id,
        "severity": finding.severity.word(),
        "evidence": finding.evidence,
        "mends": mends,
    })
}

/// Returns a line that mends something.
pub(crate) fn mend(mend: &Mend) -> Value {
    let (kind, line) = match mend {
        Mend::Command(line) => ("command", line),
        Mend::Python(line) => ("python", line),
        Mend::Advice(line) => ("advice", line),
    };
    json!({ "kind": kind, "line": line })
}
