//! All that is done to a checkpoint on its way: first values of others are laid over its own, then the map, then what kind of checkpoint it is to be, then whose names it
//! is to have.

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
use crate::transform::like::{Filling, Likeness, Wanted, like};
use crate::transform::overlay::Overlays;
use crate::transform::overlay::error::OverlayError;
use crate::transform::overlay::summary::OverlaySummary;

/// What is to be done.
#[derive(Default)]
pub struct Transform {
    /// Values of other checkpoints.
    pub(crate) overlays: Overlays,
    /// Names by rules.
    pub(crate) map: Map,
    /// With an object graph, or without.
    pub(crate) target: Option<Target>,
    /// Names by example, and what to do about values that are missing.
    pub(crate) like: Option<(Wanted, Filling)>,
    /// How it is to be laid out as an HDF5 file, if that is not the source's own way.
    pub(crate) h5_layout: Option<H5Layout>,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transformed {
    /// By the overlays.
    pub(crate) overlays: OverlaySummary,
    /// By the map.
    pub(crate) report: Report,
    /// To be like another.
    pub(crate) likeness: Option<Likeness>,
}

/// Why it cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// The map does not fit. Not transparent: who prints errors looks for this one, which has its own layout.
    #[error("{0}")]
    Unfit(#[from] MapMismatch),
    /// Other checkpoints cannot be laid over it.
    #[error(transparent)]
    Unlaid(#[from] OverlayError),
    /// The checkpoint cannot be made like the other.
    #[error(transparent)]
    Unlike(#[from] LikeMismatch),
}

impl Transform {
    /// Does it. The catalog is not to be used after an error.
    ///
    /// # Errors
    /// Everything that does not fit.
    pub(crate) fn apply(&self, catalog: &mut Catalog) -> Result<Transformed, TransformError> {
        let laid = self.overlays.lay(catalog)?;
        let report = apply(&self.map, catalog)?;
        Ok(Transformed { overlays: laid, report, likeness: self.fit(catalog)? })
    }

    /// Does it to the only or newest checkpoint of a source, whose head is this.
    ///
    /// # Errors
    /// As [`Self::apply`], and where it would be laid over itself.
    pub(crate) fn apply_to(
        &self,
        head: &Stamp,
        catalog: &mut Catalog,
    ) -> Result<Transformed, TransformError> {
        self.overlays.refuse_base(head)?;
        self.apply(catalog)
    }

    /// Does what comes after the map.
    ///
    /// # Errors
    /// Everything that does not fit.
    pub(crate) fn fit(&self, catalog: &mut Catalog) -> Result<Option<Likeness>, LikeMismatch> {
        catalog.h5_layout = self.h5_layout.unwrap_or(catalog.h5_layout);
        if let Some(target) = self.target {
            convert_kind(catalog, target);
        }
        self.like.as_ref().map(|(wanted, filling)| like(catalog, wanted, *filling)).transpose()
    }
}

impl From<Map> for Transform {
    fn from(map: Map) -> Self {
        Self { map, ..Self::default() }
    }
}
