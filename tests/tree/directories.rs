//! Source directories in the tree, without a kernel: their listings, their planned checkpoints, and changes of the
//! source.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ckptfs::cache::Cache;
use ckptfs::map::{Flag, Map};
use ckptfs::mounted_source::MountedSource;
use ckptfs::tree::{Attr, Content, Counts, Ino, Kind, Tree};
use tempfile::TempDir;

use crate::support::bundle::Bundle;
use crate::support::eventually;

/// A directory of the source and its tree.
struct Mounted {
    dir: TempDir,
    tree: Tree,
}

/// Writes a checkpoint with one variable that is `age` seconds old.
fn save(prefix: &Path, variable: &str, age: u64) {
    Bundle::new().floats(variable, &[1.0, 2.0]).write(prefix);
    let index = File::options().write(true).open(prefix.with_added_extension("index")).unwrap();
    index.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
}

/// Creates a directory with `ckpt-8` and `ckpt-9`.
fn train() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("ckpt-8"), "eight", 200);
    save(&dir.path().join("ckpt-9"), "nine", 100);
    dir
}

fn tree(source: &Path, flags: &[Flag]) -> Tree {
    let map = Map::parse(flags, &[]).unwrap();
    Tree::new(Box::new(MountedSource::open(source, Arc::new(map.into())).unwrap()), []).unwrap()
}

fn mounted(dir: TempDir) -> Mounted {
    Mounted { tree: tree(dir.path(), &[]), dir }
}

impl Mounted {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn names(&self, path: &str) -> Vec<String> {
        names(&self.tree, path)
    }

    fn text(&self, path: &str) -> String {
        String::from_utf8(read(&self.tree, path)).unwrap()
    }

    fn errno(&self, path: &str) -> Option<i32> {
        attr(&self.tree, path).unwrap_err().raw_os_error()
    }
}

fn attr(tree: &Tree, path: &str) -> std::io::Result<Attr> {
    let components = path.split('/').filter(|component| !component.is_empty());
    components
        .into_iter()
        .try_fold(tree.attr(Ino::ROOT)?, |directory, name| tree.lookup(directory.ino, name.as_bytes()))
}

fn entries(tree: &Tree, directory: Ino, from: u64, most: usize) -> Vec<(u64, String, Ino, Kind)> {
    let mut found = vec![];
    let mut each = |next, entry: &ckptfs::tree::Entry<'_>| {
        found.push((next, String::from_utf8_lossy(&entry.name).into_owned(), entry.ino, entry.kind));
        found.len() == most
    };
    tree.entries(directory, from, &mut each).unwrap();
    found
}

/// Returns the names in a directory in the order of the listing, without `.ckptfs`.
fn names(tree: &Tree, path: &str) -> Vec<String> {
    let entries = entries(tree, attr(tree, path).unwrap().ino, 0, usize::MAX);
    entries.into_iter().map(|(_, name, ..)| name).filter(|name| name != ".ckptfs").collect()
}

fn read(tree: &Tree, path: &str) -> Vec<u8> {
    let Content::File(file) = tree.content(attr(tree, path).unwrap().ino).unwrap() else {
        panic!("{path}: no file")
    };
    let mut bytes = vec![0; file.len() as usize];
    file.read_at(&Cache::new(0), &mut bytes, 0).unwrap();
    bytes
}

fn target(tree: &Tree, path: &str) -> String {
    let Content::Link(target) = tree.content(attr(tree, path).unwrap().ino).unwrap() else {
        panic!("{path}: no link")
    };
    String::from_utf8(target.into_owned()).unwrap()
}

#[test]
fn a_directory_lists_checkpoints_generated_names_and_other_files_in_order() {
    let dir = train();
    fs::write(dir.path().join("vocab.txt"), "a\nb\n").unwrap();
    fs::write(dir.path().join("ckpt-9.meta"), "graph").unwrap();
    fs::create_dir(dir.path().join("logs")).unwrap();
    let m = mounted(dir);
    let listed = "checkpoint ckpt-8 ckpt-8.data-00000-of-00001 ckpt-8.index ckpt-9 ckpt-9.data-00000-of-00001 \
                  ckpt-9.index ckpt-9.meta latest latest.data-00000-of-00001 latest.index logs vocab.txt";
    assert_eq!(m.names("").join(" "), listed);
    assert_eq!(m.text("vocab.txt"), "a\nb\n");
    assert_eq!(target(&m.tree, "latest"), "ckpt-9");
    assert_eq!(m.names("ckpt-8/vars"), ["eight"]);
    assert_eq!(attr(&m.tree, "").unwrap().nlink, 2 + 4);
}

