//! Constants in rules, and their encoding as elements.

use std::fmt;

use crate::dtype::Dtype;
use crate::op::number::{Load, number};

/// A constant, with the types that TOML distinguishes.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "they are their names")]
pub(crate) enum Literal {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

impl Literal {
    /// Encodes the constant as an element of the dtype; a string as its text.
    pub(super) fn encode(&self, dtype: Dtype) -> Result<Vec<u8>, String> {
        match (self, number(dtype)) {
            (Self::Text(text), None) if dtype == Dtype::String => Ok(text.clone().into_bytes()),
            (Self::Bool(truth), _) if dtype == Dtype::Bool => Ok(vec![(*truth).into()]),
            (Self::Integer(0 | 1), _) | (Self::Integer(_) | Self::Float(_), Some(_))
                if dtype != Dtype::Bool || matches!(self, Self::Integer(0 | 1)) =>
            {
                self.number(dtype).ok_or_else(|| self.no(dtype))
            }
            _ => Err(self.no(dtype)),
        }
    }

    fn no(&self, dtype: Dtype) -> String {
        match self {
            Self::Integer(_) | Self::Float(_) if number(dtype).is_some() => {
                format!("{self} is not a number that {dtype} holds")
            }
            _ => format!("{self} is not of dtype {dtype}"),
        }
    }

    fn number(&self, dtype: Dtype) -> Option<Vec<u8>> {
        let number = number(dtype)?;
        let mut bytes = vec![0; dtype.width()? as usize];
        // Only the real part is set; the imaginary part is 0.
        let real = &mut bytes[..dtype.component_width()];
        let fits = match *self {
            Self::Integer(x) => (number.store.i64)(&[x], real),
            Self::Float(x) if number.is_float() || x.fract() == 0.0 => (number.store.f64)(&[x], real),
            _ => false,
        };
        (fits && self.is_near(held(&number.load, real))).then_some(bytes)
    }

    /// Returns true if the stored number is this constant rounded, rather than the result of an overflow.
    fn is_near(&self, held: f64) -> bool {
        match *self {
            Self::Float(x) if !x.is_finite() => held.is_nan() == x.is_nan() && !held.is_finite(),
            Self::Float(x) => held.is_finite() && (x.abs() <= 1.0 || x.abs() <= 1.25 * held.abs()),
            Self::Integer(x) => held.is_finite() && (x as f64).abs() <= 1.25 * held.abs(),
            Self::Bool(_) | Self::Text(_) => true,
        }
    }
}

fn held(load: &Load, bytes: &[u8]) -> f64 {
    fn one<W: Copy + Default>(load: fn(&[u8], &mut [W]), bytes: &[u8]) -> W {
        let mut x = [W::default()];
        load(bytes, &mut x);
        x[0]
    }
    match load {
        Load::F32(load) => one(*load, bytes).into(),
        Load::F64(load) => one(*load, bytes),
        Load::I64(load) => one(*load, bytes) as f64,
        Load::U64(load) => one(*load, bytes) as f64,
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(truth) => truth.fmt(f),
            Self::Integer(x) => x.fmt(f),
            Self::Float(x) => write!(f, "{x:?}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}
