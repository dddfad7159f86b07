//! Names that only count: `dense_3`, `layers/2`, `layer_with_weights-0`. They mean the same in two checkpoints only if
//! both count alike: the numbered members of each parent are the same, and the full names, numbers apart, agree.
//!
//! ```text
//! here   dense  dense_1  dense_2  dense_3        the members of a group differ, so `dense_1` there can be any layer
//! there  dense  dense_1  dense_2                 here: which one was added is not known
//! ```

use std::collections::{BTreeSet, HashMap};

use crate::catalog::{Catalog, Variable};
use crate::name::{Name, printable};
use crate::slot_names;
use crate::transform::like::number::split;
use crate::transform::overlay::error::{Fault, Reading};
use crate::transform::overlay::{Overlay, optimizer_state, stays};

/// The numbered components below one parent: the path of the parent, and the part before the number.
type Group<'a> = (&'a [u8], &'a [u8]);

/// The members of a group, here and there.
#[derive(Default)]
struct Members<'a> {
    sides: [BTreeSet<&'a [u8]>; 2],
    is_numbered: bool,
}

/// The groups that do not have the same members on both sides, though each side has members.
struct Uneven<'a>(HashMap<Group<'a>, Members<'a>>);

/// Returns the fault of an overlay whose variables are paired with the base's by names that only count, if the two do
/// not count alike. `pairs` has these variables, each with its index in the base.
pub(crate) fn refuse(overlay: &Overlay, base: &Catalog, pairs: &[(&Variable, usize)]) -> Option<Fault> {
    let sides = [weights(base), weights(&overlay.catalog)];
    let paths = Uneven::new(sides.each_ref().map(|side| side.iter().map(|variable| &variable.name)));
    let full_names =
        Uneven::new(sides.each_ref().map(|side| side.iter().filter_map(|v| v.full_name.as_ref())));
    let by_full_name = by_full_name(base);
    let (mut groups, mut readings) = (BTreeSet::new(), Vec::new());
    for &(there, at) in pairs {
        let here = &base.variables[at];
        let group = paths.group_of(&here.name).filter(|_| !is_named(here, there, &full_names));
        if group.is_none() && !(counts(&here.name) && disagree(here, there)) {
            continue;
        }
        groups.extend(group.map(|group| paths.text(group)));
        let named = there.full_name.as_ref().and_then(|name| *by_full_name.get(name)?);
        let by_name = named.map(|at| base.variables[at].name.clone());
        let full_names = here.full_name.clone().zip(there.full_name.clone());
        readings.push(Reading { name: here.name.clone(), full_names, by_name });
    }
    let groups = groups.into_iter().collect();
    (!readings.is_empty()).then(|| Fault::Counts { flag: overlay.flag(), groups, readings })
}

/// Returns the index of each variable by its full name. `None` if several have this name.
pub(crate) fn by_full_name(catalog: &Catalog) -> HashMap<&Name, Option<usize>> {
    let mut known = HashMap::new();
    let named = catalog.variables.iter().enumerate();
    for (at, name) in named.filter_map(|(at, variable)| Some((at, variable.full_name.as_ref()?))) {
        known.entry(name).and_modify(|known| *known = None).or_insert(Some(at));
    }
    known
}

/// Returns true if a component of a name is a number.
pub(crate) fn counts(name: &Name) -> bool {
    let is_number = |component: &[u8]| stem(component).is_some();
    name.as_bytes().split(|&byte| byte == b'/').any(is_number)
}

/// Returns the variables of a catalog that are not optimizer state.
fn weights(catalog: &Catalog) -> Vec<&Variable> {
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let slots = match catalog.graph() {
        Some(_) => optimizer_state(catalog),
        None => slot_names::slots(&names).iter().map(Option::is_some).collect(),
    };
    let all = catalog.variables.iter().zip(slots);
    all.filter(|(variable, is_slot)| !is_slot && !stays(variable)).map(|(variable, _)| variable).collect()
}

/// Returns true if two variables have the same full name, which does not count.
fn is_named<'a>(here: &'a Variable, there: &Variable, full_names: &Uneven<'a>) -> bool {
    let name = here.full_name.as_ref().filter(|name| there.full_name.as_ref() == Some(name));
    name.is_some_and(|name| full_names.group_of(name).is_none())
}

/// Returns true if two variables have full names that differ in more than their numbers.
pub(crate) fn disagree(here: &Variable, there: &Variable) -> bool {
    let stems = |name: &Name| {
        let components = name.as_bytes().split(|&byte| byte == b'/');
        components.map(|component| stem(component).unwrap_or(component).to_vec()).collect::<Vec<_>>()
    };
    let names = here.full_name.as_ref().zip(there.full_name.as_ref());
    names.is_some_and(|(here, there)| stems(here) != stems(there))
}

