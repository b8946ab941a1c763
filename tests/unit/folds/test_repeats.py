"""Repeats of a protocol: independent draws, numbered through, the first one unchanged."""

import numpy as np
import pandas as pd
import pytest
from support.splits import images_of, many_subjects, protocol

from blastfold.core.errors import InputError
from blastfold.core.fold_table import read_folds, repeat_of_fold, write_folds
from blastfold.folds import assignment


def split(images, seed=5, **changes):
    return assignment.split(images, protocol(**changes), seed)


def test_repeats_of_folds_by_subject_are_independent_draws_after_the_first():
    images = many_subjects(np.random.default_rng(1))
    once = split(images, folds=3, group_by="subject")
    table = split(images, folds=3, group_by="subject", repeats=4)
    # Fold f of repeat r has the number 3 r + f.
    numbers = table[["repeat", "fold"]].drop_duplicates().to_numpy().tolist()
    assert numbers == [[fold // 3, fold] for fold in range(12)]
    pd.testing.assert_frame_equal(table[table["repeat"] == 0], once)
    tested = table[table["role"] == "test"].merge(images)
    held_out = set()
    for _, rows in tested.groupby("repeat"):
        assert sorted(rows["image_id"]) == sorted(images["image_id"])
        assert (rows.groupby("subject")["fold"].nunique() == 1).all()
        parts = rows.groupby("fold")["subject"].agg(frozenset)
        held_out.add(frozenset(parts))
    assert len(held_out) == 4
    trained = table[table["role"] == "train"].merge(images)
    crossing = trained.merge(tested, on=["fold", "subject"])
    assert crossing.empty


def test_more_repeats_change_no_earlier_one():
    images = many_subjects(np.random.default_rng(2))
    for kind in ("kfold", "holdout"):
        changes = {"kind": kind, "group_by": "subject", "training_share": 0.5}
        few, many = (split(images, repeats=count, **changes) for count in (2, 5))
        pd.testing.assert_frame_equal(many[many["repeat"] < 2], few)


def test_repeats_of_a_holdout_test_other_images():
    images = images_of([("healthy", 0, 100), ("ill", 1, 100)])
    table = split(images, kind="holdout", repeats=20)
    tested = table[table["role"] == "test"]
    assert (tested.groupby("repeat").size() == 40).all()
    # 20 draws of 40 of 200 images leave 200 (1 - 0.2)^20 = 2.3 of them out on average.
    assert tested["image_id"].nunique() > 185


def test_repeats_that_redraw_seeds_alone_have_the_folds_of_the_first():
    images = many_subjects(np.random.default_rng(3))
    table = split(images, folds=3, group_by="subject", repeats=3, redraw="seeds")
    first = table[table["repeat"] == 0].reset_index(drop=True)
    for repeat in (1, 2):
        again = table[table["repeat"] == repeat].reset_index(drop=True)
        assert again["fold"].tolist() == (first["fold"] + 3 * repeat).tolist()
        columns = ["image_id", "role"]
        pd.testing.assert_frame_equal(again[columns], first[columns])


def test_repeats_of_official_parts_test_the_same_parts_and_draw_other_validation_images():
    images = images_of([(f"{label}{i}", label, 20) for label in (0, 1) for i in range(3)])
    images["part"] = images["subject"].str[1].map({"0": "a", "1": "b", "2": "c"})
    table = split(images, kind="predefined", test_parts=["a", "b"], train_parts=["c"], repeats=3)
    assert table.groupby("fold")["repeat"].first().tolist() == [0, 0, 1, 1, 2, 2]
    parts = table[table["role"] == "test"].merge(images).groupby("fold")["part"].unique()
    assert [list(part) for part in parts] == [["a"], ["b"]] * 3
    validated = table[table["role"] == "validation"].groupby("fold")["image_id"].agg(frozenset)
    assert len(set(validated)) == 6


def test_a_fold_is_of_one_repeat(tmp_path):
    path = tmp_path / "folds.tsv"
    table = split(images_of([("h", 0, 20), ("i", 1, 20)]), folds=2, repeats=2)
    write_folds(table, path)
    assert [repeat_of_fold(path, fold) for fold in range(4)] == [0, 0, 1, 1]
    write_folds(table.assign(fold=table["fold"] % 2), path)
    with pytest.raises(InputError, match="fold 0 is in 2 repeats, expected one"):
        read_folds(path)
