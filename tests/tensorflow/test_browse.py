"""The object graph as directories: every path opens, by `graph/` or by full name, and every walk of the tree ends."""

import json
import os
import subprocess

import numpy as np
import pytest
import tensorflow as tf

import models
from harness import OBJECT_GRAPH, ckptfs, fixture, values

CAN_BE_LISTED = list(models.OBJECT_MODELS)


def links(folder):
    """Returns every link below a directory with its target, without following links."""
    found = [os.path.join(at, name) for at, folders, files in os.walk(folder) for name in [*folders, *files]]
    return {path: os.readlink(path) for path in found if os.path.islink(path)}


@pytest.mark.parametrize("name", CAN_BE_LISTED)
class TestRealGraphs:
    def test_every_link_leads_somewhere(self, plain, name):
        for folder in ("graph", "names"):
            found = links(plain(name) / "ckpt-9" / folder)
            assert found
            assert [path for path in found if not os.path.exists(path)] == []

    def test_every_path_of_ls_opens_and_has_the_value(self, plain, name):
        listed = json.loads(ckptfs("ls", fixture(name), "--json").stdout)
        expected = values(fixture(name))
        paths = [(path, variable) for variable in listed for path in variable["paths"]]
        assert len(paths) > len(expected) / 3
        for path, variable in paths:
            at = plain(name) / "ckpt-9/graph" / path
            if variable["key"].endswith("VARIABLE_VALUE") and (at / "array.npy").exists():
                assert np.load(at / "array.npy").tobytes() == np.asarray(expected[variable["key"]]).tobytes()

    def test_full_names_lead_to_the_variable(self, plain, name):
        full_names = {variable["full_name"] for variable in json.loads(ckptfs("ls", fixture(name), "--json").stdout)}
        for full_name in full_names - {None}:
            scopes = ["/".join(full_name.split("/")[:depth]) for depth in range(1, full_name.count("/") + 1)]
            # If a variable has the name of a directory, the directory gets a trailing `%`.
            marked = [scope.rsplit("/")[-1] + "%" * (scope in full_names) for scope in scopes]
            at = (plain(name) / "ckpt-9/names").joinpath(*marked, full_name.split("/")[-1])
            info = json.loads((at / "info.json").read_text())
            assert info["full_name"] == full_name

    def test_find_and_grep_terminate(self, plain, name):
        tree = plain(name) / "ckpt-9"
        assert subprocess.run(["find", tree / "graph"], capture_output=True, timeout=20).returncode == 0
        assert subprocess.run(["grep", "-rq", "float32", tree / "vars"], timeout=20).returncode == 0
        assert subprocess.run(["grep", "-r", "float32", tree / "graph"], capture_output=True, timeout=20).stderr == b""


class Linked(tf.Module):
    pass


def test_a_densely_linked_graph_has_no_more_entries_than_edges(mount, tmp_path):
    modules = [Linked() for _ in range(9)]
    for number, module in enumerate(modules):
        module.w = tf.Variable(float(number))
        for other, target in enumerate(modules):
            setattr(module, f"m{other}", target)
    prefix = tf.train.Checkpoint(**{f"m{i}": module for i, module in enumerate(modules)}).write(str(tmp_path / "dense"))
    tree = mount(prefix) / "dense"
    assert len(links(tree / "graph")) == 9 * 9 + 9
    assert json.loads((tree / "graph/m3/m1/m3/m7/m7/w/info.json").read_text())["name"] == "m7/w"
    found = subprocess.run(["find", tree / "graph"], capture_output=True, text=True, timeout=20)
    assert len(found.stdout.splitlines()) == 1 + 9 + 9 * 9 + 9
    inodes = {path: os.stat(path).st_ino for path in found.stdout.splitlines() if not os.path.islink(path)}
    assert len(set(inodes.values())) == len(inodes)
    shown = ckptfs("ls", prefix, "--paths", "m7/w").stdout.splitlines()
    assert shown[:2] == ["m7/w", "  m7/w"] and shown[-1].startswith("  … and more than ")


def test_a_name_based_checkpoint_has_no_graph_and_no_names(plain):
    assert not {"graph", "names"} & set(os.listdir(plain("tf1_adam") / "ckpt-9"))
    assert OBJECT_GRAPH not in ckptfs("ls", fixture("tf1_adam"), "--paths").stdout
