//! The check of a checkpoint's data against the saved checksums.

use std::io::{self, Write};

use crate::catalog::{Catalog, Variable};
use crate::checksums::{Verdict, audit};
use crate::cli::output::page::{PLAIN, Page};
use crate::cli::output::terminal::{BAD, GOOD, counted, progress_bar};
use crate::tensor::Tensor;

/// Reads all values and reports the damaged ones. Returns true if all are intact or have no checksum.
pub(crate) fn check<W: Write>(catalog: &Catalog, page: &mut Page<W>) -> io::Result<bool> {
    page.flush()?;
    let stored = catalog.stored();
    let tensors: Vec<_> = stored.iter().map(|variable| variable.tensor.clone()).collect();
    let bar = progress_bar(tensors.iter().map(|tensor| tensor.len()).sum());
    let verdicts = audit(&tensors, &|bytes: u64| bar.inc(bytes));
    bar.finish_and_clear();
    let (mut intact, mut unrecorded, mut damaged) = (0, 0, 0);
    for (Variable { name, tensor, .. }, verdict) in stored.iter().zip(verdicts) {
        match verdict {
            Verdict::Intact => intact += 1,
            Verdict::Unrecorded => unrecorded += 1,
            Verdict::Damaged(error) => {
                damaged += 1;
                page.line(BAD, 4, &format!("  damaged: {name}{}: {error}", place(tensor)))?;
            }
        }
    }
    let values = counted(tensors.len(), "value");
    let line = format!(
        "  data: {intact} of {values} are intact, {damaged} damaged, {unrecorded} without a checksum"
    );
    page.line(if damaged == 0 { GOOD } else { BAD }, 4, &line)?;
    if damaged > 0 {
        let help =
            "  help: copy the data files again; or take a value from another checkpoint (--take NAME=SOURCE)";
        page.line(PLAIN, 4, help)?;
    }
    Ok(damaged == 0)
}

/// Returns the place where a value is stored, as file, offset and length: `, in ckpt-9.data-00000-of-00001 at 12+8`.
pub(crate) fn place(tensor: &Tensor) -> String {
    match tensor.ranges().as_slice() {
        [(shard, offset, len), ..] => format!(", in {} at {offset}+{len}", shard.name()),
        [] => {
            tensor.sources().map(|source| place(source)).find(|place| !place.is_empty()).unwrap_or_default()
        }
    }
}
