//! Errors of a command line, by which its exit code is chosen.

use crate::map::diagnostic::Errors;

/// A command line that means nothing, whatever the files are.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// A map that cannot be understood, whatever it is applied to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ParseError(pub(crate) Errors);

/// Whoever read our output has had enough, which is no failure of ours: `ckptfs ls ckpt | head`.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
