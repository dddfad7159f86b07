//! The examination of the path itself: what it leads to, and what it should have been.

use std::path::{Path, PathBuf};

use crate::directory::Directory;
use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::kinds::Severity;
use crate::doctor::line::{literal, restore};
use crate::doctor::{examine, files};
use crate::map::diagnostic::counted;
use crate::name::listed;
use crate::source;
use crate::source::{Error, Lead, LeadKind, Located, Part, shown, word};

/// The ids of the findings about a path that is meant otherwise.
const LEADS: &[(LeadKind, &str)] = &[
    (LeadKind::Home, "home-not-expanded"),
    (LeadKind::Backslash, "backslash"),
    (LeadKind::Step, "step-missing"),
    (LeadKind::DirectoryAsPrefix, "directory-as-prefix"),
    (LeadKind::Elsewhere, "wrong-directory"),
];

/// The maximum number of places that are listed.
const LISTED: usize = 5;

/// Examines a path that is a file of a bundle and not its prefix.
pub(super) fn file_of_checkpoint(path: &Path, located: &Located) -> Option<Finding> {
    let (_, part) = Part::of(path.file_name()?).filter(|_| located.prefix.is_bundle() && path.is_file())?;
    let effect = match part {
        Part::Index => "restore() of the index restores nothing, without a word",
        Part::Data { .. } => "restore() of a data file is \"not an sstable (bad magic number)\"",
        Part::Meta => "restore() of the graph is \"not an sstable (bad magic number)\"",
    };
    let prefix = located.prefix.path();
    let evidence = format!(
        "{} is a file of {}, the prefix that TensorFlow takes; {effect}.",
        shown(path),
        shown(&prefix)
    );
    Some(finding("file-of-checkpoint", evidence, Vec::new()))
}

/// Returns the findings about a path that leads to no checkpoint.
pub(super) fn unresolved(path: &Path, error: Error) -> Vec<Finding> {
    match error {
        Error::NotFound { leads, nearest, is_unfinished, .. } => {
            let unfinished = is_unfinished.then(|| files::half_written(path, None));
            let meant = meant(path, &leads);
            let none = unfinished.is_none() && meant.is_empty();
            let missing = none.then(|| no_such(path, &nearest));
            unfinished.into_iter().chain(meant).chain(missing).collect()
        }
        Error::NoCheckpoints { dir, holds, below, models, leads } => {
            let meant = meant(path, &leads);
            let unfinished =
                Directory::open(&dir).map(|dir| files::unfinished(&dir, None)).unwrap_or_default();
            let model = saved_model_below(&dir, &models);
            let none = model.is_none() && meant.is_empty();
            let missing = none.then(|| no_checkpoints(&dir, &holds, &below));
            unfinished.into_iter().chain(model).chain(meant).chain(missing).collect()
        }
        error => vec![files::of_error(&error, None)],
    }
}

/// Returns a finding for each lead. If there is one, what is wrong with that checkpoint follows.
fn meant(path: &Path, leads: &[Lead]) -> Vec<Finding> {
    let mut findings: Vec<_> = leads.iter().map(|lead| of_lead(path, lead)).collect();
    if let [Lead { path: Some(meant), .. }] = leads {
        let wrong = examine(meant, false).into_iter().filter(|finding| finding.severity != Severity::Note);
        findings.extend(wrong);
    }
    findings
}

fn of_lead(path: &Path, lead: &Lead) -> Finding {
    let id = LEADS.iter().find(|(kind, _)| *kind == lead.kind).map_or("no-such-checkpoint", |(_, id)| id);
    let mut evidence = format!("{}: {}.", shown(path), lead.why);
    let mut mends = Vec::new();
    if lead.kind == LeadKind::DirectoryAsPrefix {
        let directory = literal(Path::new(path.to_string_lossy().trim_end_matches('/')));
        evidence += &format!(
            "\nSo tf.train.latest_checkpoint({directory}) is None, and restore(None) does nothing, without a word."
        );
    }
    if let Some(meant) = &lead.path {
        let opened = source::open(meant);
        if let Ok(checkpoint) = &opened {
            let variables = counted(checkpoint.catalog.variables.len(), "variable");
            evidence += &format!("\n{} has {variables}.", shown(&checkpoint.prefix.path()));
            mends.push(Mend::Python(restore(&checkpoint.catalog, &checkpoint.prefix.path())));
        }
        mends.push(Mend::Command(format!("ckptfs ls {}", word(meant))));
        evidence += &absolute(meant);
    }
    if lead.kind == LeadKind::DirectoryAsPrefix {
        let inside = Path::new(path.to_string_lossy().trim_end_matches('/')).join("ckpt");
        mends.push(Mend::Advice(format!("to have a directory, save as {} from now on", literal(&inside))));
    }
    finding(id, evidence, mends)
}

fn absolute(path: &Path) -> String {
    match std::path::absolute(path) {
        Ok(absolute) if absolute != path => format!("\nabsolute: {}", shown(&absolute)),
        _ => String::new(),
    }
}

fn no_such(path: &Path, nearest: &[String]) -> Finding {
    let evidence = format!("{}: {}.", shown(path), source::first_missing(path));
    let looks = nearest.iter().map(|near| Mend::Command(format!("ckptfs ls {}", word(Path::new(near)))));
    finding("no-such-checkpoint", evidence, looks.collect())
}

fn no_checkpoints(dir: &Path, holds: &str, below: &[String]) -> Finding {
    let below = match below {
        [] => String::new(),
        below => format!(" Checkpoints one level below: {}.", listed(below, LISTED)),
    };
    finding(
        "no-checkpoints",
        format!("{}: no checkpoints in this directory; {holds}.{below}", shown(dir)),
        Vec::new(),
    )
}

/// Returns the finding about the SavedModels one level below a directory.
fn saved_model_below(dir: &Path, models: &[PathBuf]) -> Option<Finding> {
    let first = models.first()?;
    let variables = source::open(first).map_or(0, |model| model.catalog.variables.len());
    let evidence = format!(
        "{} holds neither a checkpoint nor a SavedModel; {} is a SavedModel ({}). TensorFlow calls that \"SavedModel file does \
         not exist\".",
        shown(dir),
        shown(first),
        counted(variables, "variable")
    );
    let lines = models.iter().take(LISTED).flat_map(|model| {
        let load = Mend::Python(format!("tf.saved_model.load({})", literal(model)));
        [load, Mend::Command(format!("ckptfs check {}", word(model)))]
    });
    Some(finding("saved-model-below", evidence, lines.collect()))
}
