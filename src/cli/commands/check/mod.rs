//! `ckptfs check`: validates a map against a checkpoint without mounting.

pub(crate) mod data;
mod directory;
mod values;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::catalog::{Catalog, Variable};
use crate::cli::error::is_broken_pipe;
use crate::cli::flags::map_flags::MapFlags;
use crate::cli::flags::{map_flags, overlay_flags};
use crate::cli::output::changes;
use crate::cli::output::page::{PLAIN, Page};
use crate::cli::output::terminal::{FAINT, GOOD, bytes, counted, error, warning};
use crate::directory::Directory;
use crate::map::Map;
use crate::mounted_source::newest::{Opened, advised, open_newest};
use crate::name::printable;
use crate::remap::report::{Example, Report, RuleReport, Status};
use crate::source::{Candidates, Checkpoint, Located, Resolved};
use crate::transform::damage::{Salvage, Soundness};
use crate::transform::{Transform, TransformError};
use crate::{mounted_source, remap, source};

/// Validate a map against a checkpoint without mounting
///
/// Without a map, only the checkpoint itself is checked: its index, and its data with --data. In a directory, every
/// checkpoint that `mount` would serve is checked, the newest in detail. Exits with 1 if a check fails.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs check train/ckpt-9 --rename 'bert/**=encoder/**' --drop '**/adam_*'
  $ ckptfs check old/ckpt-1 --like wanted --missing 'head/**=like'
  $ ckptfs check train/ --data    # reads all values")]
