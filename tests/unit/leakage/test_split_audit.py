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


def run(folder, roles, leakage, independent=False):
    rows = [(name, 0, 0, role) for name, role in zip("abcdef", roles, strict=True)]
    write(folder, "folds.tsv", ["image_id", "repeat", "fold", "role"], rows)
    names = ("folds", "manifest", "groups", "duplicates")
    outputs = {name: folder / f"{name}.out.tsv" for name in ("summary", "crossings")}
    inputs = {name: folder / f"{name}.tsv" for name in names}
    audit_split(**inputs, name="mine", leakage=leakage, independent=independent, **outputs)
    summary = pd.read_csv(outputs["summary"], sep="\t")
    against_train = summary[summary["against"] == "train"].set_index("reason")["crossing"]
    return against_train.to_dict()


def test_what_crosses_is_counted(data_set):
    # Tested: b, whose subject is trained on through a; and f, a copy of a with e of its subject.
    found = run(data_set, ["train", "test", "train", "train", "train", "test"], "report")
    unnamed = {reason: found.pop(reason) for reason in ("picture", "parent")}
    assert found == {"copy": 1, "subject": 2, "group": 2}
    assert all(pd.isna(count) for count in unnamed.values())


@pytest.mark.parametrize(("leakage", "warned"), [("report", True), ("intended", False)])
def test_a_leak_on_purpose_is_counted_and_no_warning(data_set, caplog, leakage, warned):
    found = run(data_set, ["train", "test", "train", "train", "train", "test"], leakage)
    assert found["subject"] == 2
    assert any("have their subject" in text for text in warnings_of(caplog)) == warned


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


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


def test_removed_duplicates_still_tie_their_subjects_with_a_note(data_set):
    # Worked example: f is removed, a copy of a; subject 3 (e) stays tied to subject 1 (a, b).
    rows = [(name, 0, 0, "train" if name in "abc" else "test") for name in "abcde"]
    write(data_set, "folds.tsv", ["image_id", "repeat", "fold", "role"], rows)
    names = ("folds", "manifest", "groups", "duplicates")
    outputs = {name: data_set / f"{name}.out.tsv" for name in ("summary", "crossings")}
    inputs = {name: data_set / f"{name}.tsv" for name in names}

    def audit():
        audit_split(**inputs, name="mine", leakage="report", **outputs)
        summary = pd.read_csv(outputs["summary"], sep="\t", keep_default_na=False)
        return summary[summary["against"] == "train"].set_index("reason")

    found = audit()
    # Images c and d are of one subject, which is another reason for a divided group.
    assert found.loc[["copy", "subject", "group"], "crossing"].tolist() == ["0", "1", "2"]
    assert not found["note"].str.contains("removed").any()
    write(data_set, "folds.tsv", ["image_id", "repeat", "fold", "role"], [*rows[:2], rows[4]])
    found = audit()
    assert found.loc[["copy", "subject", "group"], "crossing"].tolist() == ["0", "0", "1"]
    assert found["note"].to_dict()["group"] == "removed_duplicates_tie:1"
    assert not found["note"].drop("group").str.contains("removed").any()
    write(data_set, "duplicates.tsv", ["first", "second"], [])
    assert audit()["note"].to_dict()["group"] == ""


def test_groups_apart_pass(data_set):
    roles = ["train", "train", "test", "test", "train", "train"]
    found = run(data_set, roles, "forbid")
    assert found["copy"] == found["subject"] == found["group"] == 0


@pytest.fixture
def without_subjects(data_set):
    """The same images; nobody has named a subject."""
    table = pd.read_csv(data_set / "manifest.tsv", sep="\t", keep_default_na=False)
    table.assign(subject="").to_csv(data_set / "manifest.tsv", sep="\t", index=False)
    write(data_set, "groups.tsv", ["image_id", "group"], [(name, name) for name in "abcdef"])
    write(data_set, "duplicates.tsv", ["first", "second"], [])
    return data_set


ROLES = ["train", "train", "test", "test", "train", "train"]


def test_unknown_subjects_are_refused_where_leakage_is_forbidden(without_subjects):
    with pytest.raises(InputError, match=r"the subject of 6 of 6 images is unknown") as caught:
        run(without_subjects, ROLES, "forbid")
    assert "independent_images: true" in str(caught.value)
    assert not (without_subjects / "summary.out.tsv").exists()


def test_unknown_subjects_are_a_warning_and_no_zero_where_leakage_is_reported(
    without_subjects, caplog
):
    found = run(without_subjects, ROLES, "report")
    assert found["copy"] == 0
    assert all(pd.isna(found[name]) for name in ("subject", "picture", "parent", "group"))
    assert "the subject of 6 of 6 images is unknown" in caplog.text


def test_images_that_are_declared_as_independent_pass(without_subjects, caplog):
    assert sum(run(without_subjects, ROLES, "forbid", independent=True).values()) == 0
    assert "unknown" not in caplog.text


def test_unknown_subjects_of_images_outside_the_split_do_not_matter(data_set):
    table = pd.read_csv(data_set / "manifest.tsv", sep="\t", keep_default_na=False, dtype=str)
    table.loc[5, "subject"] = ""
    table.to_csv(data_set / "manifest.tsv", sep="\t", index=False)
    rows = [(name, 0, 0, role) for name, role in zip("abcde", ROLES[:5], strict=True)]
    write(data_set, "folds.tsv", ["image_id", "repeat", "fold", "role"], rows[:4])
    inputs = {name: data_set / f"{name}.tsv" for name in ("manifest", "groups", "duplicates")}
    outputs = {name: data_set / f"{name}.out.tsv" for name in ("summary", "crossings")}
    audit_split(data_set / "folds.tsv", **inputs, name="mine", leakage="forbid", **outputs)
    assert outputs["summary"].exists()
