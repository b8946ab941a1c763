"""The table of folds, as files have it."""

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.core.fold_table import read_folds, read_parts, split_digest, write_folds

FOLDS = pd.DataFrame(
    {
        "image_id": ["b", "NA", "01", "b", "NA"],
        "repeat": 0,
        "fold": [0, 0, 0, 1, 1],
        "role": ["train", "test", "validation", "test", "train"],
    }
)


def test_folds_come_back(tmp_path):
    write_folds(FOLDS.assign(extra=1), tmp_path / "folds.tsv")
    pd.testing.assert_frame_equal(read_folds(tmp_path / "folds.tsv"), FOLDS, check_dtype=False)


def test_parts_are_rows_of_the_store(tmp_path):
    write_folds(FOLDS, tmp_path / "folds.tsv")
    manifest = pd.DataFrame({"image_id": ["01", "NA", "unused", "b"], "label": list("0121")})
    parts = read_parts(manifest, tmp_path / "folds.tsv", 0)
    assert {role: part.rows.tolist() for role, part in parts.items()} == {
        "train": [3],
        "validation": [0],
        "test": [1],
    }
    np.testing.assert_array_equal(parts["train"].labels, [1])
    assert list(read_parts(manifest, tmp_path / "folds.tsv", 1)) == ["train", "test"]


def test_the_digest_of_a_fold_depends_on_images_and_roles_alone(tmp_path):
    write_folds(FOLDS, tmp_path / "folds.tsv")
    write_folds(FOLDS.iloc[::-1], tmp_path / "turned.tsv")
    changed = FOLDS.assign(role=["train", "test", "train", "test", "train"])
    write_folds(changed, tmp_path / "changed.tsv")
    digest = split_digest(tmp_path / "folds.tsv", 0)
    assert split_digest(tmp_path / "turned.tsv", 0) == digest
    assert split_digest(tmp_path / "changed.tsv", 0) != digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"role": ["train", "Test", "test", "test", "train"]}, "role holds 'Test' for image 'NA'"),
        ({"fold": [0, 0, 0, 1, -1]}, "column fold holds"),
        ({"fold": [0, 0, 0, 1, 0.5]}, r"column fold holds 0\.5, expected a whole number"),
        ({"fold": [0, 0, 0, 0, 1]}, "image 'b' has two rows in fold 0 of repeat 0"),
        ({"repeat": ["", 0, 0, 0, 0]}, "column repeat holds nan"),
    ],
)
def test_unfit_folds_are_refused(tmp_path, change, message):
    write_folds(FOLDS.assign(**change), tmp_path / "folds.tsv")
    with pytest.raises(InputError, match=message):
        read_folds(tmp_path / "folds.tsv")


def test_folds_of_an_older_layout_are_refused(tmp_path):
    FOLDS.drop(columns="repeat").to_csv(tmp_path / "folds.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=r"\['repeat'\] are missing.*must be made again"):
        read_folds(tmp_path / "folds.tsv")
