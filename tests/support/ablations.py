"""Simulated ablations."""

import itertools

import numpy as np
import pandas as pd

from blastfold.evaluation.ablation import (
    effect_table,
)

FACTORS = {"weights": ["none", "pcam", "imagenet"], "train": ["head", "all"]}


def simulate(seed, gains=None, subjects=20, each=6, noise=0.6, factors=None):
    """Test predictions of all cells: hard and easy images and subjects are so for every cell.

    Args:
        gains: By level what it adds to the distance of the classes.
    """
    random = np.random.default_rng(seed)
    factors = factors or FACTORS
    group = np.repeat(np.arange(subjects), each)
    label = (group % 2).astype(int)
    image = random.normal(0, 0.8, len(label)) + random.normal(0, 0.6, subjects)[group]
    frame = pd.DataFrame(
        {
            "image_id": [f"image {number}" for number in range(len(label))],
            "fold": group // 2 % 3,
            "label": label,
        }
    )
    cells = {}
    for cell in itertools.product(*factors.values()):
        gain = 0.5 + sum((gains or {}).get(level, 0) for level in cell)
        score = gain * (2 * label - 1) + image
        # What a training adds by chance, also to all images of a subject.
        score = score + random.normal(0, noise, len(label))
        score = score + random.normal(0, noise / 2, subjects)[group]
        cells[cell] = frame.assign(probability=1 / (1 + np.exp(-score)))
    groups = pd.Series([f"subject {one}" for one in group], index=frame["image_id"])
    return cells, groups


def effects_of(cells, groups, factors=None, contrasts=()):
    factors = factors or FACTORS
    with_reference = [
        (factor, level, levels[0]) for factor, levels in factors.items() for level in levels[1:]
    ]
    tested = {("cells", "folds"): cells}
    return effect_table(tested, factors, {"cells": groups}, [*with_reference, *contrasts])
