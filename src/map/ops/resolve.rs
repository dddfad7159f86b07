//! The resolution of an op against the dtype and the shape that it meets.

use std::fmt;

use toml::de::DeTable;

use crate::dtype::Dtype;
use crate::map::ops::error::OpError;
use crate::map::ops::files::Files;
use crate::map::toml::value_reader::Value;
use crate::op::Op;

/// What the key of an op is set to, and the table it stands in.
pub(crate) struct OpSource<'a> {
    pub(crate) name: &'static str,
    pub(crate) value: &'a Value<'a>,
    pub(crate) table: &'a DeTable<'a>,
}

/// What an op meets.
pub(crate) struct OpInput<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) dims: &'a [u64],
    pub(crate) files: &'a Files,
}

/// What was read of an op.
pub(crate) trait Resolve: fmt::Debug + Send + Sync {
    /// The operation on what it meets.
    fn resolve(&self, met: &OpInput<'_>) -> Result<Op, OpError>;
}
