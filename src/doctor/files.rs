//! The examination of a checkpoint's files: something else in the place of a file, files that end too early, entries
//! that are impossible.

use std::path::Path;

use crate::catalog::{TruncatedFile, Variable};
use crate::directory::Directory;
use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::{repair, rights};
use crate::map::diagnostic::counted;
use crate::name::listed;
use crate::source::{Checkpoint, Error, Located, shown};
use crate::source_file::SourceFile;
use crate::{graph, source};

/// The ids of what is in the place of a file, by the beginning of its description.
const STAND_INS: &[(&str, &str)] = &[
    ("an empty file", "empty-file"),
    ("a git-lfs pointer", "lfs-pointer"),
    ("a web page", "web-page"),
    ("the error message of a server", "server-error"),
    ("a zip archive", "archive"),
    ("a PyTorch checkpoint (zip)", "archive"),
    ("a compressed archive", "archive"),
    ("a tar archive", "archive"),
];
/// The number of variables that the evidence names.
const NAMED: usize = 5;

/// Opens a checkpoint that is whole, or returns what is wrong with its files.
pub(super) fn open(located: &Located) -> Result<Checkpoint, Vec<Finding>> {
    let checkpoint = source::open_located(located).map_err(|error| vec![of_error(&error, Some(located))])?;
    let faults = faults(&checkpoint, located);
    if faults.is_empty() { Ok(checkpoint) } else { Err(faults) }
}

/// Returns the finding about a checkpoint that cannot be opened.
pub(super) fn of_error(error: &Error, located: Option<&Located>) -> Finding {
    let text = error.to_string();
    let (what, advice) = text.split_once("\n  help: ").unwrap_or((&text, ""));
    let advice = advice
        .lines()
        .next()
        .filter(|advice| !advice.is_empty() && !advice.starts_with("checkpoints nearby"));
    let id = match error {
        Error::Lookalike { what, .. } => stand_in(what).unwrap_or("not-a-checkpoint"),
        Error::NoIndex { .. } => "index-missing",
        Error::Io(path, _) => match source::obstacle(path) {
            Some(obstacle) => return rights::of(&obstacle),
            None => "not-readable",
        },
        Error::Malformed(..) => "index-damaged",
        Error::Unsupported(..) => "unsupported",
        Error::Disagree(..) | Error::Datasets(..) => "entry-damaged",
        Error::NotFound { .. } | Error::NoCheckpoints { .. } => "no-such-checkpoint",
    };
    let other = located.and_then(repair::other_step).into_iter();
    finding(id, what, other.chain(advice.map(|advice| Mend::Advice(advice.into()))).collect())
}

fn stand_in(what: &str) -> Option<&'static str> {
    STAND_INS.iter().find(|(start, _)| what.starts_with(start)).map(|(_, id)| *id)
}

/// Returns what is wrong with the data files and the entries of an open checkpoint.
fn faults(checkpoint: &Checkpoint, located: &Located) -> Vec<Finding> {
    let catalog = &checkpoint.catalog;
    let lost: Vec<_> = catalog.damaged_graph().into_iter().chain(catalog.lost().cloned()).collect();
    let missing = catalog.shards.iter().filter(|shard| shard.fault().is_some());
    let missing = missing.filter(|shard| lost.iter().any(|variable| is_in(variable, shard.path())));
    let missing: Vec<_> = missing.map(|shard| (shard.path(), unreadable(shard, checkpoint))).collect();
    let truncated = catalog.truncated.iter().map(|file| (file.path.as_path(), truncated(file)));
    let files: Vec<_> = missing.into_iter().chain(truncated).collect();
    let has_reason = |variable: &&Variable| files.iter().any(|(path, _)| is_in(variable, path));
    let other: Vec<_> = lost.iter().filter(|variable| !has_reason(variable)).collect();
    let mut findings: Vec<Finding> = files.iter().map(|(_, finding)| finding.clone()).collect();
    findings.extend((!other.is_empty()).then(|| damaged(&other, &checkpoint.prefix.path())));
    if let Some(last) = findings.last_mut() {
        last.evidence += &summary(&lost, catalog.variables.len());
        last.mends.extend(repair::mends(located, checkpoint, &lost, false));
    }
    findings
}

fn is_in(variable: &Variable, path: &Path) -> bool {
    variable.tensor.ranges().iter().any(|(file, ..)| file.path() == path)
}

fn unreadable(shard: &SourceFile, checkpoint: &Checkpoint) -> Finding {
    if let Some(obstacle) = source::obstacle(shard.path()) {
        return rights::of(&obstacle);
    }
    let path = shard.path().display().to_string();
    let warning = checkpoint.warnings.iter().find(|warning| warning.starts_with(&path));
    finding("data-missing", warning.cloned().unwrap_or(path), Vec::new())
}

fn truncated(file: &TruncatedFile) -> Finding {
    let id = file.instead.map_or("data-truncated", |(what, _)| stand_in(what).unwrap_or("not-a-checkpoint"));
    let dir = file.path.parent().filter(|dir| *dir != Path::new(".")).map(|dir| dir.join(""));
    finding(id, format!("{}{file}", dir.as_deref().map(shown).unwrap_or_default()), Vec::new())
}

/// Returns the finding about entries that are impossible for a reason of their own.
fn damaged(variables: &[&Variable], prefix: &Path) -> Finding {
    let line = |variable: &&Variable| {
        let what = variable.tensor.damage().map_or("it has no values", |damage| &damage.what);
        format!("\n{}: {what}", variable.name)
    };
    let lines: String = variables.iter().take(NAMED).map(line).collect();
    let count = counted(variables.len(), "entry").replace("entrys", "entries");
    finding(
        "entry-damaged",
        format!("{}: {count} of the index cannot be true{lines}", shown(prefix)),
        Vec::new(),
    )
}

/// Returns the line about what is lost.
fn summary(lost: &[Variable], all: usize) -> String {
    let names: Vec<_> = lost.iter().map(|variable| &variable.name).collect();
    let count = lost.iter().filter(|variable| variable.name.as_bytes() != graph::KEY.as_bytes()).count();
    let sound = match all.saturating_sub(count) {
        0 => "nothing else is left".into(),
        1 => "the other one is sound".into(),
        sound => format!("the other {sound} are sound"),
    };
    format!("\nlost: {} ({count} of {}); {sound}", listed(&names, NAMED), counted(all, "variable"))
}

/// Returns a finding for each save in a directory that has not finished. `newest` restores the newest whole step.
pub(super) fn unfinished(directory: &Directory, newest: Option<Mend>) -> Vec<Finding> {
    let entries = directory.entries().unwrap_or_default();
    let stems = source::unfinished_saves(directory, &entries);
    let half = |stem| half_written(&directory.path().join(stem), newest.clone());
    stems.into_iter().take(NAMED).map(half).collect()
}

/// Returns the finding about a save that has not finished. `newest` is the newest whole step.
pub(super) fn half_written(prefix: &Path, newest: Option<Mend>) -> Finding {
    let evidence = format!(
        "{}_temp/ is a save of {} that has not finished, or was interrupted. TensorFlow calls that \"Failed to find any \
         matching files\".",
        shown(prefix),
        shown(prefix)
    );
    let advice = "if no program is saving any more, remove that directory";
    finding("half-written", evidence, newest.into_iter().chain([Mend::Advice(advice.into())]).collect())
}