#[test]
fn every_entry_has_the_inode_and_kind_of_its_lookup() {
    let dir = train();
    fs::create_dir(dir.path().join("logs")).unwrap();
    fs::write(dir.path().join("vocab.txt"), "").unwrap();
    symlink("vocab.txt", dir.path().join("words")).unwrap();
    let m = mounted(dir);
    let listed = entries(&m.tree, Ino::ROOT, 0, usize::MAX);
    let distinct: BTreeSet<_> = listed.iter().map(|(_, _, ino, _)| *ino).collect();
    assert_eq!(distinct.len(), listed.len());
    for (_, name, ino, kind) in listed {
        let found = attr(&m.tree, &name).unwrap();
        assert_eq!((found.ino, found.kind, m.tree.attr(ino).unwrap()), (ino, kind, found), "{name}");
    }
    let again = tree(m.dir.path(), &[]);
    assert_eq!(entries(&again, Ino::ROOT, 0, usize::MAX), entries(&m.tree, Ino::ROOT, 0, usize::MAX));
}

#[test]
fn a_listing_plans_every_checkpoint_so_that_lookups_find_the_same_names() {
    let dir = train();
    fs::write(dir.path().join("ckpt-8.index"), "no index at all").unwrap();
    fs::write(dir.path().join("checkpoint"), "model_checkpoint_path: 'ckpt-9'").unwrap();
    let m = mounted(dir);
    let listed = m.names("");
    assert!(listed.contains(&"ckpt-8.error".into()), "{listed:?}");
    for name in ["ckpt-8", "ckpt-8.index", "ckpt-8.data-00000-of-00001"] {
        assert!(!listed.contains(&name.into()), "{listed:?}");
        assert_eq!(m.errno(name), Some(libc::ENOENT));
    }
    assert!(m.text("ckpt-8.error").contains("ckpt-8.index: 15 bytes are too few"));
    assert_eq!(
        m.text("checkpoint"),
        "model_checkpoint_path: \"ckpt-9\"\nall_model_checkpoint_paths: \"ckpt-9\"\n"
    );
}

/// Creates copies of an object-based checkpoint. A map that changes its graph adds a data file to each.
fn object_based(steps: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for step in steps {
        for end in ["index", "data-00000-of-00001"] {
            let from = crate::support::fixture("object_module").join(format!("ckpt-9.{end}"));
            fs::copy(from, dir.path().join(format!("{step}.{end}"))).unwrap();
        }
    }
    dir
}

#[test]
fn the_first_lookup_finds_a_file_that_only_planning_adds() {
    let flags = [Flag::Rename("model=net".into())];
    for name in ["ckpt-1.data-00001-of-00002", "ckpt-1.data-00000-of-00002", "ckpt-1.index", "ckpt-1"] {
        let dir = object_based(&["ckpt-1", "ckpt-2", "ckpt-10"]);
        let tree = tree(dir.path(), &flags);
        assert!(attr(&tree, name).is_ok(), "{name}");
        assert_eq!(tree.checkpoints().counts().planned, 1, "{name}: a look-up plans no other checkpoint");
    }
    let dir = object_based(&["ckpt-1", "ckpt-2"]);
    fs::write(dir.path().join("ckpt-1.index"), "no index at all").unwrap();
    assert!(attr(&tree(dir.path(), &flags), "ckpt-1.error").is_ok());
}