/// Returns the part of a component before its number: `dense` of `dense_3`, nothing of `2`.
fn stem(component: &[u8]) -> Option<&[u8]> {
    split(component).map(|(stem, _)| stem)
}

/// Returns the groups of a name's components, each with the component. A component without a number is the first of
/// its group.
fn groups(name: &[u8]) -> impl Iterator<Item = (Group<'_>, &[u8])> {
    let ends = name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    let mut start = 0_usize;
    ends.chain([name.len()]).map(move |end| {
        let (parent, component) = (&name[..start.saturating_sub(1)], &name[start..end]);
        start = (end + 1).min(name.len());
        ((parent, stem(component).unwrap_or(component)), component)
    })
}

impl<'a> Uneven<'a> {
    fn new<I: Iterator<Item = &'a Name>>(sides: [I; 2]) -> Self {
        let mut all: HashMap<Group<'a>, Members<'a>> = HashMap::new();
        for (side, names) in sides.into_iter().enumerate() {
            for (group, component) in names.flat_map(|name| groups(name.as_bytes())) {
                let members = all.entry(group).or_default();
                members.sides[side].insert(component);
                members.is_numbered |= stem(component).is_some();
            }
        }
        all.retain(|_, Members { sides: [here, there], is_numbered }| {
            *is_numbered && !here.is_empty() && !there.is_empty() && here != there
        });
        Self(all)
    }

    /// Returns the first such group that a name passes through.
    fn group_of(&self, name: &'a Name) -> Option<Group<'a>> {
        groups(name.as_bytes()).find_map(|(group, _)| self.0.get_key_value(&group)).map(|(group, _)| *group)
    }

    /// Returns the members of a group: `in layers: 2 here (dense, dense_1), 1 there (dense)`.
    fn text(&self, group: Group<'a>) -> String {
        let side = |side: &BTreeSet<&[u8]>| {
            let names: Vec<_> = side.iter().take(FEW).map(|name| printable(name)).collect();
            let more = if side.len() > FEW { ", …" } else { "" };
            format!("({}{more})", names.join(", "))
        };
        let [here, there] = &self.0[&group].sides;
        let (one, other) = (side(here), side(there));
        format!("{}: {} here {one}, {} there {other}", place(group.0), here.len(), there.len())
    }
}

/// The maximum number of members that are named.
const FEW: usize = 6;

fn place(parent: &[u8]) -> String {
    if parent.is_empty() { "at the top".into() } else { format!("in {}", printable(parent)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_counts_if_a_number_follows_a_separator() {
        let stem = |text: &'static str| stem(text.as_bytes()).map(|stem| str::from_utf8(stem).unwrap());
        for (text, expected) in [
            ("2", Some("")),
            ("dense_3", Some("dense")),
            ("layer_with_weights-0", Some("layer_with_weights-")),
            ("dense", None),
            ("conv2d", None),
            ("block1", None),
            ("_3", None),
            ("", None),
        ] {
            assert_eq!(stem(text), expected, "{text}");
        }
    }

    fn uneven(here: &[&str], there: &[&str]) -> Vec<String> {
        let names = |side: &[&str]| side.iter().map(|name| Name::from(*name)).collect::<Vec<_>>();
        let sides = [names(here), names(there)];
        let uneven = Uneven::new(sides.each_ref().map(|side| side.iter()));
        let mut texts: Vec<_> = uneven.0.keys().map(|group| uneven.text(*group)).collect();
        texts.sort();
        texts
    }

    #[test]
    fn groups_with_the_same_members_are_even() {
        assert!(uneven(&["a/0/w", "a/1/w", "dense/w"], &["a/0/w", "a/1/b", "dense/w"]).is_empty());
        assert!(uneven(&["a/0/w", "dense/w"], &["b/0/w", "conv_3/w"]).is_empty(), "nothing in common");
    }

    #[test]
    fn groups_with_other_members_are_uneven() {
        let three = ["m/dense/w", "m/dense_1/w", "m/dense_2/w"];
        let text = "in m: 3 here (dense, dense_1, dense_2), 2 there (dense, dense_1)";
        assert_eq!(uneven(&three, &three[..2]), [text]);
        let shifted = ["m/dense_1/w", "m/dense_2/w", "m/dense_3/w"];
        assert_eq!(uneven(&three, &shifted).len(), 1, "as many, but the numbers are others");
        assert_eq!(uneven(&["dense/w"], &["dense/w", "dense_1/w"]).len(), 1, "the first has no number");
        assert_eq!(uneven(&["0"], &["0", "1"]), ["at the top: 1 here (0), 2 there (0, 1)"]);
    }
}
