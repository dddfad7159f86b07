//! Numbers that depend on a shape: `d1/heads`, `(d0 - 1) * 2`.
//!
//! ```text
//! sum     := product (("+" | "-") product)*
//! product := factor (("*" | "/") factor)*
//! factor  := number | d0, d1, ... | a name of [vars] | "-" factor | "(" sum ")"
//! ```
//!
//! The arithmetic is 64-bit and checked. An overflow, or a division with a remainder, is a fault that shows the
//! numbers. The names of `[vars]` are replaced by their values when the text is parsed.

use std::ops::Range;

use crate::map::pattern::{Fault, is_name};
use crate::map::suggest::did_you_mean;

/// The maximum length of a size in bytes. It limits the nesting depth.
const MAX_LEN: usize = 200;

/// A number that may depend on a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expression(Node);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Number(i64),
    /// The size of an axis, and the position of its name in the text.
    Dim(usize, Range<usize>),
    Negative(Box<Node>, Range<usize>),
    Computed(Sign, Box<[Node; 2]>, Range<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
    Times,
    Over,
}

const SIGNS: &[(u8, Sign)] =
    &[(b'+', Sign::Plus), (b'-', Sign::Minus), (b'*', Sign::Times), (b'/', Sign::Over)];

impl Expression {
    /// Returns a constant.
    pub(crate) fn number(number: i64) -> Self {
        Self(Node::Number(number))
    }

    /// Returns the number if the expression does not depend on a shape: `-1`.
    pub(crate) fn as_number(&self) -> Option<i64> {
        self.evaluate(&[]).ok()
    }

    /// Parses a text. The names of `vars` are replaced by their numbers.
    pub(crate) fn parse(text: &str, vars: &[(&str, i64)]) -> Result<Self, Fault> {
        if text.len() > MAX_LEN {
            return Err(Fault::new(0..text.len(), format!("a size is at most {MAX_LEN} bytes long")));
        }
        let mut parser = Parser { text, at: 0, vars };
        let sum = parser.sum()?;
        match parser.next() {
            None => Ok(Self(sum)),
            Some(_) => Err(parser.stray()),
        }
    }

    /// Returns the expression with its positions moved `by` bytes to the right, for a text in which it starts further
    /// on.
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        self.0.shift(by);
        self
    }

    /// Returns the number for a shape.
    pub(crate) fn evaluate(&self, dims: &[u64]) -> Result<i64, Fault> {
        self.0.evaluate(dims)
    }
}

impl Node {
    fn shift(&mut self, by: usize) {
        match self {
            Self::Number(_) => {}
            Self::Dim(_, at) => *at = at.start + by..at.end + by,
            Self::Negative(node, at) => {
                *at = at.start + by..at.end + by;
                node.shift(by);
            }
            Self::Computed(_, sides, at) => {
                *at = at.start + by..at.end + by;
                sides.iter_mut().for_each(|side| side.shift(by));
            }
        }
    }

    fn evaluate(&self, dims: &[u64]) -> Result<i64, Fault> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Dim(axis, at) => dim(dims, *axis, at),
            Self::Negative(node, at) => {
                let number = node.evaluate(dims)?;
                number
                    .checked_neg()
                    .ok_or_else(|| Fault::new(at.clone(), format!("-({number}) is too large")))
            }
            Self::Computed(sign, sides, at) => {
                let [left, right] = &**sides;
                let (left, right) = (left.evaluate(dims)?, right.evaluate(dims)?);
                sign.compute(left, right).map_err(|what| Fault::new(at.clone(), what))
            }
        }
    }
}

fn dim(dims: &[u64], axis: usize, at: &Range<usize>) -> Result<i64, Fault> {
    let dim = dims.get(axis).ok_or_else(|| {
        let axes = match dims.len() {
            0 => "no axes".to_owned(),
            1 => "one axis, d0".to_owned(),
            n => format!("axes d0 to d{}", n - 1),
        };
        Fault::new(at.clone(), format!("there is no d{axis}: the tensor has {axes}"))
    })?;
    i64::try_from(*dim).map_err(|_| Fault::new(at.clone(), format!("d{axis} is too large: {dim}")))
}

