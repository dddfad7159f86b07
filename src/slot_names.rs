//! Slots in name-based checkpoints: variables that belong to another variable, recognized by their names.
//!
//! The forms of the names:
//! * TF1 optimizers (`slot_creator.create_slot`) name a slot `X/<optimizer's name>`, with a number if there are
//!   several: `X/Adam`, `X/Adam_1`. `tf.train.ExponentialMovingAverage` (`X/ExponentialMovingAverage`) and contrib's
//!   optimizers do the same.
//! * Models with their own optimizers: BERT, XLNet (`X/adam_m`), ALBERT (`X/lamb_m`), Mesh TensorFlow and T5
//!   (`X_slot_vr`).
//! * Zero-debiased averages keep `X/biased` and `X/local_step`.
//! * Keras' OptimizerV2, saved by name, adds its own name as a prefix: `training/Adam/X/m`.
//! * Object-based checkpoints: `X/.OPTIMIZER_SLOT/<optimizer>/<slot>`.
//!
//! A name of such a form is a slot only if X exists too. Averages are not optimizer state: they are weights that a
//! user may want to keep without the optimizer, so `--drop-optimizer` keeps them.

use std::collections::HashMap;
use std::ops::Range;

/// The purpose of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VariableRole {
    Optimizer,
    Average,
}
use VariableRole::{Average, Optimizer};

/// Suffixes after the variable's name. A number (`_1`) may follow.
#[rustfmt::skip]
const SUFFIXES: &[(&str, VariableRole)] = &[
    ("/Adam", Optimizer), ("/AdamW", Optimizer), ("/AdaMax", Optimizer), ("/Nadam", Optimizer), ("/LazyAdam", Optimizer),
    ("/Adagrad", Optimizer), ("/AdagradDA", Optimizer), ("/ProximalAdagrad", Optimizer),
    ("/Adadelta", Optimizer), ("/Adafactor", Optimizer), ("/AdafactorOptimizer", Optimizer),
    ("/Momentum", Optimizer), ("/MomentumW", Optimizer), ("/RMSProp", Optimizer), ("/RMSprop", Optimizer),
    ("/Ftrl", Optimizer), ("/LARSOptimizer", Optimizer), ("/LAMBOptimizer", Optimizer), ("/LAMB", Optimizer),
    ("/AddSign", Optimizer), ("/PowerSign", Optimizer), ("/Shampoo", Optimizer),
    ("/AdamWeightDecayOptimizer", Optimizer),
    ("/adam_m", Optimizer), ("/adam_v", Optimizer), ("/lamb_m", Optimizer), ("/lamb_v", Optimizer),
    ("_slot_m", Optimizer), ("_slot_v", Optimizer), ("_slot_vr", Optimizer), ("_slot_vc", Optimizer),
    ("/ExponentialMovingAverage", Average), ("/biased", Average), ("/local_step", Average),
];

/// TF1 suffixes after the variable's name, each with the optimizer and its slots in the order of their numbers. The
/// names are those of `tf.keras.optimizers.legacy` and TensorFlow Addons.
#[rustfmt::skip]
const TF2_SLOTS: &[(&str, &str, &[&str])] = &[
    ("/Adam", "Adam", MV), ("/AdamW", "AdamW", MV), ("/LazyAdam", "LazyAdam", MV), ("/AdaMax", "AdaMax", MV), ("/Nadam", "Nadam", MV),
    ("/adam_m", "adam", &["m"]), ("/adam_v", "adam", &["v"]),
    ("/LAMB", "LAMB", MV), ("/LAMBOptimizer", "LAMB", MV), ("/lamb_m", "lamb", &["m"]), ("/lamb_v", "lamb", &["v"]),
    ("/Momentum", "Momentum", &["momentum"]), ("/Adagrad", "Adagrad", &["accumulator"]),
    ("/Ftrl", "Ftrl", &["accumulator", "linear"]), ("/RMSProp", "RMSProp", RMS),
];
const MV: &[&str] = &["m", "v"];
const RMS: &[&str] = &["rms", "momentum"];
const CENTERED_RMS: &[&str] = &["rms", "mg", "momentum"];

