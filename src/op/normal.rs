//! Normally distributed numbers. Each is a function of the seed and its index, so any part is computed independently.
//!
//! The Box–Muller transform turns pairs of SplitMix64 numbers into pairs of normal ones.

use std::f64::consts::TAU;
use std::hash::{Hash, Hasher};
use std::io;

use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::op::check::no_number;
use crate::op::compute::{Compute, computed, in_units};
use crate::op::number::number;

struct Normal {
    dtype: Dtype,
    std: f64,
    /// The mixed seed. Mixing makes the sequences of adjacent seeds independent.
    start: u64,
}

/// Creates `count` elements around 0, with this standard deviation.
pub(super) fn normal(dtype: Dtype, count: u64, std: f64, seed: u64) -> Result<Vec<Extent>, String> {
    if !number(dtype).is_some_and(|number| number.is_float()) || dtype.components() != 1 {
        return Err(no_number("normal", dtype));
    }
    if !(std.is_finite() && std >= 0.0) {
        return Err(format!("normal with a standard deviation of {std}"));
    }
    let len = dtype.width().and_then(|width| count.checked_mul(width)).ok_or("too many elements")?;
    Ok(computed(Normal { dtype, std, start: mixed(seed) }, len))
}

impl Compute for Normal {
    const NAME: &'static str = "normal";

    fn fingerprint(&self, mut to: &mut dyn Hasher) {
        (self.dtype, self.std.to_bits(), self.start).hash(&mut to);
    }

    fn fill(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        let width = self.dtype.component_width();
        in_units(buf, at, width as u64, |buf, first| {
            for (i, out) in buf.chunks_exact_mut(width).enumerate() {
                let x = [self.std * self.standard(first + i as u64)];
                number(self.dtype).map(|number| (number.store.f64)(&x, out));
            }
            Ok(())
        })
    }
}

impl Normal {
    fn standard(&self, index: u64) -> f64 {
        let (radius, angle) = (self.uniform(index & !1), TAU * self.uniform(index | 1));
        let turn = if index & 1 == 0 { angle.cos() } else { angle.sin() };
        (-2.0 * radius.ln()).sqrt() * turn
    }

    /// Returns a number between 0 and 1, both exclusive.
    fn uniform(&self, index: u64) -> f64 {
        let bits = mixed(self.start.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }
}

/// The final mixing function of SplitMix64.
fn mixed(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
