"""`--target`: a checkpoint of one kind restores in programs of the other kind, and still in programs of its own
kind."""

import numpy as np
import pytest
import tensorflow as tf

import models
from harness import OBJECT_GRAPH, array, assert_same, ckptfs, fixture, values
from test_real import IN_SCOPE

v1 = tf.compat.v1
MAP = ["--target", "object", "--rename", "bert/**=encoder/**"]


class Scope(tf.Module):
    """A module for each scope of a TF1 program. Its variables have the last components of their names."""


def program(shapes):
    """Returns the tree of modules that has these variables, and each variable by its name."""
    root, found = Scope(), {}
    for name, value in shapes.items():
        *scopes, leaf = name.split("/")
        at = root
        for scope in scopes:
            if not hasattr(at, scope):
                setattr(at, scope, Scope())
            at = getattr(at, scope)
        found[name] = tf.Variable(tf.zeros(np.shape(value), np.asarray(value).dtype), name=leaf)
        setattr(at, leaf, found[name])
    children = {name: getattr(root, name) for name in {name.split("/")[0] for name in shapes}}
    return children, found


def bert(renamed="encoder", slots=False):
    """Returns the weights of the fixture by their new names."""
    source = values(fixture("tf1_bert_tiny"))
    return {name.replace("bert/", f"{renamed}/", 1): value for name, value in source.items() if slots or "/adam_" not in name}


def test_a_tree_of_modules_restores_from_tf1(mount):
    prefix = str(mount(fixture("tf1_bert_tiny"), *MAP) / "ckpt-9")
    expected = bert()
    children, variables = program(expected)
    checkpoint = tf.train.Checkpoint(**children)
    checkpoint.restore(prefix).assert_existing_objects_matched()
    assert_same({name: variable.numpy() for name, variable in variables.items()}, expected)
    assert checkpoint.save_counter.numpy() == 0


def test_without_slots_every_value_is_consumed(mount):
    prefix = str(mount(fixture("tf1_bert_tiny"), *MAP, "--drop-optimizer") / "ckpt-9")
    expected = bert()
    children, variables = program(expected)
    tf.train.Checkpoint(**children).restore(prefix).assert_consumed()
    assert_same({name: variable.numpy() for name, variable in variables.items()}, expected)


def test_tf1_reads_plain_names_from_the_same_files(mount):
    prefix = str(mount(fixture("tf1_bert_tiny"), *MAP) / "ckpt-9")
    expected = bert(slots=True)
    found = values(prefix, sorted(expected))
    assert_same(found, expected)
    with v1.Graph().as_default(), v1.Session() as session:
        variables = {name: v1.Variable(tf.zeros(np.shape(value), np.asarray(value).dtype), name=name) for name, value in expected.items()}
        v1.train.Saver(variables).restore(session, prefix)
        assert_same(session.run(variables), expected)


@pytest.mark.parametrize("make", [lambda: tf.compat.v1.train.AdamOptimizer(0.1), lambda: keras_adam()], ids=["v1", "keras"])
def test_adam_slots_are_restored_in_the_adam_of_the_new_program(mount, make):
    source = values(fixture("tf1_adam"))
    prefix = str(mount(fixture("tf1_adam"), "--target", "object") / "ckpt-9")
    weights = {name: value for name, value in source.items() if f"{name}/Adam_1" in source}
    assert len(weights) > 1
    children, variables = program(weights)
    optimizer = make()
    status = tf.train.Checkpoint(optimizer=optimizer, **children).restore(prefix)
    status.assert_nontrivial_match()
    trainable = list(variables.values())
    # The slots exist once the optimizer creates them. Without a learning rate, no weight changes.
    optimizer.apply_gradients([(tf.zeros_like(variable), variable) for variable in trainable])
    for name, variable in variables.items():
        for slot, tf1, kept in (("m", "Adam", 0.9), ("v", "Adam_1", 0.999)):
            found = optimizer.get_slot(variable, slot).numpy()
            np.testing.assert_allclose(found, source[f"{name}/{tf1}"] * np.float32(kept), rtol=1e-5)
    if hasattr(optimizer, "iterations"):
        assert optimizer.iterations.numpy() == source["global_step"] + 1


