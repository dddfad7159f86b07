//! The oldest Rust version: the README and Cargo.toml name the same one.

use std::fs;
use std::path::Path;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_readme_names_the_oldest_rust_that_cargo_accepts() {
    let sentence = format!("Rust {} or later", env!("CARGO_PKG_RUST_VERSION"));
    assert!(text("README.md").contains(&sentence), "README.md does not say {sentence:?}");
}
