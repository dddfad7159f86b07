//! One reason why a source cannot be made like WANTED.

use std::fmt;

use crate::catalog::Catalog;
use crate::dtype::Dtype;
use crate::name::{Name, listed};
use crate::tensor::Shape;
use crate::transform::like::role::num_weights;

/// The maximum number of members of a group in a message.
const MEMBERS: usize = 12;

/// One mismatch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are what the texts below call them")]
pub(crate) enum Problem {
    /// The source has no match for a variable.
    Missing { name: Name, path: Name, dtype: Dtype, shape: Shape, nearest: Vec<String> },
    /// Zeros are requested for a variable for which zero is not neutral.
    NotNeutral { name: Name, dtype: Dtype, shape: Shape },
    /// The match has another shape.
    Shape { name: Name, from: Name, dtype: Dtype, wanted: Shape, found: Shape, fit: Fitting },
    /// The match has another dtype.
    Dtype { name: Name, from: Name, wanted: Dtype, found: Dtype },
    /// Several variables of the source may be the match.
    Ambiguous { name: Name, candidates: Vec<(Name, &'static str)> },
    /// Two wanted variables match the same variable of the source.
    Twice { source: Name, names: [Name; 2] },
    /// A group of counting names that the two sides do not count alike, and the number of its wanted variables.
    Group { have: Vec<String>, want: Vec<String>, variables: usize },
    /// An optimizer's value at the position of another one: its own value, if the source has it, and the other one.
    OtherState { name: Name, own: Option<Name>, other: Name },
    /// A value of an optimizer of another class.
    OtherOptimizer { name: Name, other: Name, classes: [String; 2] },
    /// Too few of the wanted weights have a source for a flag without a pattern: their number, and the number of all
    /// that count.
    Few { found: usize, counted: usize },
    /// One side has no weights. `is_wanted` says which.
    NoWeights { is_wanted: bool, variables: usize },
    /// A flag selects nothing.
    Unknown { flag: String, name: String, is_wanted: bool, nearest: Vec<String> },
    /// The dtype has no zero, or there are too many elements.
    NoZero { name: Name, dtype: Dtype },
    /// All values together exceed the maximum size of a file.
    TooLarge { bytes: u128 },
    /// Values of WANTED are needed, but it has none.
    NoValues,
    /// WANTED's object graph cannot be read.
    NoGraph,
}

/// The way in which a variable of another shape can be made to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fitting {
    /// More rows of an embedding, which `--fit like` adds.
    Rows,
    /// More elements on some axis, which `--fit PATTERN=like` adds.
    Axes,
    /// None: an axis is too long, or the ranks differ.
    None,
}

impl Problem {
    /// Returns the number of wanted variables that the problem is about. It is 0 for a problem of the whole.
    pub(crate) fn num_variables(&self) -> usize {
        match self {
            Self::NoValues
            | Self::NoGraph
            | Self::TooLarge { .. }
            | Self::NoWeights { .. }
            | Self::Unknown { .. }
            | Self::Few { .. } => 0,
            Self::Group { variables, .. } => *variables,
            _ => 1,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, path, dtype, shape, nearest } => {
                write!(f, "{name}  {dtype} {shape}")?;
                if path != name {
                    write!(f, "  ({path})")?;
                }
                if nearest.is_empty() { Ok(()) } else { write!(f, "  nearest: {}", nearest.join(", ")) }
            }
            Self::NotNeutral { name, dtype, shape } => write!(f, "{name}  {dtype} {shape}"),
            Self::Shape { name, from, dtype, wanted, found, fit } => {
                let why = if *fit == Fitting::None { ", which cannot be made to fit" } else { "" };
                write!(f, "{name}  {dtype} {wanted}, but {from} is {found}{why}")
            }
            Self::Dtype { name, from, wanted, found } => write!(f, "{name}  {wanted}, but {from} is {found}"),
            Self::Ambiguous { name, candidates } => {
                let all: Vec<_> = candidates.iter().map(|(name, how)| format!("{name} ({how})")).collect();
                write!(f, "{name}: {}", all.join(", "))
            }
            Self::Twice { source, names: [first, second] } => {
                write!(f, "{first} and {second} would both be {source}")
            }
            Self::Group { have, want, .. } => {
                let which = match have.len().cmp(&want.len()) {
                    std::cmp::Ordering::Less => "which is new cannot be known",
                    std::cmp::Ordering::Greater => "which is gone cannot be known",
                    std::cmp::Ordering::Equal => "their names, shapes and positions disagree",
                };
                write!(f, "{} in the source, {} wanted: {which}", have.len(), want.len())?;
                write!(f, "\n      source  {}", listed(have, MEMBERS))?;
                write!(f, "\n      wanted  {}", listed(want, MEMBERS))
            }
            Self::OtherState { name, own: Some(own), other } => {
                write!(f, "{name} is {own} by its name, and {other} by its position")
            }
            Self::OtherState { name, own: None, other } => {
                write!(f, "{name} has no value of its own; {other} stands at its position")
            }
            Self::OtherOptimizer { name, other, classes: [have, want] } => {
                write!(f, "{name} would become {other}: the source's optimizer is {have}, WANTED's is {want}")
            }
            Self::Few { found, counted } => {
                write!(f, "{found} of {counted} wanted weights have a source")
            }
            Self::NoWeights { is_wanted, variables } => {
                let side = if *is_wanted { "WANTED has" } else { "the source has" };
                let unless = if *is_wanted { "" } else { "unless a rule left them out, " };
                let counted = counted(*variables);
                write!(f, "{side} no weights in it, only {counted} of TensorFlow's own: {unless}{NO_WEIGHTS}")
            }
            Self::Unknown { flag, name, is_wanted, nearest } => {
                let side = if *is_wanted { "WANTED" } else { "the source" };
                write!(f, "{flag}: nothing in {side} is called {name}")?;
                if nearest.is_empty() { Ok(()) } else { write!(f, "; nearest: {}", nearest.join(", ")) }
            }
            Self::NoZero { name, dtype } => {
                write!(f, "{name}  {dtype}, has no zero value, or too many elements")
            }
            Self::TooLarge { bytes } => write!(f, "{bytes} bytes of values are more than a file can hold"),
            Self::NoValues => f.write_str("a table has names and shapes, but no values to take"),
            Self::NoGraph => {
                f.write_str("its object graph cannot be read: the data file that holds it is missing")
            }
        }
    }
}

/// The explanation of a checkpoint without weights.
const NO_WEIGHTS: &str = "the model was not built when it was saved (a Sequential without an Input), or it keeps its \
layers in a list, which Keras 3 does not show to tf.train.Checkpoint. Restoring it changes nothing, and assert_consumed() \
passes.\n  help: build the model first (model(x)) and save again; for lists use model.save_weights(\"x.weights.h5\")";

/// The largest number of variables of a checkpoint that is searched for weights. That of a model that was not built has
/// few.
const SEARCHED: usize = 1_000;

/// Returns the warning that a checkpoint has no weights in it.
pub(crate) fn no_weights(catalog: &Catalog) -> Option<String> {
    let variables = catalog.variables.len();
    let is_bare = (1..=SEARCHED).contains(&variables) && num_weights(catalog) == 0;
    is_bare
        .then(|| format!("no weights in it, only {} of TensorFlow's own: {NO_WEIGHTS}", counted(variables)))
}

fn counted(variables: usize) -> String {
    format!("{variables} variable{}", if variables == 1 { "" } else { "s" })
}
