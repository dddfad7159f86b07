//! The examination of a SavedModel: its variables are a checkpoint, and its program has its own loader.

use std::sync::Arc;

use crate::directory::Directory;
use crate::doctor::finding::{Finding, Mend};
use crate::doctor::line::literal;
use crate::doctor::path::unresolved;
use crate::doctor::writer::is_keras_2;
use crate::doctor::{Watch, checkpoint};
use crate::source;

/// The calls that do not restore a SavedModel.
const CALLS: &str = "It is restored by the lines below, and not by tf.train.Checkpoint(model=model).restore(…) (its root is \
                     the model itself: nothing matches, without a word), keras.saving.load_model(…) (\"File format not \
                     supported\" by Keras 3).";

/// Examines a SavedModel.
pub(super) fn examine(directory: &Arc<Directory>, watch: Option<Watch>) -> Vec<Finding> {
    let dir = directory.path();
    let located = match source::candidates(&dir.join("")) {
        Ok(mut candidates) => candidates.located.swap_remove(0),
        Err(error) => return unresolved(dir, error),
    };
    let path = literal(dir);
    let weights = source::open_located(&located).is_ok_and(|checkpoint| is_keras_2(&checkpoint.catalog));
    let weights = weights.then(|| Mend::Python(format!("model.load_weights({path})")));
    let load = Mend::Python(format!("loaded = tf.saved_model.load({path})"));
    let mends: Vec<_> = [load].into_iter().chain(weights).collect();
    let mut findings = checkpoint(&located, watch);
    for finding in findings.iter_mut().filter(|finding| finding.id == "restore-calls") {
        (finding.evidence, finding.mends) = (CALLS.into(), mends.clone());
    }
    findings
}
