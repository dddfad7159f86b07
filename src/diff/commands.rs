//! The flags that may make HAVE fit: one list for each way that the differences leave open. The caller tries each list
//! before it prints it.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Variable;
use crate::diff::groups::{Layer, Layers};
use crate::diff::restore::Effect;
use crate::diff::{Diff, words};
use crate::map::escape::escape;
use crate::name::Name;
use crate::transform::like::advice;
use crate::transform::like::advice::{Described, Flag};
use crate::transform::like::builder::fitting;
use crate::transform::like::candidates::How;
use crate::transform::like::problem::Fitting;

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

/// The maximum number of flags of one kind. With more, a map file is better.
const MOST: usize = 8;
/// The maximum number of ways to pair layers that only count.
const WAYS: usize = 4;

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
        let is_fresh = flags.iter().any(|(flag, _)| *flag == "drop-optimizer");
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

/// Returns the ways to decide what names, positions and optimizers leave open. There is at least one.
fn choices(diff: &Diff<'_>) -> Vec<Attempt> {
    let attempt = |flags: &[Flag], remark: &str| Attempt::new(flags.to_vec(), remark);
    if let [layers] = diff.layers.as_slice() {
        return ways(layers);
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

/// Returns the renames of the variables whose source a suggestion found: whole scopes where several agree. `with_groups` includes
/// the layers that only count.
fn renames(diff: &Diff<'_>, with_groups: bool) -> Vec<Flag> {
    const KNOWN: &[How] = &[How::Path, How::FullName, How::Position];
    let is_suggested = |at: &&usize| {
        let evidence = &diff.evidence[**at];
        let is_open = with_groups || !diff.is_in_group(**at);
        evidence.is_certain && is_open && !KNOWN.iter().any(|how| how.text() == evidence.reason)
    };
    let mut scopes: BTreeMap<(String, String), Vec<(String, String)>> = BTreeMap::new();
    for at in diff.renamed.iter().filter(is_suggested) {
        let Some(have) = diff.evidence[*at].have else { continue };
        let names = (text(&diff.have_variable(have).name), text(&diff.want_variable(*at).name));
        let (Some(old), Some(new)) = names else { continue };
        scopes.entry(scopes_of(&old, &new)).or_default().push((old, new));
    }
    let mut flags = Vec::new();
    for ((from, to), pairs) in scopes {
        match pairs.as_slice() {
            [(old, new)] => flags.push(rename(old, new)),
            _ if from.is_empty() => flags.push(("add-prefix", format!("{to}/"))),
            _ if to.is_empty() => flags.push(("strip-prefix", format!("{from}/"))),
            _ => flags.push(("rename", format!("{}/**={}/**", escape(&from), escape(&to)))),
        }
    }
    if flags.len() > MOST { vec![] } else { flags }
}

fn rename(old: &str, new: &str) -> Flag {
    ("rename", format!("{}={}", escape(old), escape(new)))
}

/// Returns the scopes of two names before the components that both end in.
fn scopes_of(old: &str, new: &str) -> (String, String) {
    let pairs = old.rsplit('/').zip(new.rsplit('/'));
    let len: usize = pairs.take_while(|(old, new)| old == new).map(|(old, _)| old.len() + 1).sum();
    let scope = |name: &str| name[..name.len().saturating_sub(len)].to_owned();
    (scope(old), scope(new))
}

/// Returns the renames of unexpected weights to missing ones that the names do not prove: of a scope, if all below it fits, or of
/// a variable within its layer.
fn guesses(diff: &Diff<'_>) -> Vec<Attempt> {
    let unused = diff
        .unexpected
        .iter()
        .filter(|at| diff.have.roles[**at].is_weight())
        .map(|at| diff.have_variable(*at));
    let missing = diff.missing.iter().map(|(at, _)| *at).filter(|at| diff.want.roles[*at].is_weight());
    let (unused, missing): (Vec<_>, Vec<_>) =
        (unused.collect(), missing.map(|at| diff.want_variable(at)).collect());
    if let Some((flag, _)) = advice::rename(&described(&unused), &described(&missing)) {
        return vec![Attempt::new(vec![flag], "if these are the same values")];
    }
    let few = unused.len() <= MOST && missing.len() <= MOST;
    let pairs = unused.iter().filter(|_| few).flat_map(|old| missing.iter().map(move |new| (*old, *new)));
    pairs.filter(|(old, new)| is_same_layer(old, new)).filter_map(|(old, new)| guess(old, new)).collect()
}

/// Returns true if two variables have the same scope, dtype and shape.
fn is_same_layer(old: &Variable, new: &Variable) -> bool {
    let scope = |name: &Name| name.to_string().rsplit_once('/').map(|(scope, _)| scope.to_owned());
    (old.tensor.dtype, &old.tensor.shape) == (new.tensor.dtype, &new.tensor.shape)
        && scope(&old.name).is_some()
        && scope(&old.name) == scope(&new.name)
}

fn guess(old: &Variable, new: &Variable) -> Option<Attempt> {
    let remark = format!("if {} is {}", words(new), words(old));
    Some(Attempt::new(vec![rename(&text(&old.name)?, &text(&new.name)?)], &remark))
}

fn described<'v>(variables: &[&'v Variable]) -> Vec<Described<'v>> {
    let one = |variable: &&'v Variable| {
        let name = str::from_utf8(variable.name.as_bytes()).ok()?;
        Some((name, variable.tensor.dtype, &variable.tensor.shape))
    };
    variables.iter().filter_map(one).collect()
}

