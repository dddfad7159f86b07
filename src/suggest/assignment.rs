//! The best assignment of sources to wanted variables, each source at most once.

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

/// The scores of all pairs, the wanted in rows.
#[derive(Clone, Debug)]
pub(crate) struct Scores {
    values: Vec<f64>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// The score of a pair that is impossible.
pub(crate) const IMPOSSIBLE: f64 = -9.0;
/// The score of no pair: a worse one is not made.
pub(crate) const NOTHING: f64 = 0.15;
/// The number of steps in a score of 1, since an assignment counts in integers.
const STEPS: f64 = 1e6;

impl Scores {
    pub(crate) fn new(rows: usize, columns: usize, score: impl Fn(usize, usize) -> f64) -> Self {
        let values = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        Self { values: values.map(|(row, column)| score(row, column)).collect(), rows, columns }
    }

    pub(crate) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    pub(crate) fn is_possible(&self, row: usize, column: usize) -> bool {
        self.at(row, column) > IMPOSSIBLE / 2.0
    }

    /// Returns the scores with others added to those that are possible.
    pub(crate) fn plus(&self, other: impl Fn(usize, usize) -> f64) -> Self {
        Self::new(self.rows, self.columns, |row, column| match self.is_possible(row, column) {
            true => self.at(row, column) + other(row, column),
            false => IMPOSSIBLE,
        })
    }

    /// Returns the column of each row in the assignment with the highest sum. `None` for a row that is better alone.
    pub(crate) fn assign(&self) -> Vec<Option<usize>> {
        if self.rows == 0 || self.columns == 0 {
            return vec![None; self.rows];
        }
        // A pair that is not better than nothing is worth as much as nothing. With as many columns as rows there is
        // always a place for it.
        let worth = |(row, column): (usize, usize)| match column < self.columns {
            true => (self.at(row, column).max(NOTHING) * STEPS).round() as i64,
            false => (NOTHING * STEPS).round() as i64,
        };
        let weights = Matrix::from_fn(self.rows, self.columns.max(self.rows), worth);
        let (_, columns) = kuhn_munkres(&weights);
        let is_pair = |(row, column): (usize, usize)| column < self.columns && self.at(row, column) > NOTHING;
        columns.into_iter().enumerate().map(|pair| is_pair(pair).then_some(pair.1)).collect()
    }

    /// Returns the loss of score if one pair is not made: the best swap with another pair, or the best replacement.
    pub(crate) fn margins(&self, assigned: &[Option<usize>]) -> Vec<f64> {
        let mut rows: Vec<Option<usize>> = vec![None; self.columns];
        assigned
            .iter()
            .enumerate()
            .filter_map(|(row, at)| Some((row, (*at)?)))
            .for_each(|(row, at)| rows[at] = Some(row));
        let free: Vec<usize> = (0..self.rows).filter(|row| assigned[*row].is_none()).collect();
        let margin = |(row, column): (usize, &Option<usize>)| {
            let Some(column) = *column else { return 0.0 };
            let own = self.at(row, column);
            let others = (0..self.columns).filter(|other| *other != column && self.is_possible(row, *other));
            let swaps = others.map(|other| match rows[other] {
                Some(owner) => {
                    own + self.at(owner, other) - self.at(row, other) - self.at(owner, column).max(NOTHING)
                }
                None => own - self.at(row, other),
            });
            let replaced = free
                .iter()
                .filter(|row| self.is_possible(**row, column))
                .map(|row| own - self.at(*row, column));
            swaps.chain(replaced).fold(f64::MAX, f64::min)
        };
        assigned.iter().enumerate().map(margin).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(rows: &[&[f64]]) -> Scores {
        Scores::new(rows.len(), rows.first().map_or(0, |row| row.len()), |row, column| rows[row][column])
    }

    #[test]
    fn the_sum_counts_and_not_the_single_pair() {
        let scores = scores(&[&[0.9, 0.8], &[0.8, 0.2]]);
        assert_eq!(scores.assign(), [Some(1), Some(0)]);
        let margins = scores.margins(&[Some(1), Some(0)]);
        assert!(margins.iter().all(|margin| (margin - 0.5).abs() < 1e-9), "{margins:?}");
    }

    #[test]
    fn a_row_without_a_good_column_stays_alone() {
        assert_eq!(scores(&[&[0.9], &[0.8], &[IMPOSSIBLE]]).assign(), [Some(0), None, None]);
        assert_eq!(scores(&[&[0.1, IMPOSSIBLE]]).assign(), [None]);
        assert_eq!(scores(&[]).assign(), []);
        assert!((scores(&[&[0.9], &[0.8]]).margins(&[Some(0), None])[0] - 0.1).abs() < 1e-9);
    }
}
