//! Statistics of the variables: `stats.tsv` for all of them, and `stats` for each one.
//!
//! They are computed on first read. The file's length is known without reading any data, and any part of the table is
//! computed without the rest: each line has the length that it would have with the widest numbers. Its last cell, a
//! note for users, is padded with trailing spaces; the other cells are not padded, so that programs read them as
//! numbers. A cell is empty if it has no value: `min` to `std` if no element is finite, and all of them for strings
//! and variants. If a variable cannot be read, all its cells in the table are empty, so that the others can be read;
//! reading its own `stats` is an error.

use std::io;
use std::sync::Arc;

use crate::cache::{Decode, Identity};
use crate::catalog::{Catalog, Variable};
use crate::dtype::Value;
use crate::extent::{Extent, VirtualFile};
use crate::tensor::Tensor;
use crate::view::summary::Summary;
use crate::view::text::number;

/// A column: its name, the width of its widest cell, and the function that formats its cell.
struct Column(&'static str, usize, fn(&Summary) -> Option<String>);

const COLUMNS: &[Column] = &[
    Column("min", NUMBER, |summary| summary.min.map(number)),
    Column("max", NUMBER, |summary| summary.max.map(number)),
    Column("mean", NUMBER, |summary| summary.mean.map(Value::Float64).map(number)),
    Column("std", NUMBER, |summary| summary.std.map(Value::Float64).map(number)),
    Column("zeros", COUNT, |summary| Some(summary.zeros.to_string())),
    Column("nan", COUNT, |summary| Some(summary.nan.to_string())),
    Column("inf", COUNT, |summary| Some(summary.inf.to_string())),
];

/// The width of the widest number in `text/`.
const NUMBER: usize = 24;
/// The maximum number of digits of an element count.
const COUNT: usize = 20;
/// The width of the names in a variable's own `stats`.
const LABEL: usize = 6;

/// Returns the statistics of one variable, one per line.
pub(super) fn fact(variable: &Variable) -> VirtualFile {
    let len = COLUMNS.iter().map(|Column(_, width, _)| LABEL + width + 1).sum::<usize>();
    let data = Arc::new(One { tensor: variable.tensor.clone() });
    [Extent::Decoded { data, len: len as u64 }].into_iter().collect()
}

/// Returns the table.
pub(super) fn table(catalog: &Arc<Catalog>) -> VirtualFile {
    let len = catalog.variables.iter().map(line_len).sum::<usize>() + header().len();
    let data = Arc::new(Table { catalog: catalog.clone() });
    [Extent::Decoded { data, len: len as u64 }].into_iter().collect()
}

struct One {
    tensor: Arc<Tensor>,
}

impl Decode for One {
    fn identity(&self) -> Identity {
        Identity { of: Arc::as_ptr(&self.tensor) as usize, to: "stats" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let cells = cells(summary(&self.tensor)?.as_ref());
        let line = |(Column(name, ..), cell): (&Column, String)| format!("{name:LABEL$}{cell}\n");
        let lines: String = COLUMNS.iter().zip(cells).map(line).collect();
        Ok(lines.as_bytes()[at as usize..][..len].to_vec())
    }

    fn verify(&self) -> io::Result<()> {
        self.tensor.file().verify()
    }
}

struct Table {
    catalog: Arc<Catalog>,
}

impl Decode for Table {
    fn identity(&self) -> Identity {
        Identity { of: Arc::as_ptr(&self.catalog) as usize, to: "stats" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let (from, to) = (at as usize, at as usize + len);
        let (mut start, mut end, mut out) = (0, header().len(), Vec::new());
        if end > from {
            out.extend(header().into_bytes());
        }
        for variable in &self.catalog.variables {
            if out.is_empty() {
                start = end;
            }
            if end >= to {
                break;
            }
            end += line_len(variable);
            if end > from {
                out.extend(line(variable).into_bytes());
            }
        }
        Ok(out[from - start..to - start].to_vec())
    }

    /// Returns the length of some lines: about as much as a program reads at once.
    fn block_len(&self) -> u64 {
        64 << 10
    }
}

/// The last column: the reason why there are no numbers.
const NOTE: &str = "note";

fn header() -> String {
    let names: String = COLUMNS.iter().map(|Column(name, ..)| format!("\t{name}")).collect();
    format!("name{names}\t{NOTE}\n")
}

fn line(variable: &Variable) -> String {
    let unreadable = |error| log::warn!("{}: no statistics: {error}", variable.name);
    let (summary, note) = match summary(&variable.tensor).map_err(unreadable) {
        Ok(Some(summary)) if summary.min.is_some() => (Some(summary), ""),
        Ok(Some(summary)) => (Some(summary), "no finite elements"),
        Ok(None) => (None, "not numbers"),
        Err(()) => (None, "cannot be read"),
    };
    let cells = COLUMNS.iter().map(|Column(.., cell)| summary.as_ref().and_then(cell).unwrap_or_default());
    let cells: String = cells.map(|cell| format!("\t{}", cell.trim_start())).collect();
    let mut line = format!("{}{cells}\t{note}", variable.name);
    let blanks = (line_len(variable) - 1).saturating_sub(line.len());
    line.extend(std::iter::repeat_n(' ', blanks));
    line + "\n"
}

/// Returns the length of a line in bytes: the name, the widest cells, each after a tab, another tab, and a newline. A
/// note needs no additional space, because lines with a note have empty cells.
fn line_len(variable: &Variable) -> usize {
    let cells: usize = COLUMNS.iter().map(|Column(_, width, _)| 1 + width).sum();
    variable.name.to_string().len() + cells + 2
}

/// Returns the statistics; `None` if the elements are not numbers.
fn summary(tensor: &Tensor) -> io::Result<Option<Summary>> {
    tensor.dtype.width().map(|_| Summary::of(tensor)).transpose()
}

fn cells(summary: Option<&Summary>) -> Vec<String> {
    let cell = |Column(_, width, cell): &Column| {
        let cell = summary.and_then(cell).unwrap_or_default();
        format!("{:>width$}", cell.trim_start())
    };
    COLUMNS.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::dtype::Dtype;
    use crate::format::string_tensor;
    use crate::source_file::SourceFile;
    use crate::tensor::Shape;

    fn variable(name: &str, dtype: Dtype, elements: u64, data: Extent) -> Variable {
        let tensor = Arc::new(Tensor::new(dtype, Shape([elements].into()), vec![data], None));
        Variable { name: name.into(), key: None, plain_key: None, full_name: None, tensor, origin: None }
    }

    fn floats(name: &str, numbers: &[f32]) -> Variable {
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        variable(name, Dtype::Float32, numbers.len() as u64, bytes.into())
    }

    fn missing(name: &str) -> Variable {
        let shard = Arc::new(SourceFile::open("/nonexistent/ckpt.data-00000-of-00001"));
        variable(name, Dtype::Float32, 4, Extent::Range { file: shard, offset: 0, len: 16 })
    }

    fn catalog(variables: Vec<Variable>) -> Arc<Catalog> {
        Arc::new(Catalog { variables, ..Catalog::default() })
    }

    fn text(file: &VirtualFile) -> io::Result<String> {
        let mut bytes = vec![0; file.len() as usize];
        assert_eq!(file.read_at(&Cache::new(1 << 20), &mut bytes, 0)?, bytes.len());
        Ok(String::from_utf8(bytes).unwrap())
    }

    /// Returns the cells of each line as a program reads them: only trailing spaces of a line are removed.
    fn rows(table: &str) -> Vec<Vec<&str>> {
        table.lines().map(|line| line.trim_end_matches(' ').split('\t').collect()).collect()
    }

    #[test]
    fn the_table_has_a_line_of_cells_for_each_variable() {
        let (strings, _) = string_tensor::encode(&["text"]);
        let variables = vec![
            floats("a\tb", &[-1.0, 0.0, 4.0]),
            floats("none", &[]),
            variable("steps", Dtype::Int64, 1, 9i64.to_le_bytes().to_vec().into()),
            variable("words", Dtype::String, 1, strings.into()),
        ];
        let table = text(&table(&catalog(variables))).unwrap();
        let std = format!("{:.16e}", (14f64 / 3.0).sqrt()).replace("e0", "e+00");
        let wanted = [
            vec!["name", "min", "max", "mean", "std", "zeros", "nan", "inf", "note"],
            vec![
                "a\\tb",
                "-1.00000000e+00",
                "4.00000000e+00",
                "1.0000000000000000e+00",
                &std,
                "1",
                "0",
                "0",
                "",
            ],
            vec!["none", "", "", "", "", "0", "0", "0", "no finite elements"],
            vec!["steps", "9", "9", "9.0000000000000000e+00", "0.0000000000000000e+00", "0", "0", "0", ""],
            vec!["words", "", "", "", "", "", "", "", "not numbers"],
        ];
        assert_eq!(rows(&table), wanted);
    }

    #[test]
    fn the_length_of_a_line_does_not_depend_on_its_numbers() {
        let extreme = [f64::MIN, f64::MIN_POSITIVE, 5e-324, -f64::MAX, f64::NAN];
        let bytes: Vec<u8> = extreme.iter().flat_map(|x| x.to_le_bytes()).collect();
        let extremes = variable("größe", Dtype::Float64, 5, bytes.into());
        let widest = variable("u", Dtype::Uint64, 1, u64::MAX.to_le_bytes().to_vec().into());
        for variable in [extremes, widest, missing("gone")] {
            assert_eq!(line(&variable).len(), line_len(&variable), "{}", variable.name);
        }
    }

    #[test]
    fn a_part_of_the_table_has_the_bytes_of_its_range() {
        let variables = (0..40).map(|i| floats(&"x".repeat(i % 7), &[i as f32]));
        let table = Table { catalog: catalog(variables.collect()) };
        let len = table.catalog.variables.iter().map(line_len).sum::<usize>() + header().len();
        let whole = table.decode(0, len).unwrap();
        assert_eq!(whole.iter().filter(|&&byte| byte == b'\n').count(), 41);
        for at in (0..len).step_by(97) {
            for part in [1, 50, 700] {
                let end = len.min(at + part);
                assert_eq!(table.decode(at as u64, end - at).unwrap(), whole[at..end], "{at}+{part}");
            }
        }
    }

    #[test]
    fn an_unreadable_variable_does_not_affect_the_others_in_the_table() {
        let catalog = catalog(vec![missing("gone"), floats("here", &[2.0])]);
        let table = text(&table(&catalog)).unwrap();
        assert_eq!(rows(&table)[1], ["gone", "", "", "", "", "", "", "", "cannot be read"]);
        assert_eq!(rows(&table)[2][..2], ["here", "2.00000000e+00"]);
        assert!(text(&fact(&catalog.variables[0])).is_err());
    }

    #[test]
    fn a_variables_own_statistics_are_one_per_line_with_a_constant_length() {
        let file = fact(&floats("a", &[1.0, 3.0]));
        let text = text(&file).unwrap();
        let lines: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["min", "1.00000000e+00"]);
        assert_eq!(lines[3], ["std", "1.0000000000000000e+00"]);
        assert_eq!((lines.len(), file.len()), (7, fact(&missing("gone")).len()));
    }
}
