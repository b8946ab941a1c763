"""Costs added up by hand, and a ranking whose references are known."""

import numpy as np
import pandas as pd
import pytest
from support.tested_models import comparisons, groups_of, intervals, models_tested

from blastfold.core.errors import BlastfoldError, InputError
from blastfold.core.tables import read_table
from blastfold.evaluation.efficiency import count_network, estimate_efficiency, rank_split

COSTS = {"tiny": 1e6, "small": 12e6, "large": 144e6, "random": 500e6}
VALUES = {"tiny": 0.80, "small": 0.90, "large": 0.85, "random": 0.99}


def layers(**changes):
    table = pd.DataFrame(
        {
            "name": ["image", "conv", "norm", "dense"],
            "kind": ["InputLayer", "Conv2D", "BatchNormalization", "Dense"],
            "parameters": [0, 280, 40, 11],
            "trained_parameters": [0, 280, 20, 11],
            "multiply_adds": [0, 2700, 0, 10],
        }
    )
    return table.assign(**changes)


def test_layers_are_added_up():
    assert count_network(layers()) == {
        "parameters": 331,
        "trained_parameters": 311,
        "multiply_adds": 2710,
        # Four bytes for each float32.
        "weight_bytes": 1324,
        "note": "",
    }


def test_a_layer_without_a_formula_leaves_no_count_instead_of_a_wrong_one():
    counted = count_network(
        layers(kind=["InputLayer", "Strange", "Odd", "Strange"]).assign(
            multiply_adds=[0, np.nan, np.nan, np.nan]
        )
    )
    assert np.isnan(counted["multiply_adds"])
    assert counted["note"] == "uncounted_layer:Strange; uncounted_layer:Odd"
    assert counted["parameters"] == 331


def model_rows(random=("random",), **changes):
    return [
        {
            **{"dataset": "cells", "protocol": "folds", "model": model, "metric": "auc"},
            **{"random_backbone": model in random, "value": VALUES[model], "lower": 0.5},
            **{"upper": 1.0, "note": "", "multiply_adds": cost, "parameters": 10},
            **changes.get(model, {}),
        }
        for model, cost in COSTS.items()
    ]


def verdicts(**changes):
    row = {
        **{"first_model": "small", "second_model": "tiny", "difference": 0.1, "lower": -0.02},
        **{"upper": 0.22, "minimum_detectable": 0.15, "outcome": "no_difference", "note": ""},
    }
    worse = row | {"first_model": "large", "second_model": "small", "outcome": "second_higher"}
    worse |= {"difference": -0.05, "lower": -0.09, "upper": -0.01}
    third = row | {"first_model": "tiny", "second_model": "large", "difference": -0.05}
    return pd.DataFrame([row | changes, worse, third])


def test_models_are_compared_with_the_best_of_those_that_cost_more():
    table = rank_split(model_rows(), verdicts()).set_index("model")
    assert table["reference"].to_dict() == {
        "tiny": "small",
        "small": "large",
        "large": "",
        "random": "",
    }
    assert table.at["tiny", "cost_ratio"] == 12
    # The table has the costlier one first: the signs turn round.
    assert table.at["tiny", "difference"] == -0.1
    assert table.loc["tiny", ["difference_lower", "difference_upper"]].tolist() == [-0.22, 0.02]
    assert table.at["tiny", "outcome"] == "no_difference"
    assert table.at["small", "outcome"] == "first_higher"
    assert table.loc["small", ["difference_lower", "difference_upper"]].tolist() == [0.01, 0.09]
    assert table.at["large", "note"] == "no_costlier_model"


def test_a_costlier_model_without_a_result_is_not_said_to_be_absent():
    rows = model_rows()
    for row in rows:
        row["value"] = np.nan if row["model"] == "large" else row["value"]
    table = rank_split(rows, verdicts()).set_index("model")
    assert table.at["small", "note"] == "no_costlier_known:1"
    assert table.at["tiny", "reference"] == "small"


