"""Predictions as files: what is written is read, and what is no prediction is refused."""

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.core.predictions import (
    class_pair,
    mark_positive,
    positive_classes,
    predicted_classes,
    prediction_table,
    read_predictions,
    read_test_predictions,
    read_validation_predictions,
    write_predictions,
)


def table(role="test", fold=0, ids=("NA", "002", "c d"), classes=("normal", "blast"), **changes):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(len(classes)), len(ids))
    labels = np.arange(len(ids)) % len(classes)
    made = prediction_table(list(ids), fold, role, labels, probabilities, classes)
    return made.assign(**changes)


def raw(folder, predictions, name="predictions.tsv"):
    """Write a table past all checks."""
    predictions.to_csv(folder / name, sep="\t", index=False)
    return folder / name


@pytest.mark.parametrize("classes", [("normal", "blast"), ("NA", "0", "grey zone")])
def test_predictions_come_back(tmp_path, classes):
    first = table(classes=classes)
    second = table("validation", 1, classes=classes)
    paths = [tmp_path / "0" / "predictions.tsv", tmp_path / "1" / "predictions.tsv"]
    write_predictions(first, paths[0])
    write_predictions(second, paths[1])
    read = read_predictions(paths)
    assert predicted_classes(read) == classes
    assert read["image_id"].tolist() == ["NA", "002", "c d"] * 2
    np.testing.assert_allclose(
        read["probability"], pd.concat([first, second])[f"probability_{classes[-1]}"], rtol=1e-13
    )
    assert read_test_predictions(paths)["fold"].tolist() == [0, 0, 0]
    assert read_validation_predictions(paths)["fold"].tolist() == [1, 1, 1]
    # A table that was read can be written: what the reader added stays out.
    write_predictions(read, tmp_path / "all.tsv")
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "all.tsv"), read)


CELLS = ("neutrophil", "monocyte", "blast")


def test_two_classes_need_no_further_columns(tmp_path):
    plain = table()
    for positive in (None, ["blast"]):
        pd.testing.assert_frame_equal(mark_positive(plain, positive), plain)
    write_predictions(plain, tmp_path / "predictions.tsv")
    read = read_predictions(tmp_path / "predictions.tsv")
    assert read["label"].tolist() == read["class_label"].tolist() == [0, 1, 0]
    assert class_pair(read) == ("normal", "blast")


@pytest.mark.parametrize(
    ("classes", "positive", "labels", "pair"),
    [
        (("normal", "blast"), ["normal"], [1, 0, 1], ("blast", "normal")),
        (CELLS, ["blast"], [0, 0, 1], ("neutrophil + monocyte", "blast")),
        (CELLS, ["blast", "neutrophil"], [1, 0, 1], ("monocyte", "neutrophil + blast")),
        (("0", "1", "2", "3", "4"), ["1"], [0, 1, 0], ("4 other classes", "1")),
    ],
)
def test_the_positive_classes_are_read_against_the_rest(tmp_path, classes, positive, labels, pair):
    plain = table(classes=classes)
    write_predictions(mark_positive(plain, positive), tmp_path / "predictions.tsv")
    read = read_predictions(tmp_path / "predictions.tsv")
    assert read["label"].tolist() == labels
    assert read["class_label"].tolist() == plain["label"].tolist()
    total = sum(plain[f"probability_{name}"] for name in positive)
    np.testing.assert_allclose(read["probability"], total, rtol=1e-13)
    assert predicted_classes(read) == classes
    assert class_pair(read) == pair
    assert positive_classes(read) == tuple(name for name in classes if name in positive)
    write_predictions(read, tmp_path / "again.tsv")
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "again.tsv"), read)


def test_without_a_word_of_them_the_last_class_is_positive(tmp_path):
    write_predictions(table(classes=CELLS), tmp_path / "predictions.tsv")
    read = read_predictions(tmp_path / "predictions.tsv")
    assert read["label"].tolist() == [0, 0, 1]
    assert read["class_label"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("positive", "message"),
    [
        (None, r"There are 3 classes \(neutrophil, monocyte, blast\), and the key 'positive'"),
        (["blasts"], r"'positive' of the data set names \['blasts'\]"),
        (list(CELLS), "'positive' of the data set names all classes"),
    ],
)
def test_more_classes_need_positive_ones_among_them(positive, message):
    with pytest.raises(InputError, match=message):
        mark_positive(table(classes=CELLS), positive)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positive": [0, 1, 1]}, r"column positive holds 1 for image '002' .* expected 1 for"),
        ({"probability": [0.1, 0.2, 2]}, "column probability holds .* expected the sum over"),
        ({"positive_class": ["blast", "monocyte", "blast"]}, "expected one value in all rows"),
    ],
)
def test_positive_classes_that_contradict_the_labels_are_refused(tmp_path, changes, message):
    marked = mark_positive(table(classes=CELLS), ["blast"])
    with pytest.raises(InputError, match=message):
        read_predictions(raw(tmp_path, marked.assign(**changes)))


