"""Simulated subjects whose labels say nothing, with learners trained on every permutation."""

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.model_selection import StratifiedGroupKFold

from blastfold.datasets.label_permutations import permuted
from blastfold.statistics.permutation import permutation_test


def labelled_subjects(subjects, each):
    """A manifest: subjects in turn of both classes, with some images each."""
    subject = np.repeat(np.arange(subjects), each)
    return pd.DataFrame(
        {
            "image_id": [f"i{number}" for number in range(len(subject))],
            "subject": [f"s{number}" for number in subject],
            "label": (subject % 2).astype(str),
        }
    )


def simulated_p_value(generator, subjects, folds, count):
    """The p value of ridge regressions in folds by subject, on features with a subject effect."""
    images = labelled_subjects(subjects, 6)
    subject = np.repeat(np.arange(subjects), 6)
    features = generator.normal(size=(subjects, 4))[subject]
    features = features + generator.normal(size=(len(subject), 4))
    label = images["label"].astype(int).to_numpy()
    splitter = StratifiedGroupKFold(
        folds, shuffle=True, random_state=int(generator.integers(2**31))
    )
    splits = list(splitter.split(features, label, subject))
    permutations = permuted(images, "subject", count, int(generator.integers(2**31)))
    drawn = np.vstack([label, permutations])
    areas = np.full((folds, count + 1), np.nan)
    for place, (train, test) in enumerate(splits):
        model = Ridge(5.0).fit(features[train], drawn[:, train].T)
        ranks = stats.rankdata(model.predict(features[test]).T, axis=1)
        positive = drawn[:, test] == 1
        pairs = positive.sum(axis=1) * (~positive).sum(axis=1)
        # The AUC from the sum of ranks (Mann and Whitney 1947).
        least = positive.sum(axis=1) * (positive.sum(axis=1) + 1) / 2
        found = (np.sum(ranks * positive, axis=1) - least) / np.maximum(pairs, 1)
        areas[place] = np.where(pairs > 0, found, np.nan)
    means = np.nanmean(areas, axis=0)
    return permutation_test(means[0], means[1:], generator).p_value
