//! The examination of rights: the components of the path, and the files of a checkpoint.

use std::path::Path;

use crate::doctor::finding::{Finding, Mend, finding};
use crate::source;
use crate::source::Obstacle;

/// TensorFlow's words for a directory that it may not use.
const NO_FILES: &str = "TensorFlow calls that \"Failed to find any matching files\"";
/// TensorFlow's words for a file that it may not read.
const DENIED: &str = "TensorFlow calls that \"Permission denied\"";

/// The difference between TensorFlow and ckptfs for a directory that may be searched and not listed.
const LISTED: &str = "TensorFlow restores from it by a prefix; ckptfs lists it and cannot";

/// Examines the components of a path, and the file itself if it is one.
pub(super) fn on_the_way(path: &Path) -> Option<Finding> {
    source::obstacle(path).map(|obstacle| of(&obstacle))
}

/// Returns the finding about something that may not be used.
pub(super) fn of(obstacle: &Obstacle) -> Finding {
    let (id, words) = match (obstacle.is_directory, obstacle.is_listing()) {
        (_, true) => ("not-listable", LISTED),
        (true, false) => ("not-searchable", NO_FILES),
        (false, false) => ("not-readable", DENIED),
    };
    let ask = match obstacle.is_own() {
        true => Vec::new(),
        false => vec![Mend::Advice(format!("ask {} to run this:", obstacle.owner()))],
    };
    let mends = ask.into_iter().chain([Mend::Command(obstacle.command())]).collect();
    finding(id, format!("{obstacle}. {words}."), mends)
}
