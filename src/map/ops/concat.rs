//! The way in which values are joined along an axis, and split again.
//!
//! Fused attention weights come in three layouts along their axis. Each of `q`, `k` and `v` keeps the size that it
//! has by itself:
//!
//! | layout | order |
//! |---|---|
//! | `blocked` | all of `q`, all of `k`, all of `v` |
//! | `interleaved`, with `heads` | of each head its `q`, its `k`, its `v` |
//! | `grouped`, with `heads` and `groups` | of each group the heads of `q` that share a `k` and `v`, then those |

use toml::de::DeTable;

use crate::map::ops::axes::Axis;
use crate::map::ops::error::OpError;
use crate::map::ops::sizes::Size;
use crate::map::span::Span;
use crate::map::toml::value_reader::{Reader, Value};
use crate::op::Layout;

/// The keys that describe a division.
pub(crate) const KEYS: &[&str] = &["axis", "layout", HEADS, GROUPS];

const HEADS: &str = "heads";
const GROUPS: &str = "groups";

/// A layout: the keys of the numbers that it needs, and a function that builds it from these numbers.
type Row = (&'static [&'static str], Make);
type Make = fn(&[u64]) -> Layout;

const LAYOUTS: &[(&str, Row)] = &[
    ("blocked", (&[], |_| Layout::Blocked)),
    ("interleaved", (&[HEADS], |counts| Layout::Interleaved { heads: counts[0] })),
    ("grouped", (&[HEADS, GROUPS], |counts| Layout::Grouped { heads: counts[0], groups: counts[1] })),
];

/// The division of an axis into parts: the axis, the layout and the sizes.
#[derive(Clone, Debug)]
pub(crate) struct Division {
    axis: Axis,
    layout: Make,
    /// The numbers that the layout needs.
    counts: Vec<Size>,
    /// The sizes of a split's parts. `None` if all parts are equal.
    sizes: Option<Vec<Size>>,
}

impl Division {
    /// Reads the keys of a rule that joins `parts` values, or splits a value into `parts`.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        verb: &Value<'_>,
        table: &DeTable<'_>,
        parts: usize,
    ) -> Option<Self> {
        let axis = match table.get("axis") {
            Some(value) => Axis::read(reader, "axis", value),
            None => {
                reader.wrong(verb, "`axis` is missing: along which the parts lie");
                None
            }
        };
        let layout = layout(reader, table);
        let sizes = table.get("sizes").map(|value| {
            let sizes = reader.list("sizes", value, Size::read)?;
            if sizes.len() != parts {
                reader.wrong(value, format!("{} sizes for {parts} names in `to`", sizes.len()));
                return None;
            }
            Some(sizes)
        });
        let sizes = sizes.map_or(Some(None), |sizes| sizes.map(Some))?;
        let (layout, counts) = layout?;
        Some(Self { axis: axis?, layout, counts, sizes })
    }

    pub(crate) fn axis(&self, rank: usize) -> Result<usize, OpError> {
        self.axis.of(rank)
    }

    /// Returns the place where the axis is written.
    pub(crate) fn place(&self) -> &Span {
        &self.axis.place
    }

    /// Returns the layout for a tensor. The number of heads may depend on `dims`.
    pub(crate) fn layout(&self, dims: &[u64]) -> Result<Layout, OpError> {
        let count = |size: &Size| match size.of(dims)? {
            0 => Err(OpError::new(&size.written.span, "there is at least one")),
            count => Ok(count),
        };
        let counts = self.counts.iter().map(count).collect::<Result<Vec<_>, _>>()?;
        Ok((self.layout)(&counts))
    }

    /// Returns the sizes of a tensor's `parts`.
    pub(crate) fn sizes(&self, dims: &[u64], parts: usize) -> Result<Vec<u64>, OpError> {
        let axis = self.axis(dims.len())?;
        let dim = dims[axis];
        let Some(sizes) = &self.sizes else {
            let parts = parts as u64;
            if !dim.is_multiple_of(parts) {
                let what = format!(
                    "axis {axis} has the size {dim}, and {dim} / {parts} leaves a remainder of {}",
                    dim % parts
                );
                return Err(OpError::new(self.place(), what).help("say the `sizes` of the parts"));
            }
            return Ok(vec![dim / parts; parts as usize]);
        };
        let place = sizes.first().map_or(self.place(), |size| &size.written.span);
        let sizes = sizes.iter().map(|size| size.of(dims)).collect::<Result<Vec<_>, _>>()?;
        let sum = sizes.iter().try_fold(0u64, |sum, size| sum.checked_add(*size));
        if sum != Some(dim) {
            let list = sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(" + ");
            let what = format!("the sizes {list} are not {dim}, the size of axis {axis}");
            return Err(OpError::new(place, what));
        }
        Ok(sizes)
    }
}

/// Reads the layout and the numbers that it needs.
fn layout(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Option<(Make, Vec<Size>)> {
    let said = table.get("layout");
    let (keys, layout) = match said {
        Some(value) => reader.word("layout", value, LAYOUTS)?,
        None => LAYOUTS[0].1,
    };
    for other in [HEADS, GROUPS].into_iter().filter(|other| !keys.contains(other)) {
        if let Some(value) = table.get(other) {
            reader.wrong(value, format!("`{other}` is not used in this layout"));
            return None;
        }
    }
    let count = |key: &&str| match (table.get(*key), said) {
        (Some(value), _) => Size::read(reader, key, value),
        (None, Some(said)) => {
            reader.wrong(said, format!("this layout needs `{key}`"));
            None
        }
        (None, None) => None,
    };
    let counts: Vec<_> = keys.iter().map(count).collect();
    Some((layout, counts.into_iter().collect::<Option<_>>()?))
}
