"""Locked test sets: nothing of them is in the open part, and every opening is recorded."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.repository import SCHEMA

from blastfold.core.errors import InputError
from blastfold.core.openings import add_opening, read_openings
from blastfold.experiment.config import check_config
from blastfold.folds.locked_test import (
    lock_part,
    locked_rows,
    open_locked_test,
    take_locked_part,
)

KINDS = {"images": "npy", "manifest": "tsv", "summary": "json", "duplicates": "tsv"}
KINDS |= {"groups": "tsv", "rejected": "tsv"}


def manifest(subjects=8, each=5):
    """Half of the subjects are healthy; image k of a subject shows the number of its row."""
    rows = np.arange(subjects * each)
    subject = rows // each
    label = subject % 2
    table = pd.DataFrame({"image_id": [f"image-{row:03d}" for row in rows], "label": label})
    table["class"] = np.array(["normal", "blast"])[label]
    table["subject"] = [f"s{number}" for number in subject]
    table["part"] = np.where(subject < subjects - 2, "first", "second")
    for name in ("picture", "file", "sha256"):
        table[name] = table["image_id"]
    return table.assign(height=4, width=4)


def paths(folder, name):
    (folder / name).mkdir(exist_ok=True)
    found = {kind: str(folder / name / f"{kind}.{end}") for kind, end in KINDS.items()}
    return found | {"locked": str(folder / name / "locked.tsv")}


def write_whole(folder, table=None, groups=None):
    table = manifest() if table is None else table
    base = paths(folder, "whole")
    rows = np.arange(len(table), dtype=np.uint8)
    np.save(base["images"], np.broadcast_to(rows[:, None, None, None], (len(table), 4, 4, 3)))
    table.to_csv(base["manifest"], sep="\t", index=False)
    groups = table["subject"] if groups is None else groups
    table[["image_id"]].assign(group=groups, relations="known").to_csv(
        base["groups"], sep="\t", index=False
    )
    pairs = pd.DataFrame({"first": table["image_id"][:-1], "second": table["image_id"][1:].values})
    pairs.to_csv(base["duplicates"], sep="\t", index=False)
    summary = {"name": "whole", "image_size": [4, 4], "files": {"found": 1}}
    Path(base["summary"]).write_text(json.dumps(summary), "utf-8")
    return base


def lock(folder, base, chosen):
    outputs = paths(folder, "open")
    lock_part(base, outputs, {"name": "cells", "format": "open", "locked_test": chosen}, 7)
    return outputs


def read(path):
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


@pytest.mark.parametrize(
    "chosen", [{"share": 0.25}, {"subjects": ["s2", "s5"]}, {"parts": ["second"]}]
)
def test_no_file_of_the_open_part_has_a_locked_image(tmp_path, chosen):
    base = write_whole(tmp_path)
    opened = lock(tmp_path, base, chosen)
    locked = set(read(opened["locked"])["image_id"])
    assert len(locked) == 10
    whole = manifest().set_index("image_id")
    # Both classes, and whole subjects alone.
    assert set(whole.loc[sorted(locked), "label"]) == {0, 1}
    assert not set(whole.loc[sorted(locked), "subject"]) & set(read(opened["manifest"])["subject"])
    for kind in ("manifest", "groups", "duplicates"):
        text = Path(opened[kind]).read_text("utf-8")
        assert not [name for name in locked if name in text]
    # Pixels name the row that they come from.
    rows = [int(name[-3:]) for name in read(opened["manifest"])["image_id"]]
    assert np.load(opened["images"])[:, 0, 0, 0].tolist() == rows
    summary = json.loads(Path(opened["summary"]).read_text("utf-8"))
    assert summary["images"] == 30
    assert summary["locked"] == {
        **{"images": 10, "groups": 2, "subjects": 2},
        "class_images": {"normal": 5, "blast": 5},
    }
    assert summary["derived"].startswith("10 images of 2 leakage groups are locked away")
    part = paths(tmp_path, "part")
    take_locked_part(
        base, opened["locked"], part, {"name": "cells_locked_test", "format": "locked"}
    )
    assert set(read(part["manifest"])["image_id"]) == locked
    rows = [int(name[-3:]) for name in read(part["manifest"])["image_id"]]
    assert np.load(part["images"])[:, 0, 0, 0].tolist() == rows


def test_the_share_is_drawn_by_seed_and_name():
    table = manifest(subjects=40, each=1)
    groups = table["subject"].to_numpy(dtype=object)
    draws = {
        (name, seed): tuple(locked_rows(table, groups, {"share": 0.3}, name, seed))
        for name in ("one", "other")
        for seed in (1, 1, 2)
    }
    assert len(set(draws.values())) == 4
    assert {len(rows) for rows in draws.values()} == {12}


@pytest.mark.parametrize(
    ("chosen", "groups", "message"),
    [
        ({"subjects": ["s0", "s9"]}, None, r"subjects: received \['s9'\], but .* \['s0', 's1'"),
        ({"parts": ["third"]}, None, r"parts: received \['third'\], .* \['first', 'second'\]"),
        ({"subjects": ["s0", "s2"]}, None, "the locked part would have no blast image"),
        ({"subjects": ["s1", "s0", "s3", "s5", "s7"]}, None, "the open part would have no blast"),
        # s1 and s2 share a copy.
        ({"subjects": ["s0", "s1"]}, {"s1": "g", "s2": "g"}, "1 leakage groups would be in both"),
        # All blasts are of one group.
        (
            {"share": 0.2},
            {"s1": "g", "s3": "g", "s5": "g", "s7": "g"},
            "no .* image. The class has 1 leakage group, of which",
        ),
    ],
)
def test_a_part_that_cannot_be_locked_is_named(tmp_path, chosen, groups, message):
    table = manifest()
    base = write_whole(tmp_path, table, table["subject"].replace(groups or {}))
    with pytest.raises(InputError, match=f"datasets.cells.locked_test.*{message}"):
        lock(tmp_path, base, chosen)


def test_every_opening_is_a_line_of_its_own(tmp_path):
    locked = tmp_path / "locked.tsv"
    manifest()[:6][["image_id"]].assign(group="g").to_csv(locked, sep="\t", index=False)
    record = tmp_path / "deep" / "openings.tsv"
    facts = {"dataset": "cells", "runs": "folds/cnn", "config": "0123", "commit": "abc"}
    for number, dirty in enumerate((False, True, None), start=1):
        opening = tmp_path / f"{number}.json"
        open_locked_test(locked, opening, {**facts, "dirty": dirty}, record)
        assert json.loads(opening.read_text())["number"] == str(number)
        assert len(record.read_text("utf-8").splitlines()) == 1 + number
    lines = read_openings(record)
    assert [line["changed"] for line in lines] == ["no", "yes", "unknown"]
    assert {line["images"] for line in lines} == {"6"}
    with record.open(encoding="utf-8") as file:
        assert [row["number"] for row in csv.DictReader(file, delimiter="\t")] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("folds/cnn", "folds/own", 1),
        lambda text: "".join(text.splitlines(keepends=True)[:1] + text.splitlines(True)[2:]),
        lambda text: text.replace("opened", "seen", 1),
        lambda text: "",
    ],
)
def test_a_changed_record_is_found_and_not_continued(tmp_path, change):
    record = tmp_path / "openings.tsv"
    facts = {"dataset": "cells", "runs": "folds/cnn", "images": 6, "commit": "abc"}
    for _ in range(3):
        add_opening(record, {**facts, "changed": "no", "config": "0123"})
    record.write_text(change(record.read_text("utf-8")), "utf-8")
    before = record.read_bytes()
    with pytest.raises(InputError, match=r"openings\.tsv"):
        add_opening(record, {**facts, "changed": "no", "config": "0123"})
    assert record.read_bytes() == before


def config(**changes):
    entry = {"format": "folder", "locked_test": {"share": 0.2}, "remove_duplicates": True}
    return {
        "datasets": {"cells": entry | changes},
        "protocols": {"folds": {"kind": "kfold", "folds": 3}},
        "models": {"cnn": {"architecture": "simple_cnn"}},
        "experiments": [{"datasets": ["cells"], "protocols": ["folds"], "models": ["cnn"]}],
    }


def test_a_locked_data_set_becomes_three():
    datasets = check_config(config(), SCHEMA)["datasets"]
    assert {name: entry["format"] for name, entry in datasets.items()} == {
        "cells_whole": "folder",
        "cells": "open",
        "cells_locked_test": "locked",
    }
    # The files are where the entry says; what is removed is removed after the lock.
    assert datasets["cells_whole"]["path"] == "resources/raw/cells"
    assert not datasets["cells_whole"]["remove_duplicates"]
    assert datasets["cells"]["remove_duplicates"]
    assert datasets["cells"]["of"] == datasets["cells_locked_test"]["of"] == "cells_whole"


def vectors_of(given):
    given["models"]["cnn"] = {
        **{"architecture": "features", "train": "head", "augment": False},
        "vectors": {"file": "v.tsv"},
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda given: given["datasets"]["cells"].update(locked_test={}), "received nothing"),
        (
            lambda given: given["datasets"]["cells"]["locked_test"].update(parts=["a"]),
            "received share and parts, expected one of",
        ),
        (lambda given: given["datasets"]["cells"].update(locked_test={"share": 1}), "share"),
        (
            lambda given: given["datasets"]["cells"].update(locked_test={"subjects": []}),
            "1 or more",
        ),
        (
            lambda given: given["datasets"].update(cells_whole={"format": "folder"}),
            "makes a data set cells_whole, but",
        ),
        (
            lambda given: given["datasets"].update(
                more={"format": "grown", "of": "cells", "grow": {"times": 2}, "locked_test": {}}
            ),
            "datasets.more.locked_test: format grown takes this from the data set",
        ),
        (vectors_of, "has architecture features and so no Keras network to test"),
    ],
)
def test_a_wrong_locked_test_is_named(change, message):
    given = config()
    change(given)
    with pytest.raises(InputError, match=message):
        check_config(given, SCHEMA)
