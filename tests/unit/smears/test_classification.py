"""Photographs to tables: cells, photographs, subjects, and files that cannot be used."""

import hashlib
import json
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from support.small_exports import MIDDLES, SLOPES, write_export
from support.smears import write_image
from support.touching_smears import draw_smear

from blastfold.core.errors import InputError
from blastfold.core.raw_files import RawContent, digest_raw_folder
from blastfold.core.smear_scale import MICROMETRES
from blastfold.smears.classification import SmearFiles, classify_cells
from blastfold.smears.crops import CropSize, crop_boxes, crop_size
from blastfold.smears.detection import detect_smear_cells
from blastfold.smears.tables import (
    read_smear_cells,
    read_smear_photographs,
    read_smear_subjects,
)

SETTINGS = {"threshold": "threshold-0.5", "crop_micrometres": None, "sheet": "sheet.tsv"}
SCALE = 4.4


def apply(photographs, export, out, settings, raw=None):
    """Detect and classify; return the tables of cells, photographs, subjects, and the record."""
    detected = {name: out / f"detected/{name}.tsv" for name in ("cells", "photographs", "listed")}
    outputs = {name: out / f"{name}.tsv" for name in ("cells", "photographs", "subjects")}
    outputs |= {"crops": out / "crops.npy", "record": out / "record.json"}
    detect_smear_cells(photographs, settings, raw, detected, threads=2)
    files = SmearFiles(folder=photographs, model=export, **detected)
    classify_cells(files, SETTINGS | settings, raw, outputs, threads=2)
    return (
        read_smear_cells(outputs["cells"]),
        read_smear_photographs(outputs["photographs"]),
        read_smear_subjects(outputs["subjects"]),
        json.loads(outputs["record"].read_text()),
    )


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Three smears of two subjects, and files of every kind that cannot be used."""
    folder = tmp_path_factory.mktemp("smears") / "photographs"
    folder.mkdir()
    drawn = [draw_smear(seed, SCALE, (70, 93), alone=4, pairs=0) for seed in (1, 2, 3)]
    names = ["a 1.png", "a 2.png", "b.png"]
    for name, (picture, _) in zip(names, drawn, strict=True):
        write_image(folder / name, picture)
    write_image(folder / "one pixel.png", np.full((1, 1, 3), 200, np.uint8))
    random = np.random.default_rng(0)
    glass = random.normal(225, 2, drawn[0][0].shape).clip(0, 255).astype(np.uint8)
    write_image(folder / "glass.png", glass)
    content = (folder / "a 1.png").read_bytes()
    (folder / "corrupt.png").write_bytes(content[: len(content) // 2])
    (folder / "text.jpg").write_text("This is not a photograph.")
    names += ["one pixel.png", "glass.png", "corrupt.png", "text.jpg", "absent.png"]
    subjects = ["A", "A", "B", *[""] * 5]
    table = pd.DataFrame({"path": names, "subject": subjects})
    table.to_csv(folder / "sheet.tsv", sep="\t", index=False)
    return folder, dict(zip(names, drawn, strict=False))


@pytest.fixture(scope="module")
def applied(photographs, tmp_path_factory):
    folder, _ = photographs
    out = tmp_path_factory.mktemp("applied")
    export = write_export(out / "export", size=(32, 40), micrometres=[16.0, 20.0])
    raw = RawContent(digest_raw_folder(folder, out / "cache", "sheet.tsv"), out / "cache")
    return out, *apply(folder, export, out, {"sheet": "sheet.tsv"}, raw)


def test_every_cell_has_the_probability_of_its_crop(photographs, applied):
    folder, drawn = photographs
    out, cells, _, _, _ = applied
    crops = np.load(out / "crops.npy")
    classified = cells[cells["crop"].notna()]
    assert len(classified) == len(crops) == 12
    assert list(classified["crop"]) == list(range(12))
    for _, row in classified.iterrows():
        # The oracle is the photograph itself: 20 x 16 micrometres around the centre of the cell.
        picture = cv2.imread(str(folder / row["photograph"]))[..., ::-1]
        height, width = row["crop_height"], row["crop_width"]
        assert width == pytest.approx(20 * SCALE, rel=0.12)
        assert height == pytest.approx(16 * SCALE, rel=0.12)
        left, top = (int(row[name]) for name in ("crop_x", "crop_y"))
        assert 0 <= left <= picture.shape[1] - width
        near = drawn[row["photograph"]][1] - (row["x"], row["y"])
        assert np.hypot(*near.T).min() < 1.5 * SCALE
        part = picture[top : top + int(height), left : left + int(width)]
        red = crops[int(row["crop"])][..., 0].mean()
        assert red == pytest.approx(part[..., 0].mean(), abs=1)
        logits = np.array([s * (red - m) for s, m in zip(SLOPES, MIDDLES, strict=True)])
        each = 1 / (1 + np.exp(-logits / 2))
        assert row["probability"] == pytest.approx(each.mean(), abs=1e-5)
        assert row["spread"] == pytest.approx(abs(each[0] - each[1]) / 2**0.5, abs=1e-5)
        mean = (1 / (1 + np.exp(-logits))).mean()
        assert row["probability_blast"] == pytest.approx(mean, abs=1e-5)
        assert row["predicted"] == ("blast" if mean >= 0.5 else "normal")
        assert row["out_of_domain"] == (row["distance"] > 1)
    aside = cells[cells["set_aside"] != ""]
    assert set(aside["note"]) <= {"not_classified"}
    assert aside["probability"].isna().all()


def test_files_that_cannot_be_used_are_named_and_stop_no_other(applied):
    _, _, photographs, subjects, record = applied
    table = photographs.set_index("photograph")
    assert list(table.index[3:]) == [
        *("one pixel.png", "glass.png", "corrupt.png", "text.jpg", "absent.png"),
    ]
    assert table.loc["a 1.png", ["leukocytes", "classified"]].tolist() == [4, 4]
    assert "no red cell was found" in table.loc["one pixel.png", "problem"]
    # A photograph without leukocytes is no problem: its scale is that of the others.
    assert table.loc["glass.png", ["problem", "leukocytes"]].tolist() == ["", 0]
    assert "damaged PNG" in table.loc["corrupt.png", "problem"]
    assert "not a " in table.loc["text.jpg", "problem"]
    assert "the folder has no such photograph" in table.loc["absent.png", "problem"]
    assert (table["note"].iloc[3:] == "no_cell_classified").all()
    assert table["share"].iloc[3:].isna().all()
    assert subjects["subject"].tolist() == ["", "A", "B"]
    assert subjects["photographs"].tolist() == [5, 2, 1]
    assert subjects["unusable"].tolist() == [4, 0, 0]
    assert subjects["classified"].tolist() == [0, 8, 4]
    assert subjects["note"].str.contains("one_photograph").tolist() == [False, False, True]
    assert record["photographs"] | {"leukocytes": 12, "unusable": 4} == record["photographs"]
    assert record["notice"] == "research_software_not_a_diagnosis"
    assert set(subjects["notice"]) == set(table["notice"]) == {record["notice"]}
    assert record["crop"]["found_by"] == "training"


def test_one_network_known_cells_and_photographs_smaller_than_a_crop(photographs, tmp_path):
    folder, _ = photographs
    one = tmp_path / "one"
    one.mkdir()
    shutil.copyfile(folder / "b.png", one / "b.png")
    export = write_export(tmp_path / "export", folds=(0,))
    cells, _, _, record = apply(one, export, tmp_path / "first", {"sheet": None})
    assert set(cells.loc[cells["crop"].notna(), "note"]) == {"one_network"}
    assert cells["spread"].isna().all()
    # Nothing is known of the training images: the crop of detected cells.
    assert record["crop"]["found_by"] == "default"
    row = cells[cells["crop"].notna()].iloc[0]
    left, top, width, height = row[["crop_x", "crop_y", "crop_width", "crop_height"]].astype(int)
    picture = cv2.imread(str(one / "b.png"))[..., ::-1]
    part = np.ascontiguousarray(picture[top : top + height, left : left + width])
    learnt = [hashlib.sha256(part).hexdigest()]
    export = write_export(tmp_path / "known", folds=(0,), learnt=learnt)
    cells, table, _, record = apply(one, export, tmp_path / "second", {"sheet": None})
    known = cells.iloc[0]["note"] if cells.index[0] == row.name else cells.loc[row.name, "note"]
    assert known == "training_cell; one_network"
    assert table["note"].tolist() == ["training_photograph"]
    assert record["photographs"]["from_training"] == ["b.png"]
    digest = hashlib.sha256((one / "b.png").read_bytes()).hexdigest()
    export = write_export(tmp_path / "photograph", folds=(0,), learnt=[digest])
    settings = {"sheet": None, "crop_micrometres": 90}
    cells, table, subjects, _ = apply(one, export, tmp_path / "third", settings)
    assert table["note"].tolist() == ["training_photograph; no_cell_classified"]
    whole = cells[cells["set_aside"] == ""]
    assert set(whole["note"]) == {"crop_beyond_photograph"}
    assert subjects["classified"].tolist() == [0]


def test_a_photograph_of_30000_pixels_is_classified(photographs, tmp_path):
    _, drawn = photographs
    picture, places = drawn["a 1.png"]
    # A strip around one cell, again and again.
    middle = round(places[0][1])
    strip = picture[max(0, middle - 60) : middle + 60]
    wide = np.tile(strip, (1, -(-30_000 // strip.shape[1]), 1))[:, :30_000]
    folder = tmp_path / "wide"
    folder.mkdir()
    write_image(folder / "wide.png", wide)
    export = write_export(tmp_path / "export", folds=(0,))
    settings = {"sheet": None, "detector": {"micrometres_per_pixel": 1 / SCALE}}
    cells, table, _, _ = apply(folder, export, tmp_path / "out", settings)
    assert table["classified"].iloc[0] >= 30_000 // strip.shape[1]
    assert cells.loc[cells["crop"].notna(), "x"].max() > 29_500


def test_nothing_usable_and_changed_photographs_are_errors(photographs, tmp_path):
    folder, _ = photographs
    bad = tmp_path / "bad"
    bad.mkdir()
    shutil.copyfile(folder / "text.jpg", bad / "text.jpg")
    outputs = {name: tmp_path / name for name in ("cells", "photographs", "listed")}
    with pytest.raises(
        InputError, match=r"No photograph in .* \(1 tried\)\. The first is 'text\.jpg': not a "
    ):
        detect_smear_cells(bad, {}, None, outputs)
    raw = RawContent("0" * 64, tmp_path / "cache")
    with pytest.raises(InputError, match="were changed since this search was planned"):
        detect_smear_cells(folder, {}, raw, outputs)


def test_crops_show_what_is_given_what_was_learnt_or_cells_of_equal_share():
    image = {"size": [64, 64], "micrometres": [14.0, 14.0], "cell_diameter": 0.5}
    assert crop_size(image, 20.0, np.zeros(0)) == CropSize(20, 20, "given")
    assert crop_size(image, None, np.zeros(0)) == CropSize(14, 14, "training")
    # Discs of 9, 10 and 30 micrometres: half of the crop is the median diameter.
    areas = np.pi / 4 * np.array([9.0, 10, 30]) ** 2
    found = crop_size(image | {"micrometres": None}, None, areas)
    assert found.found_by == "cells"
    assert found.height == pytest.approx(20)
    unknown = crop_size({"size": [64, 64]}, None, areas)
    assert unknown == CropSize(2.5 * MICROMETRES, 2.5 * MICROMETRES, "default")
    # The middle of a crop is the point, at half a micrometre per pixel.
    box = crop_boxes(np.array([[100.0, 50]]), 0.5, CropSize(10, 20, "given"))
    assert box.tolist() == [[80, 40, 40, 20]]
