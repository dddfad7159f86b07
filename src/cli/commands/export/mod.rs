//! `ckptfs export`: writes the contents of a mount to disk.

mod foreign;
mod target;

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::catalog::{Catalog, H5Layout, Variable};
use crate::checksums::{Verdict, audit};
use crate::cli::commands::check::data;
use crate::cli::error::Usage;
use crate::cli::flags::map_flags::MapFlags;
use crate::cli::output::terminal::{bytes, counted, progress_bar, say, warning};
use crate::export::{CopyMode, Output};
use crate::extent::VirtualFile;
use crate::name::listed;
use crate::source::Checkpoint;
use crate::{export, tree, view};

/// Write a checkpoint to disk as a mount would show it: under new names or in another format
///
/// An export writes all files or none: if it fails or is interrupted, no file is left.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs export train/ckpt-9 new/model --map fix.toml --link  # copies no data
  $ ckptfs export train/ckpt-9 model.safetensors --drop-optimizer
  $ ckptfs export train/ckpt-9 arrays --format npy")]
pub(crate) struct Args {
    /// The checkpoint, as for ls
    source: PathBuf,
    /// The output: a prefix for a bundle (new/ckpt-9), a directory for npy, a file for other formats. In an existing
    /// directory, or a path that ends in `/`, the output gets the source's name
    out: PathBuf,
    /// The format; by default the one of OUT's extension (.safetensors, .weights.h5 or .h5), else a bundle
    #[arg(long, value_name = "FORMAT", value_parser = names())]
    format: Option<String>,
    /// Link the source's data files instead of copying them, and write only a new index and the values that a map
    /// changes. Restoring works without a mount, and training can keep saving new checkpoints
    #[arg(long)]
    link: bool,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    map: MapFlags,
}

/// A format that can be written.
struct Format {
    name: &'static str,
    /// The suffix of OUT that selects this format, or `None` if only `--format` does.
    suffix: Option<&'static str>,
    /// The extension that is added to the source's name if OUT is a directory.
    ending: fn(&Args) -> &'static str,
    outputs: fn(&Args, &Path, Checkpoint) -> anyhow::Result<Vec<Output>>,
}

const FORMATS: &[Format] = &[
    Format { name: "bundle", suffix: None, ending: |_| "", outputs: bundle },
    Format {
        name: "safetensors",
        suffix: Some(".safetensors"),
        ending: |_| ".safetensors",
        outputs: safetensors,
    },
    Format { name: "h5", suffix: Some(".h5"), ending: h5_ending, outputs: h5 },
    Format { name: "npy", suffix: None, ending: |_| "", outputs: npy },
];

fn names() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.name).collect()
}

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let format = self.format()?;
        if self.link && format.name != FORMATS[0].name {
            bail!(
                "--link: only a bundle\'s data files are the source\'s own; {} is written as a new file",
                format.name
            );
        }
        let checkpoint = self.map.open(&self.source)?;
        let variables = counted(checkpoint.catalog.variables.len(), "variable");
        let out = target::path(&self.out, &checkpoint.prefix.stem, (format.ending)(self));
        let outputs = (format.outputs)(self, &out, checkpoint)?;
        let copied = |output: &&Output| !(self.link && output.file.whole_file().is_some());
        let total = outputs.iter().filter(copied).map(|output| output.file.len()).sum();
        self.write(&outputs, total)?;
        if std::io::stderr().is_terminal() {
            let linked = outputs.iter().filter(|output| !copied(output)).count();
            let linked =
                if linked > 0 { format!(", {} linked", counted(linked, "file")) } else { String::new() };
            say(format_args!("{}: {variables}, {} written{linked}", out.display(), bytes(total)));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the format that `--format` names, else the one whose suffix OUT has, else a bundle.
    fn format(&self) -> Result<&'static Format, Usage> {
        if let Some(name) = &self.format {
            return Ok(FORMATS.iter().find(|format| format.name == name).unwrap_or(&FORMATS[0]));
        }
        if target::is_directory(&self.out) {
            return Ok(&FORMATS[0]);
        }
        let ends = |format: &&Format| format.suffix.is_some_and(|end| target::ends(&self.out, end));
        match FORMATS.iter().find(ends) {
            Some(format) => Ok(format),
            None => foreign::refuse(&self.out).map_err(Usage).map(|()| &FORMATS[0]),
        }
    }

    fn write(&self, outputs: &[Output], total: u64) -> anyhow::Result<()> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, stop.clone())?;
        }
        let bar = progress_bar(total);
        let progress = |n: u64| {
            bar.inc(n);
            !stop.load(Ordering::Relaxed)
        };
        let manner = CopyMode { link: self.link, replace: self.force, progress: &progress };
        let written = export::write(outputs, &manner);
        bar.finish_and_clear();
        Ok(written?)
    }
}

