//! Ops that name sizes: reshape, slice, pad.

use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use crate::map::ops::error::OpError;
use crate::map::ops::resolve::{OpInput, OpSource, Resolve};
use crate::map::ops::size_expr::Expression;
use crate::map::span::{Span, SpannedStr};
use crate::map::toml::value_reader::{Reader, Value};
use crate::op::{Fill, Op};
use crate::tensor::Shape;

/// A size as it is written: `768`, `"d1/heads"`.
#[derive(Clone, Debug)]
pub(crate) struct Size {
    expression: Expression,
    pub(crate) written: SpannedStr,
}

impl Size {
    pub(crate) fn read(reader: &mut Reader<'_>, key: &str, value: &Value<'_>) -> Option<Self> {
        if value.get_ref().is_integer() {
            let expression = Expression::number(reader.whole(key, value)?);
            return Some(Self { expression, written: reader.written(value, "") });
        }
        let Some(text) = value.get_ref().as_str() else {
            reader.wrong(value, format!("a size of `{key}` is a whole number, or a text such as \"d0/2\""));
            return None;
        };
        let written = reader.written(value, text);
        Some(Self { expression: reader.expression(&written, 0..text.len())?, written })
    }

    /// Returns the number, which may be negative.
    pub(crate) fn number(&self, dims: &[u64]) -> Result<i64, OpError> {
        self.expression.evaluate(dims).map_err(|fault| OpError::within(&self.written, fault))
    }

    /// Returns the size. A negative number is an error.
    pub(crate) fn of(&self, dims: &[u64]) -> Result<u64, OpError> {
        let number = self.number(dims)?;
        u64::try_from(number)
            .map_err(|_| OpError::new(&self.written.span, format!("the size would be {number}")))
    }

    /// Returns true if the size is `-1`, which means the remaining elements.
    fn is_rest(&self) -> bool {
        self.expression.as_number() == Some(-1)
    }
}

pub(crate) fn reshape(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    let sizes = reader.list(given.name, given.value, Size::read)?;
    if let Some(second) = sizes.iter().filter(|size| size.is_rest()).nth(1) {
        reader.wrong_place(&second.written.span, "a second -1: only one size can be what the others leave");
        return None;
    }
    Some(Arc::new(Reshape { sizes, place: reader.place(given.value.span()) }))
}

#[derive(Debug)]
struct Reshape {
    sizes: Vec<Size>,
    place: Span,
}

impl Resolve for Reshape {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        let given = self.sizes.iter().map(|size| if size.is_rest() { Ok(1) } else { size.of(met.dims) });
        let mut dims = given.collect::<Result<Vec<u64>, _>>()?;
        let count = elements(met.dims).ok_or_else(|| self.misfit("the tensor is too large"))?;
        let there = elements(&dims).ok_or_else(|| self.misfit("the product of the sizes is too large"))?;
        if let Some(rest) = self.sizes.iter().position(Size::is_rest) {
            if there == 0 || count % there != 0 {
                let what =
                    format!("{count} elements do not divide by {there}, so no size fits in place of -1");
                return Err(OpError::new(&self.sizes[rest].written.span, what));
            }
            dims[rest] = count / there;
        } else if there != count {
            let what = format!("{} has {there} elements, the tensor {count}", Shape(dims.into()));
            return Err(self.misfit(what));
        }
        Ok(Op::Reshape(Shape(dims.into())))
    }
}

impl Reshape {
    fn misfit(&self, what: impl Into<String>) -> OpError {
        OpError::new(&self.place, what)
    }
}

fn elements(dims: &[u64]) -> Option<u64> {
    Shape(dims.into()).num_elements()
}

pub(crate) fn slice(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    let parts = reader.list(given.name, given.value, Part::read)?;
    Some(Arc::new(Slice { parts, place: reader.place(given.value.span()) }))
}

/// A range `start:stop` of one axis. A negative bound counts from the end.
#[derive(Debug)]
struct Part {
    start: Option<Expression>,
    stop: Option<Expression>,
    written: SpannedStr,
}

impl Part {
    fn read(reader: &mut Reader<'_>, key: &str, value: &Value<'_>) -> Option<Self> {
        let text = value.get_ref().as_str();
        let Some((text, colon)) = text.and_then(|text| Some((text, text.find(':')?))) else {
            reader.wrong(
                value,
                format!("a part of `{key}` is a text: \"start:stop\", \":\" for all of an axis"),
            );
            return None;
        };
        let written = reader.written(value, text);
        if let Some(second) = text[colon + 1..].find(':') {
            let at = colon + 1 + second;
            reader.wrong_place(&written.part(at..text.len()), "a slice has no step: \"start:stop\"");
            return None;
        }
        let mut side = |at: Range<usize>| match text[at.clone()].trim().is_empty() {
            true => Some(None),
            false => reader.expression(&written, at).map(Some),
        };
        let (start, stop) = (side(0..colon), side(colon + 1..text.len()));
        Some(Self { start: start?, stop: stop?, written })
    }

