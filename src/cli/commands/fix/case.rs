//! A case: the failures of a text, and the checkpoint that they are about.

use std::path::{Path, PathBuf, absolute};

use crate::catalog::Catalog;
use crate::cli::flags::map_flags::MapFlags;
use crate::failure::{Failure, Named, Treatment};
use crate::mounted_source::newest::{Opened, open_newest};
use crate::source::{Checkpoint, word};
use crate::{failure, source};

/// The failures of a text, and the checkpoint that they are about.
pub(crate) struct Case {
    pub(crate) failures: Vec<Failure>,
    /// The program of the traceback.
    pub(crate) script: Option<String>,
    /// The checkpoint, as given or as the text names it.
    pub(crate) source: Option<PathBuf>,
    /// True if the checkpoint was given.
    pub(crate) is_given: bool,
    /// The flags for the checkpoint, without `--like`.
    pub(crate) map: MapFlags,
    pub(crate) wanted: Option<PathBuf>,
}

impl Case {
    pub(crate) fn new(text: &str, source: Option<PathBuf>, map: MapFlags) -> Self {
        let mut failures = failure::recognize(text);
        // A Saver that lacks a key looks for an object graph, and its second error says no more than that there is none.
        let has_names = failures.iter().any(|failure| failure.row.treatment == Treatment::MissingName);
        failures.retain(|failure| !has_names || failure.row.treatment != Treatment::Graph);
        let (map, wanted) = map.without_like();
        let is_given = source.is_some();
        let source = source.or_else(|| failures.iter().find_map(path_of));
        Self { failures, script: failure::script(text).map(str::to_owned), source, is_given, map, wanted }
    }

    /// Iterates over the failures that have a treatment.
    pub(crate) fn treated(&self, treatment: Treatment) -> impl Iterator<Item = &Failure> {
        self.failures.iter().filter(move |failure| failure.row.treatment == treatment)
    }

    pub(crate) fn has(&self, treatment: Treatment) -> bool {
        self.treated(treatment).next().is_some()
    }

    /// Returns the variables of the program that the text describes beside the failures.
    pub(crate) fn described(&self, id: &str) -> Vec<Named> {
        let found = self.failures.iter().filter(|failure| failure.row.id == id);
        found.flat_map(Failure::variables).collect()
    }

    /// Opens the checkpoint without any flags. `None` if it is unknown or cannot be opened.
    pub(crate) fn open(&self) -> Option<Checkpoint> {
        let path = absolute(self.source.as_deref()?).ok()?;
        let candidates = source::candidates(&path).ok()?;
        source::open_located(candidates.located.first()?).ok()
    }

    /// Applies flags to the checkpoint, in memory.
    pub(crate) fn apply(&self, map: &MapFlags) -> Option<Catalog> {
        let candidates = source::candidates(self.source.as_deref()?).ok()?;
        let Opened { checkpoint, .. } = open_newest(&candidates, &map.transform().ok()?).ok()?;
        Some(checkpoint.catalog)
    }

    /// Returns the command that runs the program, as it stands after `--`.
    pub(crate) fn program(&self) -> String {
        match &self.script {
            Some(script) => format!("python {}", word(Path::new(script))),
            None => "python eval.py".to_owned(),
        }
    }
}

/// Returns the path of the checkpoint in a failure.
pub(crate) fn path_of(failure: &Failure) -> Option<PathBuf> {
    failure.get("path").filter(|path| !path.is_empty()).map(PathBuf::from)
}
