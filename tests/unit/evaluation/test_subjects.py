"""Results by subject and by picture from files, and the table and figure made of them."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from sklearn.metrics import roc_auc_score
from support.predictions import write_stored_predictions

from blastfold.core.errors import InputError
from blastfold.evaluation.subjects import evaluate_units, units_in_training
from blastfold.reporting.figures.subjects import plot_subjects, subject_columns
from blastfold.reporting.tables.subjects import tabulate_subject_results, tabulate_subjects
from blastfold.statistics.units import summarise_units

RUN = {"protocol": "p", "protocol_title": "3 folds", "model": "m", "model_title": "Network"}


def cells_of(subjects=9, cells=6, seed=1):
    random = np.random.default_rng(seed)
    rows = []
    for subject in range(subjects):
        label, effect = subject % 2, random.normal()
        for cell in range(cells):
            probability = 1 / (1 + np.exp(-(1.5 * (2 * label - 1) + effect + random.normal())))
            rows.append((f"s{subject}c{cell}", subject % 3, "test", label, probability))
    return pd.DataFrame(rows, columns=["image_id", "fold", "role", "label", "probability"])


@pytest.fixture
def written(tmp_path):
    """Write predictions, manifest, groups and folds; returns the arguments of evaluate_units."""

    def write(table, known=lambda subject: True, by_image=False):
        write_stored_predictions(table, tmp_path / "predictions.tsv")
        subject = table["image_id"].str.extract(r"s(\d+)c")[0]
        named = [known(int(number)) for number in subject]
        manifest = pd.DataFrame({"image_id": table["image_id"], "label": table["label"]})
        manifest["subject"] = ("P" + subject).where(named, "")
        # Sources count the pictures of every subject from 1.
        picture = table["image_id"].str.extract(r"c(\d+)")[0].astype(int) % 2 + 1
        manifest["picture"] = picture.astype(str).where(named, "")
        manifest.to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
        groups = pd.DataFrame({"image_id": table["image_id"], "group": "g" + subject})
        groups["group"] = groups["group"].where(named, table["image_id"])
        groups["relations"] = np.where(named, "known", "unknown")
        groups.to_csv(tmp_path / "groups.tsv", sep="\t", index=False)
        folds = [table[["image_id", "fold"]].assign(repeat=0, role="test")]
        for fold in range(3):
            fresh = table["fold"] != fold
            if by_image:
                fresh &= table["image_id"].str.endswith("0")
            rest = table.loc[fresh, ["image_id"]]
            folds.append(rest.assign(fold=fold, repeat=0, role="train"))
        pd.concat(folds).to_csv(tmp_path / "folds.tsv", sep="\t", index=False)
        names = ("manifest", "groups", "folds")
        paths = {name: str(tmp_path / f"{name}.tsv") for name in names}
        outputs = {n: str(tmp_path / f"{n}.out.tsv") for n in ("subjects", "subject_metrics")}
        return paths | {"predictions": [str(tmp_path / "predictions.tsv")], "outputs": outputs}

    return write


def evaluated(arguments):
    evaluate_units(**arguments)
    return (
        pd.read_csv(arguments["outputs"][name], sep="\t", keep_default_na=False, na_values=[""])
        for name in ("subjects", "subject_metrics")
    )


def test_every_subject_and_picture_is_one_row(written):
    table = cells_of()
    units, results = evaluated(written(table))
    subjects_found = units[units["level"] == "subject"].set_index("unit")
    subject = "P" + table["image_id"].str.extract(r"s(\d+)c")[0]
    mean = table["probability"].groupby(subject).mean()
    pd.testing.assert_series_equal(
        subjects_found["mean_probability"], mean, check_names=False, check_exact=False
    )
    assert (subjects_found["images"] == 6).all()
    # Pictures of two subjects with the same number are different pictures.
    assert (units["level"] == "picture").sum() == 18
    by_subject = results[results["level"] == "subject"].set_index(["score", "metric"])
    label = table["label"].groupby(subject).first()
    assert by_subject.at[("mean_probability", "auc"), "value"] == pytest.approx(
        roc_auc_score(label, mean)
    )
    assert by_subject["note"].isna().all()
    by_picture = results[results["level"] == "picture"]
    assert (by_picture["method"] == "jackknife-t").all()
    assert (by_picture["groups"] == 9).all()


def test_unknown_subjects_are_reported_and_have_no_numbers(written, tmp_path):
    arguments = written(cells_of(), known=lambda subject: False)
    units, results = evaluated(arguments)
    assert len(units) == 0
    assert results[["value", "lower", "upper"]].isna().all(axis=None)
    assert all("no_unit_known" in note for note in results["note"])
    paths = [tmp_path / f"table.{ending}" for ending in ("tsv", "md", "tex")]
    tabulate_subjects(arguments["outputs"]["subjects"], "cells", "Cells", "tab:x", paths)
    assert "the source does not name them" in paths[1].read_text("utf-8")
    results_at = [arguments["outputs"]["subject_metrics"]]
    tabulate_subject_results(results_at, [RUN], "Cells", "tab:y", paths)
    assert "the source does not name them" in paths[1].read_text("utf-8")
    figure = tmp_path / "figure.svg"
    plot_subjects(
        arguments["outputs"]["subjects"],
        arguments["predictions"][0],
        arguments["manifest"],
        "Cells",
        [figure],
    )
    assert "does not name its subjects" in figure.read_text("utf-8")


def test_images_of_unknown_subjects_are_left_out_and_counted(written):
    _, results = evaluated(written(cells_of(), known=lambda subject: subject != 4))
    assert all("images_of_unknown_units:6:54" in note for note in results["note"])
    of_subjects = results[results["level"] == "subject"]
    assert (of_subjects["units"] == 8).all()
    of_pictures = results[results["level"] == "picture"]
    assert all("groups_of_unknown_subjects:6:54" in note for note in of_pictures["note"])


def test_subjects_that_are_in_training_too_are_counted(written):
    table = cells_of()
    table["fold"] = np.arange(len(table)) % 3
    arguments = written(table, by_image=True)
    _, results = evaluated(arguments)
    of_subjects = results[results["level"] == "subject"]
    assert all("units_in_training:9:9" in note for note in of_subjects["note"])


def test_units_in_training_are_counted_fold_by_fold():
    folds = pd.DataFrame(
        {
            "image_id": ["a", "b", "c", "a", "b", "c"],
            "repeat": 0,
            "fold": [0, 0, 0, 1, 1, 1],
            "role": ["test", "train", "train", "train", "test", "test"],
        }
    )
    # a and b are of one subject, c of another one; in fold 1, c is tested and not trained on.
    assert units_in_training(folds, pd.Series({"a": "S", "b": "S", "c": "T"})) == 1
    assert units_in_training(folds, pd.Series({"a": "S", "b": "U", "c": "T"})) == 0
    assert units_in_training(folds, pd.Series({"a": "", "b": "", "c": ""})) == 0


def test_an_image_that_is_not_in_the_manifest_is_refused(written):
    arguments = written(cells_of())
    manifest = pd.read_csv(arguments["manifest"], sep="\t")
    manifest.iloc[1:].to_csv(arguments["manifest"], sep="\t", index=False)
    with pytest.raises(InputError, match="manifest: image 's0c0' is predicted and has no row"):
        evaluate_units(**arguments)


def test_tables_show_every_subject_in_order(written, tmp_path):
    arguments = written(cells_of())
    _, results = evaluated(arguments)
    paths = [tmp_path / f"table.{ending}" for ending in ("tsv", "md", "tex")]
    tabulate_subjects(arguments["outputs"]["subjects"], "cells", "Cells", "tab:x", paths)
    table = pd.read_csv(paths[0], sep="\t")
    assert len(table) == 9
    assert list(table["class"]) == ["normal"] * 5 + ["blast"] * 4
    for _, members in table.groupby("class"):
        assert members["mean_probability"].is_monotonic_increasing
    called = table["mean_probability"] >= 0.5
    assert list(table["wrong"] == "yes") == list(called != (table["class"] == "blast"))
    assert table["folds"].astype(str).tolist() == [
        str(int(name[1:]) % 3) for name in table["subject"]
    ]
    tabulate_subject_results(
        [arguments["outputs"]["subject_metrics"]], [RUN], "Cells", "tab:y", paths
    )
    shown = pd.read_csv(paths[0], sep="\t")
    assert list(shown["level"]) == ["subject", "subject", "picture", "picture"]
    expected = results.query("level == 'subject' and metric == 'auc'").iloc[0]
    assert shown.loc[0, ["auc", "auc_lower", "auc_upper"]].tolist() == pytest.approx(
        expected[["value", "lower", "upper"]].tolist()
    )


@pytest.mark.parametrize("number", [1, 18, 130])
def test_figure_has_one_column_per_subject(number):
    table = cells_of(number, cells=4).assign(repeat=0)
    table["unit"] = table["image_id"].str.split("c").str[0]
    units = summarise_units(table, table["unit"])
    figure = subject_columns(units, table, ("normal", "blast"), "Cells")
    columns = [
        found
        for axes in figure.axes
        for found in axes.collections
        if isinstance(found, PathCollection)
    ]
    assert len(columns) == number
    assert sum(len(column.get_offsets()) for column in columns) == 4 * number
    mean = table.groupby("unit")["probability"].mean()
    label = table.groupby("unit")["label"].first()
    wrong = ((mean >= 0.5) != (label == 1)).sum()
    assert figure.legends[0].get_texts()[-1].get_text() == f"Wrong ({wrong})"
    crosses = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "x"]
    assert len(crosses) == wrong
    assert figure.get_size_inches()[0] <= 180 / 25.4 + 1e-9
