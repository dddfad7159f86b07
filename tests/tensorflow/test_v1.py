"""V1 checkpoints (SaverDef.V1): every value equals TensorFlow's, and the mounted bundle restores like any other."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

import table
from harness import FIXTURES, array, assert_same, assert_widens_to, ckptfs, refused, restored, stored_bytes, values
from test_views import by_key

v1 = tf.compat.v1

# Each prefix, and the suffix of the pattern that TensorFlow takes as its name if there are several files.
WRITTEN = {"v1_checkpoint/ckpt-9": "", "v1_sharded/ckpt-9": "-?????-of-00003", "v1_snappy/ckpt-9": ""}
REAL = {
    "serving_v1_half_plus_two/export": "",
    "tf17_v1_sharded_export/export": "-?????-of-00001",
    "generated/v1_alldtypes/m-5": "",
    "generated/v1_sharded/sh-5": "-?????-of-00001",
}
# TensorFlow cannot join strings that were saved in two slices.
WORDS = {"words": np.array([b"a", b"bc", b"", b"def"], object)}


@pytest.fixture(params=[*WRITTEN, *REAL])
def source(request):
    """Returns a prefix, and the values that TensorFlow reads from it."""
    where = FIXTURES if request.param in WRITTEN else request.getfixturevalue("real")
    return where / request.param, expected(f"{where / request.param}{(WRITTEN | REAL)[request.param]}")


def expected(pattern):
    dtypes = tf.train.load_checkpoint(pattern).get_variable_to_dtype_map()
    together = {name: value for name, value in WORDS.items() if name in dtypes}
    return restored(pattern, {name: dtypes[name] for name in dtypes if name not in together}) | together


def test_ls_names_every_variable_with_its_dtype_and_shape(source):
    prefix, tensors = source
    shown = ckptfs("ls", prefix, "-l")
    assert shown.returncode == 0, shown.stderr
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert sorted(line[-1] for line in lines) == sorted(tensors)
    for line in lines:
        shape = array(tensors[line[-1]]).shape
        assert "".join(line[1:-2]).strip("[]") == ",".join(map(str, shape))


def test_cat_writes_the_values(source):
    prefix, tensors = source
    for name, value in tensors.items():
        shown = ckptfs("cat", prefix, name, "--as", "raw", text=False)
        assert shown.returncode == 0, shown.stderr
        if array(value).dtype != object:
            assert shown.stdout == stored_bytes(value), name


def test_the_mount_is_a_bundle_with_the_same_values(source, mount):
    prefix, tensors = source
    through = f"{mount(prefix)}/{prefix.name}"
    assert_same(values(through), tensors)
    reader = tf.train.load_checkpoint(through)
    assert {name: list(shape) for name, shape in tf.train.list_variables(through)} == {name: list(array(value).shape) for name, value in tensors.items()}
    for name in tensors:
        assert reader.has_tensor(name)


def test_npy_and_raw_have_the_values(source, mount):
    prefix, tensors = source
    found = by_key(mount(prefix) / prefix.name)
    assert sorted(found) == sorted(tensors)
    for name, value in tensors.items():
        if array(value).dtype != object:
            assert_widens_to(np.load(found[name] / "array.npy", mmap_mode="r"), value)
            assert (found[name] / "raw").read_bytes() == stored_bytes(value)


def test_a_rename_renames_every_variable(source, mount):
    prefix, tensors = source
    through = f"{mount(prefix, '--rename', '**=new/**')}/{prefix.name}"
    assert_same(values(through), {f"new/{name}": value for name, value in tensors.items()})


@pytest.mark.parametrize("renamed", [False, True])
def test_a_saver_restores_the_mounted_bundle(mount, renamed):
    source = FIXTURES / "v1_checkpoint" / "ckpt-9"
    m = mount(source, *(["--rename", "**=new/**"] if renamed else []))
    tensors = {name: value for name, value in expected(str(source)).items() if array(value).dtype != object and not name.startswith("q")}
    with v1.Graph().as_default(), v1.Session() as session:
        variables = {f"new/{n}" if renamed else n: v1.Variable(np.zeros_like(v), name=f"v{at}") for at, (n, v) in enumerate(tensors.items())}
        v1.train.Saver(variables).restore(session, f"{m}/ckpt-9")
        assert_same({name.removeprefix("new/"): session.run(variable) for name, variable in variables.items()}, tensors)


def test_any_file_and_tensorflows_pattern_mean_the_whole_checkpoint():
    directory = FIXTURES / "v1_sharded"
    whole = ckptfs("ls", directory / "ckpt-9").stdout
    assert "part_2/kernel" in whole and "part_0/kernel" in whole
    for name in ("ckpt-9-00000-of-00003", "ckpt-9-00002-of-00003", "ckpt-9-?????-of-00003"):
        assert ckptfs("ls", directory / name).stdout == whole


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_shard_is_reported_by_name(tmp_path, missing):
    prefix = copy_of("v1_sharded", tmp_path)
    gone = f"ckpt-9-{missing:05}-of-00003"
    (prefix.parent / gone).unlink()
    assert gone in refused("ls", prefix)


def test_a_truncated_file_is_refused_at_every_length(tmp_path):
    prefix = copy_of("v1_checkpoint", tmp_path)
    whole = prefix.read_bytes()
    for length in [0, 1, 40, len(whole) // 2, len(whole) - 48, len(whole) - 1]:
        prefix.write_bytes(whole[:length])
        assert "ckpt-9" in refused("ls", prefix)
    prefix.write_bytes(whole[: len(whole) // 2])
    assert "cut short" in refused("ls", prefix)


def test_a_damaged_block_is_an_error_and_never_wrong_numbers(tmp_path, mount):
    prefix = copy_of("v1_checkpoint", tmp_path)
    whole = bytearray(prefix.read_bytes())
    kernel = restored(prefix, {"kernel": tf.float32})["kernel"].tobytes()
    at = whole.index(kernel)
    whole[at + 1000] ^= 1
    # The list of tensors is in the same block, so it is not trusted either.
    prefix.write_bytes(whole)
    said = refused("ls", prefix)
    assert "block checksum" in said and "ckpt-9" in said


def test_only_the_values_in_a_damaged_block_cannot_be_read(tmp_path, mount):
    prefix = tmp_path / "large"
    large = np.random.default_rng(0).integers(-(1 << 31), 1 << 31, [1 << 20], np.int32)
    tf.raw_ops.SaveSlices(filename=str(prefix), tensor_names=["large", "small"], shapes_and_slices=["", ""], data=[large, [1.0]])
    assert_same(values(f"{mount(prefix)}/large"), {"large": large, "small": np.array([1.0], np.float32)})
    damaged = bytearray(prefix.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    prefix.write_bytes(damaged)
    assert "large" in ckptfs("ls", prefix).stdout
    assert "block checksum" in refused("cat", prefix, "large", "--as", "raw")
    assert ckptfs("cat", prefix, "small", "--as", "raw", text=False).stdout == np.float32(1).tobytes()


def test_a_wrong_number_of_values_is_reported_with_its_position(tmp_path):
    prefix = tmp_path / "wrong"
    tf.raw_ops.SaveSlices(filename=str(prefix), tensor_names=["x", "n"], shapes_and_slices=["", ""], data=[[1.0, 2.0], np.int32([300, 1])])
    for name, shape in (("x", b"\x12\x04\x12\x02\x08\x02\x18\x01"), ("n", b"\x12\x04\x12\x02\x08\x02\x18\x03")):
        whole = prefix.read_bytes()
        entries = [(key, value.replace(shape, shape.replace(b"\x08\x02", b"\x08\x03"))) for key, value in table.decode(whole)]
        (tmp_path / name).write_bytes(table.encode(entries))
        said = refused("cat", tmp_path / name, name, "--as", "raw")
        assert "3" in said and "byte" in said and str(tmp_path / name) in said


def test_a_missing_slice_is_reported_by_name(tmp_path):
    prefix = copy_of("v1_checkpoint", tmp_path)
    entries = [entry for entry in table.decode(prefix.read_bytes()) if b"kernel" not in entry[0]]
    prefix.write_bytes(table.encode(entries))
    said = refused("check", prefix)
    assert "kernel: listed in ckpt-9, which does not hold its values" in said


def test_a_large_tensor_is_read_in_blocks(tmp_path, mount):
    prefix = tmp_path / "big"
    rng = np.random.default_rng(1)
    tensors = {"floats": rng.standard_normal([5 << 20], np.float32), "ints": rng.integers(-1000, 1000, [3 << 20], np.int64), "bytes": rng.integers(-128, 128, [5 << 20], np.int8)}
    tf.raw_ops.SaveSlices(filename=str(prefix), tensor_names=list(tensors), shapes_and_slices=[""] * 3, data=list(tensors.values()))
    m = mount(prefix)
    for name, value in tensors.items():
        with open(m / f"big/raw/{name}", "rb") as file:
            for at in [value.nbytes - 5, 1 << 20, (1 << 20) - 3, 4 << 20, 0]:
                file.seek(at)
                assert file.read(5) == value.tobytes()[at : at + 5]
    assert_same(values(f"{m}/big"), tensors)


def copy_of(name, into):
    shutil.copytree(FIXTURES / name, into / name)
    return into / name / "ckpt-9"
