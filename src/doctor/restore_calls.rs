//! The calls that restore a checkpoint, and those that do not, with what TensorFlow says.

use std::collections::HashSet;

use crate::catalog::{Catalog, Kind};
use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::line::{has_counter, literal, mount};
use crate::doctor::writer::{WRITERS, root_children, writer};
use crate::graph::NameRole;
use crate::source::Checkpoint;

/// The maximum number of objects that a call names.
const OBJECTS: usize = 6;

/// The calls of a checkpoint.
#[derive(Default)]
struct Calls {
    /// The lines that restore it.
    work: Vec<Mend>,
    /// The lines that do not, each with the reason.
    fail: Vec<(String, String)>,
}

/// A file format that one program loads by the file's name.
struct Loader {
    suffix: &'static str,
    call: fn(&str) -> String,
}

const LOADERS: &[Loader] = &[
    Loader { suffix: ".weights.h5", call: |path| format!("model.load_weights({path})") },
    Loader { suffix: ".h5", call: |path| format!("model.load_weights({path}, by_name=True)") },
    Loader { suffix: ".hdf5", call: |path| format!("model.load_weights({path}, by_name=True)") },
    Loader { suffix: ".keras", call: |path| format!("model = keras.saving.load_model({path})") },
    Loader { suffix: ".safetensors", call: |path| format!("safetensors.numpy.load_file({path})") },
];

/// Returns the note about the calls that restore a checkpoint.
pub(super) fn of(checkpoint: &Checkpoint) -> Finding {
    let calls = match (checkpoint.prefix.is_bundle(), checkpoint.catalog.kind()) {
        (false, _) => of_file(checkpoint),
        (true, Kind::NameBased) => name_based(checkpoint),
        (true, Kind::ObjectBased) => object_based(checkpoint),
    };
    let fails = calls.fail.iter().map(|(call, reason)| format!("{call} ({reason})"));
    let fails = fails.collect::<Vec<_>>().join(", ");
    finding("restore-calls", format!("It is restored by the lines below, and not by {fails}."), calls.work)
}

fn python(line: String) -> Mend {
    Mend::Python(line)
}

/// Returns the calls for a checkpoint with an object graph.
fn object_based(checkpoint: &Checkpoint) -> Calls {
    let (catalog, path) = (&checkpoint.catalog, literal(&checkpoint.prefix.path()));
    let mut calls = Calls::default();
    let objects = objects(catalog);
    calls.work.push(python(match has_counter(catalog) {
        true => format!("tf.train.Checkpoint({objects}).restore({path}).assert_consumed()"),
        false => format!("tf.train.Checkpoint({objects}).read({path}).assert_consumed()"),
    }));
    let is_keras_2 = writer(catalog) == WRITERS.last();
    let load = format!("model.load_weights({path})");
    match is_keras_2 && is_model(catalog) {
        true => calls.work.push(python(load)),
        false if is_keras_2 => {
            calls
                .fail
                .push((load, "its root is no model: \"Nothing except the root object matched\"".into()));
        }
        false => calls.fail.push((load, "\"File format not supported\" by Keras 3".into())),
    }
    calls
        .fail
        .push((format!("tf.saved_model.load({path})"), "it is no SavedModel: it has no program".into()));
    match has_unique_names(catalog) {
        true => calls.work.push(python(format!("tf.compat.v1.train.Saver().restore(session, {path})"))),
        false => calls.fail.push((
            format!("tf.compat.v1.train.Saver().restore(session, {path})"),
            "several variables have one full name".into(),
        )),
    }
    calls
}

/// Returns the arguments of `tf.train.Checkpoint`: the root's children, or the model that is the root.
fn objects(catalog: &Catalog) -> String {
    let children = root_children(catalog);
    if is_model(catalog) {
        return "model".into();
    }
    let names: Vec<_> =
        children.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "save_counter").collect();
    match names.len() <= OBJECTS && names.iter().all(|name| is_identifier(name)) {
        true => names.iter().map(|name| format!("{name}={name}")).collect::<Vec<_>>().join(", "),
        false => "**objects".into(),
    }
}

/// Returns true if the root of the graph is a model: it refers to itself, or has a model's layers.
fn is_model(catalog: &Catalog) -> bool {
    let is_layer = |name: &str| name.starts_with("layer_with_weights-");
    root_children(catalog).iter().any(|(name, is_root)| *is_root && name == "root" || is_layer(name))
}

fn is_identifier(name: &str) -> bool {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_start)
        && name.chars().all(|c| is_start(c) || c.is_ascii_digit())
        && !KEYWORDS.contains(&name)
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
    let weights = catalog.variables.iter().zip(graph.roles(&keys));
    let weights = weights.filter(|(_, known)| known.role == NameRole::Variable && !known.optimizer_state);
    let mut names = HashSet::new();
    weights
        .into_iter()
        .all(|(variable, _)| variable.full_name.as_ref().is_some_and(|name| names.insert(name.clone())))
}

/// Returns the calls for a checkpoint of a `Saver`.
fn name_based(checkpoint: &Checkpoint) -> Calls {
    let prefix = checkpoint.prefix.path();
    let path = literal(&prefix);
    Calls {
        work: vec![
            python(format!("tf.compat.v1.train.Saver().restore(session, {path})")),
            Mend::Advice("for tf.train.Checkpoint, mount it with an object graph:".into()),
            mount(&prefix, "--target object"),
        ],
        fail: vec![
            (
                format!("tf.train.Checkpoint(model=model).restore({path}).assert_consumed()"),
                "\"Some objects had attributes which were not restored\"".into(),
            ),
            (format!("model.load_weights({path})"), "\"File format not supported\" by Keras 3".into()),
            (format!("tf.saved_model.load({path})"), "it is no SavedModel: it has no program".into()),
        ],
    }
}

/// Returns the calls for a checkpoint in another format.
fn of_file(checkpoint: &Checkpoint) -> Calls {
    let head = checkpoint.prefix.index();
    let path = literal(&head);
    let loader =
        LOADERS.iter().find(|loader| head.as_os_str().as_encoded_bytes().ends_with(loader.suffix.as_bytes()));
    match loader {
        Some(loader) => Calls {
            work: vec![python((loader.call)(&path))],
            fail: vec![(
                format!("tf.train.Checkpoint(model=model).restore({path})"),
                "it is not in TensorFlow's format; a mount shows it in that too".into(),
            )],
        },
        None => name_based(checkpoint),
    }
}
