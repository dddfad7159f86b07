//! Runs of bytes, copied from their source to their destination with few reads.
//!
//! Runs are sorted by their source, and runs with small gaps between them are read together: a thousand columns of
//! four bytes are one read of the rows that contain them.

use std::io;

use crate::op::compute::Input;

/// A run of `len` bytes at `from` of an input, to be copied to `to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) input: usize,
    pub(super) from: u64,
    pub(super) to: usize,
    pub(super) len: usize,
}

/// The number of runs that are sorted at a time.
const BATCH: usize = 64 << 10;

/// The largest gap in bytes that is read over, because that is cheaper than another read.
const GAP: u64 = 16 << 10;

/// Copies all runs into `buf`.
pub(super) fn fetch(inputs: &[Input], runs: impl IntoIterator<Item = Run>, buf: &mut [u8]) -> io::Result<()> {
    let (mut runs, mut batch, mut scratch) = (runs.into_iter(), Vec::new(), Vec::new());
    loop {
        batch.clear();
        batch.extend(runs.by_ref().take(BATCH));
        if batch.is_empty() {
            return Ok(());
        }
        batch.sort_by_key(|run| (run.input, run.from));
        let mut rest = &batch[..];
        while let Some(first) = rest.first() {
            let input = &inputs[first.input];
            let (group, after) = rest.split_at(group_len(rest, input.reach() as u64));
            read_group(input, group, buf, &mut scratch)?;
            rest = after;
        }
    }
}

/// Returns the number of sorted runs to read together.
fn group_len(runs: &[Run], reach: u64) -> usize {
    let (first, mut end) = (&runs[0], runs[0].from + runs[0].len as u64);
    let together = runs.iter().skip(1).take_while(|run| {
        let new_end = end.max(run.from + run.len as u64);
        let near = run.input == first.input && run.from < end.saturating_add(GAP);
        let fits = new_end - first.from <= reach;
        end = new_end;
        near && fits
    });
    1 + together.count()
}

fn read_group(input: &Input, group: &[Run], buf: &mut [u8], scratch: &mut Vec<u8>) -> io::Result<()> {
    if let [run] = group {
        return input.read(&mut buf[run.to..run.to + run.len], run.from);
    }
    let start = group[0].from;
    let end = group.iter().map(|run| run.from + run.len as u64).max().unwrap_or(start);
    scratch.resize((end - start) as usize, 0);
    input.read(scratch, start)?;
    for run in group {
        let from = (run.from - start) as usize;
        buf[run.to..run.to + run.len].copy_from_slice(&scratch[from..from + run.len]);
    }
    Ok(())
}
