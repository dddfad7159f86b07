#!/usr/bin/env python3
"""Writes the fixtures: small checkpoints, each in a directory of its own, by the TensorFlow that runs this script.

    scripts/make_fixtures.py                all fixtures of this TensorFlow, and their list
    scripts/make_fixtures.py --into DIR     the same elsewhere; two runs give the same bytes
    scripts/make_fixtures.py --large DIR    BERT-base with its Adam slots, 1.3 GB, never committed
    scripts/make_fixtures.py --many DIR     100,000 small variables (--count N: as many), never committed

A fixture is a function below; its docstring is its line in tests/fixtures/LIST.md. Seeds are fixed.
"""

import argparse
import itertools
import os
import shutil
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "tensorflow"))
os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "0"}

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.python.framework import dtypes as tf_dtypes  # noqa: E402

import bert  # noqa: E402
import cast_fixtures  # noqa: E402
import graph_fixtures  # noqa: E402
import models  # noqa: E402
import safetensors_fixtures  # noqa: E402
import slice_fixtures  # noqa: E402
import table  # noqa: E402

v1 = tf.compat.v1
VERSION = "tf-" + ".".join(tf.__version__.split(".")[:2])


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--into", type=Path, default=ROOT / "tests" / "fixtures", metavar="DIR")
    options.add_argument("--large", type=Path, metavar="DIR")
    options.add_argument("--many", type=Path, metavar="DIR")
    options.add_argument("--count", type=int, default=100_000, metavar="N")
    options = options.parse_args()
    if options.large:
        return large(options.large)
    if options.many:
        return many(options.many, options.count)
    for fixture in FIXTURES:
        directory = options.into / VERSION / fixture.__name__
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        fixture(directory / "ckpt-9")
    for fixture in safetensors_fixtures.FIXTURES:
        directory = options.into / safetensors_fixtures.VERSION / fixture.__name__
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        fixture(directory)
    (options.into / "LIST.md").write_text(listing(options.into))
    cast_fixtures.write(options.into)


def tf1_adam(prefix):
    """TF1 Saver: scopes, Adam slots below their variables, beta powers, global step; state file"""
    with v1.Graph().as_default():
        step = v1.train.get_or_create_global_step()
        weights = dense_variables(["bert/embeddings", "bert/encoder/layer_0", "bert/encoder/layer_1", "bert/pooler", "head"])
        loss = sum(tf.reduce_sum(v**2) for v in weights)
        v1.train.AdamOptimizer().minimize(loss, global_step=step)
        save(prefix)


def tf1_bert_tiny(prefix):
    """the names of google-research/bert, two layers, adam_m and adam_v of each weight, global_step"""
    names = bert.with_slots(bert.shapes(bert.TINY))
    write(prefix, {name: values(name, shape) for name, shape in names.items()} | {"global_step": np.int64(9)})


def dtypes(prefix):
    """every fixed-width dtype TensorFlow can save, with its extremes, NaN and -0; scalar, no element, rank 5"""
    tensors = {}
    for name in FIXED_WIDTH:
        elements = odd_elements(name)
        shaped = {"vector": elements, "scalar": elements[-1], "empty": elements[:0].reshape([3, 0, 2])}
        shaped["rank5"] = np.resize(elements, [1, 2, 1, 3, 1])
        tensors |= {f"{name}/{shape}": tensor(name, array) for shape, array in shaped.items()}
    write(prefix, tensors)


def sharded(prefix):
    """three shards, merged as a distributed save does it"""
    parts = [{f"part_{n}/{leaf}": values(f"{n}{leaf}", [4, n + 2]) for leaf in ("kernel", "bias")} for n in range(3)]
    temporary = [f"{prefix}_temp/part-{n}" for n in range(3)]
    for name, part in zip(temporary, parts):
        write(name, part)
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=temporary, destination_prefix=str(prefix), delete_old_dirs=True)


def object_module(prefix):
    """object-based: tf.Module with list, dict, a child on two paths, an escaped name; optimizer slots; state file"""
    save_objects("object_module", prefix)


def object_keras2(prefix):
    """object-based: Keras 2 model with its legacy Adam (slots); state file"""
    save_objects("object_keras2", prefix)


def object_keras3(prefix):
    """object-based: Keras 3 model with its Adam, weights keyed by a path through the optimizer; state file"""
    save_objects("object_keras3", prefix)


def strings(prefix):
    """string tensors: empty strings, NUL, not UTF-8, 300 bytes, no element; and numbers"""
    texts = [b"hello", b"", b"x\0", b"\xff\xfe", "ключ".encode(), b"c" * 300]
    write(
        prefix,
        {
            "vocabulary": tf.constant(["the", "quick", "brown", "fox"]),
            "awkward": tf.constant(texts, shape=[2, 3]),
            "scalar": tf.constant("one"),
            "none": tf.constant([], tf.string),
            "weights": values("weights", [4]),
        },
    )


