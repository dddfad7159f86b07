//! The reasons why a source cannot be opened: what is wrong, where, and what to do next.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::format::Malformed;
use crate::name::{Name, listed};

/// The reason why a source cannot be opened.
#[derive(Debug)]
pub enum Error {
    /// A path that leads to nothing.
    #[allow(missing_docs, reason = "the path that was given, and what is called nearly so, nearest first")]
    NotFound { path: PathBuf, nearest: Vec<String> },
    /// A directory without checkpoints.
    #[allow(
        missing_docs,
        reason = "the directory, what it holds instead, and where below it checkpoints are"
    )]
    NoCheckpoints { dir: PathBuf, holds: String, below: Vec<String> },
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
    /// Entries that TensorFlow would misread, or that would abort its process.
    Entries(PathBuf, Vec<Fault>),
    /// Data files that end before the variables in them end.
    CutShort(Vec<Cut>),
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

/// A data file that ends too early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its length in bytes.
    pub(crate) len: u64,
    /// The length that the index requires.
    pub(crate) needed: u64,
    /// The number of variables beyond its end.
    pub(crate) beyond: usize,
    /// The number of variables in the checkpoint.
    pub(crate) all: usize,
}

impl Cut {
    /// Returns the last component of the path.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Format: `1000 bytes of 1,223,643; 13 of 15 variables are beyond its end`
impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { beyond, all, .. } = self;
        let (len, needed) = (grouped(self.len), grouped(self.needed));
        write!(f, "{len} bytes of {needed}; {beyond} of {all} variables are beyond its end")
    }
}

/// The number of faults that are described. The others are counted.
const SHOWN: usize = 20;
/// The number of directories that are listed. The others are counted.
const LISTED: usize = 10;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { path, nearest } => {
                write!(f, "{}: no checkpoint there: neither {0}.index nor a directory", path.display())?;
                help(f, nearest)
            }
            Self::NoCheckpoints { dir, holds, below } => {
                write!(f, "{}: no checkpoints in this directory; {holds}", dir.display())?;
                match below.as_slice() {
                    [] => Ok(()),
                    below => write!(f, "\n  help: checkpoints one level below: {}", listed(below, LISTED)),
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
            Self::CutShort(cuts) => {
                cuts.iter().try_for_each(|cut| writeln!(f, "{}: {cut}", cut.path.display()))?;
                write!(
                    f,
                    "  help: the copy or the save stopped early; copy the file again from where it was saved"
                )
            }
            Self::Disagree(path, faults) => disagree(f, path, faults),
            Self::Datasets(path, faults) => datasets(f, path, faults),
        }
    }
}

impl std::error::Error for Error {}

/// Formats a number, with commas if it has five digits or more.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let (first, rest) = digits.split_at((digits.len() - 1) % 3 + 1);
    let groups = rest.as_bytes().chunks(3).map(|group| format!(",{}", String::from_utf8_lossy(group)));
    first.to_owned() + &groups.collect::<String>()
}

fn help(f: &mut fmt::Formatter<'_>, nearest: &[String]) -> fmt::Result {
    match nearest {
        [] => Ok(()),
        names => write!(f, "\n  help: checkpoints nearby: {}", names.join(", ")),
    }
}

fn entries(f: &mut fmt::Formatter<'_>, path: &Path, faults: &[Fault]) -> fmt::Result {
    let plural = if faults.len() == 1 { "entry" } else { "entries" };
    write!(f, "{}: {} {plural} that TensorFlow would misread or crash on", path.display(), faults.len())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_for_a_truncated_file_is_one_line_with_both_lengths() {
        let path = "ckpt-9.data-00000-of-00001".into();
        let cut = Cut { path, len: 1000, needed: 1_223_643, beyond: 13, all: 15 };
        assert_eq!(cut.to_string(), "1000 bytes of 1,223,643; 13 of 15 variables are beyond its end");
        assert_eq!(
            ["12", "1234", "12345", "123456"].map(|n| grouped(n.parse().unwrap())),
            ["12", "1234", "12,345", "123,456"]
        );
    }
}
