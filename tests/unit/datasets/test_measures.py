"""Measures of the images of a data set, with masks of several kinds and without any."""

import cv2
import numpy as np
import pandas as pd
import pytest

from blastfold.core.cell_masks import read_cell_masks
from blastfold.core.errors import InputError
from blastfold.core.image_measures import read_measures
from blastfold.datasets.measures import measure_images, read_mask

SETTINGS = {"crop": None, "cells": True, "by_masks": True}


def stored(folder, masks=None):
    """Three images of 20 x 20 with a dark square, and their manifest."""
    images = np.full((3, 20, 20, 3), (225, 205, 215), dtype=np.uint8)
    images[:, 5:15, 5:15] = (80, 50, 140)
    np.save(folder / "images.npy", images)
    manifest = pd.DataFrame({"image_id": ["001", "b", "c"], "label": [0, 1, 1]})
    if masks:
        manifest["mask"] = masks
    manifest.to_csv(folder / "manifest.tsv", sep="\t", index=False)


def measured(folder, settings=SETTINGS, raw=None):
    names = ("images.npy", "manifest.tsv", "measures.tsv", "cells.npz")
    paths = [folder / name for name in names]
    measure_images(*paths[:2], settings, raw, *paths[2:])
    return read_measures(paths[2])


def test_without_masks_cells_are_found_by_their_stain(tmp_path):
    stored(tmp_path)
    table = measured(tmp_path)
    assert table.index.tolist() == ["001", "b", "c"]
    assert set(table["found_by"]) == {"stain"}
    assert table["cell_share"].tolist() == pytest.approx([0.25] * 3, abs=0.02)


def test_masks_of_two_levels_are_read_and_an_image_without_one_by_its_stain(tmp_path):
    stored(tmp_path, ["ones.png", "bits.png", ""])
    mask = np.zeros((40, 40), np.uint8)
    mask[:20] = 1
    cv2.imwrite(str(tmp_path / "ones.png"), mask)
    cv2.imwrite(str(tmp_path / "bits.png"), 255 * mask, [cv2.IMWRITE_PNG_BILEVEL, 1])
    table = measured(tmp_path, raw=tmp_path)
    assert table["found_by"].tolist() == ["mask", "mask", "stain"]
    assert table["cell_share"].tolist() == pytest.approx([0.5, 0.5, 0.25], abs=0.02)


def parts_of_a_cell():
    """A nucleus (2) within a cytoplasm (1), 400 of 1600 pixels together."""
    parts = np.zeros((40, 40), np.uint8)
    parts[10:30, 10:30], parts[15:25, 15:25] = 1, 2
    return parts


COLOURED = np.array([(0, 0, 0), (0, 0, 255), (255, 40, 0)], np.uint8)
SMOOTH = cv2.GaussianBlur(255 * (parts_of_a_cell() > 0).astype(np.uint8), (0, 0), 1)


@pytest.mark.parametrize(
    "pixels",
    [
        parts_of_a_cell(),
        parts_of_a_cell().astype(np.uint16),
        30000 * parts_of_a_cell().astype(np.uint16),
        np.array([0, 100, 200], np.uint8)[parts_of_a_cell()],
        COLOURED[parts_of_a_cell()],
        np.dstack([np.zeros((40, 40, 3), np.uint8), 100 * parts_of_a_cell()]),
        np.dstack([COLOURED[parts_of_a_cell()], np.full((40, 40), 255, np.uint8)]),
        SMOOTH,
        257 * SMOOTH.astype(np.uint16),
    ],
    ids=[
        "labels",
        "labels16",
        "wide16",
        "grey",
        "colours",
        "alpha",
        "opaque",
        "smooth",
        "smooth16",
    ],
)
def test_the_parts_of_a_cell_are_one_cell_in_every_kind_of_mask(tmp_path, pixels):
    cv2.imwrite(str(tmp_path / "mask.png"), pixels)
    mask = read_mask(tmp_path / "mask.png", (40, 40), None, (40, 40))
    assert mask.sum() == pytest.approx(400, abs=4)
    assert mask[10:30, 10:30].mean() == pytest.approx(1, abs=0.02)


def test_a_mask_that_cannot_be_read_is_an_error_and_an_empty_one_is_counted(tmp_path, caplog):
    stored(tmp_path, ["mask.png", "", ""])
    cv2.imwrite(str(tmp_path / "mask.png"), np.zeros((20, 20), np.uint8))
    assert measured(tmp_path, raw=tmp_path)["found_by"].tolist() == ["not found", "stain", "stain"]
    assert "1 masks show no cell, for instance 'mask.png'" in caplog.text
    (tmp_path / "mask.png").write_bytes((tmp_path / "mask.png").read_bytes()[:40])
    with pytest.raises(InputError, match=r"mask\.png': the mask cannot be read"):
        measured(tmp_path, raw=tmp_path)


def test_a_mask_is_cropped_as_its_image_is(tmp_path):
    stored(tmp_path, ["mask.png"] * 3)
    mask = np.zeros((40, 40), np.uint8)
    mask[10:20, 10:30] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    table = measured(tmp_path, SETTINGS | {"crop": [20, 20]}, tmp_path)
    assert table["cell_share"].tolist() == pytest.approx([0.5] * 3)


def test_images_of_tissue_have_colours_alone(tmp_path):
    stored(tmp_path)
    table = measured(tmp_path, SETTINGS | {"cells": False})
    assert set(table["found_by"]) == {"not found"}
    assert table["cell_share"].isna().all()
    assert table["red"].tolist() == pytest.approx([0.25 * 80 + 0.75 * 225] * 3)


def test_masks_are_stored_next_to_the_images(tmp_path):
    stored(tmp_path, ["mask.png", "", ""])
    mask = np.zeros((20, 20), np.uint8)
    # Nucleus and cytoplasm, as in hand-drawn masks; the border of 128 stays cell when it is shrunk.
    mask[3:17, 3:17], mask[6:12, 6:12] = 128, 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    table = measured(tmp_path, SETTINGS | {"by_masks": False}, tmp_path)
    cells = read_cell_masks(tmp_path / "cells.npz", np.array([0, 2]))
    assert cells.found_by.tolist() == ["mask", "stain"]
    assert np.array_equal(cells.masks[0], mask > 0)
    assert cells.masks[1].mean() == pytest.approx(0.25, abs=0.02)
    # Measures of generated smears do not use the masks.
    assert table["found_by"].tolist() == ["stain"] * 3


def test_a_mask_of_another_size_is_an_error(tmp_path):
    stored(tmp_path, ["mask.png"] * 3)
    manifest = pd.read_csv(tmp_path / "manifest.tsv", sep="\t", dtype=str)
    manifest.assign(width=40, height=30).to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    cv2.imwrite(str(tmp_path / "mask.png"), np.zeros((40, 30), np.uint8))
    with pytest.raises(InputError, match=r"mask\.png': the mask has 30x40 pixels, expected 40x30"):
        measured(tmp_path, raw=tmp_path)


def test_masks_of_fewer_images_are_an_error(tmp_path):
    stored(tmp_path)
    measured(tmp_path)
    with pytest.raises(InputError, match="holds masks of 3 images"):
        read_cell_masks(tmp_path / "cells.npz", np.array([3]))