/// Returns the casts to the wanted dtypes.
fn casts(diff: &Diff<'_>) -> Vec<Flag> {
    let mut by_dtype: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for at in &diff.other_dtype {
        let dtype = diff.want_variable(*at).tensor.dtype.name();
        let have = diff.evidence[*at].have.and_then(|have| text(&diff.have_variable(have).name));
        by_dtype.entry(dtype).or_default().extend(have);
    }
    let all = all_names(diff.have.catalog.variables.iter());
    let flags = by_dtype.iter().flat_map(|(dtype, names)| {
        patterns(names, &all).into_iter().map(move |pattern| ("cast", format!("{pattern}={dtype}")))
    });
    limited(flags.collect())
}

/// Returns the flags for variables of another shape: rows of embeddings are kept, other variables are new.
fn shapes(diff: &Diff<'_>, has_values: bool) -> Vec<Flag> {
    let (mut fits, mut drops, mut fills) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (at, _) in diff.other_shape.iter().filter(|_| has_values) {
        let Some(have) = diff.evidence[*at].have else { continue };
        let (old, new) = (diff.have_variable(have), diff.want_variable(*at));
        match fitting(new, &old.tensor, &new.tensor) {
            Fitting::Rows => fits.extend(text(&words(new))),
            _ => {
                drops.extend(text(&old.name));
                fills.extend(text(&words(new)));
            }
        }
    }
    let (have, want) = (all_names(diff.have.catalog.variables.iter()), wanted_names(diff));
    let like = |pattern: String| format!("{pattern}=like");
    let fits = patterns(&fits, &want).into_iter().map(|pattern| ("fit", like(pattern)));
    let drops = patterns(&drops, &have).into_iter().map(|pattern| ("drop", pattern));
    let fills = patterns(&fills, &want).into_iter().map(|pattern| ("missing", like(pattern)));
    limited(fits.chain(drops).chain(fills).collect())
}

/// Returns the flags that fill what is missing with WANT's values, except what `rest` renames and groups of layers.
fn missing(diff: &Diff<'_>, rest: &[Flag]) -> Vec<Flag> {
    let is_new = |name: &String| {
        rest.iter().any(|(flag, value)| *flag == "rename" && value.ends_with(&format!("={name}")))
    };
    let missing = diff.missing.iter().map(|(at, _)| *at).filter(|at| !diff.is_in_group(*at));
    let names = missing.filter_map(|at| text(&diff.wanted_name(at)));
    let names: BTreeSet<_> = names.filter(|name| !is_new(name)).collect();
    let all = wanted_names(diff);
    limited(
        patterns(&names, &all).into_iter().map(|pattern| ("missing", format!("{pattern}=like"))).collect(),
    )
}

