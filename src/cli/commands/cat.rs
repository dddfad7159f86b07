//! `ckptfs cat`: writes one variable to standard output.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use log::{Level, LevelFilter};

use crate::cache::Cache;
use crate::catalog::{Variable, find_variable};
use crate::cli::flags::map_flags::MapFlags;
use crate::cli::output::missing_name;
use crate::extent::VirtualFile;
use crate::view;

/// Write one variable to standard output
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs cat train/ckpt-9 bert/pooler/dense/bias
  $ ckptfs cat train/ckpt-9 bert/pooler/dense/kernel --as npy > kernel.npy
  $ ckptfs cat train/ckpt-9 global_step --as info")]
pub(crate) struct Args {
    /// The checkpoint, as for ls
    source: PathBuf,
    /// The variable's name, as ls shows it
    name: String,
    /// Output form
    #[arg(long = "as", value_name = "FORM", default_value = "text", value_parser = forms())]
    form: String,
    #[command(flatten)]
    map: MapFlags,
}

/// The name of the form that prints metadata instead of values.
const INFO: &str = "info";
/// The number of bytes that are read and written at once.
const CHUNK: usize = 1 << 20;
/// The size of the cache: two blocks of 4 MiB, which is enough for a sequential read.
const CACHE: usize = 8 << 20;

fn forms() -> Vec<&'static str> {
    view::FORMATS.iter().map(|format| format.name).chain([INFO]).collect()
}

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        log_damage();
        let checkpoint = self.map.open_damaged(&self.source)?;
        let variable = match find_variable(&checkpoint.catalog, &self.name) {
            Ok(variable) => variable,
            Err(unknown) if self.map.typed().is_empty() => {
                let names = std::slice::from_ref(&self.name);
                return Ok(missing_name::told(&unknown.into(), &checkpoint.catalog, names));
            }
            Err(unknown) => return Err(unknown.into()),
        };
        match view::format(&self.form) {
            None => writeln!(io::stdout(), "{:#}", view::info(&checkpoint.catalog, variable))?,
            Some(format) => {
                if let Some(damage) = variable.tensor.damage() {
                    return Err(anyhow!("{}: damaged: {}", variable.name, damage.what));
                }
                let file = (format.file)(variable);
                let file =
                    file.map_err(|why| anyhow!("{}: no {} form: {why}", variable.name, format.name))?;
                copy(&file).map_err(|error| name_the_variable(error, variable))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Logs damaged tensors to standard error. Problems of the data files were reported when the files were opened.
fn log_damage() {
    let mut log = env_logger::Builder::new();
    for module in ["ckptfs::tensor", "ckptfs::source"] {
        log.filter_module(module, LevelFilter::Warn);
    }
    log.format(|out, record| {
        let label = if record.level() == Level::Error { "error" } else { "warning" };
        writeln!(out, "{label}: {}", record.args())
    })
    .init();
}

fn copy(file: &VirtualFile) -> io::Result<()> {
    let (cache, mut out) = (Cache::new(CACHE), io::stdout().lock());
    let (mut buffer, mut at) = (vec![0; CHUNK.min(file.len() as usize)], 0);
    while at < file.len() {
        let n = file.read_at(&cache, &mut buffer, at)?;
        out.write_all(&buffer[..n])?;
        at += n as u64;
    }
    out.flush()
}

fn name_the_variable(error: io::Error, variable: &Variable) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => error.into(),
        _ => anyhow::Error::new(error).context(format!("{}: its values cannot be read", variable.name)),
    }
}
