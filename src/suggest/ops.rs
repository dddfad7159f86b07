//! The ops of a map for a change of layout.

use crate::suggest::Change;
use crate::tensor::Shape;

/// Returns the ops that turn one shape into the other, in the syntax of the map.
pub(crate) fn ops(change: &Change, have: &Shape, want: &Shape) -> String {
    let list =
        |sizes: &[u64]| format!("[{}]", sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(", "));
    let op = match change {
        Change::Transpose => "transpose = [1, 0]".to_owned(),
        Change::Reshape => format!("reshape = {}", list(&want.0)),
        Change::Squeeze => match (left_out(&have.0, &want.0), left_out(&want.0, &have.0)) {
            (Some(axes), _) => format!("squeeze = {}", list(&axes)),
            (_, Some(axes)) => format!("expand = {}", list(&axes)),
            _ => format!("reshape = {}", list(&want.0)),
        },
    };
    format!("[{{ {op} }}]")
}

/// Returns the axes of size 1 whose removal makes the longer shape the shorter one.
fn left_out(long: &[u64], short: &[u64]) -> Option<Vec<u64>> {
    let (mut axes, mut rest) = (Vec::new(), short);
    for (axis, size) in (0..).zip(long) {
        match rest.split_first() {
            // Of equal sizes in a row, the first ones go: those are the axes of a window.
            Some((first, others))
                if first == size && !(*size == 1 && long.len() - axis as usize > rest.len()) =>
            {
                rest = others;
            }
            _ if *size == 1 => axes.push(axis),
            _ => return None,
        }
    }
    (rest.is_empty() && !axes.is_empty()).then_some(axes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_an_op_of_the_map() {
        let found = |change: Change, have: &[u64], want: &[u64]| {
            ops(&change, &Shape(have.into()), &Shape(want.into()))
        };
        assert_eq!(found(Change::Transpose, &[2, 3], &[3, 2]), "[{ transpose = [1, 0] }]");
        assert_eq!(found(Change::Squeeze, &[1, 1, 2, 3], &[2, 3]), "[{ squeeze = [0, 1] }]");
        assert_eq!(found(Change::Squeeze, &[1, 1, 3], &[1, 3]), "[{ squeeze = [0] }]");
        assert_eq!(found(Change::Squeeze, &[3], &[3, 1]), "[{ expand = [1] }]");
        assert_eq!(found(Change::Squeeze, &[1, 3], &[3, 1]), "[{ reshape = [3, 1] }]");
        assert_eq!(found(Change::Reshape, &[4, 6], &[4, 2, 3]), "[{ reshape = [4, 2, 3] }]");
    }
}
