//! Mounts made by the built binary.
#![cfg(feature = "fuse")]

#[path = "../support/mod.rs"]
mod support;

mod attributes;
mod checksums;
mod damage;
mod directory;
mod first_listing;
mod kernel_interface;
mod lifecycle;
mod mountpoint;
mod no_proc;
mod on_demand;
mod options;
mod other_formats;
mod overlay;
mod run;
mod run_auto;
mod salvage;
mod show;
mod status;
mod system_integration;
mod tools;
mod tree;
