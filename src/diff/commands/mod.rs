//! The flags that may make HAVE fit: one list for each way that the differences leave open. The caller tries each list
//! before it prints it.

mod flags;
mod guesses;
mod pairings;

use crate::diff::Diff;
use crate::diff::commands::flags::{casts, missing, renames, shapes};
use crate::diff::commands::guesses::guesses;
use crate::diff::commands::pairings::pairings;
use crate::diff::restore::Effect;
use crate::name::Name;
use crate::transform::like::advice::Flag;
use crate::transform::like::candidates::How;

/// The maximum number of flags of one kind. With more, a map file is better.
const MOST: usize = 8;

/// The flags of one way, and a remark about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The flags with their values, which are empty if a flag takes none.
    pub(crate) flags: Vec<Flag>,
    pub(crate) remark: String,
    /// True if it is worth a try only if no other attempt succeeds.
    pub(crate) is_last: bool,
}

impl Attempt {
    fn new(flags: Vec<Flag>, remark: &str) -> Self {
        Self { flags, remark: remark.into(), is_last: false }
    }
}

/// Returns the attempts, the best first. `wanted` is the argument for `--like`, and `has_values` says that it has values.
pub(crate) fn attempts(diff: &Diff<'_>, wanted: &str, has_values: bool) -> Vec<Attempt> {
    let like = vec![("like", wanted.to_owned())];
    let (all, casts, shapes) = (renames(diff, true), casts(diff), shapes(diff, has_values));
    let common = [like, casts, shapes].concat();
    let open = [common.clone(), renames(diff, false)].concat();
    let mut attempts = Vec::new();
    let decided = choices(diff).into_iter().map(|choice| (&open, choice));
    // What a suggestion says about layers that only count is tried after all ways to pair them.
    let said = [common, all.clone()].concat();
    for (common, Attempt { flags, remark, is_last }) in decided.chain([(&said, Attempt::default())]) {
        let flags = [common.clone(), flags].concat();
        let is_fresh = flags.iter().any(|(flag, _)| *flag == "drop-optimizer") && !may_lose_weights(diff);
        let rest = if is_fresh { vec![("missing", "like".to_owned())] } else { vec![] };
        let fills = if has_values { vec![vec![], missing(diff, &flags), rest] } else { vec![vec![]] };
        for fill in fills {
            let attempt = Attempt { flags: [flags.clone(), fill].concat(), remark: remark.clone(), is_last };
            if !attempts.iter().any(|other: &Attempt| other.flags == attempt.flags) {
                attempts.push(attempt);
            }
        }
    }
    if !all.is_empty() {
        attempts.push(Attempt::new(all, ""));
    }
    attempts
}

/// Returns true if HAVE may have a weight that is missing, under another name. To fill it would be wrong.
fn may_lose_weights(diff: &Diff<'_>) -> bool {
    diff.missing.iter().any(|(at, nearest)| diff.want.roles[*at].is_weight() && !nearest.is_empty())
}

/// Returns the ways to decide what names, positions and optimizers leave open. There is at least one.
fn choices(diff: &Diff<'_>) -> Vec<Attempt> {
    let attempt = |flags: &[Flag], remark: &str| Attempt::new(flags.to_vec(), remark);
    if let [layers] = diff.layers.as_slice() {
        return pairings(layers);
    }
    let is_by_name = |at: usize| {
        let evidence = &diff.evidence[at];
        let takes = diff.restore.as_ref().map(|restore| restore.effects[at]);
        let is_state = diff.want.roles[at].state().is_some();
        evidence.reason == How::FullName.text()
            && !matches!((takes, evidence.have), (Some(Effect::Takes(from)), Some(have)) if from == have)
            && !is_state
    };
    let has_state = |at: usize| diff.want.roles[at].state().is_some();
    let other_state = |at: usize| {
        let evidence = &diff.evidence[at];
        has_state(at) && (evidence.have.is_none() || evidence.reason == How::FullName.text())
    };
    let all = 0..diff.evidence.len();
    let mut choices = vec![];
    if all.clone().any(other_state) {
        choices.push(attempt(&[("drop-optimizer", String::new())], "the old weights, and a fresh optimizer"));
        choices.push(attempt(&[("match", "name".into())], "each value of the optimizer by its own name"));
    }
    choices.push(attempt(&[], ""));
    if all.clone().any(is_by_name) {
        choices.push(attempt(&[("match", "name".into())], "by name, which is what the program means"));
    }
    guesses(diff).into_iter().chain(choices).collect()
}

fn text(name: &Name) -> Option<String> {
    str::from_utf8(name.as_bytes()).ok().map(str::to_owned)
}
