//! The subcommands: one module each, with the flags (`Args`) and the code that runs it.

pub(crate) mod cat;
pub(crate) mod check;
pub(crate) mod completions;
#[cfg(feature = "fuse")]
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod fix;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod maps;
#[cfg(feature = "fuse")]
pub(crate) mod mount;
#[cfg(feature = "fuse")]
pub(crate) mod run;
#[cfg(feature = "fuse")]
pub(crate) mod status;
pub(crate) mod suggest;
#[cfg(feature = "fuse")]
pub(crate) mod umount;
pub(crate) mod want;
