"""The trees next to the checkpoint: `npy/` and `raw/` have TensorFlow's values, and the per-variable files in
`vars/` are correct."""

import json
import math
import os
import stat

import numpy as np
import pytest
import tensorflow as tf

from harness import FIXTURES, OBJECT_GRAPH, assert_widens_to, ckptfs, fixture, same, stored_bytes, values
from test_restore import NAME_BASED

PLAIN_NAMES = [name for name in NAME_BASED if name not in ("odd_names", "strings")]


@pytest.mark.parametrize("name", PLAIN_NAMES)
class TestByName:
    def test_npy_has_the_value(self, plain, name):
        for variable, value in values(fixture(name)).items():
            shown = np.load(plain(name) / f"ckpt-9/npy/{variable}.npy", mmap_mode="r")
            assert_widens_to(shown, value)

    def test_raw_has_the_stored_bytes(self, plain, name):
        found = values(fixture(name))
        for variable, value in found.items():
            assert (plain(name) / "ckpt-9/vars" / variable / "raw").read_bytes() == stored_bytes(value)
            # If a variable and a directory would share a name, the directory gets a trailing `%`: `kernel%/Adam`.
            if not any(variable.startswith(f"{other}/") for other in found):
                assert (plain(name) / f"ckpt-9/raw/{variable}").read_bytes() == stored_bytes(value)

    def test_shape_and_dtype(self, plain, name):
        dtypes = tf.train.load_checkpoint(str(fixture(name))).get_variable_to_dtype_map()
        for variable, shape in tf.train.list_variables(str(fixture(name))):
            facts = plain(name) / "ckpt-9/vars" / variable
            assert (facts / "shape").read_text() == " ".join(map(str, shape)) + "\n"
            assert (facts / "dtype").read_text() == dtypes[variable].name + "\n"

    def test_info_has_the_offset_of_the_bytes(self, plain, name):
        for variable, value in values(fixture(name)).items():
            info = json.loads((plain(name) / "ckpt-9/vars" / variable / "info.json").read_text())
            stored = stored_bytes(value)
            assert (info["name"], info["key"], info["shape"], info["bytes"]) == (variable, variable, list(np.shape(value)), len(stored))
            shards = [path.read_bytes() for path in sorted(FIXTURES.joinpath(name).glob("ckpt-9.data-*"))]
            assert any(shard[info["offset"] : info["offset"] + info["bytes"]] == stored for shard in shards)
            assert info["crc32c"] is not None

    def test_the_links_in_vars_lead_to_the_data(self, plain, name):
        tree = plain(name) / "ckpt-9"
        for variable in values(fixture(name)):
            facts = tree / "vars" / variable
            assert (facts / "array.npy").is_symlink() and (facts / "raw").is_symlink()
            assert (facts / "array.npy").resolve() == tree / f"npy/{variable}.npy"
            assert (tree / "raw") in (facts / "raw").resolve(strict=True).parents


@pytest.mark.parametrize("name", ["odd_names", "object_module", "object_keras2", "object_keras3"])
def test_every_variable_is_in_the_tree_with_any_name(plain, name):
    found = by_key(plain(name) / "ckpt-9")
    expected = values(fixture(name))
    assert sorted(found) == sorted(expected)
    for key, facts in found.items():
        assert same(np.load(facts / "array.npy"), expected[key])
        assert (facts / "raw").read_bytes() == expected[key].tobytes()
        assert (facts / "shape").read_text() == " ".join(map(str, expected[key].shape)) + "\n"


def test_names_that_are_not_utf8_have_their_bytes_in_hex(plain):
    infos = [json.loads((path / "info.json").read_text()) for path in walk(plain("not_utf8") / "ckpt-9/vars")]
    assert sorted(info["name_hex"] for info in infos if "name_hex" in info) == ["6c6174696ee92f6b65726e656c", "fffe"]
    assert [info["name"] for info in infos if "name_hex" not in info] == ["plain"]


def test_strings_are_fixed_width_bytes_if_nothing_is_lost(plain):
    tree, expected = plain("strings") / "ckpt-9", values(fixture("strings"))
    assert np.load(tree / "npy/vocabulary.npy").tolist() == expected["vocabulary"].tolist()
    assert np.load(tree / "npy/scalar.npy").tolist() == expected["scalar"]
    assert not (tree / "npy/awkward.npy").exists()
    assert (tree / "vars/awkward/shape").read_text() == "2 3\n"
    assert (tree / "vars/awkward/dtype").read_text() == "string\n"


def test_the_trees_follow_a_map(mount):
    tree = mount(fixture("tf1_bert_tiny"), "--rename", "bert/**=encoder/**", "--drop", "**/adam_*") / "ckpt-9"
    expected = values(fixture("tf1_bert_tiny"), ["bert/pooler/dense/kernel"])["bert/pooler/dense/kernel"]
    assert same(np.load(tree / "npy/encoder/pooler/dense/kernel.npy", mmap_mode="r"), expected)
    assert np.fromfile(tree / "raw/encoder/pooler/dense/kernel", np.float32).tobytes() == expected.tobytes()
    assert (tree / "vars/encoder/pooler/dense/kernel/shape").read_text() == "4 4\n"
    for gone in ("vars/bert", "npy/bert", "raw/bert", "vars/encoder/pooler/dense/kernel/adam_m"):
        assert not (tree / gone).exists()


def test_info_equals_the_output_of_cat(plain):
    for name in ("tf1_adam", "dtypes"):
        for variable in sorted(values(fixture(name)))[:4]:
            said = json.loads(ckptfs("cat", fixture(name), variable, "--as", "info").stdout)
            shown = json.loads((plain(name) / "ckpt-9/vars" / variable / "info.json").read_text())
            assert said == shown


@pytest.mark.parametrize("name", ["tf1_adam", "dtypes", "odd_names", "object_module", "sharded"])
def test_every_file_has_the_right_size_and_blocks_and_no_write_bits(plain, name):
    files = 0
    for directory, below, names in os.walk(plain(name).path, onerror=fail):
        below[:] = [entry for entry in below if entry != ".ckptfs"]
        assert stat.S_IMODE(os.stat(directory).st_mode) & 0o222 == 0
        for path in (os.path.join(directory, entry) for entry in names):
            about = os.stat(path)
            assert about.st_blocks == math.ceil(about.st_size / 512), path
            assert stat.S_IMODE(about.st_mode) & 0o333 == 0, path
            with open(path, "rb") as file:
                assert len(file.read()) == about.st_size, path
            files += 1
    assert files > 4 * len(tf.train.list_variables(str(fixture(name))))


def test_inodes_are_the_same_after_a_remount(mount):
    first, second = ({str(p.relative_to(m.path)): p.lstat().st_ino for p in m.path.rglob("*") if ".ckptfs" not in p.parts} for m in twice(mount))
    assert first == second
    # A symlink and its target have two inodes. Per-variable files of two variables never share one.
    assert len(set(first.values())) == len(first)


def twice(mount):
    return mount(fixture("tf1_adam")), mount(fixture("tf1_adam"))


def by_key(tree):
    """Returns the directory of each variable below vars/, by its key in the bundle."""
    found = {json.loads((path / "info.json").read_text())["key"]: path for path in walk(tree / "vars")}
    assert OBJECT_GRAPH not in found
    return found


def walk(tree):
    """Returns the directories that hold the files of a variable."""
    return [type(tree)(directory) for directory, _, names in os.walk(tree, onerror=fail) if "info.json" in names]


def fail(error):
    raise error
