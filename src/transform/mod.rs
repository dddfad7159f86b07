//! The transformation of a checkpoint, in four steps: overlay the values of other checkpoints, apply the map, convert
//! to the target kind (with or without an object graph), and match the names of another checkpoint. What is damaged in
//! the source and still there after that is refused.

pub(crate) mod damage;
pub(crate) mod kind;
pub(crate) mod like;
pub mod overlay;

pub use kind::{TARGETS, Target, convert_kind};

use crate::catalog::{Catalog, H5Layout};
use crate::map::Map;
use crate::remap::apply;
use crate::remap::plan::MapMismatch;
use crate::remap::report::Report;
use crate::source_file::Stamp;
use crate::transform::damage::{DamagedVariables, Salvage, Soundness};
use crate::transform::like::mismatch::LikeMismatch;
pub(crate) use crate::transform::like::options::{MATCHINGS, Matching};
use crate::transform::like::problem::no_weights;
use crate::transform::like::{Choices, Likeness, Wanted, like};
use crate::transform::overlay::Overlays;
use crate::transform::overlay::error::OverlayError;
use crate::transform::overlay::summary::OverlaySummary;

/// A transformation to apply to a checkpoint.
#[derive(Default)]
pub struct Transform {
    /// The values of other checkpoints.
    pub(crate) overlays: Overlays,
    /// The rules that rename variables.
    pub(crate) map: Map,
    /// The target kind. `None` keeps the source's kind.
    pub(crate) target: Option<Target>,
    /// The checkpoint whose names the result must have, and the decisions about what it leaves open.
    pub(crate) like: Option<(Wanted, Choices)>,
    /// The evidence that pairs the variables of two checkpoints where names and positions disagree. `None` refuses to
    /// choose.
    pub(crate) matching: Option<Matching>,
    /// The layout of the HDF5 file. `None` keeps the source's layout.
    pub(crate) h5_layout: Option<H5Layout>,
}

/// The result of a transformation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transformed {
    /// The summary of the overlays.
    pub(crate) overlays: OverlaySummary,
    /// The report of the map.
    pub(crate) report: Report,
    /// The result of `--like`. `None` if it was not requested.
    pub(crate) likeness: Option<Likeness>,
    /// The warnings about the steps after the map.
    pub(crate) warnings: Vec<String>,
    /// The warning that names what `--salvage` left out.
    pub(crate) salvaged: Option<String>,
}

/// The reason why a transformation failed.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// The map does not match the checkpoint. Not `transparent`: code that prints errors looks for this error,
    /// because it has its own layout.
    #[error("{0}")]
    Map(#[from] MapMismatch),
    /// The overlays do not match the checkpoint.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// The checkpoint cannot be made like the other one.
    #[error(transparent)]
    Like(#[from] LikeMismatch),
    /// The checkpoint is damaged, and the flags do not say what to do about it.
    #[error(transparent)]
    Damaged(#[from] Box<DamagedVariables>),
}

impl Transform {
    /// Applies the transformation. After an error, the catalog must not be used.
    ///
    /// # Errors
    /// Every mismatch, or every variable that is damaged in the source and neither replaced nor left out.
    pub(crate) fn apply(&self, catalog: &mut Catalog) -> Result<Transformed, TransformError> {
        match self.apply_to_damaged(catalog)? {
            (transformed, None) => Ok(transformed),
            (_, Some(damaged)) => Err(damaged.into()),
        }
    }

    /// Lays the overlays over a catalog, and warns if there are no weights in it.
    ///
    /// # Errors
    /// Every mismatch.
    pub(crate) fn overlay(&self, catalog: &mut Catalog) -> Result<OverlaySummary, OverlayError> {
        let mut summary = self.overlays.lay_by(self.matching, catalog)?;
        summary.warnings.extend(no_weights(catalog));
        Ok(summary)
    }

    /// Like [`Self::apply`], but returns the damaged variables that are left instead of refusing them, for a caller that
    /// shows names.
    ///
    /// # Errors
    /// Every mismatch.
    pub(crate) fn apply_to_damaged(
        &self,
        catalog: &mut Catalog,
    ) -> Result<(Transformed, Option<Box<DamagedVariables>>), TransformError> {
        let sound = Soundness::of(catalog);
        let overlays = self.overlay(catalog)?;
        if let Some(damaged) = sound.judge_graph(catalog).filter(|_| self.needs_names()) {
            return Err(damaged.into());
        }
        let salvage = Salvage::of(&self.map, catalog, &sound)?;
        let report = apply(&self.map, catalog)?;
        let salvaged = salvage.finish(&self.map, &report, catalog);
        let mut warnings = Vec::new();
        let likeness = self.fit(catalog, &mut warnings)?;
        let damaged = sound.judge(catalog);
        Ok((Transformed { overlays, report, likeness, warnings, salvaged }, damaged))
    }

    /// Returns true if a step after the overlays needs the names of the objects.
    pub(crate) fn needs_names(&self) -> bool {
        !self.map.is_empty() || self.target.is_some() || self.like.is_some()
    }

    /// Returns the transformation without the rules of the map, except that it leaves out what is damaged if the map does.
    pub(crate) fn without_rules(&self) -> Self {
        let map = if self.map.salvages() { Map::salvage() } else { Map::default() };
        Self { overlays: self.overlays.clone(), map, matching: self.matching, ..Self::default() }
    }

    /// Applies the transformation to the only or newest checkpoint of a source. `head` identifies the file that lists
    /// its contents.
    ///
    /// # Errors
    /// Like [`Self::apply`], and an error if an overlay is the checkpoint itself.
    pub(crate) fn apply_to(
        &self,
        head: &Stamp,
        catalog: &mut Catalog,
    ) -> Result<Transformed, TransformError> {
        self.overlays.refuse_base(head)?;
        self.apply(catalog)
    }

    /// Applies the steps after the map. Adds warnings about them.
    ///
    /// # Errors
    /// Every mismatch.
    pub(crate) fn fit(
        &self,
        catalog: &mut Catalog,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Likeness>, LikeMismatch> {
        catalog.h5_layout = self.h5_layout.unwrap_or(catalog.h5_layout);
        if let Some(target) = self.target {
            // With --like, the slots become those of WANTED's optimizer.
            let warning = convert_kind(catalog, target);
            warnings.extend(warning.filter(|_| self.like.is_none()));
        }
        let like = |(wanted, choices): &(Wanted, Choices)| like(catalog, wanted, choices, self.matching);
        self.like.as_ref().map(like).transpose()
    }
}

impl From<Map> for Transform {
    fn from(map: Map) -> Self {
        Self { map, ..Self::default() }
    }
}
