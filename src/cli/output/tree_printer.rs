//! The tree that `ckptfs ls` draws on a terminal: scopes with counts and sizes, equal layers drawn once, optimizer
//! slots on the line of their variable.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::catalog::Variable;
use crate::cli::output::terminal::{bytes, counted};
use crate::cli::output::width::{cut, padded, width};
use crate::name::printable;

/// The maximum depth of the tree. Components beyond it stay together: no real model nests so deep, but a malicious
/// name could.
const DEPTH: usize = 32;
/// The minimum number of equal layers that are drawn as one.
const ALIKE: usize = 3;

/// A scope, a variable, or both.
#[derive(Default)]
struct Node<'a> {
    name: String,
    variable: Option<&'a Variable>,
    children: Vec<Node<'a>>,
    /// The number of variables in this node and below.
    count: usize,
    /// The size of those variables.
    bytes: u64,
    /// The number of equal nodes that this node represents.
    times: usize,
    /// The hash by which nodes are compared: dtype and shape of the variable, and the names and signatures of the
    /// children.
    signature: u64,
}

/// A part of a component, ordered so that `layer_2` sorts before `layer_10`: text, or a number, which is compared by
/// length and then by digits.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum AlikeRange {
    Number(usize, String),
    Text(String),
}

/// A line of the drawing.
struct Line {
    /// The branches that lead to it.
    indent: String,
    name: String,
    is_scope: bool,
    detail: String,
    bytes: u64,
    biggest: bool,
}

/// The sort order of children.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Name,
    Size,
}

/// Draws the tree in colors: a line for the whole checkpoint, then its variables. No line is wider than `columns`.
pub(crate) fn write(
    title: &str,
    variables: &[&Variable],
    order: Order,
    columns: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = variables.iter().map(|variable| (components(variable.name.as_bytes()), *variable));
    let root = Node::new(title.to_owned(), names.collect(), order);
    let biggest = variables.iter().map(|variable| variable.tensor.len()).max().unwrap_or(0);
    let mut lines = vec![Line::of(&root, String::new(), biggest)];
    root.draw("", biggest, &mut lines);
    let layout = Layout::of(&lines, root.bytes, columns);
    lines.iter().try_for_each(|line| layout.write(line, out))
}

/// The widths of the columns.
struct Layout {
    name: usize,
    detail: usize,
    /// The mark of the biggest variables.
    mark: &'static str,
    total: u64,
    columns: usize,
}

const GAP: usize = 2;
const SIZE: usize = 10;
const SHARE: usize = 6;
const MARKS: [&str; 2] = ["  ◀ biggest", "  ◀"];
/// The minimum width of a terminal for a mark.
const TIGHT: usize = 60;
/// The minimum width of the name column, as long as other columns can be narrowed instead.
const NARROW: usize = 24;
/// The minimum width of a name next to its branches.
const NAME: usize = 8;

const BRANCH: Style = Style::new().dimmed();
const SCOPE: Style = AnsiColor::Blue.on_default().bold();
const BIGGEST: Style = AnsiColor::Yellow.on_default().bold();

impl Layout {
    /// Returns the widest layout that fits. The mark is shortened first, then the names, then dtypes and shapes.
    fn of(lines: &[Line], total: u64, columns: usize) -> Self {
        let widest = |cell: fn(&Line) -> usize| lines.iter().map(cell).max().unwrap_or(0);
        let name = widest(|line| width(&line.indent) + width(&line.name));
        let detail = widest(|line| width(&line.detail));
        let room = |mark: &str| columns.saturating_sub(2 * GAP + SIZE + SHARE + width(mark));
        let narrow = if columns < TIGHT { "" } else { MARKS[1] };
        let mark = MARKS.into_iter().find(|mark| name + detail <= room(mark)).unwrap_or(narrow);
        let room = room(mark);
        let name = name.min(room.saturating_sub(detail).max(NARROW));
        Self { name, detail: detail.min(room.saturating_sub(name)), mark, total, columns }
    }

    fn write(&self, line: &Line, out: &mut dyn Write) -> io::Result<()> {
        let share = (line.bytes as f64 / self.total.max(1) as f64 * 100.0).round();
        let share = if share >= 1.0 { format!("{share:>4} %") } else { String::new() };
        let (indent, name) = self.name_columns(line);
        let name_style = if line.is_scope { SCOPE } else { Style::new() };
        let name_end = padded("", self.name.saturating_sub(width(&indent) + width(&name)));
        let rest = format!(
            "{name_end}  {}  {:>SIZE$}{share}",
            padded(&cut(&line.detail, self.detail), self.detail),
            bytes(line.bytes)
        );
        let left = self.columns.saturating_sub(width(&indent) + width(&name));
        let rest = cut(rest.trim_end(), left);
        let mark = if line.biggest { self.mark } else { "" };
        writeln!(
            out,
            "{BRANCH}{indent}{BRANCH:#}{name_style}{name}{name_style:#}{rest}{BIGGEST}{mark}{BIGGEST:#}"
        )
    }