def odd_names(prefix):
    """names that a file system cannot hold or could misread"""
    names = [
        *("a/../b", "a/./b", "./c", "../d", "e/.", "f/..", "x//y", "/leading", "trailing/", ".hidden"),
        *("with space/two  spaces", "100%/%41", "tab\there", "new\nline", "long/" + "n" * 300, "long/" + "n" * 299 + "m"),
        *("dense/kernel", "dense/kernel/Adam", "x", "x/shape", "x/dtype", "x/info.json", "x/raw", "x/array.npy", "x/raw/deeper"),
        *("Case", "case", "naïve/ключ/重み", "glob*[1]?", "quote\"'\\back", "latest", "checkpoint"),
    ]
    write(prefix, {name: values(name, [2]) for name in names})


def not_utf8(prefix):
    """names that are not UTF-8; TensorFlow's Python cannot list them, its Restore can read them"""
    write(prefix, {b"latin\xe9/kernel": values("latin", [2]), b"\xff\xfe": values("bytes", [3]), b"plain": values("plain", [1])})


def two_steps(prefix):
    """ckpt-8 and ckpt-9 of one TF1 Saver, their state file, another file"""
    with v1.Graph().as_default():
        v1.train.get_or_create_global_step()
        dense_variables(["model"])
        saver = v1.train.Saver(save_relative_paths=True)
        for step in (8, 9):
            save(prefix, step, saver)
    (prefix.parent / "vocab.txt").write_text("the\nquick\nfox\n")


def ema(prefix):
    """variables with an ExponentialMovingAverage, and one without"""
    with v1.Graph().as_default():
        averaged = dense_variables(["model/layer"])
        v1.get_variable("model/raw_only", [2])
        tf.train.ExponentialMovingAverage(0.9).apply(averaged)
        save(prefix)


def ddp(prefix):
    """the prefix of PyTorch's DistributedDataParallel, both as `module.` and as `module/`"""
    names = {"module.encoder/kernel": [2, 3], "module.encoder/bias": [3], "module/head/kernel": [3, 2], "module/head/bias": [2]}
    write(prefix, {name: values(name, shape) for name, shape in names.items()})


def partitioned(prefix):
    """TF1 partitioner: slices of variables and of their slots"""
    with v1.Graph().as_default():
        split = v1.get_variable("split", [5, 4], partitioner=v1.fixed_size_partitioner(3))
        whole = v1.get_variable("whole", [2])
        v1.train.AdamOptimizer().minimize(tf.reduce_sum(tf.convert_to_tensor(split) ** 2) + tf.reduce_sum(whole))
        save(prefix)


def tf1_graph(prefix):
    """TF1 Saver with the program's graph in .meta: not created in the order of names, some not trained"""
    with v1.Graph().as_default():
        step = v1.train.get_or_create_global_step()
        weights = [*dense_variables(["z"]), v1.get_variable("a", [3])]
        v1.get_variable("m/moving_mean", [4], trainable=False)
        weights.append(v1.get_variable("k/resource", [2], use_resource=True))
        v1.train.MomentumOptimizer(0.1, 0.9).minimize(sum(tf.reduce_sum(v) for v in weights), global_step=step)
        save(prefix, write_meta_graph=True)
def sliced_dtypes(prefix):
    slice_fixtures.sliced_dtypes(prefix)


def object_sharded(prefix):
    slice_fixtures.object_sharded(prefix)


def variants(prefix):
    slice_fixtures.variants(prefix)


def big_endian(prefix):
    """big-endian, made by a script: every dtype, strings, slices; TensorFlow reads it"""
    slice_fixtures.big_endian(prefix, dtypes, strings, slice_fixtures.sliced_dtypes)


def big_endian_objects(prefix):
    """big-endian, made by a script: an object-based checkpoint with slices"""
    object_sharded(prefix)
    little = [file.rename(file.with_name(file.name.replace("ckpt-9", "little"))) for file in prefix.parent.glob("ckpt-9.*")]
    slice_fixtures.turn(prefix.with_name("little"), prefix)
    slice_fixtures.compare(prefix.with_name("little"), prefix)
    [file.unlink() for file in little]


for of in (sliced_dtypes, object_sharded, variants):
    of.__doc__ = getattr(slice_fixtures, of.__name__).__doc__


def snappy(prefix):
    """index rewritten as other writers write it: snappy blocks of 512 bytes, restart interval 3"""
    tf1_bert_tiny(prefix)
    index = Path(f"{prefix}.index")
    entries = table.decode(index.read_bytes())
    index.write_bytes(table.encode(entries, block_size=512, restart_interval=3, snappy=True))
    assert len(tf.train.list_variables(str(prefix))) == len(entries) - 1


