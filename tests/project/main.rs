//! The project: its layers, documents, fixtures and fuzz seeds.

#[cfg(feature = "fuse")]
#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "fuse")]
mod documents;
mod fixtures;
mod layers;
mod project_files;
#[cfg(feature = "fuse")]
mod readme;
mod seeds;
mod words;
