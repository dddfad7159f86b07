//! The answers that the checkpoint alone can give: to missing names, other dtypes, and a missing object graph.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, Kind};
use crate::cli::commands::fix::answer::{Answer, Mended};
use crate::cli::commands::fix::case::Case;
use crate::cli::commands::fix::wanted;
use crate::cli::output::terminal::counted;
use crate::dtype::Dtype;
use crate::failure::{Failure, Named, Treatment};
use crate::map::Flag;
use crate::name::{Name, near_names};
use crate::slot_names;
use crate::suggest::Confidence;
use crate::suggest::missing_name::{MissingName, Proposal, infer};
use crate::transform::like::advice;

/// Answers missing names and other dtypes by flags.
pub(crate) fn names(case: &Case) -> Answer {
    let treatments = [Treatment::MissingName, Treatment::Dtype, Treatment::Graph];
    if case.wanted.is_some()
        || !treatments.iter().any(|treatment| case.has(*treatment)) && looked_up(case).is_empty()
    {
        return Answer::default();
    }
    let Some(checkpoint) = case.open() else { return unopened(case) };
    let catalog = &checkpoint.catalog;
    let (mut answer, missing) = (Answer::default(), missing(case));
    let proposals = infer(catalog, &missing);
    let casts = casts(case, catalog);
    let graph = case.has(Treatment::Graph) && catalog.kind() == Kind::NameBased;
    let target = if graph { vec![("target", "object".to_owned())] } else { vec![] };
    for proposal in &proposals {
        answer.evidence.extend(proposal.evidence.lines().map(str::to_owned));
        answer.mended.extend(mended(case, Some(proposal), &casts, &target, &missing));
    }
    if proposals.is_empty() && (!casts.is_empty() || graph) {
        answer.mended.extend(mended(case, None, &casts, &target, &[]));
    }
    answer.evidence.extend(cast_evidence(case));
    answer.evidence.extend(case.treated(Treatment::Graph).map(|failure| failure.row.meaning.to_owned()));
    if proposals.is_empty() && !missing.is_empty() {
        answer.evidence.extend(unknown(catalog, &missing));
    }
    if answer.chosen().is_none() {
        answer.mends.extend(wanted::how_to_write(case));
        answer.is_open = true;
    }
    answer
}

/// Answers a case whose checkpoint is unknown, or cannot be opened.
fn unopened(case: &Case) -> Answer {
    let named = missing(case).into_iter().map(|missing| Name::from(missing.name.as_str()).to_string());
    let evidence = named.take(SHOWN).map(|name| format!("{name} is not there"));
    Answer {
        evidence: evidence.collect(),
        mends: wanted::no_source(case),
        is_open: true,
        ..Answer::default()
    }
}

/// The maximum number of names in the evidence.
const SHOWN: usize = 5;

/// Returns the names that the program wants and the checkpoint does not have.
fn missing(case: &Case) -> Vec<MissingName> {
    let named = case.treated(Treatment::MissingName).flat_map(Failure::variables).chain(looked_up(case));
    let missing = |named: Named| MissingName { name: named.name, dtype: None, shape: named.shape };
    let mut seen = BTreeSet::new();
    named.filter(|named| seen.insert(named.name.clone())).map(missing).collect()
}

/// Returns the variables of Keras 2 and tf.Module that were looked up by their names in a name-based checkpoint.
fn looked_up(case: &Case) -> Vec<Named> {
    let is_by_name = case.failures.iter().any(|failure| failure.row.id == "not-restored");
    let is_named = |named: &Named| named.name != "Variable";
    let described = if is_by_name { case.described("wanted-variable") } else { Vec::new() };
    described.into_iter().filter(is_named).collect()
}

