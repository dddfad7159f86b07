//! The errors of overlays, reported all together.

use std::fmt;

use crate::catalog::UnknownVariable;
use crate::name::{Name, listed};

/// The maximum number of names that a message lists.
pub(crate) const LISTED: usize = 20;

/// One error of an overlay. Each has the flag that requested the overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are what the texts below call them")]
pub enum Fault {
    /// The overlay is the base checkpoint itself.
    Itself { flag: String },
    /// A checkpoint has no variable of that name.
    Unnamed { flag: String, place: String, unnamed: UnknownVariable },
    /// The taken variable has another shape or dtype than the base's.
    Unlike { flag: String, found: String, wanted: String },
    /// A data file is missing.
    NoValues { flag: String, names: Vec<Name> },
    /// The variables are damaged in the overlay, each with the reason.
    Damaged { flag: String, names: Vec<(Name, String)> },
    /// The object graph of the overlay cannot replace the lost one.
    OtherGraph { flag: String, what: &'static str },
    /// Two variables of the overlay match the same variable of the base.
    Twice { flag: String, name: Name, both: [Name; 2] },
    /// Variables are paired by names that only count, and the two checkpoints do not count alike. `groups` has the
    /// members of each parent, as text.
    Counts { flag: String, groups: Vec<String>, readings: Vec<Reading> },
    /// The overlay has names only, but the base has an object graph, which has no place for them.
    NoPlace { flag: String, names: Vec<Name>, nearest: Vec<String> },
    /// Objects that cannot be added to the base's graph, each with the reason.
    NoObjects { flag: String, objects: Vec<(Name, String)> },
}

/// The two readings of a variable's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The name, the same in both checkpoints.
    pub(crate) name: Name,
    /// The full names here and there, if both are known.
    pub(crate) full_names: Option<(Name, Name)>,
    /// The variable here with the full name of the variable there.
    pub(crate) by_name: Option<Name>,
}

/// All errors of the overlays.
#[derive(Clone, Debug)]
pub struct OverlayError(pub Vec<Fault>);

impl OverlayError {
    pub(crate) fn none(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for OverlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for OverlayError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself { flag } => write!(f, "{flag}: that is the checkpoint itself"),
            Self::Unnamed { flag, place, unnamed } => {
                write!(f, "{flag}: no variable `{}` in {place}", unnamed.name)?;
                nearest(f, &unnamed.nearest)
            }
            Self::Unlike { flag, found, wanted } => {
                write!(f, "{flag}: it is {found} there, and {wanted} here\n  ")?;
                write!(f, "help: --overlay takes values of other shapes and dtypes too")
            }
            Self::NoValues { flag, names } => {
                write!(
                    f,
                    "{flag}: a data file is missing, so there are no values of {}",
                    listed(names, LISTED)
                )
            }
            Self::Damaged { flag, names } => {
                write!(f, "{flag}: {} of its variables cannot be taken: damaged", names.len())?;
                let first = names.iter().take(LISTED);
                first.into_iter().try_for_each(|(name, what)| write!(f, "\n  {name}: {what}"))?;
                write!(f, "\n  help: take them from another checkpoint; --salvage leaves them out")
            }
            Self::OtherGraph { flag, what } => {
                write!(f, "{flag}: {what}, so it cannot replace the damaged one")
            }
            Self::Twice { flag, name, both: [first, second] } => {
                write!(f, "{flag}: {first} and {second} are two there, and here both are {name}")
            }
            Self::Counts { flag, groups, readings } => counts(f, flag, groups, readings),
            Self::NoPlace { flag, names, nearest: near } => {
                write!(
                    f,
                    "{flag}: the checkpoint has an object graph, in which there is no {}",
                    listed(names, LISTED)
                )?;
                nearest(f, near)?;
                write!(f, "\n  help: what `export --target name` writes of it takes new names; ")?;
                write!(f, "`--target object` then gives all of them a graph")
            }
            Self::NoObjects { flag, objects } => {
                write!(f, "{flag}: {} of its objects cannot be added to the object graph", objects.len())?;
                objects.iter().try_for_each(|(name, why)| write!(f, "\n  {name}: {why}"))
            }
        }
    }
}

/// Writes that two checkpoints do not count alike, with both readings of each name.
fn counts(f: &mut fmt::Formatter<'_>, flag: &str, groups: &[String], readings: &[Reading]) -> fmt::Result {
    let names = if readings.len() == 1 { "name only counts" } else { "names only count" };
    write!(f, "{flag}: {} {names}, and the two checkpoints do not count alike", readings.len())?;
    groups.iter().take(LISTED).try_for_each(|group| write!(f, "\n  {group}"))?;
    readings.iter().take(LISTED).try_for_each(|reading| write!(f, "\n  {reading}"))?;
    if readings.len() > LISTED {
        write!(f, "\n  … and {} more", readings.len() - LISTED)?;
    }
    if readings.iter().any(|reading| reading.by_name.is_some()) {
        write!(f, "\n  help: --match name takes the variables by full name")?;
    }
    write!(f, "\n  help: --match position takes them by position all the same")?;
    write!(f, "\n  help: --take NAME=SOURCE takes single variables")
}

/// The form of messages: `layers/0/w: b/w there, a/w here; by full name it is layers/1/w`.
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, full_names, by_name } = self;
        write!(f, "{name}")?;
        if let Some((here, there)) = full_names {
            write!(f, ": {there} there, {here} here")?;
        }
        match by_name.as_ref().filter(|by_name| *by_name != name) {
            Some(by_name) => write!(f, "; by full name it is {by_name}"),
            None => Ok(()),
        }
    }
}

fn nearest(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    if names.is_empty() { Ok(()) } else { write!(f, "\n  help: nearest: {}", names.join(", ")) }
}
