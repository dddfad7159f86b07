//! The report of `suggest`: a summary, the rules with an example each, what is not sure, and the commands to use the map.

use std::io::{self, Write};

use crate::cli::commands::suggest::Suggested;
use crate::cli::output::page::{PLAIN, Page};
use crate::cli::output::terminal::{FAINT, GOOD, ODD, counted};
use crate::name::printable;
use crate::suggest::Confidence;
use crate::suggest::rule::Rule;
use crate::suggest::rules::Renames;
use crate::suggest::toml::{Tables, example};

/// The greatest number of rules, and of pairs that are not sure, that are listed. The map has all.
const LISTED: usize = 20;

/// Writes the report.
pub(super) fn write<W: Write>(
    suggested: &Suggested,
    commands: &[String],
    page: &mut Page<W>,
) -> io::Result<()> {
    summary(suggested, page)?;
    rules(suggested, page)?;
    [Confidence::Likely, Confidence::Ambiguous]
        .into_iter()
        .try_for_each(|trust| unsure(suggested, trust, page))?;
    missing(suggested, page)?;
    for command in commands {
        page.line(PLAIN, 4, &format!("  {command}"))?;
    }
    Ok(())
}

fn summary<W: Write>(suggested: &Suggested, page: &mut Page<W>) -> io::Result<()> {
    let Suggested { want, found, map, .. } = suggested;
    let sure = found.pairs.iter().filter(|pair| pair.confidence == Confidence::Sure).count();
    let rules = match map.rules.len() {
        0 if sure > 0 => "no rule is needed".to_owned(),
        0 => "no rules".to_owned(),
        count => counted(count, "rule"),
    };
    let style = if sure == want.len() { GOOD } else { ODD };
    let are = if want.len() == 1 { "is" } else { "are" };
    let wanted = counted(want.len(), "wanted variable");
    page.line(style, 2, &format!("{sure} of {wanted} {are} sure; {rules}"))
}

fn rules<W: Write>(suggested: &Suggested, page: &mut Page<W>) -> io::Result<()> {
    let Suggested { have, want, found, map } = suggested;
    let renames = Renames { have, want, pairs: &found.pairs };
    let tables = Tables::new(&map.rules);
    let shown = |rule: &Rule| {
        let ops = rule.ops.as_ref().map_or(String::new(), |ops| format!("  {ops}"));
        let from = printable(rule.pattern().as_bytes());
        format!("{from} -> {}{ops}", printable(rule.target(|table| tables.name(table)).as_bytes()))
    };
    for rule in map.rules.iter().take(LISTED) {
        page.line(PLAIN, 10, &format!("  {:>6}  {}", rule.members.len(), shown(rule)))?;
        let is_plain = rule.is_single() && rule.ops.is_none();
        if let Some(first) = rule.members.first().filter(|_| !is_plain) {
            page.line(FAINT, 12, &format!("          {}", example(&renames, *first)))?;
        }
    }
    more(map.rules.len(), "rule", page)?;
    map.drops.iter().take(LISTED).try_for_each(|name| {
        let name = printable(name.as_bytes());
        page.line(
            PLAIN,
            10,
            &format!("          {name} is left out: nothing shows that WANT means this variable"),
        )
    })
}

fn unsure<W: Write>(suggested: &Suggested, trust: Confidence, page: &mut Page<W>) -> io::Result<()> {
    let Suggested { have, want, found, .. } = suggested;
    let pairs: Vec<_> = want.iter().zip(&found.pairs).filter(|(_, pair)| pair.confidence == trust).collect();
    let mut last = "";
    for (wanted, pair) in pairs.iter().take(LISTED) {
        let name = |at: usize| printable(have[at].name.as_bytes());
        if pair.reason != last {
            page.line(ODD, 2, &format!("{}: {}", trust.word(), pair.reason))?;
            last = &pair.reason;
        }
        let source = pair.have.map(name).unwrap_or_default();
        let others = match pair.others.as_slice() {
            [] => String::new(),
            [one] => format!(" or {}", name(*one)),
            [one, rest @ ..] => format!(" or {} or {} more", name(*one), rest.len()),
        };
        page.line(
            PLAIN,
            12,
            &format!("          {source}{others} -> {}", printable(wanted.name.as_bytes())),
        )?;
    }
    more(pairs.len(), "pair", page)
}

fn missing<W: Write>(suggested: &Suggested, page: &mut Page<W>) -> io::Result<()> {
    let pairs = suggested.want.iter().zip(&suggested.found.pairs);
    let missing: Vec<_> = pairs.filter(|(_, pair)| pair.confidence == Confidence::Missing).collect();
    let mut last = "";
    for (wanted, pair) in missing.iter().take(LISTED) {
        if pair.reason != last {
            page.line(ODD, 2, &format!("missing: {}", pair.reason))?;
            last = &pair.reason;
        }
        page.line(PLAIN, 12, &format!("          {} {}", printable(wanted.name.as_bytes()), wanted.shape))?;
    }
    more(missing.len(), "variable", page)
}

/// Says how many are not listed.
fn more<W: Write>(count: usize, noun: &str, page: &mut Page<W>) -> io::Result<()> {
    match count.saturating_sub(LISTED) {
        0 => Ok(()),
        rest => page.line(FAINT, 12, &format!("          … and {} more", counted(rest, noun))),
    }
}
