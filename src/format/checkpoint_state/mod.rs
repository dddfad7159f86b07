//! The state file of a directory of checkpoints, called `checkpoint`. It names the newest prefix and the other
//! prefixes that are kept. It is a `CheckpointState` message in protobuf's text format:
//!
//! ```text
//! model_checkpoint_path: "ckpt-9"
//! all_model_checkpoint_paths: "ckpt-8"
//! all_model_checkpoint_paths: "ckpt-9"
//! all_model_checkpoint_timestamps: 1700000000.25
//! last_preserved_timestamp: 1699999990.5
//! ```
//!
//! It is read in the same way as by Python's protobuf, and so by TensorFlow, with one exception: paths are bytes
//! here, because the paths of a file system are. TensorFlow refuses a path that is not UTF-8.

mod literal;
#[cfg(test)]
mod tests;
mod token;

use crate::format::Result;
use crate::format::checkpoint_state::token::{Token, Tokens};

/// A state file. Paths are kept as written: relative ones are relative to the directory of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The newest checkpoint. It is empty if the file names none, which TensorFlow treats as an error.
    pub model_checkpoint_path: Vec<u8>,
    /// All checkpoints that are kept, oldest first.
    pub(crate) all_model_checkpoint_paths: Vec<Vec<u8>>,
    /// The time at which each of them was written, in seconds since 1970. May be empty.
    pub(crate) all_model_checkpoint_timestamps: Vec<f64>,
    /// The time at which the last checkpoint that is never deleted was written.
    pub(crate) last_preserved_timestamp: f64,
}

/// Decodes a state file.
pub fn decode(file: &[u8]) -> Result<State> {
    let mut state = State::default();
    let mut tokens = Tokens::of(file)?;
    while tokens.next != Token::End {
        state.merge_field(&mut tokens)?;
        // For historical reasons, one separator may follow a field.
        if !tokens.skip(b',')? {
            tokens.skip(b';')?;
        }
    }
    Ok(state)
}

/// Encodes a state file as TensorFlow does.
pub fn encode(state: &State) -> Vec<u8> {
    let mut out = Vec::new();
    if !state.model_checkpoint_path.is_empty() {
        put_path(&mut out, "model_checkpoint_path", &state.model_checkpoint_path);
    }
    for path in &state.all_model_checkpoint_paths {
        put_path(&mut out, "all_model_checkpoint_paths", path);
    }
    for time in &state.all_model_checkpoint_timestamps {
        put_time(&mut out, "all_model_checkpoint_timestamps", *time);
    }
    if state.last_preserved_timestamp.to_bits() != 0 {
        put_time(&mut out, "last_preserved_timestamp", state.last_preserved_timestamp);
    }
    out
}

impl State {
    fn merge_field(&mut self, tokens: &mut Tokens) -> Result<()> {
        let Token::Word(name) = tokens.next else { return Err(tokens.malformed("a field's name expected")) };
        let field: fn(&mut Self, &mut Tokens) -> Result<()> = match name {
            b"model_checkpoint_path" => |state, tokens| {
                state.model_checkpoint_path = literal::string(tokens)?;
                Ok(())
            },
            b"all_model_checkpoint_paths" => {
                |state, tokens| list(tokens, &mut state.all_model_checkpoint_paths, literal::string)
            }
            b"all_model_checkpoint_timestamps" => {
                |state, tokens| list(tokens, &mut state.all_model_checkpoint_timestamps, literal::float)
            }
            b"last_preserved_timestamp" => |state, tokens| {
                state.last_preserved_timestamp = literal::float(tokens)?;
                Ok(())
            },
            _ => return Err(tokens.malformed(format!("unknown field {}", name.escape_ascii()))),
        };
        tokens.advance()?;
        tokens.expect(b':')?;
        field(self, tokens)
    }
}

/// Reads the value of a repeated field: one value, or a list in brackets.
fn list<T>(tokens: &mut Tokens, values: &mut Vec<T>, one: fn(&mut Tokens) -> Result<T>) -> Result<()> {
    if !tokens.skip(b'[')? {
        values.push(one(tokens)?);
        return Ok(());
    }
    if tokens.skip(b']')? {
        return Ok(());
    }
    loop {
        values.push(one(tokens)?);
        if tokens.skip(b']')? {
            return Ok(());
        }
        tokens.expect(b',')?;
    }
}

fn put_path(out: &mut Vec<u8>, field: &str, path: &[u8]) {
    out.extend(format!("{field}: \"").bytes());
    literal::escape(out, path);
    out.extend(b"\"\n");
}

fn put_time(out: &mut Vec<u8>, field: &str, time: f64) {
    out.extend(format!("{field}: {}\n", literal::write_float(time)).bytes());
}
