//! The project itself: its layers, its README, its fixtures and the fuzzer's seeds.

#[cfg(feature = "fuse")]
#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "fuse")]
mod documents;
mod fixtures;
mod layers;
#[cfg(feature = "fuse")]
mod readme;
mod seeds;
