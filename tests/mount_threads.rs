//! A mount served by this process, with handlers that panic or block. Each panic is an error only for its own
//! request, and a
//! blocked request blocks no other request.
#![cfg(feature = "fuse")]

mod support;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::time::Duration;
use std::{fs, io, thread};

use ckptfs::cache::{Cache, Decode, Identity};
use ckptfs::catalog::{Catalog, Variable};
use ckptfs::dtype::Dtype;
use ckptfs::extent::Extent;
use ckptfs::fuse::{CacheMode, Fuse, ServeOptions};
use ckptfs::mount::{Options, Session};
use ckptfs::mounted_source::MountedSource;
use ckptfs::source_file::SourceFile;
use ckptfs::tensor::{Shape, Tensor};
use ckptfs::tree::{Planned, Tree};
use support::bundle::Bundle;
use support::list;
use support::mount::can_mount;
use tempfile::TempDir;

const THREADS: usize = 2;
/// A timeout far longer than a listing takes, so that only a listing that waits for a reader fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A function that makes the bytes of a variable.
type Make = Box<dyn Fn(u64, usize) -> Vec<u8> + Send + Sync>;

struct Made {
    make: Make,
    name: &'static str,
}

impl Decode for Made {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: self.name }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        Ok((self.make)(at, len))
    }
}

/// A mount that this process serves until it is dropped.
struct Served {
    session: Option<Session>,
    path: PathBuf,
    _dir: TempDir,
}

/// Serves variables of 100,000 bytes each.
fn serve(variables: Vec<(&'static str, Make)>) -> Option<Served> {
    if !can_mount() {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join("m");
    fs::create_dir(&path).unwrap();
    // The planned catalog replaces that of an empty checkpoint on disk.
    let prefix = dir.path().join("ckpt-9");
    Bundle::new().write(&prefix);
    let index = Arc::new(SourceFile::open(prefix.with_added_extension("index")));
    let stamp = index.stamp().unwrap();
    let variables = variables.into_iter().map(variable).collect();
    let catalog = Catalog { variables, index: Some(index), ..Catalog::default() };
    let planned = Planned { stem: b"ckpt-9".into(), catalog, stamp };
    let mirror = MountedSource::open(&prefix, Arc::default()).unwrap();
    let tree = Arc::new(Tree::new(Box::new(mirror), [planned]).unwrap());
    let manner = ServeOptions { cache: CacheMode::Kernel, ..ServeOptions::default() };
    let fuse = Fuse::new(tree, Arc::new(Cache::new(1 << 20)), manner, Arc::default());
    let options = Options::new("made", THREADS);
    let session = Some(Session::start(fuse, &path, &options).unwrap());
    Some(Served { session, path, _dir: dir })
}

fn variable((name, make): (&'static str, Make)) -> Variable {
    const LEN: u64 = 100_000;
    let data = vec![Extent::Decoded { data: Arc::new(Made { make, name }), len: LEN }];
    let tensor = Tensor::new(Dtype::Uint8, Shape([LEN].into()), data, None);
    Variable {
        name: name.into(),
        key: None,
        plain_key: None,
        full_name: None,
        tensor: Arc::new(tensor),
        origin: None,
    }
}

impl Served {
    fn raw(&self, name: &str) -> PathBuf {
        self.path.join("ckpt-9/raw").join(name)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.unmount();
            let _ = session.join();
        }
    }
}

fn sevens() -> Make {
    Box::new(|_, len| vec![7; len])
}

/// The lines that this process logs.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn keep_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&LOG).unwrap();
        log::set_max_level(log::LevelFilter::Info);
        // These panics are intended. Their traces would hide unintended ones.
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload_as_str() != Some("meant") {
                usual(info);
            }
        }));
    });
}

