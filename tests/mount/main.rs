//! Real mounts through the built binary.
#![cfg(feature = "fuse")]

#[path = "../support/mod.rs"]
mod support;

mod attributes;
mod damage;
mod directory;
mod first_listing;
mod life;
mod manners;
mod mountpoint;
mod no_proc;
mod options;
mod other_formats;
mod overlay;
mod run;
mod show;
mod status;
mod sums;
mod tools;
mod traps;
mod tree;
mod work;
