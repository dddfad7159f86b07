//! Names that differ in case or in underscores.

use crate::map::Flag;
use crate::map::escape::escape;
use crate::name::Name;
use crate::suggest::Confidence;
use crate::suggest::missing_name::have::Have;
use crate::suggest::missing_name::numbers::without_number;
use crate::suggest::missing_name::{Guess, MissingName, SEPARATORS};

/// Guesses for names that are the same in small letters and without underscores.
pub(crate) fn spelling(have: &Have<'_>, missing: &[MissingName]) -> Vec<Guess> {
    let Some(wanted) = missing.first() else { return Vec::new() };
    let spelled = spelled(&wanted.name);
    let found: Vec<_> = have.fitting(wanted).filter(|(name, _)| self::spelled(name) == spelled).collect();
    let is_alone = found.len() == 1;
    let guess = |(name, variable): &(&str, &crate::catalog::Variable)| {
        let what = if name.to_lowercase() == wanted.name.to_lowercase() { "case" } else { "spelling" };
        let (missing, found) = (Name::from(wanted.name.as_str()), Name::from(*name));
        let evidence =
            format!("{missing} is not there; {found} {} is, in another {what}", variable.tensor.shape);
        let confidence = if is_alone { Confidence::Sure } else { Confidence::Ambiguous };
        let doubt = (!is_alone).then(|| "several variables are spelled alike".to_owned());
        let flags = vec![flag(have, name, &wanted.name)?];
        Some(Guess { flags, evidence, confidence, doubt, gives: vec![0] })
    };
    found.iter().filter_map(guess).collect()
}

fn spelled(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

/// Returns the flag that renames all layers that are spelled like the one in which two names differ. `None` if they do not
/// have the same number of components.
fn flag(have: &Have<'_>, from: &str, to: &str) -> Option<Flag> {
    let (old, new): (Vec<_>, Vec<_>) = (from.split(SEPARATORS).collect(), to.split(SEPARATORS).collect());
    let differing: Vec<_> = (0..old.len()).filter(|at| old.get(*at) != new.get(*at)).collect();
    if old.len() != new.len() {
        return None;
    }
    if differing.len() > 1 && from.to_lowercase() == to {
        return Some(Flag::Rename("{x:**}={x|lower}".into()));
    }
    let last = *differing.last()?;
    let end = |parts: &[&str]| parts[..=last].iter().map(|part| part.len() + 1).sum::<usize>() - 1;
    let (from, to) = (&from[..end(&old)], &to[..end(&new)]);
    let numbers = (without_number(from), without_number(to));
    let (from, to) = match numbers {
        ((from, a), (to, b)) if a == b => (from, to),
        _ => (from, to),
    };
    Some(Flag::Rename(match is_layer(have, from) {
        true => format!("{}{{x:**}}={}{{x}}", escape(from), escape(to)),
        false => {
            let from = regex::escape(from).replace('=', r"\x3D");
            format!(r"re:{from}(?<x>(?:_?\d+)?(?:[/.].*)?)={}{{x}}", escape(to))
        }
    }))
}

/// Returns true if only a number or another component follows wherever a name begins with `start`.
fn is_layer(have: &Have<'_>, start: &str) -> bool {
    let rest = have.all.iter().filter_map(|name| name.strip_prefix(start));
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(SEPARATORS);
    rest.into_iter().all(|rest| {
        ends(rest.strip_prefix('_').unwrap_or(rest).trim_start_matches(|c: char| c.is_ascii_digit()))
    })
}
