"""A split that somebody else made: read it, and make one of the same sizes without leakage.

The split is a sheet that names the part of every image, or folders called train and test.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import PART_WORDS, REPEAT, ROLES, TEST, TRAIN, VALIDATION
from blastfold.core.raw_files import find_files
from blastfold.datasets.formats.common import is_image

PART_NAMES = PART_WORDS | {"dev": VALIDATION}
"""The role of a part by its name in lower case."""

PATH_COLUMNS = ("path", "file", "image", "filename", "file_name", "image_id", "name", "id")
PART_COLUMNS = ("part", "split", "set", "subset", "partition", "role", "fold")
LABEL_COLUMNS = ("label", "class", "target", "y")
"""Names of a sheet's columns, the preferred one first."""

FACTS = ("subject", "picture", "parent")

CELL_NAMES = r"UID_(?P<subject>H?\d+)_(?P<picture>\d+)_\d+_(all|hem)"
"""How C-NMC 2019 names its images; tried where neither sheet nor pattern gives subjects."""

MOVES = 100_000
"""The most improvements that are tried on a corrected split."""


def read_given_split(
    images: str | os.PathLike, split: str | os.PathLike, pattern: str | None = None
) -> pd.DataFrame:
    """Read which image is in which part.

    Args:
        images: The folder of images.
        split: A sheet (CSV or TSV) with a column for the image (its path, its name, with or
            without ending) and one for its part, and if known subject, picture, parent and label;
            or a folder that has the parts as sub-folders, which are then the images.
        pattern: How subjects and pictures are read from paths: a regular expression with the
            groups ``subject`` and ``picture``, or a template such as ``{subject}_{picture}_*``.

    Returns:
        One row per image of the split: image_id, file (a path), part, label, subject, picture and
        parent (text, empty where unknown), sorted by image_id.

    Raises:
        InputError: The sheet or the folders are not as expected, or an image is missing.
    """
    images, split = Path(images), Path(split)
    if not images.is_dir():
        raise InputError(f"IMAGES: '{images}' is not a folder. Name the folder of the images.")
    if split.is_dir():
        table = _from_folders(split)
    elif split.is_file():
        table = _from_sheet(images, split)
    else:
        raise InputError(f"SPLIT: '{split}' does not exist. Name a sheet or a folder.")
    table = table.sort_values("image_id", ignore_index=True)
    doubled = table["image_id"].duplicated()
    if doubled.any():
        name = table.loc[doubled, "image_id"].iloc[0]
        raise InputError(f"SPLIT: '{split}' lists the image '{name}' twice. Keep one row of it.")
    if table["part"].nunique() < 2:
        raise InputError(
            f"SPLIT: '{split}' has the part {table['part'].unique().tolist()} alone. Expected two "
            "or more: train and test, or numbered folds."
        )
    roles = {PART_NAMES.get(part.casefold()) for part in table["part"]}
    if roles & set(ROLES) and not {TRAIN, TEST} <= roles:
        found = ", ".join(sorted(table["part"].unique()))
        raise InputError(f"SPLIT: '{split}' has the parts {found}. Expected train and test.")
    return _with_names(table, pattern)


def _from_folders(root: Path) -> pd.DataFrame:
    rows = []
    for file in filter(is_image, find_files(root)):
        folders = PurePosixPath(file).parts[:-1]
        parts = [folder for folder in folders if folder.casefold() in PART_NAMES]
        if parts:
            others = [folder for folder in folders if folder.casefold() not in PART_NAMES]
            label = others[-1] if others else ""
            rows.append(_row(root, file, parts[0], {"label": label}))
    if not rows:
        raise InputError(
            f"SPLIT: '{root}' has no images in folders called train and test. Name the folder "
            "above them, or a sheet that names the part of every image."
        )
    return pd.DataFrame(rows)


def _row(root: Path, file: str, part: str, facts: Mapping[str, str]) -> dict[str, str]:
    row = {"image_id": str(PurePosixPath(file).with_suffix("")), "path": file}
    row |= {"file": str(root / file), "part": part}
    return row | {name: facts.get(name, "") for name in ("label", *FACTS)}


