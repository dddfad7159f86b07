//! The role of a variable in its layer, by the last word of its name: `kernel` is a weight, `beta` a bias.

/// The role of a variable in its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeafRole {
    pub(crate) part: Part,
    /// True if the role is a whole component. `depthwise_kernel` says more than `kernel`.
    pub(crate) is_whole: bool,
}

/// The part of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Weight,
    Bias,
    Mean,
    Variance,
}

const PARTS: &[(&str, Part)] = &[
    ("kernel", Part::Weight),
    ("weight", Part::Weight),
    ("weights", Part::Weight),
    ("w", Part::Weight),
    ("gamma", Part::Weight),
    ("g", Part::Weight),
    ("scale", Part::Weight),
    ("embedding", Part::Weight),
    ("embeddings", Part::Weight),
    ("bias", Part::Bias),
    ("biases", Part::Bias),
    ("b", Part::Bias),
    ("beta", Part::Bias),
];

/// The two last words of statistics.
const STATISTICS: &[(&str, &str, Part)] = &[
    ("moving", "mean", Part::Mean),
    ("running", "mean", Part::Mean),
    ("moving", "variance", Part::Variance),
    ("moving", "var", Part::Variance),
    ("running", "variance", Part::Variance),
    ("running", "var", Part::Variance),
];

/// Returns the role that the last word of a name gives, and removes the words that say only that.
pub(crate) fn without_leaf(name: &str, words: &mut Vec<String>) -> Option<LeafRole> {
    if let [.., before, last] = words.as_slice() {
        let found = STATISTICS.iter().find(|(one, two, _)| before == one && last == two);
        if let Some((.., part)) = found {
            words.truncate(words.len() - 2);
            return Some(LeafRole { part: *part, is_whole: true });
        }
    }
    let last = words.last()?;
    let (_, part) = PARTS.iter().find(|(word, _)| word == last)?;
    let component = name.rsplit(['/', '.']).next().unwrap_or_default().trim_start_matches('_');
    let is_whole = component.eq_ignore_ascii_case(last);
    if !last.starts_with("embedding") {
        words.pop();
    }
    Some(LeafRole { part: *part, is_whole })
}

/// The score for roles that agree.
const AGREEMENT: f64 = 0.25;
/// The score for roles that differ, where one is a part of its component only.
const DISAGREEMENT: f64 = -0.35;
/// The score if only one name has a role.
const ONE_SIDED: f64 = -0.05;

/// Returns the score of two roles. `None` if they contradict each other.
pub(crate) fn score(a: Option<LeafRole>, b: Option<LeafRole>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) if a.part == b.part => Some(AGREEMENT),
        (Some(a), Some(b)) => (!(a.is_whole && b.is_whole)).then_some(DISAGREEMENT),
        (None, None) => Some(0.0),
        _ => Some(ONE_SIDED),
    }
}