    fn of(&self, met: &OpInput<'_>, axis: usize) -> Result<Range<u64>, OpError> {
        let dim = met.dims[axis];
        let side = |side: &Option<Expression>, default: u64| match side {
            None => Ok(default),
            Some(side) => {
                let number =
                    side.evaluate(met.dims).map_err(|fault| OpError::within(&self.written, fault))?;
                let from_end = number.checked_add_unsigned(dim).filter(|_| number < 0).unwrap_or(number);
                u64::try_from(from_end).ok().filter(|at| *at <= dim).ok_or_else(|| {
                    let what = format!("axis {axis} has the size {dim}, and {number} is outside of it");
                    OpError::new(&self.written.span, what).help("an open end is written \"0:\"")
                })
            }
        };
        let (start, stop) = (side(&self.start, 0)?, side(&self.stop, dim)?);
        if start > stop {
            return Err(OpError::new(&self.written.span, format!("{start}:{stop} ends before it begins")));
        }
        Ok(start..stop)
    }
}

#[derive(Debug)]
struct Slice {
    parts: Vec<Part>,
    place: Span,
}

impl Resolve for Slice {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        let (parts, rank) = (self.parts.len(), met.dims.len());
        if parts > rank {
            let what = format!("the tensor's axes are {rank}, but {parts} are listed here");
            return Err(OpError::new(&self.place, what));
        }
        let parts = self.parts.iter().enumerate().map(|(axis, part)| part.of(met, axis));
        let whole = met.dims[parts.len()..].iter().map(|dim| Ok(0..*dim));
        Ok(Op::Slice(parts.chain(whole).collect::<Result<_, _>>()?))
    }
}

pub(crate) fn pad(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    let Some(table) = given.value.get_ref().as_table() else {
        reader.wrong(given.value, "`pad` is a table: { to = [50000, \"d1\"], value = 0.0 }");
        return None;
    };
    reader.known_keys(table, &["to", "value", "mean"], "in `pad`");
    let fill = pad_fill(reader, given.value, table);
    let Some(to) = table.get("to") else {
        reader.wrong(given.value, "`pad` needs `to`, the sizes in the end");
        return None;
    };
    let sizes = reader.list("to", to, Size::read)?;
    Some(Arc::new(Pad { sizes, fill: fill?, place: reader.place(to.span()) }))
}

/// Reads the fill of a padding. The default is zeros.
fn pad_fill(reader: &mut Reader<'_>, whole: &Value<'_>, table: &DeTable<'_>) -> Option<Fill> {
    match (table.get("value"), reader.boolean(table, "mean", false)) {
        (Some(_), true) => {
            reader.wrong(whole, "`value` and `mean` exclude each other");
            None
        }
        (Some(value), false) => Some(Fill::Value(reader.real("value", value)?)),
        (None, true) => Some(Fill::Mean),
        (None, false) => Some(Fill::Value(0.0)),
    }
}

#[derive(Debug)]
struct Pad {
    sizes: Vec<Size>,
    fill: Fill,
    place: Span,
}

impl Resolve for Pad {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        if self.sizes.len() != met.dims.len() {
            let what =
                format!("the tensor's axes are {}, but {} are listed here", met.dims.len(), self.sizes.len());
            return Err(OpError::new(&self.place, what));
        }
        let mut dims = Vec::with_capacity(met.dims.len());
        for (axis, (size, old)) in self.sizes.iter().zip(met.dims).enumerate() {
            let new = size.of(met.dims)?;
            if new < *old {
                let what = format!("axis {axis} has the size {old} already, more than {new}");
                return Err(OpError::new(&size.written.span, what).help("`slice` makes an axis shorter"));
            }
            dims.push(new);
        }
        if elements(&dims).is_none() {
            return Err(OpError::new(&self.place, "the product of the sizes is too large"));
        }
        let grown = dims.iter().zip(met.dims).filter(|(new, old)| new != old).count();
        if self.fill == Fill::Mean && grown > 1 {
            let what = format!("{grown} axes grow, so `mean` is ambiguous");
            return Err(OpError::new(&self.place, what).help("pad one axis, then the other"));
        }
        Ok(Op::Pad { shape: Shape(dims.into()), fill: self.fill })
    }
}
