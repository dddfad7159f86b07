//! Values that a map creates without a source variable.

use std::fmt;

use toml::de::{DeTable, DeValue};

use crate::dtype::Dtype;
use crate::map::ops::elements::normal;
use crate::map::ops::error::OpError;
use crate::map::ops::files::{File, Files};
use crate::map::ops::sizes::Size;
use crate::map::span::Span;
use crate::map::toml::value_reader::{Reader, Value, integer};
use crate::op;
use crate::op::{Create, Fill, Literal};
use crate::tensor::{Shape, Tensor};

/// The keys that describe a new value.
pub(crate) const KEYS: &[&str] = &["dtype", "shape", "value", "values", "normal", "npy"];
/// The keys for the elements. A rule has exactly one of them.
const WHATS: &[&str] = &["value", "values", "normal", "npy"];

/// The description of a new value.
#[derive(Clone)]
pub(crate) struct Creation {
    dtype: Dtype,
    shape: Vec<Size>,
    what: What,
    place: Span,
}

#[derive(Clone)]
enum What {
    Computed(Create),
    Npy(File),
}

impl fmt::Debug for Creation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.shape)
    }
}

impl Creation {
    pub(crate) fn read(reader: &mut Reader<'_>, verb: &Value<'_>, table: &DeTable<'_>) -> Option<Self> {
        let mut needed = |key: &str, what: &str| {
            let value = table.get(key);
            if value.is_none() {
                reader.wrong(verb, format!("`create` needs `{key}`, {what}"));
            }
            value
        };
        let (dtype, shape) = (needed("dtype", "such as \"int64\""), needed("shape", "[] for a scalar"));
        let dtype = dtype.map(|value| reader.dtype("dtype", value));
        let shape = shape.map(|value| reader.list("shape", value, Size::read));
        let what = what(reader, verb, table);
        let (dtype, shape, (what, place)) = (dtype??, shape??, what?);
        Some(Self { dtype, shape, what, place })
    }

    /// Builds the tensor.
    pub(crate) fn tensor(&self, files: &Files) -> Result<Tensor, OpError> {
        let dims = self.shape.iter().map(|size| size.of(&[])).collect::<Result<Vec<_>, _>>()?;
        let what = match &self.what {
            What::Computed(what) => what.clone(),
            What::Npy(file) => Create::Npy(files.open(file)?),
        };
        let created = op::create(self.dtype, &Shape(dims.into()), &what);
        created.map_err(|what| OpError::new(&self.place, what))
    }
}

/// Reads the elements, and returns them with the place where they are written.
fn what(reader: &mut Reader<'_>, verb: &Value<'_>, table: &DeTable<'_>) -> Option<(What, Span)> {
    let said: Vec<_> = WHATS.iter().filter_map(|key| Some((*key, table.get(*key)?))).collect();
    let (key, value) = match said[..] {
        [one] => one,
        [] => {
            reader.wrong(verb, "`create` needs one of `value`, `values`, `normal`, `npy`");
            return None;
        }
        [(first, _), (second, value), ..] => {
            reader.wrong(value, format!("`{first}` and `{second}` both set the elements"));
            return None;
        }
    };
    let what = match key {
        "value" => What::Computed(Create::Value(number(reader, key, value)?)),
        "values" => {
            let mut numbers = Vec::new();
            flat(reader, key, value, &mut numbers)?;
            What::Computed(Create::Values(numbers))
        }
        "normal" => match normal(reader, key, value)? {
            Fill::Normal { std, seed } => What::Computed(Create::Normal { std, seed }),
            Fill::Value(_) | Fill::Mean => return None,
        },
        _ => What::Npy(File::read(reader, key, value)?),
    };
    Some((what, reader.place(value.span())))
}

/// Collects the numbers of a list and its nested lists in order.
fn flat(reader: &mut Reader<'_>, key: &str, value: &Value<'_>, numbers: &mut Vec<Literal>) -> Option<()> {
    match value.get_ref() {
        DeValue::Array(list) => list.iter().try_for_each(|value| flat(reader, key, value, numbers)),
        _ => {
            numbers.push(number(reader, key, value)?);
            Some(())
        }
    }
}

fn number(reader: &mut Reader<'_>, key: &str, value: &Value<'_>) -> Option<Literal> {
    match value.get_ref() {
        DeValue::Boolean(yes) => Some(Literal::Bool(*yes)),
        DeValue::String(text) => Some(Literal::Text(text.to_string())),
        number => match integer(number) {
            Some(number) => Some(Literal::Integer(number)),
            None => reader.real(key, value).map(Literal::Float),
        },
    }
}
