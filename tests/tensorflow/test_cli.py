"""The commands that need no FUSE: they print the values of TensorFlow."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf

from harness import FIXTURES, assert_widens_to, ckptfs, fixture, refused, same, stored_bytes, values

LISTED = ["tf1_adam", "tf1_bert_tiny", "dtypes", "sharded", "ema", "strings", "snappy"]


@pytest.mark.parametrize("name", LISTED)
def test_ls_json_has_every_variable(name):
    rows = json.loads(succeed("ls", fixture(name), "--json"))
    assert sorted((row["name"], row["dtype"], tuple(row["shape"])) for row in rows) == described(name)
    if name != "strings":
        sizes = {variable: len(stored_bytes(value)) for variable, value in values(fixture(name)).items()}
        assert {row["name"]: row["bytes"] for row in rows} == sizes


@pytest.mark.parametrize("name", LISTED)
def test_ls_tsv_has_the_same_values_in_columns(name):
    head, *rows = [line.split("\t") for line in succeed("ls", fixture(name), "--tsv").splitlines()]
    assert head == ["name", "dtype", "shape", "bytes"]
    found = sorted((row[0], row[1], tuple(int(dim) for dim in row[2].split())) for row in rows)
    assert found == described(name)


def test_ls_names_each_variable_once():
    said = succeed("ls", fixture("tf1_adam")).splitlines()
    assert sorted(line.split()[0] for line in said) == sorted(values(fixture("tf1_adam")))


def test_ls_with_a_pattern_lists_its_matches():
    rows = json.loads(succeed("ls", fixture("tf1_bert_tiny"), "bert/pooler/**", "global_*", "--json"))
    names = {name for name in values(fixture("tf1_bert_tiny")) if name.startswith(("bert/pooler/", "global_"))}
    assert {row["name"] for row in rows} == names


def test_ls_of_a_directory_lists_its_newest_checkpoint_and_names_it():
    run = ckptfs("ls", FIXTURES / "two_steps", "--json")
    assert run.returncode == 0 and "ckpt-9" in run.stderr
    assert json.loads(run.stdout) == json.loads(succeed("ls", fixture("two_steps"), "--json"))


def test_ls_and_cat_use_the_names_of_a_map():
    flags = ["--rename", "bert/**=encoder/**", "--drop", "**/adam_*"]
    rows = json.loads(succeed("ls", fixture("tf1_bert_tiny"), "--json", *flags))
    names = {row["name"] for row in rows}
    assert "encoder/pooler/dense/kernel" in names and not any(n.startswith("bert/") or "adam" in n for n in names)
    array = np.load(io.BytesIO(succeed_bytes("cat", fixture("tf1_bert_tiny"), "encoder/pooler/dense/kernel", "--as", "npy", *flags)))
    assert same(array, values(fixture("tf1_bert_tiny"))["bert/pooler/dense/kernel"])


@pytest.mark.parametrize("name", ["tf1_adam", "dtypes", "sharded", "odd_names"])
def test_cat_npy_and_raw_give_the_value(name):
    for variable, value in values(fixture(name)).items():
        if name != "odd_names" or is_plain(variable):
            assert_widens_to(np.load(io.BytesIO(succeed_bytes("cat", fixture(name), variable, "--as", "npy"))), value)
            assert succeed_bytes("cat", fixture(name), variable, "--as", "raw") == stored_bytes(value)


def test_cat_text_has_one_element_per_line_that_reads_back_exactly():
    for variable, value in values(fixture("dtypes")).items():
        if value.dtype.name in READ_BACK:
            lines = succeed("cat", fixture("dtypes"), variable, "--as", "text").splitlines()
            assert len({len(line) for line in lines}) <= 1, "fixed width"
            parse = float if value.dtype.kind == "f" else int
            back = np.array([parse(line) for line in lines], value.dtype)
            np.testing.assert_array_equal(back, value.reshape(-1))


# The format of text: %15.8e, %24.16e, integers 20 wide, bool 1. The digits are enough for each dtype.
READ_BACK = {"float32", "float64", "bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


def test_cat_text_has_one_string_per_line():
    assert succeed("cat", fixture("strings"), "vocabulary", "--as", "text").splitlines() == ["the", "quick", "brown", "fox"]


def test_cat_info_has_dtype_shape_and_offset():
    for name in ("tf1_adam", "dtypes"):
        for variable, dtype, shape in described(name)[:5]:
            info = json.loads(succeed("cat", fixture(name), variable, "--as", "info"))
            assert (info["name"], info["key"], info["dtype"], tuple(info["shape"])) == (variable, variable, dtype, shape)
            assert {"bytes", "shard", "offset", "crc32c"} <= set(info)


def test_cat_of_an_unknown_name_suggests_the_nearest():
    assert "head/kernel" in refused("cat", fixture("tf1_adam"), "head/kernal")


def test_check_reports_each_rule_and_mounts_nothing():
    said = succeed("check", fixture("tf1_bert_tiny"), "--rename", "bert/**=encoder/**", "--drop", "**/adam_*")
    source = values(fixture("tf1_bert_tiny"))
    dropped = sum("/adam_" in name for name in source)
    taken = sum(name.startswith("bert/") and "/adam_" not in name for name in source)
    assert str(dropped) in said and str(taken) in said
    assert "bert/**" in said and "encoder/" in said


def test_check_of_a_map_that_does_not_fit_exits_with_1():
    assert "nothing/**" in refused("check", fixture("tf1_adam"), "--rename", "nothing/**=a/**")


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["ls"], ["cat", "x"], ["mount", "x"], ["ls", "x", "--rename", "no-equals-sign"]])
def test_wrong_usage_exits_with_2(arguments):
    assert refused(*arguments, code=2)


def succeed(*arguments):
    return succeed_bytes(*arguments).decode()


def succeed_bytes(*arguments):
    run = ckptfs(*arguments, text=False)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout


def described(name):
    """Returns the name, dtype and shape of each variable, from TensorFlow."""
    dtypes = tf.train.load_checkpoint(str(fixture(name))).get_variable_to_dtype_map()
    return sorted((n, dtypes[n].name, tuple(shape)) for n, shape in tf.train.list_variables(str(fixture(name))))


def is_plain(name):
    """Returns true if a name is shown without escapes."""
    fine = all(part not in ("", ".", "..") and len(part.encode()) <= 255 for part in name.split("/"))
    return fine and "%" not in name and name.isprintable() and not name.startswith("x/")
