"""Identity across data sets: does a test image, its cell or its subject occur where a model learnt?

Names in a config decide nothing: two entries may read one folder, crops of one data set may be cut
from the photographs of another, and start weights may have been learnt from the test data. What
counts is content: digests of the files, and the duplicate audit over both data sets.

Subjects' names are compared within data sets whose source names subjects once and for all
(:data:`NAMED_BY_SOURCE`). Elsewhere two data sets may both have a subject "01". There a subject is
shared where one of its images is.
"""

import logging
import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.fold_table import read_folds
from blastfold.core.manifest import read_manifest
from blastfold.core.names import TEST
from blastfold.core.tables import read_text_table, write_table
from blastfold.leakage.learnt_images import UNRECORDED, digest_key, read_learnt

logger = logging.getLogger(__name__)

SAME_FILE = "same_file"
"""Kind of a pair of images that were read from equal files."""

NAMED_BY_SOURCE = ("c-nmc-2019",)
"""Formats whose subjects have one name wherever the data set is read."""

NOTHING_SHARED, NO_EQUAL_FILE, SHARED, UNKNOWN = (
    *("nothing_shared", "no_equal_file", "shared", "unknown"),
)
"""Verdicts. Start weights record the digests of files alone, so that only equal files can be found.
Of weights without a record nothing is known."""

FORBID = "forbid"

COLUMNS = (
    *("learnt_from", "tested_on", "tested_images", "same_files", "duplicates", "shared_subjects"),
    *("images_of_shared_subjects", "affected", "verdict"),
)


def audit_identity(
    comparisons: Sequence[Mapping[str, str]],
    files: Mapping[str, Sequence[str | os.PathLike]],
    folds: str | os.PathLike,
    output: str | os.PathLike,
    name: str,
    leakage: str,
) -> None:
    """Write what the test images of a split share with what its models learn from elsewhere.

    Args:
        comparisons: One dict per comparison: learnt_from and tested_on (names), kind (``dataset``,
            or ``weights`` where a file of start weights is learnt from), part (``test`` for the
            test images of the folds, ``all`` for an external test set) and formats of both data
            sets, joined by a comma.
        files: Paths by name: tested (manifest) and learnt (manifest or weights) of every
            comparison, and of those of data sets pairs (the table of
            :func:`blastfold.leakage.shared_images.compare_datasets`).
        folds: Table of folds of the split.
        output: Output, one row per comparison with the columns COLUMNS.
        name: The protocol, for messages.
        leakage: ``report`` or ``forbid``.

    Raises:
        InputError: With ``forbid``, when a test image or its subject was learnt from elsewhere.
    """
    entries = []
    pairs = iter(files["pairs"])
    for entry, tested, learnt in zip(comparisons, files["tested"], files["learnt"], strict=True):
        stored = {"tested": tested, "learnt": learnt}
        entries.append(
            {**entry, **stored, "pairs": next(pairs) if entry["kind"] == "dataset" else ""}
        )
    split = read_folds(folds)
    rows = [_judge(entry, split) for entry in entries]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    shared = table[table["verdict"] == SHARED]
    for row in shared.itertuples():
        logger.warning(
            "%s: %d of %d test images of %s, or their subjects, are also in %s",
            *(name, row.affected, row.tested_images, row.tested_on, row.learnt_from),
        )
    if leakage == FORBID and len(shared):
        shown = shared.drop(columns="verdict").to_string(index=False)
        raise InputError(
            f"protocols.{name}: leakage is forbid, but test images are also where its models "
            f"learn:\n{shown}\nTake these images out of one data set, or use leakage: report."
        )
    for row in table[table["verdict"] == UNKNOWN].itertuples():
        logger.warning(
            "%s and %s: what was learnt, or what is tested, is not recorded by its content",
            *(row.learnt_from, row.tested_on),
        )
    write_table(table, output)


def _judge(entry: Mapping[str, str], split: pd.DataFrame) -> dict:
    """Count what the tested images of one comparison share with the learnt ones."""
    manifest = read_manifest(entry["tested"])
    tested = manifest
    if entry["part"] == TEST:
        in_test = split.loc[split["role"] == TEST, "image_id"]
        tested = manifest[manifest["image_id"].isin(in_test)]
    row = {key: entry[key] for key in ("learnt_from", "tested_on")}
    row["tested_images"] = len(tested)
    if tested.empty:
        return row | {"verdict": UNKNOWN}
    if entry["kind"] == "weights":
        learnt = read_learnt(entry["learnt"])
        if learnt is UNRECORDED or (tested["sha256"] == "").any():
            return row | {"verdict": UNKNOWN}
        same = tested["sha256"].map(digest_key).isin(learnt)
        counts = _counts(tested, same, same & False, set())
        # Other files of the same cells and other images of the same subjects have other digests.
        unseen = dict.fromkeys(("duplicates", "shared_subjects", "images_of_shared_subjects"))
        verdict = SHARED if counts["affected"] else NO_EQUAL_FILE
        return row | counts | unseen | {"verdict": verdict}
    pairs = read_text_table(entry["pairs"])
    same = tested["image_id"].isin(pairs.loc[pairs["kind"] == SAME_FILE, "tested"])
    near = tested["image_id"].isin(pairs.loc[pairs["kind"] != SAME_FILE, "tested"])
    formats = entry["formats"].split(",")
    subjects = set()
    if formats[0] == formats[1] and formats[0] in NAMED_BY_SOURCE:
        subjects = set(read_manifest(entry["learnt"])["subject"]) - {""}
    return row | _counts(tested, same, near, subjects)


def _counts(tested: pd.DataFrame, same: pd.Series, near: pd.Series, subjects: set[str]) -> dict:
    """Return the counts of one comparison and its verdict.

    Args:
        tested: The tested rows of a manifest.
        same: Whether each was read from the same file as a learnt image.
        near: Whether each shows the same cell as a learnt image.
        subjects: Names of learnt subjects that name the same person in both data sets.
    """
    found = (same | near).to_numpy()
    named = tested["subject"].fillna("").to_numpy()
    common = ({*named[found]} | (subjects & {*named})) - {""}
    of_subjects = np.isin(named.astype(str), sorted(common))
    affected = int((found | of_subjects).sum())
    return {
        "same_files": int(same.sum()),
        "duplicates": int(near.sum()),
        "shared_subjects": len(common),
        "images_of_shared_subjects": int(of_subjects.sum()),
        "affected": affected,
        "verdict": SHARED if affected else NOTHING_SHARED,
    }
