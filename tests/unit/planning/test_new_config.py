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
from blastfold.planning.new_config import main, write_config


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
    assert folds["validation_group_by"] == "image"


def test_labels_of_a_sheet_that_are_no_default_words_are_named(tmp_path):
    write_images(tmp_path, ["a.png", "b.png", "c.png"])
    sheet = "image,label\na.png,Lymphocyte\nb.png,Lymphoblast L1\nc.png,Monocyte\n"
    (tmp_path / "cells.csv").write_text(sheet)
    _, entry, records = read(tmp_path)
    assert entry["classes"] == {"normal": ["Lymphocyte", "Monocyte"], "blast": ["Lymphoblast L1"]}
    assert records["label"].tolist() == [0, 1, 0]


def test_names_of_files_give_the_pattern_of_the_subjects(tmp_path):
    names = [
        f"{folder}/P{patient}_{cell}.png"
        for folder, patients in (("healthy", (1, 2)), ("leukemia", (3, 4)))
        for patient in patients
        for cell in range(3)
    ]
    write_images(tmp_path, names)
    text = write_config(tmp_path, "mine")
    assert "# 4 subjects in 12 images? Delete this line" in text
    config, entry, records = read(tmp_path)
    assert records.groupby("subject").size().tolist() == [3, 3, 3, 3]
    assert entry["image_size"] == [40, 60]
    assert config["protocols"]["by_subject"]["folds"] == 2


def test_four_classes_as_kaggle_has_them_are_two_with_a_word_to_check(tmp_path):
    kinds = ["Benign", "[Malignant] Early Pre-B", "[Malignant] Pre-B", "[Malignant] Pro-B"]
    write_images(tmp_path, [f"{kind}/WBC {kind[:3]} {n}.jpg" for kind in kinds for n in range(3)])
    text = write_config(tmp_path, "mine")
    assert "Guessed from the names: check which are positive." in text
    config, entry, records = read(tmp_path)
    assert entry["classes"] == {"normal": kinds[:1], "blast": kinds[1:]}
    assert records["label"].sum() == 9
    # Nobody knows whose cells these are.
    assert list(config["protocols"]) == ["by_duplicates"]
    assert "Subjects are unknown" in text


def test_large_images_are_made_smaller_and_a_damaged_one_does_not_matter(tmp_path):
    write_images(tmp_path, ["normal/a.png", "normal/b.png", "blast/c.png"], size=(500, 300))
    (tmp_path / "blast" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert read(tmp_path)[1]["image_size"] == [224, 224]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "has no image"),
        (["cells/a.png", "cells/b.png"], "found 'cells'; expected images of two classes"),
        (["a.png"], "found no class folder and no sheet"),
    ],
)
def test_a_folder_without_classes_is_an_error_that_names_what_is_missing(tmp_path, names, message):
    write_images(tmp_path, names)
    with pytest.raises(InputError, match=message):
        write_config(tmp_path, "mine")


def test_a_sheet_that_is_wrong_is_named(tmp_path):
    write_images(tmp_path, ["a.png", "b.png"])
    (tmp_path / "cells.tsv").write_text("path\tlabel\na.png\tnormal\nmissing.png\tblast\n")
    with pytest.raises(InputError, match=r"missing\.png[\s\S]*Correct the sheet 'cells.tsv'"):
        write_config(tmp_path, "mine")


def test_nothing_is_overwritten_and_names_are_made_plain(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path, ["2024 Cells/normal/a.png", "2024 Cells/blast/b.png"])
    main(["2024 Cells"])
    config = check_config(yaml.safe_load((tmp_path / "data_2024_cells.yaml").read_text()), SCHEMA)
    assert config["datasets"]["data_2024_cells"]["path"] == "2024 Cells"
    assert "make check CONFIG=data_2024_cells.yaml" in capsys.readouterr().out
    with pytest.raises(InputError, match="is not overwritten"):
        main(["2024 Cells"])
    # The folders of results without a name have these names.
    main(["2024 Cells", "--name", "Datasets"])
    assert (tmp_path / "data_datasets.yaml").exists()


def test_real_cells_in_folders_of_a_user_have_their_subjects(tmp_path, test_data):
    for file in sorted((test_data / "cnmc2019_sample").rglob("UID_*"))[::12]:
        target = tmp_path / ("leukemia" if "_all" in file.name else "healthy") / file.name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(file, target)
    config, entry, records = read(tmp_path)
    assert entry["pattern"] == "UID_{subject}_{picture}_*"
    assert (records["subject"] != "").all()
    assert config["protocols"]["by_subject"]["group_by"] == "subject"
