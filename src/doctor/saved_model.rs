//! The examination of a SavedModel: its variables are a checkpoint, and its program has its own loader.

use std::path::Path;
use std::sync::Arc;

use crate::directory::Directory;
use crate::doctor::finding::{Finding, Mend};
use crate::doctor::line::literal;
use crate::doctor::path::unresolved;
use crate::doctor::{Watch, checkpoint};
use crate::source;

/// Examines a SavedModel.
pub(super) fn examine(directory: &Arc<Directory>, watch: Option<Watch>) -> Vec<Finding> {
    let dir = directory.path();
    let mut findings = match source::candidates(&dir.join("")) {
        Ok(candidates) => checkpoint(&candidates.located[0], watch),
        Err(error) => return unresolved(dir, error),
    };
    for finding in findings.iter_mut().filter(|finding| finding.id == "restore-calls") {
        let load = Mend::Python(format!("tf.saved_model.load({})", literal(dir)));
        finding.mends = vec![load];
        finding.evidence = calls(dir);
    }
    findings
}

/// Returns the calls that do not restore a SavedModel.
fn calls(dir: &Path) -> String {
    let path = literal(dir);
    format!(
        "It is restored by the line below, and not by tf.train.Checkpoint(model=model).restore({path}) (its root is the \
         model itself: nothing matches, without a word), keras.saving.load_model({path}) (\"File format not supported\" \
         by Keras 3)."
    )
}
