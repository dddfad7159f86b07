//! The reasons why a source cannot be made like WANTED, reported all together.

use std::collections::BTreeSet;
use std::fmt;

use crate::catalog::Catalog;
use crate::dtype::Dtype;
use crate::name::{Name, listed, near_names};
use crate::tensor::Shape;
use crate::transform::like::advice;
use crate::transform::like::advice::Described;
use crate::transform::like::role::num_weights;

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

/// All mismatches.
#[derive(Clone, Debug)]
pub struct LikeMismatch {
    wanted: String,
    /// The number of wanted variables.
    total: usize,
    has_values: bool,
    problems: Vec<Problem>,
    /// The rename that would match most missing variables, and their number.
    rename: Option<(String, usize)>,
    /// The patterns of exactly the missing variables.
    patterns: Vec<String>,
    /// The flags that leave out the variables of another shape, and take WANTED's values instead.
    fresh: String,
}

/// The maximum number of missing variables that get suggestions.
const NEAREST: usize = 20;
/// The maximum number of problems of one kind that a message lists.
const LISTED: usize = 50;
/// The maximum number of patterns in a line of help.
const PATTERNS: usize = 8;
/// The maximum number of members of a group in a message.
const MEMBERS: usize = 12;
/// The maximum number of groups in a message.
const GROUPS: usize = 8;

/// A kind of problem: its heading, and the help for it.
struct Kind {
    heading: &'static str,
    is_it: fn(&Problem) -> bool,
    help: fn(&LikeMismatch) -> Vec<String>,
}

/// The kinds, in the order of the output.
const KINDS: &[Kind] = &[
    Kind {
        heading: "cannot be used",
        is_it: |it| {
            matches!(
                it,
                Problem::NoValues
                    | Problem::NoGraph
                    | Problem::TooLarge { .. }
                    | Problem::NoWeights { .. }
                    | Problem::Unknown { .. }
            )
        },
        help: |_| vec![],
    },
    Kind {
        heading: "of an optimizer of another class",
        is_it: |it| matches!(it, Problem::OtherOptimizer { .. }),
        help: |_| {
            vec![
                "--drop-optimizer --missing like takes the weights, and a fresh optimizer from WANTED".into(),
            ]
        },
    },
    Kind {
        heading: "of an optimizer, at positions that mean other values there",
        is_it: |it| matches!(it, Problem::OtherState { .. }),
        help: |_| {
            vec![
                "--drop-optimizer --missing like takes the weights, and a fresh optimizer from WANTED".into(),
                "--match name takes each value by its own name, --match position by its position".into(),
            ]
        },
    },
    Kind {
        heading: "in names that only count, where the two do not count alike",
        is_it: |it| matches!(it, Problem::Group { .. }),
        help: LikeMismatch::help_for_groups,
    },
    Kind {
        heading: "could be several of the source's",
        is_it: |it| matches!(it, Problem::Ambiguous { .. } | Problem::Twice { .. }),
        help: |_| {
            vec!["--match name or --match position decides for all, --pair HAVE=WANTED for one variable or layer".into()]
        },
    },
    Kind {
        heading: "missing",
        is_it: |it| matches!(it, Problem::Missing { .. } | Problem::NoZero { .. }),
        help: LikeMismatch::help_for_missing,
    },
    Kind {
        heading: "zero is not neutral for",
        is_it: |it| matches!(it, Problem::NotNeutral { .. }),
        help: |it| {
            let own = it.has_values.then(|| "--missing like takes WANTED's own values".to_owned());
            own.into_iter()
                .chain(["--missing 'NAME=zeros' takes zeros for NAME all the same".into()])
                .collect()
        },
    },
    Kind {
        heading: "too few weights with a source",
        is_it: |it| matches!(it, Problem::Few { .. }),
        help: LikeMismatch::help_for_few,
    },
    Kind {
        heading: "of another shape",
        is_it: |it| matches!(it, Problem::Shape { .. }),
        help: LikeMismatch::help_for_shapes,
    },
    Kind {
        heading: "of another dtype",
        is_it: |it| matches!(it, Problem::Dtype { .. }),
        help: LikeMismatch::help_for_dtypes,
    },
];

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
                write!(
                    f,
                    "{side} no weights in it: {}, none of which a model has. {NO_WEIGHTS}",
                    counted(*variables)
                )
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
const NO_WEIGHTS: &str = "The model was not built when it was saved (a Sequential without an Input), or it keeps its \
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
        .then(|| format!("no weights in it: {}, none of which a model has. {NO_WEIGHTS}", counted(variables)))
}

