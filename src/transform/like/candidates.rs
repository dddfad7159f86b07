//! The two checkpoints of a search, and the candidates that it finds.

use crate::catalog::{Catalog, Variable};
use crate::tensor::Shape;
use crate::transform::like::alike::Said;
use crate::transform::like::names::{Names, names};
use crate::transform::like::options::{Choices, Missing, chosen};
use crate::transform::like::role::{Role, roles};

/// The match for a wanted variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Candidates {
    /// One variable of the source, by its index.
    One(usize, How),
    /// The absence of a match.
    None,
    /// The absence of a match, because `--new` says so.
    New,
    /// Several variables, each with the reason for it.
    Many(Vec<(usize, How)>),
    /// A member of a group that the two sides do not count alike, by the group's index.
    Group(usize),
    /// An optimizer's value that stands at the position of another value: the value of its own name, if there is one,
    /// and the value at its position.
    OtherState(Option<usize>, usize),
    /// A value of an optimizer of another class.
    OtherOptimizer(usize),
}

/// The reason for a candidate, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    Pair,
    Path,
    FullName,
    Position,
}

impl How {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Pair => "by --pair",
            Self::Path => "by path",
            Self::FullName => "by full name",
            Self::Position => "by position",
        }
    }
}

/// One of the two checkpoints, with what the search needs to know of it.
pub(crate) struct Checkpoint<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) names: Vec<Names>,
    pub(crate) roles: Vec<Role>,
    pub(crate) shapes: Vec<&'a Shape>,
}

impl<'a> Checkpoint<'a> {
    pub(crate) fn new(catalog: &'a Catalog) -> Self {
        let shapes = catalog.variables.iter().map(|variable| &variable.tensor.shape).collect();
        Self { catalog, names: names(catalog), roles: roles(catalog), shapes }
    }

    /// Returns the full names that the checkpoint records, which are evidence beside its paths.
    pub(crate) fn recorded(&self) -> Vec<Option<&[u8]>> {
        let recorded = |variable: &'a Variable| variable.full_name.as_ref().map(|name| name.as_bytes());
        self.catalog.variables.iter().map(recorded).collect()
    }

    /// Returns the old and the new name of each variable that a rule renamed.
    pub(crate) fn renamed(&self) -> Vec<Said<'_>> {
        let one = |variable: &'a Variable| match &variable.origin {
            Some(origin) if origin.name != variable.name => {
                Said::Renamed(origin.name.as_bytes(), variable.name.as_bytes())
            }
            _ => Said::Nothing,
        };
        self.catalog.variables.iter().map(one).collect()
    }

    /// Returns which variables a pattern of `--missing` names.
    pub(crate) fn may_be_missing(&self, choices: &Choices) -> Vec<Said<'_>> {
        let one = |chosen: Option<(Missing, bool)>| match chosen {
            Some((_, true)) => Said::MayBeMissing,
            _ => Said::Nothing,
        };
        chosen(&choices.missing, &self.names).into_iter().map(one).collect()
    }

    pub(crate) fn num_weights(&self) -> usize {
        self.roles.iter().filter(|role| role.is_weight()).count()
    }
}
