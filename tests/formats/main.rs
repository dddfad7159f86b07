//! Formats that are read and written, with sound and with damaged files.

#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod damage;
mod hdf5_values;
mod identity;
mod partitions;
mod round_trip;
mod safetensors;
mod salvage;
mod strings;
