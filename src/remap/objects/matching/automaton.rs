//! A pattern as an automaton that reads a path in parts.
//!
//! The states are those of the regular expression that the pattern compiles to, and they are built on demand. Every
//! kind of pattern works, including `re:`. Two paths that reach the same state are not distinguished.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::hybrid::{BuildError, LazyStateID};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// The progress of a match.
pub(crate) type State = LazyStateID;

/// The size limit for the states of one pattern, in bytes. Real patterns need a few kilobytes.
const CAPACITY: usize = 64 << 20;
/// The size limit for the expression, in bytes. The regex crate has the same limit.
const EXPRESSION: usize = 10 << 20;

/// A compiled pattern, and a cache of its states.
pub(crate) struct Automaton {
    dfa: DFA,
    cache: Cache,
    start: State,
}

/// The error for a pattern with so many states that its matches cannot be distinguished.
#[derive(Debug)]
pub(crate) struct TooComplex;

impl From<BuildError> for TooComplex {
    fn from(_: BuildError) -> Self {
        Self
    }
}

impl Automaton {
    pub(crate) fn new(expression: &str) -> Result<Self, TooComplex> {
        // The search keeps states until it ends, so the cache must never be cleared during a search.
        let config = DFA::config().cache_capacity(CAPACITY).minimum_cache_clear_count(Some(0));
        let dfa = DFA::builder()
            .configure(config)
            .syntax(syntax::Config::new().utf8(false))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(EXPRESSION)))
            .build(expression)?;
        let mut cache = dfa.create_cache();
        let input = Input::new("").anchored(Anchored::Yes);
        let start = dfa.start_state_forward(&mut cache, &input).map_err(|_| TooComplex)?;
        Ok(Self { dfa, cache, start })
    }

    pub(crate) fn start(&self) -> State {
        self.start
    }

    /// Returns the state after more bytes of a path. `None` if no path with this beginning can match.
    pub(crate) fn read(&mut self, mut state: State, bytes: &[u8]) -> Result<Option<State>, TooComplex> {
        for &byte in bytes {
            state = self.dfa.next_state(&mut self.cache, state, byte).map_err(|_| TooComplex)?;
            if state.is_quit() {
                return Err(TooComplex);
            }
            if state.is_dead() {
                return Ok(None);
            }
        }
        Ok(Some(state))
    }

    /// Returns true if the bytes that led to this state match.
    pub(crate) fn accepts(&mut self, state: State) -> Result<bool, TooComplex> {
        let end = self.dfa.next_eoi_state(&mut self.cache, state).map_err(|_| TooComplex)?;
        Ok(end.is_match())
    }
}
