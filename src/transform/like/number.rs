//! Components of names that only count: `3`, `layer-1`, `dense_2`.
//!
//! A program numbers such members in the order in which it makes them. So the number means something only together
//! with the numbers of the other members of the same parent.

/// A component of a name, split into its stem and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Numbered<'a> {
    /// The text before the number, with the separator of `layer-1`, without that of `dense_1`.
    pub(crate) stem: &'a [u8],
    /// The number. `None` for the first member of `dense`, `dense_1`, …, which has no number.
    pub(crate) number: Option<u64>,
}

impl<'a> Numbered<'a> {
    /// Splits a component.
    pub(crate) fn parse(component: &'a [u8]) -> Self {
        let number = |digits| str::from_utf8(digits).ok()?.parse().ok();
        let split = split(component).and_then(|(stem, digits)| Some((stem, number(digits)?)));
        match split {
            Some((stem, number)) => Self { stem, number: Some(number) },
            None => Self { stem: component, number: None },
        }
    }
}

/// Splits a component that counts into the part before its number and the digits: `dense` and `3` of `dense_3`, nothing
/// and `2` of `2`.
pub(crate) fn split(component: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = component.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, digits) = component.split_at(component.len() - digits);
    match rest {
        _ if digits.is_empty() => None,
        [] | [.., b'-'] => Some((rest, digits)),
        [stem @ .., b'_'] if !stem.is_empty() => Some((stem, digits)),
        _ => None,
    }
}

/// Removes `_1` from `Adam_1`.
pub(crate) fn without_number(name: &[u8]) -> &[u8] {
    match Numbered::parse(name) {
        Numbered { stem, number: Some(_) } if !stem.is_empty() && !stem.ends_with(b"-") => stem,
        _ => name,
    }
}

/// Returns a full name's components for a comparison: without numbers, case and punctuation, so that `dense_layer1` and
/// `denseLayer1` are the same.
pub(crate) fn plain_components(name: &[u8]) -> Vec<Vec<u8>> {
    let plain = |component: &[u8]| {
        let kept = without_number(component).iter().filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' '));
        kept.map(u8::to_ascii_lowercase).collect()
    };
    name.split(|&byte| byte == b'/').map(plain).collect()
}

/// Returns true if two full names are the same, numbers apart. The name of the model, which comes first, may differ or
/// be missing.
pub(crate) fn same_apart_from_numbers(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (plain_components(a), plain_components(b));
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    match (short.len(), long.len()) {
        (one, other) if one == other => short == long || (one > 2 && short[1..] == long[1..]),
        (2.., _) => long.ends_with(short),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_split_into_stem_and_number() {
        for (component, stem, number) in [
            ("3", "", Some(3)),
            ("layer-1", "layer-", Some(1)),
            ("layer_with_weights-10", "layer_with_weights-", Some(10)),
            ("dense_2", "dense", Some(2)),
            ("dense", "dense", None),
            ("conv2d", "conv2d", None),
            ("fc1", "fc1", None),
            ("_3", "_3", None),
            ("x_99999999999999999999", "x_99999999999999999999", None),
        ] {
            let expected = Numbered { stem: stem.as_bytes(), number };
            assert_eq!(Numbered::parse(component.as_bytes()), expected, "{component}");
        }
    }

    #[test]
    fn full_names_agree_apart_from_numbers_case_and_the_models_name() {
        let same = |a: &str, b: &str| same_apart_from_numbers(a.as_bytes(), b.as_bytes());
        assert!(same("sequential/dense_1/kernel", "sequential_3/dense_4/kernel"));
        assert!(same("sequential/dense_layer1/kernel", "sequential_1/denseLayer1/kernel"));
        assert!(same("dense/kernel", "sequential/dense_7/kernel"));
        assert!(same("model/out/kernel", "functional_2/out/kernel"));
        assert!(!same("left/kernel", "right/kernel"));
        assert!(!same("sequential/a/kernel", "sequential/b/kernel"));
        assert!(!same("kernel", "dense/kernel"));
    }
}
