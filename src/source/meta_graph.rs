//! The file `P.meta` of a checkpoint: the information about the variables in the TF1 program that saved it. It is
//! read on first use. An unreadable file does not stop the checkpoint from being used.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::catalog::{Catalog, SavedProgram, Variable, VariableInit};
use crate::directory::Directory;
use crate::dtype::Dtype;
use crate::format::{Malformed, meta_graph};
use crate::name::Name;
use crate::source::error::Error;
use crate::source::prefix::Prefix;
use crate::source_file::SourceFile;
use crate::tensor::{Shape, Tensor};

/// Returns the program of a checkpoint; `None` if there is no such file.
pub(super) fn saved_program(prefix: &Prefix, directory: &Arc<Directory>) -> Option<Arc<SavedProgram>> {
    let name = prefix.meta_name();
    directory.metadata(&name).ok().filter(|meta| meta.is_file())?;
    let directory = directory.clone();
    Some(Arc::new(SavedProgram::new(move || read(&directory, &name))))
}

fn read(directory: &Arc<Directory>, name: &OsStr) -> HashMap<Name, VariableInit> {
    let shard = SourceFile::open_in(directory, name);
    let variables = shard.size().ok_or_else(|| "it cannot be opened".to_owned()).and_then(|len| {
        meta_graph::decode(len, |at, len| read_part(&shard, at, len)).map_err(|fault: Fault| fault.0)
    });
    match variables {
        Ok(variables) => (0..)
            .zip(variables)
            .map(|(created, variable)| {
                (variable.name.as_str().into(), VariableInit { created, is_trainable: variable.is_trainable })
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

/// Returns the variables that a program would save with a `Saver`: their names, types and shapes, without values.
///
/// # Errors
/// The reason why the graph cannot be read, or the list of variables for which it has no shape or type.
pub(crate) fn wanted(path: &Path) -> Result<Catalog, Error> {
    let shard = SourceFile::open(path);
    let unreadable = |Fault(what): Fault| {
        Error::Unsupported(path.into(), format!("{what}; as a graph of TF1 it cannot be read"))
    };
    let len = shard.size().ok_or_else(|| {
        let fault = shard.fault().map_or_else(String::new, ToString::to_string);
        Error::Io(path.into(), io::Error::other(fault))
    })?;
    let read = |at, len| read_part(&shard, at, len);
    let variables = meta_graph::decode(len, read).map_err(unreadable)?;
    let nodes = meta_graph::nodes::decode(len, read).map_err(unreadable)?;
    let (mut found, mut vague) = (Vec::new(), Vec::new());
    for variable in variables {
        let node = nodes.get(&variable.operation).cloned().unwrap_or_default();
        match valueless(&variable.name, node.dtype, variable.full_shape.or(node.shape)) {
            Some(valueless) => found.push(valueless),
            None => vague.push(Name::from(variable.name.as_str()).to_string()),
        }
    }
    if !vague.is_empty() || found.is_empty() {
        let what =
            format!("the graph does not have types and shapes of all its variables ({})", vague.join(", "));
        return Err(Error::Unsupported(path.into(), what));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Catalog { variables: found, ..Catalog::default() })
}

/// Returns a variable without a value.
fn valueless(name: &str, dtype: u32, shape: Option<Vec<u64>>) -> Option<Variable> {
    let (dtype, shape) = (Dtype::from_tensorflow(dtype)?, Shape(shape?.into()));
    shape.num_elements()?.checked_mul(dtype.width().unwrap_or(1))?;
    let tensor = Arc::new(Tensor::new(dtype, shape, Vec::new(), None));
    Some(Variable { name: name.into(), key: None, plain_key: None, full_name: None, tensor, origin: None })
}

/// The reason why a graph cannot be read.
struct Fault(String);

fn read_part(shard: &SourceFile, at: u64, len: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; len];
    shard.read_exact_at(&mut bytes, at).map_err(|error: io::Error| Fault(error.to_string()))?;
    Ok(bytes)
}

impl From<Malformed> for Fault {
    fn from(fault: Malformed) -> Self {
        Self(fault.to_string())
    }
}
