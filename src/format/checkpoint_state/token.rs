//! The tokens of protobuf's text format: names, numbers, string literals and single marks. White space and comments
//! (from `#` to the end of the line) separate them.

use std::borrow::Cow;

use crate::format::{Malformed, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A name.
    Word(&'a [u8]),
    /// A token that begins as a number does.
    Number(&'a [u8]),
    /// The text between two quotes, with its escapes.
    Quoted(&'a [u8]),
    /// Any other byte.
    Mark(u8),
    End,
}

/// A position in the tokens of some bytes.
pub(crate) struct Tokens<'a> {
    /// The token at this position.
    pub(crate) next: Token<'a>,
    /// Offset of that token.
    pub(crate) at: usize,
    rest: &'a [u8],
    end: usize,
}

impl<'a> Tokens<'a> {
    /// Starts at the first token of `bytes`.
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Self> {
        let mut tokens = Self { next: Token::End, at: 0, rest: bytes, end: bytes.len() };
        tokens.advance()?;
        Ok(tokens)
    }

    /// Moves to the next token.
    pub(crate) fn advance(&mut self) -> Result<()> {
        self.rest = after_space(self.rest);
        self.at = self.end.saturating_sub(self.rest.len());
        self.next = match self.rest {
            [] => Token::End,
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => Token::Word(self.take_while(is_word)),
            [b'0'..=b'9' | b'+' | b'-', ..] | [b'.', b'0'..=b'9', ..] => {
                Token::Number(self.take_while(|byte| is_word(byte) || byte == b'.'))
            }
            [quote @ (b'"' | b'\''), rest @ ..] => self.quoted(*quote, rest)?,
            [mark, rest @ ..] => {
                self.rest = rest;
                Token::Mark(*mark)
            }
        };
        Ok(())
    }

    /// Moves on if the current token is `mark`. Returns true if it was.
    pub(crate) fn skip(&mut self, mark: u8) -> Result<bool> {
        let here = self.next == Token::Mark(mark);
        if here {
            self.advance()?;
        }
        Ok(here)
    }

    /// Moves past `mark`. Returns an error if the current token is not `mark`.
    pub(crate) fn expect(&mut self, mark: u8) -> Result<()> {
        if self.skip(mark)? {
            Ok(())
        } else {
            Err(self.malformed(format!("'{}' expected", char::from(mark))))
        }
    }

    /// Returns the fault `what` at the offset of the current token.
    pub(crate) fn malformed(&self, what: impl Into<Cow<'static, str>>) -> Malformed {
        Malformed::new(what, self.at)
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().position(|&byte| !belongs(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or_default();
        self.rest = rest;
        taken
    }

    /// Reads the literal that `quote` opens before `rest`. It must end on the same line.
    fn quoted(&mut self, quote: u8, rest: &'a [u8]) -> Result<Token<'a>> {
        let mut bytes = rest.iter().enumerate();
        while let Some((at, &byte)) = bytes.next() {
            let escaped = if byte == b'\\' { bytes.next().map(|(_, byte)| *byte) } else { None };
            if byte == b'\n' || escaped == Some(b'\n') {
                break;
            }
            if byte == quote {
                let (inner, rest) = rest.split_at_checked(at).unwrap_or_default();
                self.rest = rest.get(1..).unwrap_or_default();
                return Ok(Token::Quoted(inner));
            }
        }
        Err(self.malformed("string without its closing quote"))
    }
}

/// Returns `bytes` from the first byte that is neither white space nor in a comment.
fn after_space(mut bytes: &[u8]) -> &[u8] {
    loop {
        bytes = match bytes {
            [b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, rest @ ..] => rest,
            [b'#', rest @ ..] => {
                let line = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
                rest.get(line..).unwrap_or_default()
            }
            _ => return bytes,
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-')
}
