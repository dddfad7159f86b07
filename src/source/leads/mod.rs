//! The leads from a path with nothing there to the checkpoint that the user means.
//!
//! ```text
//! spelling.rs    `~` that no shell expanded, `\` for `/`
//! step.rs        a prefix without its step, or used as a directory
//! elsewhere.rs   the end of the path, below the working directory or above it
//! ```
//!
//! Every search is bounded, and none follows a symlink to a directory.

mod elsewhere;
mod spelling;
mod step;

use std::path::Path;

pub(crate) use elsewhere::first_missing;

use crate::directory::Directory;
use crate::source::formats;
use crate::source::lead::Lead;
use crate::source::prefix::Prefix;
use crate::source::saved_model::is_saved_model;

/// Returns the leads from a path that leads to no checkpoint, the best first.
pub(crate) fn leads(path: &Path) -> Vec<Lead> {
    let (spelled, faults) = spelling::correct(path);
    let lead = |kind, why, path| Lead { kind, why, path };
    let kind = faults.first().map(|(kind, _)| *kind);
    let reason =
        |why: String| faults.iter().map(|(_, why)| why.clone()).chain([why]).collect::<Vec<_>>().join("; ");
    let spelling = faults.iter().map(|(_, why)| why.as_str()).collect::<Vec<_>>().join("; ");
    if let Some(kind) = kind.filter(|_| is_checkpoint(&spelled)) {
        return vec![lead(kind, spelling, Some(spelled))];
    }
    let mut found: Vec<_> = step::find(&spelled).into_iter().collect();
    if found.is_empty() {
        found = elsewhere::find(&spelled);
    }
    match (kind, found.is_empty()) {
        (Some(kind), true) => vec![lead(kind, spelling, None)],
        (Some(kind), false) => found.into_iter().map(|one| lead(kind, reason(one.why), one.path)).collect(),
        (None, _) => found,
    }
}

/// Returns true if a path leads to a checkpoint, a file of one, or a directory that holds one.
fn is_checkpoint(path: &Path) -> bool {
    let prefix = Prefix::of(path);
    let around = || Directory::open(&prefix.dir).ok();
    let is_prefix = |around: Directory| {
        around.metadata(&prefix.head).is_ok_and(|meta| meta.is_file())
            || formats::find_head(&around, &prefix.stem).is_some()
    };
    let holds = |directory: Directory| {
        let entries = directory.entries().unwrap_or_default();
        is_saved_model(&directory)
            || formats::find_checkpoints(&directory, &entries).values().any(|files| files.index.is_some())
    };
    match path.is_dir() {
        true => Directory::open(path).is_ok_and(holds),
        false => path.is_file() || around().is_some_and(is_prefix),
    }
}
