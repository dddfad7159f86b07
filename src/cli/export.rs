//! `ckptfs export`: what a mount would show, written to disk.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::map_flags::MapFlags;
use super::terminal::{bytes, counted, say, warning};
use crate::catalog::{Catalog, H5Layout};
use crate::export::{self, Manner, Output};
use crate::extent::VirtualFile;
use crate::name::listed;
use crate::source::Checkpoint;
use crate::{tree, view};

/// Write a checkpoint to disk, as a mount would show it: under new names, or in another format
///
/// All is written or nothing: an export that fails or is interrupted leaves no file.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs export train/ckpt-9 new/model --map fix.toml --link  # copies no data
  $ ckptfs export train/ckpt-9 model.safetensors --drop-optimizer
  $ ckptfs export train/ckpt-9 arrays --format npy")]
pub(super) struct Args {
    /// The checkpoint, as for ls
    source: PathBuf,
    /// What to write: a prefix for a bundle (new/ckpt-9), a file for others, a directory for npy
    out: PathBuf,
    /// The format; if not said, what the end of OUT's name says, else a bundle
    #[arg(long, value_name = "FORMAT", value_parser = names())]
    format: Option<String>,
    /// Link the source's data files instead of copying them, and write only a new index and what a map changes. Restoring
    /// works without a mount, and training may go on saving beside it
    #[arg(long)]
    link: bool,
    /// Replace what is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    map: MapFlags,
}

/// A format that can be written.
struct Format {
    name: &'static str,
    /// What the name of a file of this format ends in.
    suffix: Option<&'static str>,
    outputs: fn(&Args, Checkpoint) -> anyhow::Result<Vec<Output>>,
}

const FORMATS: &[Format] = &[
    Format { name: "bundle", suffix: None, outputs: bundle },
    Format { name: "safetensors", suffix: Some(".safetensors"), outputs: safetensors },
    Format { name: "h5", suffix: Some(".h5"), outputs: h5 },
    Format { name: "npy", suffix: None, outputs: npy },
];

fn names() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.name).collect()
}

impl Args {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let format = self.format();
        if self.link && format.name != FORMATS[0].name {
            bail!("--link: only a bundle's data files are the source's own; {} is written anew", format.name);
        }
        let (checkpoint, _) = self.map.open(&self.source)?;
        let variables = counted(checkpoint.catalog.variables.len(), "variable");
        let outputs = (format.outputs)(self, checkpoint)?;
        let copied = |output: &&Output| !(self.link && output.file.whole_shard().is_some());
        let total = outputs.iter().filter(copied).map(|output| output.file.len()).sum();
        self.write(&outputs, total)?;
        if std::io::stderr().is_terminal() {
            let linked = outputs.iter().filter(|output| !copied(output)).count();
            let linked =
                if linked > 0 { format!(", {} linked", counted(linked, "file")) } else { String::new() };
            say(format_args!("{}: {variables}, {} written{linked}", self.out.display(), bytes(total)));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn format(&self) -> &'static Format {
        let named = |format: &&Format| self.format.as_deref() == Some(format.name);
        let ends =
            |format: &&Format| self.format.is_none() && format.suffix.is_some_and(|end| self.named(end));
        FORMATS.iter().find(named).or_else(|| FORMATS.iter().find(ends)).unwrap_or(&FORMATS[0])
    }

    /// Whether OUT's name ends so.
    fn named(&self, end: &str) -> bool {
        self.out.file_name().is_some_and(|name| name.as_bytes().ends_with(end.as_bytes()))
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
        let manner = Manner { link: self.link, replace: self.force, progress: &progress };
        let written = export::write(outputs, &manner);
        bar.finish_and_clear();
        Ok(written?)
    }
}

/// Drawn on a terminal only.
fn progress_bar(total: u64) -> ProgressBar {
    let style = "{bar:40} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} to go";
    let bar = ProgressBar::new(total);
    bar.with_style(ProgressStyle::with_template(style).expect("the template is sound"))
}

/// The data files, then the index, without which they mean nothing.
fn bundle(args: &Args, checkpoint: Checkpoint) -> anyhow::Result<Vec<Output>> {
    let prefix = &args.out;
    let Some(stem) = prefix.file_name() else { bail!("{}: names no checkpoint", prefix.display()) };
    let with =
        |suffix: String| prefix.with_file_name([stem, OsStr::new(&suffix)].into_iter().collect::<OsString>());
    let catalog = Arc::new(checkpoint.catalog);
    let files = view::bundle::files(&catalog);
    let mut outputs: Vec<_> =
        files.into_iter().map(|(suffix, file)| Output { path: with(suffix), file }).collect();
    complete(&catalog)?;
    outputs.rotate_left(1);
    Ok(outputs)
}

fn safetensors(args: &Args, checkpoint: Checkpoint) -> anyhow::Result<Vec<Output>> {
    whole(args, checkpoint, "model.safetensors")
}

/// The end of OUT's name says which Keras is to read it, for to Keras it does.
fn h5(args: &Args, mut checkpoint: Checkpoint) -> anyhow::Result<Vec<Output>> {
    let layout = if args.named(".weights.h5") { H5Layout::Keras3 } else { H5Layout::Legacy };
    checkpoint.catalog.h5_layout = args.map.h5_layout().unwrap_or(layout);
    let legacy = checkpoint.catalog.h5_layout == H5Layout::Legacy;
    whole(args, checkpoint, if legacy { "model.h5" } else { "model.weights.h5" })
}

/// The one file that a mount shows under that name.
fn whole(args: &Args, checkpoint: Checkpoint, name: &str) -> anyhow::Result<Vec<Output>> {
    sound(&checkpoint.catalog)?;
    let whole = view::WHOLE.iter().find(|whole| whole.name == name && (whole.is_there)(&checkpoint.catalog));
    let Some(whole) = whole else {
        bail!("{}: too many names for a file of this format", args.out.display())
    };
    (whole.left_out)(&checkpoint.catalog).iter().for_each(|what| warning(format_args!("left out: {what}")));
    Ok(vec![Output { path: args.out.clone(), file: (whole.file)(&Arc::new(checkpoint.catalog)) }])
}

/// A file for each variable that NumPy can hold.
fn npy(args: &Args, checkpoint: Checkpoint) -> anyhow::Result<Vec<Output>> {
    let directory = &args.out;
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

/// What has no checksums of its own is written only of what is intact: nobody could tell later.
fn sound(catalog: &Catalog) -> anyhow::Result<()> {
    complete(catalog)?;
    let mut damaged = Vec::new();
    for variable in &catalog.variables {
        let is_intact = variable.tensor.is_intact().with_context(|| variable.name.to_string())?;
        damaged.extend((!is_intact).then(|| variable.name.to_string()));
    }
    match damaged.as_slice() {
        [] => Ok(()),
        names => bail!(
            "damaged, by the checksums that were saved with them: {}\n  \
             help: leave them out (--drop), or take them from another checkpoint (--take)",
            listed(names, LISTED)
        ),
    }
}

/// Names that are listed; more are counted.
const LISTED: usize = 20;

/// Nothing is written of a checkpoint that lacks a data file.
fn complete(catalog: &Catalog) -> anyhow::Result<()> {
    match catalog.is_complete() {
        true => Ok(()),
        false => bail!("some of its data files are missing (see above), so it cannot be written"),
    }
}
