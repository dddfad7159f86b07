//! The command line without a mount: what a person types, and what comes back.

#[path = "../support/mod.rs"]
mod support;

mod check_directory;
mod command_line;
mod completions;
mod export;
mod export_names;
#[cfg(feature = "fuse")]
mod json;
mod overlay;
mod program;
mod source_spelling;
mod unreadable;
mod wrong_source;
