//! A checkpoint in a directory: discovered by name, planned on first use, its tree evicted LRU.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use crate::catalog::Catalog;
use crate::name::printable;
use crate::source_file::Stamp;
use crate::tree::backend::{Backend, FoundCheckpoint};
use crate::tree::checkpoint::CheckpointTree;
use crate::tree::checkpoint::show::Show;
use crate::tree::{Attr, Ino};

/// A checkpoint in one state of its files.
pub(crate) struct LazyCheckpoint {
    tag: u32,
    found: FoundCheckpoint,
    /// The checkpoint's directory in the source.
    directory: Arc<dyn Backend>,
    /// The inode number of that directory in the mount.
    parent: Ino,
    /// The flag of the directory that is set when a plan contradicts the file names in the listing.
    stale: Arc<AtomicBool>,
    plan_result: OnceLock<Result<PlanSummary, String>>,
    tree: RwLock<Option<Arc<CheckpointTree>>>,
    /// The lock that is held while planning, so that the checkpoint is planned once, regardless of the number of
    /// threads waiting for it.
    planning: Mutex<()>,
    used: AtomicU64,
    /// The part of the checkpoint that the mount shows.
    show: Show,
}

/// The part of a plan that is kept: enough to list the directory that contains the checkpoint.
pub(crate) struct PlanSummary {
    /// The bundle files.
    pub(crate) siblings: Vec<(Vec<u8>, Attr)>,
    /// The checkpoint's directory.
    pub(crate) root: Attr,
    /// True if every data file that a variable needs exists.
    pub(crate) is_complete: bool,
    variables: usize,
}

/// The checkpoints whose trees are built. The least recently used trees are evicted.
#[derive(Default)]
pub(crate) struct TreeCache {
    built: Mutex<Vec<Arc<LazyCheckpoint>>>,
    clock: AtomicU64,
}

/// The maximum number of trees that are kept.
const TREES: usize = 64;
/// The maximum number of variables in all kept trees together. One tree is kept regardless of its size.
const VARIABLES: usize = 250_000;

impl TreeCache {
    /// Adds a checkpoint whose tree was built, and evicts the least recently used trees.
    fn add(&self, slot: &Arc<LazyCheckpoint>) {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.retain(|other| !Arc::ptr_eq(other, slot));
        built.push(slot.clone());
        while built.len() > 1
            && (built.len() > TREES || built.iter().map(|slot| slot.variables()).sum::<usize>() > VARIABLES)
        {
            let others = built.iter().enumerate().filter(|(_, other)| !Arc::ptr_eq(other, slot));
            let Some((oldest, _)) = others.min_by_key(|(_, slot)| slot.used()) else { return };
            built.swap_remove(oldest).drop_tree();
        }
    }

    /// Removes the checkpoint with a tag.
    pub(crate) fn remove(&self, tag: u32) {
        self.built.lock().unwrap_or_else(PoisonError::into_inner).retain(|slot| slot.tag() != tag);
    }

    /// Returns a number that grows with each use of a tree.
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}

impl LazyCheckpoint {
    pub(crate) fn new(
        tag: u32,
        found: FoundCheckpoint,
        directory: Arc<dyn Backend>,
        parent: Ino,
        stale: Arc<AtomicBool>,
        show: Show,
    ) -> Self {
        let (outcome, tree, planning) = (OnceLock::new(), RwLock::default(), Mutex::default());
        let used = AtomicU64::new(0);
        Self { tag, found, directory, parent, stale, plan_result: outcome, tree, planning, used, show }
    }

    pub(crate) fn tag(&self) -> u32 {
        self.tag
    }

    pub(crate) fn found(&self) -> &FoundCheckpoint {
        &self.found
    }

    /// Returns true if the checkpoint's index is in the state `index`.
    pub(crate) fn is_in_state(&self, index: &Stamp) -> bool {
        index.same_content(&self.found.index)
    }

    /// Returns the inode number of the directory that contains the checkpoint.
    pub(crate) fn parent(&self) -> Ino {
        self.parent
    }

    /// Returns the result of planning; `None` if the checkpoint is not planned yet.
    pub(crate) fn known(&self) -> Option<&Result<PlanSummary, String>> {
        self.plan_result.get()
    }

    /// Returns the result of planning. Plans the checkpoint if necessary.
    pub(crate) fn summary(self: &Arc<Self>, trees: &TreeCache) -> Result<&PlanSummary, &str> {
        if self.plan_result.get().is_none() {
            let _ = self.tree(trees);
        }
        self.plan_result.get_or_init(|| Err("not planned".into())).as_ref().map_err(String::as_str)
    }

