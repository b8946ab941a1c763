"""The manifest of a data set: one row per image of its store, and the names of its classes."""

import json
import os
from pathlib import Path

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.tables import read_text_table, require_columns

COLUMNS = (
    *("image_id", "file", "label", "class", "subject", "picture", "parent", "part"),
    *("sha256", "width", "height"),
)
"""Columns of every manifest."""

PHOTOGRAPH_COLUMNS = (
    *("photograph", "photograph_x", "photograph_y", "photograph_correlation", "field"),
)
"""Where a crop was found: its photograph, relative to the folder of photographs; column and row of
its upper left corner there; correlation, 1 for equal pixels; and a name that is the same for
photographs which overlap one another. All are empty for a crop that was not found."""

SOURCE_DIGEST = "source_sha256"
"""SHA-256 of the photograph that an image was cut out of, or was found in; empty for others."""

OPTIONAL_COLUMNS = ("mask", SOURCE_DIGEST, *PHOTOGRAPH_COLUMNS)
"""Columns that a manifest may have: paths of the image's mask and of its photograph, relative to
the data set's folder; the digest of that photograph; and where a crop was found, if that was looked
for."""


def read_manifest(path: str | os.PathLike) -> pd.DataFrame:
    """Read a manifest.

    Args:
        path: ``manifest.tsv`` of a data set; row i describes image i of the store.

    Returns:
        Every column as text: at least image_id and label (index of the class from 0).

    Raises:
        InputError: A column is missing, a label is not an index, or an image is listed twice.
    """
    manifest = read_text_table(path, ("image_id", "label"))
    invalid = ~manifest["label"].str.fullmatch("[0-9]+")
    if invalid.any():
        row = manifest[invalid].iloc[0]
        raise InputError(
            f"{path}: column label holds {row['label']!r} for image {row['image_id']!r}, expected "
            "the index of its class: 0, 1 ..."
        )
    doubled = manifest["image_id"].duplicated()
    if doubled.any():
        name = manifest.loc[doubled, "image_id"].iloc[0]
        raise InputError(f"{path}: image {name!r} has two rows, expected one row per image")
    return manifest


def class_names(manifest: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the classes in the order of their labels.

    Args:
        manifest: Columns label (0 to the number of classes - 1) and class.

    Raises:
        InputError: A column is missing, a label has no image or two names, two labels have one
            name, or there is one class only.
    """
    require_columns(manifest, ("label", "class"), "manifest")
    pairs = manifest[["label", "class"]].drop_duplicates()
    labels = pairs["label"].astype(int)
    names = pairs["class"].to_numpy()[labels.argsort(kind="stable")]
    found = sorted(zip(labels, pairs["class"], strict=True))
    if sorted(labels) != list(range(len(pairs))) or len(set(names)) < len(names):
        raise InputError(
            f"manifest: the pairs of label and class are {found}, expected the labels 0, 1 ... "
            "each with one name of its own"
        )
    if len(names) < 2:
        raise InputError(f"manifest: the only class is {found}, expected at least two classes")
    return tuple(names)


def read_classes(path: str | os.PathLike) -> tuple[str, ...]:
    """Read the names of the classes in the order of their labels from a ``dataset.json``.

    Raises:
        InputError: The key ``classes`` is missing or does not list two names or more.
    """
    classes = json.loads(Path(path).read_text("utf-8")).get("classes")
    if (
        not isinstance(classes, list)
        or len(set(map(str, classes))) != len(classes or [])
        or (len(classes) < 2)
    ):
        raise InputError(
            f"{path}: key classes holds {classes!r}, expected the names of at least two classes. A "
            "file of an older version of Blastfold must be made again"
        )
    return tuple(map(str, classes))
