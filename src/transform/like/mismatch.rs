//! The reasons why a source cannot be made like WANTED, reported all together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::dtype::Dtype;
use crate::name::{flag, near_names};
use crate::tensor::Shape;
use crate::transform::like::advice;
use crate::transform::like::advice::Described;
use crate::transform::like::problem::{Fitting, Problem};

/// All mismatches.
#[derive(Clone, Debug)]
pub struct LikeMismatch {
    wanted: String,
    /// The number of wanted variables.
    total: usize,
    has_values: bool,
    problems: Vec<Problem>,
    advice: Box<Advice>,
    /// The source, as a command names it. It may be empty.
    pub(crate) source: String,
}

/// The flags that may help.
#[derive(Clone, Debug, Default)]
struct Advice {
    /// The rename that would match most missing variables, and their number.
    rename: Option<(String, usize)>,
    /// The patterns of exactly the missing variables.
    patterns: Vec<String>,
    /// True if more than half of the wanted variables are missing.
    is_most: bool,
    /// The flags that leave out the variables of another shape, and take WANTED's values instead.
    fresh: String,
    /// The flags that convert the variables of another dtype.
    casts: Vec<String>,
    /// The source's weights without a match, and those of WANTED.
    unmatched: [Vec<Unmatched>; 2],
}

/// A weight without a match, by the name that a map can use.
pub(crate) type Unmatched = (String, Dtype, Shape);

/// The maximum number of missing variables that get suggestions.
const NEAREST: usize = 20;
/// The maximum number of problems of one kind that a message lists.
const LISTED: usize = 50;
/// The maximum number of patterns in a line of help.
const PATTERNS: usize = 8;
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
            vec![
                "--match name takes them by full name, --match position by position, as TensorFlow does"
                    .into(),
                "--pair HAVE=WANTED decides for one variable or layer".into(),
            ]
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

impl LikeMismatch {
    pub(crate) fn new(wanted: &str, total: usize, has_values: bool) -> Self {
        let (problems, advice, source) = Default::default();
        Self { wanted: wanted.to_owned(), total, has_values, problems, advice, source }
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds wanted variables to the unlike group with these members.
    pub(crate) fn count(&mut self, have: Vec<String>, want: Vec<String>, more: usize) {
        let known = self.problems.iter_mut().find_map(|problem| match problem {
            Problem::Group { have: old, want: new, variables } if *old == have && *new == want => {
                Some(variables)
            }
            _ => None,
        });
        match known {
            Some(variables) => *variables += more,
            None => self.problems.push(Problem::Group { have, want, variables: more }),
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
        let owned = |(name, dtype, shape): &Described<'_>| ((*name).to_owned(), *dtype, (*shape).clone());
        self.advice.unmatched = [unused, missing].map(|side| side.iter().map(owned).collect());
        let rename = advice::rename(unused, missing);
        self.advice.rename = rename.map(|((name, value), count)| (flag(name, &value), count));
        self.advice.patterns =
            advice::patterns(&missing.iter().map(|(name, ..)| *name).collect::<BTreeSet<_>>(), all);
        self.advice.is_most = missing.len() * 2 > self.total;
        self.advice.fresh = self.advise_fresh(have, all);
        self.advice.casts = self.advise_casts(have);
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

    /// Returns WANTED, as a command names it.
    pub(crate) fn wanted(&self) -> &str {
        &self.wanted
    }

    /// Returns the weights of the source and of WANTED without a match, unless one rename matches all of the latter.
    pub(crate) fn unmatched(&self) -> Option<&[Vec<Unmatched>; 2]> {
        let [_, missing] = &self.advice.unmatched;
        let renamed = self.advice.rename.as_ref().map_or(0, |(_, count)| *count);
        (renamed < missing.len()).then_some(&self.advice.unmatched)
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
        let drops = drops.iter().map(|pattern| flag("drop", pattern));
        let fills = fills.iter().map(|pattern| flag("missing", &format!("{pattern}=like")));
        drops.chain(fills).collect::<Vec<_>>().join(" ")
    }

    /// Returns the flags that convert the variables of another dtype.
    fn advise_casts(&self, have: &[&str]) -> Vec<String> {
        let mut by_dtype: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for problem in &self.problems {
            if let Problem::Dtype { from, wanted, .. } = problem {
                by_dtype.entry(wanted.name()).or_default().insert(from.to_string());
            }
        }
        let casts = by_dtype.iter().flat_map(|(dtype, names)| {
            let patterns = advice::patterns(&names.iter().map(String::as_str).collect(), have);
            patterns.into_iter().map(move |pattern| flag("cast", &format!("{pattern}={dtype}")))
        });
        casts.collect()
    }

    /// Returns the line that fills exactly what is missing. Zeros are no help where most are missing.
    fn fill_exactly(&self) -> Option<String> {
        if !self.has_values && self.advice.is_most {
            return None;
        }
        let word = if self.has_values { "like" } else { "zeros" };
        let filled = |pattern: &String| flag("missing", &format!("{pattern}={word}"));
        let flags = self.advice.patterns.iter().take(PATTERNS).map(filled);
        let line = flags.collect::<Vec<_>>().join(" ");
        let more = self.advice.patterns.len().saturating_sub(PATTERNS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what =
            if self.has_values { "fills them with WANTED's own values" } else { "fills them with zeros" };
        (!line.is_empty()).then(|| format!("{line}{more} {what}"))
    }

    fn help_for_missing(&self) -> Vec<String> {
        let rename = self.advice.rename.iter().map(|(flag, count)| format!("{flag} matches {count} of them"));
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
            let new: Vec<_> = want.iter().take(3).map(|name| flag("new", word(name))).collect();
            help.push(format!("{} says which is new", new.join(" or ")));
            help.push(format!("{} says which belong together", pair(&have[0], &want[0])));
        }
        if let Some((have, want)) = groups.iter().find(|(have, want)| have.len() > want.len()) {
            help.push(format!("{} says which belong together", pair(&have[0], &want[0])));
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
        let fresh = (!self.advice.fresh.is_empty())
            .then(|| format!("{} takes WANTED's own values, for a new head", self.advice.fresh));
        let other = fits.iter().any(|fit| *fit != Fitting::Rows);
        let other = other.then(|| {
            "`ckptfs maps --help` has slice, pad and transpose for values that are the same otherwise"
                .to_owned()
        });
        rows.into_iter().chain(fresh).chain(other).collect()
    }

    fn help_for_dtypes(&self) -> Vec<String> {
        let casts = self.advice.casts.iter().take(PATTERNS).map(String::as_str).collect::<Vec<_>>().join(" ");
        let more = self.advice.casts.len().saturating_sub(PATTERNS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        vec![format!("{casts}{more} converts them; check then says which values can overflow")]
    }
}

/// Returns the flag that pairs two members.
fn pair(have: &str, want: &str) -> String {
    flag("pair", &format!("{}={}", word(have), word(want)))
}

/// Returns the name of a member, without its shape.
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

impl std::error::Error for LikeMismatch {}
