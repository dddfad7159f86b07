//! Operations on values as a map writes them, and their resolution for the tensor that they apply to.
//!
//! `OPS` has a row for each op: its name, its other keys, and the function that reads it. An op that is read keeps
//! its places. It is resolved with dtypes and shapes only. The result is an [`Op`], or a message about the place that
//! does not fit.

pub(crate) mod axes;
pub(crate) mod concat;
pub(crate) mod create;
pub(crate) mod elements;
pub(crate) mod error;
pub(crate) mod files;
pub(crate) mod resolve;
pub(crate) mod rows;
pub(crate) mod size_expr;
pub(crate) mod sizes;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use toml::de::DeTable;

use crate::dtype::Dtype;
use crate::map::ops::error::OpError;
use crate::map::ops::resolve::{OpInput, OpSource, Resolve};
use crate::map::span::Span;
use crate::map::toml::value_reader::{Key, Reader, Value};
use crate::op::Op;

/// An op of the map language: a row of `OPS`.
pub(crate) struct OpRow {
    pub(crate) name: &'static str,
    /// The other keys allowed in the op's table.
    pub(crate) keys: &'static [&'static str],
    /// True if the op only moves elements, so that slots follow.
    pub(crate) is_layout: bool,
    read: fn(&mut Reader<'_>, &OpSource<'_>) -> Option<Arc<dyn Resolve>>,
}

/// The name of the op that is also available as a flag.
pub(crate) const CAST: &str = "cast";

#[rustfmt::skip]
pub(crate) const OPS: &[OpRow] = &[
    OpRow { name: CAST,        keys: &["saturate"], is_layout: false, read: elements::cast },
    OpRow { name: "transpose", keys: &[],           is_layout: true,  read: axes::transpose },
    OpRow { name: "reshape",   keys: &[],           is_layout: true,  read: sizes::reshape },
    OpRow { name: "squeeze",   keys: &[],           is_layout: true,  read: axes::squeeze },
    OpRow { name: "expand",    keys: &[],           is_layout: true,  read: axes::expand },
    OpRow { name: "slice",     keys: &[],           is_layout: true,  read: sizes::slice },
    OpRow { name: "pad",       keys: &[],           is_layout: true,  read: sizes::pad },
    OpRow { name: "vocab",     keys: &[],           is_layout: true,  read: rows::vocab },
    OpRow { name: "flip",      keys: &[],           is_layout: true,  read: axes::flip },
    OpRow { name: "gather",    keys: &[],           is_layout: true,  read: rows::gather },
    OpRow { name: "scale",     keys: &[],           is_layout: false, read: elements::scale },
    OpRow { name: "add",       keys: &[],           is_layout: false, read: elements::add },
];

/// An op of a rule, with its place.
#[derive(Clone)]
pub(crate) struct WrittenOp {
    row: &'static OpRow,
    how: Arc<dyn Resolve>,
    pub(crate) span: Span,
    /// The op as TOML: `reshape = ["d0", -1]`.
    pub(crate) text: Arc<str>,
}

impl fmt::Debug for WrittenOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl WrittenOp {
    /// Reads an op from its table: `{ reshape = ["d0", -1] }`.
    pub(crate) fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            reader.wrong(value, "an op is a table: { transpose = [1, 0] }");
            return None;
        };
        let (key, row) = Self::row(reader, value, table)?;
        let known: Vec<_> = [row.name].iter().chain(row.keys).copied().collect();
        let faults = reader.faults();
        reader.known_keys(table, &known, &format!("next to `{}`: each op has its own table", row.name));
        let given = OpSource { name: row.name, value: table.get(row.name)?, table };
        let how = (row.read)(reader, &given)?;
        let text = reader.plain(value).as_table().map(ToString::to_string).unwrap_or_default();
        let text = text.trim_end().replace('\n', ", ").into();
        let place = reader.place(key.span().start..given.value.span().end);
        (reader.faults() == faults).then_some(Self { row, how, span: place, text })
    }

    /// Returns the cast for the flag `--cast`.
    pub(crate) fn cast(dtype: Dtype, place: Span) -> Self {
        let row = OPS.iter().find(|row| row.name == CAST).expect("the table has it");
        let text = format!("{} = \"{dtype}\"", row.name).into();
        Self { row, how: Arc::new(elements::Cast::new(dtype, place.clone())), span: place, text }
    }

    /// Returns the row of the op in a table, with its key.
    fn row<'v>(
        reader: &mut Reader<'_>,
        value: &Value<'_>,
        table: &'v DeTable<'v>,
    ) -> Option<(&'v Key<'v>, &'static OpRow)> {
        let mut found = table
            .iter()
            .filter_map(|(key, _)| Some((key, OPS.iter().find(|row| row.name == key.get_ref())?)))
            .collect::<Vec<_>>();
        found.sort_by_key(|(key, _)| key.span().start);
        let names: Vec<_> = OPS.iter().map(|row| row.name).collect();
        match (found.as_slice(), table.len()) {
            ([one], _) => Some(*one),
            ([], 0) => {
                reader.wrong(value, "an op is missing");
                None
            }
            ([], _) => {
                reader.known_keys(table, &names, "among ops");
                None
            }
            ([_, (second, row), ..], _) => {
                let what = format!("`{}` is a second op in one table", row.name);
                reader.wrong_at(second.span(), what, "ops are a list: [{ ... }, { ... }]");
                None
            }
        }
    }

    /// Returns true if the op changes the dtype.
    pub(crate) fn is_cast(&self) -> bool {
        self.row.name == CAST
    }

    /// Returns true if the op only moves elements.
    pub(crate) fn is_layout(&self) -> bool {
        self.row.is_layout
    }

    /// Returns the operation for this input.
    pub(crate) fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        self.how.resolve(met)
    }
}
