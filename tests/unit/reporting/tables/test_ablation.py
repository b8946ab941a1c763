"""Tables and figures of an ablation, from tables as the estimation writes them."""

import numpy as np
import pandas as pd
import pytest
from support.ablations import FACTORS, effects_of, simulate

from blastfold.core.noted_tables import write_noted
from blastfold.reporting.figures.ablation import (
    drawn_metrics,
    effects_figure,
    learning_curve,
    plot_effects,
)
from blastfold.reporting.tables.ablation import (
    effect_rows,
    metrics_aside,
    read_table,
    shown_effects,
    tabulate_cells,
    tabulate_effects,
    tabulate_learning_curve,
)

TITLES = {
    "dataset": {"cells": "Cells & more"},
    "protocol": {"folds": "3 folds by subject"},
    "model": {"cnn": "CNN"},
    "factor": {"weights": "Start weights", "train": "Trained layers"},
    "level": {
        "weights": {"none": "random weights", "pcam": "PCam $x_1$", "imagenet": "ImageNet"},
        "train": {"head": "head", "all": "all layers"},
    },
}
METRICS = ("auc", "accuracy", "sensitivity", "specificity")
CONTRAST = ("weights", "pcam", "imagenet")


@pytest.fixture
def effects(tmp_path):
    predictions, groups = simulate(2, {"pcam": 1.0})
    write_noted(effects_of(predictions, groups, contrasts=[CONTRAST]), tmp_path / "effects.tsv")
    return tmp_path / "effects.tsv"


