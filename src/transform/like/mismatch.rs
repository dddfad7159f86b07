//! The reasons why a source cannot be made like WANTED, reported all together.

use std::fmt;

use crate::catalog::Catalog;
use crate::dtype::Dtype;
use crate::name::{Name, near_names};
use crate::tensor::Shape;

/// One mismatch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are what the texts below call them")]
pub(crate) enum Problem {
    /// The source has no match for a variable.
    Missing { name: Name, full_name: Option<Name>, dtype: Dtype, shape: Shape, nearest: Vec<String> },
    /// The match has another shape.
    Shape { name: Name, from: Name, dtype: Dtype, wanted: Shape, found: Shape, can_fit: bool },
    /// The match has another dtype.
    Dtype { name: Name, from: Name, wanted: Dtype, found: Dtype },
    /// Several variables of the source may be the match.
    Ambiguous { name: Name, candidates: Vec<(Name, &'static str)> },
    /// Two wanted variables match the same variable of the source.
    Twice { source: Name, names: [Name; 2] },
    /// The dtype has no zero, or there are too many elements.
    NoZero { name: Name, dtype: Dtype },
    /// All values together exceed the maximum size of a file.
    TooLarge { bytes: u128 },
    /// Values of WANTED are needed, but it has none.
    NoValues,
    /// WANTED's object graph cannot be read.
    NoGraph,
}

/// All mismatches.
#[derive(Clone, Debug)]
pub struct LikeMismatch {
    wanted: String,
    /// The number of wanted variables.
    total: usize,
    problems: Vec<Problem>,
}

/// The maximum number of missing variables that get suggestions.
const NEAREST: usize = 20;

/// The heading of each kind of problem, in the order of the output, and the help for it.
const HEADINGS: &[(&str, &str)] = &[
    ("cannot be used", ""),
    (
        "missing",
        "--missing zeros fills them, --missing like takes WANTED's own values; or a --rename brings a name closer",
    ),
    ("of another shape", "--fit like takes the rest of an axis that is too short from WANTED's rows"),
    ("of another dtype", "WANTED must have the source's dtypes: nothing is cast here"),
    ("could be several of the source's", "a --rename to WANTED's own name decides"),
];

impl Problem {
    /// Returns the index of its heading.
    fn heading(&self) -> usize {
        match self {
            Self::NoValues | Self::NoGraph | Self::TooLarge { .. } => 0,
            Self::Missing { .. } | Self::NoZero { .. } => 1,
            Self::Shape { .. } => 2,
            Self::Dtype { .. } => 3,
            Self::Ambiguous { .. } | Self::Twice { .. } => 4,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, full_name, dtype, shape, nearest } => {
                let full_name = full_name.as_ref().map_or(String::new(), |name| format!(" ({name})"));
                write!(f, "{name}{full_name}  {dtype} {shape}")?;
                if nearest.is_empty() { Ok(()) } else { write!(f, "  nearest: {}", nearest.join(", ")) }
            }
            Self::Shape { name, from, dtype, wanted, found, can_fit } => {
                let why = if *can_fit { "" } else { ", which cannot be made to fit" };
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

impl LikeMismatch {
    pub(crate) fn new(wanted: &str, total: usize) -> Self {
        Self { wanted: wanted.to_owned(), total, problems: vec![] }
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Returns the problems, in WANTED's order.
    #[cfg(test)]
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Adds similar names to each missing variable, from the source's variables that are still unused.
    pub(crate) fn add_nearest(&mut self, source: &Catalog, unused: &[Name]) {
        let names = |name: &Name| {
            let variable = source.variable(name.as_bytes());
            let full_name = variable.and_then(|variable| variable.full_name.clone());
            [Some(name.clone()), full_name]
        };
        let names: Vec<_> = unused.iter().flat_map(names).flatten().collect();
        let mut names: Vec<_> = names.iter().map(Name::as_bytes).collect();
        names.sort();
        names.dedup();
        let missing = self.problems.iter_mut().filter_map(|problem| match problem {
            Problem::Missing { name, full_name, nearest, .. } => {
                Some((full_name.as_ref().unwrap_or(name), nearest))
            }
            _ => None,
        });
        for (name, nearest) in missing.take(NEAREST) {
            *nearest = near_names(&name.to_string(), &names);
        }
    }
}

impl fmt::Display for LikeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the source is not like {}", self.wanted)?;
        for (number, (heading, help)) in HEADINGS.iter().enumerate() {
            let problems: Vec<_> =
                self.problems.iter().filter(|problem| problem.heading() == number).collect();
            if problems.is_empty() {
                continue;
            }
            write!(f, "\n  {heading}, {} of {}:", problems.len(), self.total)?;
            problems.iter().try_for_each(|problem| write!(f, "\n    {problem}"))?;
            if !help.is_empty() {
                write!(f, "\n  help: {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for LikeMismatch {}
