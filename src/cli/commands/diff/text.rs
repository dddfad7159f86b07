//! The report as text: a section for each kind of difference.

use std::io::{self, Write};

use anstyle::Style;

use crate::cli::commands::diff::Report;
use crate::cli::commands::diff::values::Values;
use crate::cli::output::page::{PLAIN, Page};
use crate::cli::output::terminal::{BAD, FAINT, GOOD, ODD, counted};
use crate::diff::Diff;
use crate::diff::groups::{Layer, Layers};
use crate::diff::restore::{Effect, Stop};
use crate::diff::silent::{Wrong, WrongKind};
use crate::diff::unexpected::{KINDS, kind};
use crate::op::value_diff::ValueDiff;

/// The maximum number of lines of one section.
const LISTED: usize = 20;

/// A section: its style, its heading, and its lines. It is left out if it has none.
struct Section {
    style: Style,
    heading: String,
    lines: Vec<String>,
}

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

impl Section {
    fn print<W: Write>(&self, page: &mut Page<W>) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        page.line(self.style, 2, &self.heading)?;
        self.lines.iter().take(LISTED).try_for_each(|line| page.line(PLAIN, 6, &format!("  {line}")))?;
        match self.lines.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => page.line(FAINT, 2, &format!("  … and {more} more (--json has all)")),
        }
    }
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

fn one(style: Style, heading: String, lines: Vec<String>) -> Vec<Section> {
    vec![Section { style, heading, lines }]
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

fn stops(diff: &Diff<'_>) -> Vec<Section> {
    let Some(restore) = &diff.restore else { return vec![] };
    let line = |(at, stop)| {
        let name = diff.wanted_name(at);
        match stop {
            Stop::NoKey => format!("{name}: its key is not found"),
            Stop::Shape(from) => {
                format!("{name}: it would take {}, of shape {}", diff.own_name(from), diff.have.shapes[from])
            }
            Stop::Dtype(from) => {
                let dtype = diff.have_variable(from).tensor.dtype;
                format!("{name}: it would take {}, of dtype {dtype}", diff.own_name(from))
            }
        }
    };
    let lines: Vec<_> = restore.stops().map(line).collect();
    let call = restore.api.words().call;
    one(BAD, format!("{call} stops with an error, at {}:", lines.len()), lines)
}

fn silent(diff: &Diff<'_>) -> Vec<Section> {
    let Some(restore) = &diff.restore else { return vec![] };
    let words = restore.api.words();
    let stays = restore.effects.contains(&Effect::Stays);
    let unless = if stays { format!(" {}", words.leniency) } else { String::new() };
    let passes = if restore.is_consumed { ", and assert_consumed() passes" } else { "" };
    let section = |is_certain: bool| {
        let wrong: Vec<_> = diff.silent.iter().filter(|wrong| wrong.is_certain == is_certain).collect();
        let count = wrong.len();
        let (style, what) = match is_certain {
            true => (
                BAD,
                format!("silent: {} restores {count} wrongly without a word{unless}{passes}:", words.call),
            ),
            false => (
                ODD,
                format!(
                    "silent: {} restores {count} by numbers that only count, perhaps wrongly:",
                    words.call
                ),
            ),
        };
        Section { style, heading: what, lines: wrong.into_iter().map(|wrong| wrongly(diff, wrong)).collect() }
    };
    vec![section(true), section(false)]
}

fn wrongly(diff: &Diff<'_>, wrong: &Wrong) -> String {
    let (name, own) = (diff.wanted_name(wrong.at), diff.evidence[wrong.at].have);
    let from = wrong.from.map(|from| diff.own_name(from).to_string()).unwrap_or_default();
    let own = own.filter(|own| wrong.is_certain && Some(*own) != wrong.from).map(|own| diff.own_name(own));
    let right = own.map(|own| format!("; its own is {own}")).unwrap_or_default();
    match wrong.kind {
        WrongKind::Initialized => format!("{name}  stays as it was initialized{right}"),
        WrongKind::Misplaced => format!("{name}  takes {from}{right}"),
        WrongKind::Shape => {
            let shape = wrong.from.map(|from| diff.have.shapes[from].to_string()).unwrap_or_default();
            format!("{name}  a resource variable takes the old shape {shape}")
        }
    }
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
