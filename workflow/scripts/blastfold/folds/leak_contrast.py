"""The design of the leak in isolation: two training sets that differ in the leak alone.

Both arms test the same images of some subjects. In the arm without a leak nothing of these
subjects is in training. In the other arm as many training subjects of each class are replaced by
the tested subjects, of which other images, or copies of the tested ones, are learnt. From each pair
of subjects both arms take the same number of images. The two training sets have therefore equal
numbers of images and of subjects of each class. All other training images, and the validation
images, are the same. What differs between the results is the effect of the leak, and of the draw of
subjects, over which repeats average.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.seeds import generator

COPIES = "copies"
"""What leaks: copies of the tested images, instead of other images of their subjects."""

TESTED_SHARE = 0.5
"""Share of a subject's images that are tested where other images of subjects leak."""

FEWEST = 3
"""Subjects of each class that a contrast needs: one tested, one replaced by it and one in both."""


class Contrast(NamedTuple):
    """One fold of the contrast; int64 rows of the images.

    Attributes:
        tested: Tested images, the same in both arms.
        common: Images to train on and to validate on, the same in both arms.
        replaced: Further training images of the arm without a leak.
        leaked: Further training images of the arm with a leak; as many of each class.
    """

    tested: np.ndarray
    common: np.ndarray
    replaced: np.ndarray
    leaked: np.ndarray


def tested_images(images: pd.DataFrame, subjects: np.ndarray, protocol: dict, seed: int):
    """Choose the images that are tested whenever their subject is.

    Args:
        images: image_id and parent, one row per image.
        subjects: (n,) subject or leakage group of every image, as text.
        protocol: ``leak`` (subject or copies) and ``name``.
        seed: The experiment's seed: the choice is the same in all repeats, so that all of them
            test the same images.

    Returns:
        bool (n,) tested images and bool (n,) images that may leak. Originals with their copies stay
        together where subjects leak; where copies leak one image of each original is tested and
        the others leak. A subject with nothing to leak is never tested.
    """
    ids = images["image_id"].to_numpy(dtype=object)
    parents = images["parent"].fillna("").to_numpy(dtype=object)
    family = np.where(parents == "", ids, parents)
    random = generator(seed, "leak_contrast", protocol["name"], "tested")
    tested, leaking = np.zeros(len(ids), dtype=bool), np.zeros(len(ids), dtype=bool)
    for subject in np.unique(subjects.astype(str)):
        rows = np.flatnonzero(subjects.astype(str) == subject)
        families = random.permutation(np.unique(family[rows].astype(str)))
        if protocol["leak"] == COPIES:
            for name in families:
                members = random.permutation(rows[family[rows] == name])
                if len(members) > 1:
                    tested[members[0]] = leaking[members[1:]] = True
        elif len(families) > 1:
            first = set(families[: max(1, round(TESTED_SHARE * len(families)))])
            chosen = np.array([name in first for name in family[rows]])
            tested[rows[chosen]] = leaking[rows[~chosen]] = True
    return tested, leaking


def contrast_folds(
    labels: np.ndarray,
    subjects: np.ndarray,
    choice: tuple[np.ndarray, np.ndarray],
    protocol: dict,
    seed: int,
) -> Iterator[Contrast]:
    """Yield the folds of one repeat.

    Args:
        labels: int64 (n,), index of the class.
        subjects: (n,) subject or leakage group of every image, as text. The class of a subject is
            the last one among its images.
        choice: From :func:`tested_images`.
        protocol: ``folds`` and ``name``.
        seed: Seed of the repeat.

    Raises:
        InputError: There are too few subjects of a class, or too few images to replace.
    """
    tested, leaking = choice
    names = subjects.astype(str)
    classes = pd.Series(labels).groupby(names).max()
    able = pd.Series(tested).groupby(names).any()
    order = {}
    for label in (0, 1) if labels.max() < 2 else sorted(set(classes)):
        of_class = classes.index[classes == label].to_numpy(dtype=object)
        _require_subjects(of_class, able, label, protocol)
        order[label] = generator(seed, "leak_contrast", protocol["name"], label).permutation(
            of_class
        )
    for fold in range(protocol["folds"]):
        random = generator(seed, "leak_contrast", protocol["name"], "fold", fold)
        asked, replaced, leaked, out = [], [], [], set()
        for of_class in order.values():
            # Half of the subjects at most, so that one is left that no arm tests or replaces.
            testable = [name for name in of_class if able[name]]
            own = testable[fold :: protocol["folds"]][: (len(of_class) - 1) // 2]
            others = random.permutation([name for name in of_class if name not in own])
            for subject, other in zip(own, others, strict=False):
                sides = names == subject, names == other
                pair = _paired(labels, sides[1], sides[0] & leaking, random)
                _require_pair(pair, subject, other, protocol)
                replaced.append(pair[0])
                leaked.append(pair[1])
                asked.append(np.flatnonzero(sides[0] & tested))
                out |= {subject, other}
        common = np.flatnonzero(~np.isin(names, sorted(out)))
        yield Contrast(_joined(asked), common, _joined(replaced), _joined(leaked))


def _paired(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the same number of images of each class from two sets, as many as both have."""
    drawn = [], []
    for label in range(labels.max() + 1):
        rows = [np.flatnonzero(side & (labels == label)) for side in (first, second)]
        size = min(map(len, rows))
        for side, own in zip(drawn, rows, strict=True):
            side.append(random.permutation(own)[:size])
    return _joined(drawn[0]), _joined(drawn[1])


def _joined(rows: list[np.ndarray]) -> np.ndarray:
    return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *rows])).astype(np.int64)


def _require_subjects(of_class, able: pd.Series, label: int, protocol: dict) -> None:
    testable = int(able[list(of_class)].sum())
    unit = protocol["group_by"]
    what = "copies of an image" if protocol["leak"] == COPIES else "two images"
    needed = max(FEWEST, protocol["folds"])
    if len(of_class) < FEWEST or testable < protocol["folds"]:
        raise InputError(
            f"protocols.{protocol['name']}: kind leak_contrast with {protocol['folds']} folds "
            f"needs {needed} {unit}s of each class, {protocol['folds']} of them with {what}, but "
            f"class {label} has {len(of_class)}, {testable} of them with {what}. "
            + (
                f"Set folds: {testable} at most."
                if len(of_class) >= FEWEST and testable >= 2
                else "The leak cannot be isolated in these data."
            )
        )


def _require_pair(pair, subject: str, other: str, protocol: dict) -> None:
    if len(pair[0]) == 0:
        raise InputError(
            f"protocols.{protocol['name']}: {protocol['group_by']} {other!r} has no image of the "
            f"class that leaks of {subject!r}, expected at least one to replace"
        )