/// Returns the flags of a proposal with the casts, if they fit the checkpoint together.
fn mended(
    case: &Case,
    proposal: Option<&Proposal>,
    casts: &[(&'static str, String)],
    target: &[(&'static str, String)],
    missing: &[MissingName],
) -> Option<Mended> {
    let flags = proposal.map_or(&[][..], |proposal| &proposal.flags);
    let found = flags
        .iter()
        .map(Flag::name_and_text)
        .chain(casts.iter().chain(target).map(|(name, value)| (*name, value.as_str())));
    let words: Vec<_> = found.collect();
    let confidence = proposal.map_or(Confidence::Sure, |proposal| proposal.confidence);
    let mut mended = Mended::new(case, &words, confidence)?;
    let catalog = case.apply(&mended.map)?;
    let gives = |missing: &&MissingName| catalog.variable(missing.name.as_bytes()).is_some();
    let count = missing.iter().filter(gives).count();
    if proposal.is_some() && count == 0 {
        return None;
    }
    if let Some(proposal) = proposal {
        mended.doubt = proposal.doubt.clone();
        mended.remark = counted(proposal.variables, "variable");
        if proposal.slots > 0 {
            mended.remark += &format!(" ({} with them)", counted(proposal.slots, "optimizer slot"));
        }
    }
    Some(mended)
}

/// TensorFlow's other names for dtypes.
const DTYPES: &[(&str, &str)] = &[("half", "float16"), ("float", "float32"), ("double", "float64")];

fn dtype(word: &str) -> Option<Dtype> {
    let name = DTYPES.iter().find(|(other, _)| *other == word).map_or(word, |(_, name)| *name);
    Dtype::written(name)
}

/// Returns the casts that the failures ask for.
fn casts(case: &Case, catalog: &Catalog) -> Vec<(&'static str, String)> {
    let mut by_dtype: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for failure in case.treated(Treatment::Dtype) {
        let wanted = failure.get("want").and_then(dtype);
        for named in
            failure.variables().iter().filter(|named| catalog.variable(named.name.as_bytes()).is_some())
        {
            by_dtype.entry(wanted.map_or("", |dtype| dtype.name())).or_default().insert(named.name.clone());
        }
    }
    let names = catalog.variables.iter().filter_map(|variable| str::from_utf8(variable.name.as_bytes()).ok());
    let all: Vec<_> = names.collect();
    let flags = by_dtype.iter().filter(|(dtype, _)| !dtype.is_empty()).flat_map(|(dtype, names)| {
        let patterns = patterns(catalog, &names.iter().map(String::as_str).collect(), &all);
        patterns.into_iter().map(move |pattern| ("cast", format!("{pattern}={dtype}")))
    });
    flags.collect()
}

/// Returns patterns for exactly these names. `**` is enough if all others have integers, which a cast to a floating-point
/// dtype leaves as they are.
fn patterns(catalog: &Catalog, names: &BTreeSet<&str>, all: &[&str]) -> Vec<String> {
    let is_float = |name: &str| {
        catalog
            .variable(name.as_bytes())
            .is_some_and(|variable| variable.tensor.dtype.name().contains("float"))
    };
    match all.iter().all(|name| is_float(name) == names.contains(name)) && names.len() > 1 {
        true => vec!["**".to_owned()],
        false => advice::patterns(names, all),
    }
}

fn cast_evidence(case: &Case) -> Vec<String> {
    let all: Vec<_> = case.treated(Treatment::Dtype).collect();
    let line = |failure: &&Failure| {
        let name = Name::from(failure.get("key").unwrap_or_default());
        let [want, have] = ["want", "have"].map(|group| failure.get(group).unwrap_or_default());
        format!("{name} is {have}, and the program wants {want}")
    };
    let more = all.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("… and {more} more of another dtype"));
    all.iter().take(SHOWN).map(line).chain(more).collect()
}

/// Returns the evidence for names that nothing in the checkpoint is like.
fn unknown(catalog: &Catalog, missing: &[MissingName]) -> Vec<String> {
    let names: Vec<_> = catalog.variables.iter().map(|variable| variable.name.as_bytes()).collect();
    let line = |missing: &MissingName| {
        let name = Name::from(missing.name.as_str());
        let all: Vec<_> = names.iter().copied().chain([missing.name.as_bytes()]).collect();
        let is_slot = slot_names::is_optimizer_number(missing.name.as_bytes())
            || slot_names::slots(&all).pop().flatten().is_some();
        if catalog.variable(missing.name.as_bytes()).is_some() {
            return format!("{name} is there: the program reads another checkpoint");
        }
        if is_slot {
            return format!("{name} is not there: the checkpoint has no such state of an optimizer");
        }
        match near_names(&missing.name, &names).as_slice() {
            [] => format!("{name} is not there, and nothing is like it"),
            near => format!("{name} is not there; nearest by spelling: {}", near.join(", ")),
        }
    };
    missing.iter().take(SHOWN).map(line).collect()
}
