//! Names that end alike: another scope, a prefix too much or too little, other separators.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Variable;
use crate::map::Flag;
use crate::map::escape::escape;
use crate::name::Name;
use crate::slot_names::is_optimizer_number;
use crate::suggest::Confidence;
use crate::suggest::missing_name::have::Have;
use crate::suggest::missing_name::numbers::counts;
use crate::suggest::missing_name::{Guess, MissingName, SEPARATORS};

/// The scopes of a variable and of a missing one that end alike.
struct Alike<'a> {
    /// The scopes, each with the separator at its end. They are empty for a whole name.
    from: &'a str,
    to: &'a str,
    /// The ends of the two names. They differ only in their separators.
    ends: (&'a str, &'a str),
    /// The number of components at the end that are equal.
    shared: usize,
    /// The number of components at the beginning of the scopes that are equal.
    before: usize,
    have: (&'a str, &'a Variable),
}

/// A scope in the checkpoint and one in the program.
type Scopes<'a> = (&'a str, &'a str);

/// Guesses for names of which one is the end of the other: a prefix is too much or too little.
pub(crate) fn whole(have: &Have<'_>, missing: &[MissingName]) -> Vec<Guess> {
    guesses(have, missing, |alike| alike.from.is_empty() || alike.to.is_empty(), str::to_owned)
}

/// Guesses for names of which several components at the end are the same.
pub(crate) fn scopes(have: &Have<'_>, missing: &[MissingName]) -> Vec<Guess> {
    guesses(have, missing, |alike| alike.shared > 1, str::to_owned)
}

/// Guesses for names of which several components at the end are the same if dots and slashes are.
pub(crate) fn separators(have: &Have<'_>, missing: &[MissingName]) -> Vec<Guess> {
    guesses(have, missing, |alike| alike.shared > 1, |name| name.replace('.', "/"))
}

/// Guesses for names of which the last component is the same.
pub(crate) fn last_components(have: &Have<'_>, missing: &[MissingName]) -> Vec<Guess> {
    guesses(have, missing, |_| true, str::to_owned)
}

fn guesses(
    have: &Have<'_>,
    missing: &[MissingName],
    may: fn(&Alike<'_>) -> bool,
    spelled: fn(&str) -> String,
) -> Vec<Guess> {
    let mut groups: BTreeMap<Scopes<'_>, Vec<(usize, Alike<'_>)>> = BTreeMap::new();
    for (at, wanted) in missing.iter().enumerate() {
        for alike in best(have, wanted, may, spelled) {
            groups.entry((alike.from, alike.to)).or_default().push((at, alike));
        }
    }
    let strength = |members: &[(usize, Alike<'_>)]| {
        let names: BTreeSet<_> = members.iter().map(|(at, _)| at).collect();
        (names.len(), members.iter().map(|(_, alike)| alike.shared).max())
    };
    let most = groups.values().map(|members| strength(members)).max();
    groups.retain(|_, members| Some(strength(members)) == most);
    // Groups for other missing names do not compete. They are found when these names are given.
    let first: BTreeSet<usize> = groups.values().next().into_iter().flatten().map(|(at, _)| *at).collect();
    groups.retain(|_, members| members.iter().any(|(at, _)| first.contains(at)));
    let is_alone = groups.len() == 1;
    let guess = |(_, members): (Scopes<'_>, Vec<(usize, Alike<'_>)>)| {
        let gives = members.iter().map(|(at, _)| *at).collect();
        let (at, alike) = members.into_iter().next()?;
        let (confidence, doubt) = doubt(have, &alike, is_alone);
        let flags = flags(have, &alike)?;
        Some(Guess { flags, evidence: evidence(&missing[at], &alike), confidence, doubt, gives })
    };
    groups.into_iter().take(SHOWN).filter_map(guess).collect()
}

/// The maximum number of guesses that fit equally well.
const SHOWN: usize = 5;

/// Returns the variables whose names have most in common with a missing one.
fn best<'a>(
    have: &Have<'a>,
    wanted: &'a MissingName,
    may: fn(&Alike<'_>) -> bool,
    spelled: fn(&str) -> String,
) -> Vec<Alike<'a>> {
    let name = spelled(&wanted.name);
    let alike = |(known, variable)| alike((known, variable), &wanted.name, (&spelled(known), &name));
    let mut found: Vec<_> = have.fitting(wanted).filter_map(alike).filter(may).collect();
    let most = found.iter().map(|alike| (alike.shared, alike.before)).max();
    found.retain(|alike| Some((alike.shared, alike.before)) == most);
    found
}

/// Compares the ends of two names. `spelled` are the names with the same separators.
fn alike<'a>(have: (&'a str, &'a Variable), want: &'a str, spelled: (&str, &str)) -> Option<Alike<'a>> {
    let shared = shared_end(spelled.0, spelled.1)?;
    let (from, to) = (&have.0[..have.0.len() - shared], &want[..want.len() - shared]);
    let components = |text: &str| text.matches(SEPARATORS).count();
    let equal = spelled.0.bytes().zip(spelled.1.bytes()).take_while(|(a, b)| a == b).count();
    let before = components(&from[..from.floor_char_boundary(equal.min(from.len()))]);
    let ends = (&have.0[from.len()..], &want[to.len()..]);
    let shared = components(ends.1) + 1;
    (from != to || ends.0 != ends.1).then_some(Alike { from, to, ends, shared, before, have })
}

