//! The error of an op.

use crate::map::pattern::Fault;
use crate::map::span::{Span, SpannedStr};

/// An op that does not fit its input: the place in the map, and the reason.
#[derive(Clone, Debug)]
pub(crate) struct OpError {
    pub(crate) span: Span,
    pub(crate) what: String,
    pub(crate) help: Option<String>,
}

impl OpError {
    pub(crate) fn new(place: &Span, what: impl Into<String>) -> Self {
        Self { span: place.clone(), what: what.into(), help: None }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Returns the error for a fault inside a text.
    pub(crate) fn within(written: &SpannedStr, fault: Fault) -> Self {
        Self { span: written.part(fault.at), what: fault.what, help: fault.help }
    }
}
