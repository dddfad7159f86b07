//! The parts that every way of mounting shares.

pub(crate) mod control_dir;
pub(crate) mod helper;
pub(crate) mod logging;
pub(crate) mod planning;
pub(crate) mod serve;
