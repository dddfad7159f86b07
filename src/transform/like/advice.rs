//! Advice for a mismatch: the rename that would match most missing variables, and patterns for exactly those that are
//! missing.

use std::collections::{BTreeMap, BTreeSet};

use crate::dtype::Dtype;
use crate::map::escape::escape;
use crate::tensor::Shape;

/// A name, its dtype and its shape.
pub(crate) type Described<'a> = (&'a str, Dtype, &'a Shape);
/// A flag of the map, and its value.
pub(crate) type Flag = (&'static str, String);

/// The maximum number of variables on one side that a rename is searched for.
const SEARCHED: usize = 2_000;

/// Returns the flag that renames the most of `have` to names in `missing`, and the number of names. `None` if it is
/// not more than half of `missing`, or if it gives one name another shape.
pub(crate) fn rename(have: &[Described<'_>], missing: &[Described<'_>]) -> Option<(Flag, usize)> {
    if have.len() > SEARCHED || missing.len() > SEARCHED {
        return None;
    }
    let mut votes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (old, dtype, shape) in have {
        for (new, ..) in missing.iter().filter(|(_, other, wanted)| other == dtype && wanted == shape) {
            if let Some(scopes) = apart_from_suffix(old, new) {
                *votes.entry(scopes).or_default() += 1;
            }
        }
    }
    let ((from, to), _) = votes.into_iter().max_by_key(|(_, votes)| *votes)?;
    let matched = matched(have, missing, from, to)?;
    let flag = match (from, to) {
        ("", to) => ("add-prefix", format!("{to}/")),
        (from, "") => ("strip-prefix", format!("{from}/")),
        (from, to) => ("rename", format!("{}/**={}/**", escape(from), escape(to))),
    };
    (matched * 2 > missing.len()).then_some((flag, matched))
}

/// Returns the two names without the longest suffix of components that they share, if they share one.
fn apart_from_suffix<'n>(old: &'n str, new: &'n str) -> Option<(&'n str, &'n str)> {
    let pairs = old.rsplit('/').zip(new.rsplit('/'));
    let len = pairs.take_while(|(old, new)| old == new).map(|(old, _)| old.len() + 1).sum::<usize>();
    let scope = |name: &'n str| if name.len() < len { "" } else { &name[..name.len() - len] };
    let scopes = (scope(old), scope(new));
    (len > 0 && scopes.0 != scopes.1).then_some(scopes)
}

/// Returns the number of missing names that the rename of a scope gives, or `None` if one gets another shape.
fn matched(have: &[Described<'_>], missing: &[Described<'_>], from: &str, to: &str) -> Option<usize> {
    let wanted: BTreeMap<&str, (Dtype, &Shape)> =
        missing.iter().map(|(name, dtype, shape)| (*name, (*dtype, *shape))).collect();
    let mut count = 0;
    for (old, dtype, shape) in have {
        let rest = if from.is_empty() {
            Some(*old)
        } else {
            old.strip_prefix(from).and_then(|rest| rest.strip_prefix('/'))
        };
        let Some(rest) = rest else { continue };
        let new = if to.is_empty() { rest.to_owned() } else { format!("{to}/{rest}") };
        match wanted.get(new.as_str()) {
            Some(tensor) if *tensor == (*dtype, *shape) => count += 1,
            Some(_) => return None,
            None => {}
        }
    }
    Some(count)
}

/// Returns patterns that match exactly `missing` among the names of `all`.
pub(crate) fn patterns(missing: &BTreeSet<&str>, all: &[&str]) -> Vec<String> {
    let mut left = missing.clone();
    let mut patterns = Vec::new();
    while let Some(first) = left.first().copied() {
        let scope = scopes(first).find(|scope| {
            let within = |name: &&str| name.strip_prefix(scope).is_some_and(|rest| rest.starts_with('/'));
            all.iter().filter(|name| within(name)).all(|name| missing.contains(name))
        });
        let leaf = first.rsplit('/').next().unwrap_or(first);
        let same_leaf = |name: &&str| name.rsplit('/').next() == Some(leaf) && name.contains('/');
        let of_leaf = all.iter().filter(|name| same_leaf(name)).count();
        let by_leaf =
            of_leaf > 1 && all.iter().filter(|name| same_leaf(name)).all(|name| missing.contains(name));
        let size = scope
            .map_or(0, |scope| left.iter().filter(|name| name.starts_with(&format!("{scope}/"))).count());
        let pattern = match scope {
            Some(scope) if size > 1 && (size >= of_leaf || !by_leaf) => {
                left.retain(|name| !name.starts_with(&format!("{scope}/")));
                format!("{}/**", escape(scope))
            }
            _ if by_leaf => {
                left.retain(|name| !same_leaf(&&**name));
                format!("**/{}", escape(leaf))
            }
            _ => escape(first),
        };
        left.remove(first);
        patterns.push(pattern);
    }
    patterns
}

/// Returns the scopes of a name, the widest first.
fn scopes(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at]).filter(|scope| !scope.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::flag;

    fn described<'a>(names: &[&'a str], shape: &'a Shape) -> Vec<Described<'a>> {
        names.iter().map(|name| (*name, Dtype::Float32, shape)).collect()
    }

    #[test]
    fn a_rename_is_found_by_the_common_rest_of_the_names() {
        let shape = Shape(Box::new([2]));
        let rename = |have: &[&str], missing: &[&str]| {
            let found = rename(&described(have, &shape), &described(missing, &shape));
            found.map(|((name, value), _)| flag(name, &value))
        };
        assert_eq!(
            rename(&["model/a/w", "model/b/w"], &["net/a/w", "net/b/w"]).as_deref(),
            Some("--rename 'model/**=net/**'")
        );
        assert_eq!(
            rename(&["model/a/w", "model/b/w"], &["a/w", "b/w"]).as_deref(),
            Some("--strip-prefix model/")
        );
        assert_eq!(rename(&["a/w", "b/w"], &["net/a/w", "net/b/w"]).as_deref(), Some("--add-prefix net/"));
        assert_eq!(rename(&["a/w"], &["x", "y", "z"]), None);
    }

    #[test]
    fn patterns_match_exactly_what_is_missing() {
        let patterns = |missing: &[&str], present: &[&str]| {
            let all: Vec<_> = missing.iter().chain(present).copied().collect();
            patterns(&missing.iter().copied().collect(), &all)
        };
        assert_eq!(patterns(&["head/w", "head/b"], &["body/w", "body/b"]), ["head/**"]);
        let lora = ["l/0/lora_a", "l/0/lora_b", "l/1/lora_a", "l/1/lora_b"];
        assert_eq!(patterns(&lora, &["l/0/w", "l/1/w"]), ["**/lora_a", "**/lora_b"]);
        assert_eq!(patterns(&["x"], &["y"]), ["x"]);
    }
}
