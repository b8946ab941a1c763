"""Splits: the thesis' counts, groups that never cross, and errors that say what would work."""

import numpy as np
import pandas as pd
import pytest
from support.splits import images_of, many_subjects, protocol

from blastfold.core.errors import InputError
from blastfold.folds import assignment


@pytest.mark.parametrize(
    ("normal", "blast", "expected"),
    [(1034, 1049, (1562, 104, 417)), (3389, 7272, (7996, 532, 2133))],
)
def test_holdout_has_the_counts_of_thesis_table_5_1(normal, blast, expected):
    images = images_of([("healthy", 0, normal), ("ill", 1, blast)])
    table = assignment.split(images, protocol(kind="holdout"), seed=2022)
    counts = table["role"].value_counts()
    assert tuple(counts[["train", "validation", "test"]]) == expected
    labels = table.merge(images)
    share = labels.groupby("role")["label"].mean()
    assert share["test"] == pytest.approx(blast / (normal + blast), abs=1 / expected[2])
    assert share["validation"] == pytest.approx(blast / (normal + blast), abs=1 / expected[1])


def test_sizes_do_not_suffer_from_binary_fractions():
    # 0.2 * 35 is 7.000000000000001 in binary and must not become 8.
    assert assignment.holdout_sizes(35, 0.2, 0.05) == (26, 2, 7)
    assert assignment.holdout_sizes(10, 0.2, 0.0) == (8, 0, 2)


def test_every_image_is_tested_once_and_has_one_role_a_fold():
    images = images_of([("healthy", 0, 53), ("ill", 1, 71)])
    table = assignment.split(images, protocol(), seed=1)
    assert not table.duplicated(["image_id", "fold"]).any()
    assert table.groupby("fold").size().tolist() == [124] * 5
    tested = table.loc[table["role"] == "test", "image_id"]
    assert sorted(tested) == sorted(images["image_id"])


def test_folds_keep_the_class_ratio():
    images = images_of([("healthy", 0, 100), ("ill", 1, 200)])
    table = assignment.split(images, protocol(folds=10), seed=1).merge(images)
    tested = table[table["role"] == "test"].groupby("fold")["label"].agg(["sum", "size"])
    assert (tested["sum"] == 20).all()
    assert (tested["size"] == 30).all()


@pytest.mark.parametrize("kind", ["holdout", "kfold"])
@pytest.mark.parametrize("group_by", ["subject", "picture", "group"])
@pytest.mark.parametrize("seed", range(5))
def test_groups_never_cross(kind, group_by, seed):
    images = many_subjects(np.random.default_rng(seed))
    table = assignment.split(images, protocol(kind=kind, group_by=group_by), seed=seed).merge(
        images
    )
    roles = table.groupby(["fold", group_by])["role"].nunique()
    assert (roles == 1).all()
    assert (table.groupby(["fold", "role"])["label"].nunique() == 2).all()


def test_grouped_holdout_comes_close_to_the_wanted_share():
    images = many_subjects(np.random.default_rng(0), count=60)
    table = assignment.split(images, protocol(kind="holdout", group_by="subject"), seed=3).merge(
        images
    )
    counts = table["role"].value_counts()
    assert counts["test"] / len(images) == pytest.approx(0.2, abs=0.01)
    assert counts["validation"] / len(images) == pytest.approx(0.05, abs=0.01)
    ratio = table.groupby("role")["label"].mean()
    assert ratio["test"] == pytest.approx(images["label"].mean(), abs=0.02)


