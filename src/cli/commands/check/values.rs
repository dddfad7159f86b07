//! The check of the values after the map: numbers that casts lose, and numbers that are not finite.

use std::io::{self, Write};

use crate::catalog::Catalog;
use crate::cli::output::page::{PLAIN, Page};
use crate::cli::output::terminal::{BAD, GOOD, ODD, counted, progress_bar};
use crate::name::Name;
use crate::op::value_audit::{CastAudit, Losses, ValueAudit, audit_values, audited_len};

/// The maximum number of variables that are listed of one kind.
const LISTED: usize = 20;

/// A loss by casts: its word in the report, its count, and true if the result is wrong rather than less precise.
struct Loss {
    word: &'static str,
    count: fn(&Losses) -> u64,
    is_wrong: bool,
}

#[rustfmt::skip]
const LOSSES: &[Loss] = &[
    Loss { word: "overflow",     count: |losses| losses.overflow,     is_wrong: true },
    Loss { word: "out of range", count: |losses| losses.out_of_range, is_wrong: true },
    Loss { word: "underflow",    count: |losses| losses.underflow,    is_wrong: false },
];

/// Reads the values of all variables and reports what is lost. Returns true if every value can be read and no cast
/// overflows.
pub(crate) fn check<W: Write>(catalog: &Catalog, page: &mut Page<W>) -> io::Result<bool> {
    page.flush()?;
    let tensors: Vec<_> = catalog.variables.iter().map(|variable| variable.tensor.clone()).collect();
    let bar = progress_bar(audited_len(&tensors));
    let audits = audit_values(&tensors, &|bytes: u64| bar.inc(bytes));
    bar.finish_and_clear();
    let audits: Vec<_> = catalog.variables.iter().map(|variable| &variable.name).zip(audits).collect();
    let mut words = Vec::new();
    let mut is_sound = true;
    for loss in LOSSES {
        let lines = lines(&audits, |name, audit| loss.lines(name, audit));
        list(page, if loss.is_wrong { BAD } else { ODD }, &lines)?;
        is_sound &= lines.is_empty() || !loss.is_wrong;
        words.push(format!("{} {}", lines.len(), loss.word));
    }
    let odd = lines(&audits, not_finite);
    list(page, ODD, &odd)?;
    let unread = lines(&audits, unread);
    list(page, BAD, &unread)?;
    is_sound &= unread.is_empty();
    let (all, lost) = (counted(audits.len(), "variable"), words.join(", "));
    let line = format!("  values: {all}, {lost}, {} with NaN or inf", odd.len());
    page.line(if is_sound { GOOD } else { BAD }, 4, &line)?;
    if !is_sound && unread.is_empty() {
        page.line(PLAIN, 4, HELP)?;
    }
    Ok(is_sound)
}

const HELP: &str = "  help: bfloat16 reaches as far as float32; in a map file, `saturate = true` gives an integer the nearest \
                    value in range";

/// Returns the lines about all variables.
fn lines(audits: &[(&Name, ValueAudit)], of: impl Fn(&Name, &ValueAudit) -> Vec<String>) -> Vec<String> {
    audits.iter().flat_map(|(name, audit)| of(name, audit)).collect()
}

fn list<W: Write>(page: &mut Page<W>, style: anstyle::Style, lines: &[String]) -> io::Result<()> {
    lines.iter().take(LISTED).try_for_each(|line| page.line(style, 4, line))?;
    match lines.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => page.line(style, 4, &format!("  … and {more} more")),
    }
}

impl Loss {
    /// Returns a line for each cast that loses numbers: `overflow: k: 1 of 4 numbers, float32 to float16`.
    fn lines(&self, name: &Name, audit: &ValueAudit) -> Vec<String> {
        let line = |CastAudit { from, to, numbers, losses }: &CastAudit| {
            let count = (self.count)(losses);
            let text = || format!("  {}: {name}: {count} of {numbers} numbers, {from} to {to}", self.word);
            (count > 0).then(text)
        };
        audit.casts.iter().filter_map(line).collect()
    }
}

fn not_finite(name: &Name, audit: &ValueAudit) -> Vec<String> {
    let ValueAudit { nan, infinite, .. } = audit;
    let line = || format!("  warning: {name}: {nan} NaN, {infinite} inf");
    (nan + infinite > 0).then(line).into_iter().collect()
}

/// Returns the line about a variable that cannot be read. A cast that is out of range has its own line.
fn unread(name: &Name, audit: &ValueAudit) -> Vec<String> {
    let is_known = audit.casts.iter().any(|cast| cast.losses.out_of_range > 0);
    let error = audit.error.as_ref().filter(|_| !is_known);
    error.map(|error| format!("  cannot be read: {name}: {error}")).into_iter().collect()
}
