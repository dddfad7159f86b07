//! Errors in a map. They are reported all at once, each with its line and a caret under the faulty text.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::map::span::{Source, Span};

/// The kind of a mistake. Only the first `SHOWN` mistakes of each kind are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// The file is not TOML.
    Syntax,
    /// A key, verb or word that the language does not have, or a value of the wrong type.
    Key,
    /// A pattern or a target that does not parse.
    Pattern,
    /// A rule that this version cannot apply.
    Unsupported,
    /// Two places that contradict each other.
    Conflict,
    /// A rule that matched nothing.
    Unused,
    /// A rule whose matches were all taken by other rules.
    Shadowed,
    /// A variable that no rule names, under `unmatched = "error"`.
    Unmatched,
    /// A new name that cannot be built for some variable, or that is not allowed.
    Name,
    /// Two variables with one new name.
    Collision,
    /// A value that a rule cannot process.
    Value,
}

/// The number of mistakes of one kind that are shown before "and N more".
const SHOWN: usize = 20;

/// One mistake: its message, its place, and help on how to fix it.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    warning: bool,
    what: String,
    span: Span,
    label: String,
    related: Vec<(Span, String)>,
    notes: Vec<String>,
    helps: Vec<String>,
}

impl Error {
    pub(crate) fn new(kind: Kind, place: &Span, what: impl Into<String>) -> Self {
        let (what, place) = (what.into(), place.clone());
        Self {
            kind,
            warning: false,
            what,
            span: place,
            label: String::new(),
            related: vec![],
            notes: vec![],
            helps: vec![],
        }
    }

    pub(crate) fn warning(self) -> Self {
        Self { warning: true, ..self }
    }

    /// Sets the text next to the caret.
    pub(crate) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// Adds another place that is part of the mistake.
    pub(crate) fn related(mut self, place: &Span, label: impl Into<String>) -> Self {
        self.related.push((place.clone(), label.into()));
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.helps.push(help.into());
        self
    }

    pub(crate) fn helps(mut self, helps: impl IntoIterator<Item = String>) -> Self {
        self.helps.extend(helps);
        self
    }

    /// Returns the mistake in one line.
    #[cfg(test)]
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Returns the line, counted from 1.
    #[cfg(test)]
    pub(crate) fn line(&self) -> usize {
        self.span.line()
    }

    /// Returns the column in that line, counted from 1.
    #[cfg(test)]
    pub(crate) fn column(&self) -> usize {
        self.span.column()
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = if self.warning { Level::WARNING } else { Level::ERROR };
        let group = level.primary_title(&*self.what).elements(self.snippets());
        let group = group.elements(self.notes.iter().map(|note| Level::NOTE.message(&**note)));
        let group: Group<'_> = group.elements(self.helps.iter().map(|help| Level::HELP.message(&**help)));
        renderer.render(&[group])
    }

    /// Returns one snippet for each text that is part of the mistake. The snippet of the faulty text comes first.
    fn snippets(&self) -> Vec<Snippet<'_, annotate_snippets::Annotation<'_>>> {
        let mut parts: Vec<(&Arc<Source>, Vec<_>)> = vec![];
        let culprit = (&self.span, &self.label, AnnotationKind::Primary);
        let others = self.related.iter().map(|(place, label)| (place, label, AnnotationKind::Context));
        for (place, label, kind) in std::iter::once(culprit).chain(others) {
            let span = shown_span(place);
            let annotation = kind.span(span).label((!label.is_empty()).then_some(label.as_str()));
            match parts.iter_mut().find(|(source, _)| *source == &place.source) {
                Some((_, annotations)) => annotations.push(annotation),
                None => parts.push((&place.source, vec![annotation])),
            }
        }
        let alone = parts.len() == 1;
        parts
            .into_iter()
            .map(|(source, annotations)| snippet(source, alone).annotations(annotations))
            .collect()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl std::error::Error for Error {}

/// Returns the snippet of a source. A file is shown by its name and line, a flag as it was typed on the command line.
/// A flag needs no name if it is the only source.
fn snippet<'a, T: Clone>(source: &'a Source, alone: bool) -> Snippet<'a, T> {
    match source.is_flag {
        true if alone => Snippet::source(flag_line(source)).line_numbering(false),
        true => Snippet::source(flag_line(source)).line_numbering(false).path("command line"),
        false => Snippet::source(&*source.text).path(&*source.name).line_start(1),
    }
}

fn flag_line(source: &Source) -> String {
    match source.text.as_str() {
        "" => source.name.clone(),
        text => format!("{} '{text}'", source.name),
    }
}

fn shown_span(place: &Span) -> Range<usize> {
    let Source { name, text, is_flag } = &*place.source;
    match (is_flag, text.is_empty()) {
        (false, _) => place.span.clone(),
        (true, true) => 0..name.len(),
        (true, false) => place.span.start + name.len() + 2..place.span.end + name.len() + 2,
    }
}

/// The mistakes in the order in which they were found. Only the first `SHOWN` of each kind are kept; the rest are
/// counted.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    kept: Vec<Error>,
    counts: BTreeMap<Kind, usize>,
}

impl Errors {
    /// Counts a mistake of this kind, and keeps it if fewer than `SHOWN` are kept. Otherwise `error` is not called.
    pub(crate) fn push_with(&mut self, kind: Kind, error: impl FnOnce() -> Error) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= SHOWN {
            self.kept.push(error());
        }
    }

    pub(crate) fn push(&mut self, error: Error) {
        self.push_with(error.kind, || error);
    }

    /// Sorts the mistakes: flags first, in their order, then each file from top to bottom.
    pub(crate) fn sort(&mut self) {
        self.kept.sort_by_cached_key(|Error { span: place, .. }| match place.source.is_flag {
            true => (false, String::new(), 0),
            false => (true, place.source.name.clone(), place.span.start),
        });
    }

    /// Returns the number of mistakes, shown or not.
    pub fn len(&self) -> usize {
        self.counts.values().sum()
    }

    /// Returns true if there are no mistakes.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Iterates over the mistakes that are shown.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Error> {
        self.kept.iter()
    }

    /// Returns the same text as `Display`, with terminal colors.
    pub fn to_colored_string(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut blocks: Vec<String> = self.kept.iter().map(|error| error.render(renderer)).collect();
        let hidden = self.counts.iter().filter(|(_, count)| **count > SHOWN);
        blocks.extend(hidden.map(|(kind, count)| format!("... and {} more {}", count - SHOWN, many(*kind))));
        blocks.join("\n\n")
    }
}

fn many(kind: Kind) -> &'static str {
    match kind {
        Kind::Syntax => "syntax errors",
        Kind::Key => "wrong keys or values",
        Kind::Pattern => "faulty patterns or targets",
        Kind::Unsupported => "rules that cannot be applied",
        Kind::Conflict => "contradictions",
        Kind::Unused => "rules that matched nothing",
        Kind::Shadowed => "shadowed rules",
        Kind::Unmatched => "variables without a rule",
        Kind::Name => "invalid new names",
        Kind::Collision => "collisions",
        Kind::Value => "values that do not fit the rules",
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl std::error::Error for Errors {}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a Error;
    type IntoIter = std::slice::Iter<'a, Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Returns a number with its noun: `1 variable`, `2 variables`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
