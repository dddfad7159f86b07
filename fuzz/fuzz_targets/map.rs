//! The fuzz target for maps: each text is a map or a list of printable errors. A map is applied to names without a
//! panic, and has the same outcome after a round trip, except that a flag must match something. After a NUL byte, each
//! line is a flag, and its first letter is the kind.
#![no_main]

use ckptfs::map::{Flag, Map, MapText};
use ckptfs::remap::{MapMismatch, Plan, plan_names};
use libfuzzer_sys::fuzz_target;

const NAMES: &[&[u8]] = &[
    b"bert/encoder/layer_0/kernel",
    b"bert/encoder/layer_0/kernel/adam_m",
    b"bert/encoder/layer_0/kernel/adam_v",
    b"bert/encoder/layer_1/kernel",
    b"global_step",
    b"odd//name/{x}*",
    b"q/\xc3\xa9",
    b"q/\xff",
];

fuzz_target!(|input: &str| {
    let (file, lines) = input.split_once('\0').unwrap_or((input, ""));
    let flags: Vec<Flag> = lines.lines().filter_map(flag).collect();
    match Map::parse(&flags, &[MapText { name: "fix.toml".into(), text: file.into() }]) {
        Ok(map) => check(&map),
        Err(errors) => assert!(!errors.to_string().is_empty() && !errors.to_colored_string().is_empty()),
    }
});

fn flag(line: &str) -> Option<Flag> {
    let mut chars = line.chars();
    let first = chars.next()?;
    let text = chars.as_str().to_owned();
    Some(match first {
        'r' => Flag::Rename(text),
        'a' => Flag::Alias(text),
        'd' => Flag::Drop(text),
        'k' => Flag::Keep(text),
        'v' => Flag::Cast(text),
        's' => Flag::StripPrefix(text),
        'p' => Flag::AddPrefix(text),
        'n' => Flag::Var(text),
        'o' => Flag::DropOptimizer,
        'c' => Flag::CollisionFirst,
        'm' => Flag::Salvage,
        _ => return None,
    })
}

fn check(map: &Map) {
    let text = map.to_toml();
    let again = Map::parse(&[], &[MapText { name: "written.toml".into(), text: text.clone() }])
        .unwrap_or_else(|errors| panic!("{text}\n{errors}"));
    let (first, second) = (plan_names(map, NAMES), plan_names(&again, NAMES));
    // With `unused = "warn"`, a rule of a file that matches nothing is a warning. A flag that matches nothing is an error.
    if first.is_err() && second.as_ref().is_ok_and(|plan| plan.report.has_unused_rules()) {
        return;
    }
    assert_eq!(outcome(first), outcome(second), "{text}");
}

/// A name with its source and its rule.
type Outcome = (Vec<u8>, Option<usize>, Option<usize>);

/// Returns the names with their sources and rules, or the number of errors. The errors themselves differ in their
/// places.
fn outcome(plan: Result<Plan, MapMismatch>) -> Result<Vec<Outcome>, usize> {
    match plan {
        Ok(Plan { variables, report }) => {
            let _ = report.warnings.to_string();
            let rule = |id: ckptfs::map::RuleId| id.index();
            Ok(variables.into_iter().map(|it| (it.name, it.source, it.rule.map(rule))).collect())
        }
        Err(unfit) => {
            assert!(!unfit.to_string().is_empty());
            Err(unfit.errors.len())
        }
    }
}
