"""Simulated cells of subjects, and a ridge classifier that is trained in every fold by subject.

The true values of calibration and of operating points are those of the trained classifiers on new
cells: scores are normal given the class, so that they follow from quantiles. Those of subjects come
from a large simulated population.
"""

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

FEATURES = 6
LIKENESS = 0.7
"""Standard deviation of a subject's effect in every feature; that of a cell is 1."""
CELLS, VARIATION = 20, 0.8
GAIN = 3.0
"""Logit per unit of the classifier's output; the probabilities are not calibrated."""
QUANTILES = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)


class Subjects:
    """A population of subjects, each healthy or ill.

    Args:
        signal: Distance of the class means in the first feature.
        population: Number of subjects in the large population.
    """

    def __init__(self, signal, population=4000):
        self.signal = signal
        self.means = np.zeros((2, FEATURES))
        self.means[:, 0] = signal * np.array([-0.5, 0.5])
        self.means[:, 1] = 0.6 * self.means[:, 0]
        self.others = self.draw(np.random.default_rng(5), population)

    def draw(self, random, number):
        """Return features (cells, FEATURES), labels and subjects (cells,); two of each class."""
        spread = np.sqrt(np.log(1 + VARIATION**2))
        ill = random.random(number) < 0.5
        ill[:2], ill[-2:] = True, False
        sizes = random.lognormal(np.log(CELLS) - spread**2 / 2, spread, number)
        subject = np.repeat(np.arange(number), np.maximum(np.round(sizes), 2).astype(int))
        label = ill[subject].astype(int)
        effect = LIKENESS * random.normal(size=(number, FEATURES))
        features = self.means[label] + effect[subject]
        return features + random.normal(size=(len(label), FEATURES)), label, subject

    def cross_validate(self, random, number, folds):
        """Train in every fold by subject.

        Returns:
            Test predictions (image_id, label, probability, subject), the trained weights
            (folds, FEATURES + 1) and the share of the test cells of each (folds,).
        """
        features, label, subject = self.draw(random, number)
        ill = np.bincount(subject, label, number) > 0
        fold = np.zeros(number, int)
        for value, start in ((False, 0), (True, folds // 2)):
            members = random.permutation(np.flatnonzero(ill == value))
            fold[members] = (np.arange(len(members)) + start) % folds
        tested = fold[subject]
        weights = np.array([train(features[tested != k], label[tested != k]) for k in range(folds)])
        score = np.sum(features * weights[tested, :-1], axis=1) + weights[tested, -1]
        table = pd.DataFrame({"image_id": np.arange(len(label)), "label": label})
        table = table.assign(probability=expit(GAIN * score), subject=subject)
        return table, weights, np.bincount(tested, minlength=folds) / len(tested)

    def truth_of_cells(self, weights, shares, specificities, bins):
        """Return Brier score, calibration error and sensitivities of the trained classifiers."""
        mean = GAIN * (self.means @ weights[:, :-1].T + weights[:, -1])
        scale = np.sqrt((weights[:, :-1] ** 2).sum(axis=1) * (LIKENESS**2 + 1))
        spread = GAIN * scale
        distances, brier = np.zeros(bins), 0.0
        for label in (0, 1):
            probability = expit(mean[label][:, None] + spread[:, None] * QUANTILES)
            excess = (probability - label) * shares[:, None] / (2 * len(QUANTILES))
            brier += np.sum(excess * (probability - label))
            place = np.clip(np.ceil(probability * bins).astype(int) - 1, 0, bins - 1)
            distances += np.bincount(place.ravel(), excess.ravel(), bins)
        found = {"brier": brier, "calibration error": np.abs(distances).sum()}
        for wanted in specificities:
            low, high = -60.0, 60.0
            for _ in range(60):
                middle = (low + high) / 2
                reached = shares @ stats.norm.cdf((middle - mean[0]) / spread) >= wanted
                low, high = (low, middle) if reached else (middle, high)
            sensitivity = shares @ stats.norm.sf((middle - mean[1]) / spread)
            found[f"sensitivity at {wanted:.2f}"] = sensitivity
        return found

    def truth_of_subjects(self, weights, shares):
        """Return AUC and accuracy of the subjects' mean probabilities in the population."""
        features, label, subject = self.others
        number = subject.max() + 1
        probability = expit(GAIN * (features @ weights[:, :-1].T + weights[:, -1]))
        cells = np.bincount(subject, minlength=number)
        mean = np.stack([np.bincount(subject, row, number) for row in probability.T]) / cells
        ill = np.bincount(subject, label, number) > 0
        weight = np.repeat(shares[:, None], number, axis=1)
        order = np.argsort(mean[:, ~ill].ravel())
        below = np.append(0, np.cumsum(weight[:, ~ill].ravel()[order]))
        place = np.searchsorted(mean[:, ~ill].ravel()[order], mean[:, ill].ravel())
        pairs = weight[:, ill].sum() * weight[:, ~ill].sum()
        area = np.sum(weight[:, ill].ravel() * below[place]) / pairs
        accuracy = np.average((mean >= 0.5) == ill, weights=weight)
        return {"subject AUC": area, "subject accuracy": accuracy}


def train(features, label):
    """Fit ridge regression on classes of equal weight; returns weights (FEATURES + 1,)."""
    columns = np.column_stack([features, np.ones(len(features))])
    weight = np.where(label == 1, 0.5 / label.mean(), 0.5 / (1 - label.mean()))
    square = (columns * weight[:, None]).T @ columns + np.eye(FEATURES + 1)
    return np.linalg.solve(square, (columns * weight[:, None]).T @ (2 * label - 1))
