"""Tables and figure of what networks cost: numbers by hand, and what is not measured."""

import json
from itertools import pairwise

import pandas as pd
import pytest

from blastfold.core.tables import read_table
from blastfold.reporting.figures.efficiency import accuracy_and_cost, plot_efficiency
from blastfold.reporting.tables.efficiency import read_ranked, tabulate_efficiency
from blastfold.reporting.tables.network_cost import hours_of, tabulate_network_costs

MODELS = {"small": "Small {1}", "large": "Large", "random": "Random"}
MEASURED = {
    **{"measured_as": "cells/small", "latency_ms": 12.3456, "latency_p90_ms": 15.0},
    **{"passes": 30, "images_per_second": 1234.56, "batch_size": 16, "device": "CPU"},
    **{"runtime": "tensorflow 2", "precision": "float32", "threads": 1, "peak_memory_mb": 456.7},
    **{"gpu_memory_mb": None, "note": "no_gpu", "cores": 2, "load_before": 0.1, "load_after": 1.3},
}


@pytest.fixture
def stored(tmp_path):
    """Tables of three models on one data set, and of one of them on another."""
    counts = [
        {
            **{"dataset": "cells", "model": model, "height": 64, "width": 48},
            **{"parameters": 1000, "trained_parameters": 10, "multiply_adds": 2_500_000 * factor},
            **{"weight_bytes": 4000, "note": ""},
        }
        for model, factor in zip(MODELS, (1, 12, 40), strict=True)
    ]
    measured = [
        MEASURED | {"dataset": "cells", "model": model, "latency_ms": latency}
        for model, latency in zip(MODELS, (12.3456, 10.0, 500.0), strict=True)
    ]
    measured[1]["runtime"] = "onnxruntime 1, tensorflow 2"
    nothing = dict.fromkeys(("cost_ratio", "difference", "difference_lower", "difference_upper"))
    rows = [
        {
            **{"dataset": "cells", "protocol": "folds", "model": model, "random_backbone": 0},
            **{"metric": "auc", "value": value, "lower": 0.5, "upper": 1.0, "parameters": 1000},
            **{"multiply_adds": 1e6, "front_multiply_adds": 1, "front_parameters": 0},
            **{"reference": "", **nothing, "minimum_detectable": None, "outcome": ""},
            "note": "no_costlier_model",
        }
        for model, value in zip(MODELS, (0.9, 0.8, 0.99), strict=True)
    ]
    compared = {"difference": 0.1, "difference_lower": -0.04, "difference_upper": 0.3}
    compared |= {"minimum_detectable": 0.2, "outcome": "no_difference", "reference": "large"}
    rows[0] |= compared | {"cost_ratio": 12, "note": ""}
    rows[2] |= {"random_backbone": 1, "front_multiply_adds": 0, "note": "random_backbone"}
    rows.append(rows[0] | {"dataset": "others"})
    paths = {}
    for name, content in (("counts", counts), ("measured", measured), ("efficiency", rows)):
        paths[name] = tmp_path / f"{name}.tsv"
        pd.DataFrame(content).to_csv(paths[name], sep="\t", index=False)
    return paths


def shown(stored, **changes):
    given = {"efficiency": stored["efficiency"], "measured": stored["measured"]}
    titles = {"dataset": "cells", "titles": MODELS, "title": "Cells, folds"}
    return {**given, **titles, **changes}


def test_accuracy_and_cost_are_next_to_each_other(stored, tmp_path):
    paths = [tmp_path / f"table.{ending}" for ending in ("tsv", "md", "tex")]
    tabulate_efficiency(**shown(stored), label="tab:efficiency", paths=paths)
    table = read_table(paths[0], text=("front", "compared")).set_index("model")
    assert table.index.tolist() == list(MODELS)
    # The large one has less accuracy at a lower latency; the random one is on no front.
    assert table["front"].to_dict() == {
        "small": "multiply-adds, latency",
        "large": "multiply-adds, latency",
        "random": "not ranked",
    }
    assert table.at["small", "compared"].startswith("as good as Large within the interval")
    assert table.at["small", "compared"].endswith("at 1/12 of its multiply-adds")
    assert table.at["random", "compared"] == "not compared: the backbone is random and frozen"
    assert table.loc["small", ["auc", "latency_ms"]].tolist() == [0.9, 12.3]
    assert "90.00 \\[50.00, 100.00\\]" in paths[1].read_text()


