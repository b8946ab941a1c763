"""The gallery: its JSON, its sheets of tiles, and its script in a real browser."""

import base64
import json

import cv2
import jinja2
import numpy as np
import pytest
from support.browser import TIMED_FRAMES, find_browser, open_page
from support.repository import REPOSITORY
from support.result_pages import TEMPLATES

from blastfold.core.errors import BlastfoldError
from blastfold.reporting.page.gallery import (
    UNKNOWN,
    Column,
    Gallery,
    Measure,
    Series,
    sprite_sheets,
    tile_of,
    tile_side,
)

MANY = 10_000
VISIT = REPOSITORY / "tests" / "support" / "gallery_visit.js"


def decode(sheet):
    """A sheet as uint8 (height, width, 3) RGB."""
    return cv2.imdecode(np.frombuffer(base64.b64decode(sheet), np.uint8), 1)[..., ::-1]


def gallery(number, probability, labels, **changes):
    columns = [
        Column("dataset", "Data set", ["Cells"], [0] * number),
        Column.of("class", "Class", ["blast" if label else "normal" for label in labels]),
        Column.of("subject", "Subject", [f"subject {cell % 50}" for cell in range(number)]),
    ]
    series = [Series("Net", 0, list(range(number)), probability)]
    fields = {"columns": columns, "series": series, "positive": ["blast"]} | changes
    return Gallery("cells", [f"cell-{cell}" for cell in range(number)], labels, **fields)


def test_tiles_fill_sheets_from_the_left_and_from_the_top():
    pictures = [np.full((20, 20, 3), (cell % 200, 50, 200), np.uint8) for cell in range(300)]
    sheets = [decode(sheet) for sheet in sprite_sheets(pictures, 16)]
    assert [sheet.shape for sheet in sheets] == [(256, 256, 3), (3 * 16, 256, 3)]
    for cell in (0, 17, 255, 256, 299):
        top, left = cell % 256 // 16 * 16, cell % 16 * 16
        middle = sheets[cell // 256][top + 8, left + 8].astype(int)
        assert np.abs(middle - (cell % 200, 50, 200)).max() <= 6


def test_a_picture_that_is_not_square_is_not_stretched():
    tile = tile_of(np.zeros((10, 40, 3), np.uint8), 32)
    black = np.nonzero((tile == 0).all(axis=(1, 2)))[0]
    assert (black.min(), black.max()) == (12, 19)
    assert (tile[0] == 255).all()


def test_tiles_shrink_where_there_are_many():
    assert [tile_side(number) for number in (1, 3_000, 3_001, 10_000, 50_000)] == [
        96,
        96,
        64,
        64,
        48,
    ]


def test_no_text_can_end_the_script_element():
    hostile = "</script><b>&\u2028"
    found = gallery(1, [0.5], [1], positive=[hostile]).json()
    assert "<" not in found
    assert "\u2028" not in found
    assert json.loads(found)["positive"] == [hostile]


def test_unknown_values_have_no_code():
    column = Column.of("subject", "Subject", ["b", "", "a", "b"])
    assert (column.values, column.codes) == (["b", "a"], [0, -1, 1, 0])


@pytest.mark.parametrize(
    "changes",
    [
        {"series": [Series("Net", 0, [0, 3], [0.1, 0.2])]},
        {"series": [Series("Net", 0, [0, 1], [0.1])]},
        {"series": [Series("Net", 0, [0, 1], [0.1, 0.2], maps=[3])]},
        {"measures": [Measure("Spread", [1.0])]},
        {"columns": [Column("dataset", "Data set", ["Cells"], [0])]},
    ],
)
def test_a_gallery_that_does_not_fit_its_cells_is_refused(changes):
    with pytest.raises(BlastfoldError, match="3"):
        gallery(3, [0.1, 0.2, 0.3], [0, 1, 1], **changes)


def test_rounding_changes_no_prediction():
    shown = json.loads(gallery(3, [0.49996, 0.5, 0.50004], [0, 0, 1]).json())
    assert shown["series"][0]["probability"] == [0.4999, 0.5, 0.5]


@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")
def test_ten_thousand_cells_are_filtered_sorted_opened_and_reached_by_keys(tmp_path):
    random = np.random.default_rng(5)
    labels = random.integers(0, 2, MANY)
    probability = np.round(random.random(MANY), 4)
    # One cell has a map: the tile after those of all cells.
    pictures = (np.full((8, 8, 3), cell % 256, np.uint8) for cell in range(MANY + 1))
    maps = [MANY if cell == 1 else UNKNOWN for cell in range(MANY)]
    series = [Series("Net", 0, list(range(MANY)), probability, maps=maps)]
    shown = {
        "name": "cells",
        "json": gallery(MANY, probability, labels, series=series, map_note="It is grey.").json(),
        "sheets": list(sprite_sheets(pictures, 8)),
    }
    files = {path.name: path.read_text("utf-8") for path in TEMPLATES}
    part = jinja2.Environment(loader=jinja2.DictLoader(files), autoescape=True)
    body = part.get_template("gallery.html.j2").render(gallery=shown)
    style = files["page.css"] + files["gallery.css"]
    page = tmp_path / "gallery.html"
    script = TIMED_FRAMES + files["filters.js"] + files["gallery.js"] + VISIT.read_text("utf-8")
    page.write_text(f"<!doctype html><style>{style}</style>{body}<script>{script}</script>")
    text, messages = open_page(page, tmp_path / "profile")
    assert messages == []
    found = json.loads(text.partition("OUTCOME ")[2].partition(" END")[0])
    wrong = (probability >= 0.5) != (labels == 1)
    middle = (probability >= 0.25) & (probability <= 0.5)
    counts = {name: found[name]["count"] for name in ("opened", "wrong", "middle", "subject")}
    assert counts == {
        "opened": f"{MANY} of {MANY} cells, {wrong.sum()} predicted wrongly",
        "wrong": f"{wrong.sum()} of {MANY} cells, {wrong.sum()} predicted wrongly",
        "middle": f"{middle.sum()} of {MANY} cells, {(middle & wrong).sum()} predicted wrongly",
        "subject": f"{middle[7::50].sum()} of {MANY} cells, "
        f"{(middle & wrong)[7::50].sum()} predicted wrongly",
    }
    assert found["reset"]["count"] == found["opened"]["count"]
    kinds, names = np.array(["normal", "blast"]), np.arange(MANY)
    verdicts = np.array(["right", "wrong"])[wrong.astype(int)]

    def label(cell):
        value = f"{probability[cell] + 1e-9:.2f}"
        return f"cell-{cell}, {kinds[labels[cell]]}, probability of blast {value}, {verdicts[cell]}"

    assert found["mapped"]["first"] == label(1)
    assert found["falling"]["first"] == label(np.argmax(probability))
    assert found["middle"]["first"] == label(names[middle][np.argmin(probability[middle])])
    # Only what is in view is in the page, and only the sheets of these cells are decoded.
    assert all(0 < found[name]["drawn"] < 200 for name in ("opened", "scrolled"))
    assert found["scrolled"]["sheets"] < -(-MANY // 256)
    assert found["last"] == MANY - 1
    assert "cell-0" in found["detail"]
    assert f"{probability[0]:.3f}" in found["detail"]
    assert "subject 0" in found["detail"]
    assert "Attribution map" not in found["detail"]
    assert "cell-1Attribution map: Net. It is grey." in found["next"]
    # Column and row of cell 1 on the first sheet, and of tile 10,000 on the last one.
    assert found["tiles"] == ["-256px 0px", "0px -256px"]
    assert found["focused"] == label(MANY - 1)
