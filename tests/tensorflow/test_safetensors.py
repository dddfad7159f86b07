"""safetensors as a source and as a view, checked with the safetensors package and with TensorFlow."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors
import tensorflow as tf
from safetensors import safe_open
from safetensors.numpy import load_file

from harness import ROOT, assert_same, ckptfs, fixture, refused, restored, same, stored_bytes, values

WRITTEN = ROOT / "tests" / "fixtures" / "safetensors-0.8"
MANY = "model.safetensors.index.json"

# The dtype names of the format, and the dtypes of NumPy and TensorFlow.
DTYPES = {
    **{"BOOL": bool, "U8": np.uint8, "I8": np.int8, "I16": np.int16, "U16": np.uint16, "I32": np.int32, "U32": np.uint32},
    **{"I64": np.int64, "U64": np.uint64, "F16": np.float16, "F32": np.float32, "F64": np.float64, "C64": np.complex64},
    **{"BF16": ml_dtypes.bfloat16, "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2},
    **{"F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz, "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz},
}
LACKING = {"string", "variant", "complex128", "float8_e4m3b11fnuz", "int4", "uint4", "int2", "uint2", "float4_e2m1fn"}
QUANTIZED = {"qint8": "I8", "quint8": "U8", "qint16": "I16", "quint16": "U16", "qint32": "I32"}


def read(path):
    """Returns every tensor as the package parses the file, including dtypes that its NumPy functions do not
    support."""
    array = lambda view: np.frombuffer(bytes(view["data"]), DTYPES[view["dtype"]]).reshape(view["shape"])
    return {name: array(view) for name, view in safetensors.deserialize(path.read_bytes())}


def source_values(name):
    """Returns the values that the package reads from a source of one or many files."""
    files = sorted((WRITTEN / name).glob("*.safetensors"))
    return {key: value for file in files for key, value in read(file).items()}


@pytest.mark.parametrize("name, source", [("dtypes", "dtypes/model.safetensors"), ("sharded", f"sharded/{MANY}")])
class TestSource:
    def test_tensorflow_restores_what_the_package_reads(self, mount, name, source):
        at, stem = mounted(mount, WRITTEN / source)
        assert_same(values(at / stem), source_values(name))

    def test_names_follow_a_map(self, mount, name, source):
        expected = source_values(name)
        old, new = sorted(expected)[0], "bert/embeddings/kernel"
        at, stem = mounted(mount, WRITTEN / source, "--rename", f"{old}={new}")
        expected[new] = expected.pop(old)
        assert_same(values(at / stem), expected)
        assert_same(read(at / stem / "model.safetensors"), expected)

    def test_the_data_files_equal_those_of_the_source(self, mount, name, source):
        at, stem = mounted(mount, WRITTEN / source)
        shards = sorted(at.path.glob(f"{stem}.data-*"))
        assert [file.read_bytes() for file in shards] == [file.read_bytes() for file in sorted((WRITTEN / name).glob("*.safetensors"))]

    def test_raw_and_npy(self, mount, name, source):
        at, stem = mounted(mount, WRITTEN / source)
        for key, value in source_values(name).items():
            assert (at / stem / "vars" / key / "raw").read_bytes() == value.tobytes()
            assert np.load(at / stem / f"npy/{key}.npy").shape == value.shape

    def test_the_view_equals_the_source(self, mount, name, source):
        at, stem = mounted(mount, WRITTEN / source)
        assert_same(read(at / stem / "model.safetensors"), source_values(name))


def mounted(mount, source, *flags):
    """Returns a mount, and the name of the checkpoint in it."""
    at = mount(source, *flags)
    return at, next(at.path.glob("*.index")).name.removesuffix(".index")


def test_the_package_reads_the_fixture_with_its_numpy_functions():
    """Checks the function `read` above against `load_file`, for the dtypes that `load_file` supports."""
    theirs = load_file(WRITTEN / "sharded/model-00001-of-00003.safetensors")
    assert_same(read(WRITTEN / "sharded/model-00001-of-00003.safetensors"), theirs)


def test_dtypes_that_tensorflow_lacks_are_left_out_and_named():
    run = ckptfs("ls", WRITTEN / "foreign/model.safetensors")
    assert run.stdout == "weight\n" and "blocks (F4)" in run.stderr and "scales (F8_E8M0)" in run.stderr


def test_a_file_that_the_package_refuses_is_refused(tmp_path):
    whole = (WRITTEN / "dtypes/model.safetensors").read_bytes()
    header = int.from_bytes(whole[:8], "little")
    for damaged in (whole[:-1], whole + b"\0", whole[:40], whole.replace(b"F32", b"F33", 1), whole.replace(b'"U8"', b'"I8 ', 1)):
        file = tmp_path / "model.safetensors"
        file.write_bytes(damaged)
        with pytest.raises(safetensors.SafetensorError):
            safetensors.deserialize(damaged)
        assert str(file.with_suffix("")) in refused("check", file)
    assert header % 8 == 0


VIEWED = ["tf1_adam", "tf1_bert_tiny", "dtypes", "sharded", "strings", "odd_names", "object_module", "object_keras2", "object_keras3"]


@pytest.mark.parametrize("name", VIEWED)
class TestView:
    def test_the_package_reads_tensorflows_values(self, plain, name):
        file = plain(name) / "ckpt-9/model.safetensors"
        expected = {key: as_held(value, dtype) for key, (value, dtype) in shown(name).items() if dtype not in LACKING}
        assert expected
        assert_same(read(file), expected)

    def test_load_file_reads_the_dtypes_that_numpy_supports(self, plain, name):
        file = plain(name) / "ckpt-9/model.safetensors"
        if {view["dtype"] for _, view in safetensors.deserialize(file.read_bytes())} - set(safetensors.numpy._TYPES):
            with safe_open(file, "np") as opened:
                assert sorted(opened.keys()) == sorted(read(file))
            return
        assert_same(load_file(file), read(file))

    def test_the_package_reads_slices(self, plain, name):
        file = plain(name) / "ckpt-9/model.safetensors"
        with safe_open(file, "np") as opened:
            for key, value in read(file).items():
                if value.ndim and len(value) > 1 and value.dtype.isbuiltin == 1:
                    assert same(opened.get_slice(key)[1:], value[1:])

    def test_the_metadata_names_what_is_left_out(self, plain, name):
        with safe_open(plain(name) / "ckpt-9/model.safetensors", "np") as opened:
            metadata = opened.metadata()
        assert metadata["format"] == "pt"
        left_out = json.loads(metadata.get("ckptfs.left_out", "{}"))
        dtypes = {escaped(key): dtype for key, (_, dtype) in shown(name).items()}
        assert left_out == {key: f"the format has no {dtype}" for key, dtype in dtypes.items() if dtype in LACKING}
        stored = json.loads(metadata.get("ckptfs.dtypes", "{}"))
        assert stored == {key: dtype for key, dtype in dtypes.items() if dtype in QUANTIZED}

    def test_the_header_and_every_tensor_are_aligned(self, plain, name):
        file = (plain(name) / "ckpt-9/model.safetensors").read_bytes()
        length = int.from_bytes(file[:8], "little")
        header = json.loads(file[8 : 8 + length])
        header.pop("__metadata__")
        assert length % 8 == 0
        assert all(entry["data_offsets"][0] % np.dtype(DTYPES[entry["dtype"]]).itemsize == 0 for entry in header.values())


def shown(name):
    """Returns the values and dtypes of a fixture by the names that ckptfs shows, which differ from the keys if
    there is a graph."""
    listed = json.loads(ckptfs("ls", fixture(name), "--json").stdout)
    found = restored(fixture(name), {row["key"]: tf.dtypes.as_dtype(row["dtype"]) for row in listed if row["dtype"] != "variant"})
    return {row["name"]: (found[row["key"]], row["dtype"]) for row in listed}


def escaped(name):
    return name.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def as_held(value, dtype):
    """Returns a value in the dtype of the format: quantized integers are plain integers."""
    value = np.asarray(value)
    return np.frombuffer(stored_bytes(value), DTYPES[QUANTIZED[dtype]]).reshape(value.shape) if dtype in QUANTIZED else value


class TestProgram:
    """The order of variables is that of `tf.compat.v1.global_variables()` in the graph next to the checkpoint."""

    @pytest.mark.parametrize("name", ["tf1_graph"])
    def test_the_order_and_trainability_of_the_fixture(self, name):
        judged(fixture(name))

    @pytest.mark.parametrize("name", ["onnx_regression/model", "tf17_embedding_ckpt/embedding.ckpt"])
    def test_the_order_and_trainability_of_real_checkpoints(self, real, name):
        judged(real / name)

    def test_a_mount_shows_the_order_and_trainability(self, plain):
        at = plain("tf1_graph") / "ckpt-9"
        head, *rows = [line.split("\t") for line in (at / "variables.tsv").read_text().splitlines()]
        assert head == ["name", "dtype", "shape", "bytes", "created", "trainable"]
        for name, *_, created, trainable in rows:
            info = json.loads((at / "vars" / name / "info.json").read_text())
            assert (str(info["created"]), str(info["trainable"]).lower()) == (created, trainable)


def judged(prefix):
    v1 = tf.compat.v1
    with v1.Graph().as_default():
        v1.train.import_meta_graph(f"{prefix}.meta", clear_devices=True)
        names = [variable.op.name for variable in v1.global_variables()]
        trained = {variable.op.name for variable in v1.trainable_variables()}
    listed = {row["name"]: row for row in json.loads(ckptfs("ls", prefix, "--json").stdout)}
    assert names and set(listed) <= set(names)
    for name, row in listed.items():
        assert (row["created"], row["trainable"]) == (names.index(name), name in trained)


class TestLikeAGraph:
    """Tests of `--like P.meta`: the graph describes the checkpoint that the program would save."""

    @pytest.mark.parametrize("name", ["tf1_graph"])
    def test_the_graph_of_the_fixture_changes_nothing(self, name):
        source, listed = fixture(name), lambda *flags: ckptfs("ls", fixture(name), "--long", *flags)
        assert listed("--like", f"{source}.meta").stdout == listed().stdout

    def test_dtypes_and_shapes_are_those_of_the_program(self, tmp_path):
        v1, parts = tf.compat.v1, tf.compat.v1.fixed_size_partitioner(3)
        with v1.Graph().as_default():
            v1.get_variable("split", [5, 4], partitioner=parts)
            v1.get_variable("small", [2, 3], tf.bfloat16, initializer=v1.zeros_initializer(), use_resource=True)
            v1.get_variable("step", [], tf.int64, initializer=v1.zeros_initializer())
            v1.get_variable("metric", [3], collections=["local_variables"])
            tf.constant(np.zeros(100_000, np.float32))
            v1.train.export_meta_graph(str(tmp_path / "wanted.meta"))
        said = refused("ls", fixture("tf1_adam"), "--like", tmp_path / "wanted.meta")
        for line in ("split  float32 [5, 4]", "small  bfloat16 [2, 3]", "step  int64 []"):
            assert line in said, said
        assert "metric" not in said
        run = ckptfs("ls", fixture("tf1_adam"), "--long", "--like", tmp_path / "wanted.meta", "--missing", "**=zeros")
        assert [line.split()[-1] for line in run.stdout.splitlines()] == ["small", "split", "step"]

    def test_a_file_that_is_not_a_graph_is_refused(self, tmp_path):
        for text in ("", "node { name: 'x' }"):
            (tmp_path / "w.meta").write_text(text)
            assert "w.meta" in refused("ls", fixture("tf1_adam"), "--like", tmp_path / "w.meta")
