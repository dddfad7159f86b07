//! Averages of weights, which programs name after the weights: `X/ExponentialMovingAverage`.

use crate::map::Flag;
use crate::name::Name;
use crate::suggest::Confidence;
use crate::suggest::missing_name::have::Have;
use crate::suggest::missing_name::{Guess, MissingName};

/// The end of an average's name.
const AVERAGE: &str = "/ExponentialMovingAverage";

/// Guesses for averages in the place of weights, and weights in the place of averages.
pub(crate) fn averages(have: &Have<'_>, missing: &[MissingName]) -> Vec<Guess> {
    let exists = |name: &str| have.all.binary_search(&name).is_ok();
    let is_average = |wanted: &MissingName| wanted.name.strip_suffix(AVERAGE).is_some_and(exists);
    let has_average = |wanted: &MissingName| exists(&format!("{}{AVERAGE}", wanted.name));
    let guess = |is_it: &dyn Fn(&MissingName) -> bool, flag: &str, what: &str, doubt: Option<&str>| {
        let gives: Vec<_> = (0..missing.len()).filter(|at| is_it(&missing[*at])).collect();
        let name = Name::from(missing[*gives.first()?].name.as_str());
        let flags = match doubt {
            Some(_) => vec![Flag::Alias(flag.into())],
            None => vec![Flag::Rename(flag.into())],
        };
        let confidence = if doubt.is_some() { Confidence::Likely } else { Confidence::Sure };
        let evidence = format!("{name} is not there; {what}");
        Some(Guess { flags, evidence, confidence, doubt: doubt.map(str::to_owned), gives })
    };
    let weights = guess(
        &is_average,
        &format!("{{x:**}}={{x}}{AVERAGE}"),
        "the weight itself is",
        Some("the weights are not averages"),
    );
    let averages = guess(&has_average, &format!("{{x:**}}{AVERAGE}={{x}}"), "its average is", None);
    weights.or(averages).into_iter().collect()
}