    /// Returns the tree. Builds it if necessary; returns `None` if that fails.
    pub(crate) fn tree(self: &Arc<Self>, trees: &TreeCache) -> Option<Arc<CheckpointTree>> {
        self.used.store(trees.tick(), Ordering::Relaxed);
        if let Some(tree) = self.built() {
            return Some(tree);
        }
        let _planning = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(self.plan_result.get(), Some(Err(_))) || self.built().is_some() {
            return self.built();
        }
        let tree = self.planned()?;
        self.keep_tree(tree.clone(), trees);
        Some(tree)
    }

    /// Plans the checkpoint, unless it is already planned. Keeps the result but no tree: a listing may plan many
    /// checkpoints that no program uses.
    pub(crate) fn plan(&self) {
        let _planning = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
        if self.plan_result.get().is_none() {
            let _ = self.planned();
        }
    }

    fn planned(&self) -> Option<Arc<CheckpointTree>> {
        match self.directory.plan(&self.found.stem) {
            Ok((catalog, stamp)) => self.store_plan(catalog, stamp),
            Err(what) => self.store_failure(what),
        }
    }

    /// Stores an existing plan, and keeps its tree.
    pub(crate) fn build(self: &Arc<Self>, catalog: Catalog, stamp: Stamp, trees: &TreeCache) {
        if let Some(tree) = self.store_plan(catalog, stamp) {
            self.keep_tree(tree, trees);
        }
    }

    fn keep_tree(self: &Arc<Self>, tree: Arc<CheckpointTree>, trees: &TreeCache) {
        *self.tree.write().unwrap_or_else(PoisonError::into_inner) = Some(tree);
        trees.add(self);
    }

    /// Builds the tree of a plan, and stores the plan's summary.
    fn store_plan(&self, catalog: Catalog, stamp: Stamp) -> Option<Arc<CheckpointTree>> {
        if !self.is_in_state(&stamp) {
            return self.store_failure(
                "its index changed while it was read; the next listing reads it again".into(),
            );
        }
        let tree = Arc::new(CheckpointTree::new(self.tag, &self.found.stem, catalog, stamp, &self.show));
        self.plan_result.get_or_init(|| {
            let outline = PlanSummary::of(&tree);
            self.stale.fetch_or(!outline.is_as_promised(&self.found), Ordering::Relaxed);
            Ok(outline)
        });
        Some(tree)
    }

    /// Stores the reason why the checkpoint cannot be shown. A checkpoint that was planned before keeps its result:
    /// its files have changed since, and the next listing has a new checkpoint in its place.
    fn store_failure(&self, what: String) -> Option<Arc<CheckpointTree>> {
        self.stale.store(true, Ordering::Relaxed);
        self.plan_result.get_or_init(|| {
            log::warn!("{}: not shown: {what}", printable(&self.found.stem));
            Err(what)
        });
        None
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn variables(&self) -> usize {
        self.plan_result
            .get()
            .and_then(|outcome| outcome.as_ref().ok())
            .map_or(0, |outline| outline.variables)
    }

    pub(crate) fn drop_tree(&self) {
        *self.tree.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn built(&self) -> Option<Arc<CheckpointTree>> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl PlanSummary {
    fn of(tree: &CheckpointTree) -> Self {
        let attr = |ino: Ino| tree.attr(ino.ordinal()).expect("a tree knows what it lists");
        Self {
            siblings: tree.siblings().map(|(name, ino)| (name.to_vec(), attr(ino))).collect(),
            root: attr(tree.directory()),
            is_complete: tree.is_complete(),
            variables: tree.num_variables(),
        }
    }

    /// Returns the inode number of a bundle file.
    pub(crate) fn sibling(&self, name: &[u8]) -> Option<Ino> {
        self.siblings.iter().find(|(sibling, _)| sibling == name).map(|(_, attr)| attr.ino)
    }

    fn is_as_promised(&self, found: &FoundCheckpoint) -> bool {
        let mut names: Vec<_> = self.siblings.iter().map(|(name, _)| name.clone()).collect();
        let mut promised: Vec<_> = found.data.iter().map(|(name, _)| name.clone()).collect();
        promised.push([&found.stem[..], b".index"].concat());
        names.sort();
        promised.sort();
        names == promised && self.is_complete
    }
}
