//! The tree that a mount shows, without a kernel.

#[path = "../support/mod.rs"]
mod support;

mod checkpoint_views;
mod directories;
mod virtual_file;
