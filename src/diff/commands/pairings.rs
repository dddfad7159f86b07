//! The ways to pair layers whose names only count.

use crate::diff::commands::Attempt;
use crate::diff::groups::{Layer, Layers};
use crate::map::escape::escape;

/// The maximum number of ways to pair layers that only count.
const WAYS: usize = 4;

/// Returns the ways to pair the layers of a group: in their order, with each choice of those that are new or gone; or by
/// shape.
pub(super) fn pairings(layers: &Layers) -> Vec<Attempt> {
    let Layers { have, want } = layers;
    let (few, many) = (have.len().min(want.len()), have.len().max(want.len()));
    let mut ways = Vec::new();
    if have.len() + 1 == want.len() {
        let new = |layer: &Layer| (layer.name.clone(), vec![("new", escape(&layer.name))]);
        let new = want.iter().take(WAYS).map(new);
        ways.extend(new.map(|(name, flags)| Attempt::new(flags, &format!("if {name} is new"))));
    }
    if many - few <= 1 && many <= WAYS {
        for left_out in 0..if many == few { 1 } else { many } {
            let keep = |side: &[Layer]| -> Vec<String> {
                let is_kept = |(at, _): &(usize, &Layer)| side.len() == few || *at != left_out;
                side.iter().enumerate().filter(is_kept).map(|(_, layer)| layer.name.clone()).collect()
            };
            ways.push(way(&keep(have), &keep(want), layers));
        }
    }
    // The layers whose shapes are there once on each side.
    let once =
        |side: &[Layer], layer: &Layer| side.iter().filter(|other| other.shape == layer.shape).count() == 1;
    let fitting = have.iter().filter(|layer| once(have, layer) && once(want, layer)).map(|layer| {
        let other = want.iter().find(|other| other.shape == layer.shape).map(|other| other.name.clone());
        (layer.name.clone(), other.unwrap_or_default())
    });
    let (old, new): (Vec<_>, Vec<_>) = fitting.unzip();
    ways.extend((!old.is_empty()).then(|| Attempt { is_last: true, ..way(&old, &new, layers) }));
    ways
}

/// Returns the flags that pair layers. Layers of WANT that are not paired are new, those of HAVE are gone.
fn way(have: &[String], want: &[String], all: &Layers) -> Attempt {
    let rest = |all: &[Layer], kept: &[String]| -> Vec<String> {
        all.iter().map(|layer| layer.name.clone()).filter(|name| !kept.contains(name)).collect()
    };
    let (gone, new) = (rest(&all.have, have), rest(&all.want, want));
    let pair = |(have, want): (&String, &String)| ("pair", format!("{}={}", escape(have), escape(want)));
    let news = new.iter().map(|name| ("new", escape(name)));
    let remarks: Vec<_> =
        [(&gone, "gone"), (&new, "new")].into_iter().filter_map(|(names, what)| said(names, what)).collect();
    let remark = if remarks.is_empty() { String::new() } else { format!("if {}", remarks.join(", and ")) };
    Attempt::new(have.iter().zip(want).map(pair).chain(news).collect(), &remark)
}

fn said(names: &[String], what: &str) -> Option<String> {
    let verb = if names.len() == 1 { "is" } else { "are" };
    (!names.is_empty()).then(|| format!("{} {verb} {what}", names.join(" and ")))
}
