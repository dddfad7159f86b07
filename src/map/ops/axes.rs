//! Ops that name axes: transpose, squeeze, expand, flip. A negative axis counts from the end, as in Python.

use std::sync::Arc;

use crate::map::ops::error::OpError;
use crate::map::ops::resolve::{OpInput, OpSource, Resolve};
use crate::map::span::Span;
use crate::map::toml::value_reader::{Reader, Value};
use crate::op::Op;
use crate::tensor::Shape;

/// An axis as it is written in the map.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    axis: i64,
    pub(crate) place: Span,
}

impl Axis {
    pub(crate) fn read(reader: &mut Reader<'_>, key: &str, value: &Value<'_>) -> Option<Self> {
        let axis = reader.whole(key, value)?;
        Some(Self { axis, place: reader.place(value.span()) })
    }

    /// Returns the axis as an index from 0, for a tensor of this rank.
    pub(crate) fn of(&self, rank: usize) -> Result<usize, OpError> {
        let from_end = self.axis.checked_add_unsigned(rank as u64).filter(|_| self.axis < 0);
        let axis = from_end.unwrap_or(self.axis);
        usize::try_from(axis).ok().filter(|axis| *axis < rank).ok_or_else(|| {
            let axes = match rank {
                0 => "none".to_owned(),
                1 => "one".to_owned(),
                n => format!("{n}"),
            };
            OpError::new(&self.place, format!("there is no axis {}: the tensor has {axes}", self.axis))
        })
    }
}

/// Returns the axes of a list. An axis that is listed twice is an error.
fn distinct(axes: &[Axis], rank: usize) -> Result<Vec<usize>, OpError> {
    let mut found = Vec::with_capacity(axes.len());
    for axis in axes {
        let at = axis.of(rank)?;
        if found.contains(&at) {
            return Err(OpError::new(&axis.place, format!("axis {at} is listed twice")));
        }
        found.push(at);
    }
    Ok(found)
}

pub(crate) fn transpose(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    let axes = reader.list(given.name, given.value, Axis::read)?;
    Some(Arc::new(Transpose { axes, place: reader.place(given.value.span()) }))
}

#[derive(Debug)]
struct Transpose {
    axes: Vec<Axis>,
    place: Span,
}

impl Resolve for Transpose {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        let rank = met.dims.len();
        let axes = distinct(&self.axes, rank)?;
        if axes.len() != rank {
            let what = format!("the tensor's axes are {rank}, but {} are listed here", axes.len());
            return Err(OpError::new(&self.place, what).help("`transpose` lists each axis once"));
        }
        Ok(Op::Transpose(axes.into()))
    }
}

pub(crate) fn squeeze(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    Some(Arc::new(Squeeze(one_or_more(reader, given)?)))
}

#[derive(Debug)]
struct Squeeze(Vec<Axis>);

impl Resolve for Squeeze {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        let axes = distinct(&self.0, met.dims.len())?;
        for (axis, at) in self.0.iter().zip(&axes) {
            if met.dims[*at] != 1 {
                let what = format!("axis {at} has the size {}, not 1", met.dims[*at]);
                return Err(OpError::new(&axis.place, what));
            }
        }
        let left = met.dims.iter().enumerate().filter(|(at, _)| !axes.contains(at));
        Ok(Op::Reshape(Shape(left.map(|(_, dim)| *dim).collect())))
    }
}

pub(crate) fn expand(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    Some(Arc::new(Expand(one_or_more(reader, given)?)))
}

/// The new axes, as axes of the result.
#[derive(Debug)]
struct Expand(Vec<Axis>);

impl Resolve for Expand {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        let rank = met.dims.len() + self.0.len();
        let axes = distinct(&self.0, rank)?;
        let mut old = met.dims.iter();
        let dims = (0..rank).map(|at| if axes.contains(&at) { 1 } else { *old.next().unwrap_or(&1) });
        Ok(Op::Reshape(Shape(dims.collect())))
    }
}

pub(crate) fn flip(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    Some(Arc::new(Flip(Axis::read(reader, given.name, given.value)?)))
}

#[derive(Debug)]
struct Flip(Axis);

impl Resolve for Flip {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        Ok(Op::Flip(self.0.of(met.dims.len())?))
    }
}

/// Reads one axis or a list of axes: `0`, `[0, 1]`.
fn one_or_more(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Vec<Axis>> {
    match given.value.get_ref().as_array() {
        Some(_) => reader.list(given.name, given.value, Axis::read),
        None => Some(vec![Axis::read(reader, given.name, given.value)?]),
    }
}
