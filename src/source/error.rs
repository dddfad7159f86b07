//! The reasons why a source cannot be opened: what is wrong, where, and what to do next.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::format::Malformed;
use crate::name::{Name, listed, python};
use crate::source::lead::Lead;
use crate::source::rights;

/// The reason why a source cannot be opened.
#[derive(Debug)]
pub enum Error {
    /// A path that leads to nothing.
    #[allow(
        missing_docs,
        reason = "the path that was given, what is meant by it, what is called nearly so, nearest first, and true if a \
                  save of it began"
    )]
    NotFound { path: PathBuf, leads: Vec<Lead>, nearest: Vec<String>, is_unfinished: bool },
    /// A directory without checkpoints.
    #[allow(
        missing_docs,
        reason = "the directory, what it holds instead, where below it checkpoints are, the SavedModels below it, and what \
                  is meant by it"
    )]
    NoCheckpoints { dir: PathBuf, holds: String, below: Vec<String>, models: Vec<PathBuf>, leads: Vec<Lead> },
    /// A file that is not a checkpoint.
    #[allow(missing_docs, reason = "the file, what it is, what to do about it, and prefixes nearby")]
    Lookalike { path: PathBuf, what: String, advice: String, nearest: Vec<String> },
    /// A data file or graph without its index.
    #[allow(missing_docs, reason = "the file that was given, the index it lacks, and prefixes nearby")]
    NoIndex { path: PathBuf, index: PathBuf, nearest: Vec<String> },
    /// A file that cannot be read.
    Io(PathBuf, io::Error),
    /// Damaged bytes.
    Malformed(PathBuf, Malformed),
    /// A whole file or checkpoint that this version does not support.
    Unsupported(PathBuf, String),
    /// An index that does not agree with the files that it names.
    Disagree(PathBuf, Vec<String>),
    /// Groups and datasets of an HDF5 file that are damaged.
    Datasets(PathBuf, Vec<Fault>),
}

/// A fault of one variable's entry.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key in the index.
    pub key: Name,
    /// A description of the fault.
    pub(crate) what: String,
}

/// The number of faults that are described. The others are counted.
const SHOWN: usize = 20;
/// The number of directories that are listed. The others are counted.
const LISTED: usize = 10;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { path, leads, nearest, is_unfinished } => {
                write!(f, "{}: no checkpoint there: neither {0}.index nor a directory", path.display())?;
                if *is_unfinished {
                    write!(
                        f,
                        "\n  {}_temp/ is a save of it that has not finished, or was interrupted",
                        path.display()
                    )?;
                }
                leads.iter().try_for_each(|lead| write!(f, "\n  {lead}"))?;
                let is_lead =
                    |near: &String| leads.iter().any(|lead| lead.path.as_deref() == Some(near.as_ref()));
                let others: Vec<_> = nearest.iter().filter(|near| !is_lead(near)).cloned().collect();
                help(f, if others.is_empty() { &[] } else { nearest })
            }
            Self::NoCheckpoints { dir, holds, below, models, leads } => {
                write!(f, "{}: no checkpoints in this directory; {holds}", dir.display())?;
                match below.as_slice() {
                    [] => {}
                    below => write!(f, "\n  help: checkpoints one level below: {}", listed(below, LISTED))?,
                }
                match models.first() {
                    None => leads.iter().try_for_each(|lead| write!(f, "\n  {lead}")),
                    Some(model) => {
                        let path = python(model.as_os_str().as_encoded_bytes());
                        write!(f, "\n  help: in the program, tf.saved_model.load({path})")
                    }
                }
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
            Self::Io(path, error) => {
                write!(f, "{}: {error}", path.display())?;
                match rights::obstacle(path).filter(|_| error.kind() == io::ErrorKind::PermissionDenied) {
                    Some(obstacle) => write!(f, "\n  {obstacle}"),
                    None => Ok(()),
                }
            }
            Self::Malformed(path, error) => {
                write!(
                    f,
                    "{}: {error}\n  help: the file is damaged; copy it again from where it was saved",
                    path.display()
                )
            }
            Self::Unsupported(path, what) => write!(f, "{}: {what}", path.display()),
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
