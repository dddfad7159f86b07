//! The report as text: a section for each kind of difference.

use std::io::{self, Write};

use crate::cli::commands::diff::Report;
use crate::cli::commands::diff::restores::{silent, stops};
use crate::cli::commands::diff::section::{LISTED, Section, one};
use crate::cli::commands::diff::values::Values;
use crate::cli::output::page::{PLAIN, Page};
use crate::cli::output::terminal::{GOOD, ODD, counted};
use crate::diff::Diff;
use crate::diff::groups::{Layer, Layers};
use crate::diff::unexpected::{KINDS, kind};
use crate::op::value_diff::ValueDiff;

/// Prints the report.
pub(super) fn print(report: &Report<'_>) -> io::Result<()> {
    let mut page = Page::standard_output();
    let (diff, values) = (report.diff, report.values.as_ref());
    let style = if report.is_equal() { GOOD } else { PLAIN };
    page.line(style, 2, &summary(report))?;
    let sections = [renamed, other_shape, other_dtype, layers, missing, unexpected, stops, silent];
    let differences = values.map(|values| differences(diff, values));
    for section in sections.iter().flat_map(|section| section(diff)).chain(differences) {
        section.print(&mut page)?;
    }
    if let Some(values) = values {
        page.line(
            PLAIN,
            2,
            &format!("values of all {} variables: {}", values.pairs.len(), measured(&values.all)),
        )?;
    }
    commands(report, &mut page)?;
    page.flush()
}

/// Returns the first line: `3 of 5 wanted variables match, 60 % of the parameters`.
fn summary(report: &Report<'_>) -> String {
    let diff = report.diff;
    let (matched, wanted) = parameters(diff);
    let count = diff.matched().count();
    let all = counted(diff.evidence.len(), "wanted variable");
    if report.is_equal() {
        let what = if report.values.is_some() {
            "names, dtypes, shapes and values"
        } else {
            "names, dtypes and shapes"
        };
        return format!("equal: {what} of {}", counted(count, "variable"));
    }
    let share = if wanted == 0 { 100.0 } else { matched as f64 * 100.0 / wanted as f64 };
    format!("{count} of {all} match, {} of the parameters", percent(share))
}

/// Formats a share. Only all is 100 %, and only nothing is 0 %.
fn percent(share: f64) -> String {
    match share {
        _ if share == 0.0 || share == 100.0 => format!("{share:.0} %"),
        _ => format!("{:.1} %", share.clamp(0.1, 99.9)),
    }
}

/// Returns the number of elements of the matched variables, and of all wanted ones.
pub(super) fn parameters(diff: &Diff<'_>) -> (u128, u128) {
    let elements = |at: usize| u128::from(diff.want.shapes[at].num_elements().unwrap_or(0));
    let matched = diff.matched().map(|(_, want)| elements(want)).sum();
    (matched, (0..diff.evidence.len()).map(elements).sum())
}

fn renamed(diff: &Diff<'_>) -> Vec<Section> {
    let line = |at: &usize| {
        let evidence = &diff.evidence[*at];
        let (have, want) = (&diff.have_variable(evidence.have?).name, &diff.want_variable(*at).name);
        let doubt = if evidence.is_certain { "" } else { ", uncertain" };
        Some(format!("{have} -> {want}  ({}{doubt})", evidence.reason))
    };
    one(
        PLAIN,
        format!("of another name, {}:", diff.renamed.len()),
        diff.renamed.iter().filter_map(line).collect(),
    )
}

fn other_shape(diff: &Diff<'_>) -> Vec<Section> {
    let line = |(at, meaning): &(usize, String)| {
        let old = diff.have.shapes[diff.evidence[*at].have?];
        Some(format!("{}  {old} -> {}  {meaning}", diff.wanted_name(*at), diff.want.shapes[*at]))
    };
    let lines = diff.other_shape.iter().filter_map(line).collect();
    one(ODD, format!("of another shape, {}:", diff.other_shape.len()), lines)
}

