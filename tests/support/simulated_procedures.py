"""Simulated subjects and learners that are really trained inside the cross-validation.

Cells of a subject share an effect in all features. A learner is ridge regression on the features,
or on a random projection of them: the projection represents the random backbone of a network and
is its seed. All learners are linear and features normal, so that the true AUC and accuracy of
every trained network are known in closed form. Arrays hold many runs at once: (runs, subjects,
cells, ...).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, ndtr

from blastfold.statistics.repeated import RepeatedScores

POSITIVE = 0.6
"""Share of subjects of the positive class."""


@dataclass(frozen=True)
class Design:
    """One cell of the simulation.

    Attributes:
        subjects: Number of subjects.
        folds: Folds of a repeat; 1 for a holdout of ``held_out``.
        repeats: Number of repeats.
        columns: Features that the learner sees.
        backbone: Columns of its random projection; 0 for none.
        shared: Whether the folds of a repeat share one projection.
        loss: Share of the signal that the learner's features lack.
        separation: Half of the distance of the class means.
        held_out: Share of subjects in the test part of a holdout.
        likeness: Share of the variance of a feature that the cells of a subject have in common.
        cells: Most cells of a subject; sizes vary from 2 to this, or are all equal to it.
        equal: Whether all subjects have the same number of cells.
    """

    subjects: int
    folds: int
    repeats: int
    columns: tuple[int, int] = (0, 20)
    backbone: int = 0
    shared: bool = False
    loss: float = 0.0
    separation: float = 1.2
    held_out: float = 0.25
    likeness: float = 0.3
    cells: int = 10
    equal: bool = False


@dataclass(frozen=True)
class Subjects:
    """Simulated subjects of many runs.

    Attributes:
        features: float64 (runs, subjects, cells, features + 1), the last one is 1.
        label: int64 (subjects,), the same in every run.
        present: float64 (runs, subjects, cells), 1 for a cell that exists.
        signal: float64 (features,), the mean of the positive class; the other one is its negative.
    """

    features: np.ndarray
    label: np.ndarray
    present: np.ndarray
    signal: np.ndarray

    def seen(self, columns, loss=0.0):
        """Return the subjects with some of their features, of which the signal lacks a share."""
        first, last = columns
        signal = self.signal[first:last].copy()
        features = np.concatenate(
            [self.features[..., first:last], self.features[..., -1:]], axis=-1
        )
        if loss:
            sign = (2 * self.label - 1)[None, :, None, None]
            features[..., :-1] -= loss * sign * signal
            signal *= 1 - loss
        return replace(self, features=features, signal=signal)


@dataclass(frozen=True)
class Trained:
    """What one procedure gave in many runs.

    Attributes:
        scores: float64 (runs, repeats, subjects, cells), of the network that did not learn from
            the subject; NaN where a repeat does not test it.
        fold: int64 (runs, repeats, subjects), -1 where not tested.
        auc: float64 (runs, repeats, folds), true AUC of every trained network.
        accuracy: float64 (runs, repeats, folds), its true accuracy.
    """

    scores: np.ndarray
    fold: np.ndarray
    auc: np.ndarray
    accuracy: np.ndarray


def draw_subjects(random, runs, design, features=30):
    """Draw the subjects of many runs."""
    positives = round(POSITIVE * design.subjects)
    label = np.repeat([1, 0], [positives, design.subjects - positives])
    signal = np.full(features, design.separation / np.sqrt(features))
    shape = (runs, design.subjects, design.cells, features)
    values = np.sqrt(1 - design.likeness) * random.normal(size=shape)
    values += np.sqrt(design.likeness) * random.normal(size=(*shape[:2], 1, features))
    values += (2 * label - 1)[None, :, None, None] * signal
    sizes = random.lognormal(np.log(design.cells / 2), 0.6, shape[:2]).round()
    sizes = np.clip(sizes, design.cells if design.equal else 2, design.cells)
    present = (np.arange(design.cells) < sizes[..., None]).astype(float)
    ones = np.ones((*shape[:3], 1))
    return Subjects(np.concatenate([values, ones], axis=-1), label, present, signal)


def draw_folds(random, runs, label, design):
    """Draw the fold of every subject, by class: int64 (runs, subjects), -1 where not tested."""
    fold = np.zeros((runs, len(label)), dtype=np.int64)
    start = 0
    for value in (1, 0):
        members = np.flatnonzero(label == value)
        order = np.argsort(random.random((runs, len(members))), axis=1)
        if design.folds > 1:
            fold[:, members] = (order + start) % design.folds
        else:
            tested = max(2, round(design.held_out * len(members)))
            fold[:, members] = np.where(order < tested, 0, -1)
        start += len(members)
    return fold


def draw_backbone(random, runs, features, columns):
    """Draw random projections of features and constant: (runs, features + 1, columns + 1)."""
    backbone = np.zeros((runs, features + 1, columns + 1))
    backbone[:, :features, :columns] = random.normal(size=(runs, features, columns))
    backbone[:, features, columns] = 1
    return backbone / np.sqrt(features)


def moments(subjects):
    """Return what ridge regression needs of every subject: X'X and X'y over its cells."""
    weighted = subjects.features * subjects.present[..., None]
    products = np.swapaxes(weighted, 2, 3) @ subjects.features
    return products, weighted.sum(axis=2) * (2 * subjects.label - 1)[None, :, None]


def fit(products, targets, weights, backbone=None, penalty=5.0):
    """Fit ridge regression in closed form: float64 (runs, features + 1).

    Args:
        products: See :func:`moments`.
        targets: See :func:`moments`.
        weights: float64 (runs, subjects), 1 for training subjects.
        backbone: Projections or None.
        penalty: Of squared coefficients, not of the constant.
    """
    gram = np.einsum("rs,rspq->rpq", weights, products, optimize=True)
    target = np.einsum("rs,rsp->rp", weights, targets)[..., None]
    if backbone is not None:
        turned = np.swapaxes(backbone, 1, 2)
        gram, target = turned @ gram @ backbone, turned @ target
    ridge = penalty * np.eye(gram.shape[1]) / (1 if backbone is None else backbone.shape[1])
    ridge[-1, -1] = 1e-6
    solved = np.linalg.solve(gram + ridge, target)
    return (solved if backbone is None else backbone @ solved)[..., 0]


def true_values(coefficients, signal):
    """Return the true AUC and accuracy of linear scores, on one cell of each new subject."""
    mean = coefficients[:, :-1] @ signal
    spread = np.sqrt((coefficients[:, :-1] ** 2).sum(axis=1))
    constant = coefficients[:, -1]
    right = [ndtr((mean + constant) / spread), ndtr((mean - constant) / spread)]
    return ndtr(np.sqrt(2) * mean / spread), POSITIVE * right[0] + (1 - POSITIVE) * right[1]


def cross_validate(random, subjects, design, folds=None):
    """Train and test a procedure in every repeat and fold.

    Args:
        random: For folds and backbones.
        subjects: With the features of this procedure, see :meth:`Subjects.seen`.
        design: The design.
        folds: (runs, repeats, subjects) folds of another procedure; drawn when None.
    """
    runs, number = subjects.features.shape[:2]
    features = subjects.features.shape[-1] - 1
    if folds is None:
        drawn = [draw_folds(random, runs, subjects.label, design) for _ in range(design.repeats)]
        folds = np.stack(drawn, axis=1)
    scores = np.full((runs, design.repeats, number, subjects.features.shape[2]), np.nan)
    truth = np.empty((2, runs, design.repeats, design.folds))
    known = moments(subjects)
    backbone = None
    for repeat in range(design.repeats):
        for fold in range(design.folds):
            if design.backbone and not (design.shared and fold):
                backbone = draw_backbone(random, runs, features, design.backbone)
            tested = folds[:, repeat] == fold
            coefficients = fit(*known, (~tested).astype(float), backbone)
            found = np.einsum("rscp,rp->rsc", subjects.features, coefficients, optimize=True)
            scores[:, repeat][tested] = found[tested]
            truth[:, :, repeat, fold] = true_values(coefficients, subjects.signal)
    return Trained(scores, folds, *truth)


def contrast_leak(random, subjects, design):
    """Train with and without other cells of the test subjects, for the leak in isolation.

    The first half of a subject's cells is tested, the second half is for training. Without the leak
    a network learns from the subjects of the other folds. With it, the test subjects' other cells
    take the place of as many of those subjects of each class.

    Returns:
        What was trained with the leak and without it, on the same test images.
    """
    runs, number, cells = subjects.features.shape[:3]
    half = cells // 2
    known = moments(
        replace(subjects, features=subjects.features[:, :, half:],
                present=subjects.present[:, :, half:])
    )  # fmt: skip
    shape = (runs, design.repeats, number, cells)
    arms = np.full((2, *shape), np.nan)
    truth = np.empty((2, 2, runs, design.repeats, design.folds))
    drawn = [draw_folds(random, runs, subjects.label, design) for _ in range(design.repeats)]
    folds = np.stack(drawn, axis=1)
    for repeat in range(design.repeats):
        for fold in range(design.folds):
            tested = folds[:, repeat] == fold
            replaced = _of_each_class(random, tested, subjects.label)
            backbone = None
            if design.backbone:
                # Both arms start from the same seed, so that the training set alone differs.
                features = subjects.features.shape[-1] - 1
                backbone = draw_backbone(random, runs, features, design.backbone)
            for arm, trained in enumerate((~replaced, ~tested)):
                found = fit(*known, trained.astype(float), backbone)
                scores = np.einsum("rscp,rp->rsc", subjects.features, found, optimize=True)
                arms[arm][:, repeat][tested] = scores[tested]
                truth[arm, :, :, repeat, fold] = true_values(found, subjects.signal)
    return [Trained(scores, folds, *values) for scores, values in zip(arms, truth, strict=True)]


def _of_each_class(random, tested, label):
    """Draw as many subjects of each class among the untested ones: bool (runs, subjects)."""
    order = random.random(tested.shape)
    chosen = np.zeros_like(tested)
    for value in (0, 1):
        free = np.where(~tested & (label == value), order, np.inf)
        rank = np.argsort(np.argsort(free, axis=1), axis=1)
        needed = (tested & (label == value)).sum(axis=1, keepdims=True)
        chosen |= (rank < needed) & np.isfinite(free)
    return chosen


def first_half(subjects):
    """Return the subjects with the first half of their cells alone."""
    half = subjects.features.shape[2] // 2
    present = subjects.present.copy()
    present[:, :, half:] = 0
    return replace(subjects, present=present)


def run_scores(trained, subjects, run):
    """Return the predictions of one run, as the statistics take them."""
    repeats, number, cells = trained.scores.shape[1:]
    exists = np.broadcast_to(subjects.present[run] > 0, (repeats, number, cells))
    keep = exists & (trained.fold[run] >= 0)[..., None]
    repeat, subject, cell = np.nonzero(keep)
    fold = repeat * (trained.fold.max() + 1) + trained.fold[run][repeat, subject]
    _, image = np.unique(subject * cells + cell, return_inverse=True)
    return RepeatedScores(
        subjects.label[subject],
        expit(2 * trained.scores[run][keep]),
        subject,
        np.arange(number),
        image,
        repeat,
        fold,
    )