def test_same_seed_same_folds_other_seed_other_folds():
    images = many_subjects(np.random.default_rng(0))
    one, two, three = (assignment.split(images, protocol(), seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(three)


def test_validation_by_image_leaves_scarce_subjects_in_training():
    subjects = [("h1", 0, 60), ("h2", 0, 60), ("h3", 0, 60)]
    subjects += [(f"p{i}", 1, 20) for i in range(9)]
    images = images_of(subjects)
    settings = protocol(
        folds=3, group_by="subject", validation_fraction=0.1, validation_group_by="image"
    )
    table = assignment.split(images, settings, seed=1).merge(images)
    tested = set(map(tuple, table.loc[table["role"] == "test", ["fold", "subject"]].to_numpy()))
    other = set(map(tuple, table.loc[table["role"] != "test", ["fold", "subject"]].to_numpy()))
    assert not tested & other
    assert table[(table["role"] == "train") & (table["label"] == 0)].groupby("fold")[
        "subject"
    ].nunique().tolist() == [2, 2, 2]


def test_no_validation_part_when_its_fraction_is_zero():
    images = images_of([("healthy", 0, 30), ("ill", 1, 30)])
    for kind in ("holdout", "kfold"):
        table = assignment.split(images, protocol(kind=kind, validation_fraction=0), seed=1)
        assert set(table["role"]) == {"train", "test"}


def test_too_many_folds_is_an_error_that_names_what_would_work():
    images = images_of([(f"h{i}", 0, 30) for i in range(3)] + [(f"p{i}", 1, 9) for i in range(20)])
    with pytest.raises(InputError) as caught:
        assignment.split(images, protocol(folds=10, group_by="subject"), seed=1)
    message = str(caught.value)
    assert "protocols.mine: 10 folds by subject are needed" in message
    assert "the class normal has only 3 subjects" in message
    assert message.endswith("set folds: 3 at most")
    table = assignment.split(
        images, protocol(folds=3, group_by="subject", validation_fraction=0), seed=1
    )
    assert table["fold"].nunique() == 3


def many_classes(counts, subjects=None):
    """Images of as many classes, each with images of subjects of its own."""
    table = images_of(
        [
            (f"s{label}-{n % (subjects or 99)}", label, 1)
            for label, number in enumerate(counts)
            for n in range(number)
        ]
    )
    table["image_id"] = [f"image-{number}" for number in range(len(table))]
    return table.assign(**{"class": [f"kind {label}" for label in table["label"]]})


def test_folds_of_many_classes_keep_their_ratio_and_validate_on_each():
    images = many_classes([20, 40, 10, 30])
    table = assignment.split(images, protocol(validation_fraction=0.1), seed=1)
    table = table.merge(images[["image_id", "label"]], on="image_id")
    for _, rows in table.groupby("fold"):
        tested = rows[rows["role"] == "test"]["label"].value_counts().sort_index()
        assert tested.tolist() == [4, 8, 2, 6]
        assert set(rows[rows["role"] == "validation"]["label"]) == {0, 1, 2, 3}


def test_a_class_with_one_subject_is_an_error_that_names_it():
    images = many_classes([12, 12, 12], subjects=6)
    images.loc[images["label"] == 1, "subject"] = "only"
    with pytest.raises(InputError, match="the class kind 1 has only 1 subject; no cross-valid"):
        assignment.split(images, protocol(folds=3, group_by="subject"), seed=1)


def test_a_class_with_one_image_left_is_not_validated_on():
    images = many_classes([20, 20, 3])
    table = assignment.split(images, protocol(folds=3, validation_fraction=0.1), seed=1)
    table = table.merge(images[["image_id", "label"]], on="image_id")
    rare = table[table["label"] == 2].groupby("role").size()
    assert rare["test"] == 3
    two = many_classes([20, 20, 2])
    table = assignment.split(two, protocol(folds=2, validation_fraction=0.1), seed=1)
    table = table.merge(two[["image_id", "label"]], on="image_id")
    assert table[table["label"] == 2].groupby("role").size().to_dict() == {"test": 2, "train": 2}


def test_forty_classes_are_split():
    images = many_classes([6] * 40)
    table = assignment.split(images, protocol(folds=3, validation_fraction=0.1), seed=1)
    tested = table[table["role"] == "test"].merge(images, on="image_id")
    assert (tested.groupby("fold")["label"].nunique() == 40).all()


def test_subject_protocol_without_subjects_is_an_error():
    images = images_of([("healthy", 0, 30), ("ill", 1, 30)])
    images["subject"] = ""
    with pytest.raises(InputError, match="60 of 60 images have no subject") as caught:
        assignment.split(images, protocol(group_by="subject"), seed=1)
    message = str(caught.value)
    assert "Supply subjects: a sheet with the columns path, label and subject" in message
    assert "{subject}" in message
    assert "If nobody knows them, group_by: group keeps together" in message
    # A split by image would hide the leakage instead of preventing it.
    assert "group_by: image" not in message
    assert "'image'" not in message


@pytest.mark.parametrize("group_by", ["subject", "picture"])
@pytest.mark.parametrize("subjects", [1, 3])
def test_no_error_proposes_to_split_by_image(group_by, subjects):
    # One image of a subject on each side of a split is what a split by subject is to prevent.
    people = [(f"h{i}", 0, 9) for i in range(subjects)] + [(f"p{i}", 1, 9) for i in range(9)]
    images = images_of(people)
    for unknown in (False, True):
        images[group_by] = "" if unknown else images["subject"]
        with pytest.raises(InputError) as caught:
            assignment.split(images, protocol(folds=10, group_by=group_by), seed=1)
        assert " group_by: image" not in str(caught.value)
        assert "'image'" not in str(caught.value)


def test_one_class_alone_is_an_error():
    with pytest.raises(InputError, match=r"expected the labels 0, 1 \.\.\. each"):
        assignment.split(images_of([("ill", 1, 30)]), protocol(), seed=1)


def official(random):
    parts = [
        images_of([(f"H{n}{i}", 0, 9) for i in range(4)] + [(f"{n}{i}", 1, 14) for i in range(6)])
        for n in range(4)
    ]
    for part, name in zip(parts, ("fold_0", "fold_1", "fold_2", "preliminary"), strict=True):
        part["part"] = name
    return pd.concat(parts, ignore_index=True)


def test_predefined_folds_are_the_parts():
    images = official(None)
    settings = protocol(
        kind="predefined", group_by="subject", test_parts=["fold_0", "fold_1", "fold_2"]
    )
    table = assignment.split(images, settings, seed=1).merge(images)
    for fold, part in enumerate(settings["test_parts"]):
        rows = table[table["fold"] == fold]
        assert set(rows.loc[rows["role"] == "test", "part"]) == {part}
        assert (rows["role"] == "test").sum() == (images["part"] == part).sum()
        assert "preliminary" not in set(rows["part"])


def test_predefined_train_and_validation_parts():
    images = official(None)
    settings = protocol(
        kind="predefined",
        test_parts=["preliminary"],
        train_parts=["fold_0", "fold_1"],
        validation_parts=["fold_2"],
    )
    table = assignment.split(images, settings, seed=1).merge(images)
    assert table.groupby("role")["part"].unique().map(sorted).to_dict() == {
        "test": ["preliminary"],
        "train": ["fold_0", "fold_1"],
        "validation": ["fold_2"],
    }


def test_unknown_part_is_an_error():
    settings = protocol(kind="predefined", test_parts=["fold_7"])
    with pytest.raises(InputError, match=r"fold_7.*preliminary"):
        assignment.split(official(None), settings, seed=1)


def test_assign_folds_reads_and_writes_tables(tmp_path):
    images = images_of([("healthy", 0, 20), ("ill", 1, 20)])
    images.drop(columns="group").to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    images[["image_id", "group"]].to_csv(tmp_path / "groups.tsv", sep="\t", index=False)
    assignment.assign_folds(
        tmp_path / "manifest.tsv", tmp_path / "groups.tsv", tmp_path / "out.tsv", protocol(), 5
    )
    written = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    pd.testing.assert_frame_equal(
        written, assignment.split(images, protocol(), 5), check_dtype=False
    )


def test_smaller_training_shares_are_parts_of_larger_ones_and_test_the_same():
    images = many_subjects(np.random.default_rng(4))
    tables = {
        share: assignment.split(images, protocol(group_by="subject", training_share=share), seed=5)
        for share in (1, 0.5, 0.2)
    }
    subjects = images.set_index("image_id")[["subject", "label"]]
    for fold in range(5):
        used = {}
        for share, table in tables.items():
            rows = table[table["fold"] == fold].join(subjects, on="image_id")
            used[share] = rows[rows["role"] == "train"].groupby("label")["subject"].unique()
            held = rows[rows["role"] != "train"][["image_id", "role"]]
            whole = tables[1][tables[1]["fold"] == fold]
            expected = whole[whole["role"] != "train"][["image_id", "role"]]
            assert held.to_numpy().tolist() == expected.to_numpy().tolist()
        for label in (0, 1):
            assert set(used[0.2][label]) < set(used[0.5][label]) < set(used[1][label])
            for share in (0.5, 0.2):
                assert len(used[share][label]) == round(share * len(used[1][label]))


def test_a_training_share_never_leaves_a_class_out():
    images = many_subjects(np.random.default_rng(4))
    table = assignment.split(images, protocol(group_by="subject", training_share=0.001), seed=5)
    trained = table[table["role"] == "train"].merge(images)
    assert (trained.groupby(["fold", "label"])["subject"].nunique() == 1).all()
