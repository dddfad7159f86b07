//! The project itself: its layers, its README, its fixtures and the fuzzer's seeds.

#[cfg(feature = "fuse")]
#[path = "../support/mod.rs"]
mod support;

mod fixtures;
mod layers;
#[cfg(feature = "fuse")]
mod readme;
mod seeds;
mod versions;
