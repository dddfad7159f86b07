//! The check of the value plans against the tensors' dtypes and shapes. No data is read.

pub(crate) mod warnings;

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::Variable;
use crate::dtype::{Dtype, Value};
use crate::map::Map;
use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::ops::WrittenOp;
use crate::map::ops::error::OpError;
use crate::map::ops::files::Files;
use crate::map::ops::resolve::OpInput;
use crate::map::rule::{NewValue, Rule};
use crate::op;
use crate::op::{Fill, Op};
use crate::remap::steps::{Input, Output, Scope, Step, ValuePlan};
use crate::remap::values::warnings::ValueWarnings;
use crate::tensor::Tensor;

/// The number of variables that a message names before "and N more".
const SHOWN: usize = 5;

/// The builder of the tensors of a plan. It records the mismatches.
pub(crate) struct Values<'a> {
    map: &'a Map,
    variables: &'a [Variable],
    files: Files,
    /// The results of inputs, cached because several values may share an input.
    done: HashMap<Input, Option<Arc<Tensor>>>,
    /// The parts of each split value, by its input.
    split: HashMap<Input, Option<Vec<Arc<Tensor>>>>,
    mismatches: Vec<ValueMismatch>,
    /// The index of each mismatch, by its place and message.
    known: HashMap<(String, usize, String), usize>,
    /// The variables that a cast of everything does not change.
    spared: Vec<(WrittenOp, String)>,
    doubtful: ValueWarnings,
}

/// A value that does not fit, and the variables that it concerns.
struct ValueMismatch {
    fault: OpError,
    of: Vec<String>,
}

impl<'a> Values<'a> {
    pub(crate) fn new(map: &'a Map, variables: &'a [Variable]) -> Self {
        let (files, done, split, rejected, known, spared) = Default::default();
        let doubtful = ValueWarnings::default();
        Self { map, variables, files, done, split, mismatches: rejected, known, spared, doubtful }
    }

    /// Returns the tensor of a value. `None` if it is impossible; the reason is then recorded.
    pub(crate) fn tensor(&mut self, derived: &ValuePlan) -> Option<Arc<Tensor>> {
        match derived.end {
            Output::Whole => self.input(derived.inputs.first()?),
            Output::Part(rule, part) => {
                self.parts(derived.inputs.first()?, self.map.rule(rule))?.get(part).cloned()
            }
            Output::Joined(rule) => self.joined(&derived.inputs, self.map.rule(rule)),
            Output::Created(rule) => {
                let Some(NewValue::Create(creation)) = &self.map.rule(rule).new_value else { return None };
                let tensor = creation.tensor(&self.files);
                tensor.map(Arc::new).map_err(|fault| self.mismatch(fault, None)).ok()
            }
        }
    }

    /// Reports all mismatches as errors, and doubtful changes as warnings. Returns the warnings about casts to a dtype
    /// with a narrower range.
    pub(crate) fn finish(self, errors: &mut Errors, warnings: &mut Errors) -> Errors {
        for ValueMismatch { fault, of } in self.mismatches {
            let error = Error::new(Kind::Value, &fault.span, fault.what).helps(fault.help);
            errors.push(if of.is_empty() { error } else { error.note(format!("for {}", list(&of))) });
        }
        if let Some((op, _)) = self.spared.first() {
            let names: Vec<_> = self.spared.iter().map(|(_, name)| name.clone()).collect();
            let what = "a cast of everything leaves what holds no fractions as it is";
            let error = Error::new(Kind::Value, &op.span, what).note(list(&names));
            warnings.push(error.help("a pattern other than `**` casts everything that it matches").warning());
        }
        self.doubtful.finish(warnings)
    }

    /// Applies the steps of an input to its source value.
    fn input(&mut self, input: &Input) -> Option<Arc<Tensor>> {
        if let Some(done) = self.done.get(input) {
            return done.clone();
        }
        let mut tensor = Some(self.variables[input.source].tensor.clone());
        for step in &input.steps {
            for op in &self.map.rule(step.rule).ops {
                if has_ops_of(op, step.scope) {
                    tensor = tensor.and_then(|tensor| self.step(input.source, *step, op, tensor));
                }
            }
        }
        self.done.insert(input.clone(), tensor.clone());
        tensor
    }

