//! The answers that need WANTED, what the program would itself save: the comparison with it, and how to write it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::catalog::{Catalog, Kind, Variable};
use crate::cli::commands::diff::by_map::{ByMap, by_map};
use crate::cli::commands::diff::trial::{Sides, Tried, commands};
use crate::cli::commands::fix::answer::{Answer, Mended};
use crate::cli::commands::fix::case::Case;
use crate::cli::flags::listing::Listing;
use crate::cli::flags::map_flags::MapFlags;
use crate::cli::output::terminal::counted;
use crate::diff::{Diff, words};
use crate::doctor::{Mend, Severity, examine};
use crate::failure::{Failure, Named, Treatment};
use crate::map::Flag;
use crate::name::{Name, flag, is_printable, listed, quoted};
use crate::source::word;
use crate::suggest::Confidence;
use crate::suggest::missing_name::{MissingName, infer};
use crate::tensor::Shape;

/// Answers what WANTED decides.
pub(crate) fn wanted(case: &Case) -> Answer {
    match &case.wanted {
        Some(wanted) => compared(case, wanted),
        None if case.has(Treatment::Wanted) => unknown(case),
        None => Answer::default(),
    }
}

/// Compares the checkpoint with WANTED.
fn compared(case: &Case, wanted: &Path) -> Answer {
    let Some(source) = case.source.as_deref() else {
        return Answer { mends: no_source(case), is_open: true, ..Answer::default() };
    };
    let sides = case.map.open_listing(source).and_then(|have| Ok((have, Listing::open(wanted)?)));
    let (have, want) = match sides {
        Ok(sides) => sides,
        Err(error) => return Answer { evidence: vec![format!("{error:#}")], ..Answer::default() },
    };
    let diff = Diff::new(&have.catalog, &want.catalog);
    let sides = Sides { have: source, want: wanted, map: &case.map };
    let tried = commands(&sides, &diff, &have, &want);
    let conditions: Vec<_> = tried.iter().filter(|tried| tried.remark.starts_with("if ")).collect();
    let is_choice =
        conditions.len() > 1 || conditions.iter().any(|tried| has_twin(&tried.map, &want.catalog));
    let found: Vec<_> = tried.iter().map(|tried| mended(case, tried, is_choice)).collect();
    let mended = if found.is_empty() { inferred(case, wanted, &diff).into_iter().collect() } else { found };
    let least = tried.iter().map(|tried| tried.restored.0).max();
    let is_open = !diff.is_fit() && (mended.is_empty() || least.is_some());
    let by_map = is_open.then(|| by_map(&sides, &have, &want, least.unwrap_or(0))).flatten();
    if let Some(ByMap { line, python, .. }) = by_map {
        let mends = [Mend::Command(line)].into_iter().chain(python.map(Mend::Python));
        return Answer { evidence: evidence(&diff), mends: mends.collect(), ..Answer::default() };
    }
    let look = Mend::Command(format!("ckptfs diff {} {}", word(source), word(wanted)));
    let fits = diff.is_equal();
    Answer { evidence: evidence(&diff), mended, mends: vec![look], is_open: !fits, ..Answer::default() }
}

/// Returns true if another layer of WANT has the same variables as one that flags call new. Then the flags may as well call
/// that one new.
fn has_twin(map: &MapFlags, want: &Catalog) -> bool {
    let mut layers: BTreeMap<String, Vec<(String, &Shape)>> = BTreeMap::new();
    for variable in &want.variables {
        let name = words(variable).to_string();
        let (layer, leaf) = name.rsplit_once('/').unwrap_or(("", &name));
        layers.entry(layer.to_owned()).or_default().push((leaf.to_owned(), &variable.tensor.shape));
    }
    let is_new = |layer: &str| {
        let end = layer.rsplit('/').next().unwrap_or(layer);
        map.typed().iter().any(|typed| *typed == flag("new", layer) || *typed == flag("new", end))
    };
    let new = layers.iter().filter(|(layer, _)| is_new(layer));
    new.into_iter().any(|(layer, variables)| {
        layers.iter().any(|(other, theirs)| other != layer && !is_new(other) && theirs == variables)
    })
}

