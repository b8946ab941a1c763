"""Which images every fitted artefact was fitted on: mean images, stains, networks, temperatures.

The record of an artefact holds a digest of image ids. It is compared with the digests of the parts
of its fold, which proves that no test image is among them.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names
from blastfold.core.names import TEST, TRAIN, VALIDATION

FITTING_ROLES = ((TRAIN,), (VALIDATION,), (TRAIN, VALIDATION))
"""The parts of a fold that something may be fitted on."""

NO_TEST_IMAGE = "no_test_image"
SOME_TEST_IMAGES = "some_test_images"
TEST_IMAGES = "test_images"
OTHER_IMAGES = "other_images"
"""Verdicts on the images of an artefact. Only the first one is accepted."""


def read_fitted(path: str | os.PathLike) -> list[dict]:
    """Read from a JSON record what was fitted on which images.

    A record is any object, however deep in the file, with the key ``fitted_on`` (or
    ``trained_on``, of a network): a digest by :func:`blastfold.core.files.digest_names`. It may
    name its artefact; its fold is its own key ``fold``, that of the object around it, or a key
    such as ``fold-0`` above it, or in the path.

    Returns:
        Dicts with fold (int), fitted_on and, where the record names it, artefact.

    Raises:
        InputError: The file holds no such record, or one without a fold.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    in_path = re.findall(r"fold-(\d+)", str(path))
    records = list(_find_fitted(content, int(in_path[-1]) if in_path else None))
    if not records:
        raise InputError(f"{path}: no key 'fitted_on', expected a digest of image ids")
    if any(record["fold"] is None for record in records):
        raise InputError(f"{path}: a record with 'fitted_on' has no 'fold', expected its number")
    return records


def _find_fitted(content: object, fold: int | None) -> Iterator[dict]:
    if isinstance(content, list):
        for value in content:
            yield from _find_fitted(value, fold)
    if not isinstance(content, dict):
        return
    fold = content.get("fold", fold)
    digest = content.get("fitted_on", content.get("trained_on"))
    if isinstance(digest, str):
        named = {"artefact": content["artefact"]} if "artefact" in content else {}
        yield {"fold": fold, "fitted_on": digest} | named
    for key, value in content.items():
        number = re.fullmatch(r"fold-(\d+)", key)
        yield from _find_fitted(value, int(number[1]) if number else fold)


def check_fitted(
    folds: Mapping[tuple[str, str], pd.DataFrame], records: Iterable[Mapping]
) -> pd.DataFrame:
    """Find which images of its fold every artefact was fitted on.

    A digest proves it: that of the artefact is compared with those of the fold's parts.

    Args:
        folds: By names of data set and protocol, the columns image_id, fold (int) and role.
        records: Dicts with dataset, protocol, artefact, fold and fitted_on.

    Returns:
        One row per record: dataset, protocol, artefact, fold, fitted_on, fitted_part (empty when
        the digest is that of no part), images (their number) and verdict: NO_TEST_IMAGE or
        what is wrong.

    Raises:
        InputError: A record names a fold that the table of folds does not have.
    """
    rows = []
    for record in records:
        table = folds[record["dataset"], record["protocol"]]
        table = table[table["fold"] == record["fold"]]
        if table.empty:
            raise InputError(
                f"{record['artefact']}: fitted in fold {record['fold']}, which "
                f"{record['dataset']}/{record['protocol']} does not have"
            )
        row = {name: record[name] for name in ("dataset", "protocol", "artefact", "fold")}
        rows.append(row | {"fitted_on": record["fitted_on"]} | _judge(table, record["fitted_on"]))
    columns = ["dataset", "protocol", "artefact", "fold", "fitted_on"]
    return pd.DataFrame(rows, columns=[*columns, "fitted_part", "images", "verdict"])


def _judge(table: pd.DataFrame, digest: str) -> dict:
    if digest == digest_names([]):
        # A temperature or a threshold without a validation part keeps its default.
        return _verdict("none", 0, NO_TEST_IMAGE)
    tested = set(table.loc[table["role"] == TEST, "image_id"])
    for roles in FITTING_ROLES:
        fitted = table.loc[table["role"].isin(roles), "image_id"]
        if len(fitted) and digest_names(fitted) == digest:
            shared = not tested.isdisjoint(fitted)
            verdict = SOME_TEST_IMAGES if shared else NO_TEST_IMAGE
            return _verdict(" + ".join(roles), len(fitted), verdict)
    if digest_names(tested) == digest:
        return _verdict(TEST, len(tested), TEST_IMAGES)
    return _verdict("", 0, OTHER_IMAGES)


def _verdict(part: str, images: int, verdict: str) -> dict:
    return {"fitted_part": part, "images": images, "verdict": verdict}
