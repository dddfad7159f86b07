//! The report as JSON.

use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};

use crate::cli::commands::diff::Report;
use crate::cli::commands::diff::text::parameters;
use crate::diff::groups::Layer;
use crate::diff::restore::Stop;
use crate::diff::silent::Wrong;
use crate::diff::unexpected::{KINDS, kind};
use crate::diff::{Diff, silent};
use crate::op::value_diff::ValueDiff;

/// Prints the report.
pub(super) fn print(report: &Report<'_>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, &object(report))?;
    writeln!(out)?;
    out.flush()
}

fn object(report: &Report<'_>) -> Value {
    let diff = report.diff;
    let (matched, wanted) = parameters(diff);
    let list =
        |all: &[usize], one: &dyn Fn(usize) -> Value| all.iter().map(|at| one(*at)).collect::<Vec<_>>();
    let mut object = json!({
        "have": report.have.name,
        "want": report.want.name,
        "equal": report.is_equal(),
        "wanted": diff.evidence.len(),
        "matched": diff.matched().count(),
        "parameters": json!({ "matched": number(matched), "wanted": number(wanted) }),
        "renamed": list(&diff.renamed, &|at| renamed(diff, at)),
        "other_shape": diff.other_shape.iter().map(|(at, meaning)| other_shape(diff, *at, meaning)).collect::<Vec<_>>(),
        "other_dtype": list(&diff.other_dtype, &|at| other_dtype(diff, at)),
        "missing": diff.missing.iter().map(|(at, names)| missing(diff, *at, names)).collect::<Vec<_>>(),
        "unexpected": list(&diff.unexpected, &|at| unexpected(diff, at)),
        "layers": diff.layers.iter().map(|it| json!({ "have": layers(&it.have), "want": layers(&it.want) })).collect::<Vec<_>>(),
        "restored_by": diff.restore.as_ref().map(|restore| restore.api.words().call),
        "assert_consumed": diff.restore.as_ref().map(|restore| restore.is_consumed),
        "stops": stops(diff),
        "silent": diff.silent.iter().map(|wrong| wrongly(diff, wrong)).collect::<Vec<_>>(),
        "commands": report.commands.iter().map(|tried| json!({
            "command": tried.line, "restored": tried.restored.0, "remark": tried.remark,
        })).collect::<Vec<_>>(),
    });
    if let Some(values) = &report.values {
        let one = |(at, found): &(usize, ValueDiff)| {
            let mut object = measured(found);
            object["name"] = diff.want_variable(*at).name.to_string().into();
            object
        };
        let mut all = measured(&values.all);
        all["variables"] = values.pairs.iter().map(one).collect::<Vec<_>>().into();
        object["values"] = all;
    }
    object
}

/// Returns a number that JSON's readers may hold as a float64.
fn number(count: u128) -> Value {
    u64::try_from(count).map_or_else(|_| Value::from(count as f64), Value::from)
}

/// Returns the name of a wanted variable: as ckptfs shows it, and in the words of its program.
fn named(diff: &Diff<'_>, at: usize) -> Value {
    json!({ "name": diff.want_variable(at).name.to_string(), "program_name": diff.wanted_name(at).to_string() })
}

fn own(diff: &Diff<'_>, at: Option<usize>) -> Value {
    at.map_or(Value::Null, |at| diff.have_variable(at).name.to_string().into())
}

fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn renamed(diff: &Diff<'_>, at: usize) -> Value {
    let evidence = &diff.evidence[at];
    let more = json!({ "from": own(diff, evidence.have), "reason": evidence.reason, "certain": evidence.is_certain });
    with(named(diff, at), more)
}

fn other_shape(diff: &Diff<'_>, at: usize, meaning: &str) -> Value {
    let have = diff.evidence[at].have;
    let old = have.map(|have| diff.have.shapes[have].0.clone());
    with(
        named(diff, at),
        json!({ "from": own(diff, have), "shape": diff.want.shapes[at].0, "from_shape": old, "meaning": meaning }),
    )
}

fn other_dtype(diff: &Diff<'_>, at: usize) -> Value {
    let have = diff.evidence[at].have;
    let old = have.map(|have| diff.have_variable(have).tensor.dtype.name());
    let dtype = diff.want_variable(at).tensor.dtype.name();
    with(named(diff, at), json!({ "from": own(diff, have), "dtype": dtype, "from_dtype": old }))
}

fn missing(diff: &Diff<'_>, at: usize, candidates: &[String]) -> Value {
    let dtype = diff.want_variable(at).tensor.dtype.name();
    with(
        named(diff, at),
        json!({ "dtype": dtype, "shape": diff.want.shapes[at].0, "candidates": candidates }),
    )
}

fn unexpected(diff: &Diff<'_>, at: usize) -> Value {
    let variable = diff.have_variable(at);
    json!({
        "name": variable.name.to_string(),
        "program_name": diff.own_name(at).to_string(),
        "dtype": variable.tensor.dtype.name(),
        "shape": variable.tensor.shape.0,
        "kind": KINDS[kind(diff, at)].0,
    })
}

fn layers(layers: &[Layer]) -> Value {
    layers.iter().map(|layer| layer.name.clone()).collect::<Vec<_>>().into()
}

fn stops(diff: &Diff<'_>) -> Vec<Value> {
    let one = |(at, stop)| {
        let (error, from) = match stop {
            Stop::NoKey => ("key", None),
            Stop::Shape(from) => ("shape", Some(from)),
            Stop::Dtype(from) => ("dtype", Some(from)),
        };
        with(named(diff, at), json!({ "error": error, "from": own(diff, from) }))
    };
    diff.restore.iter().flat_map(|restore| restore.stops()).map(one).collect()
}

fn wrongly(diff: &Diff<'_>, wrong: &Wrong) -> Value {
    let kind = silent::KINDS.iter().find(|(_, kind)| *kind == wrong.kind).map(|(word, _)| *word);
    let right = diff.evidence[wrong.at].have.filter(|_| wrong.is_certain);
    let more = json!({ "kind": kind, "from": own(diff, wrong.from), "right": own(diff, right), "certain": wrong.is_certain });
    with(named(diff, wrong.at), more)
}

fn measured(found: &ValueDiff) -> Value {
    let norm = found.relative_norm();
    json!({
        "elements": found.elements,
        "share_equal": found.share_equal(),
        "max_abs": finite(found.max_abs),
        "relative_norm": finite(norm),
        "nan_have": found.nan[0],
        "nan_want": found.nan[1],
    })
}

/// Returns a number, or `"inf"`, for which JSON has no number.
fn finite(number: f64) -> Value {
    if number.is_finite() { number.into() } else { "inf".into() }
}
