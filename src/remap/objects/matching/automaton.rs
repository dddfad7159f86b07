//! A pattern as an automaton that reads a path piece by piece.
//!
//! The states are those of the regular expression that the pattern compiles to, made as they are met, so every kind of
//! pattern works, `re:` included, and two ways of coming to one state are one.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::hybrid::{BuildError, LazyStateID};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// How far a pattern has come.
pub(crate) type State = LazyStateID;

/// Room for the states of one pattern; real ones need a few kilobytes.
const CAPACITY: usize = 64 << 20;
/// The same limit as the regex crate has for the expression itself.
const EXPRESSION: usize = 10 << 20;

/// A compiled pattern, and the states it was in so far.
pub(crate) struct Automaton {
    dfa: DFA,
    cache: Cache,
    start: State,
}

/// The pattern has so many states that its matches cannot be told apart.
#[derive(Debug)]
pub(crate) struct TooComplex;

impl From<BuildError> for TooComplex {
    fn from(_: BuildError) -> Self {
        Self
    }
}

impl Automaton {
    pub(crate) fn new(expression: &str) -> Result<Self, TooComplex> {
        // States are kept for as long as the search lasts, so their cache must never be emptied under way.
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

    /// The state after more of a path; none if nothing that begins so can match.
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

    /// Whether what was read up to this state matches.
    pub(crate) fn accepts(&mut self, state: State) -> Result<bool, TooComplex> {
        let end = self.dfa.next_eoi_state(&mut self.cache, state).map_err(|_| TooComplex)?;
        Ok(end.is_match())
    }
}
