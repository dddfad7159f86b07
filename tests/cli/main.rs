//! The command line without a mount: what a person types, and what comes back.

#[path = "../support/mod.rs"]
mod support;

mod command_line;
mod export;
#[cfg(feature = "fuse")]
mod json;
mod overlay;
mod program;
mod source_spelling;
mod wrong_source;
