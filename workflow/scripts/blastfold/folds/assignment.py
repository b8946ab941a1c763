"""Assignment of images to folds and roles: holdout, k folds, or the parts a data set comes with."""

import functools
import logging
import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from blastfold.core.errors import InputError
from blastfold.core.fold_table import write_folds
from blastfold.core.manifest import class_names, read_manifest
from blastfold.core.names import (
    LEAK_CONTRAST,
    REDRAW_SEEDS,
    REPEAT,
    TEST,
    TRAIN,
    VALIDATION,
    WITH_LEAK,
)
from blastfold.core.parts import parts_of_fold, unknown_parts
from blastfold.core.seeds import derive_seed, generator
from blastfold.core.tables import read_text_table
from blastfold.folds.leak_contrast import contrast_folds, tested_images
from blastfold.leakage.relations import NOT_KNOWN, SUPPLY
from blastfold.leakage.removal import without_duplicates

logger = logging.getLogger(__name__)

DRAWS = 1000
"""Random orders of groups of which the closest to the wanted size and class ratio is taken."""


def assign_folds(
    manifest: str,
    groups: str,
    folds: str,
    protocol: dict,
    seed: int,
    removed: str | None = None,
) -> None:
    """Split a data set by a protocol and write its table of folds.

    Args:
        manifest: Manifest of the data set.
        groups: Leakage groups: image_id, group.
        folds: Output table, see :func:`blastfold.core.fold_table.read_folds`.
        protocol: The protocol entry of the config, with its ``name``.
        seed: The experiment's seed.
        removed: ``duplicates.tsv`` of the data set where its duplicates take no part in the split;
            None where they do.

    Raises:
        InputError: When the data cannot be split this way; proposes what works.
    """
    images = read_manifest(manifest)
    table = read_text_table(groups, ("image_id", "group"))
    images = images.drop(columns="group", errors="ignore").merge(table, on="image_id", how="left")
    if removed:
        pairs = read_text_table(removed, ("first", "second"))
        images = without_duplicates(images, pairs, protocol["name"], class_names(images))
        images = images.reset_index(drop=True)
    result = split(images, protocol, seed)
    for fold, rows in result.groupby("fold"):
        counts = rows["role"].value_counts().to_dict()
        logger.info("%s fold %s: %s", protocol["name"], fold, counts)
    write_folds(result, folds)


def split(images: pd.DataFrame, protocol: dict, seed: int) -> pd.DataFrame:
    """Split images by a protocol.

    Args:
        images: image_id, label, class, subject, picture, group and part, one row per
            image.
        protocol: The protocol entry of the config, with its ``name``.
        seed: The experiment's seed.

    Returns:
        image_id, repeat, fold (from 0, through all repeats) and role (train, validation, test), by
        fold and then in the order of ``images``. Every image that takes part has one role in
        every fold. The first repeat is the same whatever the number of repeats; the others are
        independent draws, or copies of it where the protocol redraws seeds alone.

    Raises:
        InputError: When the data cannot be split this way; proposes what works.
    """
    labels = images["label"].astype(int).to_numpy()
    groups = group_of_images(images, protocol)
    classes = class_names(images)
    splitters = {"holdout": _holdout, "kfold": _kfold, "predefined": _predefined}
    if protocol["kind"] == LEAK_CONTRAST:
        choice = tested_images(images, groups, protocol, seed)
        splitters[LEAK_CONTRAST] = functools.partial(_leak_contrast, choice)
    splitter = splitters[protocol["kind"]]
    tables = []
    for repeat in range(protocol.get("repeats", 1)):
        drawn = seed if protocol.get("redraw") == REDRAW_SEEDS else repeat_seed(seed, repeat)
        for fold, roles in enumerate(splitter(images, labels, groups, protocol, drawn)):
            roles[left_out(roles, labels, groups, protocol, drawn, fold)] = ""
            _check_roles(roles, labels, groups, protocol, len(tables), classes)
            # Folds are numbered through all repeats.
            columns = {"repeat": repeat, "fold": len(tables), "role": roles}
            table = pd.DataFrame({"image_id": images["image_id"], **columns})
            tables.append(table[table["role"] != ""])
    return pd.concat(tables, ignore_index=True)


def repeat_seed(seed: int, repeat: int) -> int:
    """Return the seed that the draws of a repeat derive from: the first has the experiment's."""
    return seed if repeat == REPEAT else derive_seed(seed, "repeat", repeat)