/// Returns the flags that an inference from the wanted names finds, if they fit.
fn inferred(case: &Case, wanted: &Path, diff: &Diff<'_>) -> Option<Mended> {
    let weights = (0..diff.evidence.len()).filter(|at| diff.want.roles[*at].is_weight());
    let missing = weights.filter_map(|at| {
        let Variable { name, tensor, .. } = diff.want_variable(at);
        let name = str::from_utf8(name.as_bytes()).ok()?.to_owned();
        Some(MissingName { name, dtype: Some(tensor.dtype), shape: Some(tensor.shape.clone()) })
    });
    let proposals = infer(diff.have.catalog, &missing.collect::<Vec<_>>());
    let [proposal] = proposals.as_slice() else { return None };
    let like = [("like", wanted.to_str()?)];
    let found: Vec<_> = proposal.flags.iter().map(Flag::name_and_text).chain(like).collect();
    let mut mended = Mended::new(case, &found, proposal.confidence)?;
    case.apply(&mended.map)?;
    mended.remark = counted(proposal.variables, "variable");
    mended.doubt = proposal.doubt.clone();
    Some(mended)
}

fn mended(case: &Case, tried: &Tried, is_choice: bool) -> Mended {
    let old = case.map.typed().len();
    let flags = tried.map.typed().iter().skip(old).cloned().collect();
    let (restored, all) = tried.restored;
    let confidence = match (is_choice, tried.remark.is_empty()) {
        (true, _) => Confidence::Ambiguous,
        (false, true) => Confidence::Sure,
        (false, false) => Confidence::Likely,
    };
    let doubt = Some(tried.remark.clone()).filter(|remark| !remark.is_empty());
    let remark = format!("{restored} of {all} variables restored");
    Mended { map: tried.map.clone(), flags, words: Vec::new(), remark, confidence, doubt }
}

/// Returns the numbers of a comparison.
fn evidence(diff: &Diff<'_>) -> Vec<String> {
    let parts = [
        (diff.renamed.len(), "under another name"),
        (diff.other_shape.len(), "of another shape"),
        (diff.other_dtype.len(), "of another dtype"),
        (diff.missing.len(), "not in the checkpoint"),
        (diff.silent.len(), "that TensorFlow would restore wrongly without a word"),
    ];
    let said = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let said: Vec<_> = said.collect();
    let all = diff.evidence.len();
    match said.is_empty() {
        true => vec![format!("all {all} wanted variables fit")],
        false => vec![format!("of {}: {}", counted(all, "wanted variable"), said.join(", "))],
    }
}

/// Answers without WANTED: the evidence, and how to write it.
fn unknown(case: &Case) -> Answer {
    let catalog = case.open().map(|checkpoint| checkpoint.catalog);
    let failures = case.treated(Treatment::Wanted);
    let mut evidence = Vec::new();
    for failure in failures {
        let what = about(failure, catalog.as_ref());
        evidence.extend(what.into_iter().filter(|line| !evidence.contains(line)).collect::<Vec<_>>());
    }
    let described = ["wanted-object", "wanted-variable"].map(|id| case.described(id)).concat();
    let lines = described.iter().take(SHOWN).filter_map(|named| elsewhere(named, catalog.as_ref()?));
    evidence.extend(lines);
    let mut mends = built(case);
    mends.extend(how_to_write(case));
    Answer { evidence, mends, is_open: true, ..Answer::default() }
}

/// Returns the lines for a model that may not be built yet. Its variables take their values when it is built.
fn built(case: &Case) -> Vec<Mend> {
    if !case.failures.iter().any(|failure| failure.row.id == "unresolved-object") {
        return vec![];
    }
    let why = "a model takes its values when it is built, also after restore(): build it before assert_consumed(), and \
               keep a mount until then";
    vec![
        Mend::Advice(why.into()),
        Mend::Python("model(x)  # an input builds the model; then status.assert_consumed()".into()),
    ]
}

/// The maximum number of variables in the evidence.
const SHOWN: usize = 5;

/// Returns the evidence for a failure: its meaning, and the variables of the checkpoint that have the shape.
fn about(failure: &Failure, catalog: Option<&Catalog>) -> Vec<String> {
    let shape = failure.get("have").and_then(crate::failure::shape);
    let rows = failure
        .get("have")
        .filter(|_| failure.row.id == "row-out-of-range")
        .and_then(|rows| rows.parse().ok());
    let is_it = |variable: &&Variable| {
        let found = &variable.tensor.shape;
        shape.as_ref() == Some(found)
            || rows.is_some() && found.0.len() > 1 && found.0.first() == rows.as_ref()
    };
    let variables = catalog.iter().flat_map(|catalog| &catalog.variables).filter(is_it);
    let line = |variable: &Variable| {
        let shown = variable.full_name.as_ref().unwrap_or(&variable.name);
        format!("  {shown} {} is in the checkpoint", variable.tensor.shape)
    };
    let name = failure.variables().first().map(|named| format!("{}: ", Name::from(named.name.as_str())));
    let meaning = format!("{}{}", name.unwrap_or_default(), failure.row.meaning);
    [meaning].into_iter().chain(variables.take(SHOWN).map(line)).collect()
}

