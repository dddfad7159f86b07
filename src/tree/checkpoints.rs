//! The checkpoints of a mount's topmost directory: planned in the background, and counted for `status`.

use std::sync::Arc;

use crate::tree::source_dir::SourceDir;

/// The checkpoints of a mount's topmost directory.
#[derive(Clone)]
pub struct Checkpoints(Arc<SourceDir>);

/// Numbers of checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that the directory has.
    pub all: usize,
    /// Those that were planned.
    pub planned: usize,
    /// The stems of those that were planned and do not fit, the newest first.
    pub mismatched: Vec<Vec<u8>>,
}

impl Checkpoints {
    pub(super) fn new(folder: Arc<SourceDir>) -> Self {
        Self(folder)
    }

    /// Plans the checkpoints that were last listed, the newest first, and keeps what each plan says of its files. Calls
    /// `before_each` before each.
    pub fn plan(&self, mut before_each: impl FnMut()) {
        for slot in self.0.newest_first() {
            before_each();
            slot.plan();
        }
    }

    /// Counts them, by what is known now.
    pub fn counts(&self) -> Counts {
        let slots = self.0.newest_first();
        let planned: Vec<_> = slots.iter().filter_map(|slot| Some((slot, slot.known()?))).collect();
        let unfit = planned.iter().filter(|(_, outcome)| outcome.is_err());
        Counts {
            all: slots.len(),
            planned: planned.len(),
            mismatched: unfit.map(|(slot, _)| slot.found().stem.clone()).collect(),
        }
    }
}