def group_of_images(images: pd.DataFrame, protocol: dict) -> np.ndarray:
    """Return what must stay on one side of a split, for every image, as text.

    Raises:
        InputError: The manifest does not name what the protocol groups by.
    """
    group_by = protocol["group_by"]
    if group_by == "image":
        return images["image_id"].to_numpy(dtype=object)
    column = images[group_by].fillna("")
    missing = int((column == "").sum())
    if missing:
        known = [name for name in ("subject", "picture") if (images[name] != "").all()]
        raise InputError(
            f"{_key(protocol)}.group_by: received {group_by!r}, but {missing} of {len(images)} "
            f"images have no {group_by} in the manifest's column {group_by!r}. "
            + SUPPLY[group_by]
            + (f" All images have a {known[0]}: group_by: {known[0]} is possible." if known else "")
            + NOT_KNOWN[group_by]
        )
    if group_by == "picture":
        # Subjects may have pictures of the same name.
        column = images["subject"] + "\x1f" + column
    return column.to_numpy(dtype=object)


def holdout_sizes(count: int, test_fraction: float, validation_fraction: float) -> tuple:
    """Return the sizes of train, validation and test as in the thesis (Table 5.1).

    The training part is rounded, the test part rounded up, the validation part what remains:
    1562, 104 and 417 of 2083 images; 7996, 532 and 2133 of 10661 at 75/5/20 %.
    """
    # A share such as 0.2 is not a binary number: 0.2 * 35 is 7.000000000000001.
    test = math.ceil(round(count * test_fraction, 9))
    if validation_fraction == 0:
        return count - test, 0, test
    train = round(count * (1 - test_fraction - validation_fraction))
    return train, count - train - test, test


def _holdout(images, labels, groups, protocol, seed) -> Iterable[np.ndarray]:
    _, validation, test = holdout_sizes(
        len(images), protocol["test_fraction"], protocol["validation_fraction"]
    )
    _require_groups(images, groups, protocol, 3 if validation else 2, "parts")
    everything = np.arange(len(images))
    tested = choose_images(everything, labels, groups, test, protocol, seed, TEST)
    rest = np.setdiff1d(everything, tested)
    validated = _choose_validation(rest, labels, groups, validation, protocol, seed, 0)
    yield _roles(len(images), rest, validated, tested)


def _kfold(images, labels, groups, protocol, seed) -> Iterable[np.ndarray]:
    folds = protocol["folds"]
    _require_groups(images, groups, protocol, folds, "folds")
    state = derive_seed(seed, "assign_folds", protocol["name"])
    if len(set(groups)) == len(groups):
        splitter, grouping = StratifiedKFold(folds, shuffle=True, random_state=state), None
    else:
        splitter, grouping = StratifiedGroupKFold(folds, shuffle=True, random_state=state), groups
    for fold, (rest, tested) in enumerate(splitter.split(labels, labels, grouping)):
        size = round(len(rest) * protocol["validation_fraction"])
        validated = _choose_validation(rest, labels, groups, size, protocol, seed, fold)
        yield _roles(len(images), rest, validated, tested)


def _predefined(images, labels, groups, protocol, seed) -> Iterable[np.ndarray]:
    parts = images["part"].to_numpy(dtype=object)
    known = sorted(set(parts) - {""})
    if unknown := unknown_parts(protocol, known):
        raise InputError(
            f"{_key(protocol)}: received the parts {unknown}, "
            f"but the data set has {known or 'no parts'}; expected names among these"
        )
    for fold in range(len(protocol["test_parts"])):
        chosen = parts_of_fold(protocol, known, fold)
        tested = np.flatnonzero(np.isin(parts, chosen.test))
        rest = np.flatnonzero(np.isin(parts, chosen.train))
        if chosen.validation is not None:
            validated = np.flatnonzero(np.isin(parts, chosen.validation))
        else:
            size = round(len(rest) * protocol["validation_fraction"])
            validated = _choose_validation(rest, labels, groups, size, protocol, seed, fold)
        yield _roles(len(images), rest, validated, tested)


def _leak_contrast(choice, images, labels, groups, protocol, seed) -> Iterable[np.ndarray]:
    """Yield the roles of one arm; validation images are the same in both arms."""
    folds = contrast_folds(labels, groups, choice, protocol, seed)
    for fold, (tested, common, *arms) in enumerate(folds):
        own = arms[protocol["arm"] == WITH_LEAK]
        rest = np.concatenate([common, own])
        size = round(len(rest) * protocol["validation_fraction"])
        validated = _choose_validation(common, labels, groups, size, protocol, seed, fold)
        if size and not len(validated):
            raise InputError(
                f"{_key(protocol)}: fold {fold} has too few {protocol['group_by']}s for validation "
                "images of both classes; set validation_group_by: image or validation_fraction: 0"
            )
        yield _roles(len(images), rest, validated, tested)


def left_out(roles, labels, groups, protocol, seed, fold) -> np.ndarray:
    """Choose the training images that the protocol's ``training_share`` leaves out.

    Whole groups are left out, the same share of the groups of each class and never all. The
    groups of a smaller share are among those of a larger one, and validation and test images stay
    the same, so that shares differ in the training images alone.

    Returns:
        bool (n,), True for training images that are not used.
    """
    trained = roles == TRAIN
    kept: set[str] = set()
    for label in np.unique(labels):
        # A group with images of several classes is drawn with each of them.
        names = np.unique(groups[trained & (labels == label)].astype(str))
        order = generator(seed, "training_share", protocol["name"], fold, label).permutation(names)
        kept |= set(order[: max(round(protocol["training_share"] * len(names)), 1)])
    return trained & ~np.isin(groups.astype(str), sorted(kept))