    /// Returns the branches and the name, cut to their column. If the branches leave no room for the name, only the
    /// last branches stay.
    fn name_columns(&self, line: &Line) -> (String, String) {
        let column = self.name.min(self.columns);
        let name = cut(&line.name, column.saturating_sub(width(&line.indent)).max(NAME).min(column));
        let room = column - width(&name);
        let deep = width(&line.indent).saturating_sub(room);
        let indent = match (deep, room) {
            (0, _) => line.indent.clone(),
            (_, 0) => String::new(),
            _ => std::iter::once('…').chain(line.indent.chars().skip(deep + 1)).collect(),
        };
        (indent, name)
    }
}

impl<'a> Node<'a> {
    /// Builds the node of all `members`: variables with the remaining components of their names.
    fn new(name: String, members: Vec<(Vec<String>, &'a Variable)>, order: Order) -> Self {
        let mut node = Node { name, times: 1, ..Self::default() };
        let mut below = BTreeMap::<(Vec<AlikeRange>, String), Vec<_>>::new();
        for (mut rest, variable) in members {
            node.count += 1;
            node.bytes += variable.tensor.len();
            match rest.is_empty() {
                true => node.variable = Some(variable),
                false => {
                    let component = rest.remove(0);
                    below.entry((runs(&component), component)).or_default().push((rest, variable));
                }
            }
        }
        let children =
            below.into_iter().map(|((_, component), members)| Self::new(component, members, order));
        node.children = fold(children.collect());
        if order == Order::Size {
            node.children.sort_by_key(|child| std::cmp::Reverse(child.bytes));
        }
        node.signature = node.sign();
        node
    }

    fn sign(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.variable.map(|variable| (variable.tensor.dtype, &variable.tensor.shape)).hash(&mut hasher);
        self.children.iter().for_each(|child| (&child.name, child.signature).hash(&mut hasher));
        hasher.finish()
    }

    /// Returns true if the children are slots or averages: same dtype and shape as this variable, and no children.
    /// They are shown on its line.
    fn shows_children_beside(&self) -> bool {
        let kind = |node: &Node| {
            node.variable.map(|variable| (variable.tensor.dtype, variable.tensor.shape.clone()))
        };
        let slot = |child: &Node| child.children.is_empty() && kind(child) == kind(self);
        self.variable.is_some() && self.children.iter().all(slot)
    }

    fn draw(&self, indent: &str, biggest: u64, lines: &mut Vec<Line>) {
        if self.shows_children_beside() {
            return;
        }
        for (i, child) in self.children.iter().enumerate() {
            let last = i + 1 == self.children.len();
            let (branch, below) = if last { ("└── ", "    ") } else { ("├── ", "│   ") };
            lines.push(Line::of(child, format!("{indent}{branch}"), biggest));
            child.draw(&format!("{indent}{below}"), biggest, lines);
        }
    }
}

impl Line {
    fn of(node: &Node, indent: String, biggest: u64) -> Self {
        let beside = node.shows_children_beside() && !node.children.is_empty();
        let slots: Vec<_> =
            node.children.iter().filter(|_| beside).map(|child| child.name.as_str()).collect();
        let slots = if beside { format!(" + {}", slots.join(", ")) } else { String::new() };
        let times = if node.times > 1 { format!("{} × ", node.times) } else { String::new() };
        let detail = match node.variable {
            Some(variable) => format!("{times}{} {}", variable.tensor.dtype, variable.tensor.shape),
            None => format!("{times}{}", counted(node.count / node.times, "variable")),
        };
        let is_biggest =
            node.variable.is_some_and(|variable| variable.tensor.len() == biggest && biggest > 0);
        let (name, is_scope) = (format!("{}{slots}", node.name), node.variable.is_none());
        Self { indent, name, is_scope, detail, bytes: node.bytes, biggest: is_biggest }
    }
}

/// Merges neighbors with equal signatures whose names differ only in their last number: `layer_{0..11}`.
fn fold(children: Vec<Node>) -> Vec<Node> {
    let mut folded: Vec<Node> = Vec::new();
    let mut rest = children.into_iter().peekable();
    while let Some(first) = rest.next() {
        let Some((before, from, after)) = split_number(&first.name) else {
            folded.push(first);
            continue;
        };
        let mut run = vec![];
        let (mut to, signature) = (from.clone(), first.signature);
        while let Some(next) = rest.next_if(|next| {
            let split = split_number(&next.name);
            next.signature == signature
                && split.is_some_and(|(b, _, a)| (b, a) == (before.clone(), after.clone()))
        }) {
            to = split_number(&next.name).map_or(to, |(_, number, _)| number);
            run.push(next);
        }
        if run.len() + 1 < ALIKE {
            folded.push(first);
            folded.extend(run);
            continue;
        }
        let (count, size) =
            run.iter().fold((first.count, first.bytes), |(c, b), n| (c + n.count, b + n.bytes));
        let name = format!("{before}{{{from}..{to}}}{after}");
        folded.push(Node { name, count, bytes: size, times: run.len() + 1, ..first });
    }
    folded
}

/// Splits a name at its last number: the text before it, the number, and the text after it.
fn split_number(name: &str) -> Option<(String, String, String)> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
    Some((name[..start].into(), name[start..end].into(), name[end..].into()))
}

