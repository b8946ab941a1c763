"""Detections against boxes and positions: worked examples."""

import numpy as np

from blastfold.cells.truth import compare_with_boxes, compare_with_positions


def test_a_box_takes_one_detection_and_doubles_are_false():
    boxes = [[0, 0, 10, 10], [50, 50, 10, 10]]
    compared = compare_with_boxes([[2, 2], [6, 5], [30, 30]], boxes)
    assert compared.found.tolist() == [[1, 0]]
    assert compared.missed.tolist() == [1]
    assert compared.false.tolist() == [0, 2]


def test_as_many_pairs_as_possible_where_boxes_overlap():
    # The first detection fits both boxes, the second only the first one.
    boxes = [[0, 0, 10, 10], [5, 0, 10, 10]]
    compared = compare_with_boxes([[7, 5], [2, 5]], boxes)
    assert sorted(map(tuple, compared.found.tolist())) == [(0, 1), (1, 0)]
    assert not len(compared.missed)
    assert not len(compared.false)


def test_positions_within_reach():
    compared = compare_with_positions([[0, 0], [100, 0]], [[3, 4], [90, 20]], 5)
    assert compared.found.tolist() == [[0, 0]]
    assert compared.missed.tolist() == [1]
    assert compared.false.tolist() == [1]


def test_nothing_on_one_side_or_on_both():
    assert compare_with_boxes([], [[0, 0, 1, 1]]).missed.tolist() == [0]
    assert compare_with_boxes([[1, 1]], []).false.tolist() == [0]
    assert not len(compare_with_positions(np.zeros((0, 2)), np.zeros((0, 2)), 3).found)
