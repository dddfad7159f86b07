//! All that is done to a checkpoint on its way: first values of others are laid over its own, then the map, then what kind of checkpoint it is to be, then whose names it
//! is to have.

pub mod kind;
pub mod like;
pub mod overlay;

pub use kind::{TARGETS, Target, retarget};

use crate::catalog::{Catalog, H5Layout};
use crate::map::Map;
use crate::remap::apply;
use crate::remap::plan::Unfit;
use crate::remap::report::Report;
use crate::source_file::Stamp;
use crate::transform::like::mismatch::Unlike;
use crate::transform::like::{Filling, Likeness, Wanted, like};
use crate::transform::overlay::Overlays;
use crate::transform::overlay::error::Unlaid;
use crate::transform::overlay::summary::Laid;

/// What is to be done.
#[derive(Default)]
pub struct Recipe {
    /// Values of other checkpoints.
    pub overlays: Overlays,
    /// Names by rules.
    pub map: Map,
    /// With an object graph, or without.
    pub target: Option<Target>,
    /// Names by example, and what to do about values that are missing.
    pub like: Option<(Wanted, Filling)>,
    /// How it is to be laid out as an HDF5 file, if that is not the source's own way.
    pub h5_layout: Option<H5Layout>,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By the overlays.
    pub laid: Laid,
    /// By the map.
    pub report: Report,
    /// To be like another.
    pub likeness: Option<Likeness>,
}

/// Why it cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Unmade {
    /// The map does not fit. Not transparent: who prints errors looks for this one, which has its own layout.
    #[error("{0}")]
    Unfit(#[from] Unfit),
    /// Other checkpoints cannot be laid over it.
    #[error(transparent)]
    Unlaid(#[from] Unlaid),
    /// The checkpoint cannot be made like the other.
    #[error(transparent)]
    Unlike(#[from] Unlike),
}

impl Recipe {
    /// Does it. The catalog is not to be used after an error.
    ///
    /// # Errors
    /// Everything that does not fit.
    pub fn apply(&self, catalog: &mut Catalog) -> Result<Outcome, Unmade> {
        let laid = self.overlays.lay(catalog)?;
        let report = apply(&self.map, catalog)?;
        Ok(Outcome { laid, report, likeness: self.fit(catalog)? })
    }

    /// Does it to the only or newest checkpoint of a source, whose head is this.
    ///
    /// # Errors
    /// As [`Self::apply`], and where it would be laid over itself.
    pub fn apply_to(&self, head: &Stamp, catalog: &mut Catalog) -> Result<Outcome, Unmade> {
        self.overlays.refuse_base(head)?;
        self.apply(catalog)
    }

    /// Does what comes after the map.
    ///
    /// # Errors
    /// Everything that does not fit.
    pub fn fit(&self, catalog: &mut Catalog) -> Result<Option<Likeness>, Unlike> {
        catalog.h5_layout = self.h5_layout.unwrap_or(catalog.h5_layout);
        if let Some(target) = self.target {
            retarget(catalog, target);
        }
        self.like.as_ref().map(|(wanted, filling)| like(catalog, wanted, *filling)).transpose()
    }
}

impl From<Map> for Recipe {
    fn from(map: Map) -> Self {
        Self { map, ..Self::default() }
    }
}