fn components(name: &[u8]) -> Vec<String> {
    name.splitn(DEPTH, |&byte| byte == b'/').map(printable).collect()
}

fn runs(component: &str) -> Vec<AlikeRange> {
    let mut runs = Vec::new();
    for c in component.chars() {
        match (c.is_ascii_digit(), runs.last_mut()) {
            (true, Some(AlikeRange::Number(len, digits))) => {
                *len += 1;
                digits.push(c);
            }
            (true, _) => runs.push(AlikeRange::Number(1, c.into())),
            (false, Some(AlikeRange::Text(text))) => text.push(c),
            (false, _) => runs.push(AlikeRange::Text(c.into())),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dtype::Dtype;
    use crate::extent::Extent;
    use crate::tensor::{Shape, Tensor};

    /// Returns the drawing without colors.
    fn drawn(names: &[(&str, &[u64])], order: Order, columns: usize) -> String {
        let variable = |(name, shape): &(&str, &[u64])| {
            let data = vec![Extent::from(vec![0; 4 * shape.iter().product::<u64>() as usize])];
            let tensor = Tensor::new(Dtype::Float32, Shape((*shape).into()), data, None);
            Variable {
                name: (*name).into(),
                key: None,
                plain_key: None,
                full_name: None,
                tensor: Arc::new(tensor),
                origin: None,
            }
        };
        let variables: Vec<_> = names.iter().map(variable).collect();
        let mut out = anstream::StripStream::new(Vec::new());
        write("ckpt-9", &variables.iter().collect::<Vec<_>>(), order, columns, &mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn equal_layers_are_drawn_once_and_slots_on_the_line_of_their_variable() {
        let mut names =
            vec![("bert/embeddings", &[50, 8][..]), ("bert/embeddings/adam_m", &[50, 8]), ("step", &[])];
        let layers: Vec<_> = (0..12).map(|i| format!("bert/layer_{i}/kernel")).collect();
        names.extend(layers.iter().map(|name| (name.as_str(), &[8, 8][..])));
        names.sort();
        let want = "\
ckpt-9                       15 variables         6.3 kB 100 %
├── bert                     14 variables         6.3 kB 100 %
│   ├── embeddings + adam_m  float32 [50, 8]      3.2 kB  51 %  ◀ biggest
│   └── layer_{0..11}        12 × 1 variable      3.1 kB  49 %
│       └── kernel           float32 [8, 8]    256 bytes   4 %
└── step                     float32 []          4 bytes
";
        assert_eq!(drawn(&names, Order::Name, 120), want);
    }

    #[test]
    fn numbers_sort_as_numbers_and_different_layers_stay_separate() {
        let names = [("l10/a", &[1][..]), ("l2/a", &[2]), ("l9/a", &[1])];
        let order = |order| {
            let text = drawn(&names, order, 120);
            text.lines().skip(1).step_by(2).map(|line| line[10..13].trim().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(order(Order::Name), ["l2", "l9", "l10"]);
        assert_eq!(order(Order::Size)[0], "l2");
    }

    #[test]
    fn a_name_of_very_many_components_is_drawn_too() {
        let name = "a/".repeat(100_000);
        assert_eq!(drawn(&[(&name, &[1])], Order::Name, 120).lines().count(), DEPTH + 1);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let deep = "deep/".repeat(20) + "kernel";
        let names = [
            (
                "bert/encoder/layer_0/attention/output/a_rather_long_name_of_a_dense_layer/kernel",
                &[3072, 1][..],
            ),
            ("bert/embeddings/word_embeddings_of_the_encoder", &[30522, 1]),
            ("bert/embeddings/word_embeddings_of_the_encoder/adam_m", &[30522, 1]),
            (&deep, &[1, 1, 1, 1, 1, 1, 1, 1, 9]),
            ("層/カーネル", &[2]),
        ];
        for columns in 1..=200 {
            let text = drawn(&names, Order::Name, columns);
            let widest = text.lines().map(width).max().unwrap();
            assert!(widest <= columns, "{widest} of {columns} columns:\n{text}");
        }
    }

    #[test]
    fn names_are_cut_in_the_middle_and_other_columns_stay_whole_in_80_columns() {
        let long = "bert/encoder/a_layer_with_a_name_that_is_long_beyond_all_the_others/kernel";
        let text = drawn(&[(long, &[768, 3072]), ("bert/step", &[])], Order::Name, 80);
        let line = text.lines().find(|line| line.contains('…')).expect("a name is cut");
        assert!(
            line.contains("a_layer_with") && line.contains("the_others ") && line.ends_with("9.4 MB 100 %"),
            "{text}"
        );
        assert!(text.contains("kernel  ") && text.contains("float32 [768, 3072]"), "{text}");
    }

    #[test]
    fn a_tree_that_fits_is_drawn_as_on_a_wide_terminal() {
        let names = [("a/kernel", &[8, 8][..]), ("step", &[])];
        assert_eq!(drawn(&names, Order::Name, 62), drawn(&names, Order::Name, 200));
    }
}