def test_test_images_of_one_class_are_predictions(tmp_path):
    write_predictions(table(label=1), tmp_path / "predictions.tsv")
    assert read_test_predictions(tmp_path / "predictions.tsv")["label"].tolist() == [1, 1, 1]


def test_a_model_without_validation_images_has_no_validation_predictions(tmp_path):
    write_predictions(table(), tmp_path / "predictions.tsv")
    assert len(read_validation_predictions(tmp_path / "predictions.tsv")) == 0


def test_a_model_without_test_images_is_refused(tmp_path):
    path = raw(tmp_path, table("validation"))
    with pytest.raises(InputError, match=r"role holds \['validation'\], expected 'test'"):
        read_test_predictions(path)


@pytest.mark.parametrize("column", ["image_id", "repeat", "fold", "role", "label"])
def test_a_missing_column_is_named(tmp_path, column):
    path = raw(tmp_path, table().drop(columns=column))
    with pytest.raises(InputError, match=rf"predictions\.tsv: the columns \['{column}'\]"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"probability_blast": [np.nan, 0.5, 0.5]},
            "column probability_blast holds nan for .*'NA'",
        ),
        ({"probability_blast": [0.5, "high", 0.5]}, "column probability_blast holds 'high' for"),
        (
            {"probability_normal": [0.5, -0.1, 1.1]},
            "column probability_normal holds -0.1 for .*002",
        ),
        (
            {"probability_normal": [0.5, 0.5, 0.5], "probability_blast": [0.5, 0.5, 0.6]},
            "the sum of the probabilities is 1.1 for image 'c d' of fold 0, expected 1",
        ),
        ({"label": [0, 2, 1]}, "column label holds 2 for image '002' of fold 0, expected .*0 to 1"),
        ({"label": ["0", "blast", "1"]}, "column label holds 'blast', expected a whole number"),
        ({"label": [0, "", 1]}, "column label holds nan, expected a whole number"),
        ({"role": ["test", "tset", "test"]}, "column role holds 'tset' for image '002'"),
        ({"fold": [0, 0, 0.5]}, r"column fold holds 0\.5"),
        ({"image_id": ["a", "b", "a"]}, "image 'a' has two predictions in fold 0 of repeat 0"),
    ],
)
def test_what_is_no_prediction_is_refused(tmp_path, changes, message):
    path = raw(tmp_path, table(**changes))
    with pytest.raises(InputError, match=rf"predictions\.tsv: .*{message}"):
        read_predictions(path)


def test_an_image_in_two_files_of_one_fold_is_refused(tmp_path):
    paths = [raw(tmp_path, table(), name) for name in ("one.tsv", "two.tsv")]
    with pytest.raises(InputError, match="image 'NA' has two predictions in fold 0"):
        read_predictions(paths)


def test_an_image_in_two_repeats_or_folds_is_no_double(tmp_path):
    tables = [table(), table(repeat=1), table(fold=1)]
    assert len(read_predictions(raw(tmp_path, pd.concat(tables)))) == 9


def test_tables_of_other_classes_are_refused(tmp_path):
    one = raw(tmp_path, table(), "one.tsv")
    other = raw(tmp_path, table(fold=1, classes=("hem", "all")), "two.tsv")
    with pytest.raises(InputError, match=r"two\.tsv: the classes are \['hem', 'all'\], expected"):
        read_predictions([one, other])


@pytest.mark.parametrize("columns", [["probability"], ["probability_blast"], []])
def test_an_older_layout_or_a_single_class_is_refused(tmp_path, columns):
    old = table()[["image_id", "repeat", "fold", "role", "label"]]
    path = raw(tmp_path, old.assign(**dict.fromkeys(columns, 1.0)))
    with pytest.raises(InputError, match="expected one column probability_<class> for each"):
        read_predictions(path)


def test_an_unfit_table_is_not_written(tmp_path):
    with pytest.raises(InputError, match="probability_blast holds nan"):
        write_predictions(table(probability_blast=np.nan), tmp_path / "predictions.tsv")
    assert not (tmp_path / "predictions.tsv").exists()
