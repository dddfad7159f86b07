//! Tests of joins and splits.

use crate::op::tests::*;

fn layout() -> impl Strategy<Value = Layout> {
    prop_oneof![
        Just(Layout::Blocked),
        (1u64..4).prop_map(|heads| Layout::Interleaved { heads }),
        (1u64..4, 1u64..4).prop_map(|(groups, each)| Layout::Grouped { heads: groups * each, groups }),
    ]
}

/// Returns sizes along the axis that are valid for a layout.
fn sizes(layout: Layout, given: &[u64]) -> Vec<u64> {
    match layout {
        Layout::Blocked => given.to_vec(),
        Layout::Interleaved { heads } => given.iter().map(|size| size * heads).collect(),
        Layout::Grouped { heads, groups } => [heads, groups, groups].map(|heads| heads * given[0]).to_vec(),
    }
}

/// Returns the part and the row in the part, for each row of the fused axis, by the definition of the layouts.
fn order(layout: Layout, sizes: &[u64]) -> Vec<(usize, u64)> {
    let turns = match layout {
        Layout::Blocked => 1,
        Layout::Interleaved { heads } => heads,
        Layout::Grouped { groups, .. } => groups,
    };
    let mut order = Vec::new();
    for turn in 0..turns {
        for (part, size) in sizes.iter().enumerate() {
            (turn * size / turns..(turn + 1) * size / turns).for_each(|row| order.push((part, row)));
        }
    }
    order
}

proptest! {
    #[test]
    fn a_join_matches_loops_and_a_split_undoes_it(
        layout in layout(), (dims, axis) in with_axis(), given in prop::collection::vec(0u64..4, 1..4),
        dtype in dtype(), salt: u8, range in range(),
    ) {
        let sizes = sizes(layout, &given);
        let parts: Vec<_> = sizes.iter().enumerate().map(|(i, &size)| {
            let mut dims = dims.clone();
            dims[axis] = size;
            tensor(dtype, &dims, salt.wrapping_add(i as u8 * 50))
        }).collect();
        let joined = Arc::new(join(&parts, axis, &layout).unwrap());
        let (bytes, order): (Vec<_>, _) = (parts.iter().map(|part| whole(part)).collect(), order(layout, &sizes));
        let want = loops(&joined.shape.0, |index| {
            let (part, row) = order[index[axis] as usize];
            let mut index = index.to_vec();
            index[axis] = row;
            at(&bytes[part], &parts[part], &index)
        });
        prop_assert_eq!(joined.shape.0[axis], sizes.iter().sum::<u64>());
        holds(&joined, &want, range)?;

        let back = split(&joined, axis, &sizes, &layout).unwrap();
        prop_assert_eq!(back.len(), parts.len());
        for (back, (part, bytes)) in back.iter().zip(parts.iter().zip(&bytes)) {
            prop_assert_eq!((back.dtype, &back.shape), (part.dtype, &part.shape));
            holds(back, bytes, range)?;
        }
    }
}

/// The orders in which the models' own code splits them.
#[test]
fn layouts_match_the_models() {
    let part = |first: u8, len: u8| {
        let bytes: Vec<u8> = (first..first + len).collect();
        Arc::new(Tensor::new(Dtype::Uint8, Shape([len.into()].into()), vec![bytes.into()], None))
    };
    let fused = |q: u8, kv: u8, layout| {
        whole(&join(&[part(0, q), part(100, kv), part(200, kv)], 0, &layout).unwrap())
    };
    // GPT-2: `split(3 parts)`.
    assert_eq!(fused(2, 2, Layout::Blocked), [0, 1, 100, 101, 200, 201]);
    // GPT-NeoX, BLOOM: `view(heads, 3, head_dim)`, with two heads of size two.
    let interleaved = Layout::Interleaved { heads: 2 };
    assert_eq!(fused(4, 4, interleaved), [0, 1, 100, 101, 200, 201, 2, 3, 102, 103, 202, 203]);
    // Falcon: `view(groups, heads / groups + 2, head_dim)`, with four heads in two groups, of size one.
    let grouped = Layout::Grouped { heads: 4, groups: 2 };
    assert_eq!(fused(4, 2, grouped), [0, 1, 100, 200, 2, 3, 101, 201]);
}