def test_random_frozen_backbones_are_neither_ranked_nor_a_reference():
    table = rank_split(model_rows(), verdicts()).set_index("model")
    assert table["front_multiply_adds"].to_dict() == {
        **{"tiny": 1, "small": 1, "large": 0, "random": 0},
    }
    # All have as many parameters: the best of the learnt ones alone is on that front.
    assert table["front_parameters"].to_dict() == {"tiny": 0, "small": 1, "large": 0, "random": 0}
    assert table.at["random", "note"] == "random_backbone"
    assert "random" not in set(table["reference"])
    learnt = rank_split(
        model_rows(random=()),
        pd.concat(
            [
                verdicts(),
                verdicts()[:1].assign(first_model="random", second_model="tiny"),
                verdicts()[:1].assign(first_model="random", second_model="small"),
                verdicts()[:1].assign(first_model="large", second_model="random"),
            ]
        ),
    ).set_index("model")
    assert learnt.loc[["tiny", "small", "large"], "reference"].tolist() == ["random"] * 3


def test_a_model_without_a_count_is_not_ranked_by_it():
    rows = model_rows(small={"multiply_adds": np.nan, "note": "uncounted_layer:Odd"})
    table = rank_split(rows, verdicts()).set_index("model")
    assert table.at["small", "reference"] == ""
    assert table.at["small", "front_multiply_adds"] == 0
    assert table.at["small", "note"] == "uncounted_layer:Odd"
    assert table.at["tiny", "reference"] == "large"


def test_a_missing_verdict_is_an_error():
    with pytest.raises(InputError, match="no verdict on tiny and small"):
        rank_split(model_rows(), verdicts()[1:])


@pytest.fixture(scope="module")
def evaluated():
    """Intervals of three models by name, and their comparisons."""
    tested = models_tested()
    groups = groups_of(next(iter(tested.values())))
    found = {model: intervals(table, groups) for model, table in tested.items()}
    return found, comparisons(tested, groups)


@pytest.fixture
def written(tmp_path, evaluated):
    """Files of three models; the dull one has a random backbone."""
    tested, compared = evaluated
    paths = {"layers": [], "intervals": []}
    for place, (model, table) in enumerate(tested.items()):
        counted = layers(multiply_adds=[0, 1000 * (place + 1), 0, 10])
        for name, content in (("layers", counted), ("intervals", table)):
            paths[name].append(tmp_path / f"{model}.{name}.tsv")
            content.to_csv(paths[name][-1], sep="\t", index=False)
    paths["comparisons"] = [tmp_path / "comparisons.tsv"]
    compared.to_csv(paths["comparisons"][0], sep="\t", index=False)
    networks = [{"dataset": "cells", "model": model, "height": 8, "width": 9} for model in tested]
    runs = [
        {
            "dataset": "cells",
            "protocol": "folds",
            "model": model,
            "random_backbone": model == "dull",
        }
        for model in tested
    ]

    def write(**changes):
        outputs = {"counts": tmp_path / "networks.tsv", "efficiency": tmp_path / "efficiency.tsv"}
        given = {**paths, "networks": networks, "runs": runs, "primary": {"cells": "auc"}}
        estimate_efficiency(**{**given, **changes}, **outputs)
        return [read_table(path) for path in outputs.values()]

    return write


def test_tables_hold_the_stored_intervals_and_verdicts(written, tmp_path):
    counts, efficiency = written()
    assert counts["multiply_adds"].tolist() == [1010, 2010, 3010]
    assert counts[["height", "width"]].to_numpy().tolist() == [[8, 9]] * 3
    by_model = efficiency.set_index("model")
    stored = read_table(tmp_path / "sharp.intervals.tsv")
    quoted = stored.query("view == 'pooled' and metric == 'auc' and recommended").iloc[0]
    assert by_model.loc["sharp", ["value", "lower", "upper"]].tolist() == pytest.approx(
        quoted[["value", "lower", "upper"]].tolist()
    )
    verdict = read_table(tmp_path / "comparisons.tsv").query(
        "view == 'procedure' and first_model == 'sharp' and second_model == 'blunt'"
    )
    assert by_model.at["sharp", "reference"] == "blunt"
    assert by_model.at["sharp", "difference"] == pytest.approx(verdict["difference"].iloc[0])
    assert by_model.at["sharp", "outcome"] == verdict["outcome"].iloc[0]
    assert by_model.at["dull", "reference"] == ""


def test_an_experiment_without_an_honest_split_has_counts_alone(written):
    counts, efficiency = written(intervals=[], comparisons=[], runs=[])
    assert len(counts) == 3
    assert efficiency.empty


def test_layers_of_an_older_version_are_refused(written, tmp_path):
    path = tmp_path / "sharp.layers.tsv"
    old = read_table(path).drop(columns="multiply_adds")
    old.to_csv(path, sep="\t", index=False)
    with pytest.raises(BlastfoldError, match=r"multiply_adds.*older version"):
        written()
