//! The comparison of values: the pairs that belong together, read in blocks on all cores.

use std::io;

use anyhow::bail;

use crate::cli::flags::listing::Listing;
use crate::cli::output::terminal::progress_bar;
use crate::diff::Diff;
use crate::op::value_diff::{ValueDiff, diff_values};

/// The difference of the values of all pairs of the same shape.
pub(crate) struct Values {
    /// The wanted variable of each pair, with the difference.
    pub(crate) pairs: Vec<(usize, ValueDiff)>,
    /// The difference of all values together.
    pub(crate) all: ValueDiff,
}

impl Values {
    /// Reads and compares all values.
    ///
    /// # Errors
    /// The side without values, or the values that cannot be read.
    pub(crate) fn compare(
        (have, want): (&Listing, &Listing),
        diff: &Diff<'_>,
        tolerance: Option<f64>,
    ) -> anyhow::Result<Self> {
        for side in [have, want] {
            if !side.has_values {
                bail!(
                    "{}: names and shapes, but no values to compare\n  help: leave out --values",
                    side.name
                );
            }
        }
        let tensor = |(have, want): (usize, usize)| {
            (diff.have_variable(have).tensor.clone(), diff.want_variable(want).tensor.clone())
        };
        let pairs: Vec<_> =
            diff.pairs().filter(|(have, want)| diff.have.shapes[*have] == diff.want.shapes[*want]).collect();
        let tensors: Vec<_> = pairs.iter().copied().map(tensor).collect();
        let bar = progress_bar(tensors.iter().map(|(have, _)| have.len()).sum());
        let found = diff_values(&tensors, tolerance, &|bytes: u64| bar.inc(bytes));
        bar.finish_and_clear();
        let (mut values, mut unread) = (Self { pairs: vec![], all: ValueDiff::default() }, Vec::new());
        for ((_, at), found) in pairs.into_iter().zip(found) {
            match found {
                Ok(found) => {
                    values.all.add(&found);
                    values.pairs.push((at, found));
                }
                Err(error) => unread.push(line(diff, at, &error)),
            }
        }
        match unread.as_slice() {
            [] => Ok(values),
            lines => bail!("{} cannot be compared:\n{}", lines.len(), lines.join("\n")),
        }
    }

    /// Returns true if all values are equal.
    pub(crate) fn are_equal(&self) -> bool {
        self.all.is_equal()
    }
}

fn line(diff: &Diff<'_>, at: usize, error: &io::Error) -> String {
    format!("  {}: {error}", diff.wanted_name(at))
}