/// Returns the length of the longest common end of two names that begins with a component in both.
fn shared_end(a: &str, b: &str) -> Option<usize> {
    let equal = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    let begins = |name: &str, len: usize| {
        let start = name.len() - len;
        start == 0 || name.is_char_boundary(start) && name[..start].ends_with(SEPARATORS)
    };
    (1..=equal).rev().find(|len| begins(a, *len) && begins(b, *len))
}

/// Returns the flags that rename the scope of a variable to that of a missing one.
fn flags(have: &Have<'_>, alike: &Alike<'_>) -> Option<Vec<Flag>> {
    let Alike { from, to, ends, .. } = alike;
    Some(match (*from, *to) {
        _ if ends.0 != ends.1 => respelled(have, alike)?,
        ("", to) => added(have, to),
        (from, "") => vec![Flag::StripPrefix(from.to_owned())],
        (from, to) => vec![Flag::Rename(format!("{}**={}**", escape(from), escape(to)))],
    })
}

/// Returns the flags that add a prefix to all names. The step, and the numbers of optimizers, keep theirs.
fn added(have: &Have<'_>, prefix: &str) -> Vec<Flag> {
    let stays = |name: &&&str| {
        !name.contains(SEPARATORS) && (STEPS.contains(*name) || is_optimizer_number(name.as_bytes()))
    };
    let stay = have.all.iter().filter(stays);
    let stay = stay.map(|name| Flag::Rename(format!("{}={}", escape(name), escape(name))));
    stay.chain([Flag::AddPrefix(prefix.to_owned())]).collect()
}

/// The names of counters that are in no scope.
const STEPS: &[&str] = &["global_step", "save_counter"];

/// The maximum number of components of a name that gets other separators.
const DEPTH: usize = 12;

/// Returns the flags that rename a scope, and replace the separators in it. There is one for each number of components.
fn respelled(have: &Have<'_>, alike: &Alike<'_>) -> Option<Vec<Flag>> {
    let [from, to] = [alike.ends.0, alike.ends.1].map(|end| end.chars().find(|c| SEPARATORS.contains(c)));
    let (from, to) = (from?, to?);
    let depth = |name: &&str| Some(name.strip_prefix(alike.from)?.split(from).count());
    let depths: BTreeSet<_> =
        have.all.iter().filter_map(depth).filter(|depth| (2..=DEPTH).contains(depth)).collect();
    let groups = |depth: usize| (0..depth).map(|at| char::from(b'a' + at as u8));
    let flag = |depth: usize| {
        let parts: Vec<_> = groups(depth).map(|group| format!("(?<{group}>[^/.]+)")).collect();
        let names: Vec<_> = groups(depth).map(|group| format!("{{{group}}}")).collect();
        let scope = regex::escape(alike.from).replace('=', r"\x3D");
        let parts = parts.join(&regex::escape(&from.to_string()));
        Flag::Rename(format!("re:{scope}{parts}={}{}", escape(alike.to), names.join(&to.to_string())))
    };
    Some(depths.into_iter().map(flag).collect())
}

/// Returns the trust in a rename, and the reason for the doubt.
fn doubt(have: &Have<'_>, alike: &Alike<'_>, is_alone: bool) -> (Confidence, Option<String>) {
    let Alike { from, to, shared, .. } = alike;
    let said = |confidence, text: &str| (confidence, Some(text.to_owned()));
    let holds_all = || have.variables.iter().all(|(name, _)| name.starts_with(from) || STEPS.contains(name));
    if !is_alone {
        return said(Confidence::Ambiguous, "several variables end alike");
    }
    if counts(from, to) {
        return said(Confidence::Likely, "the two names differ only in a number, and numbers count");
    }
    if !to.is_empty() && have.has_scope(to) {
        let text = format!("the checkpoint has other variables in {}", Name::from(*to));
        return (Confidence::Likely, Some(text));
    }
    match *shared > 1 || holds_all() {
        true => (Confidence::Sure, None),
        false => said(Confidence::Likely, "only the last component is the same"),
    }
}

/// The words for small numbers.
const WORDS: &[&str] = &["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// Returns the evidence: `a/w is not there; b/w [2] is, its last component`.
fn evidence(wanted: &MissingName, alike: &Alike<'_>) -> String {
    let (name, (have, variable)) = (Name::from(wanted.name.as_str()), alike.have);
    let what = match (alike.from, alike.to, alike.shared) {
        _ if alike.ends.0 != alike.ends.1 => "with other separators".to_owned(),
        (_, "", _) => format!("with {} in front", Name::from(alike.from)),
        ("", to, _) => format!("without {}", Name::from(to)),
        (.., 1) => "its last component".to_owned(),
        (.., n) => {
            format!(
                "its last {} components",
                WORDS.get(n).map_or_else(|| n.to_string(), |word| (*word).into())
            )
        }
    };
    format!("{name} is not there; {} {} is, {what}", Name::from(have), variable.tensor.shape)
}
