//! The names of Keras 3's numbered variables: `layers/dense/vars/0` is the kernel.
//!
//! A layer's class, which is in the path, says what it keeps at each number. A class is known by the name that Keras
//! gives to its layers. Other layers keep a kernel and a bias.

use std::collections::{BTreeSet, HashMap};

use crate::transform::like::number::without_number;

/// The classes that keep something else than a kernel and a bias.
const CLASSES: &[(&str, &[&str])] = &[
    ("batch_normalization", &["gamma", "beta", "moving_mean", "moving_variance"]),
    ("sync_batch_normalization", &["gamma", "beta", "moving_mean", "moving_variance"]),
    ("layer_normalization", &["gamma", "beta"]),
    ("group_normalization", &["gamma", "beta"]),
    ("rms_normalization", &["scale"]),
    ("embedding", &["embeddings"]),
    ("cell", &["kernel", "recurrent_kernel", "bias"]),
    ("lstm_cell", &["kernel", "recurrent_kernel", "bias"]),
    ("gru_cell", &["kernel", "recurrent_kernel", "bias"]),
    ("simple_rnn_cell", &["kernel", "recurrent_kernel", "bias"]),
    ("separable_conv1d", &["depthwise_kernel", "pointwise_kernel", "bias"]),
    ("separable_conv2d", &["depthwise_kernel", "pointwise_kernel", "bias"]),
    ("p_re_lu", &["alpha"]),
];
const OTHERS: &[&str] = &["kernel", "bias"];

/// Returns the names with `kernel`, `gamma`, … instead of `vars/0`. Other names stay.
pub(crate) fn decoded(names: &[&str]) -> Vec<String> {
    let mut numbers: HashMap<&str, BTreeSet<usize>> = HashMap::new();
    for (layer, number) in names.iter().filter_map(|name| parse(name)) {
        numbers.entry(layer).or_default().insert(number);
    }
    let one = |name: &&str| match parse(name) {
        Some((layer, number)) => format!("{layer}/{}", variable(layer, number, &numbers[layer])),
        None => (*name).to_owned(),
    };
    names.iter().map(one).collect()
}

/// Splits `layers/dense/vars/0`.
fn parse(name: &str) -> Option<(&str, usize)> {
    let (layer, number) = name.rsplit_once("/vars/")?;
    Some((layer, number.parse().ok()?))
}

fn variable(layer: &str, number: usize, numbers: &BTreeSet<usize>) -> String {
    let component = layer.rsplit('/').next().unwrap_or_default();
    let class = without_number(component.as_bytes());
    let kept = CLASSES.iter().find(|(known, _)| known.as_bytes() == class).map_or(OTHERS, |(_, kept)| *kept);
    // A layer without a scale or a center keeps fewer: the numbers then say nothing.
    let (count, most) = (numbers.len(), kept.len());
    let is_known = count == most || count < most && kept.ends_with(&["bias"]);
    match kept.get(number).filter(|_| is_known && numbers.last() == Some(&(count - 1))) {
        Some(name) => (*name).to_owned(),
        None => format!("v{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_says_what_its_numbers_mean() {
        let names = [
            "layers/dense_1/vars/0",
            "layers/conv2d/vars/0",
            "layers/conv2d/vars/1",
            "layers/batch_normalization/vars/0",
            "layers/batch_normalization/vars/1",
            "layers/batch_normalization/vars/2",
            "layers/batch_normalization/vars/3",
            "layers/batch_normalization_1/vars/0",
            "layers/lstm/cell/vars/0",
            "layers/lstm/cell/vars/1",
            "layers/lstm/cell/vars/2",
            "layers/own/vars/7",
            "dense/kernel",
        ];
        let expected = [
            "layers/dense_1/kernel",
            "layers/conv2d/kernel",
            "layers/conv2d/bias",
            "layers/batch_normalization/gamma",
            "layers/batch_normalization/beta",
            "layers/batch_normalization/moving_mean",
            "layers/batch_normalization/moving_variance",
            "layers/batch_normalization_1/v0",
            "layers/lstm/cell/kernel",
            "layers/lstm/cell/recurrent_kernel",
            "layers/lstm/cell/bias",
            "layers/own/v7",
            "dense/kernel",
        ];
        assert_eq!(decoded(&names), expected);
    }
}
