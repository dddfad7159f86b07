//! The changes of a value's layout that a suggestion may ask for. All others keep two shapes apart.

use crate::suggest::Change;
use crate::tensor::Shape;

/// Returns the change from one shape to the other: `Some(None)` if they are equal. `None` if there is none.
pub(crate) fn change(have: &Shape, want: &Shape) -> Option<Option<Change>> {
    if have == want {
        return Some(None);
    }
    let count = have.num_elements().filter(|count| *count > 0 && want.num_elements() == Some(*count))?;
    let (old, new) = (without_ones(have), without_ones(want));
    if let ([a, b], [c, d]) = (&*have.0, &*want.0)
        && (a, b) == (d, c)
    {
        return Some(Some(Change::Transpose));
    }
    if old == new {
        return Some(Some(Change::Squeeze));
    }
    // A scalar and a vector of one element are equal without ones.
    (count > 1 && nest(&old, &new)).then_some(Some(Change::Reshape))
}

/// Returns the sizes that say something.
pub(crate) fn without_ones(shape: &Shape) -> Vec<u64> {
    shape.0.iter().copied().filter(|size| *size != 1).collect()
}

/// Returns true if one shape only splits axes of the other: `[768, 768]` and `[768, 12, 64]`.
fn nest(a: &[u64], b: &[u64]) -> bool {
    let products = |sizes: &[u64]| {
        let running = sizes.iter().scan(1u64, |product, size| {
            *product = product.saturating_mul(*size);
            Some(*product)
        });
        running.collect::<Vec<_>>()
    };
    let (a, b) = (products(a), products(b));
    let within = |few: &[u64], many: &[u64]| few.iter().all(|product| many.contains(product));
    within(&a, &b) || within(&b, &a)
}

/// Returns the score that a change costs. It only breaks ties, because a program may well store the other layout.
pub(crate) fn cost(change: Option<&Change>) -> f64 {
    match change {
        None => 0.0,
        Some(Change::Squeeze) => 0.03,
        Some(Change::Transpose) => 0.05,
        Some(Change::Reshape) => 0.1,
    }
}

/// Returns true if a transpose of the value could not be seen in its shape.
pub(crate) fn is_square(shape: &Shape) -> bool {
    matches!(&*without_ones(shape), [a, b] if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_becomes_another_by_one_change() {
        let found = |have: &[u64], want: &[u64]| change(&Shape(have.into()), &Shape(want.into()));
        assert_eq!(found(&[2, 3], &[2, 3]), Some(None));
        assert_eq!(found(&[2, 3], &[3, 2]), Some(Some(Change::Transpose)));
        assert_eq!(found(&[1, 1, 2, 3], &[2, 3]), Some(Some(Change::Squeeze)));
        assert_eq!(found(&[], &[1]), Some(Some(Change::Squeeze)));
        assert_eq!(found(&[1, 3], &[3, 1]), Some(Some(Change::Transpose)));
        assert_eq!(found(&[768, 768], &[768, 12, 64]), Some(Some(Change::Reshape)));
        assert_eq!(found(&[7, 7, 512, 4096], &[25088, 4096]), Some(Some(Change::Reshape)));
        for (have, want) in
            [(&[2, 3][..], &[3, 3][..]), (&[4, 3], &[2, 6]), (&[0, 3], &[3, 0]), (&[2, 3, 4], &[4, 3, 2])]
        {
            assert_eq!(found(have, want), None, "{have:?} {want:?}");
        }
    }
}
