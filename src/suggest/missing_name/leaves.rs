//! Last components that are other words for the same: `weights` for `kernel`.

use crate::map::Flag;
use crate::map::escape::escape;
use crate::name::Name;
use crate::suggest::Confidence;
use crate::suggest::missing_name::have::Have;
use crate::suggest::missing_name::{Guess, MissingName, SEPARATORS};

/// Words for the same value of a layer.
const SYNONYMS: &[&[&str]] = &[
    &["kernel", "weights", "weight", "w", "W"],
    &["bias", "biases", "b"],
    &["gamma", "scale", "g"],
    &["beta", "offset"],
    &["moving_mean", "running_mean", "mean"],
    &["moving_variance", "running_var", "variance"],
    &["embeddings", "embedding", "table", "embedding_table"],
];

/// Guesses for names whose last component is another word.
pub(crate) fn leaves(have: &Have<'_>, missing: &[MissingName]) -> Vec<Guess> {
    let Some(wanted) = missing.first() else { return Vec::new() };
    let (scope, leaf) = split(&wanted.name);
    let Some(words) = SYNONYMS.iter().find(|words| words.contains(&leaf)) else { return Vec::new() };
    let is_other = |(name, _): &(&str, _)| split(name).0 == scope && words.contains(&split(name).1);
    let found: Vec<_> = have.fitting(wanted).filter(is_other).collect();
    let is_alone = found.len() == 1;
    let guess = |(name, variable): &(&str, &crate::catalog::Variable)| {
        let old = split(name).1;
        let flag = match scope.ends_with('/') {
            true => format!("{{x:**}}/{}={{x}}/{}", escape(old), escape(leaf)),
            false => format!("{}={}", escape(name), escape(&wanted.name)),
        };
        let (missing, found) = (Name::from(wanted.name.as_str()), Name::from(*name));
        let evidence =
            format!("{missing} is not there; {found} {} is: another word for it", variable.tensor.shape);
        let confidence = if is_alone { Confidence::Likely } else { Confidence::Ambiguous };
        Guess {
            flags: vec![Flag::Rename(flag)],
            evidence,
            confidence,
            doubt: Some(DOUBT.into()),
            gives: vec![0],
        }
    };
    found.iter().map(guess).collect()
}

const DOUBT: &str = "only the word for the last component tells";

/// Splits a name before its last component.
fn split(name: &str) -> (&str, &str) {
    name.split_at(name.rfind(SEPARATORS).map_or(0, |at| at + 1))
}
