//! Loading and storing the numbers of each dtype: the table behind every cast.
//!
//! A number passes through one of four types that Rust computes in: float32 (it holds every smaller float), float64,
//! int64 (it holds every smaller integer) and uint64. Each dtype has one loop that loads its bytes into one of these
//! types and four loops that store, so `n` dtypes need `5 n` tight loops instead of `n²`. Numbers are converted in
//! runs of [`RUN`], through memory that stays in the processor's cache.
//!
//! Results equal those of NumPy's `astype` and of ml_dtypes. Ties round to even. A float becomes an integer by
//! truncation. Every number becomes an 8-bit float or a bfloat16 through float32; a float64 becomes a float16
//! directly. Unlike in NumPy, a value outside the range of an integer type is reported.

use std::sync::LazyLock;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::dtype::Dtype;
use crate::minifloat::{self, Minifloat};

/// The number of elements that are converted at a time.
pub(super) const RUN: usize = 1024;

/// The load and store functions of a dtype.
pub(super) struct Number {
    pub(super) load: Load,
    pub(super) store: Store,
}

/// A function that reads as many numbers as the slice holds.
pub(super) enum Load {
    F32(fn(&[u8], &mut [f32])),
    F64(fn(&[u8], &mut [f64])),
    I64(fn(&[u8], &mut [i64])),
    U64(fn(&[u8], &mut [u64])),
}

/// Functions that write each number as the nearest one of the dtype. They return true if all numbers were in its
/// range.
pub(super) struct Store {
    pub(super) f32: fn(&[f32], &mut [u8]) -> bool,
    pub(super) f64: fn(&[f64], &mut [u8]) -> bool,
    pub(super) i64: fn(&[i64], &mut [u8]) -> bool,
    pub(super) u64: fn(&[u64], &mut [u8]) -> bool,
}

/// Returns the table row of a dtype (for a complex dtype, of its components), or `None` if its elements are not
/// numbers.
pub(super) fn number(dtype: Dtype) -> Option<&'static Number> {
    Some(match dtype {
        Dtype::Float32 | Dtype::Complex64 => &FLOAT32,
        Dtype::Float64 | Dtype::Complex128 => &FLOAT64,
        Dtype::Float16 => &FLOAT16,
        Dtype::Bfloat16 => &BFLOAT16,
        Dtype::Float8E5m2 => &FLOAT8_E5M2,
        Dtype::Float8E4m3fn => &FLOAT8_E4M3FN,
        Dtype::Float8E4m3fnuz => &FLOAT8_E4M3FNUZ,
        Dtype::Float8E4m3b11fnuz => &FLOAT8_E4M3B11FNUZ,
        Dtype::Float8E5m2fnuz => &FLOAT8_E5M2FNUZ,
        Dtype::Float4E2m1fn => &FLOAT4_E2M1FN,
        Dtype::Int8 | Dtype::Qint8 => &INT8,
        Dtype::Int16 | Dtype::Qint16 => &INT16,
        Dtype::Int32 | Dtype::Qint32 => &INT32,
        Dtype::Int64 => &INT64,
        Dtype::Uint8 | Dtype::Quint8 => &UINT8,
        Dtype::Uint16 | Dtype::Quint16 => &UINT16,
        Dtype::Uint32 => &UINT32,
        Dtype::Uint64 => &UINT64,
        Dtype::Int4 => &INT4,
        Dtype::Uint4 => &UINT4,
        Dtype::Int2 => &INT2,
        Dtype::Uint2 => &UINT2,
        Dtype::Bool => &BOOL,
        Dtype::String | Dtype::Variant => return None,
    })
}

impl Number {
    /// Returns true if it is a float.
    pub(super) fn is_float(&self) -> bool {
        matches!(self.load, Load::F32(_) | Load::F64(_))
    }

    /// Loads at most [`RUN`] numbers as float64 into `wide`, which has one place for each. Integers are rounded.
    pub(super) fn doubles<'a>(&self, bytes: &[u8], wide: &'a mut [f64]) -> &'a [f64] {
        match &self.load {
            Load::F64(load) => load(bytes, wide),
            Load::F32(load) => widened(*load, bytes, wide, f64::from),
            Load::I64(load) => widened(*load, bytes, wide, |x| x as f64),
            Load::U64(load) => widened(*load, bytes, wide, |x| x as f64),
        }
        wide
    }

    /// Stores `len` numbers of another dtype, at most [`RUN`], as numbers of this one. Returns the number of those that
    /// are out of its range.
    pub(super) fn store_run(&self, source: &Self, bytes: &[u8], out: &mut [u8], len: usize) -> u64 {
        match &source.load {
            Load::F32(load) => stored(*load, self.store.f32, bytes, out, len),
            Load::F64(load) => stored(*load, self.store.f64, bytes, out, len),
            Load::I64(load) => stored(*load, self.store.i64, bytes, out, len),
            Load::U64(load) => stored(*load, self.store.u64, bytes, out, len),
        }
    }
}

