#!/usr/bin/env python3
"""Writes the fixtures of HDF5 files: small models by Keras 3 and tf_keras, and what only h5py can be asked to write.

    scripts/hdf5_fixtures.py                all of them, and their rows in the list
    scripts/hdf5_fixtures.py --into DIR     the same elsewhere; two runs give the same values, and a .keras its own date

A fixture is a function below; its docstring is its line in tests/fixtures/LIST.md. Seeds are fixed.
"""

import argparse
import os
import shutil
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}

import h5py  # noqa: E402
import keras  # noqa: E402
import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402
import tf_keras  # noqa: E402


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--into", type=Path, default=ROOT / "tests" / "fixtures", metavar="DIR")
    into = options.parse_args().into
    rows = []
    for name, (version, fixtures) in WRITERS.items():
        short = ".".join(version.split(".")[:2])
        for fixture in fixtures:
            where = f"{name.lower()}-{short}/{fixture.__name__}"
            shutil.rmtree(into / where, ignore_errors=True)
            (into / where).mkdir(parents=True)
            keras.utils.clear_session()
            keras.utils.set_random_seed(9)
            tf_keras.backend.clear_session()
            fixture(into / where)
            rows.append(f"| {where} | {name} {version} | {fixture.__doc__} |")
    update(into / "LIST.md", rows)


def update(path, rows):
    """The list with these rows instead of those of the same fixtures."""
    mine = {row.split("|")[1] for row in rows}
    lines = path.read_text().splitlines() if path.exists() else []
    head = lines[: 1 + next(i for i, line in enumerate(lines) if line.startswith("|---"))]
    others = [line for line in lines[len(head) :] if line.split("|")[1] not in mine]
    path.write_text("\n".join(head + sorted(others + rows)) + "\n")


# Keras 3


def functional(directory):
    """a functional model in a functional model, batch norm, a layer used twice; trained Adam; .weights.h5"""
    nested_model(keras.optimizers.Adam(name="adam")).save_weights(directory / "model.weights.h5")


def archive(directory):
    """the model of `functional` as .keras: a zip archive of stored members"""
    nested_model(keras.optimizers.SGD(momentum=0.9)).save(directory / "model.keras")


def archive_deflated(directory):
    """a .keras that another program packed again: its members are deflated"""
    archive(directory)
    stored, packed = directory / "model.keras", directory / "packed"
    with zipfile.ZipFile(stored) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(zipfile.ZipInfo(member), old.read(member), zipfile.ZIP_DEFLATED)
    packed.rename(stored)


def legacy(directory):
    """Keras 3's legacy saving of a whole compiled model: names without :0, optimizer_weights"""
    nested_model(keras.optimizers.SGD(momentum=0.9)).save(directory / "model.h5")


def recurrent(directory):
    """embedding, LSTM in both directions, a cell's group below a layer's; .weights.h5"""
    layers = keras.layers
    model = keras.Sequential([keras.Input((4,)), layers.Embedding(5, 3), layers.Bidirectional(layers.LSTM(2)), layers.Dense(1)])
    model.save_weights(directory / "model.weights.h5")


def subclassed(directory):
    """a subclassed model with layers in a list and a dict and a weight of its own; .weights.h5"""

    class Sub(keras.Model):
        def __init__(self):
            super().__init__(name="sub")
            self.blocks = [keras.layers.Dense(3, name=f"block_{i}") for i in range(2)]
            self.heads = {"a": keras.layers.Dense(1, name="head_a")}
            self.scale = self.add_weight(shape=(3,), initializer="ones", name="scale")

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return self.heads["a"](x * self.scale)

    model = Sub()
    model(np.ones((1, 2), np.float32))
    model.save_weights(directory / "model.weights.h5")


def narrow(directory):
    """weights of bfloat16, which h5py stores as opaque bytes and Keras notes in an attribute, and of float16"""
    layers = keras.layers
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, dtype="bfloat16"), layers.Dense(2, dtype="float16")])
    model.save_weights(directory / "model.weights.h5")


