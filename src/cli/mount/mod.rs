//! The code that `mount` and `run` share.

pub(crate) mod control_dir;
pub(crate) mod helper;
pub(crate) mod logging;
pub(crate) mod planning;
pub(crate) mod serve;