def graphs(prefix):
    """object graphs by themselves, each with its bundle's keys: Keras 2 and 3, modules, containers, a lone root"""
    graph_fixtures.write(prefix.parent)


def v1_checkpoint(prefix):
    """V1 (SaverDef.V1), one file: every dtype it can hold, with extremes; strings; partitioned by rows and by blocks"""
    save_v1(prefix, v1_tensors() | v1_slices())


def v1_sharded(prefix):
    """V1 in three files `-SSSSS-of-00003`, a partitioned tensor in two of them"""
    for shard in range(3):
        part = {f"part_{shard}/{leaf}": (values(f"{shard}{leaf}", [4, shard + 2]), "") for leaf in ("kernel", "bias")}
        rows = {0: (0, 3), 2: (3, 2)}.get(shard)
        split = {"split": (values("split", [5, 4])[rows[0] :][: rows[1]], f"5 4 {rows[0]},{rows[1]}:-")} if rows else {}
        save_v1(f"{prefix}-{shard:05}-of-00003", part | split)


def v1_snappy(prefix):
    """V1 rewritten as other writers may write it: snappy blocks of 512 bytes, restart interval 3"""
    save_v1(prefix, v1_tensors() | v1_slices())
    prefix.write_bytes(table.encode(table.decode(prefix.read_bytes()), block_size=512, restart_interval=3, snappy=True))
    assert len(tf.train.list_variables(str(prefix))) == len(v1_tensors()) + 3


def v1_tensors():
    """Tensors of every dtype that V1 can hold, each with the slice it is of: none."""
    tensors = {"strings": tf.constant([b"hello", b"", b"x\0", b"\xff\xfe", b"c" * 300, b"fox"], shape=[2, 3])}
    tensors |= {"no_strings": tf.constant([], tf.string), "string": tf.constant("one"), "kernel": values("kernel", [40, 30])}
    for name in V1_DTYPES:
        elements = odd_elements(name)
        shaped = {"vector": elements, "scalar": elements[-1], "empty": elements[:0].reshape([3, 0, 2])}
        tensors |= {f"{name}/{shape}": tensor(name, array) for shape, array in shaped.items()}
    return {name: (value, "") for name, value in tensors.items()}


def v1_slices():
    """Partitioned tensors: by rows, by blocks, one of strings."""
    rows, blocks = values("rows", [5, 4]), np.arange(-15, 15, dtype=np.int32).reshape(5, 6)
    words = np.array([b"a", b"bc", b"", b"def"], object)
    return {
        **{f"rows#{at}": (rows[at : at + 2], f"5 4 {at},{min(2, 5 - at)}:-") for at in (0, 2, 4)},
        **{f"blocks#{r}{c}": (blocks[r : r + 3, c : c + 4], f"5 6 {r},{min(3, 5 - r)}:{c},{min(4, 6 - c)}") for r in (0, 3) for c in (0, 4)},
        **{f"words#{at}": (words[at : at + 2], f"4 {at},2") for at in (0, 2)},
    }


def save_v1(path, tensors):
    """One SaveSlices, which is what a V1 Saver ends in. A name ends at its `#`, after which only slices differ."""
    tf.raw_ops.SaveSlices(
        filename=str(path),
        tensor_names=[name.partition("#")[0] for name in tensors],
        shapes_and_slices=[spec for _, spec in tensors.values()],
        data=[tf.convert_to_tensor(value) for value, _ in tensors.values()],
    )


FIXTURES = [
    *(tf1_adam, tf1_bert_tiny, dtypes, sharded, object_module, object_keras2, object_keras3),
    *(strings, odd_names, not_utf8, two_steps, ema, ddp, partitioned, tf1_graph, snappy, graphs),
    *(sliced_dtypes, object_sharded, variants, big_endian, big_endian_objects),
    *(v1_checkpoint, v1_sharded, v1_snappy),
]

