//! `ckptfs check`: what a map would do, without doing it.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::map_flags::{self, MapFlags};
use super::overlay_flags;
use super::terminal::{bytes, counted, error};
use crate::catalog::{Catalog, Variable};
use crate::name::printable;
use crate::remap::{self, Example, Map, Report, RuleReport, Status};
use crate::source::Checkpoint;

/// Say what a map does to a checkpoint, and what is wrong with either
///
/// Without a map it checks the checkpoint's index alone. Exits with 1 when something does not fit.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs check train/ckpt-9
  $ ckptfs check train/ckpt-9 --rename 'bert/**=encoder/**' --drop '**/adam_*'
  $ ckptfs check train/ckpt-9 --map fix.toml --like wanted")]
pub(super) struct Args {
    /// The checkpoint, as for ls
    source: PathBuf,
    #[command(flatten)]
    map: MapFlags,
}

impl Args {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let recipe = self.map.recipe()?;
        let map = &recipe.map;
        let mut checkpoint = map_flags::open(&self.source)?;
        let mut out = BufWriter::new(io::stdout().lock());
        describe(&checkpoint, &mut out)?;
        out.flush()?;
        recipe.overlays.refuse_base(&checkpoint.stamp)?;
        let laid = recipe.overlays.lay(&mut checkpoint.catalog)?;
        overlay_flags::summary(&laid).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        laid.warnings.iter().try_for_each(|warning| writeln!(out, "{warning}"))?;
        let fits = map.is_empty() || check(map, &checkpoint, &mut out)?;
        if fits {
            // What was said so far stands before an error.
            out.flush()?;
            remap::apply(map, &mut checkpoint.catalog)?;
            let likeness = recipe.fit(&mut checkpoint.catalog)?;
            let summary = likeness.map(|likeness| self.map.summary(&likeness)).unwrap_or_default();
            summary.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
        out.flush()?;
        Ok(if fits && checkpoint.catalog.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn describe(checkpoint: &Checkpoint, out: &mut impl Write) -> io::Result<()> {
    let catalog = &checkpoint.catalog;
    let (variables, shards) =
        (counted(catalog.variables.len(), "variable"), counted(catalog.shards.len(), "data file"));
    writeln!(
        out,
        "{}: {variables}, {}, in {shards}",
        checkpoint.prefix.path().display(),
        bytes(catalog.len())
    )
}

/// Prints what each rule does; whether all of it fits.
fn check(map: &Map, checkpoint: &Checkpoint, out: &mut impl Write) -> anyhow::Result<bool> {
    let names: Vec<_> =
        checkpoint.catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let mut catalog = checkpoint.catalog.clone();
    match remap::apply(map, &mut catalog) {
        Ok(report) => {
            rules(map, &report, (&checkpoint.catalog, Some(&catalog)), out)?;
            summary(map, &report, catalog.variables.len(), &names, out)?;
            report.warnings.iter().try_for_each(|warning| writeln!(out, "{warning}"))?;
            Ok(true)
        }
        Err(unfit) => {
            rules(map, &unfit.report, (&checkpoint.catalog, None), out)?;
            out.flush()?;
            error(&unfit.errors.into());
            Ok(false)
        }
    }
}

/// What each rule does; examples as they are and, where all fits, as they will be.
fn rules(
    map: &Map,
    report: &Report,
    catalogs: (&Catalog, Option<&Catalog>),
    out: &mut impl Write,
) -> io::Result<()> {
    let place = report.rules.iter().map(|rule| rule.place.len()).max().unwrap_or(0);
    for rule in &report.rules {
        writeln!(out, "  {:place$}  {:>6}  {}", rule.place, rule.hits + rule.followed, rule.text)?;
        if let Some(detail) = detail(map, rule, catalogs) {
            writeln!(out, "  {:place$}  {:>6}    {detail}", "", "")?;
        }
    }
    Ok(())
}

/// An example of what the rule did, or why it did nothing.
fn detail(map: &Map, rule: &RuleReport, (old, new): (&Catalog, Option<&Catalog>)) -> Option<String> {
    let followed = match rule.followed {
        0 => String::new(),
        n => format!(" (with {} that followed)", counted(n, "slot")),
    };
    match (&rule.example, rule.status) {
        (Some(Example { from, to }), _) => Some(match (shown(from, Some(old)), shown(to, new)) {
            (from, to) if to.is_empty() => format!("{from} is left out{followed}"),
            (from, to) if from.is_empty() => format!("{to} is new{followed}"),
            (from, to) => format!("{from} -> {to}{followed}"),
        }),
        (None, Status::Unused) => Some("matched nothing".into()),
        (None, Status::Optional) => Some("matched nothing, which is all right (optional)".into()),
        (None, Status::Shadowed { by: Some(by) }) => {
            Some(format!("shadowed: all it matches went to {}", map.rule(by).place()))
        }
        (None, Status::Shadowed { by: None }) => Some("shadowed: all it matches was left out".into()),
        (None, Status::Used) => None,
    }
}

/// `name [shape] dtype`, as far as it is known.
fn shown(names: &[Vec<u8>], catalog: Option<&Catalog>) -> String {
    let one = |name: &Vec<u8>| match catalog.and_then(|catalog| catalog.variable(name)) {
        Some(Variable { tensor, .. }) => format!("{} {} {}", printable(name), tensor.shape, tensor.dtype),
        None => printable(name),
    };
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn summary(
    map: &Map,
    report: &Report,
    shown: usize,
    names: &[&[u8]],
    out: &mut impl Write,
) -> io::Result<()> {
    let dropped = report.dropped.len();
    writeln!(
        out,
        "{} of {} are left out; {} in all",
        dropped,
        counted(names.len(), "variable"),
        counted(shown, "name")
    )?;
    for lost in &report.lost {
        let (loser, winner) = (printable(names[lost.source]), printable(names[lost.to]));
        let rule = lost.rule.map_or(String::new(), |rule| format!(" ({})", map.rule(rule).place()));
        writeln!(out, "  {loser} gives way to {winner}, both {}{rule}", printable(&lost.name))?;
    }
    Ok(())
}
