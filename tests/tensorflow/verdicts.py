"""The rows of failures that a printed command mends. The tests that prove it register themselves here.

A row counts as mended if a test runs one line that ckptfs prints, a command or a line of Python, and finds the right
values in TensorFlow, bit by bit. A test that fails is red by itself, so this module only collects what the tests claim.
"""

# The tests of each row: the one printed line is run; or several are printed, and the test, as the user, chooses one.
MENDED, CHOSEN = {}, {}

# The rows that no command mends, and why.
EXPLAINED = {
    6: "nothing is wrong: a checkpoint of objects does not contain the names of layers that changed",
    54: "nothing is wrong: the state file names the latest of many checkpoints",
    55: "nothing is wrong: shards and partitions are read as one checkpoint",
    57: "the values are not in the file: the model was not built when it was saved; the printed line saves it again",
    58: "the values are not in the file: Keras 3 hides lists of layers; the printed line saves them again",
    61: "deleted files do not come back; the printed line keeps those that are left",
}


def mended(*rows):
    """Marks a test that runs the one printed line, and compares the values bit by bit."""
    return claim(MENDED, rows)


def chosen(*rows):
    """Marks a test that runs the right one of several printed lines, between which only the user can decide."""
    return claim(CHOSEN, rows)


def claim(verdict, rows):
    def mark(test):
        for row in rows:
            verdict.setdefault(row, []).append(f"{test.__module__}.{test.__name__}")
        return test

    return mark