fn stored<W: Copy + Default>(
    load: fn(&[u8], &mut [W]),
    store: fn(&[W], &mut [u8]) -> bool,
    bytes: &[u8],
    out: &mut [u8],
    len: usize,
) -> u64 {
    let mut wide = [W::default(); RUN];
    let (wide, width) = (&mut wide[..len], out.len() / len.max(1));
    load(bytes, wide);
    if store(wide, out) {
        return 0;
    }
    let fits = |(x, out): (&W, &mut [u8])| store(std::slice::from_ref(x), out);
    wide.iter().zip(out.chunks_mut(width)).map(|each| u64::from(!fits(each))).sum()
}

fn widened<W: Copy + Default>(
    load: fn(&[u8], &mut [W]),
    bytes: &[u8],
    out: &mut [f64],
    number: impl Fn(W) -> f64,
) {
    let mut wide = [W::default(); RUN];
    let wide = &mut wide[..out.len()];
    load(bytes, wide);
    out.iter_mut().zip(wide).for_each(|(out, wide)| *out = number(*wide));
}

fn load<const N: usize, W>(bytes: &[u8], wide: &mut [W], number: impl Fn([u8; N]) -> W) {
    let stored = bytes.as_chunks::<N>().0;
    wide.iter_mut().zip(stored).for_each(|(wide, stored)| *wide = number(*stored));
}

fn store<const N: usize, W: Copy>(wide: &[W], bytes: &mut [u8], number: impl Fn(W) -> [u8; N]) -> bool {
    let stored = bytes.as_chunks_mut::<N>().0;
    stored.iter_mut().zip(wide).for_each(|(stored, wide)| *stored = number(*wide));
    true
}

/// Like [`store`], for numbers that may be out of range.
fn narrow<const N: usize, W: Copy>(
    wide: &[W],
    bytes: &mut [u8],
    number: impl Fn(W) -> ([u8; N], bool),
) -> bool {
    let (stored, mut all) = (bytes.as_chunks_mut::<N>().0, true);
    for (stored, wide) in stored.iter_mut().zip(wide) {
        let (bytes, fits) = number(*wide);
        *stored = bytes;
        all &= fits;
    }
    all
}

/// The table row of a float that `$encode` makes from a float32.
macro_rules! small_float {
    ($load:expr, $f32:expr, $f64:expr, $encode:expr) => {
        Number {
            load: Load::F32($load),
            store: Store {
                f32: $f32,
                f64: $f64,
                i64: |wide, bytes| store(wide, bytes, |x| $encode(x as f32)),
                u64: |wide, bytes| store(wide, bytes, |x| $encode(x as f32)),
            },
        }
    };
}

macro_rules! byte_float {
    ($format:path) => {
        small_float!(
            |bytes, wide| {
                static NUMBERS: LazyLock<[f32; 256]> = LazyLock::new(|| numbers(&$format));
                let numbers = &*NUMBERS;
                load(bytes, wide, |[byte]| numbers[usize::from(byte)])
            },
            |wide, bytes| store(wide, bytes, |x| [$format.encode(x) as u8]),
            |wide, bytes| store(wide, bytes, |x| [$format.encode(x as f32) as u8]),
            |x| [$format.encode(x) as u8]
        )
    };
}

/// The table row of an integer of `$bits` bits in the low bits of a `$type`. `$unsigned` is the type of its bits.
macro_rules! integer {
    ($type:ty, $unsigned:ty, $bits:expr, $load:ident, $wide:ty) => {{
        const SPARE: u32 = <$type>::BITS - $bits;
        const LOW: $type = <$type>::MIN >> SPARE;
        const HIGH: $type = <$type>::MAX >> SPARE;
        // `HIGH`, limited to the range of int64.
        const HIGH_SIGNED: i64 = if HIGH as u64 > i64::MAX as u64 { i64::MAX } else { HIGH as i64 };
        fn stored(x: $type) -> [u8; <$type>::BITS as usize / 8] {
            (x as $unsigned & <$unsigned>::MAX >> SPARE).to_le_bytes()
        }
        fn float(x: f64) -> ([u8; <$type>::BITS as usize / 8], bool) {
            // Fractions truncate toward zero, so a number above `LOW - 1` or below `HIGH + 1` is in range.
            let low = x >= LOW as f64 || x > LOW as f64 - 1.0;
            (stored((x as $type).clamp(LOW, HIGH)), low && x < HIGH as f64 + 1.0)
        }
        Number {
            load: Load::$load(|bytes, wide| {
                load(bytes, wide, |x| (<$type>::from_le_bytes(x) << SPARE >> SPARE) as $wide)
            }),
            store: Store {
                f32: |wide, bytes| narrow(wide, bytes, |x| float(f64::from(x))),
                f64: |wide, bytes| narrow(wide, bytes, float),
                i64: |wide, bytes| {
                    narrow(wide, bytes, |x| {
                        let nearest = x.clamp(LOW as i64, HIGH_SIGNED);
                        (stored(nearest as $type), nearest == x)
                    })
                },
                u64: |wide, bytes| {
                    narrow(wide, bytes, |x| (stored(x.min(HIGH as u64) as $type), x <= HIGH as u64))
                },
            },
        }
    }};
}