    fn step(
        &mut self,
        source: usize,
        step: Step,
        op: &WrittenOp,
        tensor: Arc<Tensor>,
    ) -> Option<Arc<Tensor>> {
        let rule = self.map.rule(step.rule);
        if tensor.damage().is_some() {
            return Some(tensor);
        }
        if rule.means_all() && is_spared(op, &tensor, &self.files) {
            self.spared.push((op.clone(), shown(&self.variables[source])));
            return Some(tensor);
        }
        let met = OpInput { dtype: tensor.dtype, dims: &tensor.shape.0, files: &self.files };
        let resolved = op.resolve(&met).map(|op| emptied(op, step.scope));
        if let (Ok(resolved), Scope::All) = (&resolved, step.scope) {
            self.doubtful.record(op, resolved, &tensor, || shown(&self.variables[source]));
        }
        let made = resolved.and_then(|resolved| match resolved {
            Op::Cast { dtype, .. } if dtype == tensor.dtype => Ok(tensor.clone()),
            resolved => resolved.apply(&tensor).map(Arc::new).map_err(|what| OpError::new(&op.span, what)),
        });
        made.map_err(|fault| self.mismatch(fault, Some(self.at(source, &tensor)))).ok()
    }

    /// Returns the parts of a value that a rule splits.
    fn parts(&mut self, input: &Input, rule: &Rule) -> Option<Vec<Arc<Tensor>>> {
        if let Some(parts) = self.split.get(input) {
            return parts.clone();
        }
        let tensor = self.input(input)?;
        let Some(NewValue::Split(division)) = &rule.new_value else { return None };
        if tensor.damage().is_some() {
            return Some(vec![tensor; rule.targets.len()]);
        }
        let dims = &tensor.shape.0;
        let parts = || {
            let (axis, sizes) = (division.axis(dims.len())?, division.sizes(dims, rule.targets.len())?);
            let layout = division.layout(dims)?;
            let parts = op::split(&tensor, axis, &sizes, &layout);
            parts.map_err(|what| OpError::new(division.place(), what))
        };
        let parts = parts().map(|parts| parts.into_iter().map(Arc::new).collect::<Vec<_>>());
        let parts = parts.map_err(|fault| self.mismatch(fault, Some(self.at(input.source, &tensor)))).ok();
        self.split.insert(input.clone(), parts.clone());
        parts
    }

    fn joined(&mut self, inputs: &[Input], rule: &Rule) -> Option<Arc<Tensor>> {
        let tensors: Vec<_> = inputs.iter().map(|input| self.input(input)).collect();
        let tensors = tensors.into_iter().collect::<Option<Vec<_>>>()?;
        let Some(NewValue::Join(division)) = &rule.new_value else { return None };
        if let Some(damaged) = tensors.iter().find(|tensor| tensor.damage().is_some()) {
            return Some(damaged.clone());
        }
        let joined = || {
            let dims = &tensors.first().ok_or_else(|| OpError::new(rule.span(), "nothing to join"))?.shape.0;
            let (axis, layout) = (division.axis(dims.len())?, division.layout(dims)?);
            if let Some(what) = shape_mismatch(&tensors, axis) {
                return Err(OpError::new(rule.span(), what));
            }
            let joined = op::join(&tensors, axis, &layout);
            joined.map_err(|what| OpError::new(division.place(), what))
        };
        joined().map(Arc::new).map_err(|fault| self.mismatch(fault, Some(self.all(inputs, &tensors)))).ok()
    }

    fn mismatch(&mut self, fault: OpError, of: Option<String>) {
        let place = &fault.span;
        let key = (place.file().to_owned(), place.span.start, fault.what.clone());
        let at = *self.known.entry(key).or_insert(self.mismatches.len());
        if at == self.mismatches.len() {
            self.mismatches.push(ValueMismatch { fault, of: vec![] });
        }
        self.mismatches[at].of.extend(of);
    }

