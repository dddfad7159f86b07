//! The sample sources that the sessions of the documents name, in one new directory. BERT-base is an index over a
//! sparse
//! file, so its 1.3 GB use no disk space. The others are small fixtures under the names that the documents use.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use ckptfs::dtype::Dtype;
use ckptfs::format::bundle::Entry;
use ckptfs::format::crc::Masked;

use super::bundle::Bundle;
use super::{CKPTFS, copy, fixture};

/// Copies of fixtures: the fixture below `tests/fixtures`, and its directory in the samples.
const COPIES: &[(&str, &str)] = &[
    ("tf-2.21/object_module", "module"),
    ("tf-2.21/object_keras3", "keras3"),
    ("tf-2.21/two_steps", "run"),
    ("tf-2.21/v1_checkpoint", "v1"),
    ("tf-2.21/ema", "ema"),
    ("keras-3.15/functional", "keras"),
    ("safetensors-0.8/sharded", "hub"),
];

/// The position of a byte of `model/bias` in the data file of `run/ckpt-9`.
const FLIPPED: usize = 10;

/// The number of bytes that the data file of `cut/ckpt-9` lacks.
const MISSING: u64 = 8;

/// Scripts that the sessions run. The programs of the documents are Python, but a system may have no `python`, and
/// the
/// sessions need only a program that opens a file.
const SCRIPTS: &[(&str, &str)] = &[
    ("bin/python", "#!/bin/sh\nexec sh \"$@\"\n"),
    ("eval.py", "cat train/ckpt-9/vars/encoder/pooler/dense/kernel/shape\n"),
];

/// Writes all samples into a directory.
pub(crate) fn write(dir: &Path) {
    for prefix in ["train/ckpt-9", "bert/model.ckpt", "backup/ckpt-9"] {
        write_bert(&dir.join(prefix));
    }
    for (name, to) in COPIES {
        copy(&fixture("..").join(name), &dir.join(to));
    }
    write_small(dir);
    write_damaged(dir);
    write_bin(dir);
}

/// Writes the checkpoints of a few variables.
fn write_small(dir: &Path) {
    Bundle::new().floats("net/dense/kernel", &[1.0]).write(&dir.join("old/ckpt-9"));
    Bundle::new().floats("dense/kernel", &[2.0]).write(&dir.join("wanted"));
    dense_layers(2).write(&dir.join("two/ckpt-1"));
    dense_layers(3).write(&dir.join("three"));
    Bundle::new()
        .floats("cls/seq_relationship/output_bias", &[1.0, 2.0])
        .floats("bert/pooler/lora/a", &[1.0; 8])
        .floats("bert/pooler/lora/b", &[0.0; 8])
        .write(&dir.join("adapter/ckpt-3"));
}

/// Returns a checkpoint of layers that Keras numbered: dense, dense_1, dense_2.
fn dense_layers(count: usize) -> Bundle {
    let names = ["dense", "dense_1", "dense_2"].into_iter().take(count);
    names.fold(Bundle::new(), |bundle, name| bundle.floats(format!("{name}/kernel"), &[1.0; 4]))
}

/// Writes copies of `run/ckpt-9` with a data file that is missing, and with one that has a flipped bit. Writes a copy
/// of `run` whose newest data file is too short.
fn write_damaged(dir: &Path) {
    let data = "ckpt-9.data-00000-of-00001";
    let index = fs::read(dir.join("run/ckpt-9.index")).unwrap();
    let mut flipped = fs::read(dir.join("run").join(data)).unwrap();
    flipped[FLIPPED] ^= 1;
    for name in ["nodata", "flip"] {
        fs::create_dir(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("ckpt-9.index"), &index).unwrap();
    }
    fs::write(dir.join("flip").join(data), flipped).unwrap();
    copy(&dir.join("run"), &dir.join("cut"));
    let cut = fs::File::options().write(true).open(dir.join("cut").join(data)).unwrap();
    cut.set_len(cut.metadata().unwrap().len() - MISSING).unwrap();
}

/// Writes the directory that comes first on the `PATH` of a session.
fn write_bin(dir: &Path) {
    fs::create_dir(dir.join("bin")).unwrap();
    symlink(CKPTFS, dir.join("bin/ckptfs")).unwrap();
    for (path, script) in SCRIPTS {
        fs::write(dir.join(path), script).unwrap();
        fs::set_permissions(dir.join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Writes BERT-base with the slots of its Adam, as google-research/bert saves it.
fn write_bert(prefix: &Path) {
    fs::create_dir_all(prefix.parent().unwrap()).unwrap();
    let (mut bundle, mut offset) = (Bundle::new(), 0);
    for (name, shape) in weights() {
        for slot in ["", "/adam_m", "/adam_v"] {
            bundle = bundle.entry(format!("{name}{slot}"), &entry(Dtype::Float32, &shape, &mut offset));
        }
    }
    bundle.entry("global_step", &entry(Dtype::Int64, &[], &mut offset)).write(prefix);
    let data = prefix.with_added_extension("data-00000-of-00001");
    fs::File::options().write(true).open(data).unwrap().set_len(offset).unwrap();
}

fn entry(dtype: Dtype, shape: &[u64], offset: &mut u64) -> Entry {
    let size = shape.iter().product::<u64>() * if dtype == Dtype::Int64 { 8 } else { 4 };
    let (shape, crc32c) = (shape.to_vec(), Masked::of(&[0]).repeated(1, size));
    let entry = Entry { dtype: dtype.tensorflow(), shape, offset: *offset, size, crc32c, ..Entry::default() };
    *offset += size;
    entry
}

fn weights() -> Vec<(String, Vec<u64>)> {
    let (h, inner, vocabulary) = (768, 3072, 30522);
    let dense = |scope: &str, rows, columns| {
        vec![
            (format!("{scope}/dense/kernel"), vec![rows, columns]),
            (format!("{scope}/dense/bias"), vec![columns]),
        ]
    };
    let norm =
        |scope: &str| ["beta", "gamma"].map(|leaf| (format!("{scope}/LayerNorm/{leaf}"), vec![h])).to_vec();
    let single = |name: &str, shape: &[u64]| vec![(name.to_owned(), shape.to_vec())];
    let layer = |n| {
        let at = format!("bert/encoder/layer_{n}");
        let parts = ["query", "key", "value"].map(|part| format!("{at}/attention/self/{part}"));
        let own = parts
            .iter()
            .flat_map(|part| [(format!("{part}/kernel"), vec![h, h]), (format!("{part}/bias"), vec![h])]);
        let attention = format!("{at}/attention/output");
        let output = format!("{at}/output");
        let rest = [
            dense(&attention, h, h),
            norm(&attention),
            dense(&format!("{at}/intermediate"), h, inner),
            dense(&output, inner, h),
            norm(&output),
        ];
        own.chain(rest.concat()).collect::<Vec<_>>()
    };
    let around = [
        single("bert/embeddings/word_embeddings", &[vocabulary, h]),
        single("bert/embeddings/position_embeddings", &[512, h]),
        single("bert/embeddings/token_type_embeddings", &[2, h]),
        norm("bert/embeddings"),
        single("cls/predictions/output_bias", &[vocabulary]),
        single("cls/seq_relationship/output_bias", &[2]),
        single("cls/seq_relationship/output_weights", &[2, h]),
        dense("bert/pooler", h, h),
        dense("cls/predictions/transform", h, h),
        norm("cls/predictions/transform"),
    ];
    around.into_iter().chain((0..12).map(layer)).flatten().collect()
}
