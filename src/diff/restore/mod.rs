//! The restore by TensorFlow, without ckptfs: the variable of HAVE that each wanted variable takes, and the errors.
//!
//! | API | a wanted variable takes | without a word |
//! |---|---|---|
//! | `tf.compat.v1.train.Saver` | the value of the equal key | a resource variable takes another shape |
//! | `tf.train.Checkpoint` | the value at the end of equal edges, whatever it is called | what is not there stays (`expect_partial()`) |
//! | `Model.load_weights` | the value of the equal path | what does not fit stays (`skip_mismatch=True`) |

mod keras;
mod saver;
mod walk;

use std::collections::HashMap;

use crate::catalog::{Catalog, H5Layout, Variable};
use crate::graph::Graph;
use crate::transform::like::candidates::Checkpoint;

/// The API of TensorFlow that restores HAVE into the program of WANT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// `tf.compat.v1.train.Saver`.
    Saver,
    /// `tf.train.Checkpoint`.
    Checkpoint,
    /// `Model.load_weights` of a file `.weights.h5`.
    Keras,
}

/// The words about an API.
pub(crate) struct Words {
    /// The call.
    pub(crate) call: &'static str,
    /// The condition under which it says nothing about a missing value.
    pub(crate) leniency: &'static str,
}

impl Api {
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::Saver => &Words { call: "tf.compat.v1.train.Saver", leniency: "" },
            Self::Checkpoint => &Words { call: "tf.train.Checkpoint", leniency: "under expect_partial()" },
            Self::Keras => &Words { call: "Model.load_weights", leniency: "under skip_mismatch=True" },
        }
    }
}

/// The effect of a restore on a wanted variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It takes the value of a variable of HAVE.
    Takes(usize),
    /// It stays as it was initialized.
    Stays,
    /// The restore stops with an error, because of a value of HAVE or the lack of one.
    Stops(Stop),
}

/// The error of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The key is not there.
    NoKey,
    /// The value has another shape.
    Shape(usize),
    /// The value has another dtype.
    Dtype(usize),
}

/// The restore of HAVE into the program of WANT.
#[derive(Clone, Debug)]
pub(crate) struct Restore {
    pub(crate) api: Api,
    /// The effect on each wanted variable.
    pub(crate) effects: Vec<Effect>,
    /// True if every value of HAVE is taken, so that `assert_consumed()` has nothing against it.
    pub(crate) is_consumed: bool,
}

impl Restore {
    /// Models the restore. Returns `None` if no API of TensorFlow restores the one into the other.
    pub(crate) fn new(have: &Checkpoint<'_>, want: &Checkpoint<'_>) -> Option<Self> {
        let takes = match api(have.catalog, want.catalog)? {
            Api::Keras => return Some(keras::restore(have, want)),
            Api::Saver => return Some(saver::restore(have, want)),
            Api::Checkpoint => match (have.catalog.graph(), want.catalog.graph()) {
                (Some(old), Some(new)) => walk::takes((old, have.catalog), (new, want.catalog)),
                (None, Some(new)) => by_full_name(have.catalog, (want.catalog, new)),
                _ => by_path(have, want),
            },
        };
        let mut is_taken = vec![false; have.names.len()];
        takes.iter().flatten().for_each(|at| is_taken[*at] = true);
        let effect = |(at, source): (usize, Option<usize>)| match source {
            Some(source) => take((have, source), (want, at)),
            None => Effect::Stays,
        };
        let effects: Vec<_> = takes.into_iter().enumerate().map(effect).collect();
        let is_consumed = is_taken.iter().all(|taken| *taken) && !effects.contains(&Effect::Stays);
        Some(Self { api: Api::Checkpoint, effects, is_consumed })
    }

    /// Returns the wanted variables at which the restore stops with an error.
    pub(crate) fn stops(&self) -> impl Iterator<Item = (usize, Stop)> {
        self.effects.iter().enumerate().filter_map(|(at, effect)| match effect {
            Effect::Stops(stop) => Some((at, *stop)),
            _ => None,
        })
    }
}