def _from_sheet(images: Path, sheet: Path) -> pd.DataFrame:
    columns, cells = _read_sheet(sheet)
    path = _one_of(columns, PATH_COLUMNS, sheet, "the image")
    part = _one_of(columns, PART_COLUMNS, sheet, "the part")
    label = next((name for name in LABEL_COLUMNS if name in columns), None)
    files = _index(filter(is_image, find_files(images)))
    rows, absent = [], []
    for row in cells:
        file = files.get(row[path].replace("\\", "/").removeprefix("./"))
        if file is None:
            absent.append(row[path])
        elif row[part]:
            folder = PurePosixPath(file).parent.name
            facts = row | {"label": row[label] if label else folder}
            rows.append(_row(images, file, row[part], facts))
    if absent:
        raise InputError(
            f"SPLIT: '{sheet}' names {len(absent)} of {len(cells)} images that are not in "
            f"'{images}' or whose name is there more than once, for instance '{absent[0]}'. "
            f"Expected paths in that folder in the column {path!r}."
        )
    return pd.DataFrame(rows, columns=["image_id", "path", "file", "part", "label", *FACTS])


def _read_sheet(sheet: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        text = sheet.read_text(encoding="utf-8-sig")
        delimiter = max("\t,;", key=text.partition("\n")[0].count)
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"SPLIT: '{sheet}' cannot be read as a table ({error}). Save it as CSV or TSV in UTF-8."
        ) from error
    columns = [name.strip().casefold() for name in table[0]] if table else []
    rows = [
        dict(zip(columns, map(str.strip, cells + [""] * len(columns)), strict=False))
        for cells in table[1:]
        if any(map(str.strip, cells))
    ]
    return columns, rows


def _one_of(columns: list[str], names: Iterable[str], sheet: Path, what: str) -> str:
    found = [name for name in names if name in columns]
    if not found:
        raise InputError(
            f"SPLIT: '{sheet}' has no column for {what}; its columns are {columns}. Expected one "
            f"of {', '.join(names)}."
        )
    return found[0]


def _index(files: Iterable[str]) -> dict[str, str]:
    """Return files by their path and name, with and without ending, where these are unique."""
    found: dict[str, str] = {}
    ambiguous = set()
    whole = list(files)
    for file in whole:
        path = PurePosixPath(file)
        for key in {str(path.with_suffix("")), path.name, path.stem} - {file}:
            if found.setdefault(key, file) != file:
                ambiguous.add(key)
    for key in ambiguous:
        del found[key]
    return found | {file: file for file in whole}


def _with_names(table: pd.DataFrame, pattern: str | None) -> pd.DataFrame:
    """Fill in subjects and pictures that names of files give and the sheet does not."""
    if pattern is None and (table["subject"] != "").any():
        return table
    given = pattern is not None
    expression = _compile(pattern) if given else re.compile(CELL_NAMES, re.IGNORECASE)
    found = [expression.search(file) for file in table["path"]]
    missing = [file for file, match in zip(table["path"], found, strict=True) if match is None]
    if missing and given:
        raise InputError(
            f"PATTERN: {pattern!r} fits {len(found) - len(missing)} of {len(found)} paths, and not "
            f"'{missing[0]}'. Expected one that fits all."
        )
    if missing:
        return table
    table = table.copy()
    for name in ("subject", "picture"):
        if name in expression.groupindex:
            table[name] = [match[name].upper() if not given else match[name] for match in found]
    return table


def _compile(pattern: str) -> re.Pattern:
    expression = pattern
    if "(?P<" not in pattern:
        pieces = re.split(r"(\{subject\}|\{picture\}|\*)", pattern)
        known = {"{subject}": "(?P<subject>[^/]+?)", "{picture}": "(?P<picture>[^/]+?)"}
        expression = "".join(
            known.get(piece, "[^/]*?" if piece == "*" else re.escape(piece)) for piece in pieces
        )
        expression = rf"(?:^|/){expression}(?:\.[^./]*)?$"
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise InputError(f"PATTERN: {pattern!r} is no regular expression ({error}).") from None
    if not {"subject", "picture"} & set(compiled.groupindex):
        raise InputError(
            f"PATTERN: {pattern!r} names neither {{subject}} nor {{picture}}. Expected a template "
            "such as '{subject}_{picture}_*', or a regular expression with these groups."
        )
    return compiled


