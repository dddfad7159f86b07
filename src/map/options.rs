//! `[options]`: the treatment of variables without a rule, rules without a variable, and names with two variables.

use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::span::Span;

/// The treatment of variables that no rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmatched {
    Keep,
    Drop,
    Error,
}

/// The treatment of rules that matched nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unused {
    Error,
    Warn,
}

/// The treatment of two variables that get one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collision {
    Error,
    First,
}

pub(crate) const UNMATCHED: &[(&str, Unmatched)] =
    &[("keep", Unmatched::Keep), ("drop", Unmatched::Drop), ("error", Unmatched::Error)];
pub(crate) const UNUSED: &[(&str, Unused)] = &[("error", Unused::Error), ("warn", Unused::Warn)];
pub(crate) const COLLISION: &[(&str, Collision)] =
    &[("error", Collision::Error), ("first", Collision::First)];

/// A value, and the place where it was chosen.
#[derive(Clone, Debug)]
pub(crate) struct Choice<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// An option, which may be unset.
#[derive(Clone, Debug)]
pub(crate) struct Opt<T>(pub(crate) Option<Choice<T>>);

impl<T> Default for Opt<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Copy + PartialEq> Opt<T> {
    /// Sets the option. A different value that was set elsewhere is an error.
    pub(crate) fn set(&mut self, name: &str, choice: Choice<T>, errors: &mut Errors) {
        match &self.0 {
            Some(first) if first.value != choice.value => errors.push(
                Error::new(Kind::Conflict, &choice.span, format!("option `{name}` has two values"))
                    .related(&first.span, "and here")
                    .help("one of them must go"),
            ),
            _ => self.0 = Some(choice),
        }
    }

    pub(crate) fn or(&self, default: T) -> T {
        self.0.as_ref().map_or(default, |choice| choice.value)
    }
}

/// All options of a map.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) unmatched: Opt<Unmatched>,
    pub(crate) unused: Opt<Unused>,
    pub(crate) collision: Opt<Collision>,
}

impl Options {
    /// Returns true if the options change nothing by themselves: unmatched variables are kept.
    pub(crate) fn are_default(&self) -> bool {
        self.unmatched.or(Unmatched::Keep) == Unmatched::Keep
    }
}
