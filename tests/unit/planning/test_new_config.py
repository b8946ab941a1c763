"""The config that is written for a folder of images fits what is in the folder."""

import shutil

import cv2
import numpy as np
import pytest
import yaml
from support.repository import SCHEMA
from support.workflow import write_cells

from blastfold.core.errors import InputError
from blastfold.datasets.formats import list_files
from blastfold.experiment.config import check_config
from blastfold.planning.new_config import guess_classes, main, name_classes, write_config
from blastfold.planning.new_names import judge_pattern, plain_words, whole_names


def write_images(folder, names, size=(40, 60)):
    """Write one grey image of height and width ``size`` for each name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((*size, 3), 128, np.uint8))


def read(folder, name="mine"):
    """The checked config that is written for a folder, and its data set."""
    config = check_config(yaml.safe_load(write_config(folder, name)), SCHEMA)
    entry = config["datasets"][name]
    return config, entry, list_files(entry["format"], entry["path"], entry).records


def test_a_sheet_gives_subjects_and_folds_by_subject(tmp_path):
    rows = write_cells(tmp_path / "cells", subjects=3, each=2)
    config, entry, records = read(tmp_path / "cells")
    assert entry["sheet"] == "sheet.tsv"
    assert len(records) == len(rows)
    assert entry["image_size"] == [32, 32]
    folds = config["protocols"]["by_subject"]
    assert (folds["folds"], folds["group_by"]) == (3, "subject")
    assert "Too few to validate" in write_config(tmp_path / "cells", "mine")
    assert folds["validation_group_by"] == "image"


def test_labels_of_a_sheet_that_are_no_default_words_are_named(tmp_path):
    labels = ["Lymphocyte", "Lymphoblast L1", "Monocyte"] * 2
    write_images(tmp_path, [f"{number}.png" for number in range(6)])
    rows = [f"{number}.png,{label}\n" for number, label in enumerate(labels)]
    (tmp_path / "cells.csv").write_text("image,label\n" + "".join(rows))
    _, entry, records = read(tmp_path)
    names = ["Lymphocyte", "Monocyte", "Lymphoblast L1"]
    assert entry["classes"] == {name: [name] for name in names}
    assert entry["positive"] == names[2:]
    assert records["label"].tolist() == [0, 2, 1] * 2


def test_names_of_files_give_the_pattern_of_the_subjects(tmp_path):
    names = [
        f"{folder}/P{patient}_{cell}.png"
        for folder, patients in (("healthy", (1, 2)), ("leukemia", (3, 4)))
        for patient in patients
        for cell in range(3)
    ]
    write_images(tmp_path, names)
    text = write_config(tmp_path, "mine")
    assert "# 4 subjects in 12 images, such as 'P1'?" in text
    config, entry, records = read(tmp_path)
    assert records.groupby("subject").size().tolist() == [3, 3, 3, 3]
    assert entry["image_size"] == [40, 60]
    assert config["protocols"]["by_subject"]["folds"] == 2


def test_four_classes_as_kaggle_has_them_are_four_with_a_word_to_check(tmp_path):
    kinds = ["Benign", "[Malignant] Early Pre-B", "[Malignant] Pre-B", "[Malignant] Pro-B"]
    write_images(tmp_path, [f"{kind}/WBC {kind[:3]} {n}.jpg" for kind in kinds for n in range(3)])
    text = write_config(tmp_path, "mine")
    assert "Guessed from the names: check which are positive." in text
    config, entry, records = read(tmp_path)
    assert entry["classes"] == {kind: [kind] for kind in kinds}
    assert entry["positive"] == kinds[1:]
    assert records["class"].tolist() == [file.split("/")[0] for file in records["file"]]
    # Nobody knows whose cells these are.
    assert list(config["protocols"]) == ["by_duplicates"]
    assert "Subjects are unknown" in text


def test_large_images_are_made_smaller_and_a_damaged_one_does_not_matter(tmp_path):
    write_images(
        tmp_path, ["normal/a.png", "normal/b.png", "blast/c.png", "blast/d.png"], size=(500, 300)
    )
    (tmp_path / "blast" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert read(tmp_path)[1]["image_size"] == [224, 224]


@pytest.mark.parametrize(
    ("negative", "positive"),
    [
        (["normal"], ["AML"]),
        (["healthy"], ["disease"]),
        (["control"], ["case"]),
        (["normal"], ["lymphoblasts"]),
        (["wbc"], ["lymphoblast"]),
        (["non-leukemia"], ["leukemia"]),
        (["no_cancer"], ["cancer"]),
        (["non-ALL"], ["ALL"]),
        (["uninfected"], ["infected"]),
        (["all_hem"], ["all_blast"]),
        (["control"], ["allergic"]),
        (["Benign"], ["[Malignant] Pre-B", "[Malignant] Pro-B"]),
    ],
)
def test_classes_are_guessed_by_words_of_both_kinds(negative, positive):
    for names in (negative + positive, positive + negative):
        found = guess_classes(names)[0]
        assert found == {"normal": negative, "blast": positive}


def test_two_classes_keep_their_own_names_the_positive_one_last():
    keys, comments = name_classes(["lymphoblast", "wbc"])
    assert list(keys["classes"].items()) == [("wbc", ["wbc"]), ("lymphoblast", ["lymphoblast"])]
    assert keys["positive"] == ["lymphoblast"]
    assert comments["positive"].startswith("Guessed from the names")
    assert name_classes(["healthy", "leukemia"]) == ({}, {})


@pytest.mark.parametrize("names", [["large", "small"], ["B-ALL", "T-ALL"], ["c1", "c2", "c3"]])
def test_classes_that_cannot_be_guessed_are_asked_for(names):
    with pytest.raises(InputError, match=r"nothing tells which of the classes .* POSITIVE="):
        guess_classes(names)
    assert guess_classes(names, names[:1])[0] == {"normal": names[1:], "blast": names[:1]}
    with pytest.raises(InputError, match=r"POSITIVE: .* are not among"):
        guess_classes(names, ["other"])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(("yes", "data_yes"), ("Null", "data_null"), ("Zellen Äöü", "zellen_aou")),
        *(("日本", "data"), ("7 days", "data_7_days"), ("evaluation", "data_evaluation")),
        ("x" * 200, "x" * 60),
    ],
)
def test_names_of_experiments_are_plain(text, name):
    found, reason = plain_words(text)
    assert found == name
    assert bool(reason) == name.startswith("data")


@pytest.mark.parametrize("comment_is_followed", [False, True])
def test_slides_in_names_are_photographs_until_a_person_says_otherwise(
    tmp_path, comment_is_followed
):
    kinds = {"normal": (1, 2, 3), "blast": (4, 5, 6)}
    names = [
        f"{kind}/slide0{slide}_cell{cell}.png"
        for kind, slides in kinds.items()
        for slide in slides
        for cell in range(3)
    ]
    write_images(tmp_path, names)
    text = write_config(tmp_path, "mine")
    assert "# 'slide01' looks like a photograph, not a person: 6 of them in 18 images." in text
    assert "write {subject} here and group_by: subject below" in text
    grouped, column = "picture", "picture"
    if comment_is_followed:
        text = text.replace("{picture}", "{subject}").replace(
            "group_by: picture,", "group_by: subject,"
        )
        grouped = column = "subject"
    config = check_config(yaml.safe_load(text), SCHEMA)
    entry = config["datasets"]["mine"]
    listing = list_files(entry["format"], entry["path"], entry)
    assert listing.records[column].nunique() == 6
    # The import does not ask again what the config says.
    assert "pattern_proposed" not in {doubt["code"] for doubt in listing.odd}
    assert config["protocols"]["by_picture"]["group_by"] == grouped
    assert config["protocols"]["by_picture"]["folds"] == 3


@pytest.mark.parametrize(
    ("pattern", "file", "picture"),
    [
        ("img_{subject}_*", "img_003_7.png", True),
        ("*_{subject}_*", "7_Field2_1.png", True),
        ("{class}/{subject}/*", "blast/smear 12/1.png", True),
        ("{class}/{subject}/{picture}/*", "blast/slide 2/3/1.png", True),
        ("{subject}_*", "imgard01_1.png", False),
        ("{subject}_*", "P1_1.png", False),
        ("UID_{subject}_{picture}_*", "UID_1_2_3_all.png", False),
    ],
)
def test_photographs_are_known_by_the_words_of_their_names(pattern, file, picture):
    assert ("{subject}" not in judge_pattern(pattern, [file])[0]) == picture


def test_names_of_classes_that_look_like_one_are_named_and_case_makes_no_class(tmp_path):
    names = [f"{kind}/{n}.png" for kind in ("Lymphocytes", "lymphocyte", "Blast L1") for n in "ab"]
    write_images(tmp_path, [*names, "blast l1/c.png"])
    text = write_config(tmp_path, "mine")
    join = "lymphocyte: [lymphocyte, Lymphocytes]"
    assert "'lymphocyte', 'Lymphocytes' look like one class. To join them write " + join in text
    entry = yaml.safe_load(text)["datasets"]["mine"]
    assert [name.casefold() for name in entry["classes"]] == [
        *("lymphocyte", "lymphocytes", "blast l1")
    ]
    # The advice works.
    config = yaml.safe_load(text)
    config["datasets"]["mine"]["classes"] = {
        "lymphocyte": ["lymphocyte", "Lymphocytes"],
        "Blast L1": ["Blast L1"],
    }
    config["datasets"]["mine"]["positive"] = ["Blast L1"]
    entry = check_config(config, SCHEMA)["datasets"]["mine"]
    listed = list_files("folder", tmp_path, entry).records
    assert sorted(listed["class"].value_counts().to_dict().items()) == [
        ("Blast L1", 3),
        ("lymphocyte", 4),
    ]


def test_positive_classes_may_have_commas_in_their_names():
    names = ["B cell, early", "B cell", "early", "T cell,late"]
    assert whole_names(["B cell", " early", "t cell", "late"], names) == [names[0], names[3]]
    assert whole_names(["early", "B cell"], names) == ["early", "B cell"]
    assert whole_names(["other"], names) == ["other"]


def test_the_larger_of_two_sheets_is_read_and_an_unrelated_table_stops_nothing(tmp_path):
    names = [f"{kind}/{n}.png" for kind in ("normal", "blast") for n in range(4)]
    write_images(tmp_path, names)
    (tmp_path / "notes.csv").write_text('when,what\n1,"open\n')
    assert "# The table 'notes.csv' is not read:" in write_config(tmp_path, "mine")
    rows = [f"{name},{name.partition('/')[0]}\n" for name in names]
    (tmp_path / "test.csv").write_text("path,label\n" + "".join(rows[::4]))
    (tmp_path / "train.csv").write_text("path,label\n" + "".join(rows[1:4] + rows[5:]))
    text = write_config(tmp_path, "mine")
    assert "sheet: train.csv" in text
    assert "# Not read: test.csv." in text


def test_one_subject_in_a_class_allows_no_split_by_subject(tmp_path):
    names = [f"normal/P{n}_{cell}.png" for n in range(4) for cell in range(3)]
    write_images(tmp_path, [*names, *(f"blast/P9_{cell}.png" for cell in range(3))])
    config, _, _ = read(tmp_path)
    assert config["protocols"]["by_image"]["group_by"] == "image"
    assert "no split can show results on new subjects" in write_config(tmp_path, "mine")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "has no image"),
        (["cells/a.png", "cells/b.png"], "found 'cells'; expected images of two classes"),
        (["a.png"], "found no class folder and no sheet"),
        (["normal/a.png", "normal/b.png", "blast/c.png"], "'blast' has one image"),
    ],
)
def test_a_folder_without_classes_is_an_error_that_names_what_is_missing(tmp_path, names, message):
    write_images(tmp_path, names)
    with pytest.raises(InputError, match=message):
        write_config(tmp_path, "mine")


def test_a_sheet_that_is_wrong_is_named(tmp_path):
    write_images(tmp_path, ["a.png", "b.png"])
    (tmp_path / "cells.tsv").write_text("path\tlabel\na.png\tnormal\nmissing.png\tblast\n")
    with pytest.raises(InputError, match=r"'cells.tsv' is not read: [\s\S]*missing\.png"):
        write_config(tmp_path, "mine")


def test_nothing_is_overwritten_and_names_are_made_plain(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = [f"2024 Cells/{kind}/{n}.png" for kind in ("normal", "blast") for n in (1, 2)]
    write_images(tmp_path, names)
    main(["2024 Cells"])
    config = check_config(yaml.safe_load((tmp_path / "data_2024_cells.yaml").read_text()), SCHEMA)
    assert config["datasets"]["data_2024_cells"]["path"] == "2024 Cells"
    assert "make check CONFIG=data_2024_cells.yaml" in capsys.readouterr().out
    with pytest.raises(InputError, match="is not overwritten"):
        main(["2024 Cells"])
    # The folders of results without a name have these names.
    main(["2024 Cells", "--name", "Datasets"])
    assert (tmp_path / "data_datasets.yaml").exists()
    said = " ".join(capsys.readouterr().out.split())
    assert "called data_datasets because results/datasets holds a stage of experiments" in said
    # A link has its own name, not that of its target.
    (tmp_path / "ward").symlink_to(tmp_path / "2024 Cells", target_is_directory=True)
    main(["ward"])
    assert yaml.safe_load((tmp_path / "ward.yaml").read_text())["name"] == "ward"


def test_real_cells_in_folders_of_a_user_have_their_subjects(tmp_path, test_data):
    for file in sorted((test_data / "cnmc2019_sample").rglob("UID_*"))[::12]:
        target = tmp_path / ("leukemia" if "_all" in file.name else "healthy") / file.name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(file, target)
    config, entry, records = read(tmp_path)
    assert entry["pattern"] == "UID_{subject}_{picture}_*"
    assert (records["subject"] != "").all()
    assert config["protocols"]["by_subject"]["group_by"] == "subject"