fn other_dtype(diff: &Diff<'_>) -> Vec<Section> {
    let line = |at: &usize| {
        let old = diff.have_variable(diff.evidence[*at].have?).tensor.dtype;
        Some(format!("{}  {old} -> {}", diff.wanted_name(*at), diff.want_variable(*at).tensor.dtype))
    };
    let lines = diff.other_dtype.iter().filter_map(line).collect();
    one(ODD, format!("of another dtype, {}:", diff.other_dtype.len()), lines)
}

fn layers(diff: &Diff<'_>) -> Vec<Section> {
    let section = |layers: &Layers| {
        let side = |layers: &[Layer]| {
            let named = layers.iter().take(LISTED).map(|layer| match &layer.shape {
                Some(shape) => format!("{} {shape}", layer.name),
                None => layer.name.clone(),
            });
            let more = if layers.len() > LISTED { ", …" } else { "" };
            named.collect::<Vec<_>>().join(", ") + more
        };
        let lines = vec![format!("HAVE  {}", side(&layers.have)), format!("WANT  {}", side(&layers.want))];
        Section { style: ODD, heading: format!("{}, and the names only count:", layers.heading()), lines }
    };
    diff.layers.iter().map(section).collect()
}

fn missing(diff: &Diff<'_>) -> Vec<Section> {
    let line = |(at, candidates): &(usize, Vec<String>)| {
        let tensor = &diff.want_variable(*at).tensor;
        let near = match candidates.as_slice() {
            [] => "nothing like it".to_owned(),
            names => format!("nearest: {}", names.join(", ")),
        };
        format!("{}  {} {}  {near}", diff.wanted_name(*at), tensor.dtype, tensor.shape)
    };
    one(ODD, format!("missing in HAVE, {}:", diff.missing.len()), diff.missing.iter().map(line).collect())
}

fn unexpected(diff: &Diff<'_>) -> Vec<Section> {
    let mut lines: Vec<Vec<String>> = vec![vec![]; KINDS.len()];
    for at in &diff.unexpected {
        let tensor = &diff.have_variable(*at).tensor;
        lines[kind(diff, *at)].push(format!("{}  {} {}", diff.own_name(*at), tensor.dtype, tensor.shape));
    }
    let section = |((word, many), lines): (&(&str, &str), Vec<String>)| {
        let word = if lines.len() == 1 { word } else { many };
        Section { style: PLAIN, heading: format!("only in HAVE, {} {word}:", lines.len()), lines }
    };
    KINDS.iter().zip(lines).map(section).collect()
}

fn differences(diff: &Diff<'_>, values: &Values) -> Section {
    let mut unequal: Vec<_> = values.pairs.iter().filter(|(_, found)| !found.is_equal()).collect();
    unequal.sort_by(|(_, a), (_, b)| b.relative_norm().total_cmp(&a.relative_norm()));
    let line = |(at, found): &&(usize, ValueDiff)| format!("{}  {}", diff.wanted_name(*at), measured(found));
    let heading = format!("of other values, {}, the most different first:", unequal.len());
    Section { style: ODD, heading, lines: unequal.iter().map(line).collect() }
}

/// Returns the measures of a difference.
fn measured(diff: &ValueDiff) -> String {
    let nan = match diff.nan {
        [0, 0] => String::new(),
        [have, want] => format!(", NaN {have} in HAVE and {want} in WANT"),
    };
    let (share, norm) = (percent(diff.share_equal() * 100.0), diff.relative_norm());
    format!("{share} equal, max difference {:.3e}, relative norm {norm:.3e}{nan}", diff.max_abs)
}

fn commands<W: Write>(report: &Report<'_>, page: &mut Page<W>) -> io::Result<()> {
    for tried in &report.commands {
        let (restored, all) = tried.restored;
        let remark = if tried.remark.is_empty() { String::new() } else { format!("{}: ", tried.remark) };
        page.line(PLAIN, 2, &format!("{remark}{restored} of {all} restored{}", fresh(all - restored)))?;
        // A command must stay one line, so that it can be copied.
        writeln!(page, "  {}", tried.line)?;
    }
    Ok(())
}

fn fresh(count: usize) -> String {
    if count == 0 { String::new() } else { format!(", {count} as WANT has them") }
}
