//! New names that cannot be made, and variables that no rule names: errors that many variables share.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::graph::KEY as OBJECT_GRAPH;
use crate::map::Map;
use crate::map::diagnostic::{Error, Errors, Kind, counted};
use crate::map::options::{Choice, Unmatched};
use crate::map::pattern::Captures;
use crate::map::rule::RuleId;
use crate::name::printable;

/// Variables that a message names before "and N more".
const SHOWN: usize = 5;

/// Parts of a message before "and N more".
const EXAMPLES: usize = 3;

/// Targets that could not be filled. All that one part of a target cannot be filled for is one message.
#[derive(Default)]
pub(crate) struct RejectedNames(BTreeMap<RejectedName, Reasons>);

/// Why it could not be filled, and for which variables.
type Reasons = BTreeMap<String, Vec<Vec<u8>>>;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct RejectedName {
    rule: RuleId,
    target: usize,
    start: usize,
    end: usize,
}

impl RejectedNames {
    /// The new name that the n-th target of a rule gives. If it gives none, the reason is noted.
    pub(crate) fn fill(
        &mut self,
        map: &Map,
        (rule, target): (RuleId, usize),
        captures: &Captures<'_>,
        name: &[u8],
    ) -> Option<Vec<u8>> {
        let (template, written) = &map.rule(rule).targets[target];
        let whole = 0..written.text.len();
        let filled = template.fill(captures, &map.tables);
        let refused = match filled.map(|name| (refusal(&name), name)) {
            Ok((None, name)) => return Some(name),
            Ok((Some(what), _)) => (whole, what.to_owned()),
            Err(refused) => refused,
        };
        let (Range { start, end }, what) = refused;
        let reasons = self.0.entry(RejectedName { rule, target, start, end }).or_default();
        reasons.entry(what).or_default().push(name.to_vec());
        None
    }

    pub(crate) fn into_errors(self, map: &Map, errors: &mut Errors) {
        for (misfit, reasons) in self.0 {
            let (_, written) = &map.rule(misfit.rule).targets[misfit.target];
            let what = reasons.keys().next().map_or("", String::as_str);
            let error = Error::new(Kind::Name, &written.part(misfit.start..misfit.end), what);
            errors.push(notes(&reasons).into_iter().fold(error, Error::note));
        }
    }
}

/// The variables of each reason, and the reason where there are several.
fn notes(reasons: &Reasons) -> Vec<String> {
    let of = |names: &[Vec<u8>]| list(&names.iter().map(Vec::as_slice).collect::<Vec<_>>(), SHOWN);
    let others =
        reasons.iter().skip(1).take(EXAMPLES - 1).map(|(what, names)| format!("{what} for {}", of(names)));
    let more = reasons.len().saturating_sub(EXAMPLES);
    let more = (more > 0).then(|| format!("and {more} more like these"));
    let first = reasons.values().next().map(|names| format!("for {}", of(names)));
    first.into_iter().chain(others).chain(more).collect()
}

/// Why a name cannot be.
fn refusal(name: &[u8]) -> Option<&'static str> {
    match name {
        [] => Some("the new name is empty"),
        [0, ..] => Some("the new name begins with a NUL byte, which TensorFlow keeps for itself"),
        // With this name among them TensorFlow takes the variables for an object-based checkpoint.
        name if name == OBJECT_GRAPH.as_bytes() => {
            Some("with this name in it TensorFlow takes the checkpoint for an object-based one")
        }
        _ => None,
    }
}

/// `unmatched = "error"`, at the option.
pub(crate) fn without_rule(option: &Choice<Unmatched>, names: &[&[u8]]) -> Error {
    let what = format!("{} without a rule", counted(names.len(), "variable"));
    Error::new(Kind::Unmatched, &option.place, what).note(list(names, 4 * SHOWN))
}

/// `` `a`, `b` and 7 more ``
fn list(names: &[&[u8]], most: usize) -> String {
    let shown = names.iter().take(most).map(|name| format!("`{}`", printable(name)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
