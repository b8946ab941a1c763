"""Test predictions of generated models, with leakage groups, and their intervals and tests."""

import numpy as np
import pandas as pd

from blastfold.core.seeds import generator
from blastfold.evaluation.comparisons import comparison_table
from blastfold.evaluation.intervals import interval_table

RATIO = 0.5
LEARNT = {"sharp": 0.5, "dull": 1.5, "blunt": 1.6}
TITLES = {"sharp": "Sharp net", "dull": "Dull net", "blunt": "Blunt net"}


def make_tested(noise=1.0, images=120, subjects=24, folds=3, seed=1):
    """Test predictions: half of the subjects are blasts; whole subjects are in one fold."""
    random = np.random.default_rng(seed)
    subject = np.arange(images) % subjects
    label = (subject % 2 == 0).astype(int)
    score = label - 0.5 + noise * random.normal(size=images)
    return pd.DataFrame(
        {
            "image_id": [f"image-{number:03d}" for number in range(images)],
            "fold": subject // 2 % folds,
            "role": "test",
            "label": label,
            "probability": 1 / (1 + np.exp(-3 * score)),
        }
    )


def groups_of(tested, size=24):
    names = [f"subject-{int(name[-3:]) % size}" for name in tested["image_id"]]
    return pd.Series(names, index=tested["image_id"])


def models_tested(**options):
    return {
        model: make_tested(noise, seed=place, **options)
        for place, (model, noise) in enumerate(LEARNT.items())
    }


def make_like(tested, seed=9):
    random = np.random.default_rng(seed)
    return tested.assign(probability=random.random(len(tested)))


def row_of(table, **cells):
    """The only row with these cells."""
    chosen = table[np.logical_and.reduce([table[name] == value for name, value in cells.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]


def intervals(tested, groups):
    return interval_table(tested, groups, RATIO, np.random.default_rng(0))


def stream(first, second):
    return generator(0, *sorted((first, second)))


def comparisons(tested, groups):
    return comparison_table(tested, groups, RATIO, stream)
