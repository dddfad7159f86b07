//! Ops on elements: cast, scale, add.

use std::sync::Arc;

use crate::dtype::Dtype;
use crate::map::ops::error::OpError;
use crate::map::ops::resolve::{OpInput, OpSource, Resolve};
use crate::map::span::Span;
use crate::map::toml::value_reader::{Reader, Value};
use crate::op::{Fill, Op};

/// The default standard deviation, which models commonly use for initialization. It is BERT's value.
pub(crate) const DEFAULT_STD: f64 = 0.02;

pub(crate) fn cast(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    let saturate = reader.boolean(given.table, "saturate", false);
    let dtype = reader.dtype(given.name, given.value)?;
    Some(Arc::new(Cast { dtype, saturate, place: reader.place(given.value.span()) }))
}

#[derive(Debug)]
pub(crate) struct Cast {
    dtype: Dtype,
    saturate: bool,
    place: Span,
}

impl Cast {
    pub(crate) fn new(dtype: Dtype, place: Span) -> Self {
        Self { dtype, saturate: false, place }
    }
}

impl Resolve for Cast {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        match (met.dtype.width(), self.dtype.width()) {
            (Some(_), Some(_)) => Ok(Op::Cast { dtype: self.dtype, saturate: self.saturate }),
            (None, _) => Err(OpError::new(&self.place, format!("a {} is not a number", met.dtype))),
            (_, None) => Err(OpError::new(&self.place, format!("a number is not a {}", self.dtype))),
        }
    }
}

pub(crate) fn scale(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    each(reader, given, Op::Scale)
}

pub(crate) fn add(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    each(reader, given, Op::Add)
}

fn each(reader: &mut Reader<'_>, given: &OpSource<'_>, op: fn(f64) -> Op) -> Option<Arc<dyn Resolve>> {
    let op = op(reader.real(given.name, given.value)?);
    Some(Arc::new(Each { op, place: reader.place(given.value.span()) }))
}

#[derive(Debug)]
struct Each {
    op: Op,
    place: Span,
}

impl Resolve for Each {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        match met.dtype.width() {
            Some(_) => Ok(self.op.clone()),
            None => Err(OpError::new(&self.place, format!("a {} is not a number", met.dtype))),
        }
    }
}

/// Reads `{ std = 0.02, seed = 1 }`. Both keys are optional.
pub(crate) fn normal(reader: &mut Reader<'_>, key: &str, value: &Value<'_>) -> Option<Fill> {
    let Some(table) = value.get_ref().as_table() else {
        reader.wrong(value, format!("`{key}` is a table: {{ std = {DEFAULT_STD}, seed = 0 }}"));
        return None;
    };
    reader.known_keys(table, &["std", "seed"], &format!("in `{key}`"));
    let std = table.get("std").map_or(Some(DEFAULT_STD), |value| reader.real("std", value));
    let seed = table.get("seed").map_or(Some(0), |value| reader.natural("seed", value));
    let std = std?;
    if !std.is_finite() || std < 0.0 {
        reader.wrong(table.get("std")?, "`std` is a number from 0 up");
        return None;
    }
    Some(Fill::Normal { std, seed: seed? })
}
