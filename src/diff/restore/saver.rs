//! The restore by `tf.compat.v1.train.Saver`: by equal key. If a key is not there and the checkpoint has an object graph, the
//! Saver takes the full names in it. Any key that is not there is an error, before anything is assigned. Another dtype is one
//! too. Another shape is an error only for a variable that is not a resource: TensorFlow before 1.13, or a Session that asked
//! for one.

use std::collections::HashMap;

use crate::diff::restore::{Api, Effect, Restore, Stop, full_names, keys};
use crate::transform::like::candidates::Checkpoint;

pub(super) fn restore(have: &Checkpoint<'_>, want: &Checkpoint<'_>) -> Restore {
    let keys: HashMap<&[u8], usize> = keys(have.catalog).collect();
    let wanted = || want.catalog.variables.iter().map(|variable| variable.name.as_bytes());
    let by_key = have.catalog.graph().is_none() || wanted().all(|name| keys.contains_key(name));
    let names = if by_key { keys } else { full_names(have.catalog) };
    let effect = |(at, name): (usize, &[u8])| match names.get(name) {
        None => Effect::Stops(Stop::NoKey),
        Some(&source) => match super::take((have, source), (want, at)) {
            // Model the silent case: the variable is a resource.
            Effect::Stops(Stop::Shape(source)) => Effect::Takes(source),
            effect => effect,
        },
    };
    Restore { api: Api::Saver, effects: wanted().enumerate().map(effect).collect(), is_consumed: false }
}