fn counted(variables: usize) -> String {
    format!("{variables} variable{}", if variables == 1 { "" } else { "s" })
}

impl LikeMismatch {
    pub(crate) fn new(wanted: &str, total: usize, has_values: bool) -> Self {
        let (problems, rename, patterns, fresh) = Default::default();
        Self { wanted: wanted.to_owned(), total, has_values, problems, rename, patterns, fresh }
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Counts a wanted variable of an unlike group, whose members are given.
    pub(crate) fn count(&mut self, have: Vec<String>, want: Vec<String>) {
        let known = self.problems.iter_mut().find_map(|problem| match problem {
            Problem::Group { have: old, want: new, variables } if *old == have && *new == want => {
                Some(variables)
            }
            _ => None,
        });
        match known {
            Some(variables) => *variables += 1,
            None => self.problems.push(Problem::Group { have, want, variables: 1 }),
        }
    }

    /// Returns the problems, in WANTED's order.
    #[cfg(test)]
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Adds similar names of the same shape to each missing variable. `unused` are the source's unused weights and
    /// `have` all its variables, `missing` the missing weights and `all` all wanted variables, each by the name that a
    /// map or a pattern can use.
    pub(crate) fn advise(
        &mut self,
        (unused, have): (&[Described<'_>], &[&str]),
        (missing, all): (&[Described<'_>], &[&str]),
    ) {
        self.rename = advice::rename(unused, missing);
        self.patterns =
            advice::patterns(&missing.iter().map(|(name, ..)| *name).collect::<BTreeSet<_>>(), all);
        self.fresh = self.advise_fresh(have, all);
        let missing = self.problems.iter_mut().filter_map(|problem| match problem {
            Problem::Missing { name, dtype, shape, nearest, .. } => Some((name, dtype, shape, nearest)),
            _ => None,
        });
        for (name, dtype, shape, nearest) in missing.take(NEAREST) {
            let fitting = unused.iter().filter(|(_, have, found)| have == dtype && *found == shape);
            let fitting: Vec<_> = fitting.map(|(name, ..)| name.as_bytes()).collect();
            *nearest = near_names(&name.to_string(), &fitting);
        }
    }

    /// Returns the flags that leave out the variables of another shape, and take WANTED's values instead.
    fn advise_fresh(&self, have: &[&str], all: &[&str]) -> String {
        let shapes = self.problems.iter().filter_map(|problem| match problem {
            Problem::Shape { name, from, fit, .. } if *fit != Fitting::Rows => {
                Some((from.to_string(), name.to_string()))
            }
            _ => None,
        });
        let (from, names): (BTreeSet<_>, BTreeSet<_>) = shapes.unzip();
        let patterns = |names: &BTreeSet<String>, all| {
            advice::patterns(&names.iter().map(String::as_str).collect(), all)
        };
        let (drops, fills) = (patterns(&from, have), patterns(&names, all));
        if drops.len() > PATTERNS || !self.has_values {
            return String::new();
        }
        let drops = drops.iter().map(|pattern| format!("--drop '{pattern}'"));
        let fills = fills.iter().map(|pattern| format!("--missing '{pattern}=like'"));
        drops.chain(fills).collect::<Vec<_>>().join(" ")
    }

    /// Returns the line that fills exactly what is missing.
    fn fill_exactly(&self) -> Option<String> {
        let word = if self.has_values { "like" } else { "zeros" };
        let flags =
            self.patterns.iter().take(PATTERNS).map(|pattern| format!("--missing '{pattern}={word}'"));
        let line = flags.collect::<Vec<_>>().join(" ");
        let more = self.patterns.len().saturating_sub(PATTERNS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what =
            if self.has_values { "fills them with WANTED's own values" } else { "fills them with zeros" };
        (!line.is_empty()).then(|| format!("{line}{more} {what}"))
    }

    fn help_for_missing(&self) -> Vec<String> {
        let rename = self.rename.iter().map(|(flag, count)| format!("{flag} matches {count} of them"));
        let fill = self.fill_exactly().or_else(|| {
            self.has_values.then(|| "--missing like fills them with WANTED's own values".to_owned())
        });
        rename.chain(fill).collect()
    }

    fn help_for_few(&self) -> Vec<String> {
        let all = "a flag without a pattern is for a few new variables; `**=` means all of them".to_owned();
        let has_missing = self.problems.iter().any(|problem| matches!(problem, Problem::Missing { .. }));
        let exact = if has_missing { vec![] } else { self.help_for_missing() };
        exact.into_iter().chain([all]).collect()
    }

    fn help_for_groups(&self) -> Vec<String> {
        let groups = self.problems.iter().filter_map(|problem| match problem {
            Problem::Group { have, want, .. } => Some((have, want)),
            _ => None,
        });
        let groups: Vec<_> = groups.collect();
        let mut help = Vec::new();
        if let Some((have, want)) = groups.iter().find(|(have, want)| have.len() < want.len()) {
            let new: Vec<_> = want.iter().take(3).map(|name| format!("--new {}", word(name))).collect();
            help.push(format!("{} says which is new", new.join(" or ")));
            help.push(format!("--pair {}={} says which belong together", word(&have[0]), word(&want[0])));
        }
        if let Some((have, want)) = groups.iter().find(|(have, want)| have.len() > want.len()) {
            help.push(format!("--pair {}={} says which belong together", word(&have[0]), word(&want[0])));
        }
        help.push("--match position takes them in their order, as TensorFlow does; --match name takes them by their names".into());
        help
    }

    fn help_for_shapes(&self) -> Vec<String> {
        let fits = self.problems.iter().filter_map(|problem| match problem {
            Problem::Shape { fit, .. } => Some(*fit),
            _ => None,
        });
        let fits: Vec<_> = fits.collect();
        let rows = fits
            .contains(&Fitting::Rows)
            .then(|| "--fit like keeps the rows of embeddings, and takes the others from WANTED".to_owned());
        let fresh = (!self.fresh.is_empty())
            .then(|| format!("{} takes WANTED's own values, for a new head", self.fresh));
        let other = fits.iter().any(|fit| *fit != Fitting::Rows);
        let other = other.then(|| {
            "`ckptfs maps --help` has slice, pad and transpose for values that are the same otherwise"
                .to_owned()
        });
        rows.into_iter().chain(fresh).chain(other).collect()
    }

    fn help_for_dtypes(&self) -> Vec<String> {
        let casts = self.problems.iter().filter_map(|problem| match problem {
            Problem::Dtype { from, wanted, .. } => Some(format!("--cast '{from}={wanted}'")),
            _ => None,
        });
        let casts: Vec<_> = casts.collect();
        vec![format!("{} converts them", listed(&casts, 3))]
    }
}

/// Returns the name of a member, without its shape, quoted if a shell needs it.
fn word(member: &str) -> &str {
    member.split("  ").next().unwrap_or(member)
}

impl fmt::Display for LikeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the source is not like {}", self.wanted)?;
        for Kind { heading, is_it, help } in KINDS {
            let problems: Vec<_> = self.problems.iter().filter(|problem| is_it(problem)).collect();
            if problems.is_empty() {
                continue;
            }
            let count: usize = problems.iter().map(|problem| problem.num_variables()).sum();
            match count {
                0 => write!(f, "\n  {heading}:")?,
                count => write!(f, "\n  {heading}, {count} of {}:", self.total)?,
            }
            let most = if matches!(problems[0], Problem::Group { .. }) { GROUPS } else { LISTED };
            problems.iter().take(most).try_for_each(|problem| write!(f, "\n    {problem}"))?;
            if problems.len() > most {
                write!(f, "\n    … and {} more", problems.len() - most)?;
            }
            help(self).iter().try_for_each(|help| write!(f, "\n  help: {help}"))?;
        }
        Ok(())
    }
}

impl Problem {
    /// Returns the number of wanted variables that the problem is about. It is 0 for a problem of the whole.
    fn num_variables(&self) -> usize {
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

impl std::error::Error for LikeMismatch {}