/// The separator between a variable and its slot in an object-based checkpoint.
const OBJECT_SLOT: &str = "/.OPTIMIZER_SLOT/";

/// The names of Keras' optimizers. A number may follow.
const KERAS_OPTIMIZERS: &[&str] =
    &["Adam", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl"];
/// The suffixes that Keras' optimizers add to a variable's name. Their own name is a prefix.
#[rustfmt::skip]
const KERAS_SLOTS: &[&str] = &["m", "v", "vhat", "momentum", "rms", "mg", "accumulator", "accum_grad", "accum_var", "linear"];
/// The names of Keras optimizers' own numbers.
#[rustfmt::skip]
const KERAS_NUMBERS: &[&str] = &[
    "iter", "beta", "beta_1", "beta_2", "decay", "learning_rate", "learning_rate_power", "momentum", "momentum_cache", "rho",
    "l1_regularization_strength", "l2_regularization_strength",
];
/// The names of TF1 optimizers' own numbers, in any scope. A number may follow.
const TF1_NUMBERS: &[&str] = &["beta1_power", "beta2_power"];

/// A variable that belongs to another variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The variable that it belongs to, as an index into the names.
    pub(crate) of: usize,
    /// The range of that variable's name in the slot's own name.
    at: Range<usize>,
    pub(crate) role: VariableRole,
}

impl Slot {
    /// Returns the slot's name after a rename of its variable to `variable`.
    pub(crate) fn renamed(&self, name: &[u8], variable: &[u8]) -> Vec<u8> {
        [&name[..self.at.start], variable, &name[self.at.end..]].concat()
    }

    /// Returns the parts of the slot's name before and after its variable's name.
    pub(crate) fn around<'n>(&self, name: &'n [u8]) -> (&'n [u8], &'n [u8]) {
        (&name[..self.at.start], &name[self.at.end..])
    }
}

/// Returns, for each name, the slot that it is. `None` if it is not a slot.
pub(crate) fn slots(names: &[&[u8]]) -> Vec<Option<Slot>> {
    let known: HashMap<&[u8], usize> = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    names.iter().map(|name| slot(name, &known)).collect()
}

/// Returns the optimizer and the slot's name in TF2, where slots have names instead of TF1's numbers. `None` if they
/// cannot be determined. `exists` returns true if a name is in the checkpoint.
pub(crate) fn in_tf2<'a>(
    name: &'a [u8],
    variable: &[u8],
    exists: impl Fn(&[u8]) -> bool,
) -> Option<(&'a str, &'a str)> {
    of_tf1(name, variable, exists).or_else(|| of_keras(name, variable))
}

/// Parses `X/Adam_1`: the optimizer, and a number if it has several slots.
fn of_tf1(
    name: &[u8],
    variable: &[u8],
    exists: impl Fn(&[u8]) -> bool,
) -> Option<(&'static str, &'static str)> {
    let suffix = name.strip_prefix(variable)?;
    let plain = without_number(suffix);
    let number: usize = match suffix.len() - plain.len() {
        0 => 0,
        _ => str::from_utf8(&suffix[plain.len() + 1..]).ok()?.parse().ok()?,
    };
    let (_, optimizer, slots) = TF2_SLOTS.iter().find(|(known, ..)| known.as_bytes() == plain)?;
    // A centered RMSProp has its mean gradient between the other two.
    let centered = *slots == RMS && exists(&[variable, plain, b"_2"].concat());
    let slots = if centered { CENTERED_RMS } else { slots };
    Some((optimizer, slots.get(number)?))
}

