//! Why a source cannot be opened: what, where, and what to do next.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::family::Prefix;
use super::identify::{self, Lookalike};
use crate::folder::Folder;
use crate::format::Malformed;
use crate::name::Name;

/// Why a source cannot be opened.
#[derive(Debug)]
pub enum Error {
    /// Nothing there.
    #[allow(missing_docs, reason = "the path that was given, and what is called nearly so, nearest first")]
    NotFound { path: PathBuf, nearest: Vec<String> },
    /// A directory without checkpoints.
    NoCheckpoints(PathBuf),
    /// A file that is something else.
    #[allow(missing_docs, reason = "the file, what it is, what to do about it, and prefixes nearby")]
    Lookalike { path: PathBuf, what: String, advice: String, nearest: Vec<String> },
    /// A data file or graph without its index.
    #[allow(missing_docs, reason = "the file that was given, the index it lacks, and prefixes nearby")]
    NoIndex { path: PathBuf, index: PathBuf, nearest: Vec<String> },
    /// The file cannot be read.
    Io(PathBuf, io::Error),
    /// Damaged bytes.
    Malformed(PathBuf, Malformed),
    /// A whole file or checkpoint that this version does not read.
    Unsupported(PathBuf, String),
    /// Entries that TensorFlow would misread or die of.
    Entries(PathBuf, Vec<Fault>),
    /// An index and the files that it names do not agree.
    Disagree(PathBuf, Vec<String>),
    /// Groups and datasets of an HDF5 file that are damaged.
    Datasets(PathBuf, Vec<Fault>),
}

/// What is wrong with one variable's entry.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key in the index.
    pub key: Name,
    /// What is wrong with it.
    pub what: String,
}

/// Faults that are spelled out; more are counted.
const SHOWN: usize = 20;

impl Error {
    /// `path` exists and is no checkpoint: says what it is instead.
    pub(super) fn not_a_checkpoint(path: &Path) -> Self {
        Self::lookalike(path, identify::identify(path), super::locate::nearest(path))
    }

    /// The index of a prefix is none, nor a damaged one.
    pub(super) fn not_an_index(prefix: &Prefix, folder: &Folder) -> Self {
        let known = identify::identify(&folder.reach(&prefix.head));
        Self::lookalike(&prefix.index(), known, super::locate::nearest_in(folder, prefix))
    }

    fn lookalike(path: &Path, known: Option<&Lookalike>, nearest: Vec<String>) -> Self {
        let what =
            known.map_or("not a TensorFlow checkpoint, nor anything else known here", |kind| kind.what);
        let advice = known.map_or("give a prefix such as train/ckpt-9, or its directory", |kind| kind.advice);
        Self::Lookalike { path: path.into(), what: what.into(), advice: advice.into(), nearest }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { path, nearest } => {
                write!(f, "{}: no checkpoint there: neither {0}.index nor a directory", path.display())?;
                help(f, nearest)
            }
            Self::NoCheckpoints(dir) => {
                write!(
                    f,
                    "{}: no checkpoints in this directory: no file *.index, nor one of another format",
                    dir.display()
                )
            }
            Self::Lookalike { path, what, advice, nearest } => {
                write!(f, "{}: this is {what}\n  help: {advice}", path.display())?;
                help(f, nearest)
            }
            Self::NoIndex { path, index, nearest } => {
                write!(f, "{}: its index {} is missing", path.display(), index.display())?;
                write!(
                    f,
                    "\n  help: the index holds names and shapes; copy it from where the checkpoint was saved"
                )?;
                help(f, nearest)
            }
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Malformed(path, error) => {
                write!(
                    f,
                    "{}: {error}\n  help: the file is damaged; copy it again from where it was saved",
                    path.display()
                )
            }
            Self::Unsupported(path, what) => write!(f, "{}: {what}", path.display()),
            Self::Entries(path, faults) => entries(f, path, faults),
            Self::Disagree(path, faults) => disagree(f, path, faults),
            Self::Datasets(path, faults) => datasets(f, path, faults),
        }
    }
}

impl std::error::Error for Error {}

fn help(f: &mut fmt::Formatter<'_>, nearest: &[String]) -> fmt::Result {
    match nearest {
        [] => Ok(()),
        names => write!(f, "\n  help: checkpoints nearby: {}", names.join(", ")),
    }
}

fn entries(f: &mut fmt::Formatter<'_>, path: &Path, faults: &[Fault]) -> fmt::Result {
    let plural = if faults.len() == 1 { "entry" } else { "entries" };
    write!(f, "{}: {} {plural} that TensorFlow would misread or die of", path.display(), faults.len())?;
    list(f, faults)?;
    write!(f, "\n  help: the checkpoint is damaged or incomplete; copy all its files again")
}

fn datasets(f: &mut fmt::Formatter<'_>, path: &Path, faults: &[Fault]) -> fmt::Result {
    let plural = if faults.len() == 1 { "place" } else { "places" };
    write!(f, "{}: damaged in {} {plural}", path.display(), faults.len())?;
    list(f, faults)?;
    write!(f, "\n  help: copy the file again from where it was saved")
}

fn list(f: &mut fmt::Formatter<'_>, faults: &[Fault]) -> fmt::Result {
    for fault in faults.iter().take(SHOWN) {
        write!(f, "\n  {}: {}", fault.key, fault.what)?;
    }
    if faults.len() > SHOWN {
        write!(f, "\n  and {} more", faults.len() - SHOWN)?;
    }
    Ok(())
}

fn disagree(f: &mut fmt::Formatter<'_>, path: &Path, faults: &[String]) -> fmt::Result {
    write!(f, "{}: it does not agree with {} of the files that it names", path.display(), faults.len())?;
    faults.iter().take(SHOWN).try_for_each(|fault| write!(f, "\n  {fault}"))?;
    if faults.len() > SHOWN {
        write!(f, "\n  and {} more", faults.len() - SHOWN)?;
    }
    write!(f, "\n  help: copy all files of the model again, index and all")
}
