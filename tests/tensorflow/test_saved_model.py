"""SavedModels in a mount: the loaders find the saved variables, and the variables also have their new names."""

import os

import numpy as np
import pytest
import tensorflow as tf

from harness import OBJECT_GRAPH, assert_same, ckptfs, restored, values

v1 = tf.compat.v1

REAL = ["rust_regression", "serving_saved_model_tf2", "tfdf_savedmodel_adult_rf", "tfjs_uint8"]


@pytest.mark.parametrize("name", REAL)
def test_real_models_load_the_same_as_from_the_source(real, mount, name):
    source, m = real / name, mount(real / name)
    for path in source.rglob("*"):
        if path.is_file():
            shown = m / path.relative_to(source)
            assert shown.read_bytes() == path.read_bytes()
            assert shown.stat().st_size == path.stat().st_size
    expected, found = load(source), load(m)
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert_same(found, expected)
    for path in (f"{m}/remapped", f"{m}/remapped/", f"{m}/variables/variables"):
        assert tf.train.list_variables(path) == tf.train.list_variables(f"{source}/variables/variables")
        assert_same(values(path), values(f"{source}/variables/variables"))
    assert tf.train.latest_checkpoint(str(m)) == f"{m}/remapped"


@pytest.mark.parametrize("name", REAL)
def test_a_real_model_restores_by_its_directory(real, mount, name):
    source, m = real / name, mount(real / name)
    keys = [key for key, _ in tf.train.list_variables(f"{source}/variables/variables") if key != OBJECT_GRAPH]
    assert restore_by_directory(m, keys) == restore_by_directory(source, keys)


def load(path):
    """Returns the variables' values from `tf.saved_model.load`, or the kind of the error if a model needs custom
    ops."""
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # noqa: BLE001 - any error that loading the source raises
        return type(error)
    return {str(n): variable.numpy() for n, variable in enumerate(getattr(loaded, "variables", []))}


def restore_by_directory(path, keys):
    """Restores the directory with `Checkpoint.restore` into one variable for each top-level edge to a variable."""
    reader = tf.train.load_checkpoint(f"{path}/variables/variables")
    plain = {key.split("/")[0]: key for key in keys if key.endswith("/.ATTRIBUTES/VARIABLE_VALUE") and key.count("/") == 2}
    plain = {edge: key for edge, key in plain.items() if reader.get_variable_to_dtype_map()[key] != tf.string}
    variables = {edge: tf.Variable(tf.zeros_like(reader.get_tensor(key))) for edge, key in plain.items()}
    tf.train.Checkpoint(**variables).restore(str(path)).expect_partial()
    return {edge: variable.numpy().tobytes() for edge, variable in variables.items()}


class Line(tf.Module):
    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = tf.Variable(a), tf.Variable(b)

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def __call__(self, x):
        return self.a * x + self.b


@pytest.fixture
def object_based(tmp_path):
    tf.saved_model.save(Line(3.0, 4.0), str(tmp_path / "line"))
    return tmp_path / "line"


@pytest.fixture
def name_based(tmp_path):
    """Exports the model like a TF1 program."""
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [])
        a, b = v1.get_variable("line/a", initializer=3.0), v1.get_variable("line/b", initializer=4.0)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "line"), {"x": x}, {"y": a * x + b})
    return tmp_path / "line"


def by_version_1(path):
    with v1.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.load(session, ["serve"], str(path))
        signature = meta.signature_def["serving_default"]
        (x,), (y,) = signature.inputs.values(), signature.outputs.values()
        return session.run(y.name, {x.name: 2.0})


def test_an_object_based_model_loads_in_every_way(object_based, mount):
    m = mount(object_based)
    assert tf.saved_model.load(str(m))(2.0).numpy() == 10.0
    assert by_version_1(m) == 10.0
    fresh = Line(0.0, 0.0)
    tf.train.Checkpoint(a=fresh.a, b=fresh.b).restore(str(m)).expect_partial()
    assert (fresh.a.numpy(), fresh.b.numpy()) == (3.0, 4.0)
    assert np.load(m / "remapped" / "npy" / "a.npy") == 3.0