static FLOAT32: Number = Number {
    load: Load::F32(|bytes, wide| load(bytes, wide, f32::from_le_bytes)),
    store: Store {
        f32: |wide, bytes| store(wide, bytes, f32::to_le_bytes),
        f64: |wide, bytes| store(wide, bytes, |x| (x as f32).to_le_bytes()),
        i64: |wide, bytes| store(wide, bytes, |x| (x as f32).to_le_bytes()),
        u64: |wide, bytes| store(wide, bytes, |x| (x as f32).to_le_bytes()),
    },
};
static FLOAT64: Number = Number {
    load: Load::F64(|bytes, wide| load(bytes, wide, f64::from_le_bytes)),
    store: Store {
        f32: |wide, bytes| store(wide, bytes, |x| f64::from(x).to_le_bytes()),
        f64: |wide, bytes| store(wide, bytes, f64::to_le_bytes),
        i64: |wide, bytes| store(wide, bytes, |x| (x as f64).to_le_bytes()),
        u64: |wide, bytes| store(wide, bytes, |x| (x as f64).to_le_bytes()),
    },
};
static FLOAT16: Number = small_float!(
    load_halves,
    store_halves,
    |wide, bytes| store(wide, bytes, |x| minifloat::FLOAT16.encode(minifloat::to_odd(x)).to_le_bytes()),
    |x| minifloat::FLOAT16.encode(x).to_le_bytes()
);
static BFLOAT16: Number = small_float!(
    |bytes, wide| load(bytes, wide, |x| minifloat::bfloat16(u16::from_le_bytes(x))),
    |wide, bytes| store(wide, bytes, |x| minifloat::to_bfloat16(x).to_le_bytes()),
    |wide, bytes| store(wide, bytes, |x| minifloat::to_bfloat16(x as f32).to_le_bytes()),
    |x| minifloat::to_bfloat16(x).to_le_bytes()
);
static FLOAT8_E5M2: Number = byte_float!(minifloat::FLOAT8_E5M2);
static FLOAT8_E4M3FN: Number = byte_float!(minifloat::FLOAT8_E4M3FN);
static FLOAT8_E4M3FNUZ: Number = byte_float!(minifloat::FLOAT8_E4M3FNUZ);
static FLOAT8_E4M3B11FNUZ: Number = byte_float!(minifloat::FLOAT8_E4M3B11FNUZ);
static FLOAT8_E5M2FNUZ: Number = byte_float!(minifloat::FLOAT8_E5M2FNUZ);
static FLOAT4_E2M1FN: Number = byte_float!(minifloat::FLOAT4_E2M1FN);
static INT8: Number = integer!(i8, u8, 8, I64, i64);
static INT16: Number = integer!(i16, u16, 16, I64, i64);
static INT32: Number = integer!(i32, u32, 32, I64, i64);
static INT64: Number = integer!(i64, u64, 64, I64, i64);
static UINT8: Number = integer!(u8, u8, 8, I64, i64);
static UINT16: Number = integer!(u16, u16, 16, I64, i64);
static UINT32: Number = integer!(u32, u32, 32, I64, i64);
static UINT64: Number = integer!(u64, u64, 64, U64, u64);
static INT4: Number = integer!(i8, u8, 4, I64, i64);
static UINT4: Number = integer!(u8, u8, 4, I64, i64);
static INT2: Number = integer!(i8, u8, 2, I64, i64);
static UINT2: Number = integer!(u8, u8, 2, I64, i64);
static BOOL: Number = Number {
    load: Load::I64(|bytes, wide| load(bytes, wide, |[byte]| i64::from(byte != 0))),
    store: Store {
        f32: |wide, bytes| store(wide, bytes, |x| [u8::from(x != 0.0)]),
        f64: |wide, bytes| store(wide, bytes, |x| [u8::from(x != 0.0)]),
        i64: |wide, bytes| store(wide, bytes, |x| [u8::from(x != 0)]),
        u64: |wide, bytes| store(wide, bytes, |x| [u8::from(x != 0)]),
    },
};

fn numbers(format: &Minifloat) -> [f32; 256] {
    std::array::from_fn(|code| format.decode(code as u16))
}

/// Loads float16 numbers with the processor's own instructions if `half` detects them.
fn load_halves(bytes: &[u8], wide: &mut [f32]) {
    let mut halves = [f16::ZERO; RUN];
    for (wide, bytes) in wide.chunks_mut(RUN).zip(bytes.chunks(2 * RUN)) {
        let halves = &mut halves[..wide.len()];
        load(bytes, halves, f16::from_le_bytes);
        halves.convert_to_f32_slice(wide);
    }
}

fn store_halves(wide: &[f32], bytes: &mut [u8]) -> bool {
    let mut halves = [f16::ZERO; RUN];
    for (wide, bytes) in wide.chunks(RUN).zip(bytes.chunks_mut(2 * RUN)) {
        let halves = &mut halves[..wide.len()];
        halves.convert_from_f32_slice(wide);
        store(halves, bytes, f16::to_le_bytes);
    }
    true
}
