"""Attribution maps in the gallery: which cell has which map, and what its tile shows."""

import json

import numpy as np
import pandas as pd
import pytest
from support.result_pages import read_study, write_study

from blastfold.core.attribution_table import DRAWN_COLUMNS
from blastfold.core.errors import InputError
from blastfold.core.tables import write_table
from blastfold.reporting.page.cells import Cells
from blastfold.reporting.page.maps import overlay


def write_maps(folder, drawn, maps):
    """Attributions under the protocol by subject: (model, repeat, image) and maps by model."""
    place = folder / "attribution" / "cells" / "by_subject" / "cells"
    rows = [
        (model, repeat, 0, f"cell-{cell}", cell, cell % 2, 1, 1.0) for model, repeat, cell in drawn
    ]
    write_table(pd.DataFrame(rows, columns=list(DRAWN_COLUMNS)), place / "cells.tsv")
    np.savez(place / "maps.npz", **{f"{model}.trained": values for model, values in maps.items()})


def test_a_cell_has_its_first_map_in_the_series_of_its_model_alone(tmp_path):
    study = write_study(tmp_path)
    # The same cell in two repeats: the first map is shown.
    drawn = [("small", 0, 5), ("small", 1, 5), ("small", 0, 2), ("big", 0, 0)]
    values = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, 2, 2), np.float32)
    write_maps(tmp_path, drawn, {"small": values, "big": np.full((1, 2, 2), 9, np.float32)})
    cells = Cells(read_study(tmp_path, study.about))
    gallery, tiles = cells.gallery()
    found = json.loads(gallery.json())
    maps = {series["title"]: series.get("maps") for series in found["series"]}
    assert maps == {
        "Small net, by subject": [-1, -1, 8, -1, -1, 9, -1, -1],
        "Big net, by subject": [10] + [-1] * 7,
        "Small net, by image": None,
        "Big net, by image": None,
    }
    assert "Grad-CAM" in found["map_note"]
    shown = [(tile.image_id, float(tile.values[0, 0])) for tile in tiles[8:]]
    assert shown == [("cell-2", 2.0), ("cell-5", 0.0), ("cell-0", 9.0)]


def test_maps_that_do_not_fit_their_table_are_refused(tmp_path):
    study = write_study(tmp_path)
    write_maps(tmp_path, [("small", 0, 5)], {"small": np.zeros((2, 2, 2), np.float32)})
    with pytest.raises(InputError, match=r"holds 2 of the 1 maps 'small.trained'"):
        Cells(read_study(tmp_path, study.about)).gallery()


def test_colour_lies_where_the_map_is_positive_and_nowhere_in_an_empty_one():
    picture = np.full((40, 60, 3), (200, 100, 30), np.uint8)
    values = np.array([[-5.0, 2.0]])
    shown = overlay(picture, values).astype(int)
    assert shown.shape == picture.shape
    # The right edge has the brightest colour of the map (252, 255, 164), the left edge the darkest.
    np.testing.assert_allclose(shown[20, 59], 0.4 * 110 + 0.6 * np.array([252, 255, 164]), atol=2)
    np.testing.assert_allclose(shown[20, 0], 0.4 * 110 + 0.6 * np.array([0, 0, 4]), atol=2)
    assert (overlay(picture, -np.ones((3, 3))) == 110).all()