def nested_model(optimizer):
    layers = keras.layers
    inner_input = keras.Input((3,), name="inner_input")
    inner = keras.Model(inner_input, layers.BatchNormalization(name="bn")(layers.Dense(3, name="inner_dense")(inner_input)), name="inner")
    inputs, twice = keras.Input((3,), name="inputs"), layers.Dense(3, name="twice")
    model = keras.Model(inputs, twice(twice(inner(inputs))), name="outer")
    model.compile(optimizer, "mse")
    model.fit(np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32), verbose=0)
    return model


# tf_keras


def sequential(directory):
    """a whole compiled model: model_weights, and the legacy Adam's slots in optimizer_weights"""
    two_layers(tf_keras.optimizers.legacy.Adam(), []).save(directory / "model.h5")


def new_optimizer(directory):
    """a whole compiled model with the new Adam"""
    two_layers(tf_keras.optimizers.Adam(), [tf_keras.layers.BatchNormalization(name="bn")]).save(directory / "model.hdf5")


def weights_only(directory):
    """weights alone: layer_names at the root, a nested model whose weights share a group, layers without weights"""
    layers = tf_keras.layers
    inner = tf_keras.Sequential([layers.Dense(2, name="dense"), layers.BatchNormalization(name="bn")], name="inner")
    model = tf_keras.Sequential([layers.InputLayer((2,)), inner, layers.Dropout(0.1), layers.Dense(3, name="dense_1")])
    model.save_weights(directory / "model.h5")


def same_names(directory):
    """two layers whose weights have the same names, as scopes of a shared prefix make them; layer_names in two parts"""
    rng = np.random.default_rng(9)
    with h5py.File(directory / "model.h5", "w") as file:
        file.attrs["layer_names0"] = np.array([b"left"])
        file.attrs["layer_names1"] = np.array([b"right", b"empty"])
        for layer in ("left", "right"):
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([b"dense/kernel:0", f"{layer}/bias:0".encode()])
            group["dense/kernel:0"] = rng.standard_normal((2, 2), np.float32)
            group[f"{layer}/bias:0"] = rng.standard_normal(2, np.float32)
        file.create_group("empty").attrs["weight_names"] = np.array([])
        file["not/listed"] = np.arange(3)


def two_layers(optimizer, between):
    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Dense(3, name="hidden"), *between, layers.Dense(1, name="out")])
    model.compile(optimizer, "mse")
    model.fit(np.ones((2, 2), np.float32), np.zeros((2, 1), np.float32), verbose=0)
    return model


# h5py

ELEMENTS = {
    **{name: np.array([0, 1, np.iinfo(name).min, np.iinfo(name).max], name) for name in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")},
    **{name: np.array([0.0, -0.0, 1.5, np.inf, -np.inf, np.nan, 1 / 3], name) for name in ("f2", "f4", "f8")},
    **{name: np.array([1 + 2j, -0.0 - 1j, np.nan + 1j], name) for name in ("c8", "c16")},
    "bool": np.array([True, False, True]),
}


def dtypes(directory):
    """every type of number, little-endian and big-endian, with extremes, NaN and -0; scalar, no element, rank 5"""
    with h5py.File(directory / "all.h5", "w") as file:
        for name, elements in ELEMENTS.items():
            for order in "<>" if elements.itemsize > 1 else "<":
                ordered = elements.astype(elements.dtype.newbyteorder(order))
                group = "little" if order == "<" else "big"
                file[f"{group}/{name}"] = np.resize(ordered, (2, 4))
        file["shapes/scalar"] = np.float32(1.5)
        file["shapes/none"] = np.zeros((3, 0, 2), np.float32)
        file["shapes/rank5"] = np.arange(6, dtype=">i2").reshape(1, 2, 1, 3, 1)
        file["enum"] = np.array([2, 1], h5py.enum_dtype({"A": 1, "B": 2}, "<i2"))
        file["committed"] = np.dtype("<i4")
        file.create_dataset("of_committed", data=[1, 2], dtype=file["committed"])
        noted(file, "float8", np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn), "float8_e4m3fn")
        noted(file, "bfloat16", np.array([1.5, -2, np.inf], ml_dtypes.bfloat16), "bfloat16")


