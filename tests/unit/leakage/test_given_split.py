"""Somebody else's split: sheets, folders and names as people write them, and its correction."""

import itertools
import os
import random

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.leakage.given_split import as_folds, correct_split, read_given_split


def touch(folder, *files):
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def sheet(folder, text, name="split.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "path,split\na/x.png,train\nb/y.png,test\n",
        "\N{ZERO WIDTH NO-BREAK SPACE}Image;Part\nx;Training\ny;TEST\n",
        "filename\tset\tnotes\nx.png\ttr ain\ny.png\ttest\n".replace("tr ain", "train"),
        "id,fold\nx,1\ny,2\n\n",
        "path,role\n./a/x.png,train\nb\\y.png,test\n",
    ],
)
def test_sheets_name_images_and_parts_in_several_ways(tmp_path, text):
    touch(tmp_path / "images", "a/x.png", "b/y.png")
    table = read_given_split(tmp_path / "images", sheet(tmp_path, text))
    assert table["image_id"].tolist() == ["a/x", "b/y"]
    assert table["part"].nunique() == 2
    assert set(as_folds(table)["role"]) == {"train", "test"}


def test_folders_of_parts_are_a_split_and_give_the_labels(tmp_path):
    touch(tmp_path, "Train/ill/1.png", "Train/well/2.png", "valid/ill/3.png", "TEST/ill/4.png")
    touch(tmp_path, "Train/readme.md", "other/5.png")
    table = read_given_split(tmp_path, tmp_path)
    assert table["part"].tolist() == ["TEST", "Train", "Train", "valid"]
    assert table["label"].tolist() == ["ill", "ill", "well", "ill"]
    assert as_folds(table)["role"].tolist() == ["test", "train", "train", "validation"]


@pytest.mark.parametrize("pattern", ["{subject}_{picture}_*", r"(?P<subject>P\d+)_(?P<picture>\d)"])
def test_patterns_read_subjects(tmp_path, pattern):
    touch(tmp_path, "train/P1_2_a.png", "test/P12_3_b.tif")
    table = read_given_split(tmp_path, tmp_path, pattern)
    assert dict(zip(table["subject"], table["picture"], strict=True)) == {
        "P1": "P1_2",
        "P12": "P12_3",
    }


def test_names_of_c_nmc_give_subjects_and_other_names_give_none(tmp_path):
    touch(tmp_path, "train/UID_h3_12_4_hem.bmp", "test/UID_11_1_2_all.bmp")
    assert read_given_split(tmp_path, tmp_path)["subject"].tolist() == ["11", "H3"]
    touch(tmp_path, "test/other.bmp")
    assert set(read_given_split(tmp_path, tmp_path)["subject"]) == {""}


def test_subjects_of_the_sheet_are_kept(tmp_path):
    touch(tmp_path / "images", "UID_11_1_2_all.bmp", "UID_H3_1_2_hem.bmp")
    text = "path,part,subject\nUID_11_1_2_all,train,anna\nUID_H3_1_2_hem,test,bert\n"
    table = read_given_split(tmp_path / "images", sheet(tmp_path, text))
    assert table["subject"].tolist() == ["anna", "bert"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,part\nx.png,train\nlost.png,test\n", "names 1 of 2 images.*'lost.png'"),
        ("path,part\nsame,train\nx,test\n", "'same' fits 'a/same.png' and 'b/same.png'"),
        ("path,part\nx,train,0,1\n", "row 2: 4 cells for 2 columns"),
        ("path,part,Patient ID\nx,train,1\ny,test,2\n", "column 'patient id' is not.*'subject'"),
        ("path,part\nx,train\nx.png,test\n", "'x' twice"),
        ("path,part\nx,train\n", "the part 'train' alone. Expected two"),
        ("path,part\nx,\ny,\n", "no image in a part"),
        ("path,part,part\nx,train,test\ny,test,train\n", "the column 'part' is there twice"),
        ("path,part\nx,train\ny,val\n", "Expected train and test"),
        ("path,label\nx,1\n", "no column for the part"),
        ("who,part\nx,train\n", "no column for the image"),
        ("", "no column for the image"),
        ('path,part\n"x,train\n', "cannot be read as a table"),
    ],
)
def test_faults_of_a_sheet_are_named(tmp_path, text, message):
    touch(tmp_path / "images", "x.png", "y.png", "a/same.png", "b/same.png")
    with pytest.raises(InputError, match=rf"(?s){message}"):
        read_given_split(tmp_path / "images", sheet(tmp_path, text))


