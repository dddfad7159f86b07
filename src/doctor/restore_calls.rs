//! The calls that restore a checkpoint, and those that do not, with what TensorFlow says.

use std::collections::HashSet;

use crate::catalog::{Catalog, Kind};
use crate::doctor::file_kind::file_kind;
use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::line::{has_counter, literal, mount};
use crate::doctor::writer::{is_keras_2, root_children};
use crate::graph::NameRole;
use crate::source::Checkpoint;

/// A call that does not restore the checkpoint, with its path left out, and the reason.
type Fail = (&'static str, &'static str);

const SAVED_MODEL: Fail = ("tf.saved_model.load(…)", "it is no SavedModel: it has no program");
const KERAS_3: Fail = ("model.load_weights(…)", "\"File format not supported\" by Keras 3");
const NO_MODEL: Fail =
    ("model.load_weights(…)", "its root is no model: \"Nothing except the root object matched\"");
const SAVER: Fail =
    ("tf.compat.v1.train.Saver().restore(session, …)", "several variables have one full name, or none");
const OBJECTS: Fail = (
    "tf.train.Checkpoint(model=model).restore(…).assert_consumed()",
    "it has no object graph: \"Some objects had attributes which were not restored\"",
);
const ONE_FILE: Fail =
    ("tf.train.Checkpoint(model=model).restore(…)", "it is not in TensorFlow's format; in a mount it is");

/// The maximum number of objects that a call names.
const NAMED: usize = 6;

/// Returns the note about the calls that restore a checkpoint.
pub(super) fn of(checkpoint: &Checkpoint) -> Finding {
    let (work, fail) = match (checkpoint.prefix.is_bundle(), checkpoint.catalog.kind()) {
        (false, _) => of_file(checkpoint),
        (true, Kind::NameBased) => name_based(checkpoint),
        (true, Kind::ObjectBased) => object_based(checkpoint),
    };
    let fail = fail.iter().map(|(call, reason)| format!("{call} ({reason})")).collect::<Vec<_>>().join(", ");
    finding("restore-calls", format!("It is restored by the lines below, and not by {fail}."), work)
}

/// Returns the calls for a checkpoint with an object graph.
fn object_based(checkpoint: &Checkpoint) -> (Vec<Mend>, Vec<Fail>) {
    let (catalog, path) = (&checkpoint.catalog, literal(&checkpoint.prefix.path()));
    let (objects, restore) = (objects(catalog), if has_counter(catalog) { "restore" } else { "read" });
    let mut work = vec![format!("tf.train.Checkpoint({objects}).{restore}({path}).assert_consumed()")];
    let mut fail = Vec::new();
    match (is_keras_2(catalog), is_model(catalog)) {
        (true, true) => work.push(format!("model.load_weights({path})")),
        (true, false) => fail.push(NO_MODEL),
        (false, _) => fail.push(KERAS_3),
    }
    match has_unique_names(catalog) {
        true => work.push(format!("tf.compat.v1.train.Saver().restore(session, {path})")),
        false => fail.push(SAVER),
    }
    fail.push(SAVED_MODEL);
    (work.into_iter().map(Mend::Python).collect(), fail)
}

/// Returns the arguments of `tf.train.Checkpoint`: the root's children, or the model that is the root.
fn objects(catalog: &Catalog) -> String {
    if is_model(catalog) {
        return "model".into();
    }
    let children = root_children(catalog);
    let names = children.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "save_counter");
    let names: Vec<_> = names.collect();
    match names.len() <= NAMED && names.iter().all(|name| is_identifier(name)) {
        true => names.iter().map(|name| format!("{name}={name}")).collect::<Vec<_>>().join(", "),
        false => "**objects".into(),
    }
}

/// Returns true if the root of the graph is a model: it refers to itself, or has a model's layers.
fn is_model(catalog: &Catalog) -> bool {
    let is_layer = |name: &str| name.starts_with("layer_with_weights-");
    root_children(catalog).iter().any(|(name, is_root)| *is_root && name == "root" || is_layer(name))
}