def as_folds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of folds of a split.

    Parts called train, validation and test are one fold. Of parts with other names each is the
    test set once, and the others are its training set.

    Args:
        table: image_id and part.

    Returns:
        image_id, repeat, fold and role.
    """
    roles = table["part"].str.casefold().map(PART_NAMES)
    if roles.notna().any():
        folds = [roles.fillna("")]
    else:
        folds = [
            (table["part"] == part).map({True: TEST, False: TRAIN})
            for part in sorted(table["part"].unique())
        ]
    tables = [
        pd.DataFrame({"image_id": table["image_id"], "repeat": REPEAT, "fold": fold, "role": role})
        for fold, role in enumerate(folds)
    ]
    whole = pd.concat(tables, ignore_index=True)
    return whole[whole["role"] != ""].reset_index(drop=True)


def correct_split(table: pd.DataFrame, groups: pd.Series) -> pd.Series:
    """Move whole leakage groups so that none is in two parts, with sizes as near as possible.

    Groups are placed from the largest to the smallest, each where the counts of images by part and
    class come closest to those of the given split; among equal places the one that has most of its
    images already. Single groups are then moved as long as that improves the counts.

    Args:
        table: part and label of every image.
        groups: Leakage group of every image, in the same order.

    Returns:
        The part of every image.

    Raises:
        InputError: A part would have no image of a class that it has now.
    """
    parts = sorted(table["part"].unique())
    group_codes, names = pd.factorize(groups)
    part_codes = table["part"].map({part: place for place, part in enumerate(parts)}).to_numpy()
    label_codes, labels = pd.factorize(table["label"])
    wanted = np.zeros((len(parts), len(labels)))
    np.add.at(wanted, (part_codes, label_codes), 1)
    counts = np.zeros((len(names), len(labels)))
    np.add.at(counts, (group_codes, label_codes), 1)
    held = np.zeros((len(names), len(parts)))
    np.add.at(held, (group_codes, part_codes), 1)
    chosen = _fill_empty(_place(counts, wanted, held), counts, wanted)
    lost = np.argwhere((wanted > 0) & (_reached(chosen, counts, wanted) == 0))
    if len(lost):
        part, label = parts[lost[0][0]], labels[lost[0][1]] or "images"
        raise InputError(
            f"No split into these parts keeps leakage groups together: {part} would have no image "
            f"of {label!r}, because its images are in too few groups"
        )
    return pd.Series(np.array(parts, dtype=object)[chosen[group_codes]], index=table.index)


def _reached(chosen: np.ndarray, counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the images by part and class."""
    reached = np.zeros_like(wanted)
    np.add.at(reached, chosen, counts)
    return reached


def _fill_empty(chosen: np.ndarray, counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Give a group to every part without images of a class, where another part can spare one."""
    chosen = chosen.copy()
    for _ in range(wanted.size):
        reached = _reached(chosen, counts, wanted)
        lost = np.argwhere((wanted > 0) & (reached == 0))
        options = [
            (counts[group].sum(), group, part)
            for part, label in lost
            for group in np.flatnonzero(counts[:, label])
            # What stays in the part that gives the group has every class that it needs.
            if ((wanted[chosen[group]] == 0) | (reached[chosen[group]] > counts[group])).all()
        ]
        if not options:
            break
        _, group, part = min(options)
        chosen[group] = part
    return chosen


def _place(counts: np.ndarray, wanted: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return the part of every group; see :func:`correct_split`."""
    total = np.maximum(wanted.sum(axis=0), 1)
    # A part without an image of a class is worse than any difference of sizes.
    weight = 1 / np.maximum(wanted, 1) + 1 / total
    missing = wanted.copy()
    chosen = np.zeros(len(counts), dtype=int)

    def costs(count: np.ndarray) -> np.ndarray:
        return (weight * (np.abs(missing - count) - np.abs(missing))).sum(axis=1)

    order = np.lexsort((np.arange(len(counts)), -counts.sum(axis=1)))
    for group in order:
        cost = np.round(costs(counts[group]), 9)
        best = np.flatnonzero(cost == cost.min())
        chosen[group] = best[np.argmax(held[group, best])]
        missing[chosen[group]] -= counts[group]
    for _ in range(max(1, MOVES // max(len(counts), 1))):
        moved = False
        for group in order:
            now = chosen[group]
            missing[now] += counts[group]
            cost = np.round(costs(counts[group]), 9)
            if cost.min() < cost[now]:
                chosen[group], moved = int(cost.argmin()), True
            missing[chosen[group]] -= counts[group]
        if not moved:
            break
    return chosen