/// Returns the effect of a value on a variable, if the value must have its dtype and shape.
fn take((have, source): (&Checkpoint<'_>, usize), (want, at): (&Checkpoint<'_>, usize)) -> Effect {
    let dtype = |side: &Checkpoint<'_>, at: usize| side.catalog.variables[at].tensor.dtype;
    if dtype(have, source) != dtype(want, at) {
        Effect::Stops(Stop::Dtype(source))
    } else if have.shapes[source] != want.shapes[at] {
        Effect::Stops(Stop::Shape(source))
    } else {
        Effect::Takes(source)
    }
}

/// Returns the API that reads HAVE and that the program of WANT uses.
fn api(have: &Catalog, want: &Catalog) -> Option<Api> {
    let is_h5 = |catalog: &Catalog| catalog.native.is_some() && catalog.h5_layout == H5Layout::Keras3;
    if want.objects.is_some() {
        let can_read = have.native.is_none() && have.graph().is_some() == have.objects.is_some();
        return (can_read && want.graph().is_some()).then_some(Api::Checkpoint);
    }
    let is_file = want.native.is_some() || keras::has_layers(want);
    match (have.native.is_some(), is_file) {
        (true, true) if is_h5(have) && keras::has_layers(have) && keras::has_layers(want) => Some(Api::Keras),
        (false, false) if is_list_of_paths(have, want) => Some(Api::Checkpoint),
        (false, false) => Some(Api::Saver),
        _ => None,
    }
}

/// Returns true if HAVE has an object graph and more of the wanted names are its own names than full names in it: a table
/// of paths.
fn is_list_of_paths(have: &Catalog, want: &Catalog) -> bool {
    let is_own =
        |name: &[u8]| have.variable(name).is_some_and(|own| own.full_name.as_ref() != Some(&own.name));
    let full_names = full_names(have);
    let count = |is: &dyn Fn(&[u8]) -> bool| {
        want.variables.iter().filter(|variable| is(variable.name.as_bytes())).count()
    };
    have.objects.is_some() && count(&is_own) > count(&|name| full_names.contains_key(name))
}

/// Returns the variables of a catalog by full name.
fn full_names(catalog: &Catalog) -> HashMap<&[u8], usize> {
    let named = catalog.variables.iter().enumerate();
    named.filter_map(|(at, variable)| Some((variable.full_name.as_ref()?.as_bytes(), at))).collect()
}

/// Edges that only objects of Keras 3 have.
const KERAS_3: &[&str] = &["_functional", "_operations", "_trainable_variables", "_kernel"];

/// Returns the values that objects take from a name-based checkpoint: those of their full names. Variables of Keras 3 take
/// none, because they have no saver that takes a name.
fn by_full_name(have: &Catalog, (want, graph): (&Catalog, &Graph)) -> Vec<Option<usize>> {
    let mut edges = graph.objects().nodes.iter().flat_map(|node| &node.children);
    if edges.any(|edge| KERAS_3.contains(&edge.local_name.as_str())) {
        return vec![None; want.variables.len()];
    }
    let keys: HashMap<_, _> = keys(have).collect();
    let one =
        |variable: &Variable| variable.full_name.as_ref().and_then(|name| keys.get(name.as_bytes()).copied());
    want.variables.iter().map(one).collect()
}

/// Returns the values that a list of paths takes from a graph.
fn by_path(have: &Checkpoint<'_>, want: &Checkpoint<'_>) -> Vec<Option<usize>> {
    let all = have.names.iter().enumerate();
    let paths: HashMap<&[u8], usize> =
        all.flat_map(|(at, names)| names.paths.iter().map(move |path| (path.as_slice(), at))).collect();
    want.catalog.variables.iter().map(|variable| paths.get(variable.name.as_bytes()).copied()).collect()
}

/// Returns the keys of a catalog, each with its variable.
fn keys(catalog: &Catalog) -> impl Iterator<Item = (&[u8], usize)> {
    let all = catalog.variables.iter().enumerate();
    all.flat_map(|(at, variable)| {
        [Some(variable.key()), variable.plain_key.as_ref()]
            .into_iter()
            .flatten()
            .map(move |key| (key.as_bytes(), at))
    })
}