#[test]
fn a_handler_that_panics_returns_eio_each_time_and_loses_no_thread() {
    keep_log();
    let panics: Make = Box::new(|_, _| panic!("meant"));
    let Some(m) = serve(vec![("bad", panics), ("good", sevens())]) else { return };
    for _ in 0..THREADS * 5 {
        for path in
            [m.raw("bad"), m.path.join("ckpt-9/npy/bad.npy"), m.path.join("ckpt-9/vars/bad/values.txt")]
        {
            assert_eq!(fs::read(&path).unwrap_err().raw_os_error(), Some(libc::EIO), "{}", path.display());
        }
    }
    assert_eq!(fs::read(m.raw("good")).unwrap(), [7; 100_000]);
    assert_eq!(fs::read_to_string(m.path.join("ckpt-9/vars/bad/shape")).unwrap(), "100000\n");
    assert!(LOG.0.lock().unwrap().iter().filter(|line| line.contains("panic")).count() >= THREADS * 5);
}

/// A gate that a decoder waits at.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn wait(&self) {
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// A guard that opens the gate when it is dropped, also if the test fails: a mount cannot end while a handler waits.
struct Opens(Arc<Gate>);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Returns a function that waits at a gate and then makes ones, a receiver of a message for each wait, and the guard
/// of the gate.
fn waiting() -> (Make, Receiver<()>, Opens) {
    let (gate, (arrived, arrivals)) = (Arc::<Gate>::default(), channel());
    let (opens, arrived) = (Opens(gate.clone()), Mutex::new(arrived));
    let make = move |_, len| {
        let _ = arrived.lock().unwrap().send(());
        gate.wait();
        vec![1; len]
    };
    (Box::new(make), arrivals, opens)
}

/// Runs `act` on another thread. Panics if it waits for another request.
#[track_caller]
fn at_once<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = channel();
    thread::spawn(move || done.send(act()));
    result.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what} waited for the reader"))
}

#[test]
fn a_blocked_read_blocks_no_other_request() {
    let (waits, arrivals, gate) = waiting();
    let Some(m) = serve(vec![("good", sevens()), ("slow", waits)]) else { return };
    // This binding is dropped before the mount, also if the test fails.
    let gate = gate;
    let slow = m.raw("slow");
    let reader = thread::spawn(move || fs::read(slow));
    arrivals.recv_timeout(PATIENCE).expect("the slow read arrives");

    let folder = m.path.join("ckpt-9/vars");
    assert_eq!(at_once("a listing", move || list(&folder)), ["good", "slow"]);
    let good = m.raw("good");
    assert_eq!(at_once("a read", move || fs::read(good).unwrap()), [7; 100_000]);
    let slow = m.raw("slow");
    assert_eq!(at_once("stat of the very file", move || fs::metadata(slow).unwrap().len()), 100_000);

    drop(gate);
    assert_eq!(reader.join().unwrap().unwrap(), [1; 100_000]);
}

#[test]
fn a_reader_that_is_killed_while_it_waits_does_not_end_the_mount() {
    let (waits, arrivals, gate) = waiting();
    let Some(m) = serve(vec![("good", sevens()), ("slow", waits)]) else { return };
    // This binding is dropped before the mount, also if the test fails.
    let gate = gate;
    let mut reader = std::process::Command::new("cat")
        .arg(m.raw("slow"))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    arrivals.recv_timeout(PATIENCE).expect("the slow read arrives");
    reader.kill().unwrap();
    drop(gate);
    reader.wait().unwrap();
    assert_eq!(fs::read(m.raw("good")).unwrap(), [7; 100_000]);
    assert_eq!(fs::read(m.raw("slow")).unwrap(), [1; 100_000]);
}

#[test]
fn many_readers_of_many_files_read_the_right_bytes() {
    let counts: Make = Box::new(|at, len| (at..at + len as u64).map(|i| (i % 251) as u8).collect());
    let Some(m) = serve(vec![("counts", counts), ("good", sevens())]) else { return };
    let root = m.path.join("ckpt-9");
    thread::scope(|scope| {
        for i in 0..12 {
            let root = &root;
            scope.spawn(move || {
                for _ in 0..5 {
                    match i % 3 {
                        0 => assert_eq!(fs::read(root.join("raw/good")).unwrap(), [7; 100_000]),
                        1 => assert!(fs::read(root.join("raw/counts")).unwrap().into_iter().eq(counted())),
                        _ => assert_eq!(list(&root.join("vars/good")).len(), 7),
                    }
                }
            });
        }
    });
}

fn counted() -> impl Iterator<Item = u8> {
    (0..100_000).map(|i| (i % 251) as u8)
}
