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
    /// The overlay has names only, but the base has an object graph, which has no place for them.
    NoPlace { flag: String, names: Vec<Name>, nearest: Vec<String> },
    /// Objects that cannot be added to the base's graph, each with the reason.
    NoObjects { flag: String, objects: Vec<(Name, String)> },
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

fn nearest(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    if names.is_empty() { Ok(()) } else { write!(f, "\n  help: nearest: {}", names.join(", ")) }
}
