//! Warnings about values that the plan changes: casts to a dtype with a narrower range, and transposes of square
//! matrices, whose shapes cannot show a mistake. No data is read.

use crate::dtype::Dtype;
use crate::dtype::range::RangeLoss;
use crate::map::builtin::SIGN;
use crate::map::diagnostic::{Error, Errors, Kind, counted};
use crate::map::ops::WrittenOp;
use crate::map::span::Span;
use crate::op::Op;
use crate::remap::values::list;
use crate::tensor::Tensor;

/// The casts and transposes of a plan.
#[derive(Default)]
pub(crate) struct ValueWarnings {
    casts: Vec<Cast>,
    transposes: Vec<Transposes>,
}

/// The variables that one op casts from one dtype to another.
struct Cast {
    span: Span,
    from: Dtype,
    to: Dtype,
    losses: Vec<RangeLoss>,
    of: Vec<String>,
}

/// The variables that one op transposes.
struct Transposes {
    span: Span,
    /// The variables whose shape stays the same.
    square: Vec<String>,
    /// True if the op changes the shape of another variable.
    has_witness: bool,
}

impl ValueWarnings {
    /// Records an op on a variable, which `of` describes.
    pub(crate) fn record(&mut self, written: &WrittenOp, op: &Op, tensor: &Tensor, of: impl Fn() -> String) {
        match op {
            Op::Cast { dtype, saturate } => self.cast(written, (tensor.dtype, *dtype), *saturate, of),
            Op::Transpose(axes) => self.transpose(written, axes, &tensor.shape.0, of),
            _ => {}
        }
    }

    fn cast(&mut self, op: &WrittenOp, (from, to): (Dtype, Dtype), saturate: bool, of: impl Fn() -> String) {
        let is_same = |cast: &Cast| (&cast.span, cast.from, cast.to) == (&op.span, from, to);
        if let Some(cast) = self.casts.iter_mut().find(|cast| is_same(cast)) {
            return cast.of.push(of());
        }
        let mut losses = from.range_losses(to);
        losses.retain(|loss| !(saturate && matches!(loss, RangeLoss::OutOfRange { .. })));
        if !losses.is_empty() {
            self.casts.push(Cast { span: op.span.clone(), from, to, losses, of: vec![of()] });
        }
    }

    fn transpose(&mut self, op: &WrittenOp, axes: &[usize], dims: &[u64], of: impl Fn() -> String) {
        let long = |axis: &&usize| dims.get(**axis).is_some_and(|dim| *dim > 1);
        let moves = !axes.iter().filter(long).is_sorted();
        // A bundled map was compared with real models.
        if !moves || op.span.file().starts_with(SIGN) {
            return;
        }
        let at = self.transposes.iter().position(|transposes| transposes.span == op.span);
        let at = at.unwrap_or_else(|| {
            let (square, has_witness) = Default::default();
            self.transposes.push(Transposes { span: op.span.clone(), square, has_witness });
            self.transposes.len() - 1
        });
        let transposes = &mut self.transposes[at];
        match axes.iter().map(|axis| dims[*axis]).eq(dims.iter().copied()) {
            true => transposes.square.push(of()),
            false => transposes.has_witness = true,
        }
    }

    /// Adds the warnings about transposes to `warnings`. Returns those about casts.
    pub(crate) fn finish(self, warnings: &mut Errors) -> Errors {
        let blind = self.transposes.into_iter().filter(|transposes| !transposes.has_witness);
        blind.for_each(|transposes| warnings.push(transposes.warning()));
        let mut casts = Errors::default();
        self.casts.into_iter().for_each(|cast| casts.push(cast.warning()));
        casts
    }
}

impl Transposes {
    fn warning(self) -> Error {
        let squares = counted(self.square.len(), "square variable");
        let what = format!("transposes {squares} and no other: shapes cannot show a mistake");
        Error::new(Kind::Value, &self.span, what)
            .note(list(&self.square))
            .help("compare a few numbers with the program's own: ckptfs cat SOURCE NAME")
            .warning()
    }
}

impl Cast {
    fn warning(self) -> Error {
        let Self { span, from, to, losses, of } = self;
        let loss = losses.iter().map(|loss| loss.text(from, to)).collect::<Vec<_>>().join("; ");
        Error::new(Kind::Value, &span, format!("{} {loss}", counted(of.len(), "variable")))
            .note(list(&of))
            .help("ckptfs check --data reads the values")
            .warning()
    }
}

impl RangeLoss {
    /// Returns the loss in words: `can overflow: float32 reaches 3.4e38, float16 65504`.
    fn text(self, from: Dtype, to: Dtype) -> String {
        let (can, reaches, holds) = match self {
            Self::Overflow { reaches, holds } => ("can overflow", reaches, holds),
            Self::Underflow { reaches, holds } => ("can underflow", reaches, holds),
            Self::OutOfRange { reaches, holds } => ("can be out of range", reaches, holds),
        };
        format!("{can}: {from} reaches {}, {to} {}", short(reaches), short(holds))
    }
}

/// Returns a number as people write it: `65504`, `3.4e38`.
fn short(number: f64) -> String {
    match number.fract() == 0.0 && number.abs() < 1e10 {
        true => number.to_string(),
        false => format!("{number:.1e}"),
    }
}
