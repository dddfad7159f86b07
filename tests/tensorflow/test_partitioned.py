"""Variables that were saved in slices: TensorFlow and NumPy read the whole, and partitioned programs their slices,
under any name."""

import json
import sys

import numpy as np
import pytest
import tensorflow as tf

from harness import ROOT, array, assert_same, assert_widens_to, ckptfs, fixture, same, stored_bytes, values

sys.path.insert(0, str(ROOT / "scripts"))
import slice_fixtures  # noqa: E402

v1 = tf.compat.v1

# TensorFlow has no kernel that joins these. ckptfs joins them.
NOT_JOINED = ("float16", "uint16", "string")
WHOLE = {name: np.arange(30).reshape(5, 6).astype(name) for name in ("float16", "uint16", "float32", "int64", "complex64", "bool")}
WHOLE["string"] = np.array([f"{'w' * n}{n}".encode() for n in range(30)], object).reshape(5, 6)
DEEP = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
EXPECTED = {f"{name}/{cut}": value for name, value in WHOLE.items() for cut in ("rows", "columns", "grid")}
EXPECTED |= {"deep": DEEP, "deeper/middle": DEEP, "whole": DEEP}


def by_slices(prefix, name, value):
    """Returns a value as a program restores it that asks for the saved slices. The slices are joined here."""
    found = np.zeros_like(value)
    cuts = {
        "rows": [((0, 2), None), ((2, 2), None), ((4, 1), None)],
        "columns": [(None, (4, 2)), (None, (0, 1)), (None, (1, 3))],
        "grid": [(rows, columns) for rows in ((0, 3), (3, 2)) for columns in ((0, 2), (2, 4))],
    }
    for slices in cuts[name.split("/")[-1]]:
        spec = slice_fixtures.spelt(value.shape, slices)
        part = tf.raw_ops.RestoreV2(prefix=str(prefix), tensor_names=[name], shape_and_slices=[spec], dtypes=[dtype_of(value)])[0]
        ranges = tuple(slice(None) if extent is None else slice(extent[0], sum(extent)) for extent in slices)
        found[ranges] = part.numpy()
    return found


def dtype_of(value):
    return tf.string if value.dtype == object else tf.as_dtype(value.dtype)


def facts(tree, name):
    return tree / "vars" / name


def variables_of(tree):
    """Returns the directory of each variable in `vars/`, by its name."""
    return {json.loads(info.read_text())["name"]: info.parent for info in tree.rglob("vars/**/info.json")}


@pytest.fixture(params=[[], ["--rename", "**=renamed/**"]], ids=["unmapped", "renamed"])
def shown(request, mount):
    m = mount(fixture("sliced_dtypes"), *request.param)
    return m, "renamed/" if request.param else ""


class TestShown:
    def test_numpy_reads_every_variable_as_a_whole(self, shown):
        m, scope = shown
        for name, value in EXPECTED.items():
            shown_array = np.load(facts(m / "ckpt-9", scope + name) / "array.npy")
            if value.dtype == object:
                assert shown_array.tolist() == value.tolist()
            else:
                assert_widens_to(shown_array, value)
                assert (facts(m / "ckpt-9", scope + name) / "raw").read_bytes() == stored_bytes(value)

    def test_tensorflow_joins_the_dtypes_that_it_supports(self, shown):
        m, scope = shown
        names = [name for name in EXPECTED if not name.startswith(NOT_JOINED)]
        found = values(m / "ckpt-9", [scope + name for name in names])
        assert_same(found, {scope + name: EXPECTED[name] for name in names})

    def test_tensorflow_restores_every_slice_of_every_dtype(self, shown):
        m, scope = shown
        for name, value in EXPECTED.items():
            if name.count("/") and name.split("/")[1] in ("rows", "columns", "grid"):
                assert same(by_slices(m / "ckpt-9", scope + name, value), value), name

    def test_variables_are_listed_with_their_whole_shape(self, shown):
        m, scope = shown
        listed = tf.train.list_variables(str(m / "ckpt-9"))
        assert listed == sorted((scope + name, list(value.shape)) for name, value in EXPECTED.items())
        assert sorted(variables_of(m / "ckpt-9")) == sorted(name for name, _ in listed)

    def test_info_lists_the_slices(self, shown):
        m, scope = shown
        info = json.loads((facts(m / "ckpt-9", scope + "float16/grid") / "info.json").read_text())
        assert [(s["start"], s["shape"]) for s in info["slices"]] == [([0, 0], [3, 2]), ([0, 2], [3, 4]), ([3, 0], [2, 2]), ([3, 2], [2, 4])]
        assert (info["shard"], info["offset"], info["bytes"], info["crc32c"]) == (None, None, 60, None)
        assert all(s["shard"] == "ckpt-9.data-00000-of-00001" and s["crc32c"] for s in info["slices"])
        rows = json.loads((facts(m / "ckpt-9", scope + "float16/rows") / "info.json").read_text())
        assert rows["crc32c"] is not None

    def test_the_statistics_are_those_of_the_whole_variable(self, shown):
        m, scope = shown
        lines = (facts(m / "ckpt-9", scope + "int64/grid") / "stats").read_text().split("\n")
        stats = {line.split()[0]: line.split()[1] for line in lines if line}
        assert (int(stats["min"]), int(stats["max"]), float(stats["mean"]), int(stats["zeros"])) == (0, 29, 14.5, 1)