/// Returns the ways to pair the layers of a group: in their order, with each choice of those that are new or gone; or by
/// shape.
fn ways(layers: &Layers) -> Vec<Attempt> {
    let Layers { have, want } = layers;
    let (few, many) = (have.len().min(want.len()), have.len().max(want.len()));
    let mut ways = Vec::new();
    if have.len() + 1 == want.len() {
        let new = |layer: &Layer| (layer.name.clone(), vec![("new", escape(&layer.name))]);
        let new = want.iter().take(WAYS).map(new);
        ways.extend(new.map(|(name, flags)| Attempt::new(flags, &format!("if {name} is new"))));
    }
    if many - few <= 1 && many <= WAYS {
        for left_out in 0..if many == few { 1 } else { many } {
            let keep = |side: &[Layer]| -> Vec<String> {
                let is_kept = |(at, _): &(usize, &Layer)| side.len() == few || *at != left_out;
                side.iter().enumerate().filter(is_kept).map(|(_, layer)| layer.name.clone()).collect()
            };
            ways.push(way(&keep(have), &keep(want), layers));
        }
    }
    // The layers whose shapes are there once on each side.
    let once =
        |side: &[Layer], layer: &Layer| side.iter().filter(|other| other.shape == layer.shape).count() == 1;
    let fitting = have.iter().filter(|layer| once(have, layer) && once(want, layer)).map(|layer| {
        let other = want.iter().find(|other| other.shape == layer.shape).map(|other| other.name.clone());
        (layer.name.clone(), other.unwrap_or_default())
    });
    let (old, new): (Vec<_>, Vec<_>) = fitting.unzip();
    ways.extend((!old.is_empty()).then(|| Attempt { is_last: true, ..way(&old, &new, layers) }));
    ways
}

/// Returns the flags that pair layers. Layers of WANT that are not paired are new, those of HAVE are gone.
fn way(have: &[String], want: &[String], all: &Layers) -> Attempt {
    let rest = |all: &[Layer], kept: &[String]| -> Vec<String> {
        all.iter().map(|layer| layer.name.clone()).filter(|name| !kept.contains(name)).collect()
    };
    let (gone, new) = (rest(&all.have, have), rest(&all.want, want));
    let pair = |(have, want): (&String, &String)| ("pair", format!("{}={}", escape(have), escape(want)));
    let news = new.iter().map(|name| ("new", escape(name)));
    let remarks: Vec<_> =
        [(&gone, "gone"), (&new, "new")].into_iter().filter_map(|(names, what)| said(names, what)).collect();
    let remark = if remarks.is_empty() { String::new() } else { format!("if {}", remarks.join(", and ")) };
    Attempt::new(have.iter().zip(want).map(pair).chain(news).collect(), &remark)
}

fn said(names: &[String], what: &str) -> Option<String> {
    let verb = if names.len() == 1 { "is" } else { "are" };
    (!names.is_empty()).then(|| format!("{} {verb} {what}", names.join(" and ")))
}

/// Returns patterns of exactly `names` among `all`.
fn patterns(names: &BTreeSet<String>, all: &[String]) -> Vec<String> {
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    advice::patterns(&names.iter().map(String::as_str).collect(), &all)
}

fn limited(flags: Vec<Flag>) -> Vec<Flag> {
    if flags.len() > MOST { vec![] } else { flags }
}

fn all_names<'v>(variables: impl Iterator<Item = &'v Variable>) -> Vec<String> {
    variables.filter_map(|variable| text(&variable.name)).collect()
}

/// Returns the names of WANT's variables that a pattern can match: as ckptfs shows them, and in the program's words.
fn wanted_names(diff: &Diff<'_>) -> Vec<String> {
    let variables = &diff.want.catalog.variables;
    let names = variables.iter().flat_map(|variable| [text(&variable.name), text(&words(variable))]);
    names.flatten().collect::<BTreeSet<_>>().into_iter().collect()
}

fn text(name: &Name) -> Option<String> {
    str::from_utf8(name.as_bytes()).ok().map(str::to_owned)
}
