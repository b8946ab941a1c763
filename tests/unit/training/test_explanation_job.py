"""Which cells are drawn, and the stored maps of stored networks."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from support.trainings import job_settings

from blastfold.core.attribution_table import read_drawn, read_maps
from blastfold.core.errors import InputError
from blastfold.training.explanation_job import (
    ExplainedModel,
    Sample,
    draw_cells,
    explain_networks,
    models_of,
)

SAMPLE = Sample(seed=3, place=("cells", "folds", "cells"), cells=2)


def predictions(images=40, wrong=3, seed=0):
    """Two folds; in each, and of each class, some predictions are wrong."""
    label = np.arange(images) % 2
    fold = np.arange(images) // (images // 2)
    place = np.arange(images) % (images // 2) // 2
    probability = np.where((label == 1) == (place >= wrong), 0.8, 0.3)
    return pd.DataFrame(
        {
            **{"image_id": [f"cell {number}" for number in range(images)], "repeat": 0},
            **{"fold": fold, "role": "test", "label": label, "class_label": label},
            "probability": probability,
            **{"probability_normal": 1 - probability, "probability_blast": probability},
        }
    )


def rows_of(table):
    return {name: row for row, name in enumerate(table["image_id"])}


def test_cells_of_each_class_are_drawn_right_and_wrong_with_their_weights():
    table = predictions()
    drawn = draw_cells(table, rows_of(table), SAMPLE)
    right = drawn["label"] == drawn["predicted"]
    assert drawn.groupby(["fold", "label", right]).size().tolist() == [2] * 8
    # Each represents those of its kind: seven right and three wrong of ten.
    assert set(drawn.loc[right, "weight"]) == {3.5}
    assert set(drawn.loc[~right, "weight"]) == {1.5}
    assert drawn["weight"].sum() == len(table)
    few = draw_cells(predictions(wrong=1), rows_of(table), SAMPLE)
    assert few["weight"].sum() == len(table)
    assert len(few) == 2 * 2 * (2 + 1)


def test_the_draw_depends_on_names_alone_and_is_shared_by_models():
    table = predictions()
    drawn = draw_cells(table, rows_of(table), SAMPLE)
    again = draw_cells(table.sample(frac=1, random_state=1), rows_of(table), SAMPLE)
    assert set(drawn["image_id"]) == set(again["image_id"])
    surer = table.assign(probability_blast=table["probability"] / 2 + 0.25)
    assert set(draw_cells(surer, rows_of(table), SAMPLE)["image_id"]) == set(drawn["image_id"])
    other = draw_cells(table, rows_of(table), Sample(4, SAMPLE.place, 2))
    assert set(other["image_id"]) != set(drawn["image_id"])


def test_an_image_without_a_row_is_named():
    with pytest.raises(InputError, match=r"image 'cell 5' is predicted and has no row"):
        draw_cells(predictions().iloc[5:7], {}, SAMPLE)


def test_files_of_all_models_are_given_out_in_their_order():
    found = models_of([("a", 2, 1), ("b", 1, 2)], ["n1", "n2", "n3"], ["p1", "p2", "p3"])
    assert found == [
        ExplainedModel("a", ["n1", "n2"], ["p1"]),
        ExplainedModel("b", ["n3"], ["p2", "p3"]),
    ]


def save_network(path, convolutions, side=8):
    image = keras.Input((side, side, 3), dtype="uint8")
    maps = keras.layers.Rescaling(1 / 255)(image)
    if convolutions:
        maps = keras.layers.Conv2D(2, 3, activation="relu", name="last")(maps)
    scores = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(maps))
    keras.Model(image, scores).save(path)


def explained(folder, models):
    table = predictions()
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 3), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    table.to_csv(folder / "predictions.tsv", sep="\t", index=False)
    table[["image_id", "label"]].to_csv(folder / "manifest.tsv", sep="\t", index=False)
    outputs = {name: folder / file for name, file in OUTPUTS.items()}
    explain_networks(
        [ExplainedModel(name, files, [folder / "predictions.tsv"]) for name, files in models],
        *(folder / "images.npy", folder / "manifest.tsv", SAMPLE, job_settings(), outputs),
    )
    return json.loads(outputs["record"].read_text("utf-8"))


OUTPUTS = {"cells": "cells.tsv", "maps": "maps.npz", "record": "record.json"}


def test_a_network_without_convolutions_has_a_note_and_stops_no_other(tmp_path):
    for fold in range(2):
        save_network(tmp_path / f"fold-{fold}.keras", convolutions=True)
        save_network(tmp_path / f"plain-{fold}.keras", convolutions=False)
    plain = [tmp_path / f"plain-{fold}.keras" for fold in range(2)]
    record = explained(tmp_path, [("plain", plain), ("net", [tmp_path])])
    assert [model["note"] for model in record["models"]] == ["no_maps", ""]
    assert record["models"][1]["layer"] == "last"
    assert record["models"][1]["size"] == [6, 6, 2]
    drawn = read_drawn(tmp_path / "cells.tsv")
    assert set(drawn["model"]) == {"net"}
    assert drawn["image_id"].tolist() == [f"cell {row}" for row in drawn["row"]]
    kinds = [
        read_maps(tmp_path / "maps.npz", "net", kind, len(drawn))
        for kind in ("trained", "new_head", "new_weights")
    ]
    assert [maps.shape for maps in kinds] == [(16, 6, 6)] * 3
    # Both curves begin with the whole picture and end with its mean colour.
    curves = read_maps(tmp_path / "maps.npz", "net", "deletion", len(drawn))
    assert curves.shape == (16, 2, 9)
    ends = curves[:, :, [0, -1]]
    np.testing.assert_allclose(ends[:, 0], ends[:, 1], atol=1e-6)
    # With new weights everywhere the maps are those of other networks.
    assert not np.allclose(kinds[0], kinds[2])


def test_images_of_another_size_are_named(tmp_path):
    for fold in range(2):
        save_network(tmp_path / f"fold-{fold}.keras", convolutions=True, side=9)
    with pytest.raises(
        InputError, match=r"takes images of shape \(9, 9, 3\), received \(8, 8, 3\)"
    ):
        explained(tmp_path, [("net", [tmp_path])])