/// Parses `training/Adam/X/m`: Keras names its slots the same way in TF1 and TF2.
fn of_keras<'a>(name: &'a [u8], variable: &[u8]) -> Option<(&'a str, &'a str)> {
    let (above, slot) = split_leaf(name);
    let optimizer = split_leaf(above.strip_suffix(variable)?.strip_suffix(b"/")?).1;
    Some((str::from_utf8(optimizer).ok()?, str::from_utf8(slot).ok()?))
}

/// Returns the optimizer and its name for one of its own numbers: `training/Adam/iter`.
pub(crate) fn keras_number(name: &[u8]) -> Option<(&str, &str)> {
    let (scope, leaf) = split_leaf(name);
    let optimizer = split_leaf(scope).1;
    let known = is_listed(KERAS_NUMBERS, leaf) && is_listed(KERAS_OPTIMIZERS, without_number(optimizer));
    if known { Some((str::from_utf8(optimizer).ok()?, str::from_utf8(leaf).ok()?)) } else { None }
}

/// Returns true if it is an optimizer's own number, not kept for a variable: `beta1_power`, `training/Adam/iter`.
pub(crate) fn is_optimizer_number(name: &[u8]) -> bool {
    let (scope, leaf) = split_leaf(name);
    let of_keras =
        || is_listed(KERAS_NUMBERS, leaf) && is_listed(KERAS_OPTIMIZERS, without_number(split_leaf(scope).1));
    is_listed(TF1_NUMBERS, without_number(leaf)) || of_keras()
}

fn slot(name: &[u8], known: &HashMap<&[u8], usize>) -> Option<Slot> {
    let found = |at: Range<usize>, role| Some(Slot { of: *known.get(&name[at.clone()])?, at, role });
    suffix(name).and_then(|(end, role)| found(0..end, role)).or_else(|| {
        let object = memchr(name, OBJECT_SLOT.as_bytes());
        object
            .and_then(|end| found(0..end, Optimizer))
            .or_else(|| keras_variables(name).find_map(|at| found(at, Optimizer)))
    })
}

/// Returns the end of the variable's name, if a known suffix follows it.
fn suffix(name: &[u8]) -> Option<(usize, VariableRole)> {
    let plain = without_number(name);
    let fits = |(suffix, _): &&(&str, VariableRole)| plain.ends_with(suffix.as_bytes());
    let (suffix, role) = SUFFIXES.iter().find(fits)?;
    Some((plain.len() - suffix.len(), *role))
}

/// Returns the possible ranges of the variable in `training/Adam/X/m`: after any component that names an optimizer.
fn keras_variables(name: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let (variable, leaf) = split_leaf(name);
    let end = if is_listed(KERAS_SLOTS, leaf) { variable.len() } else { 0 };
    let slashes = (0..end).filter(|at| name[*at] == b'/');
    let starts =
        slashes.filter(|slash| is_listed(KERAS_OPTIMIZERS, without_number(split_leaf(&name[..*slash]).1)));
    starts.map(move |slash| slash + 1..end)
}

/// Splits a name at the last slash.
fn split_leaf(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&name[..slash], &name[slash + 1..]),
        None => (b"", name),
    }
}

/// Removes `_1` from `Adam_1`.
fn without_number(name: &[u8]) -> &[u8] {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    match name[..name.len() - digits].strip_suffix(b"_") {
        Some(plain) if digits > 0 => plain,
        _ => name,
    }
}

fn is_listed(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|known| known.as_bytes() == word)
}

