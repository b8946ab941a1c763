"""Identity across data sets: does a test image, its cell or its subject occur where a model learnt?

Names in a config decide nothing: two entries may read one folder, crops of one data set may be cut
from the photographs of another, and start weights may have been learnt from the test data. What
counts is content: digests of the files, and the duplicate audit over both data sets.

A photograph counts as an image does: other cells of one photograph are of one subject.

Subjects' names are compared within data sets whose source names subjects once and for all
(:data:`NAMED_BY_SOURCE`), and where images that two data sets share have the same names of subjects
in both. Elsewhere two data sets may both have a subject "01". There a subject is shared where one
of its images is.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.fold_table import read_folds
from blastfold.core.manifest import SOURCE_DIGEST, read_manifest
from blastfold.core.names import FORBID, SHARED, TEST
from blastfold.core.tables import read_text_table, write_table
from blastfold.leakage.learnt_images import digest_key, read_learnt

logger = logging.getLogger(__name__)

SAME_FILE = "same_file"
"""Kind of a pair of images that were read from equal files."""

NAMED_BY_SOURCE = ("c-nmc-2019",)
"""Formats whose subjects have one name wherever the data set is read."""

NOTHING_SHARED, NO_EQUAL_FILE, UNKNOWN = "nothing_shared", "no_equal_file", "unknown"
"""Verdicts, with SHARED. Start weights record the digests of files alone, so that only equal files
can be found. Of weights without a record nothing is known, and of weights that started from such
only a part."""

LOCKED = "locked"

COLUMNS = (
    *("learnt_from", "tested_on", "tested_images", "same_files", "duplicates"),
    *("same_photographs", "shared_subjects", "images_of_shared_subjects", "affected", "verdict"),
)


class _Found(NamedTuple):
    """What is known of every image of the data set that is tested on, as bool columns.

    Attributes:
        same: Read from a file that was learnt from.
        near: Shows a cell that was learnt from.
        photograph: Cut from a photograph that was learnt from, and neither of the others.
    """

    same: pd.Series
    near: pd.Series
    photograph: pd.Series


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
            test images of the folds, ``all`` for an external test set, ``locked`` for images that
            are locked away) and formats of both data sets, joined by a comma.
        files: Paths by name: tested (manifest) and learnt (manifest or weights) of every
            comparison, of those of data sets pairs (the table of
            :func:`blastfold.leakage.shared_images.compare_datasets`), and of those of locked
            images locked (the table of these).
        folds: Table of folds of the split.
        output: Output, one row per comparison with the columns COLUMNS.
        name: The protocol, for messages.
        leakage: ``report`` or ``forbid``.

    Raises:
        InputError: With ``forbid``, when a test image or its subject was learnt from elsewhere.
    """
    entries = []
    pairs, locked = iter(files["pairs"]), iter(files.get("locked", ()))
    for entry, tested, learnt in zip(comparisons, files["tested"], files["learnt"], strict=True):
        stored = {"tested": tested, "learnt": learnt}
        entries.append(
            {
                **{**entry, **stored, "pairs": next(pairs) if entry["kind"] == "dataset" else ""},
                "locked": next(locked) if entry["part"] == LOCKED else "",
            }
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
    if entry["part"] == LOCKED:
        tested = manifest["image_id"].isin(read_text_table(entry["locked"])["image_id"])
    elif entry["part"] == TEST:
        tested = manifest["image_id"].isin(split.loc[split["role"] == TEST, "image_id"])
    else:
        tested = pd.Series(True, manifest.index)
    row = {key: entry[key] for key in ("learnt_from", "tested_on")}
    row["tested_images"] = int(tested.sum())
    if not tested.any():
        return row | {"verdict": UNKNOWN}
    if entry["kind"] == "weights":
        return row | _judge_weights(entry["learnt"], manifest, tested)
    learnt, pairs = read_manifest(entry["learnt"]), read_text_table(entry["pairs"])
    images = manifest["image_id"]
    same = images.isin(pairs.loc[pairs["kind"] == SAME_FILE, "tested"])
    near = images.isin(pairs.loc[pairs["kind"] != SAME_FILE, "tested"])
    sources = _sources(learnt)
    # A photograph may be an image of its own on either side.
    photograph = _sources(manifest).isin({*sources, *learnt["sha256"]} - {""})
    photograph |= manifest["sha256"].isin({*sources} - {""})
    found = _Found(same, near, photograph & ~same & ~near)
    formats = entry["formats"].split(",")
    by_source = formats[0] == formats[1] and formats[0] in NAMED_BY_SOURCE
    known = by_source or _agree_on_subjects(learnt, manifest, pairs)
    subjects = set(learnt["subject"]) - {""} if known else set()
    counts = _counts(manifest, tested, found, subjects)
    return row | counts | {"verdict": SHARED if counts["affected"] else NOTHING_SHARED}


def _judge_weights(weights: str, manifest: pd.DataFrame, tested: pd.Series) -> dict:
    """Count what tested images share with the record of a file of weights, and judge it."""
    learnt = read_learnt(weights)
    if learnt is None or (manifest.loc[tested, "sha256"] == "").any():
        return {"verdict": UNKNOWN}
    same = manifest["sha256"].map(digest_key).isin(learnt.keys)
    sources = _sources(manifest)
    photograph = sources.map(digest_key).isin(learnt.keys) & (sources != "") & ~same
    counts = _counts(manifest, tested, _Found(same, same & False, photograph), set())
    if not counts["affected"] and not learnt.complete:
        return {"verdict": UNKNOWN}
    verdict = SHARED if counts["affected"] else NO_EQUAL_FILE
    # Other files of the same cells have other digests, and so have other images of a subject.
    unseen = dict.fromkeys(("duplicates", "shared_subjects", "images_of_shared_subjects"))
    return counts | unseen | {"verdict": verdict}


def _sources(manifest: pd.DataFrame) -> pd.Series:
    """Return the digest of the photograph that each image was cut from, empty without one."""
    if SOURCE_DIGEST in manifest:
        return manifest[SOURCE_DIGEST]
    return pd.Series("", manifest.index)


def _agree_on_subjects(learnt: pd.DataFrame, tested: pd.DataFrame, pairs: pd.DataFrame) -> bool:
    """Return whether shared images show that both data sets have the same names of subjects."""
    names = [
        pairs[side].map(manifest.set_index("image_id")["subject"])
        for side, manifest in (("learnt", learnt), ("tested", tested))
    ]
    named = (names[0] != "") & (names[1] != "")
    return bool(named.any() and (names[0] == names[1])[named].all())


def _counts(
    manifest: pd.DataFrame, tested: pd.Series, found: _Found, subjects: set[str]
) -> dict[str, int]:
    """Return the counts of one comparison.

    Args:
        manifest: All images of the data set that is tested on.
        tested: Which of them are tested, bool.
        found: What is known of each.
        subjects: Names of learnt subjects that name the same person in both data sets.
    """
    shared = found.same | found.near | found.photograph
    named = manifest["subject"].fillna("")
    # An image that is not tested itself may show that a subject is shared.
    common = ({*named[shared]} | (subjects & {*named})) - {""}
    of_subjects = named.isin(common) & tested
    return {
        "same_files": int((found.same & tested).sum()),
        "duplicates": int((found.near & tested).sum()),
        "same_photographs": int((found.photograph & tested).sum()),
        "shared_subjects": named[of_subjects].nunique(),
        "images_of_shared_subjects": int(of_subjects.sum()),
        "affected": int((shared & tested | of_subjects).sum()),
    }