def cell_rows(value=0.8, note=""):
    place = {"dataset": "cells", "protocol": "folds"}
    ends = {"lower": np.nan if note else value - 0.1, "upper": np.nan if note else value + 0.1}
    rows = [
        {**place, "model": "cnn", "weights": weights, "train": train, "metric": metric}
        | {"value": value, **ends, "note": note}
        for weights in FACTORS["weights"]
        for train in FACTORS["train"]
        for metric in METRICS
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def cells(tmp_path):
    write_noted(cell_rows(), tmp_path / "cells.tsv")
    return tmp_path / "cells.tsv"


def test_a_level_called_none_stays_a_level(effects, cells, tmp_path):
    assert set(read_table(cells)["weights"]) == {"none", "pcam", "imagenet"}
    paths = [tmp_path / f"t.{ending}" for ending in ("tsv", "tex", "md")]
    tabulate_effects(effects, TITLES, "A title", "tab:x", paths)
    tabulate_cells(cells, TITLES, "A title", "tab:y", paths)
    printed = paths[2].read_text("utf-8")
    assert "| random weights | head | 80.00 \\[70.00, 90.00\\] |" in printed
    assert r"Cells \& more" in paths[1].read_text("utf-8")


def test_outcomes_name_the_better_side_by_its_title(effects):
    stored = shown_effects(effects)
    rows = effect_rows(stored, TITLES)
    assert len(rows) == 4 * 4
    shown = rows[rows["adjusted_p_value"] < 0.05]
    assert set(shown["outcome"]) <= {"PCam $x_1$ better"}
    others = rows[rows["adjusted_p_value"] >= 0.05]
    assert set(others["metric"]) == {"auc"}
    assert set(rows.loc[rows["metric"] != "auc", "outcome"]) == {"descriptive"}
    assert others["outcome"].str.startswith("no difference detected (").all()
    np.testing.assert_allclose(rows["difference_lower"], 100 * stored["lower"])


def test_undefined_values_are_reported(tmp_path):
    predictions, groups = simulate(2)
    one_class = {cell: table[table["label"] == 1] for cell, table in predictions.items()}
    write_noted(effects_of(one_class, groups), tmp_path / "effects.tsv")
    write_noted(cell_rows(0.5, "one_class"), tmp_path / "cells.tsv")
    paths = [tmp_path / f"t.{ending}" for ending in ("tsv", "tex", "md")]
    tabulate_effects(tmp_path / "effects.tsv", TITLES, "A title", "tab:x", paths)
    printed = paths[2].read_text("utf-8")
    assert "undefined: no image of the negative class" in printed
    assert "nan" not in printed
    tabulate_cells(tmp_path / "cells.tsv", TITLES, "A title", "tab:y", paths)
    assert (
        "Accuracy, Sensitivity, Specificity, AUC: undefined: the test images"
        in paths[2].read_text()
    )
    figure = tmp_path / "f.png"
    plot_effects(tmp_path / "effects.tsv", tmp_path / "cells.tsv", TITLES, "A title", [figure])
    assert figure.stat().st_size > 10_000


def test_figure_draws_every_comparison_where_it_belongs(effects, cells):
    stored = shown_effects(effects)
    figure = effects_figure(stored, read_table(cells), TITLES, "A title")
    texts = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert texts == [
        "Start weights",
        *("random weights", "PCam $x_1$", "ImageNet", "PCam $x_1$ \N{MINUS SIGN} ImageNet"),
        "Trained layers",
        *("head", "all layers"),
    ]
    expected = {
        2: ("pcam", "none"),
        3: ("imagenet", "none"),
        4: ("pcam", "imagenet"),
        7: ("all", "head"),
    }
    auc = stored[stored["metric"] == "auc"].set_index(["level", "reference"])["difference"]
    drawn = {
        float(container.lines[0].get_ydata()[0]): float(container.lines[0].get_xdata()[0])
        for container in figure.axes[1].containers
        if len(container.lines[0].get_xdata())
    }
    assert drawn == {line: pytest.approx(auc[pair]) for line, pair in expected.items()}


def test_learning_curve_is_drawn_in_the_order_of_its_groups(tmp_path):
    place = {"dataset": "cells", "protocol": "folds", "model": "cnn"}
    points = [(1.0, 10, 0.9), (0.25, 2, 0.6), (0.5, 5, 0.7)]
    rows = [
        {**place, "share": share, "training_groups": groups, "training_images": 9 * groups}
        | {"metric": metric, "value": value, "lower": value - 0.1, "upper": 1.0, "note": ""}
        for share, groups, value in points
        for metric in METRICS
    ]
    write_noted(pd.DataFrame(rows), tmp_path / "curve.tsv")
    curve = read_table(tmp_path / "curve.tsv")
    line = learning_curve(curve, TITLES, "A title").axes[0].containers[0].lines[0]
    assert list(line.get_xdata()) == [2, 5, 10]
    assert list(line.get_ydata()) == [0.6, 0.7, 0.9]
    tabulate_learning_curve(tmp_path / "curve.tsv", TITLES, "A title", "tab:x", [tmp_path / "t.md"])
    assert "| CNN | 0.25 | 2 | 18 | 60.00 \\[50.00, 100.00\\] |" in (tmp_path / "t.md").read_text()


def test_notes_of_metrics_are_put_together():
    rows = cell_rows()
    rows.loc[rows["metric"] == "auc", "note"] = "few_groups:3.1"
    rows.loc[rows["metric"] == "accuracy", "note"] = "few_groups:7.4"
    wide = metrics_aside(rows, ["weights", "train"])
    assert len(wide) == 6
    assert wide["note"].str.startswith("Accuracy, AUC: the interval rests on few groups").all()


def test_a_run_of_two_classes_next_to_one_of_more_has_no_macro_auc(tmp_path):
    rows = cell_rows()
    many = rows.assign(dataset="kinds")
    over = many[many["metric"] == "auc"].assign(metric="macro_auc", value=0.7)
    both = pd.concat([rows, many, over], ignore_index=True)
    wide = metrics_aside(both, ["dataset", "weights", "train"])
    assert wide["macro_auc"].isna().tolist() == [True] * 6 + [False] * 6
    assert wide.loc[wide["macro_auc"].isna(), "note"].str.startswith("Macro AUC: ").all()
    assert drawn_metrics(both) == ("auc", "accuracy")
    assert drawn_metrics(pd.concat([many, over])) == ("macro_auc", "accuracy")
    write_noted(pd.concat([many, over]), tmp_path / "cells.tsv")
    titles = {**TITLES, "dataset": {"kinds": "Kinds"}}
    tabulate_cells(tmp_path / "cells.tsv", titles, "A title", "tab:y", [tmp_path / "t.md"])
    assert "| Macro AUC (%) | AUC (%) |" in (tmp_path / "t.md").read_text()