/// Returns the files of a bundle: the data files, then the index. The index is written last, because the data files
/// are unusable without it.
fn bundle(_: &Args, prefix: &Path, checkpoint: Checkpoint) -> anyhow::Result<Vec<Output>> {
    let Some(stem) = prefix.file_name() else { bail!("{}: names no checkpoint", prefix.display()) };
    let with =
        |suffix: String| prefix.with_file_name([stem, OsStr::new(&suffix)].into_iter().collect::<OsString>());
    let catalog = Arc::new(checkpoint.catalog);
    let files = view::bundle::files(&catalog);
    let mut outputs: Vec<_> =
        files.into_iter().map(|(suffix, file)| Output { path: with(suffix), file }).collect();
    sound(&catalog)?;
    outputs.rotate_left(1);
    Ok(outputs)
}

fn safetensors(_: &Args, out: &Path, checkpoint: Checkpoint) -> anyhow::Result<Vec<Output>> {
    whole(out, checkpoint, "model.safetensors")
}

/// Returns an HDF5 file. The extension of the name selects the version of Keras that reads it, as in Keras itself.
fn h5(args: &Args, out: &Path, mut checkpoint: Checkpoint) -> anyhow::Result<Vec<Output>> {
    let layout = if target::ends(out, KERAS_3) { H5Layout::Keras3 } else { H5Layout::Legacy };
    checkpoint.catalog.h5_layout = args.map.h5_layout().unwrap_or(layout);
    let legacy = checkpoint.catalog.h5_layout == H5Layout::Legacy;
    whole(out, checkpoint, if legacy { "model.h5" } else { "model.weights.h5" })
}

/// The extension of a file for Keras 3.
const KERAS_3: &str = ".weights.h5";

fn h5_ending(args: &Args) -> &'static str {
    match args.map.h5_layout().unwrap_or_default() {
        H5Layout::Keras3 => KERAS_3,
        H5Layout::Legacy => ".h5",
    }
}

/// Returns the checkpoint view that a mount shows as the file `name`.
fn whole(out: &Path, checkpoint: Checkpoint, name: &str) -> anyhow::Result<Vec<Output>> {
    sound(&checkpoint.catalog)?;
    let whole = view::CHECKPOINT_VIEWS
        .iter()
        .find(|whole| whole.name == name && (whole.is_there)(&checkpoint.catalog));
    let Some(whole) = whole else { bail!("{}: too many names for a file of this format", out.display()) };
    (whole.left_out)(&checkpoint.catalog).iter().for_each(|what| warning(format_args!("left out: {what}")));
    Ok(vec![Output { path: out.into(), file: (whole.file)(&Arc::new(checkpoint.catalog)) }])
}

/// Returns one file for each variable that NumPy can represent.
fn npy(_: &Args, directory: &Path, checkpoint: Checkpoint) -> anyhow::Result<Vec<Output>> {
    sound(&checkpoint.catalog)?;
    for variable in &checkpoint.catalog.variables {
        if let Some(Err(why)) = view::format("npy").map(|format| (format.file)(variable)) {
            warning(format_args!("{}: left out: {why}", variable.name));
        }
    }
    let files = tree::files(checkpoint.catalog, checkpoint.stamp, "npy");
    let output = |(path, file): (Vec<u8>, VirtualFile)| Output {
        path: directory.join(OsStr::from_bytes(&path)),
        file,
    };
    Ok(files.into_iter().map(output).collect())
}

/// Checks that all values are intact: no export writes damage, or a link to it. Reads all data, on all cores.
fn sound(catalog: &Catalog) -> anyhow::Result<()> {
    complete(catalog)?;
    let stored = catalog.stored();
    let tensors: Vec<_> = stored.iter().map(|variable| variable.tensor.clone()).collect();
    let verdicts = audit(&tensors, &|_| {});
    let (mut damaged, mut lines) = (Vec::new(), String::new());
    for (Variable { name, tensor, .. }, verdict) in stored.iter().zip(verdicts) {
        let Verdict::Damaged(error) = verdict else { continue };
        if damaged.len() < LISTED {
            lines += &format!("\n  {name}{}: {error}", data::place(tensor));
        }
        damaged.push(name);
    }
    match damaged.as_slice() {
        [] => Ok(()),
        names => bail!(
            "damaged: these values do not match their saved checksums: {}{lines}\n  \
             help: leave them out (--drop), or take them from another checkpoint (--take)",
            listed(names, LISTED)
        ),
    }
}

/// The maximum number of names that a message lists. Further names are only counted.
const LISTED: usize = 20;

/// Checks that no data file is missing. An incomplete checkpoint is not exported.
fn complete(catalog: &Catalog) -> anyhow::Result<()> {
    match catalog.is_complete() {
        true => Ok(()),
        false => bail!(
            "some of its data files are missing (see above), so it cannot be written\n  \
             help: copy them too, or leave out the variables in them (--salvage)"
        ),
    }
}
