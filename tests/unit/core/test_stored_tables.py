"""Readers of groups, folds and intervals: what they return and what they refuse."""

import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.core.fold_table import ratio_of_test_to_train, write_folds
from blastfold.core.group_table import read_groups
from blastfold.core.interval_table import read_intervals


def test_files_that_do_not_hold_what_they_should_are_named(tmp_path):
    (tmp_path / "broken.tsv").write_text("image_id\tname\na\tb\n")
    with pytest.raises(InputError, match=r"broken.tsv: the columns \['group'\] are missing"):
        read_groups(tmp_path / "broken.tsv")
    with pytest.raises(InputError, match=r"broken.tsv: the columns \['repeat', 'fold', 'role'\]"):
        ratio_of_test_to_train(tmp_path / "broken.tsv")


def test_the_ratio_is_that_of_all_folds_together(tmp_path):
    roles = ["train"] * 200 + ["validation"] * 7 + ["test"] * 100
    names = [f"image {place}" for place in range(307)]
    folds = pd.DataFrame({"image_id": names, "repeat": 0, "fold": 0, "role": roles})
    write_folds(folds, tmp_path / "folds.tsv")
    assert ratio_of_test_to_train(tmp_path / "folds.tsv") == 0.5
    write_folds(folds[folds["role"] != "train"], tmp_path / "folds.tsv")
    with pytest.raises(InputError, match="must hold train and test"):
        ratio_of_test_to_train(tmp_path / "folds.tsv")


def test_only_recommended_intervals_are_read_and_names_such_as_none_stay(tmp_path):
    rows = ["view\tmetric\tmethod\tvalue\tlower\tupper\timages\tgroups\trecommended\tnote"]
    rows += ["pooled\tauc\tdelong\t0.9\t0.85\t0.95\t10\t5\tFalse\t"]
    rows += ["pooled\tauc\tjackknife-t\t0.9\t0.8\t1.0\t10\t5\tTrue\tfew_groups:5"]
    rows += ["folds\tauc\tcorrected-t\t0.8\t\t\t10\t5\tTrue\tfewer_than_two_folds"]
    path = tmp_path / "intervals.tsv"
    path.write_text("\n".join([*rows, ""]))
    found = read_intervals(path, ["auc"])
    assert found.index.tolist() == [("folds", "auc"), ("pooled", "auc")]
    assert found.loc[("pooled", "auc"), ["lower", "upper", "note"]].tolist() == [
        *(0.8, 1.0, "few_groups:5")
    ]
    assert found.loc[("folds", "auc"), ["lower", "upper"]].isna().all()
    with pytest.raises(InputError, match=r"intervals\.tsv: no interval of mcc is recommended"):
        read_intervals(path, ["auc", "mcc"])