def _choose_validation(rest, labels, groups, size, protocol, seed, fold) -> np.ndarray:
    if size == 0:
        return rest[:0]
    if protocol["validation_group_by"] == "image":
        groups = np.arange(len(groups))
    return choose_images(rest, labels, groups, size, protocol, seed, f"{VALIDATION}-{fold}")


def choose_images(rows, labels, groups, size, protocol, seed, name) -> np.ndarray:
    """Choose about ``size`` of ``rows``, whole groups, with the class ratio of ``rows``.

    Args:
        rows: Rows to choose from.
        labels: Index of the class of all images, int (n,).
        groups: What stays together, of all images, (n,).
        size: Wanted number of images.
        protocol: Its ``name`` seeds the draw.
        seed: The experiment's seed.
        name: Names the draw too.

    Returns:
        Rows in ascending order; none where no choice leaves every class on both sides. A class
        with a single image that is drawn by itself has none to choose.
    """
    random_names = ("assign_folds", protocol["name"], name)
    if len(set(groups[rows])) == len(rows):
        # A class with a single image has none to choose.
        counts = np.bincount(labels[rows])
        rows = rows[counts[labels[rows]] > 1]
        classes = np.count_nonzero(counts > 1)
        if len(rows) < 2 * classes or not classes:
            return rows[:0]
        state = derive_seed(seed, *random_names)
        size = min(max(size, classes), len(rows) - classes)
        chosen = train_test_split(rows, test_size=size, stratify=labels[rows], random_state=state)
        return np.sort(chosen[1])
    codes, inverse = np.unique(groups[rows].astype(str), return_inverse=True)
    counts = np.zeros((len(codes), labels.max() + 1))
    np.add.at(counts, (inverse, labels[rows]), 1)
    wanted = counts.sum(axis=0) * size / len(rows)
    best = _closest_groups(counts, wanted, generator(seed, *random_names))
    return rows[np.isin(inverse, best)]


def _closest_groups(counts: np.ndarray, wanted: np.ndarray, random) -> np.ndarray:
    """Return the first groups of a random order that come closest to the wanted counts.

    The chosen groups and the remaining ones have images of every class.
    """
    best, best_distance = None, np.inf
    total = counts.sum(axis=0)
    for _ in range(DRAWS):
        order = random.permutation(len(counts))
        sums = counts[order].cumsum(axis=0)
        distance = (np.abs(sums - wanted) / np.maximum(wanted, 1)).sum(axis=1)
        distance[(sums == 0).any(axis=1) | (sums == total).any(axis=1)] = np.inf
        length = int(np.argmin(distance))
        if distance[length] < best_distance:
            best, best_distance = order[: length + 1], distance[length]
    return np.array([], dtype=int) if best is None else best


def _roles(count, rest, validated, tested) -> np.ndarray:
    roles = np.full(count, "", dtype=object)
    roles[rest] = TRAIN
    roles[validated] = VALIDATION
    roles[tested] = TEST
    return roles


def _require_groups(images, groups, protocol, needed, what) -> None:
    by = protocol["group_by"]
    available = pd.Series(groups).groupby(images["class"].to_numpy()).nunique()
    available = {name: int(available[name]) for name in class_names(images)}
    name, fewest = min(available.items(), key=lambda item: item[1])
    if fewest >= needed:
        return
    unit = by if fewest == 1 else f"{by}s"
    if what == "parts":
        advice = "set validation_group_by: image or validation_fraction: 0"
        if protocol["validation_group_by"] == "image" and fewest >= 2:
            return
    elif fewest >= 2:
        advice = f"set folds: {fewest} at most"
    else:
        advice = f"no cross-validation by {by} is possible without two in each class"
    raise InputError(
        f"{_key(protocol)}: {needed} {what} by {by} are needed, "
        f"but the class {name} has only {fewest} {unit}; {advice}"
    )


def _check_roles(roles, labels, groups, protocol, fold, classes) -> None:
    for role in (TRAIN, TEST):
        for label, name in enumerate(classes):
            if not ((roles == role) & (labels == label)).any():
                raise InputError(
                    f"{_key(protocol)}: fold {fold} has no {name} image to {role} on; "
                    "use fewer folds, a smaller validation_fraction or "
                    "validation_group_by: image"
                )
    crossing = set(groups[roles == TEST]) & set(groups[roles == TRAIN])
    if crossing and protocol["kind"] == "predefined":
        logger.warning(
            "%s fold %s: %s of the data set's own parts cross from training to test: %s",
            protocol["name"],
            fold,
            protocol["group_by"],
            sorted(crossing)[:5],
        )


def _key(protocol: dict) -> str:
    return f"protocols.{protocol['name']}"
