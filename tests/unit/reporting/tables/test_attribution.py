"""Tables and the figure of attributions: titles, words and every chosen cell."""

import json

import numpy as np
import pandas as pd

from blastfold.core.attribution_table import DRAWN_COLUMNS
from blastfold.core.cell_masks import MaskWriter
from blastfold.core.tables import read_table
from blastfold.evaluation.attribution import CHECK_COLUMNS, SHARE_COLUMNS
from blastfold.reporting.figures.attribution import (
    choose_cells,
    draw_attribution,
    plot_attribution,
)
from blastfold.reporting.tables.attribution import tabulate_checks, tabulate_shares

NAMES = {"net": "Net 50 %"}, ("Cells", "Folds", "Other"), "cells-folds-other"


def written(folder, tabulate, columns, rows):
    stored = folder / "stored.tsv"
    pd.DataFrame(rows, columns=list(columns)).to_csv(stored, sep="\t", index=False)
    paths = [folder / f"table.{ending}" for ending in ("tsv", "md", "tex")]
    tabulate(stored, *NAMES, paths)
    return read_table(paths[0]), paths[1].read_text("utf-8")


def test_shares_have_titles_words_and_sentences(tmp_path):
    rows = [
        ("net", "blast", "all", 6, 3, 2, 0.5, 0.25, 2.0, 1.5, 2.5, "empty_maps:2:6"),
        ("net", "blast", "wrong", 1, 0, 1, *[np.nan] * 5, "no_attribution; empty_maps:1:1"),
    ]
    table, text = written(tmp_path, tabulate_shares, SHARE_COLUMNS, rows)
    assert table["model_title"].tolist() == ["Net 50 %"] * 2
    assert table["predicted"].tolist() == ["right and wrong", "wrong"]
    assert "| 50.00 | 25.00 | 2.00 \\[1.50, 2.50\\] |" in text
    assert "2 of 6 maps are 0 everywhere and are left out" in text
    assert "test cells of Other by networks trained on Cells, Folds" in text


def test_checks_have_words(tmp_path):
    measured = (1.2, 1.1, 1.3, -0.5, -0.6, -0.4, 0.1, -0.1, 0.3)
    rows = [("net", "relu", "8x8", 6, 2, "mask 6", *measured, "passes", "few_groups:3")]
    table, text = written(tmp_path, tabulate_checks, CHECK_COLUMNS, rows)
    assert table["check"].tolist() == ["passes"]
    assert "relu | 8x8 | 6 | 2 | mask 6 | 1.20" in text
    assert "few groups" in text


def test_a_check_that_is_not_known_has_its_reason(tmp_path):
    rows = [("net", "", "", 0, 0, "", *[np.nan] * 9, "", "no_maps")]
    table, text = written(tmp_path, tabulate_checks, CHECK_COLUMNS, rows)
    assert table["check"].tolist() == ["not known"]
    assert "the network has no convolution" in text


def test_the_first_cells_of_every_class_and_outcome_are_drawn(tmp_path):
    label = np.array([0, 0, 0, 0, 0, 1, 1])
    predicted = np.array([0, 0, 1, 0, 0, 1, 1])
    cells = pd.DataFrame({"label": label, "predicted": predicted})
    chosen = choose_cells(cells, ["normal", "blast"])
    assert [(words, places.tolist()) for words, places in chosen] == [
        ("normal, right", [0, 1, 3]),
        ("normal, wrong", [2]),
        ("blast, right", [5, 6]),
    ]
    drawn = cells.assign(
        **{"model": "net", "repeat": 0, "fold": 0, "image_id": list("abcdefg")},
        **{"row": range(7), "weight": 1.0, "ratio": [1.5, np.nan, *[2.0] * 5]},
    )
    columns = [*DRAWN_COLUMNS, "ratio"]
    drawn[columns].to_csv(tmp_path / "measured.tsv", sep="\t", index=False)
    maps = np.ones((7, 2, 2), np.float32)
    maps[1] = -1
    np.savez(tmp_path / "maps.npz", **{"net.trained": maps})
    np.save(tmp_path / "images.npy", np.zeros((7, 8, 8, 3), np.uint8))
    writer = MaskWriter((8, 8))
    for _ in range(7):
        writer.append(np.eye(8, dtype=bool), "mask")
    writer.write(tmp_path / "cells.npz")
    (tmp_path / "dataset.json").write_text(json.dumps({"classes": ["normal", "blast"]}))
    names = ("maps.npz", "measured.tsv", "images.npy", "cells.npz", "dataset.json")
    path = tmp_path / "figure.svg"
    plot_attribution(*(tmp_path / name for name in names), NAMES[0], [path])
    text = path.read_text("utf-8")
    assert "Net 50 %" in text
    # Each cell is a picture and, in one image, the same in grey with its map.
    assert text.count("<image") == 2 * (3 + 1 + 2)
    assert text.count(">empty<") == 1
    assert text.count(">ratio 2.0<") == 4


def test_a_figure_without_an_attribution_reports_it():
    assert draw_attribution([]).texts[0].get_text() == "No network with an attribution"
