//! Casts, factors and summands: each number of the result depends on one number of the tensor.
//!
//! Numbers are computed in the tensor's own dtype, as NumPy does for an array and a Python number. For float16 the
//! Python number is rounded to float16 first. Smaller floats are computed in float32, and the result is rounded once.
//! Integers are computed exactly. A result outside an integer's range is `ERANGE` for the reader and one line in the
//! log.

use std::cell::Cell;
use std::fmt::Display;
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::dtype::Dtype;
use crate::op::check::{fixed_width, no_number};
use crate::op::compute::{Compute, Input, computed, in_units};
use crate::op::number::{Load, Number, RUN, Store, number};
use crate::tensor::Tensor;

/// The change to a number between loading and storing.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Keep,
    Scale(f64),
    Add(f64),
}

struct Elementwise {
    input: [Input; 1],
    skip_cache: bool,
    from: Dtype,
    to: Dtype,
    step: Step,
    saturate: bool,
    told: AtomicBool,
}

pub(super) fn cast(tensor: &Tensor, to: Dtype, saturate: bool) -> Result<Tensor, String> {
    let from = tensor.dtype;
    fixed_width(tensor)?;
    if number(from).is_none() || number(to).is_none() {
        return Err(format!("cast of {from} to {to}: only numbers are cast"));
    }
    if from.components() != to.components() {
        return Err(format!("cast of {from} to {to}: complex numbers are cast to complex numbers only"));
    }
    if from == to {
        return Ok(tensor.clone());
    }
    elementwise(tensor, to, Step::Keep, saturate)
}

/// Applies `step` to each number of the tensor.
pub(super) fn arithmetic(tensor: &Tensor, step: Step) -> Result<Tensor, String> {
    let (verb, by) = match step {
        Step::Keep => return Ok(tensor.clone()),
        Step::Scale(by) => ("scale", by),
        Step::Add(by) => ("add", by),
    };
    let dtype = tensor.dtype;
    fixed_width(tensor)?;
    let Some(number) = number(dtype) else { return Err(no_number(verb, dtype)) };
    if dtype == Dtype::Bool {
        return Err(no_number(verb, dtype));
    }
    if !number.is_float() && (by.fract() != 0.0 || !by.is_finite()) {
        return Err(format!(
            "{verb} {by:?}: the elements are {dtype}, which takes a whole number; cast first"
        ));
    }
    elementwise(tensor, dtype, step, false)
}

fn elementwise(tensor: &Tensor, to: Dtype, step: Step, saturate: bool) -> Result<Tensor, String> {
    let count = tensor.shape.num_elements().unwrap_or(0);
    let len = to.width().and_then(|width| count.checked_mul(width)).ok_or("too many elements")?;
    let (input, told) = (Input::new(tensor), AtomicBool::new(false));
    let (is_cheap, input) = (input.skip_cache(), [input]);
    let elementwise =
        Elementwise { input, skip_cache: is_cheap, from: tensor.dtype, to, step, saturate, told };
    Ok(Tensor::new(to, tensor.shape.clone(), computed(elementwise, len), None))
}

/// The number of bytes of the tensor that are read at a time. A block stays in the processor's cache while a chain of
/// operations runs.
const BLOCK: usize = 128 << 10;

