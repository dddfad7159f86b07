//! A checkpoint of a directory: found by its names, planned when it is used, its tree let go of when others are used more.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use crate::catalog::Catalog;
use crate::name::printable;
use crate::source_file::Stamp;
use crate::tree::backend::{Backend, FoundCheckpoint};
use crate::tree::checkpoint::CheckpointTree;
use crate::tree::checkpoint::show::Show;
use crate::tree::{Attr, Ino};

/// One checkpoint in one state of its index.
pub(crate) struct LazyCheckpoint {
    tag: u32,
    found: FoundCheckpoint,
    /// Its directory of the source, and that directory's inode here.
    directory: Arc<dyn Backend>,
    parent: Ino,
    /// Set when planning finds other than what the names promised.
    stale: Arc<AtomicBool>,
    outcome: OnceLock<Result<PlanSummary, String>>,
    tree: RwLock<Option<Arc<CheckpointTree>>>,
    /// Held while it is planned, so that it is planned once however many wait for it.
    planning: Mutex<()>,
    used: AtomicU64,
    /// The part of it that the mount shows.
    show: Show,
}

/// What is kept of a plan: enough to list the directory that the checkpoint is in.
pub(crate) struct PlanSummary {
    /// The bundle's files.
    pub(crate) siblings: Vec<(Vec<u8>, Attr)>,
    /// The checkpoint's directory.
    pub(crate) root: Attr,
    /// Whether every data file that a variable needs is there.
    pub(crate) is_complete: bool,
    variables: usize,
}

/// The checkpoints whose trees are built, of which the least recently used lose theirs.
#[derive(Default)]
pub(crate) struct TreeCache {
    built: Mutex<Vec<Arc<LazyCheckpoint>>>,
    clock: AtomicU64,
}

/// The largest number of trees that are kept, and of variables in them together. One is kept whatever its size.
const TREES: usize = 64;
const VARIABLES: usize = 250_000;

impl TreeCache {
    /// Adds a checkpoint whose tree was built, and drops the trees that were used the longest ago.
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

    /// Forgets the checkpoint of a tag.
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
        astray: Arc<AtomicBool>,
        show: Show,
    ) -> Self {
        let (outcome, tree, planning) = (OnceLock::new(), RwLock::default(), Mutex::default());
        let used = AtomicU64::new(0);
        Self { tag, found, directory, parent, stale: astray, outcome, tree, planning, used, show }
    }

    pub(crate) fn tag(&self) -> u32 {
        self.tag
    }

    pub(crate) fn found(&self) -> &FoundCheckpoint {
        &self.found
    }

    /// Whether its index is the one of that stamp.
    pub(crate) fn is_in_state(&self, index: &Stamp) -> bool {
        index.same_content(&self.found.index)
    }

    /// The inode of the directory that it is in.
    pub(crate) fn parent(&self) -> Ino {
        self.parent
    }

    /// What planning found, if it was planned.
    pub(crate) fn known(&self) -> Option<&Result<PlanSummary, String>> {
        self.outcome.get()
    }

    /// What planning finds.
    pub(crate) fn summary(self: &Arc<Self>, trees: &TreeCache) -> Result<&PlanSummary, &str> {
        if self.outcome.get().is_none() {
            let _ = self.tree(trees);
        }
        self.outcome.get_or_init(|| Err("not planned".into())).as_ref().map_err(String::as_str)
    }

    /// Its tree, built if need be; `None` if that cannot be.
    pub(crate) fn tree(self: &Arc<Self>, trees: &TreeCache) -> Option<Arc<CheckpointTree>> {
        self.used.store(trees.tick(), Ordering::Relaxed);
        if let Some(tree) = self.built() {
            return Some(tree);
        }
        let _planning = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(self.outcome.get(), Some(Err(_))) || self.built().is_some() {
            return self.built();
        }
        let tree = self.planned()?;
        self.keep_tree(tree.clone(), trees);
        Some(tree)
    }

    /// Plans it, unless that was done. Keeps the outcome and no tree: a listing may plan many that nobody uses.
    pub(crate) fn plan(&self) {
        let _planning = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
        if self.outcome.get().is_none() {
            let _ = self.planned();
        }
    }

    fn planned(&self) -> Option<Arc<CheckpointTree>> {
        match self.directory.plan(&self.found.stem) {
            Ok((catalog, stamp)) => self.store_plan(catalog, stamp),
            Err(what) => self.store_failure(what),
        }
    }

    /// Takes a plan that was made already, and keeps its tree.
    pub(crate) fn build(self: &Arc<Self>, catalog: Catalog, stamp: Stamp, trees: &TreeCache) {
        if let Some(tree) = self.store_plan(catalog, stamp) {
            self.keep_tree(tree, trees);
        }
    }

    fn keep_tree(self: &Arc<Self>, tree: Arc<CheckpointTree>, trees: &TreeCache) {
        *self.tree.write().unwrap_or_else(PoisonError::into_inner) = Some(tree);
        trees.add(self);
    }

    /// Notes what a plan says of the checkpoint.
    fn store_plan(&self, catalog: Catalog, stamp: Stamp) -> Option<Arc<CheckpointTree>> {
        if !self.is_in_state(&stamp) {
            return self.store_failure(
                "its index changed while it was looked at; the next look will see it whole".into(),
            );
        }
        let tree = Arc::new(CheckpointTree::new(self.tag, &self.found.stem, catalog, stamp, &self.show));
        self.outcome.get_or_init(|| {
            let outline = PlanSummary::of(&tree);
            self.stale.fetch_or(!outline.is_as_promised(&self.found), Ordering::Relaxed);
            Ok(outline)
        });
        Some(tree)
    }

    /// Notes why it cannot be shown. One that was planned before keeps its outcome: its files changed since, and the next
    /// listing has another in its place.
    fn store_failure(&self, what: String) -> Option<Arc<CheckpointTree>> {
        self.stale.store(true, Ordering::Relaxed);
        self.outcome.get_or_init(|| {
            log::warn!("{}: not shown: {what}", printable(&self.found.stem));
            Err(what)
        });
        None
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn variables(&self) -> usize {
        self.outcome.get().and_then(|outcome| outcome.as_ref().ok()).map_or(0, |outline| outline.variables)
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

    /// The inode of one of the bundle's files.
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
