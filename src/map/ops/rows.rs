//! Ops that choose the source of each row: vocab, gather.

use std::collections::HashMap;
use std::sync::Arc;

use crate::map::ops::axes::Axis;
use crate::map::ops::elements::{DEFAULT_STD, normal};
use crate::map::ops::error::OpError;
use crate::map::ops::files::File;
use crate::map::ops::resolve::{OpInput, OpSource, Resolve};
use crate::map::toml::value_reader::{Reader, Value};
use crate::name::printable;
use crate::op::{Fill, Op};

/// The words for the values of new tokens' rows.
const MISSING: &[(&str, Fill)] = &[
    ("zeros", Fill::Value(0.0)),
    ("mean", Fill::Mean),
    ("normal", Fill::Normal { std: DEFAULT_STD, seed: 0 }),
];

pub(crate) fn vocab(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    let Some(table) = given.value.get_ref().as_table() else {
        reader.wrong(
            given.value,
            "`vocab` is a table: { old = \"old.txt\", new = \"new.txt\", missing = \"mean\" }",
        );
        return None;
    };
    reader.known_keys(table, &["old", "new", "missing"], "in `vocab`");
    let mut file = |key: &str| match table.get(key) {
        Some(value) => File::read(reader, key, value),
        None => {
            reader.wrong(given.value, format!("`vocab` needs `{key}`, a file with a token in each line"));
            None
        }
    };
    let (old, new) = (file("old"), file("new"));
    let missing = table.get("missing").map_or(Some(Fill::Value(0.0)), |value| missing(reader, value));
    Some(Arc::new(Vocab { old: old?, new: new?, missing: missing? }))
}

/// Reads the fill of missing rows: `"mean"`, `{ normal = { std = 0.02, seed = 1 } }`.
fn missing(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Fill> {
    match value.get_ref().as_table() {
        None => reader.word("missing", value, MISSING),
        Some(table) => {
            reader.known_keys(table, &["normal"], "in `missing`");
            let Some(value) = table.get("normal") else {
                reader.wrong(value, "`missing` is a word, or { normal = { std = 0.02, seed = 0 } }");
                return None;
            };
            normal(reader, "normal", value)
        }
    }
}

#[derive(Debug)]
struct Vocab {
    old: File,
    new: File,
    missing: Fill,
}

impl Resolve for Vocab {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        let (old, new) = (met.files.lines(&self.old)?, met.files.lines(&self.new)?);
        let rows = met.dims.first().ok_or_else(|| {
            OpError::new(&self.old.place, "the tensor has no axes, so it has no row for a token")
        })?;
        if old.len() as u64 != *rows {
            let what =
                format!("{} has {} tokens, the tensor {rows} rows", self.old.path.display(), old.len());
            return Err(OpError::new(&self.old.place, what)
                .help("a `slice` before it can cut off the rows that have no token"));
        }
        let mut at: HashMap<&[u8], Vec<usize>> = HashMap::with_capacity(old.len());
        old.iter().enumerate().for_each(|(row, token)| at.entry(token).or_default().push(row));
        let mut from = Vec::with_capacity(new.len());
        for token in &new {
            match at.get(token.as_slice()).map(Vec::as_slice) {
                None => from.push(None),
                Some(&[row]) => from.push(Some(row as u64)),
                Some(rows) => return Err(self.twice(token, rows)),
            }
        }
        if from.iter().all(Option::is_none) {
            let what = "the two vocabularies share no token";
            return Err(OpError::new(&self.new.place, what));
        }
        Ok(Op::Gather { axis: 0, rows: from.into(), fill: self.missing })
    }
}

impl Vocab {
    fn twice(&self, token: &[u8], rows: &[usize]) -> OpError {
        let (path, lines) = (self.old.path.display(), [rows[0] + 1, rows[1] + 1]);
        let what = format!("{path}: `{}` is in lines {} and {}", printable(token), lines[0], lines[1]);
        OpError::new(&self.old.place, what)
    }
}

pub(crate) fn gather(reader: &mut Reader<'_>, given: &OpSource<'_>) -> Option<Arc<dyn Resolve>> {
    let Some(table) = given.value.get_ref().as_table() else {
        reader.wrong(given.value, "`gather` is a table: { axis = 0, index = \"index.txt\" }");
        return None;
    };
    reader.known_keys(table, &["axis", "index"], "in `gather`");
    let axis = match table.get("axis") {
        Some(value) => Axis::read(reader, "axis", value),
        None => {
            reader.wrong(given.value, "`gather` needs `axis`");
            None
        }
    };
    let Some(index) = table.get("index") else {
        reader.wrong(given.value, "`gather` needs `index`, a file with a number in each line");
        return None;
    };
    let index = File::read(reader, "index", index);
    Some(Arc::new(Gather { axis: axis?, index: index? }))
}

#[derive(Debug)]
struct Gather {
    axis: Axis,
    index: File,
}

impl Resolve for Gather {
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError> {
        let axis = self.axis.of(met.dims.len())?;
        let lines = met.files.lines(&self.index)?;
        let row = |(at, line): (usize, &Vec<u8>)| {
            let number = std::str::from_utf8(line).ok().and_then(|line| line.trim().parse::<u64>().ok());
            let there = number.filter(|row| *row < met.dims[axis]);
            there.map(Some).ok_or_else(|| self.outside(at + 1, line, axis, met.dims[axis]))
        };
        let rows: Vec<_> = lines.iter().enumerate().map(row).collect::<Result<_, _>>()?;
        Ok(Op::Gather { axis, rows: rows.into(), fill: Fill::Value(0.0) })
    }
}

impl Gather {
    fn outside(&self, line: usize, text: &[u8], axis: usize, dim: u64) -> OpError {
        let path = self.index.path.display();
        let text = printable(&text[..text.len().min(40)]);
        let what =
            format!("{path}, line {line}: `{text}` is not an index below {dim}, the size of axis {axis}");
        OpError::new(&self.index.place, what)
    }
}