/// Returns the first position of `part` in `name`.
fn memchr(name: &[u8], part: &[u8]) -> Option<usize> {
    name.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the variable that `name` is a slot of, given the other names.
    fn of(name: &str, others: &[&str]) -> Option<String> {
        let names: Vec<&[u8]> = others.iter().chain([&name]).map(|name| name.as_bytes()).collect();
        let slot = slots(&names).pop()??;
        Some(others[slot.of].to_owned())
    }

    #[test]
    fn a_slot_has_a_known_form_and_its_variable_exists() {
        for slot in [
            "w/Adam",
            "w/Adam_1",
            "w/Momentum",
            "w/RMSProp_2",
            "w/Adafactor_1",
            "w/adam_m",
            "w/lamb_v",
            "w_slot_vr",
            "w/ExponentialMovingAverage",
            "w/.OPTIMIZER_SLOT/opt/m",
            "Adam/w/m",
            "training/Adam_2/w/vhat",
            "SGD/w/momentum",
        ] {
            assert_eq!(of(slot, &["w"]).as_deref(), Some("w"), "{slot}");
            assert_eq!(of(slot, &["x"]), None, "{slot}");
        }
        for other in
            ["w/Adamant", "w/kernel", "wAdam", "w/Adam_x", "Adam/w/n", "Eve/w/m", "w", "w/Adam/kernel"]
        {
            assert_eq!(of(other, &["w"]).filter(|_| other != "w"), None, "{other}");
        }
    }

    #[test]
    fn tf1_slot_numbers_map_to_tf2_slot_names() {
        let known = |name: &str, others: &[&str]| {
            let exists = |name: &[u8]| others.iter().any(|other| other.as_bytes() == name);
            in_tf2(name.as_bytes(), b"w", exists)
                .map(|(optimizer, slot)| (optimizer.to_owned(), slot.to_owned()))
        };
        for (name, optimizer, slot) in [
            ("w/Adam", "Adam", "m"),
            ("w/Adam_1", "Adam", "v"),
            ("w/adam_v", "adam", "v"),
            ("w/lamb_m", "lamb", "m"),
            ("w/LAMB_1", "LAMB", "v"),
            ("w/Momentum", "Momentum", "momentum"),
            ("w/Adagrad", "Adagrad", "accumulator"),
            ("w/Ftrl", "Ftrl", "accumulator"),
            ("w/Ftrl_1", "Ftrl", "linear"),
            ("w/RMSProp", "RMSProp", "rms"),
            ("w/RMSProp_1", "RMSProp", "momentum"),
            ("training/Adam/w/vhat", "Adam", "vhat"),
        ] {
            assert_eq!(known(name, &[]), Some((optimizer.into(), slot.into())), "{name}");
        }
        let centered = known("w/RMSProp_1", &["w/RMSProp_2"]);
        assert_eq!(centered.map(|(_, slot)| slot).as_deref(), Some("mg"));
        for unknown in ["w/Adam_2", "w/Shampoo", "w/ExponentialMovingAverage", "w_slot_vr"] {
            assert_eq!(known(unknown, &[]), None, "{unknown}");
        }
        assert_eq!(keras_number(b"training/Adam_1/iter"), Some(("Adam_1", "iter")));
        assert_eq!(keras_number(b"beta1_power"), None);
    }

    #[test]
    fn a_slot_of_a_slot_belongs_to_the_slot() {
        assert_eq!(of("w/Adam/ExponentialMovingAverage", &["w", "w/Adam"]).as_deref(), Some("w/Adam"));
    }

    #[test]
    fn a_renamed_slot_keeps_the_text_around_its_variable() {
        let names: [&[u8]; 2] = [b"training/Adam/w/m", b"w"];
        let slot = slots(&names).swap_remove(0).unwrap();
        assert_eq!(slot.renamed(names[0], b"model/w"), b"training/Adam/model/w/m");
    }

    #[test]
    fn an_optimizers_own_numbers_are_recognized_in_any_scope() {
        for name in
            ["beta1_power", "beta2_power_1", "a/b/beta1_power", "Adam/iter", "training/SGD_1/learning_rate"]
        {
            assert!(is_optimizer_number(name.as_bytes()), "{name}");
        }
        for name in ["global_step", "iter", "model/iter", "beta1", "Adam/w"] {
            assert!(!is_optimizer_number(name.as_bytes()), "{name}");
        }
    }
}
