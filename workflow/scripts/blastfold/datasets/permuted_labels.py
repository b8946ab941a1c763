"""A copy of a data set with permuted labels, as a canary: no model can do better than chance on it.

The copy has the same files as an imported data set, so that splits, training, evaluation, tables
and figures treat both alike.
"""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import link_or_copy
from blastfold.core.manifest import class_names, read_manifest
from blastfold.core.seeds import generator
from blastfold.datasets.summary import write_derived

logger = logging.getLogger(__name__)

DRAWS = 100
"""Permutations of shares that are drawn until every class has images, at most."""


def permute_labels(
    base: Mapping[str, str], outputs: Mapping[str, str], name: str, settings: Mapping, seed: int
) -> None:
    """Write a copy of a data set with permuted labels; the images are linked, not copied.

    Args:
        base: Paths ``images``, ``manifest``, ``summary``, ``duplicates`` and ``groups`` of the
            original data set.
        outputs: Paths to write: the same, and ``rejected``.
        name: The new data set's name.
        settings: Its entry: ``format``, ``of`` (the base's name) and
            ``permute_among`` (subject or image).
        seed: The experiment's seed.

    Raises:
        InputError: Labels are permuted among subjects, and an image has no subject.
    """
    manifest = read_manifest(base["manifest"])
    among, original = settings["permute_among"], settings["of"]
    units = manifest["image_id"]
    if among == "subject":
        require_subjects(manifest, original)
        units = manifest["subject"]
    true, classes = manifest["label"].astype(int), class_names(manifest)
    random = generator(seed, "permute_labels", original, among)
    mixed = true.groupby(units).nunique().max() > 1
    labels = (permute_shares if mixed else permute_units)(true, units, random)
    manifest["label"] = labels.astype(str)
    manifest["class"] = labels.map(dict(enumerate(classes)))
    changed = int((labels != true).groupby(units).any().sum())
    logger.info("%s: %d of %d %ss have another label", name, changed, units.nunique(), among)
    # Images, duplicates and groups do not depend on labels.
    for kind in ("images", "duplicates", "groups"):
        link_or_copy(base[kind], outputs[kind])
    facts = {"format": settings["format"]}
    what = "shares of the classes" if mixed else "labels"
    facts["derived"] = f"The {what} of {original} are permuted among {among}s."
    write_derived(manifest, base["summary"], {"name": name, **facts}, outputs)


def permute_units(labels: pd.Series, units: pd.Series, random: np.random.Generator) -> pd.Series:
    """Permute the labels of units whose images are of one class, see :func:`permute`.

    Args:
        labels: Index of the class of every image.
        units: Subject or name of every image.
        random: Generator that draws.
    """
    true = labels.groupby(units, sort=False).first()
    given = pd.Series(permute(true.to_numpy(), random), index=true.index)
    return units.map(given).astype(int)


def permute_shares(labels: pd.Series, units: pd.Series, random: np.random.Generator) -> pd.Series:
    """Give every subject the shares of the classes of another one, for its images in any order.

    Nothing is left to learn about an image. What can be recognised is the subject, and with it
    which classes are frequent, as with subjects of one class.

    Args:
        labels: Index of the class of every image; every class has images.
        units: Subject of every image.
        random: Generator that draws.

    Returns:
        The new labels. Subjects have different numbers of images, so that a class may have more or
        fewer images than before; none is without images.

    Raises:
        InputError: In none of :data:`DRAWS` draws every class has images.
    """
    counts = pd.crosstab(units, labels, dropna=False).reindex(columns=range(labels.max() + 1))
    images = units.reset_index(drop=True).groupby(units.to_numpy()).indices
    for _ in range(DRAWS):
        # Everyone gives to the next one of a random circle, so that nobody keeps the own shares.
        circle = random.permutation(len(counts))
        donors = counts.to_numpy()[np.roll(circle, 1)]
        given = np.empty(len(labels), dtype=np.int64)
        for subject, shares in zip(counts.index[circle], donors, strict=True):
            places = images[subject]
            given[places] = random.permutation(_drawn(shares, len(places), random))
        if len(set(given.tolist())) == counts.shape[1]:
            return pd.Series(given, index=labels.index)
    raise InputError(
        f"experiments: canaries: true permutes shares of classes among subjects, and {DRAWS} draws "
        f"left a class without images ({counts.sum().min()} images of the rarest one). Expected "
        "more images of each class; join rare classes (key classes), or take the data set out of "
        "the experiment entry with canaries: true"
    )


def _drawn(counts: np.ndarray, number: int, random: np.random.Generator) -> np.ndarray:
    """Return labels in the given shares, as nearly as whole numbers allow (systematic sampling)."""
    ends = np.cumsum(counts) / counts.sum() * number
    places = np.arange(number) + random.random()
    return np.searchsorted(ends[:-1], places, side="right")


def permute(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Permute labels so that new and old ones agree no more often than by chance.

    Among few subjects, a permutation drawn from all may keep most labels, and with them the
    disease. The permutation is drawn from those that give the same share of every new class to all
    old classes, as nearly as whole numbers allow; of more than two classes to within two units.

    Args:
        labels: Index of the class of each subject or image, shape (n,).
        random: Generator that draws.

    Returns:
        Labels of which each is as frequent as before, shape (n,). Of two classes they differ from
        the old ones unless all old ones are equal.
    """
    if labels.max(initial=0) > 1:
        return _permute_classes(labels, random)
    ones = random.permutation(np.flatnonzero(labels == 1))
    zeros = random.permutation(np.flatnonzero(labels == 0))
    kept = round(len(ones) ** 2 / len(labels))
    permuted = np.zeros_like(labels)
    permuted[ones[:kept]] = 1
    permuted[zeros[: len(ones) - kept]] = 1
    return permuted


def _permute_classes(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Spread every new class evenly over the old classes, which are laid out one after another."""
    counts = np.bincount(labels)
    # New labels in a sequence in which each of them recurs at equal distances.
    places = np.concatenate([(np.arange(n) + random.random()) / n for n in counts if n])
    spread = np.repeat(np.arange(len(counts)), counts)[np.argsort(places, kind="stable")]
    order = np.concatenate(
        [random.permutation(np.flatnonzero(labels == label)) for label in range(len(counts))]
    )
    permuted = np.empty_like(labels)
    permuted[order] = spread
    return permuted


def require_subjects(manifest: pd.DataFrame, dataset: str) -> None:
    """Check that every image has a subject.

    Args:
        manifest: Text columns image_id and subject.
        dataset: The data set's name, for the message.

    Raises:
        InputError: Names the key ``canaries``, the data set and what was found.
    """
    unknown = manifest.loc[manifest["subject"] == "", "image_id"]
    if len(unknown):
        raise InputError(
            f"experiments: canaries: true permutes labels among subjects, but {len(unknown)} of "
            f"the {len(manifest)} images of data set {dataset!r} have no subject (the first: "
            f"{unknown.iloc[0]!r}). Expected a subject for every image; take {dataset!r} out of "
            "the experiment entry with canaries: true."
        )
