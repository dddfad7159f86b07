//! The examination of what is in a checkpoint: its kind, who wrote it, its optimizer, and if there are weights at all.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Kind};
use crate::doctor::file_kind::file_kind;
use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::line::literal;
use crate::doctor::restore_calls;
use crate::doctor::writer::writer;
use crate::map::diagnostic::counted;
use crate::name::printable;
use crate::source::{Checkpoint, shown};
use crate::transform::like::problem::no_weights;
use crate::transform::like::role::roles;

/// Examines what is in a checkpoint that is whole.
pub(super) fn examine(checkpoint: &Checkpoint) -> Vec<Finding> {
    match bare(checkpoint) {
        Some(bare) => vec![bare],
        None => {
            let notes = [contents(checkpoint), restore_calls::of(checkpoint)];
            notes.into_iter().chain(averages(&checkpoint.catalog)).collect()
        }
    }
}

/// Returns the finding about a checkpoint without weights.
fn bare(checkpoint: &Checkpoint) -> Option<Finding> {
    let said = no_weights(&checkpoint.catalog)?;
    let (what, advice) = said.split_once("\n  help: ").unwrap_or((&said, ""));
    let prefix = checkpoint.prefix.path();
    let mut weights = prefix.clone().into_os_string();
    weights.push(".weights.h5");
    let save = Mend::Python(format!("model.save_weights({})", literal(weights.as_ref())));
    Some(finding(
        "no-weights",
        format!("{}: {what}", shown(&prefix)),
        vec![Mend::Advice(advice.into()), save],
    ))
}

/// Returns the note about a checkpoint's kind, writer, size and optimizer.
fn contents(checkpoint: &Checkpoint) -> Finding {
    let catalog = &checkpoint.catalog;
    let file = file_kind(&checkpoint.prefix);
    let kind = match (file, checkpoint.prefix.is_bundle(), catalog.kind()) {
        (_, true, Kind::ObjectBased) => "object-based (tf.train.Checkpoint)",
        (_, true, Kind::NameBased) => "name-based (a Saver of TensorFlow 1)",
        (Some(file), ..) => file.name,
        (None, ..) => "name-based (TensorFlow 1, the format before V2)",
    };
    let path = if file.is_some() { checkpoint.prefix.index() } else { checkpoint.prefix.path() };
    let by = writer(catalog).map(|writer| format!(", written by {}", writer.name)).unwrap_or_default();
    let optimizer = optimizers(catalog);
    let optimizer =
        if optimizer.is_empty() { String::new() } else { format!(", optimizer {}", optimizer.join(" and ")) };
    let evidence = format!(
        "{}: {kind}{by}, {}, {} bytes{optimizer}. Its files are whole.",
        shown(&path),
        counted(catalog.variables.len(), "variable"),
        catalog.len()
    );
    finding("contents", evidence, Vec::new())
}

/// The list of averages that an optimizer of Keras has with `use_ema=True`.
const AVERAGES: &str = "_model_variables_moving_average";

/// Returns the note about averages that an optimizer of Keras keeps.
fn averages(catalog: &Catalog) -> Option<Finding> {
    let nodes = &catalog.graph()?.objects().nodes;
    let mut children = nodes.iter().flat_map(|node| &node.children);
    let list = children.find(|child| child.local_name.as_str() == AVERAGES)?;
    let count = nodes.get(list.node).map_or(0, |list| list.children.len());
    let evidence = format!(
        "The optimizer keeps averages of {} (use_ema=True). A restore gives the weights themselves, not the averages. The line \
         below puts the averages into the model, after an optimizer with use_ema=True was restored too.",
        counted(count, "variable")
    );
    let line = "optimizer.finalize_variable_values(model.trainable_variables)";
    (count > 0).then(|| finding("averages", evidence, vec![Mend::Python(line.into())]))
}

/// Returns the optimizers whose state is in a checkpoint: their classes, or the names of their values.
fn optimizers(catalog: &Catalog) -> Vec<String> {
    let roles = roles(catalog);
    let states: Vec<_> = roles.iter().filter_map(|role| role.state()).collect();
    let classes: BTreeSet<_> = states.iter().filter_map(|state| state.optimizer.clone()).collect();
    let slots = states.iter().filter(|state| state.of.is_some()).filter_map(|state| state.name.clone());
    let slots: BTreeSet<_> = slots.collect();
    match (classes.is_empty(), slots.is_empty()) {
        (false, _) => classes.iter().map(|class| printable(class.as_bytes())).collect(),
        (true, false) => {
            let slots: Vec<_> = slots.iter().map(|slot| printable(slot.as_bytes())).collect();
            vec![format!("with the slots {}", slots.join(", "))]
        }
        (true, true) => Vec::new(),
    }
}