def test_a_sheet_of_bytes_a_missing_split_and_a_folder_without_parts_are_named(tmp_path):
    touch(tmp_path, "a/x.png")
    binary = tmp_path / "split.csv"
    binary.write_bytes(b"\xff\xfe\x00path")
    for split, message in (
        (binary, "cannot be read as UTF-8 text"),
        (tmp_path / "absent.csv", "does not exist"),
        (tmp_path, "no images in folders called train and test"),
    ):
        with pytest.raises(InputError, match=message):
            read_given_split(tmp_path, split)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="a pipe"):
        read_given_split(tmp_path, tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="is not a folder"):
        read_given_split(tmp_path / "absent", binary)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{subject}-*", "fits 0 of 2 paths"),
        ("*.png", "with the fields none"),
        ("{class}_*", "names neither"),
        ("(?P<subject>[", "no regular expression"),
    ],
)
def test_faults_of_a_pattern_are_named(tmp_path, pattern, message):
    touch(tmp_path, "train/P1_2.png", "test/P2_3.png")
    with pytest.raises(InputError, match=message):
        read_given_split(tmp_path, tmp_path, pattern)


@pytest.mark.parametrize("seed", range(20))
def test_a_corrected_split_keeps_groups_together_and_the_sizes_close(seed):
    draw = np.random.default_rng(seed)
    group = np.concatenate([np.full(draw.integers(1, 12), name) for name in range(60)])
    label = np.array(["ill", "well"])[group % 2]
    part = draw.choice(["train", "validation", "test"], len(group), p=[0.7, 0.1, 0.2])
    table = pd.DataFrame({"part": part, "label": label})
    corrected = correct_split(table, pd.Series(group))
    assert (corrected.groupby(group).nunique() == 1).all()
    wanted, reached = (
        pd.crosstab(parts, label).reindex(columns=["ill", "well"]) for parts in (part, corrected)
    )
    # No count is further from the given one than half of the largest group and a bit.
    assert (wanted - reached).abs().to_numpy().max() <= 6


def test_a_split_without_leakage_is_not_changed():
    table = pd.DataFrame({"part": list("aabb"), "label": list("xyxy")})
    assert correct_split(table, pd.Series([1, 2, 3, 4])).nunique() == 2


def test_every_part_keeps_a_class_of_few_groups():
    """Three groups of one class and three parts, of which one is small."""
    group = [0] * 20 + [1] * 20 + [2] * 20 + list(range(3, 33))
    label = ["few"] * 60 + ["many"] * 30
    part = random.Random(1).choices(["train", "val", "test"], [15, 1, 4], k=90)
    table = pd.DataFrame({"part": part, "label": label})
    corrected = correct_split(table, pd.Series(group))
    assert corrected[:60].nunique() == 3


def test_a_class_in_one_group_cannot_be_split():
    table = pd.DataFrame({"part": ["train", "test"] * 4, "label": ["a", "a", "b", "b"] * 2})
    with pytest.raises(InputError, match="keeps leakage groups together"):
        correct_split(table, pd.Series([0, 0, 1, 2, 0, 0, 1, 2]))


def test_small_cases_agree_with_a_search_over_all_splits():
    """Where some assignment of whole groups gives every part every class, one is found."""
    draw = np.random.default_rng(5)
    for _ in range(60):
        group = np.concatenate([np.full(draw.integers(1, 4), name) for name in range(5)])
        label = np.array(["a", "b"])[draw.integers(0, 2, 5)][group]
        part = draw.choice(["train", "test"], len(group))
        table = pd.DataFrame({"part": part, "label": label})
        wanted = set(zip(part, label, strict=True))
        possible = any(
            wanted <= set(zip(np.array(chosen)[group], label, strict=True))
            for chosen in itertools.product(["train", "test"], repeat=5)
        )
        if len(set(part)) < 2:
            continue
        try:
            corrected = correct_split(table, pd.Series(group))
        except InputError:
            assert not possible
        else:
            assert wanted <= set(zip(corrected, label, strict=True))
