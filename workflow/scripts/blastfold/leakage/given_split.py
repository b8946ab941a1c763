"""A split that somebody else made: read it, and make one of the same sizes without leakage.

The split is a sheet that names the part of every image, or folders called train and test.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import exists
from blastfold.core.names import PART_WORDS, REPEAT, ROLES, TEST, TRAIN, VALIDATION
from blastfold.core.path_patterns import PathPattern
from blastfold.core.raw_files import find_files
from blastfold.datasets.formats.common import IMAGE, kind_of_file, plain_value
from blastfold.datasets.formats.file_index import FileIndex
from blastfold.datasets.formats.sheet import name_cells, read_cells, refuse_similar_columns
from blastfold.datasets.formats.subject_doubts import names_of_public_data

PART_NAMES = PART_WORDS | {"dev": VALIDATION}
"""The role of a part by its name in lower case."""

PATH_COLUMNS = ("path", "file", "image", "filename", "file_name", "image_id", "name", "id")
PART_COLUMNS = ("part", "split", "set", "subset", "partition", "role", "fold")
LABEL_COLUMNS = ("label", "class", "target", "y")
"""Names of a sheet's columns, the preferred one first."""

FACTS = ("subject", "picture", "parent")

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
    elif exists(split):
        table = _from_sheet(images, split)
    else:
        raise InputError(f"SPLIT: '{split}' does not exist. Name a sheet or a folder.")
    table = table.sort_values("image_id", ignore_index=True)
    doubled = table["image_id"].duplicated()
    if doubled.any():
        name = table.loc[doubled, "image_id"].iloc[0]
        raise InputError(f"SPLIT: '{split}' lists the image '{name}' twice. Keep one row of it.")
    if table["part"].nunique() < 2:
        found = f"the part {table['part'].iloc[0]!r} alone" if len(table) else "no image in a part"
        raise InputError(
            f"SPLIT: '{split}' has {found}. Expected two parts or more: train and test, or "
            "numbered folds."
        )
    roles = {PART_NAMES.get(part.casefold()) for part in table["part"]}
    if roles & set(ROLES) and not {TRAIN, TEST} <= roles:
        found = ", ".join(sorted(table["part"].unique()))
        raise InputError(f"SPLIT: '{split}' has the parts {found}. Expected train and test.")
    return _with_names(table, pattern)


def images_in(folder: str | os.PathLike) -> list[str]:
    """Return the images below a folder by their content, relative to it."""
    return [file for file in find_files(folder) if kind_of_file(Path(folder), file)[0] == IMAGE]


def _from_folders(root: Path) -> pd.DataFrame:
    rows = []
    for file in images_in(root):
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
    row |= {"file": str(root / file), "part": part, "label": facts.get("label", "")}
    return row | {name: plain_value(facts.get(name, "")) for name in FACTS}


def _from_sheet(images: Path, sheet: Path) -> pd.DataFrame:
    columns, cells = read_cells(sheet)
    path = _one_of(columns, PATH_COLUMNS, sheet, "the image")
    part = _one_of(columns, PART_COLUMNS, sheet, "the part")
    label = next((name for name in LABEL_COLUMNS if name in columns), None)
    read = {path, part, label, *FACTS}
    refuse_similar_columns(
        sheet, [*columns, "part"], [name for name in columns if name not in read]
    )
    index = FileIndex(images, find_files(images))
    rows, absent = [], []
    for number, texts in cells:
        row = name_cells(sheet, columns, number, texts)
        file = index.find_image(row[path])
        if file is None:
            absent.append(row[path])
        elif row[part]:
            facts = row | {"label": row[label] if label else PurePosixPath(file).parent.name}
            rows.append(_row(images, file, plain_value(row[part]), facts))
    if absent:
        raise InputError(
            f"SPLIT: '{sheet}' names {len(absent)} of {len(cells)} images that are not in "
            f"'{images}', for instance '{absent[0]}'. Expected paths in that folder in the column "
            f"{path!r}."
        )
    return pd.DataFrame(rows, columns=["image_id", "path", "file", "part", "label", *FACTS])


def _one_of(columns: list[str], names: Iterable[str], sheet: Path, what: str) -> str:
    found = [name for name in names if name in columns]
    if not found:
        raise InputError(
            f"SPLIT: '{sheet}' has no column for {what}; its columns are {columns}. Expected one "
            f"of {', '.join(names)}."
        )
    return found[0]


def _with_names(table: pd.DataFrame, given: str | None) -> pd.DataFrame:
    """Fill in subjects and pictures that names of files give and the sheet does not."""
    files = table["path"].tolist()
    if given is None and (table["subject"] != "").any():
        return table
    public = names_of_public_data(files) if given is None else None
    if given is None and public is None:
        return table
    pattern = PathPattern(given or public[1])
    named = [name for name in ("subject", "picture") if name in pattern.fields]
    if not named:
        raise InputError(
            f"PATTERN: {given!r} names neither {{subject}} nor {{picture}}. Expected a template "
            "such as '{subject}_{picture}_*', or a regular expression with these groups."
        )
    found = [pattern.read(file) for file in files]
    unfit = [file for file, fields in zip(files, found, strict=True) if fields is None]
    if unfit:
        raise InputError(
            f"PATTERN: {given!r} fits {len(files) - len(unfit)} of {len(files)} paths, and not "
            f"'{unfit[0]}'. Expected one that fits all."
        )
    # h3 and H3 are one person of C-NMC 2019.
    write = str.upper if public else str
    columns = {name: [write(plain_value(fields[name])) for fields in found] for name in named}
    return table.assign(**columns)


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
        part, label = parts[lost[0][0]], labels[lost[0][1]]
        raise InputError(
            f"No split into these parts keeps leakage groups together: {part} would have no image"
            f"{f' of {label!r}' if label else ''}, because its images are in too few groups"
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
