//! The resolution of an op for the dtype and the shape of its input.

use std::fmt;

use toml::de::DeTable;

use crate::dtype::Dtype;
use crate::map::ops::error::OpError;
use crate::map::ops::files::Files;
use crate::map::toml::value_reader::Value;
use crate::op::Op;

/// The value of an op's key, and the table that contains the key.
pub(crate) struct OpSource<'a> {
    pub(crate) name: &'static str,
    pub(crate) value: &'a Value<'a>,
    pub(crate) table: &'a DeTable<'a>,
}

/// The input of an op.
pub(crate) struct OpInput<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) dims: &'a [u64],
    pub(crate) files: &'a Files,
}

/// An op that was read from a map.
pub(crate) trait Resolve: fmt::Debug + Send + Sync {
    /// Returns the operation for this input.
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError>;
}
