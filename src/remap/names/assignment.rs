//! The assignment of names to one variable.

use crate::map::rule::RuleId;

/// The names of one variable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assignment {
    /// The name, and the rule that gives it. The rule is `None` if the variable keeps its name. The name is `None` if
    /// the variable is dropped, split or joined.
    pub(crate) name: Option<(Vec<u8>, Option<RuleId>)>,
    pub(crate) aliases: Vec<(Vec<u8>, RuleId)>,
    /// The rule that took the variable, or took the variable that this slot follows.
    pub(crate) taker: Option<RuleId>,
    /// The names of the parts, if the taker splits the variable.
    pub(crate) parts: Vec<Vec<u8>>,
    /// The index of the variable's group, if the taker joins it.
    pub(crate) group: Option<usize>,
}

impl Assignment {
    /// Returns true if nothing of the variable is left.
    pub(crate) fn is_gone(&self) -> bool {
        self.name.is_none() && self.parts.is_empty() && self.group.is_none()
    }
}