def noted(file, name, array, dtype):
    file.create_dataset(name, data=array).attrs["dtype"] = dtype


def filters(directory):
    """chunks with each filter that h5py has, and with none"""
    write_filters(directory / "old.h5", "earliest")


def filters_latest(directory):
    """`filters` in the latest version of the format: superblock 3, other headers, other chunk indexes"""
    write_filters(directory / "new.h5", "latest")


def layouts(directory):
    """chunks that grew, that were partly or never written; compact; never written, with a fill value and without"""
    write_layouts(directory / "old.h5", "earliest")


def layouts_latest(directory):
    """`layouts` in the latest version of the format"""
    write_layouts(directory / "new.h5", "latest")


FILTERS = {
    "plain": {},
    "gzip": {"compression": "gzip"},
    "shuffled": {"compression": "gzip", "shuffle": True},
    "checked": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "lzf": {"compression": "lzf"},
    "offset": {"scaleoffset": 0},
}
VALUES = np.arange(7 * 9, dtype=np.int32).reshape(7, 9) * 3 - 50


def write_filters(path, version):
    with h5py.File(path, "w", libver=(version, "latest")) as file:
        for name, flags in FILTERS.items():
            file.create_dataset(name, data=VALUES, chunks=(3, 4), **flags)
        file.create_dataset("one", data=VALUES, chunks=(7, 9), compression="gzip")
        file.create_dataset("big", data=VALUES.astype(">i4"), chunks=(2, 9), compression="gzip", shuffle=True)
        file.create_dataset("wide", data=VALUES.astype("c16"), chunks=(4, 2), compression="gzip")


def write_layouts(path, version):
    with h5py.File(path, "w", libver=(version, "latest")) as file:
        file.create_dataset("chunked/vector", data=np.arange(40, dtype="u1"), chunks=(16,))
        file.create_dataset("chunked/grows", data=VALUES, chunks=(3, 4), maxshape=(None, 9))
        file.create_dataset("chunked/grows_all", data=VALUES, chunks=(3, 4), maxshape=(None, None)).resize((5, 11))
        file.create_dataset("chunked/partly", (6, 6), "f4", chunks=(2, 2), fillvalue=-1.5)[2:4, 1:5] = 7
        file.create_dataset("chunked/never", (6, 6), ">i2", chunks=(2, 2), fillvalue=5)
        file.create_dataset("never/zeros", (3, 2), "f8")
        file.create_dataset("never/filled", (3, 2), ">f4", fillvalue=2.5)
        compact(file, "compact", VALUES[0])
        compact(file, "compact_big", VALUES[0].astype(">i4"))


def compact(file, name, values):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    kind, space = h5py.h5t.py_create(values.dtype), h5py.h5s.create_simple(values.shape)
    made = h5py.h5d.create(file.id, name.encode(), kind, space, properties)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)


def strings(directory):
    """strings of one size with each padding, of any size, in chunks, scalar, empty, not UTF-8"""
    words = [b"one", b"", b"three\xff", b"four"]
    with h5py.File(directory / "strings.h5", "w") as file:
        file["fixed"] = np.array(words, "S8")
        for padding in ("NULLTERM", "SPACEPAD"):
            kind = h5py.h5t.C_S1.copy()
            kind.set_size(9)
            kind.set_strpad(getattr(h5py.h5t, f"STR_{padding}"))
            made = h5py.h5d.create(file.id, padding.lower().encode(), kind, h5py.h5s.create_simple((4,)))
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(words, "S9"))
        file.create_dataset("variable", data=words, dtype=h5py.string_dtype("ascii"))
        file.create_dataset("chunked", data=[["a", "bc"], ["", "déf"]], dtype=h5py.string_dtype(), chunks=(1, 2), compression="gzip")
        file["scalar"] = "a scalar"
        file.create_dataset("none", (0,), h5py.string_dtype())
        file.create_dataset("never", (2,), h5py.string_dtype())