impl Sign {
    fn compute(self, left: i64, right: i64) -> Result<i64, String> {
        let (number, sign) = match self {
            Self::Plus => (left.checked_add(right), '+'),
            Self::Minus => (left.checked_sub(right), '-'),
            Self::Times => (left.checked_mul(right), '*'),
            Self::Over if right == 0 => return Err(format!("{left} / 0: division by zero")),
            Self::Over => {
                let rest = left.checked_rem(right).unwrap_or(0);
                if rest != 0 {
                    return Err(format!("{left} / {right} leaves a remainder of {rest}"));
                }
                (left.checked_div(right), '/')
            }
        };
        number.ok_or_else(|| format!("{left} {sign} {right} is too large"))
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    vars: &'a [(&'a str, i64)],
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Result<Node, Fault> {
        let start = self.start();
        let mut left = self.product()?;
        while let Some(sign) = self.sign(&[Sign::Plus, Sign::Minus]) {
            let right = self.product()?;
            left = Node::Computed(sign, Box::new([left, right]), start..self.at);
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Node, Fault> {
        let start = self.start();
        let mut left = self.factor()?;
        while let Some(sign) = self.sign(&[Sign::Times, Sign::Over]) {
            let right = self.factor()?;
            left = Node::Computed(sign, Box::new([left, right]), start..self.at);
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Node, Fault> {
        let start = self.start();
        match self.next() {
            None => Err(Fault::new(start..start, "a number is missing")),
            Some(b'-') => {
                self.at += 1;
                let node = self.factor()?;
                Ok(match node {
                    Node::Number(number) => Node::Number(-number),
                    node => Node::Negative(Box::new(node), start..self.at),
                })
            }
            Some(b'(') => {
                self.at += 1;
                let node = self.sum()?;
                match self.next() {
                    Some(b')') => self.at += 1,
                    Some(_) => return Err(self.stray()),
                    None => return Err(Fault::new(start..start + 1, "`(` is never closed")),
                }
                Ok(node)
            }
            Some(byte) if byte.is_ascii_digit() => self.digits(),
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => self.name(),
            Some(_) => Err(self.stray()),
        }
    }

    fn digits(&mut self) -> Result<Node, Fault> {
        let (word, at) = self.word();
        if !word.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fault::new(at, format!("`{word}` is not a number")));
        }
        let number = word.parse().map_err(|_| Fault::new(at, format!("{word} is too large")))?;
        Ok(Node::Number(number))
    }

    fn name(&mut self) -> Result<Node, Fault> {
        let (word, at) = self.word();
        if let Some(axis) = axis_of(word) {
            return Ok(Node::Dim(axis, at));
        }
        if let Some((_, number)) = self.vars.iter().find(|(name, _)| *name == word) {
            return Ok(Node::Number(*number));
        }
        let help = did_you_mean(word, self.vars.iter().map(|(name, _)| *name));
        let help = help.unwrap_or_else(|| "sizes are d0, d1, ... and the numbers of [vars]".into());
        Err(Fault::new(at, format!("`{word}` is not a number of [vars]")).help(help))
    }

    fn word(&mut self) -> (&'a str, Range<usize>) {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        (&self.text[start..self.at], start..self.at)
    }

    fn sign(&mut self, wanted: &[Sign]) -> Option<Sign> {
        let next = self.next()?;
        let (_, sign) = SIGNS.iter().find(|(byte, sign)| *byte == next && wanted.contains(sign))?;
        self.at += 1;
        Some(*sign)
    }

    /// Skips blanks, and returns the position of the next byte.
    fn start(&mut self) -> usize {
        _ = self.next();
        self.at
    }

    /// Skips blanks, and returns the next byte without consuming it.
    fn next(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| **byte == b' ').count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn stray(&self) -> Fault {
        let stray = self.text[self.at..].chars().next().unwrap_or_default();
        let at = self.at..self.at + stray.len_utf8();
        Fault::new(at, format!("unexpected `{stray}` in a size"))
            .help("sizes are computed with + - * / and ( )")
    }
}

/// Returns the axis of a name such as `d1`.
fn axis_of(word: &str) -> Option<usize> {
    let digits = word.strip_prefix('d')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Returns the reason why a number of `[vars]` cannot have this name. `None` if it can.
pub(crate) fn reserved(name: &str) -> Option<&'static str> {
    match axis_of(name) {
        Some(_) => Some("is the size of an axis"),
        None if !is_name(name) => Some("is not a name: use letters, digits and _, not a digit first"),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VARS: &[(&str, i64)] = &[("heads", 12), ("n_embd", 768)];

    fn value(text: &str, dims: &[u64]) -> Result<i64, (Range<usize>, String)> {
        let fault = |fault: Fault| (fault.at, fault.what);
        Expression::parse(text, VARS).map_err(fault)?.evaluate(dims).map_err(fault)
    }

    #[track_caller]
    fn fault(text: &str, dims: &[u64], at: Range<usize>, what: &str) {
        assert_eq!(value(text, dims), Err((at, what.into())), "{text}");
    }

    #[test]
    fn sizes_follow_the_rules_of_arithmetic() {
        assert_eq!(value("d0", &[3]), Ok(3));
        assert_eq!(value("d1/heads", &[0, 768]), Ok(64));
        assert_eq!(value("1 + 2*3 - 4/2", &[]), Ok(5));
        assert_eq!(value("8/2/2", &[]), Ok(2));
        assert_eq!(value("8-2-1", &[]), Ok(5));
        assert_eq!(value("-(1+2) * -2", &[]), Ok(6));
        assert_eq!(value(" n_embd ", &[]), Ok(768));
    }

    #[test]
    fn an_evaluation_error_shows_the_numbers() {
        fault("d1/heads", &[1, 770], 0..8, "770 / 12 leaves a remainder of 2");
        fault("1 + d0/0", &[7], 4..8, "7 / 0: division by zero");
        fault("d0*d0*d0", &[1 << 30], 0..8, "1152921504606846976 * 1073741824 is too large");
        fault("2*d3", &[1, 2], 2..4, "there is no d3: the tensor has axes d0 to d1");
        fault("d0", &[], 0..2, "there is no d0: the tensor has no axes");
        fault("d0", &[u64::MAX], 0..2, "d0 is too large: 18446744073709551615");
    }

    #[test]
    fn an_invalid_size_is_a_fault_at_its_position() {
        fault("", &[], 0..0, "a number is missing");
        fault("1 +", &[], 3..3, "a number is missing");
        fault("1 ? 2", &[], 2..3, "unexpected `?` in a size");
        fault("1 é", &[], 2..4, "unexpected `é` in a size");
        fault("(1 + 2", &[], 0..1, "`(` is never closed");
        fault("1)", &[], 1..2, "unexpected `)` in a size");
        fault("12x", &[], 0..3, "`12x` is not a number");
        fault("99999999999999999999", &[], 0..20, "99999999999999999999 is too large");
        fault("head", &[], 0..4, "`head` is not a number of [vars]");
        let help = Expression::parse("head", VARS).unwrap_err().help;
        assert_eq!(help.as_deref(), Some("did you mean `heads`?"));
        assert!(Expression::parse(&"(".repeat(201), VARS).is_err());
        assert!(Expression::parse(&"-".repeat(200), VARS).is_err());
    }

    /// Generates an expression as text, with its value. The value is `None` if the arithmetic is an error.
    fn any_tree() -> impl Strategy<Value = (String, Option<i128>)> {
        let leaf = prop_oneof![
            (0i64..50).prop_map(|n| (n.to_string(), Some(i128::from(n)))),
            Just(("d0".to_owned(), Some(6))),
            Just(("heads".to_owned(), Some(12))),
        ];
        leaf.prop_recursive(4, 12, 2, |inner| {
            (inner.clone(), prop::sample::select(vec!['+', '-', '*', '/']), inner).prop_map(
                |((a, x), sign, (b, y))| {
                    let value = x.zip(y).and_then(|(x, y)| match sign {
                        '+' => Some(x + y),
                        '-' => Some(x - y),
                        '*' => Some(x * y),
                        _ => (y != 0 && x % y == 0).then(|| x / y),
                    });
                    (format!("({a} {sign} {b})"), value)
                },
            )
        })
    }

    proptest! {
        #[test]
        fn evaluation_agrees_with_arithmetic((text, expected) in any_tree()) {
            prop_assume!(text.len() <= MAX_LEN);
            let expected = expected.and_then(|value| i64::try_from(value).ok());
            prop_assert_eq!(value(&text, &[6]).ok(), expected);
        }

        #[test]
        fn any_text_is_a_size_or_a_fault_within_the_text(text in "\\PC{0,12}|[d0-9a+*/() -]{0,16}") {
            if let Err(fault) = Expression::parse(&text, VARS) {
                prop_assert!(text.get(fault.at).is_some());
            }
        }
    }
}
