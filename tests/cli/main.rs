//! The command line: arguments, output and exit codes.

#[path = "../support/mod.rs"]
mod support;

mod check_directory;
mod command_line;
mod completions;
mod diff;
mod doctor;
mod export;
mod export_names;
mod fix;
#[cfg(feature = "fuse")]
mod json;
mod meta_graph;
mod overlay;
mod salvage;
mod source_spelling;
mod suggest;
mod unreadable;
mod wrong_source;