/// Returns true if Python takes a text for the name of an argument.
fn is_identifier(name: &str) -> bool {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_ascii_digit());
    is_name && !KEYWORDS.contains(&name)
}

/// The keywords of Python.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Returns true if every weight has a full name of its own, by which a `Saver` finds it.
fn has_unique_names(catalog: &Catalog) -> bool {
    let Some(graph) = catalog.graph() else { return false };
    let keys: Vec<_> = catalog.variables.iter().map(|variable| variable.key().as_bytes()).collect();
    let mut weights = catalog.variables.iter().zip(graph.roles(&keys));
    let mut names = HashSet::new();
    weights.all(|(variable, known)| {
        let is_weight = known.role == NameRole::Variable && !known.optimizer_state;
        !is_weight || variable.full_name.as_ref().is_some_and(|name| names.insert(name.clone()))
    })
}

/// Returns the calls for a checkpoint of a `Saver`.
fn name_based(checkpoint: &Checkpoint) -> (Vec<Mend>, Vec<Fail>) {
    let prefix = checkpoint.prefix.path();
    let work = vec![
        Mend::Python(format!("tf.compat.v1.train.Saver().restore(session, {})", literal(&prefix))),
        Mend::Advice("for tf.train.Checkpoint, mount it with an object graph:".into()),
        mount(&prefix, "--target object"),
    ];
    (work, vec![OBJECTS, KERAS_3, SAVED_MODEL])
}

/// Returns the calls for a checkpoint in another format.
fn of_file(checkpoint: &Checkpoint) -> (Vec<Mend>, Vec<Fail>) {
    let path = checkpoint.prefix.index();
    match file_kind(&checkpoint.prefix).map(|kind| kind.call) {
        None => name_based(checkpoint),
        Some(Some((start, end))) => {
            (vec![Mend::Python(format!("{start}{}{end}", literal(&path)))], vec![ONE_FILE, SAVED_MODEL])
        }
        Some(None) => (vec![mount(&path, "")], vec![ONE_FILE, SAVED_MODEL]),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source;

    /// Returns the lines that restore a fixture, and the text about those that do not.
    fn calls(fixture: &str) -> (String, String) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
        let note = of(&source::open(&path).unwrap());
        let lines = note.mends.iter().filter_map(|mend| match mend {
            Mend::Python(line) => {
                Some(line.replace(env!("CARGO_MANIFEST_DIR"), "").replace("/tests/fixtures/", ""))
            }
            _ => None,
        });
        (lines.collect::<Vec<_>>().join("\n"), note.evidence)
    }

    #[test]
    fn the_calls_are_those_of_the_writer() {
        let (work, fail) = calls("tf-2.21/object_keras3");
        assert!(work.starts_with("tf.train.Checkpoint("), "{work}");
        assert!(work.contains(").restore('tf-2.21/object_keras3/ckpt-9').assert_consumed()"), "{work}");
        assert!(
            fail.contains("not by model.load_weights(…) (\"File format not supported\" by Keras 3)"),
            "{fail}"
        );
        let (work, _) = calls("tf_keras-2.21/weights_only/model.h5");
        assert_eq!(work, "model.load_weights('tf_keras-2.21/weights_only/model.h5')");
        let (work, fail) = calls("tf-2.21/tf1_adam");
        assert_eq!(work, "tf.compat.v1.train.Saver().restore(session, 'tf-2.21/tf1_adam/ckpt-9')");
        assert!(fail.contains("it has no object graph"), "{fail}");
        let (work, fail) = calls("keras-3.15/functional/model.weights.h5");
        assert_eq!(work, "model.load_weights('keras-3.15/functional/model.weights.h5')");
        assert!(fail.contains("in a mount it is"), "{fail}");
    }

    #[test]
    fn names_that_python_does_not_take_become_keywords_of_a_dict() {
        assert!(is_identifier("model") && is_identifier("_a1"));
        for name in ["", "1a", "layer-0", "class", "a b", "größe"] {
            assert!(!is_identifier(name), "{name}");
        }
    }
}
