//! Tables of the variables, with tabs between, and other texts about a whole catalog that are made when they are asked
//! for: their length is learnt by making them, and they are not kept.

use std::io;
use std::sync::Arc;

use crate::cache::{Decode, Identity};
use crate::catalog::{Catalog, Origin, Variable};
use crate::extent::{Extent, VirtualFile};

/// A table: its first line, and that of a variable.
pub struct Table {
    /// The names of the columns.
    pub header: &'static str,
    /// A variable's row.
    pub row: fn(&Variable) -> String,
}

/// What there is. `ckptfs ls --tsv` prints it too, and `--like` reads it.
pub const VARIABLES: Table = Table {
    header: "name\tdtype\tshape\tbytes",
    row: |Variable { name, tensor, .. }| {
        format!("{name}\t{}\t{}\t{}", tensor.dtype, tensor.shape.spaced(), tensor.len())
    },
};

/// What a map made of the names and values. The rule is empty where none meant the variable, the last column where its
/// value is the source's.
pub const REMAP: Table = Table {
    header: "name\told_name\trule\tvalue",
    row: |Variable { name, origin, .. }| match origin {
        Some(Origin { name: old, rule, value }) => {
            let value = value.as_deref().unwrap_or_default().replace(['\t', '\n'], " ");
            format!("{name}\t{old}\t{rule}\t{value}")
        }
        None => format!("{name}\t{name}\t\t"),
    },
};

impl Table {
    /// The whole table.
    fn text(&self, variables: &[Variable]) -> String {
        let mut text = format!("{}\n", self.header);
        variables.iter().for_each(|variable| text += &((self.row)(variable) + "\n"));
        text
    }
}

pub(super) fn variables(catalog: &Arc<Catalog>) -> VirtualFile {
    made("variables.tsv", catalog, |catalog| VARIABLES.text(&catalog.variables))
}

pub(super) fn remap(catalog: &Arc<Catalog>) -> VirtualFile {
    made("remap.tsv", catalog, |catalog| REMAP.text(&catalog.variables))
}

/// A file of the text that `text` makes, which must be the same each time.
pub(super) fn made(to: &'static str, catalog: &Arc<Catalog>, text: fn(&Catalog) -> String) -> VirtualFile {
    let len = text(catalog).len() as u64;
    [Extent::Decoded { data: Arc::new(Made { to, catalog: catalog.clone(), text }), len }]
        .into_iter()
        .collect()
}

struct Made {
    to: &'static str,
    catalog: Arc<Catalog>,
    text: fn(&Catalog) -> String,
}

impl Decode for Made {
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
        let catalog = Arc::new(Catalog { variables, objects: None, index: None, shards: vec![] });
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
    fn every_name_has_the_one_it_had_and_the_rule_if_there_was_one() {
        let origin = Origin { name: "old".into(), rule: "fix.toml:12".into(), value: None };
        let variables = vec![variable(b"kept", &[], None), variable(b"new", &[], Some(origin))];
        assert_eq!(
            text(super::remap, variables),
            "name\told_name\trule\tvalue\nkept\tkept\t\t\nnew\told\tfix.toml:12\t\n"
        );
    }
}
