"""Big-endian bundles: TensorFlow restores the same values from the mount, which is little-endian, as from the
source."""

import json

import numpy as np
import pytest
import tensorflow as tf

import test_partitioned
from harness import assert_same, assert_widens_to, ckptfs, copy_of, fixture, restored, same, stored_bytes, values
from test_partitioned import EXPECTED, by_slices, facts, slice_fixtures, variables_of

PARTS = ["dtypes", "strings"]


def expected():
    """Returns the values of the fixture, as TensorFlow reads them from the little-endian bundles.

    Slices are not included.
    """
    return {name: value for part in PARTS for name, value in values(fixture(part)).items()}


@pytest.fixture(params=[[], ["--rename", "**=renamed/**"]], ids=["unmapped", "renamed"])
def shown(request, mount):
    m = mount(fixture("big_endian"), *request.param)
    return m, "renamed/" if request.param else ""


def test_every_value_equals_tensorflows_value(shown):
    m, scope = shown
    names = {scope + name: value for name, value in expected().items()}
    assert_same(values(m / "ckpt-9", list(names)), names)


def test_tensorflow_reads_the_same_values_from_the_source():
    found = {name: value for name, value in expected().items() if name.split("/")[0] not in slice_fixtures.NOT_SWAPPED}
    assert_same(values(fixture("big_endian"), list(found)), found)


def test_slices_are_restored_and_npy_is_the_whole_value(shown):
    m, scope = shown
    for name, value in EXPECTED.items():
        if name.split("/")[-1] in ("rows", "columns", "grid"):
            assert same(by_slices(m / "ckpt-9", scope + name, value), value), name
        found = np.load(facts(m / "ckpt-9", scope + name) / "array.npy")
        assert found.tolist() == value.tolist()


def test_npy_and_raw_are_little_endian(shown):
    m, scope = shown
    for name, value in values(fixture("dtypes")).items():
        assert_widens_to(np.load(facts(m / "ckpt-9", scope + name) / "array.npy", mmap_mode="r"), value)
        assert (facts(m / "ckpt-9", scope + name) / "raw").read_bytes() == stored_bytes(value)


def test_raw_strings_equal_those_of_a_little_endian_bundle(shown, mount):
    m, scope = shown
    little = mount(fixture("strings"))
    for name in values(fixture("strings")):
        assert (facts(m / "ckpt-9", scope + name) / "raw").read_bytes() == (facts(little / "ckpt-9", name) / "raw").read_bytes()


def test_all_names_are_listed(shown):
    m, scope = shown
    names = sorted(scope + name for name in [*expected(), *EXPECTED])
    assert [name for name, _ in tf.train.list_variables(str(m / "ckpt-9"))] == names
    assert sorted(variables_of(m / "ckpt-9")) == names
    assert len(ckptfs("ls", fixture("big_endian")).stdout.splitlines()) == len(names)


def test_info_has_the_offset_of_the_stored_bytes(mount):
    info = json.loads((facts(mount(fixture("big_endian")) / "ckpt-9", "float64/vector") / "info.json").read_text())
    assert (info["byte_order"], info["dtype"]) == ("big", "float64")
    stored = fixture("big_endian").with_name(info["shard"]).read_bytes()[info["offset"] :][: info["bytes"]]
    assert np.frombuffer(stored, ">f8").astype("<f8").tobytes() == values(fixture("dtypes"))["float64/vector"].tobytes()


def test_text_has_the_right_numbers(mount):
    text = ckptfs("cat", fixture("big_endian"), "int32/vector").stdout
    assert [int(line) for line in text.split()] == values(fixture("dtypes"))["int32/vector"].tolist()


def test_an_alias_adds_no_data(mount):
    plain, aliased = mount(fixture("big_endian")), mount(fixture("big_endian"), "--alias", "float64/vector=again")
    value = values(fixture("dtypes"))["float64/vector"]
    assert_same(values(aliased / "ckpt-9", ["again", "float64/vector"]), {"again": value, "float64/vector": value})
    size = lambda m: sum(file.stat().st_size for file in m.path.glob("ckpt-9.data-*"))  # noqa: E731
    assert size(plain) == size(aliased)


def test_objects_restore_completely_under_old_and_new_paths(mount):
    reference = slice_fixtures.sharded_objects()
    reference.restore(str(fixture("object_sharded"))).assert_consumed()
    for flags in ([], ["--rename", "net/**=model/**"]):
        m, root = mount(fixture("big_endian_objects"), *flags), slice_fixtures.sharded_objects()
        program = tf.train.Checkpoint(model=root.net, optimizer=root.optimizer) if flags else root
        program.restore(str(m / "ckpt-9")).assert_consumed()
        found, wanted = slice_fixtures.sharded_variables(root), slice_fixtures.sharded_variables(reference)
        test_partitioned.assert_all_same([v.numpy() for v in found], [v.numpy() for v in wanted])


def test_a_flipped_bit_in_the_source_is_an_error_and_never_a_wrong_number(mount, tmp_path):
    source = copy_of("big_endian", tmp_path / "source")
    info = json.loads(ckptfs("cat", source, "float64/vector", "--as", "info").stdout)
    data = source.with_name(info["shard"])
    whole = bytearray(data.read_bytes())
    whole[info["offset"]] ^= 1
    data.write_bytes(whole)
    m = mount(source)
    with pytest.raises(tf.errors.DataLossError):
        restored(m / "ckpt-9", {"float64/vector": tf.float64})
    assert same(restored(m / "ckpt-9", {"float32/vector": tf.float32})["float32/vector"], values(fixture("dtypes"))["float32/vector"])


def test_a_real_big_endian_checkpoint_restores(real, mount):
    source = real / "generated/bigendian/be"
    m = mount(source, "--rename", "**=x/**")
    assert_same(values(m / "be"), {f"x/{name}": value for name, value in values(source).items()})