FIXED_WIDTH = [
    *("float32", "float64", "float16", "bfloat16", "complex64", "complex128", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("qint8", "quint8", "qint16", "quint16", "qint32", "int4", "uint4", "int2", "uint2"),
    *("float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz", "float4_e2m1fn"),
]


def large(directory):
    """BERT-base as its own training script saves it, in one shard; the values are one block of random numbers, moved on."""
    directory.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(9).standard_normal(1 << 25, dtype=np.float32)
    tensors, at = {"global_step": np.int64(1_000_000)}, 0
    for name, shape in bert.with_slots(bert.shapes(bert.BASE)).items():
        size = int(np.prod(shape))
        at = (at + 999_983) % (len(random) - size)
        tensors[name] = random[at : at + size].reshape(shape)
    write(directory / "ckpt-9", tensors)


def many(directory, count):
    """A mixture of experts with Adam slots: a few bytes in each variable, so that all there is is names."""
    directory.mkdir(parents=True, exist_ok=True)
    few = [tf.constant([float(n), -float(n)]) for n in range(97)]
    write(directory / "ckpt-9", {name: few[at % len(few)] for at, name in enumerate(itertools.islice(expert_names(), count))})


def expert_names():
    """Names without end, each leaf with its slots below it, as the Adam of google-research/bert has them."""
    leaves = [f"{part}/{leaf}" for part in ("intermediate/dense", "output/dense", "output/LayerNorm") for leaf in ("kernel", "bias")]
    for layer in itertools.count():
        for expert, leaf in itertools.product(range(64), leaves):
            name = f"model/decoder/layer_{layer}/mixture/expert_{expert}/{leaf}"
            yield from (name, f"{name}/adam_m", f"{name}/adam_v")


def write(prefix, tensors):
    """One SaveV2, as both Savers end in."""
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.convert_to_tensor(value) for value in tensors.values()],
    )


def save(prefix, step=9, saver=None, write_meta_graph=False):
    """Gives every variable of the graph values of its own, global_step the step, and saves them."""
    with v1.Session() as session:
        for variable in v1.global_variables():
            name = variable.op.name
            variable.load(step if name == "global_step" else values(f"{name}-{step}", variable.shape), session)
        saver = saver or v1.train.Saver(save_relative_paths=True)
        saver.save(session, str(prefix.parent / "ckpt"), global_step=step, write_meta_graph=write_meta_graph, strip_default_attrs=True)


def save_objects(name, prefix):
    checkpoint, variables = models.OBJECT_MODELS[name]()
    models.fill(variables, seed=9)
    checkpoint.save_counter.assign(8)
    assert checkpoint.save(str(prefix.parent / "ckpt")) == str(prefix)


def dense_variables(scopes):
    return [v1.get_variable(f"{s}/{leaf}", shape) for s in scopes for leaf, shape in (("kernel", [3, 4]), ("bias", [4]))]


def values(name, shape):
    """Random numbers that depend on the name alone."""
    return np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float32)


def odd_elements(name):
    """Elements of a dtype: all bit patterns where there are few, else the extremes, NaN, the infinities, -0."""
    dtype = tf_dtypes.as_dtype(QUANTIZED.get(name, name))
    array = dtype.as_numpy_dtype
    if name in FEW_BITS:
        few = np.arange(1 << FEW_BITS[name], dtype=np.uint8)
        return few.view(array) if name in ("bool", "float4_e2m1fn") else few.astype(array)
    if dtype.size == 1:
        return np.arange(256, dtype=np.uint8).view(array)
    if dtype.is_integer:
        return np.array([0, 1, 2, dtype.min, dtype.max], array)
    odd = np.array([0.0, -0.0, 1.5, -1e-3, np.inf, -np.inf, np.nan, 1 / 3], dtype.real_dtype.as_numpy_dtype)
    return np.stack([odd, odd[::-1]], axis=1).reshape(-1).view(array) if dtype.is_complex else odd


def tensor(name, array):
    """NumPy has no quantized kinds: those are their integers under another name."""
    constant = tf.constant(array)
    return tf.bitcast(constant, tf_dtypes.as_dtype(name)) if name in QUANTIZED else constant


QUANTIZED = {"qint8": "int8", "quint8": "uint8", "qint16": "int16", "quint16": "uint16", "qint32": "int32"}
V1_DTYPES = [
    *("float32", "float64", "float16", "complex64", "complex128", "bool", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "qint8", "quint8", "qint32"),
]
FEW_BITS = {"bool": 1, "int2": 2, "uint2": 2, "int4": 4, "uint4": 4, "float4_e2m1fn": 4}


def listing(fixtures):
    """The list of all fixtures, those of other writers kept."""
    mine = [f"| {VERSION}/{f.__name__} | TensorFlow {tf.__version__} | {f.__doc__} |" for f in FIXTURES]
    theirs = safetensors_fixtures
    mine += [f"| {theirs.VERSION}/{f.__name__} | {theirs.WRITER} | {f.__doc__} |" for f in theirs.FIXTURES]
    old = fixtures / "LIST.md"
    kept = old.read_text().splitlines() if old.exists() else []
    others = [row for row in kept if row.startswith("| ") and not row.startswith(("| name", f"| {VERSION}/", f"| {theirs.VERSION}/"))]
    return LIST_HEAD + "\n".join(sorted(mine + others)) + "\n"


LIST_HEAD = """# Fixtures

Small checkpoints under `<writer-version>/<name>/`. Made by `scripts/make_fixtures.py` and
`scripts/hdf5_fixtures.py`, which write this list too; `tests/project/fixtures.rs` fails when it and the directories disagree.

| name | writer | what is special |
|---|---|---|
"""


if __name__ == "__main__":
    main()