def links(directory):
    """links that are hard, soft, external, dangling, and to a group's own parent; many in one group; a user block before all"""
    with h5py.File(directory / "links.h5", "w", userblock_size=512, libver="latest") as file:
        file["a/values"] = np.arange(4, dtype=np.float32)
        file["a/again"] = file["a/values"]
        file["a/up"] = file["/"]
        file["soft"] = h5py.SoftLink("/a/values")
        file["a/beside"] = h5py.SoftLink("./values")
        file["soft_group"] = h5py.SoftLink("/a")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["external"] = h5py.ExternalLink("other.h5", "/x")
        for i in range(20):
            file[f"many/{i}"] = np.int32(i)


def strange(directory):
    """datasets that cannot be tensors, each left out, and one that can"""
    with h5py.File(directory / "strange.h5", "w") as file:
        file["fine"] = np.arange(3)
        file["compound"] = np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")])
        file["reference"] = np.array([file["fine"].ref], h5py.ref_dtype)
        file["region"] = np.array([file["fine"].regionref[:2]], h5py.regionref_dtype)
        file.create_dataset("array", (2,), np.dtype(("<i4", (3,))))
        file.create_dataset("sequences", (2,), h5py.vlen_dtype("i4"))[0] = [1, 2]
        file["empty"] = h5py.Empty("f4")
        file["opaque"] = np.array([b"ab"], "V2")
        file["opaque_noted"] = np.array([b"abc"], "V3")
        file["opaque_noted"].attrs["dtype"] = "bfloat16"
        file["half_complex"] = np.array([(1, 2)], [("r", "f2"), ("i", "f2")])
        odd(file, "twelve_bits", lambda kind: kind.set_precision(12), h5py.h5t.STD_I16LE)
        odd(file, "bit_field", lambda kind: None, h5py.h5t.STD_B8LE)
        odd(file, "other_bias", lambda kind: kind.set_ebias(20), h5py.h5t.IEEE_F16LE)
        file.create_dataset("outside", (4,), "i4", external=[("outside.bin", 0, 16)])
        layout = h5py.VirtualLayout((3,), "i8")
        layout[:] = h5py.VirtualSource(file["fine"])
        file.create_virtual_dataset("virtual", layout)
        pipeline(file, "szip", lambda properties: properties.set_szip(h5py.h5z.SZIP_NN_OPTION_MASK, 4))
        file.create_dataset("huge", (1 << 40,), "f8", chunks=(1 << 10,))


def small(directory):
    """one of each kind in as few bytes as possible, in the oldest and the latest version of the format, for damage at every bit"""
    for name, version in (("old.h5", "earliest"), ("new.h5", "latest")):
        with h5py.File(directory / name, "w", libver=(version, "latest")) as file:
            file["vars/0"] = np.array([[1.5, -2], [3, 4]], np.float32)
            file["vars"].attrs["name"] = "dense"
            file["big"] = np.array([1, 2, 3], ">i2")
            file.create_dataset("chunked", data=np.arange(6, dtype="u1"), chunks=(4,), compression="gzip", shuffle=True)
            file.create_dataset("text", data=["a", "bc"], dtype=h5py.string_dtype())


def odd(file, name, change, kind):
    kind = kind.copy()
    change(kind)
    h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple((2,)))


def pipeline(file, name, change):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((16,))
    change(properties)
    made = h5py.h5d.create(file.id, name.encode(), h5py.h5t.STD_I32LE, h5py.h5s.create_simple((16,)), properties)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(16, dtype=np.int32))


WRITERS = {
    "Keras": (keras.__version__, [functional, archive, archive_deflated, legacy, recurrent, subclassed, narrow]),
    "tf_keras": (tf_keras.__version__, [sequential, new_optimizer, weights_only]),
    "h5py": (h5py.__version__, [same_names, dtypes, filters, filters_latest, layouts, layouts_latest, strings, links, strange, small]),
}

if __name__ == "__main__":
    main()