def test_an_alias_has_the_same_slices(mount):
    m = mount(fixture("sliced_dtypes"), "--alias", "float16/*=again/*")
    for name in ("rows", "columns", "grid"):
        value = WHOLE["float16"]
        assert same(by_slices(m / "ckpt-9", f"again/{name}", value), value)
        assert same(by_slices(m / "ckpt-9", f"float16/{name}", value), value)
    data = "ckpt-9.data-00000-of-00001"
    assert (m / data).read_bytes() == fixture("sliced_dtypes").with_name(data).read_bytes()


@pytest.mark.parametrize("name", ["sliced_dtypes", "partitioned", "object_sharded"])
def test_without_a_map_the_files_equal_those_of_the_source(mount, name):
    m = mount(fixture(name))
    for source in fixture(name).parent.glob("ckpt-9.*"):
        assert (m / source.name).read_bytes() == source.read_bytes()


def test_cat_and_ls_show_the_whole_variable():
    assert ckptfs("ls", fixture("sliced_dtypes")).stdout.split() == sorted(EXPECTED)
    for name in ("float32/columns", "uint16/grid"):
        text = ckptfs("cat", fixture("sliced_dtypes"), name).stdout
        assert [float(line) for line in text.split()] == WHOLE["float32"].flatten().tolist()
    assert ckptfs("cat", fixture("sliced_dtypes"), "string/columns").stdout.split() == [word.decode() for word in WHOLE["string"].flat]


def tf1_program(scope, parts):
    """Builds the program that wrote the `partitioned` fixture, with variables in `parts` slices (1: none).

    Returns its values by key.
    """
    with v1.variable_scope(scope):
        partitioner = v1.fixed_size_partitioner(parts) if parts > 1 else None
        split = v1.get_variable("split", [5, 4], partitioner=partitioner)
        whole = v1.get_variable("whole", [2])
    optimizer = v1.train.AdamOptimizer()
    optimizer.minimize(tf.reduce_sum(tf.convert_to_tensor(split) ** 2) + tf.reduce_sum(whole))
    pieces = list(split) if parts > 1 else [split]
    prefix = f"{scope}/" if scope else ""
    found = {f"{prefix}split": tf.concat(pieces, 0), f"{prefix}whole": whole}
    for slot, key in (("m", "Adam"), ("v", "Adam_1")):
        found[f"{prefix}split/{key}"] = tf.concat([optimizer.get_slot(piece, slot) for piece in pieces], 0)
    return found


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("scope", ["", "tower/a"])
def test_a_tf1_graph_with_any_partitioner_restores_variables_and_slots(mount, scope, parts):
    # Slots follow their variables. The beta powers do not belong to one variable.
    flags = ["--rename", "split=tower/a/split", "--rename", "whole=tower/a/whole"] if scope else []
    m = mount(fixture("partitioned"), *flags)
    expected = {f"{scope}/{name}" if scope else name: value for name, value in values(fixture("partitioned")).items()}
    with v1.Graph().as_default(), v1.Session() as session:
        found = tf1_program(scope, parts)
        v1.train.Saver().restore(session, str(m / "ckpt-9"))
        assert_same(session.run(found), {name: expected[name] for name in found})
        assert any(np.any(value) for value in session.run(found).values())


def test_init_from_checkpoint_fills_partitioned_variables(mount):
    m, expected = mount(fixture("partitioned"), "--rename", "split=new/table"), values(fixture("partitioned"))["split"]
    with v1.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("net"):
            table = v1.get_variable("table", [5, 4], partitioner=v1.fixed_size_partitioner(2))
        v1.train.init_from_checkpoint(str(m / "ckpt-9"), {"new/": "net/"})
        session.run(v1.global_variables_initializer())
        assert same(session.run(tf.convert_to_tensor(table)), expected)


