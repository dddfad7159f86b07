//! `ckptfs ls`: lists the variables of a checkpoint.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::catalog::{Catalog, Variable};
use crate::cli::flags::map_flags::MapFlags;
use crate::cli::output::tree_printer::Order;
use crate::cli::output::{missing_name, tree_printer, width};
use crate::map::filter::filter_names;
use crate::view;
use crate::view::table::VARIABLES;

/// List the variables of a checkpoint
///
/// On a terminal, the output is a tree; elsewhere, one name per line.
///
/// SOURCE is a prefix (train/ckpt-9), any file of a checkpoint, a SavedModel, or a directory, which means its newest
/// checkpoint. Patterns are those of maps: `*` matches within a component, `**` across components.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs ls train/ckpt-9
  $ ckptfs ls train/ckpt-9 '**/kernel' --long --sort size
  $ ckptfs ls train/ --rename 'bert/**=encoder/**' --tsv > names.tsv")]
pub(crate) struct Args {
    /// The checkpoint
    source: PathBuf,
    /// List only the variables that match a pattern
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// Draw a tree: scopes with counts and sizes, equal layers once
    #[arg(short, long, group = "form")]
    tree: bool,
    /// Print dtype, shape and bytes before each name
    #[arg(short, long, group = "form")]
    long: bool,
    /// Print a tab-separated table: name, dtype, shape, bytes
    #[arg(long, group = "form")]
    tsv: bool,
    /// Print a JSON array of objects with all metadata
    #[arg(long, group = "form")]
    json: bool,
    /// Print the object-graph paths of each variable below its name (the shortest, if there are very many)
    #[arg(long, group = "form")]
    paths: bool,
    /// Sort key: names in ascending order, or sizes in descending order
    #[arg(long, value_name = "BY", default_value = "name", value_parser = ["name", "size"])]
    sort: String,
    #[command(flatten)]
    map: MapFlags,
}

type Writer = fn(&Catalog, &[&Variable], &mut dyn Write) -> io::Result<()>;

/// The maximum number of paths that are listed below a name.
const PATHS: usize = 10;
/// The maximum number of paths that are counted for a name.
const COUNTED: usize = 1000;

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let checkpoint = self.map.open_damaged(&self.source)?;
        let variables = &checkpoint.catalog.variables;
        let names: Vec<_> = variables.iter().map(|variable| variable.name.as_bytes()).collect();
        let mut listed: Vec<_> = match self.patterns.as_slice() {
            [] => variables.iter().collect(),
            patterns => match filter_names(patterns, &names) {
                Ok(found) => found.into_iter().map(|i| &variables[i]).collect(),
                Err(errors) if self.map.typed().is_empty() => {
                    return Ok(missing_name::told(&errors.into(), &checkpoint.catalog, patterns));
                }
                Err(errors) => return Err(errors.into()),
            },
        };
        if self.sort == "size" {
            listed.sort_by_key(|variable| std::cmp::Reverse(variable.tensor.len()));
        }
        match self.draws_a_tree() {
            true => self.draw(&checkpoint.prefix.stem.to_string_lossy(), &listed)?,
            false => {
                let mut out = BufWriter::new(io::stdout().lock());
                self.writer()(&checkpoint.catalog, &listed, &mut out)?;
                out.flush()?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Draws the tree. It is colored if the terminal supports colors and neither `NO_COLOR` nor `CLICOLOR` forbids
    /// them.
    fn draw(&self, title: &str, listed: &[&Variable]) -> io::Result<()> {
        let mut out = BufWriter::new(anstream::AutoStream::auto(io::stdout().lock()));
        tree_printer::write(title, listed, self.order(), width::columns(), &mut out)?;
        out.flush()
    }

    fn draws_a_tree(&self) -> bool {
        let form = self.long || self.tsv || self.json || self.paths;
        self.tree || !form && io::stdout().is_terminal()
    }

    fn order(&self) -> Order {
        if self.sort == "size" { Order::Size } else { Order::Name }
    }

    fn writer(&self) -> Writer {
        match self {
            Self { long: true, .. } => long,
            Self { tsv: true, .. } => tsv,
            Self { json: true, .. } => json,
            Self { paths: true, .. } => paths,
            _ => plain,
        }
    }
}

fn plain(_: &Catalog, variables: &[&Variable], out: &mut dyn Write) -> io::Result<()> {
    variables.iter().try_for_each(|variable| writeln!(out, "{}", variable.name))
}

fn long(_: &Catalog, variables: &[&Variable], out: &mut dyn Write) -> io::Result<()> {
    let cells = |v: &&Variable| match v.tensor.damage().is_none_or(|damage| damage.is_described) {
        true => [v.tensor.dtype.to_string(), v.tensor.shape.to_string(), v.tensor.len().to_string()],
        false => ["?", "?", "?"].map(str::to_owned),
    };
    let rows: Vec<_> = variables.iter().map(cells).collect();
    let width = |i: usize| rows.iter().map(|row| row[i].len()).max().unwrap_or(0);
    let (dtype, shape, bytes) = (width(0), width(1), width(2));
    for (row, variable) in rows.iter().zip(variables) {
        writeln!(out, "{:dtype$}  {:shape$}  {:>bytes$}  {}", row[0], row[1], row[2], variable.name)?;
    }
    Ok(())
}

fn tsv(catalog: &Catalog, variables: &[&Variable], out: &mut dyn Write) -> io::Result<()> {
    VARIABLES.lines(catalog, variables.iter().copied()).try_for_each(|line| writeln!(out, "{line}"))
}

fn json(catalog: &Catalog, variables: &[&Variable], out: &mut dyn Write) -> io::Result<()> {
    write!(out, "[")?;
    for (i, variable) in variables.iter().enumerate() {
        write!(out, "{}\n  {}", if i == 0 { "" } else { "," }, view::info(catalog, variable))?;
    }
    writeln!(out, "\n]")
}

fn paths(catalog: &Catalog, variables: &[&Variable], out: &mut dyn Write) -> io::Result<()> {
    for variable in variables {
        writeln!(out, "{}", variable.name)?;
        let paths = catalog.paths(variable, COUNTED + 1);
        paths.iter().take(PATHS).try_for_each(|path| writeln!(out, "  {path}"))?;
        match paths.len() {
            n if n > COUNTED => writeln!(out, "  … and more than {} others", COUNTED - PATHS)?,
            n if n > PATHS => writeln!(out, "  … and {} others", n - PATHS)?,
            _ => {}
        }
    }
    Ok(())
}
