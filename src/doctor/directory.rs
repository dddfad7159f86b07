//! The examination of a directory of checkpoints: each of them, the newest whole one, and the saves that never finished.

use std::path::Path;
use std::sync::Arc;

use crate::directory::{Directory, Entry};
use crate::doctor::finding::{Finding, finding};
use crate::doctor::newest::{Newest, text};
use crate::doctor::{Watch, contents, files, path, state, values};
use crate::name::listed;
use crate::source;
use crate::source::{Candidates, Located, shown};

/// The maximum number of checkpoints that are opened, the newest first.
const OPENED: usize = 64;
/// The maximum number of names in a line.
const NAMED: usize = 5;

/// Examines a directory.
pub(super) fn examine(directory: &Arc<Directory>, watch: Option<Watch>) -> Vec<Finding> {
    let candidates = match Candidates::of_directory(directory) {
        Ok(candidates) => candidates,
        Err(error) => return path::unresolved(directory.path(), error),
    };
    let entries = directory.entries().unwrap_or_default();
    let (mut findings, mut newest, mut broken) = (Vec::new(), None, Vec::new());
    for located in candidates.located.iter().take(OPENED) {
        match files::open(located) {
            Err(faults) => {
                findings.extend(faults);
                broken.push(located);
            }
            Ok(checkpoint) => {
                findings.extend(values::examine(located, &checkpoint, watch));
                newest = newest.or(Some(Newest { stem: located.prefix.stem.clone(), checkpoint }));
            }
        }
    }
    values::join(&mut findings, directory.path());
    findings.extend(files::unfinished(directory, newest.as_ref().map(Newest::restore)));
    findings.extend(without_index(directory, &entries, newest.as_ref()));
    findings.extend(newest.as_ref().and_then(|newest| not_whole(directory.path(), newest, &broken)));
    if candidates.located.iter().any(|located| located.format.is_none()) {
        findings.extend(state::examine(directory, &entries, newest.as_ref()));
    }
    findings.extend(newest.iter().flat_map(|newest| contents::examine(&newest.checkpoint)));
    findings
}

/// Returns the finding about data files without an index.
fn without_index(directory: &Directory, entries: &[Entry], newest: Option<&Newest>) -> Option<Finding> {
    let checkpoints = source::find_checkpoints(directory, entries);
    let lack = checkpoints.iter().filter(|(_, files)| files.index.is_none() && files.data().next().is_some());
    let stems: Vec<_> = lack.map(|(stem, _)| shown(Path::new(stem))).collect();
    let evidence = format!(
        "{}: data files without an index: {}. The index holds names and shapes: copy it from where it was saved.",
        shown(directory.path()),
        listed(&stems, NAMED)
    );
    (!stems.is_empty())
        .then(|| finding("index-missing", evidence, newest.map(Newest::restore).into_iter().collect()))
}

/// Returns the finding about steps that are newer than the newest whole one.
fn not_whole(dir: &Path, newest: &Newest, broken: &[&Located]) -> Option<Finding> {
    let is_newer = |located: &&&Located| source::by_number(&located.prefix.stem, &newest.stem).is_gt();
    let newer = broken.iter().filter(is_newer).map(|located| text(&located.prefix.stem));
    let newer: Vec<_> = newer.collect();
    let evidence = format!(
        "{}: {} is the newest step that is whole; newer, but not whole: {}.",
        shown(dir),
        text(&newest.stem),
        listed(&newer, NAMED)
    );
    (!newer.is_empty()).then(|| finding("newest-not-whole", evidence, vec![newest.restore()]))
}