thread_local! {
    /// A buffer for a block. Each link of a chain needs its own while it runs; one per thread is kept for reuse.
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Compute for Elementwise {
    const NAME: &'static str = "elementwise";

    fn inputs(&self) -> &[Input] {
        &self.input
    }

    fn skip_cache(&self) -> bool {
        self.skip_cache
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) {
        let (step, by) = match self.step {
            Step::Keep => (0, 0),
            Step::Scale(by) => (1, by.to_bits()),
            Step::Add(by) => (2, by.to_bits()),
        };
        (self.from, self.to, self.saturate, step, by).hash(&mut to);
    }

    fn fill(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        // A complex number's two components form one unit.
        let unit = self.to.width().unwrap_or(1);
        in_units(buf, at, unit, |buf, first| self.elements(buf, first * self.to.components()))
    }
}

impl Elementwise {
    /// Fills `buf` with the numbers from `first` on.
    fn elements(&self, buf: &mut [u8], mut first: u64) -> io::Result<()> {
        let (from, to) = (self.from.component_width(), self.to.component_width());
        let [input] = &self.input;
        let block = if input.reads_whole_bands() { buf.len() / to } else { BLOCK / from };
        let mut bytes = BYTES.take();
        bytes.resize(from * block.min(buf.len() / to), 0);
        for out in buf.chunks_mut(block * to) {
            let bytes = &mut bytes[..out.len() / to * from];
            input.read(bytes, first * from as u64)?;
            self.convert(bytes, out, first)?;
            first += (out.len() / to) as u64;
        }
        if bytes.len() <= BLOCK {
            BYTES.set(bytes);
        }
        Ok(())
    }

    fn convert(&self, bytes: &[u8], out: &mut [u8], first: u64) -> io::Result<()> {
        let (from, to) = (self.number(self.from), self.number(self.to));
        let Store { f32, f64, i64, u64 } = &to.store;
        match &from.load {
            Load::F32(load) => self.pass(*load, *f32, bytes, out, first),
            Load::F64(load) => self.pass(*load, *f64, bytes, out, first),
            Load::I64(load) => self.pass(*load, *i64, bytes, out, first),
            Load::U64(load) => self.pass(*load, *u64, bytes, out, first),
        }
    }

    fn number(&self, dtype: Dtype) -> &'static Number {
        number(dtype).expect("only numbers were let in")
    }

    fn pass<W: Wide>(
        &self,
        load: fn(&[u8], &mut [W]),
        store: fn(&[W], &mut [u8]) -> bool,
        bytes: &[u8],
        out: &mut [u8],
        mut first: u64,
    ) -> io::Result<()> {
        let (from, to) = (self.from.component_width(), self.to.component_width());
        let mut wide = [W::default(); RUN];
        for (bytes, out) in bytes.chunks(RUN * from).zip(out.chunks_mut(RUN * to)) {
            let wide = &mut wide[..bytes.len() / from];
            load(bytes, wide);
            let stepped = self.step(wide, first);
            let fits = store(wide, out);
            if stepped.is_err() || !fits && !self.saturate {
                let lost = stepped.err().unwrap_or_else(|| first_lost(wide, store, to));
                return Err(self.tell(first + lost as u64, wide[lost]));
            }
            first += wide.len() as u64;
        }
        Ok(())
    }

    /// Applies the step to the numbers, the first of which has index `first`. Returns the position of the first
    /// number that overflows.
    fn step<W: Wide>(&self, wide: &mut [W], first: u64) -> Result<(), usize> {
        let all = |wide: &mut [W], by: W::By, step: fn(W, W::By) -> Option<W>| {
            wide.iter_mut().enumerate().try_for_each(|(i, x)| step(*x, by).map(|y| *x = y).ok_or(i))
        };
        match self.step {
            Step::Keep => Ok(()),
            Step::Scale(by) => all(wide, W::by(by, self.from), W::scale),
            Step::Add(by) if self.from.components() == 1 => all(wide, W::by(by, self.from), W::add),
            Step::Add(by) => {
                // Adds to the real parts only: the even indices. Only floats have an imaginary part.
                let real = wide.iter_mut().skip((first % 2) as usize).step_by(2);
                real.for_each(|x| *x = W::add(*x, W::by(by, self.from)).unwrap_or(*x));
                Ok(())
            }
        }
    }

    fn tell(&self, index: u64, value: impl Display) -> io::Error {
        let (from, to) = (self.from, self.to);
        let said = format!("{from} to {to}: element {index} would be {value}, which {to} cannot hold");
        if !self.told.swap(true, Ordering::Relaxed) {
            log::error!("{said}");
        }
        // Only an errno survives the cache; a message does not.
        io::Error::from_raw_os_error(libc::ERANGE)
    }
}

fn first_lost<W: Wide>(wide: &[W], store: fn(&[W], &mut [u8]) -> bool, width: usize) -> usize {
    let mut scratch = vec![0; width];
    wide.iter().position(|x| !store(std::slice::from_ref(x), &mut scratch)).unwrap_or(0)
}

/// A type that numbers are computed in.
trait Wide: Copy + Default + Display {
    /// The type of the other operand.
    type By: Copy;

    /// Returns the number of a rule as an operand for numbers of a dtype.
    fn by(number: f64, dtype: Dtype) -> Self::By;
    fn scale(self, by: Self::By) -> Option<Self>;
    fn add(self, by: Self::By) -> Option<Self>;
}

impl Wide for f32 {
    type By = f32;

    fn by(number: f64, dtype: Dtype) -> f32 {
        match dtype {
            Dtype::Float16 => half::f16::from_f32(crate::minifloat::to_odd(number)).to_f32(),
            _ => number as f32,
        }
    }

    fn scale(self, by: f32) -> Option<f32> {
        Some(self * by)
    }

    fn add(self, by: f32) -> Option<f32> {
        Some(self + by)
    }
}

impl Wide for f64 {
    type By = f64;

    fn by(number: f64, _: Dtype) -> f64 {
        number
    }

    fn scale(self, by: f64) -> Option<f64> {
        Some(self * by)
    }

    fn add(self, by: f64) -> Option<f64> {
        Some(self + by)
    }
}

macro_rules! whole {
    ($type:ty) => {
        impl Wide for $type {
            type By = i128;

            fn by(number: f64, _: Dtype) -> i128 {
                number as i128
            }

            fn scale(self, by: i128) -> Option<$type> {
                i128::from(self).checked_mul(by)?.try_into().ok()
            }

            fn add(self, by: i128) -> Option<$type> {
                i128::from(self).checked_add(by)?.try_into().ok()
            }
        }
    };
}

whole!(i64);
whole!(u64);
