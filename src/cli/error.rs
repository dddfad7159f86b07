//! The errors that select the exit code of a command line.

use crate::map::diagnostic::Errors;

/// An invalid command line. The error does not depend on the contents of files.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// An invalid map. The error does not depend on the checkpoint.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ParseError(pub(crate) Errors);

/// Returns true if the reader of the output has closed the pipe, which is not a failure: `ckptfs ls ckpt | head`.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