def test_nothing_is_shown_as_measured_that_was_not(stored, tmp_path):
    paths = [tmp_path / f"table.{ending}" for ending in ("tsv", "md")]
    tabulate_efficiency(**shown(stored, measured=None), label="tab:efficiency", paths=paths)
    table = read_table(paths[0], text=("front",))
    assert table["latency_ms"].isna().all()
    assert table["front"].tolist() == ["multiply-adds", "multiply-adds", "not ranked"]
    assert "n/a" in paths[1].read_text()
    assert "were not measured" in paths[1].read_text()
    figure = tmp_path / "figure.svg"
    plot_efficiency(**shown(stored, measured=None), paths=[figure])
    assert "not measured" in figure.read_text()


def test_figure_names_every_model(stored, tmp_path):
    figure = tmp_path / "figure.svg"
    plot_efficiency(**shown(stored), paths=[figure])
    text = figure.read_text()
    for words in ("Small {1}", "Random", "Pareto front", "AUC (%)"):
        assert words in text
    assert "not measured" not in text


@pytest.mark.parametrize("factor", [1, 10, 41, 1e5])
def test_every_cost_has_labels_that_do_not_touch(stored, factor):
    """The drawn boxes of the labels are asked, for costs that are equal and far apart."""
    table = read_ranked(stored["efficiency"], stored["measured"], "cells")
    table[["multiply_adds", "parameters", "latency_ms"]] = 6290.0
    table.loc[1, ["multiply_adds", "parameters", "latency_ms"]] *= factor
    figure = accuracy_and_cost(table, MODELS, "Cells, folds")
    figure.canvas.draw()
    for axes in figure.axes:
        places = axes.get_xticks()
        labels = zip(axes.get_xticklabels(), places, strict=True)
        low, high = axes.get_xlim()
        boxes = [label.get_window_extent() for label, place in labels if low <= place <= high]
        assert len(boxes) >= 2
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def record(seconds, features=None):
    found = {"seconds": seconds, "digests": {"features": features}}
    return found | ({"extraction": {"seconds": 1800}} if features else {})


def test_features_that_folds_share_are_counted_once():
    # Four folds, two of which learnt from the same features of half an hour.
    records = [record(360, "a"), record(360, "a"), record(360, "b"), record(360)]
    assert hours_of(records) == {"training_hours": 0.4, "extraction_hours": 1.0}
    assert hours_of([]) == {"training_hours": 0, "extraction_hours": 0}


def test_networks_have_counts_measurements_and_hours(stored, tmp_path):
    runs = []
    for protocol, model in (("folds", "small"), ("holdout", "small"), ("folds", "large")):
        runs.append((("cells", protocol, model, 1), tmp_path / f"{protocol}-{model}.json"))
        runs[-1][1].write_text(json.dumps([record(720)]))
    paths = [tmp_path / f"table.{ending}" for ending in ("tsv", "md")]
    trainings, files = zip(*runs, strict=True)
    titles = {"dataset": {"cells": "Cells"}, "protocol": {}, "model": MODELS}
    tables = {"counts": stored["counts"], "measured": stored["measured"]}
    tabulate_network_costs(trainings, files, titles, **tables, paths=paths)
    table = read_table(paths[0]).set_index("model")
    assert table["training_hours"].to_dict() == {"small": 0.4, "large": 0.2, "random": 0}
    assert table["multiply_adds_millions"].tolist() == [2.5, 30, 100]
    assert table["weights_mb"].tolist() == [0.004] * 3
    assert table["images"].tolist() == ["64x48"] * 3
    # Three digits of what is measured.
    assert table.loc["small", ["latency_ms", "images_per_second"]].tolist() == [12.3, 1235]
    text = paths[1].read_text()
    assert "on the CPU with tensorflow 2 or onnxruntime 1, tensorflow 2, float32, 1 thread" in text
    assert "on a machine of 2 cores with a load average of 0.1 before and 1.3 after it" in text
    assert "GPU memory n/a: measured on the CPU" in text
    tabulate_network_costs(trainings, files, titles, stored["counts"], None, paths)
    assert read_table(paths[0])["latency_ms"].isna().all()
    assert "load average" not in paths[1].read_text()
