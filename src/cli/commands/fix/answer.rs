//! An answer: the evidence, the flags that mend the failure, and the lines that can be pasted.

use std::path::{Path, PathBuf};

use crate::cli::commands::fix::case::Case;
use crate::cli::commands::fix::write;
use crate::cli::flags::map_flags::MapFlags;
use crate::doctor::Mend;
use crate::failure::Treatment;
use crate::map::Map;
use crate::name::{flag, is_printable};
use crate::source;
use crate::source::word;
use crate::suggest::Confidence;

/// What is said about a text.
#[derive(Default)]
pub(crate) struct Answer {
    /// The lines of evidence.
    pub(crate) evidence: Vec<String>,
    /// The flags that mend it, the best first. Several that are not sure are a choice.
    pub(crate) mended: Vec<Mended>,
    /// Other lines that mend it.
    pub(crate) mends: Vec<Mend>,
    /// True if the lines only lead to the answer: they write WANTED, or examine the checkpoint.
    pub(crate) is_open: bool,
    /// The file into which the map was written.
    pub(crate) written: Option<PathBuf>,
}

/// Flags that were tried on the checkpoint.
pub(crate) struct Mended {
    /// All flags of the command.
    pub(crate) map: MapFlags,
    /// The flags that were found, quoted for a shell.
    pub(crate) flags: Vec<String>,
    /// The same flags as arguments. They are empty if a comparison with WANTED found the flags.
    pub(crate) words: Vec<String>,
    /// The numbers of variables.
    pub(crate) remark: String,
    pub(crate) confidence: Confidence,
    pub(crate) doubt: Option<String>,
}

impl Mended {
    /// Returns the flags with those of a case, if they can be read. A name may begin with `--`.
    pub(crate) fn new(case: &Case, words: &[(&str, &str)], confidence: Confidence) -> Option<Self> {
        let words: Vec<_> =
            words.iter().map(|(name, value)| (name.trim_start_matches("--"), *value)).collect();
        let word = |(name, value): &(&str, &str)| match value.is_empty() {
            true => format!("--{name}"),
            false => format!("--{name}={value}"),
        };
        let typed = |(name, value): &(&str, &str)| flag(name, value);
        let flags = words.iter().map(typed).collect();
        let words: Vec<_> = words.iter().map(word).collect();
        let map = case.map.with(&words).ok()?;
        Some(Self { map, flags, words, remark: String::new(), confidence, doubt: None })
    }
}

impl Answer {
    /// Adds the answer of a treatment.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { evidence, mended, mends, is_open, .. } = other;
        for line in evidence {
            if !self.evidence.contains(&line) {
                self.evidence.push(line);
            }
        }
        for mend in mends {
            if !self.mends.contains(&mend) {
                self.mends.push(mend);
            }
        }
        self.mended.extend(mended);
        self.is_open |= is_open;
    }

    /// Returns the flags, if there is only one choice.
    pub(crate) fn chosen(&self) -> Option<&Mended> {
        self.mended.first().filter(|first| first.confidence >= Confidence::Likely)
    }

    /// Returns true if the answer has a line that was checked.
    pub(crate) fn is_checked(&self) -> bool {
        let is_line =
            |mend: &Mend| matches!(mend, Mend::Command(line) | Mend::Python(line) if is_printable(line));
        let is_shown =
            |mended: &Mended| self.written.is_some() || mended.flags.iter().all(|flag| is_printable(flag));
        match self.mended.is_empty() {
            true => self.mends.iter().any(is_line) && !self.is_open,
            false => self.chosen().is_some_and(is_shown),
        }
    }

    /// Writes the map of the chosen flags into a file.
    pub(crate) fn write(&mut self, path: &Path) -> anyhow::Result<()> {
        let Some(map) = self.chosen().map(|mended| mended.map.parse()).transpose()? else { return Ok(()) };
        if !Map::is_empty(&map) {
            write(path, &map.to_toml())?;
            self.written = Some(path.to_owned());
        }
        Ok(())
    }

    /// Returns the command that runs the program with the flags.
    pub(crate) fn command(&self, case: &Case, mended: &Mended) -> Option<String> {
        let source = case.source.as_deref()?;
        let flags = match &self.written {
            None => mended.map.typed().join(" "),
            Some(path) => {
                let map = flag("map", &path.to_string_lossy());
                [map.as_str()].into_iter().chain(mended.map.typed_map().1).collect::<Vec<_>>().join(" ")
            }
        };
        let line = match cfg!(feature = "fuse") {
            true => format!("ckptfs run {} {flags} -- {}", served(source), case.program()),
            false => format!("ckptfs export {} fixed/ckpt {flags}", word(source)),
        };
        is_printable(&line).then_some(line)
    }
}

/// Returns the directory of a checkpoint if a run that serves all of it shows this checkpoint as the newest.
fn served(source: &Path) -> String {
    let parent = source.parent().filter(|parent| !parent.as_os_str().is_empty());
    let is_newest = |parent: &&Path| {
        let newest = source::candidates(parent).ok().and_then(|mut all| all.located.drain(..).next());
        newest.is_some_and(|newest| Some(newest.prefix.stem.as_os_str()) == source.file_name())
    };
    match parent.filter(is_newest) {
        Some(parent) => word(&parent.join("")),
        None => word(source),
    }
}

/// Answers the failures whose mend is in the program.
pub(crate) fn program(case: &Case) -> Answer {
    let lines = case.failures.iter().filter_map(|failure| match failure.row.treatment {
        Treatment::Program(line) => Some((failure.row.meaning.to_owned(), Mend::Python(line.to_owned()))),
        _ => None,
    });
    let (evidence, mends) = lines.unzip();
    Answer { evidence, mends, ..Answer::default() }
}
