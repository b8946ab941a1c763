"""Variance components of runs: which protocols are joined, and what tables and figures show."""

import numpy as np
import pandas as pd
import pytest

from blastfold.core.names import COMPONENTS, SEEDS, SUBJECTS
from blastfold.core.predictions import prediction_table, write_predictions
from blastfold.core.tables import read_table
from blastfold.evaluation.variance_components import estimate_variance_components
from blastfold.reporting.figures.variance_components import (
    plot_variance_components,
    shown_components,
)
from blastfold.reporting.tables.variance_components import tabulate_variance_components

TITLES = {
    "model": {"cnn": "Simple CNN", "net": "Net & co"},
    "protocol": {"folds": "Folds", "seeds": "Seeds alone", "other": "Other"},
}


def run(model, protocol, draws, seeds_alone):
    return {"model": model, "protocol": protocol, "draws": draws, "seeds_alone": seeds_alone}


def write_run(path, seed, repeats, constant=None):
    """Predictions of 12 subjects in two folds."""
    random = np.random.default_rng(seed)
    subject = np.repeat(np.arange(12), 5)
    labels = subject % 2
    tables = []
    for repeat in range(repeats):
        score = labels + random.normal(0, 1, 12)[subject] + random.normal(0, 1, 60)
        blast = 1 / (1 + np.exp(-score)) if constant is None else np.full(60, constant)
        names = np.array([f"image_{i}" for i in range(60)])
        for fold in range(2):
            rows = subject // 2 % 2 == fold
            probabilities = np.stack([1 - blast[rows], blast[rows]], axis=1)
            number = 2 * repeat + fold
            facts = (names[rows], number, "test", labels[rows], probabilities)
            tables.append(prediction_table(*facts, ("normal", "blast"), repeat))
    write_predictions(pd.concat(tables, ignore_index=True), path)
    return path


def estimate(folder, runs, repeats, **options):
    paths = [
        write_run(folder / f"{number}.tsv", number, count, **options)
        for number, count in enumerate(repeats)
    ]
    groups = pd.DataFrame({"image_id": [f"image_{i}" for i in range(60)]})
    groups["group"] = [f"s{i // 5}" for i in range(60)]
    groups["relations"] = "known"
    groups.to_csv(folder / "groups.tsv", sep="\t", index=False)
    estimate_variance_components(paths, runs, folder / "groups.tsv", folder / "components.tsv")
    return read_table(folder / "components.tsv", ("model",), text=("seeds_protocol", "note"))


def write_products(folder):
    table = [folder / f"table.{ending}" for ending in ("tsv", "tex", "md")]
    label = "tab:components"
    tabulate_variance_components(folder / "components.tsv", TITLES, "Cells", label, table)
    figure = [folder / f"figure.{ending}" for ending in ("pdf", "svg", "png")]
    plot_variance_components(folder / "components.tsv", TITLES, "Cells", figure)
    return [path.read_bytes() for path in (*table, *figure)]


def test_runs_are_joined_with_repeats_of_the_same_folds_and_shown(tmp_path):
    runs = [
        run("cnn", "folds", 0, False),
        run("cnn", "seeds", 0, True),
        run("net", "folds", 0, False),
        run("cnn", "other", 1, False),
        run("net", "other", 1, True),
    ]
    table = estimate(tmp_path, runs, [4, 3, 5, 2, 3])
    place = ["model", "protocol", "seeds_protocol", "repeats", "seeds_repeats"]
    assert table[place].drop_duplicates().to_numpy().tolist() == [
        ["cnn", "folds", "seeds", 4, 3],
        ["net", "folds", "", 5, 0],
        ["cnn", "other", "", 2, 0],
        ["net", "other", "", 0, 3],
    ]
    assert table.groupby(place)["component"].unique().map(list).tolist() == [[*COMPONENTS]] * 4
    joined = table[(table["model"] == "cnn") & (table["protocol"] == "folds")]
    assert joined["deviation"].notna().all()
    assert (table["note"] != "").mean() > 0.2
    shown = write_products(tmp_path)
    markdown = shown[2].decode()
    assert "a protocol with redraw: seeds separates them" in markdown
    assert "nan" not in markdown.lower()
    assert b"Net \\& co" in shown[1]
    # The same files from the same table.
    assert write_products(tmp_path)[2:5] == shown[2:5]


def test_a_figure_shows_the_sum_only_where_the_parts_are_not_known(tmp_path):
    runs = [run("cnn", "folds", 0, False), run("cnn", "seeds", 0, True)]
    table = estimate(tmp_path, runs, [4, 3])
    auc = table[table["metric"] == "auc"]
    shown = [part["component"] for part in shown_components(auc)]
    assert shown == ["seeds", "splits", "subjects"]
    table = estimate(tmp_path, runs[:1], [4])
    shown = shown_components(table[table["metric"] == "auc"])
    assert [part["component"] for part in shown] == ["seeds and splits", "subjects"]
    table = estimate(tmp_path, runs[1:], [4])
    shown = shown_components(table[table["metric"] == "auc"])
    assert [part["component"] for part in shown] == [SEEDS, SUBJECTS]


@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_equal_predictions_have_no_variance_and_no_crash(tmp_path, constant):
    runs = [run("cnn", "folds", 0, False), run("cnn", "seeds", 0, True)]
    table = estimate(tmp_path, runs, [3, 2], constant=constant)
    # All images of one class are right, so that subjects of two classes differ in accuracy.
    drawn = table[table["component"] != SUBJECTS]
    assert (drawn["deviation"] == 0).all()
    write_products(tmp_path)
