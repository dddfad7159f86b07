//! The parser that turns a pattern's text into tokens and holes.

use std::ops::Range;

use crate::map::escape::{find_unescaped, split_unescaped, unescape};
use crate::map::pattern::{Capture, Fault, Kind, Token, is_name};

/// A parser of patterns. It reads from left to right.
pub(crate) struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// True at the beginning of a component: at the start of the text, or after a slash.
    at_component: bool,
    tokens: Vec<Token>,
    captures: Vec<Capture>,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, at_component: true, tokens: vec![], captures: vec![] }
    }

    pub(crate) fn parse(mut self) -> Result<(Vec<Token>, Vec<Capture>), Fault> {
        if self.text.is_empty() {
            return Err(Fault::new(0..0, "the pattern is empty").help("`**` matches every name"));
        }
        while let Some(c) = self.rest().chars().next() {
            match c {
                '*' => self.star(),
                '{' => self.braces()?,
                '}' => return Err(self.stray_brace()),
                '\\' => self.escaped()?,
                c => self.literal(c),
            }
        }
        Ok((self.tokens, self.captures))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn stray_brace(&self) -> Fault {
        Fault::new(self.at..self.at + 1, "`}` without `{`").help("write `\\}` for a brace in a name")
    }

    fn escaped(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.rest().chars().next() {
            Some(c) => {
                self.literal(c);
                Ok(())
            }
            None => Err(Fault::new(self.at - 1..self.at, "`\\` with nothing after it")
                .help("write `\\\\` for a backslash in a name")),
        }
    }

    fn literal(&mut self, c: char) {
        self.at += c.len_utf8();
        self.at_component = c == '/';
        match self.tokens.last_mut() {
            Some(Token::Literal(text)) => text.push(c),
            _ => self.tokens.push(Token::Literal(c.into())),
        }
    }

    fn star(&mut self) {
        let deep = self.rest().starts_with("**");
        self.at += if deep { 2 } else { 1 };
        self.capture(if deep { Kind::Deep } else { Kind::Star }, None, true);
    }

    /// Adds a hole. A `**` that is a whole component includes the slash after it.
    fn capture(&mut self, kind: Kind, name: Option<String>, is_star: bool) {
        let absorbs = kind == Kind::Deep && self.at_component && self.rest().starts_with('/');
        let kind = if absorbs { Kind::Components } else { kind };
        self.at += usize::from(absorbs);
        self.at_component = absorbs;
        self.tokens.push(Token::Capture(self.captures.len()));
        self.captures.push(Capture { kind, name, is_star, group: self.captures.len() + 1 });
    }

    fn braces(&mut self) -> Result<(), Fault> {
        let open = self.at;
        let Some(len) = find_unescaped(self.rest(), '}') else {
            let fault = Fault::new(open..self.text.len(), "`{` is never closed");
            return Err(fault.help("write `\\{` for a brace in a name"));
        };
        let inside = open + 1..open + len;
        let (name, kind) = self.inside(inside.clone())?;
        if name.is_some() && self.captures.iter().any(|capture| capture.name == name) {
            let what = format!("`{}` is captured twice", name.unwrap_or_default());
            return Err(Fault::new(inside, what).help("give one of them another name"));
        }
        self.at += len + 1;
        self.capture(kind, name, false);
        Ok(())
    }

    /// Parses the text between braces: `x`, `x:kind`, `x:a|b` or `a|b`.
    fn inside(&self, span: Range<usize>) -> Result<(Option<String>, Kind), Fault> {
        let text = &self.text[span.clone()];
        let Some(colon) = find_unescaped(text, ':') else {
            return match split_unescaped(text, '|').len() {
                1 => Ok((Some(hole_name(text, span)?), Kind::Word)),
                _ => Ok((None, choices(text))),
            };
        };
        let name = hole_name(&text[..colon], span.start..span.start + colon)?;
        Ok((Some(name), hole_kind(&text[colon + 1..], span.start + colon + 1..span.end)?))
    }
}

fn hole_kind(text: &str, span: Range<usize>) -> Result<Kind, Fault> {
    match text {
        "int" => Ok(Kind::Int),
        "**" => Ok(Kind::Deep),
        text if find_unescaped(text, '|').is_some() => Ok(choices(text)),
        text => Err(Fault::new(span, format!("unknown kind of capture `{text}`"))
            .help("there are `{x}`, `{x:int}`, `{x:**}`, and choices: `{x:a|b}`")),
    }
}

fn choices(text: &str) -> Kind {
    Kind::OneOf(split_unescaped(text, '|').into_iter().map(|part| unescape(&text[part])).collect())
}

fn hole_name(text: &str, span: Range<usize>) -> Result<String, Fault> {
    if text.is_empty() {
        let around = span.start - 1..span.end + 1;
        return Err(Fault::new(around, "a hole needs a name").help("`*` captures a part without a name"));
    }
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err(Fault::new(span, format!("`{text}` is not a name")).help(
            "names are letters, digits and `_`; write `\\{` for a brace, `\\:` for a colon in a choice",
        )),
    }
}
