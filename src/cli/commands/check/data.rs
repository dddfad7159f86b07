//! The check of a checkpoint's data against the saved checksums.

use std::io::{self, Write};
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::checksums::{Verdict, audit};
use crate::cli::output::page::{PLAIN, Page};
use crate::cli::output::terminal::{BAD, GOOD, counted, progress_bar};
use crate::graph;
use crate::tensor::Tensor;

/// Reads all values and reports the damaged ones. Returns true if all are intact or have no checksum.
pub(crate) fn check<W: Write>(catalog: &Catalog, page: &mut Page<W>) -> io::Result<bool> {
    page.flush()?;
    let (names, tensors): (Vec<_>, Vec<_>) = values(catalog).into_iter().unzip();
    let bar = progress_bar(tensors.iter().map(|tensor| tensor.len()).sum());
    let verdicts = audit(&tensors, &|bytes: u64| bar.inc(bytes));
    bar.finish_and_clear();
    let (mut intact, mut unrecorded, mut damaged) = (0, 0, 0);
    for ((name, tensor), verdict) in names.iter().zip(&tensors).zip(verdicts) {
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

/// Returns all stored values by name: the variables and the object graph.
pub(crate) fn values(catalog: &Catalog) -> Vec<(String, Arc<Tensor>)> {
    let variables =
        catalog.variables.iter().map(|variable| (variable.name.to_string(), variable.tensor.clone()));
    let graph = catalog.objects.iter().map(|objects| (graph::KEY.to_owned(), objects.tensor.clone()));
    variables.chain(graph).collect()
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
