"""Simulated cells of subjects, with learners that are really trained in both arms of a contrast."""

import numpy as np
import pandas as pd

from blastfold.folds.leak_contrast import contrast_folds, tested_images

PROTOCOL = {"name": "leak", "leak": "subject", "group_by": "subject", "folds": 3}
PENALTY = 30.0


def simulate_contrast(random, subjects, cells, repeats, *, disease, effect, leak=True, width=20):
    """Predictions with and without a leak, and the group of every image.

    The features of a cell are the sum of an effect of the disease in one direction, one of its
    subject and noise, in ``width`` dimensions. Without ``leak`` the images that leak have the
    effect of a subject of their own, so that they say nothing about the tested images.
    """
    subject = np.repeat(np.arange(subjects), cells)
    label = (subject % 2).astype(np.int64)
    names = subject.astype(str).astype(object)
    images = pd.DataFrame({"image_id": [f"i{number}" for number in range(len(subject))]})
    images["parent"] = ""
    choice = tested_images(images, names, PROTOCOL, int(random.integers(2**31)))
    own = effect * random.normal(size=(2, subjects, width))
    # The leaking half of the images is of the same subject, or of a twin that nobody tests.
    twin = np.zeros(len(subject), dtype=int) if leak else choice[1].astype(int)
    features = random.normal(size=(len(subject), width)) + own[twin, subject]
    features[:, 0] += disease * label
    arms = {"leaked": [], "replaced": []}
    for repeat in range(repeats):
        folds = contrast_folds(label, names, choice, PROTOCOL, int(random.integers(2**31)))
        for fold, contrast in enumerate(folds):
            for arm, tables in arms.items():
                train = np.concatenate([contrast.common, getattr(contrast, arm)])
                score = fit_ridge(features[train], label[train], features[contrast.tested])
                table = pd.DataFrame({"image_id": images["image_id"].to_numpy()[contrast.tested]})
                table["label"] = label[contrast.tested]
                table["probability"] = 1 / (1 + np.exp(-4 * (score - 0.5)))
                tables.append(table.assign(repeat=repeat, fold=repeat * 3 + fold))
    groups = pd.Series(names, index=images["image_id"])
    return *(pd.concat(tables, ignore_index=True) for tables in arms.values()), groups


def fit_ridge(features, target, tested):
    """Ridge regression in closed form; returns its scores."""
    mean, level = features.mean(axis=0), target.mean()
    centred = features - mean
    gram = centred.T @ centred + PENALTY * np.eye(centred.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (target - level))
    return level + (tested - mean) @ weights
