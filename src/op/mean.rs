//! New rows that are the mean of the old rows along the axis, computed in float64.
//!
//! The first read of a mean takes one pass over the tensor. The most recent block of means is kept, so many new rows
//! cost no more than one.

use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::dtype::Dtype;
use crate::op::check::{fixed_width, no_number};
use crate::op::compute::{Compute, Input, computed, in_units};
use crate::op::number::{Load, RUN, number};
use crate::tensor::{Shape, Tensor};

/// Creates a tensor like the given one but with `count` rows along `axis`, each the mean of the tensor's rows.
pub(super) fn mean(tensor: &Tensor, axis: usize, count: u64) -> Result<Tensor, String> {
    let (dtype, dims) = (tensor.dtype, &tensor.shape.0);
    let width = fixed_width(tensor)?;
    if !number(dtype).is_some_and(|number| number.is_float()) {
        return Err(format!("{}; cast first", no_number("mean", dtype)));
    }
    if dims[axis] == 0 {
        return Err(format!("mean along axis {axis} of {}: the axis is empty", tensor.shape));
    }
    let mut shape = Shape(dims.clone());
    shape.0[axis] = count;
    let len = shape.num_elements().and_then(|count| count.checked_mul(width)).ok_or("too many elements")?;
    let inner = dims[axis + 1..].iter().product::<u64>() * dtype.components();
    let (rows, input, kept) = (dims[axis], [Input::new(tensor)], Mutex::default());
    let mean = Mean { input, dtype, rows, count, inner, kept };
    Ok(Tensor::new(dtype, shape, computed(mean, len), None))
}

struct Mean {
    input: [Input; 1],
    dtype: Dtype,
    /// The number of rows of the tensor along the axis.
    rows: u64,
    /// The number of rows of the result.
    count: u64,
    /// The number of numbers in a row.
    inner: u64,
    kept: Mutex<Option<(Block, Arc<Vec<u8>>)>>,
}

/// A block of means that are computed together: a range of outer indices and a range of columns (all columns, if
/// there are several outer indices).
#[derive(Clone, PartialEq)]
struct Block {
    outer: Range<u64>,
    columns: Range<u64>,
}

/// The maximum number of columns whose means are computed together, unless a row is shorter.
const COLUMNS: u64 = 64 << 10;

impl Compute for Mean {
    const NAME: &'static str = "mean";

    fn inputs(&self) -> &[Input] {
        &self.input
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) {
        (self.dtype, self.rows, self.count, self.inner).hash(&mut to);
    }

    fn fill(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        in_units(buf, at, self.width() as u64, |buf, first| self.numbers(buf, first))
    }
}

impl Mean {
    fn width(&self) -> usize {
        self.dtype.component_width()
    }

    /// Fills `buf` with the numbers of the result from `first` on.
    fn numbers(&self, mut buf: &mut [u8], mut first: u64) -> io::Result<()> {
        while !buf.is_empty() {
            let (outer, column) = (first / (self.count * self.inner), first % self.inner);
            let (block, means) = self.means(outer, column)?;
            let len = (block.columns.end - column).min((buf.len() / self.width()) as u64);
            let at = (outer - block.outer.start) * (block.columns.end - block.columns.start)
                + (column - block.columns.start);
            let (part, rest) = buf.split_at_mut(len as usize * self.width());
            part.copy_from_slice(&means[at as usize * self.width()..][..part.len()]);
            (buf, first) = (rest, first + len);
        }
        Ok(())
    }

    /// Returns the block that holds a mean, computed if necessary.
    fn means(&self, outer: u64, column: u64) -> io::Result<(Block, Arc<Vec<u8>>)> {
        let block = self.block(outer, column);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(|(of, _)| *of == block) {
            return Ok(kept);
        }
        let means = (block.clone(), Arc::new(self.compute(&block)?));
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(means.clone());
        Ok(means)
    }

    fn block(&self, outer: u64, column: u64) -> Block {
        if self.inner > COLUMNS {
            let start = column / COLUMNS * COLUMNS;
            return Block { outer: outer..outer + 1, columns: start..self.inner.min(start + COLUMNS) };
        }
        // As many outer indices as fit in one read, up to the last one.
        let together = (self.reach() / (self.rows.saturating_mul(self.inner)).max(1)).max(1);
        let start = outer / together * together;
        Block { outer: start..self.outers().min(start + together), columns: 0..self.inner }
    }

    /// Returns the number of numbers that are read at a time.
    fn reach(&self) -> u64 {
        (self.input[0].reach() / self.width()) as u64
    }

    fn outers(&self) -> u64 {
        self.input[0].len() / self.width() as u64 / self.inner / self.rows
    }

    fn compute(&self, block: &Block) -> io::Result<Vec<u8>> {
        let (columns, width) = ((block.columns.end - block.columns.start) as usize, self.width());
        let mut sums = vec![0f64; columns * (block.outer.end - block.outer.start) as usize];
        let at_once = if columns as u64 == self.inner { (self.reach() / self.inner).max(1) } else { 1 };
        let (mut row, end) = (block.outer.start * self.rows, block.outer.end * self.rows);
        let mut bytes = Vec::new();
        while row < end {
            let rows = at_once.min(end - row);
            bytes.resize(rows as usize * columns * width, 0);
            self.input[0].read(&mut bytes, (row * self.inner + block.columns.start) * width as u64)?;
            for row_bytes in bytes.chunks(columns * width) {
                let outer = (row / self.rows - block.outer.start) as usize;
                self.add(row_bytes, &mut sums[outer * columns..][..columns]);
                row += 1;
            }
        }
        sums.iter_mut().for_each(|sum| *sum /= self.rows as f64);
        let mut means = vec![0; sums.len() * width];
        number(self.dtype).map(|number| (number.store.f64)(&sums, &mut means));
        Ok(means)
    }

    fn add(&self, bytes: &[u8], sums: &mut [f64]) {
        for (bytes, sums) in bytes.chunks(RUN * self.width()).zip(sums.chunks_mut(RUN)) {
            match number(self.dtype).map(|number| &number.load) {
                Some(Load::F32(load)) => add(*load, bytes, sums),
                Some(Load::F64(load)) => add(*load, bytes, sums),
                _ => unreachable!("only floats were let in"),
            }
        }
    }
}

fn add<W: Copy + Default + Into<f64>>(load: fn(&[u8], &mut [W]), bytes: &[u8], sums: &mut [f64]) {
    let mut wide = [W::default(); RUN];
    load(bytes, &mut wide[..sums.len()]);
    sums.iter_mut().zip(wide).for_each(|(sum, x)| *sum += x.into());
}
