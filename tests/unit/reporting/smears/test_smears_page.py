"""The page of an application, used in a real browser; its labels go back into a data set."""

import json
import re
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from support.browser import TIMED_FRAMES, find_browser, open_page
from support.repository import REPOSITORY
from support.result_pages import TEMPLATES
from support.smear_applications import write_tables
from support.smears import write_image

from blastfold.cells.tables import CELL_COLUMNS, PHOTOGRAPH_COLUMNS
from blastfold.core.names import GIVEN_SCALE, PLATELET, SET_ASIDE
from blastfold.core.tables import read_table, write_table
from blastfold.datasets.formats import list_files
from blastfold.reporting.smears import page as pages
from blastfold.reporting.smears.page import write_smears_page

PHOTOGRAPHS, EACH = 50, 201
VISIT = REPOSITORY / "tests" / "support" / "smears_visit.js"
HOSTILE = 'P0/</script> "odd".png'


def draw_application(folder, photographs=PHOTOGRAPHS, each=EACH):
    """Photographs with many invented cells, and one platelet each, as stored files."""
    random = np.random.default_rng(3)
    names = [HOSTILE, *(f"P{number % 10}/{number}.png" for number in range(1, photographs))]
    for name in names:
        write_image(folder / "raw" / name, np.full((90, 120, 3), 200, np.uint8))
    places = random.uniform(4, 80, (photographs * each, 2)).round(1)
    rows = pd.DataFrame(0.0, index=range(len(places)), columns=list(CELL_COLUMNS))
    rows["photograph"] = np.repeat(names, each)
    rows["cell"] = np.tile(np.arange(1, each + 1), photographs)
    rows["x"], rows["y"] = places.T
    rows["left"], rows["top"] = (places - 2).T
    rows["width"] = rows["height"] = 4
    rows["set_aside"] = np.where(rows["cell"] == each, PLATELET, "")
    rows["outline"] = [
        f"{x - 2:.1f},{y - 2:.1f} {x + 2:.1f},{y - 2:.1f} {x:.1f},{y + 2:.1f}" for x, y in places
    ]
    table = pd.DataFrame(0, index=range(photographs), columns=list(PHOTOGRAPH_COLUMNS))
    table = table.assign(
        photograph=names, width=120, height=90, red_cell_diameter=3.0, leukocytes=each - 1,
        micrometres_per_pixel=1.0, scale=GIVEN_SCALE, problem="", **{PLATELET: 1},
    )  # fmt: skip
    write_table(rows, folder / "detected" / "cells.tsv")
    write_table(table, folder / "detected" / "photographs.tsv")
    files = write_tables(folder, rows, table)
    np.save(files["crops"], np.full((photographs * (each - 1), 8, 8, 3), 128, np.uint8))
    return files, names


def visited(page, profile):
    """Append the visit to a page, open it, and return what was found."""
    html = page.read_text("utf-8")
    html = html.replace("<script>\n", f"<script>\n{TIMED_FRAMES}", 1)
    html = html.replace("</body>", f"<script>{VISIT.read_text('utf-8')}</script></body>")
    page.write_text(html, "utf-8")
    text, messages = open_page(page, profile)
    assert messages == []
    return json.loads(unquote(text.partition("OUTCOME ")[2].partition(" END")[0]))


def write_page(folder, files):
    page = folder / "smears.html"
    pictures = folder / "smears_pictures"
    write_smears_page(
        ("Smears", {"model": "Small network"}), files, folder / "raw", TEMPLATES, page, pictures
    )
    return page, pictures


@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")
def test_ten_thousand_cells_are_looked_at_and_labelled_and_the_labels_are_a_data_set(tmp_path):
    files, names = draw_application(tmp_path)
    page, pictures = write_page(tmp_path, files)
    assert list(pictures.iterdir()) == []
    html = page.read_text("utf-8")
    assert "Research software, not a diagnosis." in html
    assert "Small network, 3 networks, trained on cells, by_subject" in html
    assert re.findall(r'(?:src|href)="(?:https?:)?//', html) == []
    found = visited(page, tmp_path / "profile")
    cells = read_table(files["cells"], text=("photograph", "outline", "note", "predicted"))
    cells = cells[cells["set_aside"] == ""].reset_index(drop=True)
    assert len(cells) == 10_000
    check_photographs(found, cells, names)
    check_gallery(found, cells)
    check_labels(found, cells, tmp_path)


