//! New names that are invalid, and variables that no rule names: errors that many variables share.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::graph::KEY as OBJECT_GRAPH;
use crate::map::Map;
use crate::map::diagnostic::{Error, Errors, Kind, counted};
use crate::map::options::{Choice, Unmatched};
use crate::map::pattern::Captures;
use crate::map::rule::RuleId;
use crate::name::printable;

/// The number of variables that a message names before "and N more".
const SHOWN: usize = 5;

/// The number of parts of a message before "and N more".
const EXAMPLES: usize = 3;

/// Targets that could not be filled. All errors for the same part of a target are one message.
#[derive(Default)]
pub(crate) struct RejectedNames(BTreeMap<RejectedName, Reasons>);

/// The reasons why a target could not be filled, each with its variables.
type Reasons = BTreeMap<String, Vec<Vec<u8>>>;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct RejectedName {
    rule: RuleId,
    target: usize,
    start: usize,
    end: usize,
}

impl RejectedNames {
    /// Returns the new name that the `target`-th target of a rule gives. If there is none, the reason is recorded.
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

/// Returns notes about the variables of each reason. If there are several reasons, each note names its reason.
fn notes(reasons: &Reasons) -> Vec<String> {
    let of = |names: &[Vec<u8>]| list(&names.iter().map(Vec::as_slice).collect::<Vec<_>>(), SHOWN);
    let others =
        reasons.iter().skip(1).take(EXAMPLES - 1).map(|(what, names)| format!("{what} for {}", of(names)));
    let more = reasons.len().saturating_sub(EXAMPLES);
    let more = (more > 0).then(|| format!("and {more} more like these"));
    let first = reasons.values().next().map(|names| format!("for {}", of(names)));
    first.into_iter().chain(others).chain(more).collect()
}

/// Returns the reason why a name is not allowed. `None` if it is allowed.
fn refusal(name: &[u8]) -> Option<&'static str> {
    match name {
        [] => Some("the new name is empty"),
        [0, ..] => Some("the new name begins with a NUL byte, which TensorFlow keeps for itself"),
        // A checkpoint with a variable of this name looks like an object-based checkpoint to TensorFlow.
        name if name == OBJECT_GRAPH.as_bytes() => {
            Some("with this name in it TensorFlow takes the checkpoint for an object-based one")
        }
        _ => None,
    }
}

/// Returns the error for `unmatched = "error"`, at the place of the option.
pub(crate) fn without_rule(option: &Choice<Unmatched>, names: &[&[u8]]) -> Error {
    let what = format!("{} without a rule", counted(names.len(), "variable"));
    Error::new(Kind::Unmatched, &option.span, what).note(list(names, 4 * SHOWN))
}

/// Returns a list of names: `` `a`, `b` and 7 more ``.
pub(crate) fn list(names: &[&[u8]], most: usize) -> String {
    let shown = names.iter().take(most).map(|name| format!("`{}`", printable(name)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
