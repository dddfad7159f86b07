//! `[options]`: what to do with variables without a rule, rules without a variable, and names with two variables.

use super::{
    error::{Error, Errors, Kind},
    place::Place,
};

/// Variables that no rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmatched {
    Keep,
    Drop,
    Error,
}

/// Rules that matched nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unused {
    Error,
    Warn,
}

/// Two variables that get one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collision {
    Error,
    First,
}

pub(super) const UNMATCHED: &[(&str, Unmatched)] =
    &[("keep", Unmatched::Keep), ("drop", Unmatched::Drop), ("error", Unmatched::Error)];
pub(super) const UNUSED: &[(&str, Unused)] = &[("error", Unused::Error), ("warn", Unused::Warn)];
pub(super) const COLLISION: &[(&str, Collision)] =
    &[("error", Collision::Error), ("first", Collision::First)];

/// A value, and where it was chosen.
#[derive(Clone, Debug)]
pub(super) struct Choice<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// An option that may have been chosen.
#[derive(Clone, Debug)]
pub(super) struct Opt<T>(pub(super) Option<Choice<T>>);

impl<T> Default for Opt<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Copy + PartialEq> Opt<T> {
    /// Chooses; another choice made elsewhere is an error.
    pub(super) fn set(&mut self, name: &str, choice: Choice<T>, errors: &mut Errors) {
        match &self.0 {
            Some(first) if first.value != choice.value => errors.push(
                Error::new(Kind::Conflict, &choice.place, format!("option `{name}` is set to two things"))
                    .related(&first.place, "and here")
                    .help("one of them must go"),
            ),
            _ => self.0 = Some(choice),
        }
    }

    pub(super) fn or(&self, default: T) -> T {
        self.0.as_ref().map_or(default, |choice| choice.value)
    }
}

/// All options of a map.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) unmatched: Opt<Unmatched>,
    pub(super) unused: Opt<Unused>,
    pub(super) collision: Opt<Collision>,
}

impl Options {
    /// Whether they are what they are when none are given.
    pub(super) fn are_default(&self) -> bool {
        self.unmatched.or(Unmatched::Keep) == Unmatched::Keep
    }
}