def keras_adam():
    import tf_keras

    return tf_keras.optimizers.legacy.Adam(0.1)


def test_the_graph_can_be_browsed_and_every_name_is_shown_once(mount):
    tree = mount(fixture("tf1_adam"), "--target", "object") / "ckpt-9"
    plain = ckptfs("ls", fixture("tf1_adam")).stdout.splitlines()
    shown = ckptfs("ls", fixture("tf1_adam"), "--target", "object").stdout.splitlines()
    assert len(shown) == len(set(shown)) == len(plain) + len({"save_counter", "optimizer/iter"})
    # The mount is a source too, and shows the same names.
    assert ckptfs("ls", tree.parent / "ckpt-9").stdout.splitlines() == shown
    weight = next(name for name in plain if f"{name}/Adam" in plain)
    assert (tree / "graph" / weight / "shape").read_text() == (tree / "vars" / weight / "shape").read_text()


def test_the_data_files_of_the_source_are_unchanged(mount):
    m = mount(fixture("tf1_adam"), *MAP[:2])
    source = fixture("tf1_adam").with_suffix(".data-00000-of-00001").read_bytes()
    assert (m / "ckpt-9.data-00000-of-00002").read_bytes() == source
    extra = (m / "ckpt-9.data-00001-of-00002").read_bytes()
    assert len(extra) < 20_000


@pytest.mark.parametrize("name", models.OBJECT_MODELS)
class TestPlainNames:
    def test_every_value_has_one_plain_name(self, mount, name):
        source = values(fixture(name))
        m = mount(fixture(name), "--target", "name")
        found = values(m / "ckpt-9")
        assert OBJECT_GRAPH not in tf.train.load_checkpoint(str(m / "ckpt-9")).get_variable_to_shape_map()
        assert not any(".ATTRIBUTES" in key for key in found)
        by_bytes = lambda values: sorted(np.asarray(value).tobytes() for value in values)  # noqa: E731
        assert by_bytes(found.values()) == by_bytes(source.values())

    def test_a_saver_restores_by_full_names(self, mount, name):
        prefix = str(mount(fixture(name), "--target", "name") / "ckpt-9")
        expected = values(prefix)
        with v1.Graph().as_default(), v1.Session() as session:
            variables = {key: v1.Variable(tf.zeros(np.shape(value), np.asarray(value).dtype)) for key, value in expected.items()}
            v1.train.Saver(variables).restore(session, prefix)
            assert_same(session.run(variables), expected)


def test_slots_are_named_below_their_variables():
    listed = ckptfs("ls", fixture("object_keras2"), "--target", "name").stdout.splitlines()
    assert {"hidden/kernel", "hidden/kernel/m", "hidden/kernel/v", "Adam/iter"} <= set(listed)


@pytest.mark.parametrize("prefix", IN_SCOPE)
def test_real_checkpoints_keep_every_value_in_both_kinds(real, mount, prefix):
    source = values(real / prefix)
    everything = lambda values: sorted(repr(array(value).tolist()) for value in values)  # noqa: E731
    plain = values(mount(real / prefix, "--target", "name") / (real / prefix).name)
    assert not any(".ATTRIBUTES/VARIABLE_VALUE" in name for name in plain)
    assert everything(plain.values()) == everything(source.values())
    m = mount(real / prefix, "--target", "object")
    both = values(m / (real / prefix).name)
    assert_same({name: both[name] for name in source}, source)
    assert OBJECT_GRAPH in tf.train.load_checkpoint(str(m / (real / prefix).name)).get_variable_to_shape_map()
    assert any(name.endswith("/.ATTRIBUTES/VARIABLE_VALUE") for name in both)


@pytest.mark.parametrize("prefix", IN_SCOPE)
def test_a_real_checkpoint_like_itself_is_unchanged(real, mount, prefix):
    m = mount(real / prefix, "--like", real / prefix)
    assert_same(values(m / (real / prefix).name), values(real / prefix))


def test_a_name_based_checkpoint_with_the_target_name_is_unchanged():
    shown = ckptfs("ls", fixture("tf1_adam"), "--target", "name").stdout
    assert shown == ckptfs("ls", fixture("tf1_adam")).stdout
