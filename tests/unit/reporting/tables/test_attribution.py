"""Tables and the figure of attributions: titles, words and every chosen cell."""

import json

import numpy as np
import pandas as pd

from blastfold.core.attribution_table import DRAWN_COLUMNS
from blastfold.core.cell_masks import MaskWriter
from blastfold.core.tables import read_table
from blastfold.evaluation.attribution import CHECK_COLUMNS, CURVE_COLUMNS, SHARE_COLUMNS
from blastfold.reporting.figures.attribution import (
    choose_cells,
    draw_attribution,
    draw_deletion,
    plot_attribution,
    plot_deletion,
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
    area = (0.25, 0.125, 0.375, "sooner")
    rows = [("net", "relu", "8x8", 6, 2, "mask 6", *measured, "passes", *area, "few_groups:3")]
    table, text = written(tmp_path, tabulate_checks, CHECK_COLUMNS, rows)
    assert table["check"].tolist() == ["passes"]
    assert "relu | 8x8 | 6 | 2 | mask 6 | 1.20" in text
    assert "few groups" in text
    assert "passes | 0.25 \\[0.12, 0.38\\] | sooner than by chance |" in text


def test_a_check_that_is_not_known_has_its_reason(tmp_path):
    rows = [("net", "", "", 0, 0, "", *[np.nan] * 9, "", *[np.nan] * 3, "", "no_maps")]
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
    empty = pd.DataFrame(columns=list(CURVE_COLUMNS))
    assert draw_deletion(empty, empty, {}, "").texts[0].get_text().startswith("No map")


def test_deletion_curves_have_a_panel_and_an_area_of_every_model(tmp_path):
    shares = np.arange(9) / 8
    curves = pd.DataFrame({"removed": shares, "attribution": 1 - shares, "chance": 1.0})
    tables = [curves.assign(model=model, cells=3, note="") for model in ("net", "other")]
    pd.concat(tables).to_csv(tmp_path / "curves.tsv", sep="\t", index=False)
    checks = pd.DataFrame({"model": ["net", "other"], "deletion": [0.5, -0.25]})
    checks = checks.assign(deletion_lower=[0.25, np.nan], deletion_upper=[0.75, np.nan])
    checks.to_csv(tmp_path / "checks.tsv", sep="\t", index=False)
    titles = {"net": "Net 50 %", "other": "Other"}
    path = tmp_path / "figure.svg"
    plot_deletion(tmp_path / "curves.tsv", tmp_path / "checks.tsv", titles, "Cells", [path])
    text = path.read_text("utf-8")
    assert ">area +0.500 [+0.250, +0.750]<" in text
    assert ">area \N{MINUS SIGN}0.250<" in text
    assert "Net 50 %" in text
