"""A data set in two parts: an open one, and one that is locked away until the end."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, write_json
from blastfold.core.manifest import class_names, read_manifest
from blastfold.core.openings import add_opening
from blastfold.core.tables import read_text_table, write_table
from blastfold.datasets.summary import write_derived
from blastfold.datasets.tile_selection import copy_images
from blastfold.folds.assignment import choose_images

logger = logging.getLogger(__name__)

COLUMNS = ("image_id", "group")
"""Columns of the table of locked images, of which a split knows nothing else."""

UNKNOWN = "unknown"
"""Commit, and whether files were changed, where the workflow is no Git repository."""


def lock_part(
    base: Mapping[str, str], outputs: Mapping[str, str], settings: Mapping, seed: int
) -> None:
    """Write the open part of a data set, and which images are locked away.

    Args:
        base: Paths ``images``, ``manifest``, ``summary``, ``duplicates`` and ``groups`` of all
            images.
        outputs: Paths of the same of the open part, ``rejected``, and ``locked`` (table of the
            locked images).
        settings: name, format and locked_test (share, subjects or parts).
        seed: The experiment's seed.

    Raises:
        InputError: The part cannot be locked; see :func:`locked_rows`.
    """
    manifest = read_manifest(base["manifest"])
    groups = _groups(base["groups"], manifest)
    rows = locked_rows(manifest, groups, settings["locked_test"], settings["name"], seed)
    table = manifest.loc[rows, ["image_id"]].assign(group=groups[rows])
    write_table(table[list(COLUMNS)], outputs["locked"])
    counts = describe_locked(manifest.iloc[rows], groups[rows])
    facts = {
        "derived": (
            f"{counts['images']} images of {counts['groups']} leakage groups are locked away for a "
            "final test and took no part in the splits, trainings and results of this data set."
        ),
        "locked": counts,
    }
    opened = np.setdiff1d(np.arange(len(manifest)), rows)
    write_part(base, outputs, opened, settings, facts)
    logger.info("%s: %s", settings["name"], facts["derived"])


def take_locked_part(
    base: Mapping[str, str], locked: str, outputs: Mapping[str, str], settings: Mapping
) -> None:
    """Write the locked part of a data set.

    Args:
        base: As of :func:`lock_part`.
        locked: The table of locked images.
        outputs: Paths of the part.
        settings: name and format.
    """
    manifest = read_manifest(base["manifest"])
    names = read_text_table(locked, COLUMNS)["image_id"]
    rows = np.flatnonzero(manifest["image_id"].isin(names))
    facts = {"derived": "It is the part that was locked away for a final test."}
    write_part(base, outputs, rows, settings, facts)


def write_part(
    base: Mapping[str, str],
    outputs: Mapping[str, str],
    rows: np.ndarray,
    settings: Mapping,
    facts: Mapping,
) -> None:
    """Write some rows of a data set as a data set.

    Args:
        base: Paths ``images``, ``manifest``, ``summary``, ``duplicates`` and ``groups``.
        outputs: The same of the part, and ``rejected``.
        rows: Rows of the part, in ascending order.
        settings: name and format.
        facts: What its summary says in addition.
    """
    copy_images(base["images"], rows, outputs["images"])
    manifest = read_manifest(base["manifest"]).iloc[rows]
    names = set(manifest["image_id"])
    groups = read_text_table(base["groups"], ("image_id", "group"))
    # Groups of all images stay: what a locked image connects is not torn apart.
    write_table(groups[groups["image_id"].isin(names)], outputs["groups"])
    pairs = read_text_table(base["duplicates"], ("first", "second"))
    known = pairs["first"].isin(names) & pairs["second"].isin(names)
    write_table(pairs[known], outputs["duplicates"])
    about = {key: settings[key] for key in ("name", "format")}
    about["images_sha256"] = digest_file(outputs["images"])
    write_derived(manifest, base["summary"], {**about, **facts}, outputs)


def locked_rows(
    manifest: pd.DataFrame, groups: np.ndarray, chosen: Mapping, name: str, seed: int
) -> np.ndarray:
    """Return the rows of the images that are locked away, in ascending order.

    Args:
        manifest: image_id, label, class, subject and part.
        groups: Leakage group of every image.
        chosen: share (of the images, whole groups, drawn by the seed and the name, with the share
            of every class), subjects (names) or parts (names).
        name: Name of the data set.
        seed: The experiment's seed.

    Raises:
        InputError: A name is not known, a part is without images of a class, or a leakage group
            would be in both parts.
    """
    key = f"datasets.{name}.locked_test"
    labels = manifest["label"].astype(int).to_numpy()
    if "share" in chosen:
        everything = np.arange(len(manifest))
        size = max(round(chosen["share"] * len(manifest)), 1)
        rows = choose_images(everything, labels, groups, size, {"name": name}, seed, "locked_test")
    else:
        rows = _named_rows(manifest, chosen, key)
    _check_classes(manifest, groups, rows, key)
    inside = np.isin(np.arange(len(manifest)), rows)
    crossing = sorted(set(groups[inside]) & set(groups[~inside]))
    if crossing:
        images = manifest.loc[~inside & np.isin(groups, crossing), "image_id"]
        raise InputError(
            f"{key}: {len(crossing)} leakage groups would be in both parts; {len(images)} images "
            f"that stay open share a subject, a picture or a copy with locked ones, for instance "
            f"{images.iloc[0]!r} (group {crossing[0]!r}). Expected whole groups: name all subjects "
            "of a group, lock a share, or raise duplicates.minimum_similarity where no copies are"
        )
    return np.sort(rows)


def describe_locked(manifest: pd.DataFrame, groups: np.ndarray) -> dict:
    """Return images, groups, subjects and class_images of the locked part."""
    subjects = manifest["subject"]
    return {
        "images": len(manifest),
        "groups": len(set(groups)),
        "subjects": int(subjects[subjects != ""].nunique()),
        "class_images": {
            str(name): int(number) for name, number in manifest["class"].value_counts().items()
        },
    }


def open_locked_test(locked: str, opening: str, facts: Mapping, record: str) -> None:
    """Record that a locked test set is opened, before its images are taken.

    Args:
        locked: The table of locked images.
        opening: JSON file to write: the line of the record.
        facts: dataset, runs, config, and commit and dirty of the workflow (None where they are
            not known).
        record: The record, which a line is added to.

    Raises:
        InputError: The record was changed after it was written.
    """
    images = len(read_text_table(locked, COLUMNS))
    changed = {None: UNKNOWN, True: "yes", False: "no"}[facts["dirty"]]
    known = {"commit": facts["commit"] or UNKNOWN, "changed": changed, "images": images}
    row = add_opening(record, {**facts, **known})
    logger.warning(
        "opening %s of the locked test set of %s: %s; each opening that decides something makes "
        "the next result too good",
        *(row["number"], facts["dataset"], record),
    )
    write_json(row, opening)


def _groups(path: str, manifest: pd.DataFrame) -> np.ndarray:
    table = read_text_table(path, ("image_id", "group")).set_index("image_id")["group"]
    return manifest["image_id"].map(table).to_numpy(dtype=object)


def _named_rows(manifest: pd.DataFrame, chosen: Mapping, key: str) -> np.ndarray:
    way = "subjects" if "subjects" in chosen else "parts"
    column = manifest[way.removesuffix("s")]
    known = sorted(set(column) - {""})
    unknown = sorted(set(chosen[way]) - set(known))
    if unknown:
        raise InputError(
            f"{key}.{way}: received {unknown}, but the data set has the {way} "
            f"{known[:20] or 'none'}{' and more' if len(known) > 20 else ''}; expected names among "
            "these"
        )
    return np.flatnonzero(column.isin(chosen[way]))


def _check_classes(manifest: pd.DataFrame, groups: np.ndarray, rows: np.ndarray, key: str) -> None:
    inside = np.isin(np.arange(len(manifest)), rows)
    of_class = {name: (manifest["class"] == name).to_numpy() for name in class_names(manifest)}
    counts = {name: len(set(groups[chosen])) for name, chosen in of_class.items()}
    for where, part in (("locked", inside), ("open", ~inside)):
        # Where nothing can be locked, the class with the fewest groups is why.
        for name in sorted(counts, key=counts.get):
            if not (part & of_class[name]).any():
                groups_of_class = f"{counts[name]} leakage group{'s' if counts[name] != 1 else ''}"
                raise InputError(
                    f"{key}: the {where} part would have no {name} image. The class has "
                    f"{groups_of_class}, of which one or more must be locked and others stay open; "
                    "expected another part, or data with more groups"
                )
