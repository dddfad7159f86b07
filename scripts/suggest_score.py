"""What scripts/suggest_pairs and scripts/suggest_stress share: the run of `ckptfs suggest`, and the count of its mistakes."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = [
    "with a source",
    "right",
    "wrong, not flagged",
    "flagged, right",
    "flagged, wrong",
    "not found",
    "missing ok",
    "ambiguous ok",
]


def folders(place):
    """The folders of a place that hold a pair."""
    place = Path(place)
    return [place] if (place / "have.tsv").exists() else sorted(path.parent for path in place.glob("*/have.tsv"))


def read(path):
    """The lines of a table, each by its columns."""
    header, *lines = path.read_text().splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"))) for line in lines]


def suggested(have, want):
    """What ckptfs suggests: have, ops and confidence, by the wanted name."""
    run = subprocess.run([binary(), "suggest", have, want, "--tsv"], capture_output=True, text=True)
    if run.returncode not in (0, 1) or run.stderr.startswith("error"):
        raise SystemExit(run.stderr)
    header, *lines = run.stdout.splitlines()
    rows = [dict(zip(header.split("\t"), line.split("\t"))) for line in lines]
    return {row["want"]: row for row in rows}


def score(found, answers):
    """Counts what is right and what is wrong. Several names are right where it cannot be known: those must be flagged."""
    counts = dict.fromkeys(COLUMNS, 0)
    for answer in answers:
        row = found[answer["want"]]
        is_sure = row["confidence"] == "sure"
        if answer["have"].startswith("?"):
            counts["wrong, not flagged" if is_sure else "ambiguous ok"] += 1
        elif answer["have"] == "-":
            counts["wrong, not flagged" if is_sure else "missing ok" if row["have"] == "-" else "flagged, wrong"] += 1
        else:
            counts["with a source"] += 1
            counts[verdict(row, answer, is_sure)] += 1
    return counts


def verdict(row, answer, is_sure):
    is_right = row["have"] == answer["have"] and row["ops"] == answer.get("op", "")
    if is_sure:
        return "right" if is_right else "wrong, not flagged"
    if row["have"] == "-":
        return "not found"
    return "flagged, right" if is_right else "flagged, wrong"


def binary():
    """The binary to test: $CKPTFS_BIN, or a release build."""
    if os.environ.get("CKPTFS_BIN"):
        return os.environ["CKPTFS_BIN"]
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    subprocess.run(["cargo", "build", "--locked", "--quiet", "--release", "--manifest-path", ROOT / "Cargo.toml"], check=True)
    os.environ["CKPTFS_BIN"] = str(target / "release" / "ckptfs")
    return os.environ["CKPTFS_BIN"]
