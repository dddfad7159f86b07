//! JSON output: it has every key that `docs/json.md` documents, and no other key.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::bundle::Bundle;
use crate::support::mount::{Place, mount};
use crate::support::{ckptfs, fixture};

/// Returns the keys of a section of the document. The value is true if the key is always present.
fn documented(section: &str) -> BTreeMap<String, bool> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md")).unwrap();
    let (_, rest) = text.split_once(&format!("## `{section}`\n")).unwrap();
    let lines = rest.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| `"));
    lines.map(|line| (line.split('`').next().unwrap().to_owned(), !line.contains("*sometimes*"))).collect()
}

/// Returns the keys of an object. The keys of an object in `nested` are written `outer.inner`.
fn keys(object: &Value, nested: &[&str]) -> BTreeSet<String> {
    let of = |(key, value): (&String, &Value)| match value {
        Value::Object(inner) if nested.contains(&key.as_str()) => {
            inner.keys().map(|inner| format!("{key}.{inner}")).collect()
        }
        _ => vec![key.clone()],
    };
    object.as_object().unwrap().iter().flat_map(of).collect()
}

#[track_caller]
fn agree(section: &str, objects: &[Value], nested: &[&str]) {
    let documented = documented(section);
    assert!(!documented.is_empty() && !objects.is_empty());
    let mut seen = BTreeSet::new();
    for object in objects {
        let keys = keys(object, nested);
        let undocumented: Vec<_> = keys.iter().filter(|key| !documented.contains_key(*key)).collect();
        let missing: Vec<_> =
            documented.iter().filter(|(key, always)| **always && !keys.contains(*key)).collect();
        assert!(
            undocumented.is_empty() && missing.is_empty(),
            "{section}: undocumented {undocumented:?}, missing {missing:?}"
        );
        seen.extend(keys);
    }
    assert_eq!(seen, documented.into_keys().collect(), "{section}: what is there sometimes was seen too");
}

fn array(args: &[&str]) -> Vec<Value> {
    let output = ckptfs(args);
    serde_json::from_slice::<Value>(&output.stdout).unwrap().as_array().unwrap().clone()
}

#[test]
fn ls_json_has_the_documented_keys() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    let bundle = Bundle::new().floats("a", &[1.0]).floats(b"\xff", &[2.0]);
    bundle.write(&prefix);
    let mut listed = array(&["ls", "--json", prefix.to_str().unwrap(), "--alias", "a=b"]);
    let over = dir.path().join("over");
    Bundle::new().floats("a", &[3.0]).write(&over);
    listed.extend(array(&["ls", "--json", prefix.to_str().unwrap(), "--overlay", over.to_str().unwrap()]));
    let data = dir.path().join("ckpt-9.data-00000-of-00001");
    std::fs::File::options().write(true).open(data).unwrap().set_len(5).unwrap();
    listed.extend(array(&["ls", "--json", prefix.to_str().unwrap()]));
    for name in ["object_module", "strings", "tf1_graph", "sliced_dtypes", "big_endian"] {
        let fixture = fixture(name);
        listed.extend(array(&["ls", "--json", fixture.to_str().unwrap()]));
    }
    agree("ckptfs ls --json", &listed, &[]);
    let ruled: Vec<_> = listed.iter().filter_map(|variable| variable["rule"].as_object()).collect();
    assert!(ruled.iter().all(|rule| rule.keys().eq(["place", "from"])) && !ruled.is_empty());
}

#[test]
fn suggest_json_has_the_documented_keys() {
    let pair = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs/sequential_inserted_same_shape");
    let [have, want] =
        ["have.tsv", "want.tsv"].map(|file| pair.join(file).into_os_string().into_string().unwrap());
    let output = ckptfs(["suggest", &have, &want, "--json"]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    agree("ckptfs suggest --json | jq .pairs[]", object["pairs"].as_array().unwrap(), &[]);
    assert_eq!(
        keys(&object["counts"], &[]),
        ["sure", "likely", "ambiguous", "missing"].map(String::from).into()
    );
    agree("ckptfs suggest --json", &[object], &[]);
}

#[test]
fn maps_json_has_the_documented_keys() {
    let maps = array(&["maps", "--json"]);
    agree("ckptfs maps --json", &maps, &[]);
    assert!(maps.iter().any(|map| map["name"] == "ddp"));
}

#[test]
fn diff_json_has_the_documented_keys() {
    let dir = tempfile::tempdir().unwrap();
    let [have, want] = ["have", "want"].map(|name| dir.path().join(name));
    Bundle::new().floats("same", &[1.0]).floats("have", &[1.0]).write(&have);
    Bundle::new().floats("same", &[2.0]).floats("want", &[1.0]).write(&want);
    let object = |flags: &[&str]| {
        let words = ["diff", have.to_str().unwrap(), want.to_str().unwrap(), "--json"];
        serde_json::from_slice::<Value>(&ckptfs(words.iter().chain(flags)).stdout).unwrap()
    };
    agree("ckptfs diff --json", &[object(&[]), object(&["--values"])], &["parameters", "values"]);
}

#[test]
fn doctor_json_has_the_documented_keys() {
    let dir = tempfile::tempdir().unwrap();
    Bundle::new().floats("w", &[1.0]).write(&dir.path().join("ckpt-9"));
    let findings = array(&["doctor", "--json", dir.path().to_str().unwrap()]);
    agree("ckptfs doctor --json", &findings, &[]);
    let mends: Vec<_> = findings.iter().flat_map(|finding| finding["mends"].as_array().unwrap()).collect();
    assert!(
        mends.iter().all(|mend| keys(mend, &[]) == ["kind", "line"].map(str::to_owned).into()),
        "{mends:?}"
    );
    for kind in ["command", "python", "advice"] {
        assert!(mends.iter().any(|mend| mend["kind"] == kind), "{kind}");
    }
}

#[test]
fn fix_json_has_the_documented_keys() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("ckpt-9");
    Bundle::new().floats("bert/a/w", &[1.0]).write(&prefix);
    let prefix = prefix.to_str().unwrap();
    let object = |error: &str| {
        serde_json::from_slice::<Value>(&ckptfs(["fix", prefix, "--json", "-e", error]).stdout).unwrap()
    };
    let objects =
        ["Key encoder/a/w not found in checkpoint", "Key q not found in checkpoint", "unknown"].map(object);
    agree("ckptfs fix --json", &objects, &["parts"]);
}

#[test]
fn status_json_has_the_documented_keys() {
    let place = Place::new();
    let Some(m) = mount(&place.prefix(), &[]) else { return };
    let mounts = array(&["status", "--json", m.path().to_str().unwrap()]);
    agree("ckptfs status --json", &mounts, &[]);
    let file: Value = serde_json::from_slice(&m.read(".ckptfs/status.json")).unwrap();
    agree(".ckptfs/status.json", &[file], &["cache", "checkpoints", "passthrough"]);
    assert_eq!(
        keys(&mounts[0]["status"], &[]),
        keys(&serde_json::from_slice(&m.read(".ckptfs/status.json")).unwrap(), &[])
    );
}
