//! What is read from each format and written to it, sound or damaged.

#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod damage;
mod hdf5_values;
mod identity;
mod partitions;
mod round_trip;
mod safetensors;
mod strings;
