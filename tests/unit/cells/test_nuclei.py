"""Nuclei drawn as discs: what is split and what is kept together."""

import cv2
import numpy as np
import pytest

from blastfold.cells.nuclei import AREA, RED_CELL, climb, fill_holes, find_nuclei, split

NUCLEUS, CYTOPLASM = 1.1, 0.3


def purple_of(bodies=(), nuclei=(), size=(160, 200)):
    """Return a map with discs of cytoplasm and of nucleus: x, y and radius in red cells."""
    purple = np.zeros(size, np.float32)
    for level, discs in ((CYTOPLASM, bodies), (NUCLEUS, nuclei)):
        for x, y, radius in discs:
            place = (round(x * RED_CELL), round(y * RED_CELL))
            cv2.circle(purple, place, round(radius * RED_CELL), level, -1)
    return cv2.GaussianBlur(purple, (0, 0), 1.0)


def count(purple):
    nuclei, _ = find_nuclei(purple, 0.6)
    return sorted(len(parts) for parts in nuclei)


def test_one_round_nucleus_has_its_area():
    nuclei, bodies = find_nuclei(purple_of([(3, 2.5, 0.8)], [(3, 2.5, 0.6)]), 0.6)
    assert [len(parts) for parts in nuclei] == [1]
    assert nuclei[0][0].area / AREA == pytest.approx(1.2**2, rel=0.06)
    assert np.count_nonzero(bodies) / AREA == pytest.approx(1.6**2, rel=0.08)


@pytest.mark.parametrize(("radius", "apart"), [(0.6, 1.15), (0.6, 1.3), (0.7, 1.2)])
def test_two_nuclei_that_touch_or_overlap_are_two_cells(radius, apart):
    nuclei = [(2, 2.5, radius), (2 + apart, 2.5, radius)]
    bodies = [(x, y, radius + 0.05) for x, y, _ in nuclei]
    assert count(purple_of(bodies, nuclei)) == [1, 1]


def test_lobes_in_one_body_are_one_cell():
    # An eosinophil: two lobes, each as large as a small nucleus, in one large cell.
    lobes = [(2.5, 2.5, 0.45), (3.5, 2.5, 0.45)]
    assert count(purple_of([(3, 2.5, 1.15)], lobes)) == [2]


def test_lobes_without_visible_body_are_one_cell():
    lobes = [(2.6, 2.4, 0.3), (3.15, 2.35, 0.3), (2.9, 2.9, 0.3)]
    nuclei, _ = find_nuclei(purple_of((), lobes), 0.6)
    assert len(nuclei) == 1


def test_two_cells_with_lobes_keep_their_own():
    first = [(1.5, 2.2, 0.3), (2.0, 2.9, 0.3), (1.3, 2.9, 0.3)]
    second = [(x + 2.4, y, radius) for x, y, radius in first]
    nuclei, _ = find_nuclei(purple_of([(1.6, 2.6, 1.1), (4, 2.6, 1.1)], first + second), 0.6)
    assert len(nuclei) == 2
    assert sorted(sum(part.area for part in parts) for parts in nuclei) == pytest.approx(
        # Three discs of 0.6 red cells, whose gaps the blur makes a little smaller.
        [3 * 0.36 * AREA] * 2,
        rel=0.2,
    )


def test_an_irregular_nucleus_is_not_split():
    nucleus = [(2.6, 2.5, 0.75), (3.2, 2.3, 0.7), (3.0, 2.9, 0.65)]
    assert count(purple_of((), nucleus)) == [1]


def test_a_platelet_next_to_a_nucleus_makes_no_cell_of_two():
    purple = purple_of([(2.5, 2.5, 1.1)], [(2.5, 2.5, 0.9), (4.5, 2.5, 0.15)])
    assert sorted(len(parts) for parts in find_nuclei(purple, 0.6)[0]) == [1, 1]


def test_nothing_purple_gives_nothing():
    nuclei, bodies = find_nuclei(np.zeros((1, 1), np.float32), 0.6)
    assert nuclei == []
    assert bodies.tolist() == [[0]]
    nuclei, _ = find_nuclei(np.full((60, 50), 2.0, np.float32), 0.6)
    assert len(nuclei) == 1


def test_climb_goes_to_the_top_of_each_hill():
    heights = np.array([[0, 0, 0, 0, 0, 0], [0, 3, 2, 1, 4, 0], [0, 0, 0, 0, 0, 0]], np.float32)
    tops = climb(heights)
    assert tops[1, 1] == tops[1, 2] == 1 * 6 + 1 + 1
    assert tops[1, 3] == tops[1, 4] == 1 * 6 + 4 + 1


def test_split_covers_the_component_and_nothing_else():
    mask = np.zeros((40, 60), np.uint8)
    for x in (18, 40):
        cv2.circle(mask, (x, 20), 13, 1, -1)
    parts = split(mask)
    assert np.array_equal(parts > 0, mask > 0)
    assert len(np.unique(parts)) == 3
    # The neck of two equal discs is half way between their middles.
    assert parts[20, 25] != parts[20, 33]


def test_only_small_holes_are_filled():
    mask = np.ones((60, 60), np.uint8)
    cv2.circle(mask, (15, 15), 2, 0, -1)
    cv2.circle(mask, (40, 40), 12, 0, -1)
    fill_holes(mask, 60)
    assert mask[15, 15] == 1
    assert mask[40, 40] == 0
