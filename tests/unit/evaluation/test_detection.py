"""Detections judged on boxes, positions and generated cells: worked examples with known errors."""

import numpy as np
import pandas as pd
import pytest
from support.smears import write_image
from support.touching_smears import draw_smear

from blastfold.core.detection_tables import FALSE, MISSED
from blastfold.core.tables import read_table, read_text_table, write_table
from blastfold.datasets.detected_cells import detect_cells
from blastfold.evaluation.detection import SIDE, generated_cells, judge_cells
from blastfold.reporting.figures.detection import read_errors
from blastfold.reporting.tables.detection import read_judged, read_measures, tabulate_detection

OUTPUTS = {
    "judged": "photographs.tsv",
    "measures": "measures.tsv",
    "errors": "errors.tsv",
    "pictures": "pictures.npy",
}


@pytest.fixture(scope="module")
def smears(tmp_path_factory):
    """Three photographs and a broken one, their cells' centres, and the tables of detections."""
    root, tables = (tmp_path_factory.mktemp(name) for name in ("smears", "tables"))
    centres = {}
    for number, name in enumerate(("one.png", "two.png", "three.png")):
        picture, centres[name] = draw_smear(40 + number, 4.4, (70, 93), alone=3, pairs=0)
        write_image(root / name, picture)
    (root / "broken.png").write_text("no photograph")
    detect_cells(root, {}, None, tables / "cells.tsv", tables / "p.tsv")
    return root, centres, tables


def judge(smears, settings, folder):
    root, _, tables = smears
    outputs = {name: folder / file for name, file in OUTPUTS.items()}
    judge_cells(tables / "cells.tsv", tables / "p.tsv", root, settings, outputs)
    judged = read_judged(outputs["judged"]).set_index("photograph")
    return judged, read_errors(outputs["errors"]), np.load(outputs["pictures"]), outputs


def boxes(centres, name):
    rows = [f"{name},WBC,{x - 15:.1f},{y - 15:.1f},30,30" for x, y in centres[name].tolist()]
    return rows


def test_boxes_give_misses_and_false_detections_with_their_pictures(smears, tmp_path):
    root, centres, _ = smears
    # One cell of the first photograph has no box, and one box of the second has no cell; all boxes
    # of the third are left out, and the broken one has a leukocyte that nobody could find.
    lines = [*boxes(centres, "one.png")[1:], *boxes(centres, "two.png"), "two.png,WBC,2,2,6,6"]
    lines += ["three.png,RBC,1,1,9,9", "broken.png,WBC,1,1,9,9"]
    (root / "boxes.csv").write_text("\n".join(["file,label,x,y,width,height", *lines]))
    settings = {"boxes": "boxes.csv", "ignore": ["RBC"]}
    settings["classes"] = {"normal": ["WBC"], "blast": ["none"]}
    judged, errors, pictures, outputs = judge(smears, settings, tmp_path)
    (root / "boxes.csv").unlink()
    assert judged.loc["one.png", ["known", "found", MISSED, FALSE]].tolist() == [2, 2, 0, 1]
    assert judged.loc["two.png", ["known", "found", MISSED, FALSE]].tolist() == [4, 3, 1, 0]
    assert judged.loc["three.png", ["known", "found", MISSED, FALSE]].tolist() == [0, 0, 0, 3]
    assert judged.loc["broken.png", ["known", "found", MISSED, FALSE]].tolist() == [1, 0, 1, 0]
    measures = read_measures(outputs["measures"])
    assert measures.loc["recall", "value"] == 5 / 7
    assert measures.loc["precision", "value"] == 5 / 9
    assert errors["kind"].value_counts().to_dict() == {FALSE: 4, MISSED: 1}
    assert pictures.shape == (5, SIDE, SIDE, 3)
    # The middle of the picture of a false detection is a nucleus: blue is its brightest colour.
    middle = pictures[0][SIDE // 2 - 8 : SIDE // 2 + 8, SIDE // 2 - 8 : SIDE // 2 + 8]
    assert middle.mean(axis=(0, 1)).argmax() == 2
    # Beyond the corner of the photograph there is nothing.
    missed = errors["kind"].tolist().index(MISSED)
    assert (pictures[missed][:20, :20] == 225).all()
    table = [tmp_path / f"t.{ending}" for ending in ("tsv", "md", "tex")]
    tabulate_detection(outputs["judged"], outputs["measures"], "Smears", "smears", table)
    assert len(read_table(table[0])) == 5
    shown = table[1].read_text()
    assert "| all photographs" in shown
    assert "71.43" in shown
    assert "not usable" in shown


def test_positions_judge_unless_a_detector_found_them(smears, tmp_path):
    root, centres, _ = smears
    rows = [f"one.png\t{x:.0f}\t{y:.0f}\tnormal\t{{0}}" for x, y in centres["one.png"].tolist()]
    x, y = centres["one.png"][0]
    rows[0] = f"one.png\t{x:.0f}\t{y:.0f}\tnot_a_leukocyte\t{{0}}"
    text = "\n".join(["path\tx\ty\tlabel\torigin", *rows])
    (root / "p.tsv").write_text(text.format("by hand"))
    judged, errors, _, _ = judge(smears, {"sheet": "p.tsv"}, tmp_path)
    # What is known to be no leukocyte is a false detection.
    assert judged.loc["one.png", ["known", "found", MISSED, FALSE]].tolist() == [2, 2, 0, 1]
    assert len(errors) == 1
    (root / "p.tsv").write_text(text.format("detected"))
    judged, _, pictures, outputs = judge(smears, {"sheet": "p.tsv"}, tmp_path)
    (root / "p.tsv").unlink()
    assert len(judged) == len(pictures) == 0
    notes = read_text_table(outputs["measures"])["note"]
    assert notes.str.startswith(("no_known_leukocyte", "no_detected_leukocyte")).all()


def test_generated_cells_are_known_once_each(tmp_path):
    rows = read_text_table(_demo(tmp_path))
    known = generated_cells(tmp_path)
    assert list(known) == ["photographs/a.png"]
    assert known["photographs/a.png"].leukocytes.tolist() == [[10.0, 20.0], [30.0, 40.0]]
    assert len(rows) == 3


def _demo(folder):
    table = pd.DataFrame(
        {
            "picture": ["a"] * 3,
            "x": [10, 30, 30],
            "y": [20, 40, 40],
            "duplicate_of": ["", "", "cell-2"],
        }
    )
    write_table(table, folder / "cells.tsv")
    return folder / "cells.tsv"
