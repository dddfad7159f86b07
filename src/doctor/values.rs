//! The examination of all values: their checksums, and numbers that are not finite.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::Variable;
use crate::checksums::{Verdict, audit};
use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::{Progress, Watch, repair};
use crate::map::diagnostic::counted;
use crate::op::value_audit::{audit_values, audited_len};
use crate::source::{Checkpoint, Located, shown};
use crate::source_file::SourceFile;
use crate::tensor::Tensor;

/// The maximum number of variables that are listed.
const LISTED: usize = 20;

/// Reads the values of a checkpoint, if a function watches.
pub(super) fn examine(located: &Located, checkpoint: &Checkpoint, watch: Option<Watch>) -> Vec<Finding> {
    let Some(watch) = watch else { return Vec::new() };
    let read = |bytes: u64| watch(Progress::Read(bytes));
    let variables = checkpoint.catalog.stored();
    let tensors: Vec<_> = variables.iter().map(|variable| variable.tensor.clone()).collect();
    watch(Progress::More(tensors.iter().map(|tensor| tensor.len()).sum()));
    let verdicts = audit(&tensors, &read);
    let path = shown(&checkpoint.prefix.path());
    let unrecorded = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Unrecorded)).count();
    let damaged = variables.into_iter().zip(verdicts).filter_map(|(variable, verdict)| match verdict {
        Verdict::Damaged(error) => Some((variable, error.to_string())),
        _ => None,
    });
    let damaged: Vec<_> = damaged.collect();
    if !damaged.is_empty() {
        return vec![of_damage(located, checkpoint, &damaged)];
    }
    let all = counted(tensors.len(), "value");
    let without = if unrecorded == 0 { String::new() } else { format!("; {unrecorded} have none") };
    let intact =
        finding("values-intact", format!("{path}: all {all} match their checksums{without}."), Vec::new());
    let tensors: Vec<_> =
        checkpoint.catalog.variables.iter().map(|variable| variable.tensor.clone()).collect();
    not_finite(checkpoint, &tensors, watch).into_iter().chain([intact]).collect()
}

/// Makes one note of those about several checkpoints of a directory whose values are intact.
pub(super) fn join(findings: &mut Vec<Finding>, dir: &Path) {
    let is_intact = |finding: &Finding| finding.id == "values-intact";
    let count = findings.iter().filter(|finding| is_intact(finding)).count();
    if count > 1 {
        findings.retain(|finding| !is_intact(finding));
        let evidence = format!("{}: all values of {count} checkpoints match their checksums.", shown(dir));
        findings.push(finding("values-intact", evidence, Vec::new()));
    }
}

fn of_damage(located: &Located, checkpoint: &Checkpoint, damaged: &[(Variable, String)]) -> Finding {
    let variables: Vec<_> = damaged.iter().map(|(variable, _)| variable.clone()).collect();
    let line = |(variable, error): &(Variable, String)| {
        format!("\n{}: {error}{}{}", described(variable), place(&variable.tensor), stored(&variable.tensor))
    };
    let lines: String = damaged.iter().take(LISTED).map(line).collect();
    let more = damaged.len().saturating_sub(LISTED);
    let more = if more == 0 { String::new() } else { format!("\nand {more} more") };
    let path = shown(&checkpoint.prefix.path());
    let values = counted(damaged.len(), "value");
    let evidence = format!(
        "{path}: {values} changed after saving. TensorFlow calls that \"Checksum does not match\".{lines}{more}"
    );
    let mut mends = repair::mends(located, checkpoint, &variables, true);
    mends.push(Mend::Advice("or copy the data files again from where they were saved".into()));
    finding("values-damaged", evidence, mends)
}

/// Returns a variable as `m/k [300, 4]`.
fn described(variable: &Variable) -> String {
    format!("{} {}", variable.name, variable.tensor.shape)
}

/// Returns the place where a value is stored: `, bytes 8 … 4808 of ckpt-3.data-00000-of-00001`.
fn place(tensor: &Tensor) -> String {
    let ranges = tensor.ranges();
    let place = |(file, at, len): &(&Arc<SourceFile>, u64, u64)| {
        format!(", bytes {at} … {} of {}", at.saturating_add(*len), file.name())
    };
    ranges.first().map(place).unwrap_or_default()
}

/// Returns the recorded checksum as TensorFlow prints it.
fn stored(tensor: &Tensor) -> String {
    tensor.crc32c.map_or_else(String::new, |masked| format!(" (\"stored {}\")", masked.unmask()))
}

fn not_finite(checkpoint: &Checkpoint, tensors: &[Arc<Tensor>], watch: Watch) -> Option<Finding> {
    watch(Progress::More(audited_len(tensors)));
    let audits = audit_values(tensors, &|bytes: u64| watch(Progress::Read(bytes)));
    let audits = checkpoint.catalog.variables.iter().zip(audits);
    let odd = audits.filter(|(_, audit)| audit.nan + audit.infinite > 0);
    let lines = odd.map(|(variable, audit)| {
        format!("\n{}: {} NaN, {} inf", described(variable), audit.nan, audit.infinite)
    });
    let lines: Vec<_> = lines.collect();
    let listed: String = lines.iter().take(LISTED).cloned().collect();
    let path = shown(&checkpoint.prefix.path());
    let evidence =
        format!("{path}: numbers that are not finite, in {}{listed}", counted(lines.len(), "variable"));
    let earlier =
        Mend::Advice("the training diverged before this step: look for an earlier one without them".into());
    (!lines.is_empty()).then(|| finding("not-finite", evidence, vec![earlier]))
}
