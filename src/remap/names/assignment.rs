//! The assignment of names to one variable.

use crate::map::rule::RuleId;

/// What one variable is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assignment {
    /// Its name, and the rule that took it; none: it went for want of a rule, or was never there.
    pub(crate) name: Option<(Vec<u8>, Option<RuleId>)>,
    pub(crate) aliases: Vec<(Vec<u8>, RuleId)>,
    /// The rule that took it, or whose name it follows.
    pub(crate) taker: Option<RuleId>,
    /// What its parts are called, when the taker splits it.
    pub(crate) parts: Vec<Vec<u8>>,
    /// Of which group it is, when the taker joins it.
    pub(crate) group: Option<usize>,
}

impl Assignment {
    /// Whether nothing of it is left.
    pub(crate) fn is_gone(&self) -> bool {
        self.name.is_none() && self.parts.is_empty() && self.group.is_none()
    }
}
