//! The tree that a mount shows, without a kernel.

#[path = "../support/mod.rs"]
mod support;

mod directories;
mod model;
mod whole;
