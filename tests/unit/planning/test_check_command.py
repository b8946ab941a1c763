"""What ``make check`` prints: tables and facts written by hand, lines as a reader sees them."""

import json

import pytest

from blastfold.core.errors import InputError
from blastfold.planning.check_command import (
    found_lines,
    main,
    plan_lines,
    planned_jobs,
    run_snakemake,
)

COUNTED = ("copy", "subject", "picture", "parent", "leakage_group")
COLUMNS = [
    *("dataset", "dataset_title", "protocol", "protocol_title", "against", "against_title"),
    *("folds", "test_images", *(f"{name}{end}" for name in COUNTED for end in ("", "_share"))),
    "note",
]
ROW = ["cells", "Our cells", "by_subject", "By subject", "train", "training", 5, 60]
PRINTED = """Building DAG of jobs...
Job stats:
job               count
--------------  -------
train_folds           2
train_model          10
write_page            1
all                   1
total                14

Reasons:
train_folds 5
"""


@pytest.fixture
def results(tmp_path):
    """A data set with a rejected file and a doubt, and a split that keeps subjects together."""
    files = {"found": 9, "imported": 8, "rejected": 1, "ignored": 0, "missing": 0}
    files |= {"rejected_by": {"empty file": 1}, "ignored_by": {}, "endings": {}}
    facts = {"classes": ["normal", "blast"], "class_images": {"normal": 4, "blast": 4}}
    facts |= {"images": 8, "subjects": 4, "pictures": 0, "rejected": 1, "files": files}
    facts |= {"odd": [], "photographs": None, "unnamed": {"subject": 0, "picture": 8}}
    folder = tmp_path / "datasets" / "cells"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(facts))
    rows = [
        [*ROW, 20, 1 / 3, 0, 0, "", "", "", "", 45, 0.75, "the source names no pictures"],
        [*ROW, 8, 2 / 15, 0, 0, "", "", "", "", 0, 0, "the source names no pictures"],
    ]
    rows[1][4:6] = "validation", "validation"
    lines = ["\t".join(map(str, row)) for row in (COLUMNS, *rows)]
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "leakage.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def checked(**protocol):
    """The parts of a checked config that are read."""
    protocols = {"by_subject": {"kind": "kfold", "group_by": "subject", **protocol}}
    return {"datasets": {"cells": {"format": "folder"}}, "protocols": protocols, "models": {}}


def test_data_leakage_and_doubts_are_printed(results):
    text = "\n".join(found_lines(checked(), results))
    assert "  cells: 9 files found = 8 imported + 1 rejected" in text
    assert f"not used, with reasons: {results}/datasets/cells/rejected.tsv" in text
    assert "  Our cells, By subject: 60 test images in 5 folds" in text
    assert (
        "training    copy 20 (33.3 %), subject 0, picture unknown, original unknown, "
        "leakage group 45 (75.0 %)"
    ) in text
    assert text.count("unknown: the source names no pictures") == 1
    assert "! cells, by_subject: 45 of 60 test images are related to training images" in text
    assert "<sup>" not in text


@pytest.mark.parametrize("group_by", ["image", "group"])
def test_no_doubt_about_a_split_that_is_meant_to_leak_or_cannot(results, group_by):
    assert not any(
        line.startswith("  !") for line in found_lines(checked(group_by=group_by), results)
    )


@pytest.mark.parametrize(
    ("group_by", "advice"),
    [("picture", "Until then, a protocol with group_by: group keeps"), ("group", "")],
)
def test_unknown_subjects_are_a_doubt_with_what_helps(results, group_by, advice):
    path = results / "datasets" / "cells" / "dataset.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "unnamed": {"subject": 8, "picture": 0}}))
    config = checked(group_by=group_by)
    config["experiments"] = [{"datasets": ["cells"], "protocols": ["by_subject"], "models": []}]
    [doubt] = [line for line in found_lines(config, results) if "! cells: the subject" in line]
    assert "the subject of 8 of 8 images is unknown. A result on new subjects needs" in doubt
    assert ("Until then" in doubt) == bool(advice)
    assert advice in doubt
    config["datasets"]["cells"]["independent_images"] = True
    assert not any("! cells: the" in line for line in found_lines(config, results))


def test_subjects_with_copies_of_one_another_are_a_doubt(results):
    place = results / "datasets" / "cells"
    (place / "manifest.tsv").write_text("image_id\tsubject\na\tP1\nb\tP2\nc\tP1\nd\t\n")
    (place / "duplicates.tsv").write_text("first\tsecond\na\tc\nb\ta\nc\td\n")
    [doubt] = [line for line in found_lines(checked(), results) if "show the same cell" in line]
    assert (
        f"({place}/duplicates.tsv). Different subjects have such pairs: P1 and P2 (1 pair)."
        in doubt
    )


def test_plan_counts_trainings_and_names_the_next_command():
    jobs = planned_jobs(PRINTED)
    assert jobs == {"train_folds": 2, "train_model": 10, "write_page": 1, "all": 1}
    lines = plan_lines(jobs, "my.yaml")
    assert lines[0] == "Next: make results CONFIG=my.yaml"
    assert "14 jobs, 12 of them train networks" in lines[1]
    assert "train_folds 2, train_model 10, write_page 1" in lines[2]
    assert plan_lines(jobs, "config.yaml")[0] == "Next: make results"


def test_nothing_left_is_no_plan_of_nothing():
    assert planned_jobs("Nothing to be done (all requested files are present).") == {}
    assert "nothing is left to do" in plan_lines({}, "my.yaml")[0]


def test_lines_about_the_machinery_are_left_out_and_failures_are_handed_on(capfd):
    said = "Using workflow specific profile profiles/default for\\nReal trouble"
    assert run_snakemake(["sh", "-c", f"printf '{said}\\n' >&2; exit 3"]) == 3
    assert capfd.readouterr().err == "Real trouble\n"


def test_a_wrong_config_stops_before_anything_runs(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("datasets: [\n")
    with pytest.raises(InputError, match=r"wrong\.yaml"):
        main([str(path)])