    /// Like `described`, with the present shape and dtype if earlier steps changed them.
    fn at(&self, source: usize, tensor: &Tensor) -> String {
        let own = &self.variables[source].tensor;
        match (own.dtype, &own.shape) == (tensor.dtype, &tensor.shape) {
            true => shown(&self.variables[source]),
            false => {
                format!(
                    "{}, which is {} {} by then",
                    shown(&self.variables[source]),
                    tensor.shape,
                    tensor.dtype
                )
            }
        }
    }

    fn all(&self, inputs: &[Input], tensors: &[Arc<Tensor>]) -> String {
        let all = inputs.iter().zip(tensors).map(|(input, tensor)| self.at(input.source, tensor));
        all.collect::<Vec<_>>().join(" with ")
    }
}

fn has_ops_of(op: &WrittenOp, scope: Scope) -> bool {
    scope == Scope::All || op.is_layout()
}

/// Replaces the fill of a new element by zero if the scope requires it. A mean stays a mean.
fn emptied(op: Op, scope: Scope) -> Op {
    const ZERO: Fill = Fill::Value(0.0);
    let zeros = scope == Scope::Layout { zeros: true };
    match op {
        Op::Pad { shape, fill } if zeros && fill != Fill::Mean => Op::Pad { shape, fill: ZERO },
        Op::Gather { axis, rows, fill } if zeros && fill != Fill::Mean => {
            Op::Gather { axis, rows, fill: ZERO }
        }
        op => op,
    }
}

/// Returns true if a cast of everything does not change this tensor. `**=bfloat16` is meant for the weights; a
/// program that restores them needs steps and tokens unchanged.
fn is_spared(op: &WrittenOp, tensor: &Tensor, files: &Files) -> bool {
    // Any numeric dtype works here, because only the op itself is needed.
    let met = OpInput { dtype: Dtype::Float32, dims: &[], files };
    match op.is_cast().then(|| op.resolve(&met)) {
        Some(Ok(Op::Cast { dtype, .. })) => {
            tensor.dtype.width().is_none() || is_fraction(dtype) && !is_fraction(tensor.dtype)
        }
        _ => false,
    }
}

/// Returns true if elements can be fractions.
fn is_fraction(dtype: Dtype) -> bool {
    dtype.width().is_some() && matches!(dtype.value()(&[0; 16]), Value::Float32(_) | Value::Float64(_))
}

/// Returns the reason why tensors cannot be joined along an axis. `None` if they can.
fn shape_mismatch(tensors: &[Arc<Tensor>], axis: usize) -> Option<String> {
    let first = tensors.first()?;
    for tensor in tensors {
        if tensor.dtype != first.dtype {
            return Some(format!("a {} and a {} cannot be joined", first.dtype, tensor.dtype));
        }
        let (a, b) = (&first.shape.0, &tensor.shape.0);
        let others = |(at, (a, b)): (usize, (&u64, &u64))| at == axis || a == b;
        if a.len() != b.len() || !a.iter().zip(b).enumerate().all(others) {
            let what = format!("{} and {} cannot be joined along axis {axis}", first.shape, tensor.shape);
            return Some(what + ": all other axes must be equal");
        }
    }
    None
}

/// Returns a variable with its shape and dtype: `` `w` [2, 3] float32 ``.
fn shown(Variable { name, tensor, .. }: &Variable) -> String {
    format!("`{name}` {} {}", tensor.shape, tensor.dtype)
}

fn list(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Describes the operations on a value, in the words of the map.
pub(crate) fn described(map: &Map, derived: &ValuePlan, variables: &[Variable]) -> String {
    let steps = derived.inputs.first().map_or(&[][..], |input| &input.steps);
    let ops = steps.iter().flat_map(|step| {
        let ops = map.rule(step.rule).ops.iter().filter(|op| has_ops_of(op, step.scope));
        ops.map(|op| op.text.to_string())
    });
    let end = match derived.end {
        Output::Whole => None,
        Output::Part(rule, part) => Some(format!("part {} of {}", part + 1, map.rule(rule).targets.len())),
        Output::Joined(_) => {
            let names = derived.inputs.iter().map(|input| variables[input.source].name.to_string());
            Some(format!("joined from {}", names.collect::<Vec<_>>().join(", ")))
        }
        Output::Created(_) => Some("created".to_owned()),
    };
    ops.chain(end).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
