"""Training of heads on many permutations of the labels, on stored features."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from blastfold.core.fold_table import read_folds, select_parts
from blastfold.core.manifest import class_names, read_manifest
from blastfold.core.names import REPEAT, TEST, TRAIN, VALIDATION
from blastfold.core.permutation_table import BY_IMAGE, BY_SUBJECT, COLUMNS, TRUE
from blastfold.core.seeds import derive_seed
from blastfold.core.settings import JobSettings, ModelSettings, Run
from blastfold.core.tables import write_table
from blastfold.datasets.label_permutations import permuted, subjects_have_labels
from blastfold.training.batches import FeatureInputs
from blastfold.training.device_setup import set_up
from blastfold.training.features import features_of_fold
from blastfold.training.parallel_heads import ParallelHeads, heads_at_once

logger = logging.getLogger(__name__)


def train_on_permutations(
    features: str | Path,
    manifest: str | Path,
    folds: str | Path,
    settings: ModelSettings,
    compute: JobSettings,
    run: Run,
    count: int,
    output: str | Path,
) -> None:
    """Train a head for each permutation and fold, and test it against the permuted labels.

    The true labels are trained as one more of the permutations, so that they differ from them in
    nothing but the labels. Of several repeats of the folds the first one is used, for all labels.

    Args:
        features: Folder with the features (see :mod:`blastfold.training.features`).
        manifest: Manifest of the data set.
        folds: Table of folds; those of the first repeat are used.
        settings: The model.
        compute: How the job computes.
        run: Data set, protocol and model by name.
        count: Permutations among subjects, and as many among images.
        output: Table to write, see :mod:`blastfold.core.permutation_table`. Where labels cannot be
            permuted among subjects it has none of these.
    """
    compute = compute.on_cpu()
    seed = derive_seed(compute.seed, "train_on_permutations", *run.names)
    set_up(compute, seed)
    images = read_manifest(manifest)
    names, labels = draw_labels(images, count, compute.seed, run.dataset)
    classes = len(class_names(images))
    heads: ParallelHeads | None = None
    tables = []
    table = read_folds(folds)
    first = table[table["repeat"] == REPEAT]
    for (repeat, fold), roles in first.groupby(["repeat", "fold"], sort=True):
        parts = select_parts(images, roles)
        rows = [
            parts[role].rows if role in parts else np.zeros(0, dtype=int)
            for role in (TRAIN, VALIDATION, TEST)
        ]
        views, _ = features_of_fold(Path(features), fold)
        if heads is None:
            inputs = int(np.prod(views.shape[2:]))
            together = heads_at_once(inputs, settings, len(labels), classes)
            heads = ParallelHeads(inputs, together, settings, seed, classes)
        areas = []
        for start in range(0, len(labels), heads.heads):
            # The last group is filled up with labels from the start.
            taken = np.arange(start, start + heads.heads) % len(labels)
            of_group = derive_seed(seed, "fold", fold, start)
            probability = heads.train(FeatureInputs(views), rows, labels[taken], of_group)
            areas.append(areas_under_curve(labels[taken][:, rows[2]], probability))
        logger.info("%s fold %d: %d heads", "/".join(run.names), fold, len(labels))
        tested = labels[:, rows[2]]
        numbers = {"repeat": repeat, "fold": fold, "auc": np.concatenate(areas)[: len(labels)]}
        numbers |= {"negatives": (tested == 0).sum(axis=1), "positives": (tested > 0).sum(axis=1)}
        tables.append(names.assign(**numbers))
    write_table(pd.concat(tables, ignore_index=True)[list(COLUMNS)], output)


def draw_labels(
    images: pd.DataFrame, count: int, seed: int, dataset: str
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the true labels and their permutations.

    Args:
        images: Manifest.
        count: Permutations of each kind.
        seed: The experiment's seed.
        dataset: Name of the data set; all models and protocols share its permutations.

    Returns:
        labels and permutation (number) of each row of the second part, int64 (rows, images).
    """
    kinds = [BY_SUBJECT] if subjects_have_labels(images) else []
    kinds.append(BY_IMAGE)
    drawn = [images["label"].astype("int64").to_numpy()[np.newaxis]]
    names = [pd.DataFrame({"labels": [TRUE], "permutation": [0]})]
    for kind in kinds:
        drawn.append(permuted(images, kind, count, seed, dataset))
        names.append(pd.DataFrame({"labels": kind, "permutation": range(count)}))
    return pd.concat(names, ignore_index=True), np.concatenate(drawn)


def areas_under_curve(labels: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the AUC of each row, a tie counting half; NaN where a row lacks a class.

    Args:
        labels: int64 (rows, images), index of the class.
        probability: float64 (rows, images), of the last of two classes. Of more classes
            (rows, images, classes): the mean of the AUCs of each class against all others.
    """
    if probability.ndim == 3:
        single = [
            areas_under_curve((labels == label).astype(int), probability[..., label])
            for label in range(probability.shape[2])
        ]
        return np.mean(single, axis=0)
    areas = np.full(len(labels), np.nan)
    for row, (truth, value) in enumerate(zip(labels == 1, probability, strict=True)):
        positive, negative = value[truth], np.sort(value[~truth])
        if len(positive) and len(negative):
            below = [np.searchsorted(negative, positive, side) for side in ("left", "right")]
            areas[row] = np.mean(below) / len(negative)
    return areas