@pytest.mark.parametrize("flags", [(), ("--rename", "line/**=new/**"), ("--alias", "line/a=slope"), ("--drop", "line/b")])
def test_a_name_based_model_loads_with_any_map(name_based, mount, flags):
    m = mount(name_based, *flags)
    assert by_version_1(m) == 10.0
    signature = tf.saved_model.load(str(m)).signatures["serving_default"]
    assert float(list(signature(tf.constant(2.0)).values())[0]) == 10.0


def test_the_variables_gain_names_and_remapped_has_the_result_of_the_map(name_based, mount):
    m = mount(name_based, "--rename", "line/a=slope", "--drop", "line/b", "--alias", "line/a=line/b/again")
    inside = [name for name, _ in tf.train.list_variables(f"{m}/variables/variables")]
    assert inside == ["line/a", "line/b", "line/b/again", "slope"]
    assert [name for name, _ in tf.train.list_variables(f"{m}/remapped")] == ["line/b/again", "slope"]
    assert restored(f"{m}/remapped", {"slope": tf.float32})["slope"] == 3.0
    assert sorted(os.listdir(m / "remapped" / "vars")) == ["line", "slope"]
    with v1.Graph().as_default(), v1.Session() as session:
        slope = v1.get_variable("slope", shape=[])
        v1.train.Saver([slope]).restore(session, f"{m}/variables/variables")
        assert session.run(slope) == 3.0


def test_a_new_name_does_not_replace_another_variable(name_based, mount):
    m = mount(name_based, "--rename", "line/a=line/b", "--rename", "line/b=line/a")
    assert by_version_1(m) == 10.0
    swapped = restored(f"{m}/remapped", {"line/a": tf.float32, "line/b": tf.float32})
    assert (swapped["line/a"], swapped["line/b"]) == (4.0, 3.0)


def test_an_object_based_model_loads_under_a_map_and_restores_from_remapped(object_based, mount):
    m = mount(object_based, "--rename", "a=slope", "--alias", "b=offset")
    assert tf.saved_model.load(str(m))(2.0).numpy() == 10.0
    assert by_version_1(m) == 10.0
    slope, offset = tf.Variable(0.0), tf.Variable(0.0)
    status = tf.train.Checkpoint(slope=slope, offset=offset).restore(f"{m}/remapped")
    status.assert_nontrivial_match().expect_partial()
    assert (slope.numpy(), offset.numpy()) == (3.0, 4.0)
    inside = [name for name, _ in tf.train.list_variables(f"{m}/variables/variables")]
    assert {"a/.ATTRIBUTES/VARIABLE_VALUE", "slope/.ATTRIBUTES/VARIABLE_VALUE"} < set(inside)


def test_links_out_of_the_model_are_not_shown(object_based, mount, tmp_path):
    (tmp_path / "secret").write_text("secret")
    assets = object_based / "assets"
    assets.mkdir(exist_ok=True)
    (assets / "vocab.txt").write_text("a\nb\n")
    os.symlink("vocab.txt", assets / "words.txt")
    os.symlink("../../secret", assets / "relative")
    os.symlink(tmp_path / "secret", assets / "absolute")
    m = mount(object_based)
    assert sorted(os.listdir(m / "assets")) == ["vocab.txt", "words.txt"]
    assert (m / "assets" / "words.txt").read_text() == "a\nb\n"
    assert (m / ".ckptfs" / "log").read_text().count("leads out of its SavedModel") == 2
    assert not (m / "assets" / "relative").exists()


def test_a_model_below_a_directory_of_checkpoints_loads(name_based, mount, tmp_path):
    run = tmp_path / "run"
    with v1.Graph().as_default(), v1.Session() as session:
        v1.get_variable("line/a", initializer=1.0)
        session.run(v1.global_variables_initializer())
        (run / "export").mkdir(parents=True)
        v1.train.Saver().save(session, str(run / "model.ckpt"), global_step=1)
    name_based.rename(run / "export" / "1")
    m = mount(run, "--rename", "line/**=new/**")
    assert tf.train.list_variables(str(m)) == [("new/a", [])]
    assert by_version_1(m / "export" / "1") == 10.0
    assert [name for name, _ in tf.train.list_variables(f"{m}/export/1/remapped")] == ["new/a", "new/b"]


def test_other_commands_list_the_models_variables(object_based):
    run = ckptfs("ls", object_based)
    assert run.returncode == 0 and "a" in run.stdout.split()