def check_photographs(found, cells, names):
    assert found["shown"] == names[0]
    assert found["outlines"] == EACH
    assert found["label"] == label_of(cells, 0)
    assert f"{cells['probability'][0]:.3f}" in found["about"]
    assert found["second"] == label_of(cells, 1)
    assert f"{names[0]}, cell 2" in found["opened"]
    share = (cells["predicted"] == "blast").groupby(cells["photograph"]).mean()
    ordered = sorted(share.index, key=lambda name: -share[name])
    assert share[found["highest"]] == share[ordered[0]]
    assert share[found["next"]] == share[ordered[1]]
    assert found["loaded"] == 120
    assert found["wide"]


def label_of(cells, number):
    cell = cells.iloc[number]
    name = f"{cell['photograph']}, cell {cell['cell']:.0f}"
    value = f"{round(cell['probability'], 4) + 1e-9:.2f}"
    return f"{name}, {cell['predicted']}, probability of blast {value}"


def check_gallery(found, cells):
    assert found["first"] == label_of(cells, cells["probability"].round(4).idxmax())
    assert found["drawn"] < 200
    assert found["spread"] == label_of(cells, cells["spread"].round(4).idxmax())
    assert found["distance"] == label_of(cells, cells["distance"].round(4).idxmax())
    of_subject = cells["subject"] == "P7"
    blasts = of_subject & (cells["predicted"] == "blast")
    flagged = blasts & (cells["out_of_domain"] == 1)
    for name, chosen in (("subject", of_subject), ("both", blasts), ("flagged", flagged)):
        assert found[name] == f"{chosen.sum()} of 10000 cells"


def check_labels(found, cells, folder):
    """The downloaded sheet names four cells, and a data set of the photographs has them."""
    assert found["marked"] == f"{label_of(cells, 2)}, your label: normal"
    assert found["labelled"] == "4 of 10000 cells"
    assert found["bar"] == "You have labelled 4 of 10000 cells."
    assert found["again"]
    assert found["read"].endswith("4 of 5 rows of the file fit a cell of this page.")
    (folder / "raw" / "corrections.tsv").write_text(found["sheet"], "utf-8", newline="")
    settings = {"sheet": "corrections.tsv", "detected": folder / "detected"}
    listing = list_files("photographs", folder / "raw", settings)
    records = listing.records[listing.records["problem"] == ""]
    # The second cell is no leukocyte.
    last = cells.iloc[-1]
    assert records["class"].tolist() == ["blast", "normal", "blast"]
    assert records["subject"].tolist() == ["P0", "P0", last["subject"]]
    assert records["file"].tolist() == [HOSTILE, HOSTILE, last["photograph"]]
    assert records["image_id"].tolist() == [
        *(f"{HOSTILE[:-4]}_cell{number:03d}" for number in (1, 3)),
        f"{last['photograph'][:-4]}_cell{last['cell']:03.0f}",
    ]


def test_many_pictures_are_files_next_to_the_page(tmp_path, monkeypatch):
    files, names = draw_application(tmp_path, photographs=3, each=4)
    monkeypatch.setattr(pages, "MOST_CELLS", 8)
    page, pictures = write_page(tmp_path, files)
    assert sorted(path.name for path in pictures.iterdir()) == [
        "cells-0.jpg",
        *(f"photograph-{number}.jpg" for number in range(len(names))),
    ]
    html = page.read_text("utf-8")
    assert "smears_pictures/cells-0.jpg" in html
    assert "text/plain" not in html
    assert "move both together" in html


def test_a_photograph_that_cannot_be_used_is_in_the_table_alone(tmp_path):
    files, names = draw_application(tmp_path, photographs=2, each=3)
    table = read_table(files["photographs"], text=("photograph", "problem", "note"))
    table = table.astype({"problem": object})
    table.loc[1, ["problem", "note"]] = "not a JPEG file", "no_images"
    table.loc[1, ["classified", "positive", "out_of_domain", *SET_ASIDE]] = 0
    write_table(table, files["photographs"])
    html = write_page(tmp_path, files)[0].read_text("utf-8")
    assert "1 cannot be used" in html
    viewer = re.search(r'id="viewer-smears">(.*?)</script>', html)[1]
    assert [one["name"] for one in json.loads(viewer)["photographs"]] == [HOSTILE]
    assert "not a JPEG file" in html
    assert names[1] in html
