//! The examinations around a checkpoint: what is wrong with the path, the files and the values, and what mends it.
//!
//! ```text
//! path ─► path.rs          what the path should have been        ─┐
//!      ─► pattern.rs       characters that are a pattern          │
//!      ─► rights.rs        the rights on the way and on files      │
//!      ─► state.rs         the state file `checkpoint`             ├─► Finding { id, severity, evidence, mends }
//!      ─► files.rs         files that are not whole ─► repair.rs   │
//!      ─► contents.rs      what is in it                           │
//!      ─► restore_calls.rs how to restore it                       │
//!      ─► values.rs        the values, if they are asked for      ─┘
//! ```
//!
//! Nothing here prints or writes. A command in a finding was tried in memory before, or it only looks.

mod checksum;
mod contents;
mod directory;
mod file_kind;
mod files;
mod finding;
mod kinds;
mod line;
mod mounted;
mod newest;
mod path;
mod pattern;
mod repair;
mod restore_calls;
mod rights;
mod saved_model;
mod state;
mod steps;
#[cfg(test)]
mod tests;
mod values;
mod writer;

use std::path::Path;

pub(crate) use checksum::{ChecksumOwner, variable_with_checksum};
pub(crate) use finding::{Finding, Mend};
pub(crate) use kinds::Severity;

use crate::source;
use crate::source::{Located, Resolved};

/// The progress of reading values.
pub(crate) enum Progress {
    /// The number of bytes that will be read, in addition to those before.
    More(u64),
    /// The number of bytes that were read.
    Read(u64),
}

/// A function that is told about the progress.
pub(crate) type Watch<'a> = &'a (dyn Fn(Progress) + Sync);

/// Examines a path, as it is given to a program or stands in an error message. `data` says that all values are read.
/// The findings are sorted by severity, the notes last.
pub(crate) fn examine(path: &Path, data: bool) -> Vec<Finding> {
    let silent = |_: Progress| {};
    examine_watched(path, data.then_some(&silent))
}

/// Like [`examine`], but reads all values only if a function is given that is told about the progress.
pub(crate) fn examine_watched(path: &Path, watch: Option<Watch>) -> Vec<Finding> {
    if let Some(obstacle) = rights::on_the_way(path) {
        return vec![obstacle];
    }
    let resolved = source::resolve(path);
    let pattern = pattern::examine(path).filter(|_| resolved.is_ok());
    let mut findings: Vec<_> = mounted::examine(path).into_iter().chain(pattern).collect();
    findings.extend(match resolved {
        Ok(Resolved::Checkpoint(located)) => {
            path::file_of_checkpoint(path, &located).into_iter().chain(checkpoint(&located, watch)).collect()
        }
        Ok(Resolved::SavedModel(directory)) => saved_model::examine(&directory, watch),
        Ok(Resolved::Directory(directory)) => directory::examine(&directory, watch),
        Err(error) => path::unresolved(path, error),
    });
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Examines one checkpoint.
fn checkpoint(located: &Located, watch: Option<Watch>) -> Vec<Finding> {
    match files::open(located) {
        Err(faults) => faults,
        Ok(checkpoint) => {
            let contents = contents::examine(&checkpoint);
            contents.into_iter().chain(values::examine(located, &checkpoint, watch)).collect()
        }
    }
}
