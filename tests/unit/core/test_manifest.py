"""The manifest and the names of the classes."""

import json

import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.core.manifest import class_names, read_classes, read_manifest


def write(tmp_path, text):
    path = tmp_path / "manifest.tsv"
    path.write_text(text, "utf-8")
    return path


def test_everything_is_text_and_nothing_is_missing(tmp_path):
    path = write(
        tmp_path,
        "image_id\tlabel\tclass\tsubject\tmask\nNA\t1\tNA\t007\t\n01\t0\tnull\t\tm.png\n",
    )
    manifest = read_manifest(path)
    assert manifest["image_id"].tolist() == ["NA", "01"]
    assert manifest["subject"].tolist() == ["007", ""]
    assert manifest["mask"].tolist() == ["", "m.png"]
    assert class_names(manifest) == ("null", "NA")


def test_classes_are_in_the_order_of_their_labels():
    labels = [2, 0, 1, 0, 10, 3, 4, 5, 6, 7, 8, 9]
    manifest = pd.DataFrame({"label": list(map(str, labels)), "class": [f"c{n}" for n in labels]})
    assert class_names(manifest) == tuple(f"c{number}" for number in range(11))


@pytest.mark.parametrize(
    "pairs",
    [
        [("0", "a"), ("0", "b"), ("1", "c")],
        [("0", "a"), ("1", "a")],
        [("0", "a"), ("2", "b")],
        [("1", "a"), ("2", "b")],
        [("0", "a")],
    ],
)
def test_classes_that_are_not_one_name_per_label_are_refused(pairs):
    manifest = pd.DataFrame(pairs, columns=["label", "class"])
    with pytest.raises(InputError, match="manifest"):
        class_names(manifest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id\tclass\n1\ta\n", r"\['label'\] are missing"),
        ("image_id\tlabel\tclass\n1\t-1\tx\n", "column label holds '-1' for image '1'"),
        ("image_id\tlabel\tclass\n1\t\tx\n", "column label holds ''"),
        ("image_id\tlabel\tclass\n1\t0.0\tx\n", "column label holds '0.0'"),
        ("image_id\tlabel\tclass\n1\t0\tx\n1\t1\ty\n", "image '1' has two rows"),
    ],
)
def test_an_unfit_manifest_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_manifest(write(tmp_path, text))


def test_classes_of_a_data_set(tmp_path):
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"classes": ["NA", "blast", "grey zone"]}))
    assert read_classes(path) == ("NA", "blast", "grey zone")


@pytest.mark.parametrize(
    "facts", [{}, {"classes": "ab"}, {"classes": ["a"]}, {"classes": ["a", "a"]}]
)
def test_unfit_classes_of_a_data_set_are_refused(tmp_path, facts):
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps(facts))
    with pytest.raises(InputError, match=r"dataset\.json: key classes holds"):
        read_classes(path)


def test_a_manifest_without_names_of_classes_is_refused(tmp_path):
    manifest = read_manifest(write(tmp_path, "image_id\tlabel\n1\t0\n"))
    with pytest.raises(InputError, match=r"\['class'\] are missing"):
        class_names(manifest)
