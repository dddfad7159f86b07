//! Tab-separated tables of the variables, and other texts about a whole catalog. They are generated on demand and not
//! kept; their length is determined by generating them.

use std::io;
use std::sync::Arc;

use crate::cache::{Decode, Identity};
use crate::catalog::{Catalog, Origin, Variable};
use crate::extent::{Extent, VirtualFile};

/// A table: its header, and the function that formats a variable's row.
pub(crate) struct Table {
    header: &'static str,
    row: fn(&Variable) -> String,
    /// Additional columns for some catalogs.
    more: Option<More>,
}

/// Additional columns for some catalogs.
struct More {
    is_there: fn(&Catalog) -> bool,
    header: &'static str,
    row: fn(&Catalog, &Variable) -> String,
}

/// The columns about the program that saved the variable: the number of variables that it had created before, and
/// `true` if the variable is trainable. Empty for variables that are not in the program's graph.
const PROGRAM: More = More {
    is_there: Catalog::knows_program,
    header: "created\ttrainable",
    row: |catalog, variable| {
        let made = catalog.variable_init(variable);
        made.map_or_else(|| "\t".into(), |made| format!("{}\t{}", made.created, made.is_trainable))
    },
};

/// The checkpoint that a value comes from, if some values come from other checkpoints than the first.
const OVERLAID: More = More {
    is_there: |catalog| catalog.overlaid.is_some(),
    header: "source",
    row: |catalog, variable| catalog.other_source(variable).unwrap_or_default().replace(['\t', '\n'], " "),
};

/// The table of variables. `ckptfs ls --tsv` prints it too, and `--like` reads it.
pub(crate) const VARIABLES: Table = Table {
    header: "name\tdtype\tshape\tbytes",
    row: |Variable { name, tensor, .. }| {
        format!("{name}\t{}\t{}\t{}", tensor.dtype, tensor.shape.spaced(), tensor.len())
    },
    more: Some(PROGRAM),
};

/// The table of changes by a map. The rule is empty if no rule matches the variable. The last column is empty if the
/// value is the source's.
pub(crate) const REMAP: Table = Table {
    header: "name\told_name\trule\tvalue",
    row: |Variable { name, origin, .. }| match origin {
        Some(Origin { name: old, rule, value }) => {
            let value = value.as_deref().unwrap_or_default().replace(['\t', '\n'], " ");
            format!("{name}\t{old}\t{rule}\t{value}")
        }
        None => format!("{name}\t{name}\t\t"),
    },
    more: Some(OVERLAID),
};

impl Table {
    /// Returns the lines of a table of these variables, starting with the header, without newlines.
    pub(crate) fn lines<'a>(
        &self,
        catalog: &'a Catalog,
        variables: impl Iterator<Item = &'a Variable>,
    ) -> impl Iterator<Item = String> {
        let more = self.more.as_ref().filter(|more| (more.is_there)(catalog));
        let head = match more {
            Some(more) => format!("{}\t{}", self.header, more.header),
            None => self.header.into(),
        };
        let row = move |variable| match more {
            Some(more) => format!("{}\t{}", (self.row)(variable), (more.row)(catalog, variable)),
            None => (self.row)(variable),
        };
        std::iter::once(head).chain(variables.map(row))
    }

    fn text(&self, catalog: &Catalog) -> String {
        self.lines(catalog, catalog.variables.iter()).map(|line| line + "\n").collect()
    }
}

pub(super) fn variables(catalog: &Arc<Catalog>) -> VirtualFile {
    made("variables.tsv", catalog, |catalog| VARIABLES.text(catalog))
}

pub(super) fn remap(catalog: &Arc<Catalog>) -> VirtualFile {
    made("remap.tsv", catalog, |catalog| REMAP.text(catalog))
}

/// Returns a file with the text that `text` generates. The text must be the same for every call.
pub(super) fn made(to: &'static str, catalog: &Arc<Catalog>, text: fn(&Catalog) -> String) -> VirtualFile {
    let len = text(catalog).len() as u64;
    [Extent::Decoded { data: Arc::new(CatalogText { to, catalog: catalog.clone(), text }), len }]
        .into_iter()
        .collect()
}

struct CatalogText {
    to: &'static str,
    catalog: Arc<Catalog>,
    text: fn(&Catalog) -> String,
}

impl Decode for CatalogText {
    fn identity(&self) -> Identity {
        Identity { of: Arc::as_ptr(&self.catalog) as usize, to: self.to }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let text = (self.text)(&self.catalog);
        let part = text.as_bytes().get(at as usize..at as usize + len);
        Ok(part.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::dtype::Dtype;
    use crate::tensor::{Shape, Tensor};

    fn variable(name: &[u8], shape: &[u64], origin: Option<Origin>) -> Variable {
        let shape = Shape(shape.into());
        let bytes = vec![0; 4 * shape.num_elements().unwrap() as usize];
        let tensor = Arc::new(Tensor::new(Dtype::Float32, shape, vec![bytes.into()], None));
        Variable { name: name.into(), key: None, plain_key: None, full_name: None, tensor, origin }
    }

    fn text(file: fn(&Arc<Catalog>) -> VirtualFile, variables: Vec<Variable>) -> String {
        let catalog = Arc::new(Catalog { variables, ..Catalog::default() });
        let file = file(&catalog);
        let mut bytes = vec![0; file.len() as usize];
        assert_eq!(file.read_at(&Cache::new(0), &mut bytes, 0).unwrap(), bytes.len());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn variables_have_name_dtype_shape_and_bytes() {
        let variables = vec![variable(b"a\nb", &[2, 3], None), variable(b"step", &[], None)];
        let table = "name\tdtype\tshape\tbytes\na\\nb\tfloat32\t2 3\t24\nstep\tfloat32\t\t4\n";
        assert_eq!(text(super::variables, variables), table);
        assert_eq!(text(super::variables, vec![]), "name\tdtype\tshape\tbytes\n");
    }

    #[test]
    fn every_row_has_the_old_name_and_the_rule_if_there_is_one() {
        let origin = Origin { name: "old".into(), rule: "fix.toml:12".into(), value: None };
        let variables = vec![variable(b"kept", &[], None), variable(b"new", &[], Some(origin))];
        assert_eq!(
            text(super::remap, variables),
            "name\told_name\trule\tvalue\nkept\tkept\t\t\nnew\told\tfix.toml:12\t\n"
        );
    }
}
