//! Extended attributes: the description of a variable, on every file and directory that shows it. So copies that
//! preserve them (`cp -a`, `rsync -X`, `tar --xattrs`) still contain their origin.

use crate::catalog::Variable;
use crate::format::crc::Masked;

/// An extended attribute: its name, and the function that returns its value for a variable that has it.
struct Xattr {
    name: &'static str,
    value: fn(&Variable) -> Option<Vec<u8>>,
}

#[rustfmt::skip]
const XATTRS: &[Xattr] = &[
    Xattr { name: "user.ckptfs.name",   value: |variable| Some(variable.name.as_bytes().into()) },
    Xattr { name: "user.ckptfs.dtype",  value: |variable| text(variable.tensor.dtype) },
    Xattr { name: "user.ckptfs.shape",  value: |variable| text(variable.tensor.shape.spaced()) },
    Xattr { name: "user.ckptfs.key",    value: |variable| Some(variable.key().as_bytes().into()) },
    Xattr { name: "user.ckptfs.crc32c", value: |variable| text(variable.tensor.crc32c.map(Masked::unmask)?) },
    Xattr { name: "user.ckptfs.source", value: |variable| Some(source(variable).into()) },
];

/// Returns the value of the attribute with a name.
pub(crate) fn xattr(variable: &Variable, name: &[u8]) -> Option<Vec<u8>> {
    let attribute = XATTRS.iter().find(|attribute| attribute.name.as_bytes() == name)?;
    (attribute.value)(variable)
}

/// Returns the names of a variable's attributes, each terminated by a NUL, as in listxattr(2).
pub(crate) fn xattrs(variable: &Variable) -> Vec<u8> {
    let has = XATTRS.iter().filter(|attribute| (attribute.value)(variable).is_some());
    has.flat_map(|attribute| attribute.name.bytes().chain([0])).collect()
}

fn text(value: impl ToString) -> Option<Vec<u8>> {
    Some(value.to_string().into_bytes())
}

/// Returns the name of the variable in the source.
fn source(variable: &Variable) -> &[u8] {
    variable.origin.as_ref().map_or(&variable.name, |origin| &origin.name).as_bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Origin;
    use crate::dtype::Dtype;
    use crate::name::Name;
    use crate::tensor::{Shape, Tensor};

    fn variable(crc32c: Option<Masked>) -> Variable {
        let (dtype, shape) = (Dtype::Float32, Shape(Box::new([784, 128])));
        let origin = Origin { name: Name::from(&b"bert/k"[..]), rule: "--rename".into(), value: None };
        Variable {
            name: Name::from(&b"encoder/k"[..]),
            key: None,
            plain_key: None,
            full_name: None,
            tensor: Arc::new(Tensor::new(dtype, shape, vec![], crc32c)),
            origin: Some(origin),
        }
    }

    #[test]
    fn each_attribute_describes_the_variable() {
        let variable = variable(Some(Masked::of(b"123456789")));
        let said = |name: &str| xattr(&variable, format!("user.ckptfs.{name}").as_bytes()).unwrap();
        assert_eq!(said("name"), b"encoder/k");
        assert_eq!(said("dtype"), b"float32");
        assert_eq!(said("shape"), b"784 128");
        assert_eq!(said("key"), b"encoder/k");
        assert_eq!(said("crc32c"), 0xe306_9283u32.to_string().as_bytes());
        assert_eq!(said("source"), b"bert/k");
    }

    #[test]
    fn unknown_attributes_have_no_value_and_are_not_listed() {
        let variable = variable(None);
        assert_eq!(xattr(&variable, b"user.ckptfs.crc32c"), None);
        assert_eq!(xattr(&variable, b"user.ckptfs.nam"), None);
        assert_eq!(xattr(&variable, b"security.selinux"), None);
        let listed = xattrs(&variable);
        let names: Vec<_> = listed.split(|&byte| byte == 0).collect();
        assert_eq!(names.len(), XATTRS.len() - 1 + 1, "the list ends in a NUL");
        assert!(names.iter().all(|name| name.is_empty() || xattr(&variable, name).is_some()));
    }
}
