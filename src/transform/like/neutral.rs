//! The neutral values of variables: those with which a program works as if the variable were not there.
//!
//! Zero is neutral for a bias, and fatal for others: a learning rate of zero trains nothing, a gamma of zero erases its
//! layer, and an accumulator of zero divides by zero.

use crate::catalog::Variable;
use crate::graph::key;
use crate::transform::like::number::without_number;
use crate::transform::like::role::{Role, State};

/// A neutral value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Neutral {
    Zeros,
    Ones,
}

/// The last components of names of weights, and their neutral values.
const WEIGHTS: &[(&str, Neutral)] = &[
    ("bias", Neutral::Zeros),
    ("biases", Neutral::Zeros),
    ("beta", Neutral::Zeros),
    ("moving_mean", Neutral::Zeros),
    ("gamma", Neutral::Ones),
    ("moving_variance", Neutral::Ones),
    ("variance", Neutral::Ones),
];

/// The names of optimizers' values for which zero is neutral: the class (empty for any), and the name. The names are
/// those of [`State`].
const STATE: &[(&str, &str)] = &[
    ("", "m"),
    ("", "v"),
    ("", "vhat"),
    ("sgd", "momentum"),
    ("momentum", "momentum"),
    ("rmsprop", "momentum"),
    ("", "accum_grad"),
    ("", "accum_var"),
    ("", "linear"),
    ("", "iteration"),
];

/// TF1's slots that have no name of TF2: the end of the variable's name.
const TF1_SLOTS: &[&str] = &["/Adadelta", "/Adadelta_1"];

/// Returns the neutral value of a variable. `None` if it has none, or if it is unknown.
pub(crate) fn neutral(variable: &Variable, role: &Role) -> Option<Neutral> {
    match role {
        Role::Counter => Some(Neutral::Zeros),
        Role::State(state) => of_state(variable, state).then_some(Neutral::Zeros),
        Role::Weight => {
            let names = [Some(&variable.name), variable.full_name.as_ref()];
            names.into_iter().flatten().find_map(|name| of_weight(name.as_bytes()))
        }
        Role::Other => None,
    }
}

fn of_weight(name: &[u8]) -> Option<Neutral> {
    let leaf = key::stem(name).rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let leaf = without_number(leaf);
    WEIGHTS.iter().find(|(known, _)| known.as_bytes() == leaf).map(|(_, value)| *value)
}

fn of_state(variable: &Variable, state: &State) -> bool {
    let class = state.optimizer.as_deref().unwrap_or_default();
    let known = |name: &str| {
        let has_name = STATE.iter().any(|(of, known)| *known == name && (of.is_empty() || *of == class));
        // The second moment of RMSProp stands below a fraction bar alone.
        has_name && !(class == "rmsprop" && name == "v")
    };
    let ends = |slot: &&str| variable.name.as_bytes().ends_with(slot.as_bytes());
    state.name.as_deref().is_some_and(known) || TF1_SLOTS.iter().any(ends)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dtype::Dtype;
    use crate::tensor::{Shape, Tensor};

    fn variable(name: &str) -> Variable {
        let tensor = Tensor::new(Dtype::Float32, Shape(Box::new([2])), vec![], None);
        Variable {
            name: name.into(),
            key: None,
            plain_key: None,
            full_name: None,
            tensor: Arc::new(tensor),
            origin: None,
        }
    }

    #[test]
    fn weights_have_a_neutral_value_by_their_last_component() {
        for (name, value) in [
            ("bn/moving_mean", Some(Neutral::Zeros)),
            ("dense/bias", Some(Neutral::Zeros)),
            ("bn/gamma", Some(Neutral::Ones)),
            ("bn/moving_variance", Some(Neutral::Ones)),
            ("dense/kernel", None),
            ("emb", None),
        ] {
            assert_eq!(neutral(&variable(name), &Role::Weight), value, "{name}");
        }
    }

    #[test]
    fn zero_is_neutral_for_moments_and_not_for_accumulators_or_hyperparameters() {
        let is_zero = |optimizer: &str, name: &str| {
            let state = State { optimizer: Some(optimizer.into()), name: Some(name.into()), of: Some(0) };
            neutral(&variable("x"), &Role::State(state)) == Some(Neutral::Zeros)
        };
        for (optimizer, name) in [
            ("adam", "m"),
            ("adam", "v"),
            ("sgd", "momentum"),
            ("adadelta", "accum_grad"),
            ("ftrl", "linear"),
        ] {
            assert!(is_zero(optimizer, name), "{optimizer} {name}");
        }
        for (optimizer, name) in [
            ("adagrad", "accumulator"),
            ("ftrl", "accumulator"),
            ("rmsprop", "rms"),
            ("adam", "learning_rate"),
            ("adam", "beta1_power"),
        ] {
            assert!(!is_zero(optimizer, name), "{optimizer} {name}");
        }
    }
}
