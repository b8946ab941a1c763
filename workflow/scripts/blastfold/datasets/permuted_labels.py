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
        InputError: Labels are permuted among subjects, and an image has no subject or a subject
            has images of several classes.
    """
    manifest = read_manifest(base["manifest"])
    among, original = settings["permute_among"], settings["of"]
    units = manifest["image_id"]
    if among == "subject":
        require_labelled_subjects(manifest, original)
        units = manifest["subject"]
    true = manifest["label"].astype(int).groupby(units, sort=False).first()
    random = generator(seed, "permute_labels", original, among)
    given = pd.Series(permute(true.to_numpy(), random), index=true.index)
    classes = class_names(manifest)
    labels = units.map(given).astype(int)
    manifest["label"] = labels.astype(str)
    manifest["class"] = labels.map(dict(enumerate(classes)))
    changed = int((given != true).sum())
    logger.info("%s: %d of %d %ss have another label", name, changed, len(true), among)
    # Images, duplicates and groups do not depend on labels.
    for kind in ("images", "duplicates", "groups"):
        link_or_copy(base[kind], outputs[kind])
    facts = {"format": settings["format"]}
    facts["derived"] = f"The labels of {original} are permuted among {among}s."
    write_derived(manifest, base["summary"], {"name": name, **facts}, outputs)


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


def require_labelled_subjects(manifest: pd.DataFrame, dataset: str) -> None:
    """Check that every image has a subject, and that the images of a subject are of one class.

    Args:
        manifest: Text columns image_id, label and subject.
        dataset: The data set's name, for the message.

    Raises:
        InputError: Names the key ``canaries``, the data set and what was found.
    """
    advice = f"Expected {{}}; take {dataset!r} out of the experiment entry with canaries: true."
    unknown = manifest.loc[manifest["subject"] == "", "image_id"]
    if len(unknown):
        raise InputError(
            f"experiments: canaries: true permutes labels among subjects, but {len(unknown)} of "
            f"the {len(manifest)} images of data set {dataset!r} have no subject (the first: "
            f"{unknown.iloc[0]!r}). " + advice.format("a subject for every image")
        )
    classes = manifest.groupby("subject")["label"].nunique()
    mixed = list(classes.index[classes > 1])
    if mixed:
        raise InputError(
            f"experiments: canaries: true permutes labels among subjects, but {len(mixed)} of the "
            f"{len(classes)} subjects of data set {dataset!r} have images of several classes (the "
            f"first: {mixed[0]!r}). " + advice.format("one class for each subject")
        )
