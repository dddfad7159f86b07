//! A table of wanted variables: the columns of `ls --tsv`, in any order. A column `full_name` is read too. Other columns
//! are ignored.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::catalog::{Catalog, Variable};
use crate::dtype::Dtype;
use crate::name::Name;
use crate::tensor::{Shape, Tensor};

/// The invalid lines of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    file: String,
    lines: Vec<(usize, String)>,
}

/// The maximum number of invalid lines in a message.
const SHOWN: usize = 20;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.lines.iter().take(SHOWN);
        let lines: Vec<_> = shown.map(|(line, what)| format!("{}:{line}: {what}", self.file)).collect();
        f.write_str(&lines.join("\n"))?;
        if self.lines.len() > SHOWN {
            write!(f, "\n… and {} more lines", self.lines.len() - SHOWN)?;
        }
        f.write_str(
            "\n  help: the columns are those of `ckptfs ls --tsv`: name, dtype, shape, with tabs between",
        )
    }
}

impl std::error::Error for Fault {}

/// Decodes a table into a catalog. Its tensors have no data.
pub(crate) fn decode(file: &str, text: &[u8]) -> Result<Catalog, Fault> {
    let mut lines = text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let header = Columns::find(lines.next().unwrap_or_default());
    let mut fault = Fault { file: file.to_owned(), lines: vec![] };
    let Some(columns) = header else {
        fault.lines.push((1, "no header with the columns name, dtype and shape".into()));
        return Err(fault);
    };
    let (mut variables, mut seen) = (Vec::new(), BTreeSet::new());
    for (number, line) in (2..).zip(lines).filter(|(_, line)| !line.is_empty()) {
        match columns.variable(line) {
            Ok(variable) if seen.insert(variable.name.clone()) => variables.push(variable),
            Ok(variable) => fault.lines.push((number, format!("{} a second time", variable.name))),
            Err(what) => fault.lines.push((number, what)),
        }
    }
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    let catalog = Catalog { variables, ..Catalog::default() };
    if fault.lines.is_empty() { Ok(catalog) } else { Err(fault) }
}

/// The positions of the columns.
struct Columns {
    name: usize,
    dtype: usize,
    shape: usize,
    full_name: Option<usize>,
}

impl Columns {
    fn find(header: &[u8]) -> Option<Self> {
        let columns: Vec<_> = header.split(|&byte| byte == b'\t').collect();
        let at = |name: &str| columns.iter().position(|column| *column == name.as_bytes());
        Some(Self { name: at("name")?, dtype: at("dtype")?, shape: at("shape")?, full_name: at("full_name") })
    }

    fn variable(&self, line: &[u8]) -> Result<Variable, String> {
        let cells: Vec<_> = line.split(|&byte| byte == b'\t').collect();
        let cell =
            |at: usize| cells.get(at).copied().ok_or_else(|| format!("{} columns are too few", cells.len()));
        let text = |at| Ok::<_, String>(String::from_utf8_lossy(cell(at)?).into_owned());
        let (name, dtype, shape) = (text(self.name)?, text(self.dtype)?, text(self.shape)?);
        let name = Name::parse(&name).ok_or_else(|| format!("{name:?} is not a valid escaped name"))?;
        let dtype = Dtype::from_name(&dtype).ok_or_else(|| format!("{dtype:?} is not a dtype"))?;
        let dims = shape.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<u64>, _>>();
        let shape = dims
            .map_err(|_| format!("{shape:?} is not a valid shape: expected integers separated by spaces"))?;
        let shape = Shape(shape.into());
        let elements = shape.num_elements().and_then(|n| n.checked_mul(dtype.width().unwrap_or(1)));
        elements.ok_or_else(|| format!("shape {shape} has too many elements"))?;
        let full_name = self.full_name.map(text).transpose()?.filter(|name| !name.is_empty());
        let full_name = full_name
            .map(|name| Name::parse(&name).ok_or_else(|| format!("{name:?} is not a valid escaped name")));
        let tensor = Arc::new(Tensor::new(dtype, shape, vec![], None));
        let full_name = full_name.transpose()?;
        Ok(Variable { name, key: None, plain_key: None, full_name, tensor, origin: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_may_have_any_order_and_others_are_ignored() {
        let text = b"shape\tname\tbytes\tdtype\n2 3\tb/kernel\t24\tfloat32\r\n\ta\\nb\t8\tint64\n";
        let catalog = decode("w.tsv", text).unwrap();
        let shown = catalog.variables.iter().map(|v| {
            let Tensor { dtype, shape, .. } = &*v.tensor;
            (v.name.as_bytes(), *dtype, shape.to_string())
        });
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                (&b"a\nb"[..], Dtype::Int64, "[]".to_owned()),
                (b"b/kernel", Dtype::Float32, "[2, 3]".to_owned())
            ]
        );
    }

    #[test]
    fn every_invalid_line_is_reported() {
        let text = "name\tdtype\tshape\na\tfloat31\t2\nb\tfloat32\tx\na\tint8\t1\nc\na\tint8\t1\nd\tint8\t99999999999999999999\n\
                    e\tint8\t9999999999 9999999999\n\\q\tint8\t1\n";
        let fault = decode("w.tsv", text.as_bytes()).err().unwrap();
        assert_eq!(fault.lines.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 5, 6, 7, 8, 9]);
        assert!(fault.to_string().starts_with("w.tsv:2: \"float31\" is not a dtype\n"), "{fault}");
        let header = decode("w.tsv", b"\x89HDF").err().unwrap().to_string();
        assert!(header.starts_with("w.tsv:1: no header"), "{header}");
    }
}
