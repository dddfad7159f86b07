//! The sections about TensorFlow's own restore: where it stops with an error, and what it restores wrongly without one.

use crate::cli::commands::diff::section::{Section, one};
use crate::cli::output::terminal::{BAD, ODD};
use crate::diff::Diff;
use crate::diff::restore::{Effect, Stop};
use crate::diff::silent::{Wrong, WrongKind};

pub(super) fn stops(diff: &Diff<'_>) -> Vec<Section> {
    let Some(restore) = &diff.restore else { return vec![] };
    let line = |(at, stop)| {
        let name = diff.wanted_name(at);
        match stop {
            Stop::NoKey => format!("{name}: its key is not found"),
            Stop::Shape(from) => {
                format!("{name}: it would take {}, of shape {}", diff.own_name(from), diff.have.shapes[from])
            }
            Stop::Dtype(from) => {
                let dtype = diff.have_variable(from).tensor.dtype;
                format!("{name}: it would take {}, of dtype {dtype}", diff.own_name(from))
            }
        }
    };
    let lines: Vec<_> = restore.stops().map(line).collect();
    let call = restore.api.words().call;
    one(BAD, format!("{call} stops with an error, at {}:", lines.len()), lines)
}

pub(super) fn silent(diff: &Diff<'_>) -> Vec<Section> {
    let Some(restore) = &diff.restore else { return vec![] };
    let words = restore.api.words();
    let stays = restore.effects.contains(&Effect::Stays);
    let unless = if stays { format!(" {}", words.leniency) } else { String::new() };
    let passes = if restore.is_consumed { ", and assert_consumed() passes" } else { "" };
    let section = |is_certain: bool| {
        let wrong: Vec<_> = diff.silent.iter().filter(|wrong| wrong.is_certain == is_certain).collect();
        let count = wrong.len();
        let (style, what) = match is_certain {
            true => (
                BAD,
                format!("silent: {} restores {count} wrongly without a word{unless}{passes}:", words.call),
            ),
            false => (
                ODD,
                format!(
                    "silent: {} restores {count} by numbers that only count, perhaps wrongly:",
                    words.call
                ),
            ),
        };
        Section { style, heading: what, lines: wrong.into_iter().map(|wrong| wrongly(diff, wrong)).collect() }
    };
    vec![section(true), section(false)]
}

fn wrongly(diff: &Diff<'_>, wrong: &Wrong) -> String {
    let (name, own) = (diff.wanted_name(wrong.at), diff.evidence[wrong.at].have);
    let from = wrong.from.map(|from| diff.own_name(from).to_string()).unwrap_or_default();
    let own = own.filter(|own| wrong.is_certain && Some(*own) != wrong.from).map(|own| diff.own_name(own));
    let right = own.map(|own| format!("; its own is {own}")).unwrap_or_default();
    match wrong.kind {
        WrongKind::Initialized => format!("{name}  stays as it was initialized{right}"),
        WrongKind::Misplaced => format!("{name}  takes {from}{right}"),
        WrongKind::Shape => {
            let shape = wrong.from.map(|from| diff.have.shapes[from].to_string()).unwrap_or_default();
            format!("{name}  a resource variable takes the old shape {shape}")
        }
    }
}
