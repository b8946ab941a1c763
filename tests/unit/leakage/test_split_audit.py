"""The audit of a split: counted by hand, reported or forbidden."""

import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.leakage.split_audit import audit_split


def write(folder, name, columns, rows):
    pd.DataFrame(rows, columns=columns).to_csv(folder / name, sep="\t", index=False)


@pytest.fixture
def data_set(tmp_path):
    """Six images of three subjects; image f is a copy of image a."""
    rows = [(name, 0, subject, "", "") for name, subject in zip("abcdef", "112233", strict=True)]
    write(tmp_path, "manifest.tsv", ["image_id", "label", "subject", "picture", "parent"], rows)
    groups = [(name, group) for name, group in zip("abcdef", "aaccaa", strict=True)]
    write(tmp_path, "groups.tsv", ["image_id", "group"], groups)
    write(tmp_path, "duplicates.tsv", ["first", "second"], [("a", "f")])
    return tmp_path


def run(folder, roles, leakage):
    rows = [(name, 0, 0, role) for name, role in zip("abcdef", roles, strict=True)]
    write(folder, "folds.tsv", ["image_id", "repeat", "fold", "role"], rows)
    names = ("folds", "manifest", "groups", "duplicates")
    outputs = {name: folder / f"{name}.out.tsv" for name in ("summary", "crossings")}
    inputs = {name: folder / f"{name}.tsv" for name in names}
    audit_split(**inputs, name="mine", leakage=leakage, **outputs)
    summary = pd.read_csv(outputs["summary"], sep="\t")
    against_train = summary[summary["against"] == "train"].set_index("reason")["crossing"]
    return against_train.to_dict()


def test_what_crosses_is_counted(data_set):
    # Tested: b, whose subject is trained on through a; and f, a copy of a with e of its subject.
    found = run(data_set, ["train", "test", "train", "train", "train", "test"], "report")
    assert found == {"copy": 1, "subject": 2, "picture": 0, "parent": 0, "group": 2}


def test_forbidden_leakage_stops_with_the_list(data_set):
    with pytest.raises(InputError, match=r"protocols\.mine: leakage is forbid") as caught:
        run(data_set, ["train", "test", "train", "train", "train", "test"], "forbid")
    assert "group_by: group" in str(caught.value)
    assert not (data_set / "summary.out.tsv").exists()


def test_subjects_apart_but_a_copy_across_is_leakage(data_set):
    roles = ["test", "test", "train", "train", "train", "train"]
    assert run(data_set, roles, "report")["subject"] == 0
    with pytest.raises(InputError, match="copy"):
        run(data_set, roles, "forbid")


def test_groups_apart_pass(data_set):
    roles = ["train", "train", "test", "test", "train", "train"]
    assert sum(run(data_set, roles, "forbid").values()) == 0