/// Returns the place of a variable that the checkpoint has under another path.
fn elsewhere(named: &Named, catalog: &Catalog) -> Option<String> {
    let name = Name::from(named.name.as_str());
    let shape = named.shape.as_ref().map(|shape| format!(" {shape}")).unwrap_or_default();
    let found = catalog.variables.iter().find(|variable| variable.full_name.as_ref() == Some(&name));
    Some(match found {
        Some(variable) if variable.name != name => format!("{name}{shape} is there, as {}", variable.name),
        Some(_) => format!("{name}{shape} is there"),
        None => format!("{name}{shape} is not there{}", alike(named, catalog)),
    })
}

/// Returns the variables that have the shape and the last component of a missing one.
fn alike(named: &Named, catalog: &Catalog) -> String {
    let leaf = |name: &str| name.rsplit('/').next().unwrap_or_default().trim_start_matches('_').to_owned();
    let wanted = leaf(&named.name);
    let is_alike = |variable: &&Variable| {
        named.shape.as_ref() == Some(&variable.tensor.shape) && leaf(&variable.name.to_string()) == wanted
    };
    let names: Vec<_> = catalog.variables.iter().filter(is_alike).map(|variable| &variable.name).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("; of its shape: {}", listed(&names, SHOWN)),
    }
}

/// Returns the lines that write WANTED, and the next command.
pub(crate) fn how_to_write(case: &Case) -> Vec<Mend> {
    if case.wanted.is_some() {
        return Vec::new();
    }
    let (api, file) = api(case);
    let advice =
        Mend::Advice("what the program wants decides; this prints the lines of Python that write it".into());
    let print = Mend::Command(format!("ckptfs want --{api}"));
    let then = Mend::Advice("put them into the program, run it, and compare".into());
    let compare = command(case, &format!(" --like {file}")).map(Mend::Command);
    [advice, print].into_iter().chain(compare.into_iter().flat_map(|line| [then.clone(), line])).collect()
}

/// Returns the lines for a case without a checkpoint.
pub(crate) fn no_source(case: &Case) -> Vec<Mend> {
    let help = match (&case.source, case.is_given) {
        (None, _) => "the text does not name the checkpoint; give it before -e".to_owned(),
        (Some(path), _) => format!("{} cannot be opened", Name::from(path.to_string_lossy().as_ref())),
    };
    // What doctor finds is as good as its command.
    let findings = case.source.as_deref().map(|path| examine(path, false)).unwrap_or_default();
    let mends = findings.into_iter().filter(|finding| finding.severity != Severity::Note);
    [Mend::Advice(help)].into_iter().chain(mends.flat_map(|finding| finding.mends)).collect()
}

/// Returns the way in which the program saves, and the file that it writes.
fn api(case: &Case) -> (&'static str, &'static str) {
    let is_keras = |failure: &Failure| {
        failure.row.treatment == Treatment::Keras
            || failure.row.id.starts_with("keras-")
            || ["layer-variables", "layer-count", "layers-not-loaded"].contains(&failure.row.id)
    };
    let of_objects =
        ["not-restored", "no-object-graph", "unbound-objects", "unresolved-object", "incompatible-tensor"];
    let is_of_objects = |failure: &Failure| of_objects.contains(&failure.row.id);
    let catalog = case.open().map(|checkpoint| checkpoint.catalog);
    let is_object_based = catalog.is_some_and(|catalog| catalog.kind() == Kind::ObjectBased);
    if case.failures.iter().any(is_keras) {
        ("keras", "wanted.weights.h5")
    } else if is_object_based || case.failures.iter().any(is_of_objects) {
        ("checkpoint", "wanted")
    } else {
        ("saver", "wanted.tsv")
    }
}

/// The maximum length of the words of the failures in a command.
const WORDS: usize = 2_000;

/// Returns the command that answers this case again, with more flags.
pub(crate) fn command(case: &Case, more: &str) -> Option<String> {
    let source = word(case.source.as_deref()?);
    let failures: Vec<_> = case.failures.iter().map(|failure| failure.words.as_str()).collect();
    let error = match failures.is_empty() {
        true => String::new(),
        false => format!(" -e {}", quoted(&failures.join("; "))),
    };
    let flags: String = case.map.typed().iter().map(|flag| format!(" {flag}")).collect();
    let like = case.wanted.as_deref().map(|wanted| format!(" {}", flag("like", &wanted.to_string_lossy())));
    let line = format!("ckptfs fix {source}{error}{flags}{}{more}", like.unwrap_or_default());
    (is_printable(&line) && error.len() <= WORDS).then_some(line)
}