class TestObjects:
    """Tests with `MaxShardSizePolicy`: a variable and its slots in slices over several data files."""

    def expected(self):
        root = slice_fixtures.sharded_objects()
        root.restore(str(fixture("object_sharded"))).assert_consumed()
        return [v.numpy() for v in slice_fixtures.sharded_variables(root)]

    def test_the_program_restores_completely(self, mount):
        root = slice_fixtures.sharded_objects()
        root.restore(str(mount(fixture("object_sharded")) / "ckpt-9")).assert_consumed()
        found = [v.numpy() for v in slice_fixtures.sharded_variables(root)]
        assert_all_same(found, self.expected())
        assert found[0][1, 0] == 7

    @pytest.mark.parametrize("to", ["net/deep/table", "net/aaa"])
    def test_a_renamed_variable_restores_with_its_slots(self, mount, to):
        m = mount(fixture("object_sharded"), "--rename", f"net/big={to}")
        root, parent, (*above, leaf) = slice_fixtures.sharded_objects(), None, to.split("/")[1:]
        parent = root.net
        for name in above:
            setattr(parent, name, tf.Module())
            parent = getattr(parent, name)
        setattr(parent, leaf, root.net.big)
        big = root.net.big
        del root.net.big
        root.restore(str(m / "ckpt-9")).assert_consumed()
        root.net.big = big
        assert_all_same([v.numpy() for v in slice_fixtures.sharded_variables(root)], self.expected())

    def test_a_renamed_scope_restores(self, mount):
        m = mount(fixture("object_sharded"), "--rename", "net/**=model/**")
        root = slice_fixtures.sharded_objects()
        moved = tf.train.Checkpoint(model=root.net, optimizer=root.optimizer)
        moved.restore(str(m / "ckpt-9")).assert_consumed()
        assert_all_same([v.numpy() for v in slice_fixtures.sharded_variables(root)], self.expected())

    def test_an_alias_restores_together_with_the_variable(self, mount):
        m = mount(fixture("object_sharded"), "--alias", "net/big=net/copy")
        root = tf.train.Checkpoint(net=tf.Module())
        root.net.big, root.net.copy = tf.Variable(tf.zeros([13, 7])), tf.Variable(tf.zeros([13, 7]))
        root.restore(str(m / "ckpt-9")).assert_existing_objects_matched()
        assert_all_same([root.net.big.numpy(), root.net.copy.numpy()], [self.expected()[0]] * 2)

    def test_a_name_based_program_restores_under_plain_names(self, mount):
        m = mount(fixture("object_sharded"), "--target", "name")
        with v1.Graph().as_default(), v1.Session() as session:
            big = v1.get_variable("big", [13, 7], partitioner=v1.fixed_size_partitioner(3))
            v1.train.Saver().restore(session, str(m / "ckpt-9"))
            found = session.run(tf.convert_to_tensor(big))
        assert same(found, self.expected()[0])

    def test_npy_is_the_whole_variable(self, mount):
        m = mount(fixture("object_sharded"))
        assert same(np.load(m / "ckpt-9/npy/net/big.npy"), self.expected()[0])


def assert_all_same(found, expected):
    assert [same(a, b) for a, b in zip(found, expected, strict=True)] == [True] * len(expected)


class TestReal:
    def test_a_sharded_variable_restores_under_another_path(self, real, mount):
        source = real / "generated/maxshard_sliced/shard-1"
        expected = array(values(source)["big/.ATTRIBUTES/VARIABLE_VALUE"])
        m = mount(source, "--rename", "big=deep/large")
        deep = tf.train.Checkpoint(large=tf.Variable(tf.zeros(expected.shape, expected.dtype)))
        tf.train.Checkpoint(deep=deep).restore(str(m / "shard-1")).assert_existing_objects_matched()
        assert same(deep.large.numpy(), expected)
        assert same(np.load(m / "shard-1/npy/deep/large.npy"), expected)

    def test_partitioned_adam_restores_under_other_names(self, real, mount):
        source = real / "generated/tf1_partitioned_adam/nb-1"
        m = mount(source, "--rename", "**=tower/**")
        assert_same(values(m / "nb-1"), {f"tower/{name}": value for name, value in values(source).items()})
        assert same(np.load(facts(m / "nb-1", "tower/emb/Adam") / "array.npy"), values(source)["emb/Adam"])


def test_variants_restore_under_other_names(mount):
    m = mount(fixture("variants"), "--rename", "list=a/b", "--alias", "list=again")
    for name in ("a/b", "again"):
        handle = tf.raw_ops.RestoreV2(prefix=str(m / "ckpt-9"), tensor_names=[name], shape_and_slices=[""], dtypes=[tf.variant])[0]
        stacked = tf.raw_ops.TensorListStack(input_handle=handle, element_shape=tf.constant([], tf.int32), element_dtype=tf.float32)
        assert stacked.numpy().tolist() == list(range(6))
    tree = m / "ckpt-9"
    assert "absent" in json.loads((facts(tree, "again") / "info.json").read_text())
    assert not (facts(tree, "again") / "array.npy").exists()
    assert (facts(tree, "weights") / "array.npy").exists()
    assert "list" in ckptfs("ls", fixture("variants")).stdout.split()