pub(crate) struct Args {
    /// The checkpoint, as for ls, or a directory, which means all its checkpoints
    source: PathBuf,
    /// Also read all data: compare it with the saved checksums, and find the values that casts lose
    #[arg(long)]
    data: bool,
    #[command(flatten)]
    map: MapFlags,
}

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let transform = Arc::new(self.map.transform()?);
        let mut page = Page::standard_output();
        let is_good = match source::resolve(&self.source)? {
            Resolved::Directory(dir) => self.directory(&dir, &transform, &mut page)?,
            _ => {
                let located = &source::candidates(&self.source)?.located[0];
                self.located(located, false, &transform, &mut page)?
            }
        };
        page.flush()?;
        Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Checks all checkpoints of a directory and reports the newest in detail, the others in one line each. Returns
    /// true if all checks pass.
    fn directory<W: Write>(
        &self,
        dir: &Arc<Directory>,
        transform: &Arc<Transform>,
        page: &mut Page<W>,
    ) -> anyhow::Result<bool> {
        let candidates = Candidates::of_directory(dir)?;
        candidates.unfinished.iter().for_each(warning);
        let located = &candidates.located[0];
        let newest = match self.located(located, true, transform, page) {
            Ok(is_good) => is_good,
            Err(trouble) if is_broken_pipe(&trouble) => return Err(trouble),
            Err(trouble) => {
                page.flush()?;
                error(&trouble);
                if let Ok(Opened { checkpoint, .. }) = open_newest(&candidates, transform) {
                    let latest = checkpoint.prefix.stem.display().to_string();
                    page.line(PLAIN, 2, &format!("a mount of the directory serves {latest} as latest"))?;
                }
                false
            }
        };
        let mut others = directory::Others::new(transform, self.data);
        others.check(dir.path(), Some(&located.prefix.stem), page)?;
        others.summary(newest, page)?;
        Ok(newest && others.are_good())
    }

    /// Opens and checks one checkpoint. `several` says that it is one of a directory.
    fn located<W: Write>(
        &self,
        located: &Located,
        several: bool,
        transform: &Transform,
        page: &mut Page<W>,
    ) -> anyhow::Result<bool> {
        let mut checkpoint = source::open_located(located)?;
        checkpoint.warnings.iter().for_each(warning);
        let checked = self.detail(&mut checkpoint, transform, page);
        checked.map_err(|error| match error.downcast::<TransformError>() {
            Ok(error) => {
                let error = advised(error, &checkpoint, &located.directory, several);
                mounted_source::Error::from(error).in_command(&map_flags::command_line()).into()
            }
            Err(error) => error,
        })
    }

    /// Checks one checkpoint and reports in detail. Returns true if all checks pass.
    fn detail<W: Write>(
        &self,
        checkpoint: &mut Checkpoint,
        transform: &Transform,
        page: &mut Page<W>,
    ) -> anyhow::Result<bool> {
        let sound = Soundness::of(&checkpoint.catalog);
        let map = &transform.map;
        describe(checkpoint, page)?;
        page.flush()?;
        transform.overlays.refuse_base(&checkpoint.stamp)?;
        let overlaid = transform.overlay(&mut checkpoint.catalog)?;
        overlay_flags::summary(&overlaid).iter().try_for_each(|line| page.line(PLAIN, 4, line))?;
        overlaid.warnings.iter().try_for_each(|what| writeln!(page, "warning: {what}"))?;
        if let Some(damaged) = sound.judge_graph(&checkpoint.catalog).filter(|_| transform.needs_names()) {
            return Err(TransformError::from(damaged).into());
        }
        let salvage = Salvage::of(map, &checkpoint.catalog, &sound).map_err(TransformError::from)?;
        let is_intact = !self.data || data::check(&checkpoint.catalog, page)?;
        let fits = map.is_empty() || self.rules(map, checkpoint, page)?;
        let mut is_sound = true;
        if fits {
            // The lines so far are written before an error is.
            page.flush()?;
            let report = remap::apply(map, &mut checkpoint.catalog)?;
            salvage.finish(map, &report, &mut checkpoint.catalog).iter().for_each(warning);
            let mut warnings = Vec::new();
            let likeness =
                transform.fit(&mut checkpoint.catalog, &mut warnings).map_err(TransformError::from)?;
            warnings.iter().try_for_each(|what| writeln!(page, "warning: {what}"))?;
            let summary = likeness.map(|likeness| self.map.summary(&likeness)).unwrap_or_default();
            summary.iter().try_for_each(|line| page.line(PLAIN, 4, line))?;
            // The values of damaged data mean nothing.
            is_sound = !(self.data && is_intact) || values::check(&checkpoint.catalog, page)?;
        }
        page.flush()?;
        match sound.judge(&checkpoint.catalog).filter(|_| fits) {
            Some(damaged) => Err(TransformError::from(damaged).into()),
            None => Ok(fits && is_intact && is_sound && checkpoint.catalog.is_complete()),
        }
    }

    /// Prints what each rule does. Returns true if the map fits.
    fn rules<W: Write>(&self, map: &Map, checkpoint: &Checkpoint, out: &mut Page<W>) -> anyhow::Result<bool> {
        let names: Vec<_> =
            checkpoint.catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
        let mut catalog = checkpoint.catalog.clone();
        match remap::apply(map, &mut catalog) {
            Ok(report) => {
                rules(map, &report, (&checkpoint.catalog, Some(&catalog)), out)?;
                summary(map, &report, catalog.variables.len(), &names, out)?;
                // With --data, the values say what a cast loses.
                let casts = report.casts.iter().filter(|_| !self.data);
                let warnings = report.warnings.iter().chain(casts);
                warnings.into_iter().try_for_each(|warning| writeln!(out, "{warning}"))?;
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
}

fn describe<W: Write>(checkpoint: &Checkpoint, page: &mut Page<W>) -> io::Result<()> {
    let catalog = &checkpoint.catalog;
    let (variables, shards) =
        (counted(catalog.variables.len(), "variable"), counted(catalog.shards.len(), "data file"));
    let (path, size) = (checkpoint.prefix.path(), bytes(catalog.len()));
    page.line(PLAIN, 2, &format!("{}: {variables}, {size}, in {shards}", path.display()))
}

/// Prints what each rule does, with an example before and, if the map fits, after the change.
fn rules<W: Write>(
    map: &Map,
    report: &Report,
    catalogs: (&Catalog, Option<&Catalog>),
    page: &mut Page<W>,
) -> io::Result<()> {
    let place = report.rules.iter().map(|rule| rule.place.len()).max().unwrap_or(0);
    for (rule, report) in map.rules().zip(&report.rules) {
        let RuleReport { hits, followed, text, .. } = report;
        let line = format!("  {:place$}  {:>6}  {text}", report.place, hits + followed);
        page.line(PLAIN, place + 12, &line)?;
        let example = match catalogs {
            (old, Some(new)) => changes::example(rule, report, old, new),
            _ => report.example.clone(),
        };
        if let Some(detail) = detail(map, report, example.as_ref(), catalogs) {
            page.line(FAINT, place + 14, &format!("  {:place$}  {:>6}    {detail}", "", ""))?;
        }
    }
    Ok(())
}

/// Returns an example of what the rule did, or the reason why it did nothing.
fn detail(
    map: &Map,
    rule: &RuleReport,
    example: Option<&Example>,
    (old, new): (&Catalog, Option<&Catalog>),
) -> Option<String> {
    let followed = match rule.followed {
        0 => String::new(),
        n => format!(" (with {} that followed)", counted(n, "slot")),
    };
    match (example, rule.status) {
        (Some(Example { from, to }), _) => Some(match (shown(from, Some(old)), shown(to, new)) {
            (from, to) if to.is_empty() => format!("{from} is left out{followed}"),
            (from, to) if from.is_empty() => format!("{to} is new{followed}"),
            (from, to) => format!("{from} -> {to}{followed}"),
        }),
        (None, Status::Unused) => Some("matched nothing".into()),
        (None, Status::Optional) => Some("matched nothing (optional)".into()),
        (None, Status::Shadowed { by: Some(by) }) => {
            Some(format!("shadowed: all it matches went to {}", map.rule(by).span()))
        }
        (None, Status::Shadowed { by: None }) => Some("shadowed: all it matches was left out".into()),
        (None, Status::Used) => None,
    }
}

/// Returns `name [shape] dtype` for each name, or the name alone if the catalog lacks it.
fn shown(names: &[Vec<u8>], catalog: Option<&Catalog>) -> String {
    let one = |name: &Vec<u8>| match catalog.and_then(|catalog| catalog.variable(name)) {
        Some(Variable { tensor, .. }) => format!("{} {} {}", printable(name), tensor.shape, tensor.dtype),
        None => printable(name),
    };
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn summary<W: Write>(
    map: &Map,
    report: &Report,
    shown: usize,
    names: &[&[u8]],
    page: &mut Page<W>,
) -> io::Result<()> {
    let (dropped, all) = (report.dropped.len(), counted(names.len(), "variable"));
    let line = format!("{dropped} of {all} are left out; {} in all", counted(shown, "name"));
    page.line(GOOD, 2, &line)?;
    for lost in &report.lost {
        let (loser, winner) = (printable(names[lost.source]), printable(names[lost.to]));
        let rule = lost.rule.map_or(String::new(), |rule| format!(" ({})", map.rule(rule).span()));
        let line = format!("  {loser} lost its name to {winner}, both {}{rule}", printable(&lost.name));
        page.line(PLAIN, 4, &line)?;
    }
    Ok(())
}
