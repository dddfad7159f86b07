//! The two sides of a suggestion, with the evidence that every step uses.

use crate::suggest::leaf_role;
use crate::suggest::pool::Fits;
use crate::suggest::side::Side;
use crate::suggest::vocabulary::Vocabulary;

/// The two sides, their shapes, and their words.
pub(crate) struct Problem<'s> {
    pub(crate) have: &'s Side,
    pub(crate) want: &'s Side,
    pub(crate) fits: Fits,
    pub(crate) words: Vocabulary,
}

/// A pair of variables, by their indexes in the two sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Match {
    pub(crate) have: usize,
    pub(crate) want: usize,
    /// The loss of score without the pair.
    pub(crate) margin: f64,
}

/// The least loss of score by which a pair is better than all others.
pub(crate) const MARGIN: f64 = 0.03;
/// The number of pairs from which on a rule means something. Any rule explains one or two.
pub(crate) const FEW: usize = 3;
/// The greatest number of variables of one side that are compared with all of the other side.
const MOST: usize = 1000;

impl<'s> Problem<'s> {
    pub(crate) fn new(have: &'s Side, want: &'s Side) -> Self {
        Self { have, want, fits: Fits::new(have, want), words: Vocabulary::new(have, want) }
    }

    /// Returns the likeness of two variables by their words and roles. Their roles do not contradict each other.
    pub(crate) fn by_words(&self, have: usize, want: usize) -> f64 {
        let (a, b) = (self.have.variables[have].template, self.want.variables[want].template);
        let role = |side: &Side, template: usize| side.templates[template].meaning.role;
        let roles = leaf_role::score(role(self.have, a), role(self.want, b));
        self.words.likeness(a, b) + roles.unwrap_or_default()
    }

    /// Returns true if two templates have some word in common.
    pub(crate) fn are_alike(&self, have: usize, want: usize) -> bool {
        self.words.likeness(have, want) > 0.0
    }

    /// Returns true if an assignment of this size takes no noticeable time.
    pub(crate) fn is_affordable(&self, rows: usize, columns: usize) -> bool {
        rows.max(columns) <= MOST
    }
}
