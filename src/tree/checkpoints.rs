//! The checkpoints of a mount's root directory: planned in the background, and counted for `status`.

use std::sync::Arc;

use crate::tree::source_dir::SourceDir;

/// The checkpoints of a mount's root directory.
#[derive(Clone)]
pub struct Checkpoints(Arc<SourceDir>);

/// The numbers of checkpoints in each state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of all checkpoints in the directory.
    pub all: usize,
    /// The number of planned checkpoints.
    pub planned: usize,
    /// The stems of the planned checkpoints that cannot be shown, newest first.
    pub mismatched: Vec<Vec<u8>>,
}

impl Checkpoints {
    pub(super) fn new(dir: Arc<SourceDir>) -> Self {
        Self(dir)
    }

    /// Plans the checkpoints of the last listing, newest first, and keeps what each plan says about the checkpoint's
    /// files. Calls `before_each` before each checkpoint.
    pub fn plan(&self, mut before_each: impl FnMut()) {
        for slot in self.0.newest_first() {
            before_each();
            slot.plan();
        }
    }

    /// Returns the counts as far as they are known now.
    pub fn counts(&self) -> Counts {
        let slots = self.0.newest_first();
        let planned: Vec<_> = slots.iter().filter_map(|slot| Some((slot, slot.known()?))).collect();
        let mismatched = planned.iter().filter(|(_, outcome)| outcome.is_err());
        Counts {
            all: slots.len(),
            planned: planned.len(),
            mismatched: mismatched.map(|(slot, _)| slot.found().stem.clone()).collect(),
        }
    }
}
