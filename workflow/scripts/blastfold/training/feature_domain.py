"""How far images are from those that a network was trained on, in the features of the network.

The features of the training images are described by a normal distribution: their mean, their
largest principal components, and one variance for all other directions (Tipping and Bishop 1999,
Probabilistic principal component analysis, eq. 9). It exists also where there are fewer images than
features. The distance of an image is its Mahalanobis distance (Lee et al. 2018, A simple unified
framework for detecting out-of-distribution samples).

Features are first divided by their length (Mueller and Hein 2025, Mahalanobis++). On features of
MobileNetV2 this made the difference between flagging a quarter and all cells of another laboratory
(docs/smears.md).

The distances of training images from what they were themselves fitted on are too small. The
threshold comes therefore from distances of subjects that were left out.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from blastfold.core.errors import InputError
from blastfold.core.files import written_whole

QUANTILE = 0.99
"""Quantile of the training images' own distances that is the threshold."""

COMPONENTS = 32
"""Principal components at most; never more than a fifth of the images."""

PARTS = 5
"""Parts of the training images that are left out in turn."""

FEWEST_IMAGES = 20
"""Fewer training images give no reference."""

SMALLEST = 1e-12
"""Smallest variance, as a share of the total one; a feature without any would divide by zero."""


class Domain(NamedTuple):
    """The features of training images.

    Attributes:
        mean: float64 (features,).
        axes: float64 (components, features), orthonormal.
        variances: float64 (components,), along the axes.
        rest: Variance along every other direction.
        threshold: Distance of the training images' quantile :data:`QUANTILE`.
    """

    mean: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    rest: float
    threshold: float


def unit_vectors(features: np.ndarray) -> np.ndarray:
    """Divide features by their length, float64 (n, features); features of length 0 stay."""
    features = np.asarray(features, np.float64)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1)


def fit_domain(features: np.ndarray, groups: Sequence) -> Domain | None:
    """Describe the features of training images.

    Args:
        features: float (images, features).
        groups: The group of every image, for instance its subject. Images of one group are left
            out together.

    Returns:
        The description; None for fewer than :data:`FEWEST_IMAGES` images.
    """
    features = np.asarray(features, np.float64)
    if len(features) < FEWEST_IMAGES:
        return None
    distances = np.zeros(len(features))
    parts = _parts(groups)
    for part in np.unique(parts):
        left_out = parts == part
        fitted = _fit(features[~left_out])
        distances[left_out] = distances_from(fitted, features[left_out])
    return _fit(features)._replace(threshold=float(np.quantile(distances, QUANTILE)))


def _parts(groups: Sequence) -> np.ndarray:
    """Return the part of every image; groups are dealt out by size, the largest first."""
    _, index, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        return np.arange(len(index)) % PARTS
    filled = np.zeros(min(PARTS, len(sizes)), int)
    part_of = np.zeros(len(sizes), int)
    for group in np.argsort(-sizes, kind="stable"):
        part_of[group] = filled.argmin()
        filled[part_of[group]] += sizes[group]
    return part_of[index]


def _fit(features: np.ndarray) -> Domain:
    mean = features.mean(axis=0)
    count, width = features.shape
    _, lengths, axes = np.linalg.svd(features - mean, full_matrices=False)
    variances = lengths**2 / max(count - 1, 1)
    kept = max(1, min(COMPONENTS, count // 5, width))
    total = float(variances.sum())
    least = max(SMALLEST * total, np.finfo(np.float64).tiny)
    rest = (total - float(variances[:kept].sum())) / max(width - kept, 1)
    return Domain(mean, axes[:kept], np.maximum(variances[:kept], least), max(rest, least), np.nan)


def distances_from(domain: Domain, features: np.ndarray) -> np.ndarray:
    """Return the Mahalanobis distance of images from the training images.

    Args:
        domain: See :func:`fit_domain`.
        features: float (n, features).

    Returns:
        float64 (n,).
    """
    apart = np.asarray(features, np.float64) - domain.mean
    along = apart @ domain.axes.T
    other = np.maximum((apart**2).sum(axis=1) - (along**2).sum(axis=1), 0)
    return np.sqrt((along**2 / domain.variances).sum(axis=1) + other / domain.rest)


def relative_distances(domain: Domain, features: np.ndarray) -> np.ndarray:
    """Return the distances as multiples of the threshold, float64 (n,)."""
    return distances_from(domain, features) / domain.threshold


def write_domains(domains: dict[int, Domain], path: str | os.PathLike) -> None:
    """Write the domains of several folds' networks, in single precision."""
    arrays = {
        f"fold-{fold}.{name}": np.asarray(value, np.float32)
        for fold, domain in domains.items()
        for name, value in domain._asdict().items()
    }
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def read_domains(path: str | os.PathLike) -> dict[int, Domain]:
    """Read what :func:`write_domains` wrote.

    Raises:
        InputError: The file is damaged or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name].astype(np.float64) for name in stored.files}
        folds = sorted({int(name.partition(".")[0].removeprefix("fold-")) for name in arrays})
        return {
            fold: Domain(*(arrays[f"fold-{fold}.{name}"] for name in Domain._fields))
            for fold in folds
        }
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(
            f"{path}: is not the description of training images of an export ({error})"
        ) from error
