//! The transformation of a checkpoint, in four steps: overlay the values of other checkpoints, apply the map, convert
//! to the target kind (with or without an object graph), and match the names of another checkpoint.

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
use crate::transform::like::mismatch::LikeMismatch;
pub(crate) use crate::transform::like::options::{MATCHINGS, Matching};
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
}

impl Transform {
    /// Applies the transformation. After an error, the catalog must not be used.
    ///
    /// # Errors
    /// Every mismatch.
    pub(crate) fn apply(&self, catalog: &mut Catalog) -> Result<Transformed, TransformError> {
        let overlaid = self.overlay(catalog)?;
        let report = apply(&self.map, catalog)?;
        let mut warnings = Vec::new();
        let likeness = self.fit(catalog, &mut warnings)?;
        Ok(Transformed { overlays: overlaid, report, likeness, warnings })
    }

    /// Lays the overlays over a catalog.
    ///
    /// # Errors
    /// Every mismatch.
    pub(crate) fn overlay(&self, catalog: &mut Catalog) -> Result<OverlaySummary, OverlayError> {
        self.overlays.lay_by(self.matching, catalog)
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
