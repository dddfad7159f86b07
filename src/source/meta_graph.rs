//! `P.meta` beside a checkpoint: what the program of TF1 that saved it knew of its variables. It is read when that is
//! first asked for; one that cannot be read is no reason to do without the checkpoint.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

use super::Prefix;
use crate::catalog::{Made, Program};
use crate::folder::Folder;
use crate::format::{Malformed, meta_graph};
use crate::name::Name;
use crate::shard::Shard;

/// The program of a checkpoint, if there is such a file.
pub(super) fn beside(prefix: &Prefix, folder: &Arc<Folder>) -> Option<Arc<Program>> {
    let name = prefix.meta_name();
    folder.metadata(&name).ok().filter(|meta| meta.is_file())?;
    let folder = folder.clone();
    Some(Arc::new(Program::new(move || read(&folder, &name))))
}

fn read(folder: &Arc<Folder>, name: &OsStr) -> HashMap<Name, Made> {
    let shard = Shard::open_in(folder, name);
    let variables = shard.len().ok_or_else(|| "it cannot be opened".to_owned()).and_then(|len| {
        meta_graph::decode(len, |at, len| piece(&shard, at, len)).map_err(|fault: Fault| fault.0)
    });
    match variables {
        Ok(variables) => (0..)
            .zip(variables)
            .map(|(created, variable)| {
                (variable.name.as_str().into(), Made { created, is_trainable: variable.is_trainable })
            })
            .collect(),
        Err(what) => {
            log::warn!(
                "{}: {what}; so in which order variables were created is not known",
                shard.path().display()
            );
            HashMap::new()
        }
    }
}

/// Why a graph cannot be read.
struct Fault(String);

fn piece(shard: &Shard, at: u64, len: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; len];
    shard.read_exact_at(&mut bytes, at).map_err(|error: io::Error| Fault(error.to_string()))?;
    Ok(bytes)
}

impl From<Malformed> for Fault {
    fn from(fault: Malformed) -> Self {
        Self(fault.to_string())
    }
}
