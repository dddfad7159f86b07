//! The answers about paths and files, which `doctor` examines.

use std::path::PathBuf;

use crate::cli::commands::fix::answer::{Answer, Mended};
use crate::cli::commands::fix::case::{Case, path_of};
use crate::cli::commands::fix::wanted;
use crate::doctor::{ChecksumOwner, Finding, Mend, Severity, examine, variable_with_checksum};
use crate::failure::Treatment;
use crate::name::{printable, without_controls};
use crate::source::word;
use crate::suggest::Confidence;

/// Answers failures about paths, state files, rights and files that are not whole.
pub(crate) fn paths(case: &Case) -> Answer {
    let mut answer = Answer::default();
    if !case.has(Treatment::Path) {
        return answer;
    }
    let named = case.treated(Treatment::Path).filter_map(path_of);
    let mut paths: Vec<PathBuf> = named.chain(case.source.clone().filter(|_| case.is_given)).collect();
    paths.dedup();
    answer.evidence.extend(case.treated(Treatment::Path).map(|failure| failure.row.meaning.to_owned()));
    answer.evidence.dedup();
    let findings: Vec<_> = paths.iter().flat_map(|path| examine(path, false)).collect();
    let is_wrong = |finding: &&Finding| finding.severity != Severity::Note;
    let mut wrong: Vec<_> = findings.iter().filter(is_wrong).collect();
    if wrong.is_empty() {
        wrong = findings.iter().collect();
    }
    for Finding { evidence, mends, .. } in wrong {
        let lines = evidence.lines().map(without_controls);
        let new: Vec<_> = lines.filter(|line| !answer.evidence.contains(line)).collect();
        answer.evidence.extend(new);
        answer
            .mends
            .extend(mends.iter().filter(|mend| !answer.mends.contains(mend)).cloned().collect::<Vec<_>>());
    }
    if paths.is_empty() {
        let look = "print(tf.train.latest_checkpoint(directory)) shows whether the directory is right";
        answer.mends.push(Mend::Advice(look.into()));
        answer.mends.push(Mend::Advice("give the directory to ckptfs: `ckptfs doctor DIRECTORY`".into()));
    }
    answer
}

/// Answers checksums that do not match: the variable that has the checksum.
pub(crate) fn checksums(case: &Case) -> Answer {
    let mut answer = Answer::default();
    for failure in case.treated(Treatment::Checksum) {
        let stored = failure.get("stored").and_then(|stored| stored.parse().ok());
        let Some((stored, path)) = stored.zip(path_of(failure).or_else(|| case.source.clone())) else {
            continue;
        };
        let owners: Vec<_> = [Some(path), case.source.clone()]
            .into_iter()
            .flatten()
            .map(|path| variable_with_checksum(&path, stored))
            .find(|owners| !owners.is_empty())
            .unwrap_or_default();
        if owners.is_empty() {
            answer.evidence.push(format!("no variable has the checksum {stored}"));
        }
        // If none is damaged now, the bytes were damaged on the way.
        let damaged: Vec<_> = owners.iter().filter(|owner| !owner.is_intact).collect();
        let shown = if damaged.is_empty() { owners.iter().take(1).collect() } else { damaged };
        for owner in shown {
            answer.evidence.push(belongs(owner, stored));
            answer.mends.extend(owner.mends.clone());
        }
    }
    if case.has(Treatment::Checksum) && answer.evidence.is_empty() {
        answer.mends = wanted::no_source(case);
        answer.is_open = true;
    }
    answer
}

fn belongs(owner: &ChecksumOwner, stored: u32) -> String {
    let ChecksumOwner { prefix, name, shape, range, is_intact, .. } = owner;
    let at = range.as_ref().map(|(_, at, len)| format!(" (bytes {at} … {} of the data file)", at + len));
    let state = if *is_intact { "sound on this disk: read it again" } else { "damaged on disk" };
    let prefix = printable(prefix.to_string_lossy().as_bytes());
    format!("{stored} belongs to {name} {shape} of {prefix}{}: {state}", at.unwrap_or_default())
}

/// Answers files that this version of Keras does not load: a mount shows the weights as a file that it loads.
pub(crate) fn keras(case: &Case) -> Answer {
    let mut answer = Answer::default();
    let failures: Vec<_> = case.treated(Treatment::Keras).collect();
    answer.evidence.extend(failures.iter().map(|failure| failure.row.meaning.to_owned()));
    let (Some(first), true) = (failures.first(), case.wanted.is_none()) else { return Answer::default() };
    let Some((checkpoint, source)) = case.open().zip(case.source.as_deref()) else {
        answer.mends = wanted::no_source(case);
        answer.is_open = true;
        return answer;
    };
    let stem = printable(checkpoint.prefix.stem.to_string_lossy().as_bytes());
    let (words, file, by_name): (&[_], _, _) = match first.row.id {
        "unknown-object" => (&[], "model.weights.h5", ""),
        "unknown-argument" => (&[("h5-layout", "legacy")], "model.h5", ", by_name=True"),
        _ => {
            answer.mends = wanted::how_to_write(case);
            answer.is_open = true;
            return answer;
        }
    };
    let mended = Mended::new(case, words, Confidence::Sure);
    if let Some(mended) = mended.filter(|mended| case.apply(&mended.map).is_some()) {
        let flags: String = mended.map.typed().iter().map(|flag| format!(" {flag}")).collect();
        answer.mends.push(Mend::Command(format!("mkdir -p m && ckptfs mount {} m{flags}", word(source))));
        answer.mends.push(Mend::Python(format!("model.load_weights(\"m/{stem}/{file}\"{by_name})")));
    }
    answer
}
