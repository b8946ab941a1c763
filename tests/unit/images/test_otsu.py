"""Otsu's threshold against its definition."""

import numpy as np
import pytest
from support.thresholds import otsu_by_definition

from blastfold.images.otsu import otsu_bin, otsu_threshold


@pytest.mark.parametrize("seed", range(5))
def test_otsu_is_the_threshold_of_its_definition(seed):
    random = np.random.default_rng(seed)
    low = random.normal(random.uniform(20, 80), 12, 3000)
    high = random.normal(random.uniform(110, 200), 20, random.integers(300, 3000))
    values = np.clip(np.concatenate([low, high]), 0, 255).astype(np.uint8)
    expected = otsu_by_definition(values)
    assert otsu_threshold(values) == otsu_bin(np.bincount(values, minlength=256)) == expected


def test_otsu_of_nothing_and_of_one_value():
    assert otsu_bin(np.zeros(256)) == 0
    assert otsu_threshold(np.full((2, 3), 7, np.uint8)) == 0
    assert 0 <= otsu_bin(np.bincount([7, 7, 7], minlength=256)) <= 255