#[test]
fn every_name_of_the_first_listing_is_found_and_a_guessed_name_is_not() {
    let dir = object_based(&["ckpt-1", "ckpt-2", "ckpt-10"]);
    let tree = tree(dir.path(), &[Flag::Rename("model=net".into())]);
    let listed = names(&tree, "");
    assert_eq!(listed.iter().filter(|name| name.ends_with("-of-00002")).count(), 4 * 2, "{listed:?}");
    for name in &listed {
        attr(&tree, name).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(attr(&tree, "ckpt-2.data-00000-of-00001").unwrap_err().raw_os_error(), Some(libc::ENOENT));
}

#[test]
fn checkpoints_are_planned_newest_first_and_counted() {
    let dir = train();
    fs::write(dir.path().join("ckpt-8.index"), "no index at all").unwrap();
    let m = mounted(dir);
    let checkpoints = m.tree.checkpoints();
    assert_eq!(checkpoints.counts(), Counts { all: 2, planned: 0, mismatched: vec![] });
    assert!(attr(&m.tree, "ckpt-9.index").is_ok());
    assert_eq!(checkpoints.counts(), Counts { all: 2, planned: 1, mismatched: vec![] });
    checkpoints.plan(|| ());
    assert_eq!(checkpoints.counts(), Counts { all: 2, planned: 2, mismatched: vec![b"ckpt-8".to_vec()] });
}

#[test]
fn latest_is_the_newest_checkpoint_that_fits() {
    let dir = train();
    fs::write(dir.path().join("checkpoint"), "model_checkpoint_path: '/gone/ckpt-9'").unwrap();
    fs::write(dir.path().join("ckpt-9.index"), "damaged").unwrap();
    let m = mounted(dir);
    assert_eq!(target(&m.tree, "latest.index"), "ckpt-8.index");
    assert!(m.text("checkpoint").starts_with("model_checkpoint_path: \"ckpt-8\""));
    assert!(m.names("").contains(&"ckpt-9.error".into()));
}

#[test]
fn a_map_that_does_not_fit_one_checkpoint_does_not_affect_the_others() {
    let dir = train();
    let tree = tree(dir.path(), &[Flag::Rename("nine=ten".into())]);
    assert_eq!(names(&tree, "ckpt-9/vars"), ["ten"]);
    assert!(attr(&tree, "ckpt-8").is_err());
    let said = String::from_utf8(read(&tree, "ckpt-8.error")).unwrap();
    assert!(said.contains("ckpt-8: the map does not fit") && said.contains("`nine`"), "{said}");
}

#[test]
fn new_and_deleted_checkpoints_are_seen_and_change_the_time_of_the_directory() {
    let m = mounted(train());
    let before = (m.names(""), attr(&m.tree, "").unwrap().mtime);
    save(&m.path("ckpt-10"), "ten", 0);
    eventually("the new one is the newest", || target(&m.tree, "latest") == "ckpt-10");
    assert_ne!(attr(&m.tree, "").unwrap().mtime, before.1);
    assert_eq!(m.names("ckpt-10/vars"), ["ten"]);
    fs::remove_file(m.path("ckpt-10.index")).unwrap();
    fs::remove_file(m.path("ckpt-10.data-00000-of-00001")).unwrap();
    eventually("it is gone", || m.names("") == before.0);
    assert_eq!(m.errno("ckpt-10.index"), Some(libc::ENOENT));
}

#[test]
fn a_checkpoint_that_is_being_written_is_not_the_newest_until_it_is_complete() {
    let m = mounted(train());
    let whole = tempfile::tempdir().unwrap();
    save(&whole.path().join("ckpt-10"), "ten", 0);
    fs::create_dir(m.path("ckpt-10_temp")).unwrap();
    fs::copy(whole.path().join("ckpt-10.index"), m.path("ckpt-10_temp/part-00000-of-00001.index")).unwrap();
    fs::copy(whole.path().join("ckpt-10.index"), m.path("ckpt-10.index")).unwrap();
    eventually("its index is seen", || m.names("").contains(&"ckpt-10.index".into()));
    assert_eq!(target(&m.tree, "latest"), "ckpt-9");
    assert_eq!(m.names("ckpt-10/vars"), ["ten"]);
    assert_eq!(m.names("ckpt-10_temp"), ["part-00000-of-00001.index"]);
    fs::copy(whole.path().join("ckpt-10.data-00000-of-00001"), m.path("ckpt-10.data-00000-of-00001"))
        .unwrap();
    eventually("it is whole", || target(&m.tree, "latest") == "ckpt-10");
    assert!(!read(&m.tree, "ckpt-10/raw/ten").is_empty());
}

#[test]
fn an_overwritten_checkpoint_has_new_inodes_and_the_old_ones_are_stale() {
    let m = mounted(train());
    let (vars, shape) =
        (attr(&m.tree, "ckpt-9/vars").unwrap(), attr(&m.tree, "ckpt-9/vars/nine/shape").unwrap());
    let Content::File(open) = m.tree.content(attr(&m.tree, "ckpt-9/raw/nine").unwrap().ino).unwrap() else {
        panic!()
    };
    for name in ["ckpt-9.index", "ckpt-9.data-00000-of-00001"] {
        fs::remove_file(m.path(name)).unwrap();
    }
    save(&m.path("ckpt-9"), "other", 0);
    eventually("the new one is seen", || m.names("ckpt-9/vars") == ["other"]);
    assert_ne!(attr(&m.tree, "ckpt-9/vars").unwrap().ino, vars.ino);
    for ino in [vars.ino, shape.ino] {
        assert_eq!(m.tree.attr(ino).unwrap_err().raw_os_error(), Some(libc::ESTALE));
    }
    let mut bytes = [0; 8];
    open.read_at(&Cache::new(0), &mut bytes, 0).unwrap();
    assert_eq!(bytes.to_vec(), crate::support::bundle::f32s(&[1.0, 2.0]));
}

#[test]
fn files_that_arrive_one_by_one_in_any_order_are_scanned_again() {
    let new = tempfile::tempdir().unwrap();
    Bundle::new().floats("longer", &[1.0, 2.0, 3.0]).write(&new.path().join("ckpt-9"));
    for order in [["index", "data-00000-of-00001"], ["data-00000-of-00001", "index"]] {
        let m = mounted(train());
        for part in order {
            let name = format!("ckpt-9.{part}");
            fs::copy(new.path().join(&name), m.path("arriving")).unwrap();
            fs::rename(m.path("arriving"), m.path(&name)).unwrap();
            std::thread::sleep(Duration::from_millis(600));
            // The result does not matter: the lookup causes a scan.
            let _ = attr(&m.tree, "ckpt-9/vars");
        }
        eventually("all is there", || attr(&m.tree, "ckpt-9/raw/longer").is_ok_and(|attr| attr.len == 12));
        let Content::File(file) = m.tree.content(attr(&m.tree, "ckpt-9/raw/longer").unwrap().ino).unwrap()
        else {
            panic!()
        };
        file.verify().unwrap();
    }
}

#[test]
fn a_started_listing_does_not_change() {
    let m = mounted(train());
    let all = entries(&m.tree, Ino::ROOT, 0, usize::MAX);
    let first = entries(&m.tree, Ino::ROOT, 0, 3);
    save(&m.path("aaa-1"), "x", 300);
    eventually("another listing is there", || m.names("").contains(&"aaa-1".into()));
    let rest = entries(&m.tree, Ino::ROOT, first[2].0, usize::MAX);
    assert_eq!([first, rest].concat(), all);
}

#[test]
fn checkpoints_take_names_before_source_files_and_those_before_generated_names() {
    let dir = train();
    fs::create_dir(dir.path().join("ckpt-9")).unwrap();
    fs::write(dir.path().join("ckpt-9/inner"), "inner").unwrap();
    fs::write(dir.path().join("latest"), "mine").unwrap();
    fs::create_dir(dir.path().join(".ckptfs")).unwrap();
    let m = mounted(dir);
    assert_eq!(m.names("ckpt-9/vars"), ["nine"]);
    assert_eq!(m.text("ckpt-9%/inner"), "inner");
    assert_eq!(m.text("latest"), "mine");
    assert_eq!(target(&m.tree, "latest.index"), "ckpt-9.index");
    assert_eq!(attr(&m.tree, ".ckptfs%").unwrap().kind, Kind::Directory);
    let called_so = tempfile::tempdir().unwrap();
    save(&called_so.path().join("checkpoint"), "x", 0);
    save(&called_so.path().join("latest"), "y", 10);
    let m = mounted(called_so);
    assert_eq!((m.names("checkpoint/vars"), m.names("latest/vars")), (vec!["x".into()], vec!["y".into()]));
}

#[test]
fn unusual_names_are_unchanged_and_sockets_and_pipes_are_hidden() {
    let dir = train();
    let odd = [&b"\xff\xfe"[..], b"new\nline", b"50%", &[b'y'; 255]];
    for name in odd {
        fs::write(dir.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("pipe"), rustix::fs::Mode::RUSR).unwrap();
    let m = mounted(dir);
    for name in odd {
        let found = m.tree.lookup(Ino::ROOT, name).unwrap();
        let Content::File(file) = m.tree.content(found.ino).unwrap() else { panic!() };
        let mut bytes = vec![0; file.len() as usize];
        file.read_at(&Cache::new(0), &mut bytes, 0).unwrap();
        assert_eq!(bytes, name);
    }
    assert!(!m.names("").iter().any(|name| name == "socket" || name == "pipe"));
}

#[test]
fn symlinks_lead_to_the_same_targets_as_in_the_source() {
    let dir = train();
    fs::create_dir(dir.path().join("sub")).unwrap();
    for (link, to) in [("sub/inside", "../vocab.txt"), ("out", "../elsewhere"), ("absolute", "/etc/hostname")]
    {
        symlink(to, dir.path().join(link)).unwrap();
    }
    // A model hub's cache stores files this way: the files of a checkpoint may be links.
    for name in ["ckpt-9.index", "ckpt-9.data-00000-of-00001"] {
        fs::rename(dir.path().join(name), dir.path().join(format!("sub/blob-{name}.blob"))).unwrap();
        symlink(format!("sub/blob-{name}.blob"), dir.path().join(name)).unwrap();
    }
    let m = mounted(dir);
    assert_eq!(target(&m.tree, "sub/inside"), "../vocab.txt");
    assert_eq!(target(&m.tree, "out"), m.path("../elsewhere").to_str().unwrap());
    assert_eq!(target(&m.tree, "absolute"), "/etc/hostname");
    assert_eq!(attr(&m.tree, "ckpt-9.index").unwrap().kind, Kind::File);
    assert!(!read(&m.tree, "ckpt-9/raw/nine").is_empty());
}

#[test]
fn a_source_file_always_shows_its_current_content() {
    let dir = train();
    fs::write(dir.path().join("events"), "one").unwrap();
    let m = mounted(dir);
    let before = attr(&m.tree, "events").unwrap();
    fs::write(m.path("events"), "one two").unwrap();
    assert_eq!((m.text("events"), attr(&m.tree, "events").unwrap().len), ("one two".into(), 7));
    assert_eq!(attr(&m.tree, "events").unwrap().ino, before.ino);
    fs::set_permissions(m.path("events"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(attr(&m.tree, "events").unwrap().mode, 0o555);
    fs::remove_file(m.path("events")).unwrap();
    assert_eq!(m.errno("events"), Some(libc::ENOENT));
}

#[test]
fn a_prefix_is_shown_alone_and_its_changes_are_seen() {
    let dir = train();
    let tree = tree(&dir.path().join("ckpt-8"), &[]);
    let listed = "checkpoint ckpt-8 ckpt-8.data-00000-of-00001 ckpt-8.index latest latest.data-00000-of-00001 latest.index";
    assert_eq!(names(&tree, "").join(" "), listed);
    save(&dir.path().join("ckpt-8"), "another", 0);
    eventually("it is seen", || attr(&tree, "ckpt-8/vars/another").is_ok());
    assert_eq!(names(&tree, "ckpt-8/vars"), ["another"]);
}

#[test]
fn evicted_checkpoints_keep_their_inodes_and_their_content() {
    let dir = tempfile::tempdir().unwrap();
    for step in 0..80 {
        save(&dir.path().join(format!("ckpt-{step}")), &format!("v{step}"), 1000 - step);
    }
    let m = mounted(dir);
    let inodes = || -> Vec<_> {
        (0..80).map(|step| attr(&m.tree, &format!("ckpt-{step}/vars/v{step}/shape")).unwrap().ino).collect()
    };
    let first = inodes();
    assert_eq!(inodes(), first);
    assert_eq!(first.iter().map(|ino| m.tree.attr(*ino).unwrap().len).sum::<u64>(), 160);
    assert_eq!(m.names("").len(), 80 * 3 + 4);
}

#[test]
fn the_total_size_includes_subdirectories() {
    let dir = train();
    fs::create_dir(dir.path().join("logs")).unwrap();
    fs::write(dir.path().join("logs/events"), [0; 1000]).unwrap();
    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    let expected: u64 = files.filter(|meta| meta.is_file()).map(|meta| meta.len()).sum();
    let alone = tree(&dir.path().join("ckpt-9"), &[]).total_size();
    let m = mounted(dir);
    assert_eq!(m.tree.total_size(), expected + 1000);
    assert_eq!(alone, fs::metadata(m.path("ckpt-9.index")).unwrap().len() + 8);
}

#[test]
fn a_replaced_directory_shows_its_new_content() {
    let dir = train();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/old"), "old").unwrap();
    let m = mounted(dir);
    assert_eq!(m.names("sub"), ["old"]);
    fs::remove_dir_all(m.path("sub")).unwrap();
    fs::create_dir(m.path("sub")).unwrap();
    fs::write(m.path("sub/new"), "new").unwrap();
    eventually("the new one is seen", || m.names("sub") == ["new"]);
    fs::remove_dir_all(m.path("sub")).unwrap();
    fs::write(m.path("sub"), "a file now").unwrap();
    eventually("the file is seen", || attr(&m.tree, "sub").is_ok_and(|attr| attr.kind == Kind::File));
    assert_eq!(m.text("sub"), "a file now");
}

#[test]
fn a_deleted_source_does_not_end_the_mount() {
    let m = mounted(train());
    let before = m.names("");
    let data = || match m.tree.content(attr(&m.tree, "ckpt-9.data-00000-of-00001").unwrap().ino) {
        Ok(Content::File(file)) => file,
        _ => panic!("no file"),
    };
    data().verify().unwrap();
    fs::remove_dir_all(m.dir.path()).unwrap();
    assert_eq!(data().verify().unwrap_err().raw_os_error(), Some(libc::ESTALE));
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(m.names(""), before);
    assert!(m.tree.attr(Ino::ROOT).is_ok());
}

/// Creates a directory with the names of a SavedModel. Its `saved_model.pb` is not a valid model.
fn saved_model() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("saved_model.pb"), "model").unwrap();
    fs::create_dir(dir.path().join("assets")).unwrap();
    Bundle::new().floats("a", &[1.0]).floats("b", &[2.0]).write(&dir.path().join("variables/variables"));
    dir
}

#[test]
fn a_saved_model_keeps_its_layout_and_gets_a_remapped_checkpoint() {
    let dir = saved_model();
    let tree = tree(dir.path(), &[Flag::Rename("a=x".into()), Flag::Drop("b".into())]);
    let listed = "assets checkpoint latest latest.data-00000-of-00001 latest.index remapped \
                  remapped.data-00000-of-00001 remapped.index saved_model.pb variables";
    assert_eq!(names(&tree, "").join(" "), listed);
    assert_eq!(names(&tree, "variables"), ["variables.data-00000-of-00001", "variables.index"]);
    assert_eq!(names(&tree, "remapped/vars"), ["x"]);
    let copy = tempfile::tempdir().unwrap();
    for name in ["variables.index", "variables.data-00000-of-00001"] {
        fs::write(copy.path().join(name), read(&tree, &format!("variables/{name}"))).unwrap();
    }
    let catalog = ckptfs::source::open(&copy.path().join("variables")).unwrap().catalog;
    assert_eq!(catalog.variables.iter().map(|v| v.name.to_string()).collect::<Vec<_>>(), ["a", "b", "x"]);
}

#[test]
fn without_a_map_the_index_of_a_saved_model_is_unchanged() {
    let dir = saved_model();
    let tree = tree(dir.path(), &[]);
    assert_eq!(
        read(&tree, "variables/variables.index"),
        fs::read(dir.path().join("variables/variables.index")).unwrap()
    );
}

#[test]
fn links_out_of_a_saved_model_are_neither_shown_nor_read() {
    let dir = saved_model();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), [7; 64]).unwrap();
    symlink(outside.path().join("secret"), dir.path().join("assets/absolute")).unwrap();
    symlink("../../secret", dir.path().join("assets/relative")).unwrap();
    symlink("../saved_model.pb", dir.path().join("assets/inside")).unwrap();
    let data = dir.path().join("variables/variables.data-00000-of-00001");
    fs::remove_file(&data).unwrap();
    symlink(outside.path().join("secret"), &data).unwrap();
    let tree = tree(dir.path(), &[]);
    assert_eq!(names(&tree, "assets"), ["inside"]);
    assert!(attr(&tree, "variables/variables.index").is_ok());
    assert!(attr(&tree, "variables/variables.data-00000-of-00001").is_err());
    assert!(attr(&tree, "remapped.data-00000-of-00001").is_err());
}
