"""`ckptfs export`: TensorFlow, Keras and the packages of other formats read its files without a mount."""

import os

import h5py
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from harness import FIXTURES, OBJECT_GRAPH, assert_same, ckptfs, refused, values

v1 = tf.compat.v1
ADAM = FIXTURES / "tf1_adam/ckpt-9"
MODULE = FIXTURES / "object_module/ckpt-9"


def export(source, out, *flags):
    run = ckptfs("export", source, out, *flags)
    assert run.returncode == 0, run.stderr
    return out


@pytest.mark.parametrize("flags", [(), ("--link",)])
@pytest.mark.parametrize("name", ["tf1_adam", "sharded", "strings", "dtypes", "snappy"])
def test_a_bundle_has_the_values_of_the_source(tmp_path, name, flags):
    source = FIXTURES / name / "ckpt-9"
    out = export(source, tmp_path / "new", *flags)
    assert tf.train.list_variables(str(out)) == tf.train.list_variables(str(source))
    assert_same(values(out), values(source))


def test_saver_restores_new_names_from_links_without_a_mount(tmp_path):
    out = export(ADAM, tmp_path / "model", "--link", "--rename", "bert/**=encoder/**")
    assert all(os.stat(file).st_nlink > 1 for file in tmp_path.glob("model.data-*"))
    expected = {name.replace("bert/", "encoder/", 1): value for name, value in values(ADAM).items()}
    name = next(name for name in expected if name.endswith("/kernel"))
    with v1.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable(name, expected[name].shape)
        v1.train.Saver([variable]).restore(session, str(out))
        assert_same({name: session.run(variable)}, {name: expected[name]})
    assert_same(values(out), expected)


def test_an_object_based_checkpoint_is_written_with_its_new_paths(tmp_path):
    root = next(name for name in values(MODULE) if name != OBJECT_GRAPH).split("/")[0]
    out = export(MODULE, tmp_path / "model", "--link", "--rename", f"{root}=network")
    before, after = values(MODULE), values(out)
    renamed = {name.replace(f"{root}/", "network/", 1) if name.startswith(f"{root}/") else name: name for name in before}
    assert set(after) == set(renamed) and any(name.startswith("network/") for name in after)


def test_safetensors_hdf5_and_npy_have_the_same_numbers(tmp_path):
    expected = values(ADAM)
    assert_same(safetensors.numpy.load_file(export(ADAM, tmp_path / "model.safetensors")), expected)
    tree = export(ADAM, tmp_path / "arrays", "--format", "npy")
    assert_same({name: np.load(tree / f"{name}.npy") for name in expected}, expected)
    # A file cannot have a dataset and a group with one name, so slots below their variables are left out.
    with h5py.File(export(ADAM, tmp_path / "model.weights.h5", "--drop-optimizer")) as file:
        found = {}
        file.visititems(lambda name, at: found.update({name: at[()]}) if isinstance(at, h5py.Dataset) else None)
    assert found and all(np.array_equal(value, expected[name]) for name, value in found.items())
    assert any(name.endswith("/kernel") for name in found)


def test_computed_values_are_exported_as_a_mount_shows_them(tmp_path):
    name = next(name for name in values(ADAM) if name.endswith("/kernel"))
    out = export(ADAM, tmp_path / "half", "--cast", "**=float16")
    assert_same({name: values(out)[name]}, {name: values(ADAM)[name].astype(np.float16)})


def test_existing_files_are_kept(tmp_path):
    out = export(ADAM, tmp_path / "model")
    assert "--force" in refused("export", ADAM, out)
