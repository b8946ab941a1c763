"""Cells found in drawn images whose area is known, and in images without any."""

import cv2
import numpy as np
import pandas as pd
import pytest
from support.schema_defaults import defaults_of

from blastfold.core.image_measures import BY_GROUND, BY_MASK, BY_STAIN, GROUND, NOT_FOUND
from blastfold.datasets.generated_smears import generate_demo
from blastfold.images.foreground import find_cell, measure


def smear(size=64, radius=18, nucleus=12, ground=(225, 205, 215)):
    """A nucleus in pale blue cytoplasm, with a red blood cell in a corner."""
    image = np.full((size, size, 3), ground, dtype=np.uint8)
    cv2.circle(image, (4, 4), 9, (215, 140, 150), -1)
    cv2.circle(image, (size // 2, size // 2), radius, (150, 175, 220), -1)
    cv2.circle(image, (size // 2, size // 2), nucleus, (80, 50, 140), -1)
    return image


def test_a_cell_on_a_smear_is_found_with_its_cytoplasm_and_without_the_red_cell():
    found = find_cell(smear())
    assert found.found_by == BY_STAIN
    assert found.mask.mean() == pytest.approx(np.pi * 18**2 / 64**2, rel=0.08)
    assert not found.mask[:8, :8].any()


def test_a_cell_on_a_masked_ground_is_all_that_is_not_masked():
    image = np.zeros((60, 60, 3), dtype=np.uint8)
    cv2.circle(image, (30, 30), 15, (120, 60, 150), -1)
    drawn = image[..., 0] == 120
    # A dark spot inside is not ground.
    image[30, 30] = 0
    for ground in (0, 255):
        image[~drawn] = ground
        found = find_cell(image)
        assert found.found_by == BY_GROUND
        assert (found.mask == drawn).all()
        assert [measure(image, found)[name] for name in GROUND] == [0] * len(GROUND)


def test_measures_are_those_of_the_pixels():
    image, mask = smear(), np.zeros((64, 64), dtype=bool)
    mask[20:40, 10:50] = True
    found = find_cell(image, mask)
    values = measure(image, found)
    assert found.found_by == BY_MASK
    assert values["cell_share"] == pytest.approx(20 * 40 / 64**2)
    assert values["green"] == pytest.approx(image[..., 1].mean())
    # The rim around the mask is at most 3 pixels wide.
    outside = np.ones((64, 64), dtype=bool)
    outside[17:43, 7:53] = False
    assert values["ground_red"] == pytest.approx(image[outside][:, 0].mean(), abs=0.5)
    assert values["ground_red_sd"] == pytest.approx(image[outside][:, 0].std(), abs=0.5)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((32, 32, 3), np.uint8),
        np.full((32, 32, 3), 255, np.uint8),
        np.full((32, 32, 3), (200, 180, 190), np.uint8),
        np.random.default_rng(0).integers(195, 205, (32, 32, 3)).astype(np.uint8),
        np.full((1, 1, 3), 7, np.uint8),
    ],
    ids=["black", "white", "one colour", "noise", "one pixel"],
)
def test_nothing_is_found_where_there_is_no_cell(image):
    found = find_cell(image)
    assert found.found_by == NOT_FOUND
    values = measure(image, found)
    assert np.isnan(values["cell_share"])
    assert values["red"] == pytest.approx(image[..., 0].mean())


def test_an_empty_mask_shows_no_cell():
    assert find_cell(smear(), np.zeros((64, 64), bool)).found_by == NOT_FOUND


def test_a_cell_that_fills_the_image_leaves_no_ground():
    values = measure(smear(), find_cell(smear(), np.ones((64, 64), bool)))
    assert values["cell_share"] == 1
    assert np.isnan(values["ground_blue"])


def test_areas_of_generated_cells_follow_their_known_radius(tmp_path):
    settings = defaults_of("demo") | {"subjects_per_class": 3, "pictures_per_subject": 1}
    generate_demo(tmp_path, settings | {"duplicates": 0}, seed=5)
    cells = pd.read_csv(tmp_path / "cells.tsv", sep="\t")
    images = [cv2.imread(str(tmp_path / path))[..., ::-1] for path in cells["path"]]
    found = [find_cell(image) for image in images]
    assert {cell.found_by for cell in found} == {BY_STAIN}
    area = np.array([cell.mask.mean() for cell in found])
    true = np.pi * cells["radius"] ** 2 / 64**2
    assert np.corrcoef(area, true)[0, 1] > 0.7
    assert np.median(np.abs(area - true) / true) < 0.15
