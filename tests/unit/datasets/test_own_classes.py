"""Classes of any number and name: from the config, or the labels and folders themselves."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from blastfold.core.errors import InputError
from blastfold.core.manifest import class_names, read_manifest
from blastfold.datasets.formats import list_files
from blastfold.datasets.importing import import_dataset

KAGGLE = ("Benign", "[Malignant] Pre-B", "[Malignant] Pro-B", "[Malignant] early Pre-B")
"""Folders of a public data set of four classes, in alphabetical order."""


def images(root, names):
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)


def classes_by_file(root, **settings):
    found = list_files("folder", root, settings)
    table = found.records
    assert (table["class"] == np.array(found.classes)[table["label"]]).all()
    return found.classes, dict(zip(table["file"], table["class"], strict=True))


def test_folders_are_the_classes(tmp_path):
    images(tmp_path, [f"{name}/cell_{number}.png" for name in KAGGLE for number in range(2)])
    classes, by_file = classes_by_file(tmp_path, own_classes=True)
    assert classes == ("Benign", "[Malignant] early Pre-B", "[Malignant] Pre-B", KAGGLE[2])
    assert by_file == {file: file.split("/")[0] for file in by_file}


def test_accents_and_spaces_of_folders_and_labels_do_not_matter(tmp_path):
    composed, apart = (unicodedata.normalize(form, "Größe ä") for form in ("NFC", "NFD"))
    assert composed != apart
    images(tmp_path, [f"{folder}/{number}.png" for folder in (apart, "L1 ") for number in (1, 2)])
    named = {"first": ["L1"], "second": [composed]}
    classes, by_file = classes_by_file(tmp_path, classes=named)
    assert classes == ("first", "second")
    assert by_file[f"{apart}/1.png"] == "second"
    assert by_file["L1 /2.png"] == "first"
    # A sheet that was written on another system names the same files and classes.
    rows = [f"{composed}/{number}.png\t{apart}" for number in (1, 2)]
    rows += [f"L1 /{number}.png\tL1" for number in (1, 2)]
    (tmp_path / "sheet.tsv").write_text("\n".join(["path\tlabel", *rows]), "utf-8")
    assert classes_by_file(tmp_path, classes=named, sheet="sheet.tsv") == (classes, by_file)


def test_official_parts_and_a_folder_of_all_images_are_no_classes(tmp_path):
    files = [
        f"data/{part}/{name}/{place}/1.png"
        for part in ("train", "test")
        for name in ("Grade 10", "Grade 2", "grade 1")
        for place in ("slide1", "slide2")
    ]
    images(tmp_path, files)
    classes, by_file = classes_by_file(tmp_path, own_classes=True)
    assert classes == ("grade 1", "Grade 2", "Grade 10")
    assert by_file == {file: file.split("/")[2] for file in files}


def test_the_pattern_names_the_folder_of_the_class(tmp_path):
    files = [f"S{subject}/{name}/1.png" for subject in range(3) for name in ("NEU", "MON")]
    images(tmp_path, files)
    classes, by_file = classes_by_file(tmp_path, own_classes=True, pattern="{subject}/{class}/*")
    assert classes == ("MON", "NEU")
    assert by_file == {file: file.split("/")[1] for file in files}


def test_labels_of_a_sheet_are_the_classes(tmp_path):
    images(tmp_path, ["1.png", "2.png", "3.png", "4.png", "5.png"])
    rows = ["1.png,2", "2.png,10", "3.png,2.0", "4.png,3", "5.png,platelet"]
    (tmp_path / "cells.csv").write_text("path,label\n" + "\n".join(rows), "utf-8")
    settings = {"own_classes": True, "sheet": "cells.csv", "ignore": ["platelet"]}
    classes, by_file = classes_by_file(tmp_path, **settings)
    assert classes == ("2", "3", "10")
    assert by_file == {"1.png": "2", "2.png": "10", "3.png": "2", "4.png": "3"}


def test_labels_of_boxes_are_the_classes(tmp_path):
    images(tmp_path, ["smear.png"])
    rows = ["smear.png,NEU,0,0,4,4", "smear.png,mon,2,2,6,6", "smear.png,Eos,4,4,8,8"]
    text = "file,label,xmin,ymin,xmax,ymax\n" + "\n".join(rows)
    (tmp_path / "boxes.csv").write_text(text, "utf-8")
    found = list_files("folder", tmp_path, {"own_classes": True, "boxes": "boxes.csv"})
    assert found.classes == ("Eos", "mon", "NEU")
    assert found.records["class"].tolist() == ["NEU", "mon", "Eos"]


def test_several_folders_make_one_class_and_its_name_is_one_of_them(tmp_path):
    images(tmp_path, [f"{name}/1.png" for name in ("neutrophil", "L1", "L3", "monocyte")])
    classes = {"mature": ["Neutrophil"], "monocyte": ["mono"], "blast": ["l1", "L3"]}
    names, by_file = classes_by_file(tmp_path, classes=classes)
    assert names == ("mature", "monocyte", "blast")
    assert by_file == {
        "neutrophil/1.png": "mature",
        "monocyte/1.png": "monocyte",
        "L1/1.png": "blast",
        "L3/1.png": "blast",
    }


def test_the_thesis_keys_mean_what_they_meant(tmp_path):
    images(tmp_path, ["hem/1.png", "all/1.png"])
    assert classes_by_file(tmp_path)[0] == ("normal", "blast")
    names, by_file = classes_by_file(tmp_path, classes={"blast": ["all"], "normal": ["hem"]})
    assert names == ("normal", "blast")
    assert by_file == {"all/1.png": "blast", "hem/1.png": "normal"}


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        (["a/1.png", "a/2.png"], {"own_classes": True}, r"0 folders or labels were found\. With"),
        (["1.png", "2.png"], {"own_classes": True}, "0 folders or labels were found"),
        ([f"{n}/1.png" for n in range(101)], {"own_classes": True}, "101 folders or labels"),
        (["a + b/1.png", "c/1.png"], {"own_classes": True}, r"'a \+ b' cannot be the name of a"),
        (
            ["a/1.png", "b/1.png", "other/1.png"],
            {"classes": {"one": ["a"], "two": ["b"]}},
            "other: 1 image",
        ),
        (
            ["a/1.png", "b/1.png"],
            {"classes": {"one": ["a"], "two": ["b"], "three": ["c"]}},
            "no image of the class 'three' was found, 2 of other",
        ),
        (["a/1.png", "b/1.png"], {}, "name the positive ones with the key 'positive'"),
    ],
)
def test_what_are_no_classes_is_refused(tmp_path, files, settings, message):
    images(tmp_path, files)
    with pytest.raises(InputError, match=message):
        list_files("folder", tmp_path, settings)


def imported(root, positive, **settings):
    files = [root / name for name in ("i.npy", "m.tsv", "r.tsv", "d.json")]
    settings = {"format": "folder", "image_size": [9, 9], "own_classes": True, **settings}
    import_dataset("cells", root / "raw", settings, None, None, *files, positive=positive)
    return class_names(read_manifest(files[1]))


def test_an_import_needs_positive_classes_that_are_there(tmp_path):
    images(tmp_path / "raw", [f"{name}/1.png" for name in "abc"])
    assert imported(tmp_path, ["c", "a"]) == ("a", "b", "c")
    with pytest.raises(InputError, match=r"Data set 'cells': .* names \['d'\], which are no cl"):
        imported(tmp_path, ["d"])
    classes = {name: [name] for name in "abc"}
    with pytest.raises(InputError, match=r"Data set 'cells': There are 3 classes \(a, b, c\)"):
        imported(tmp_path, None, own_classes=False, classes=classes)


def test_forty_classes_are_imported(tmp_path):
    images(tmp_path / "raw", [f"{number}/1.png" for number in range(40)])
    assert imported(tmp_path, ["7"]) == tuple(map(str, range(40)))
