"""What the format adapters share: finding files, naming classes, making the table."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from blastfold.core.errors import InputError

IMAGE_SUFFIXES = (".bmp", ".png", ".tif", ".tiff", ".jpg", ".jpeg")
TEXT_COLUMNS = ("image_id", "file", "class", "subject", "picture", "parent", "part")
CLASS_NAMES = ("normal", "blast")
"""The name of label 0 and of label 1."""


def find_files(root: Path) -> list[str]:
    """List all files below a folder, following links, hidden files left out.

    Args:
        root: The folder.

    Returns:
        Paths relative to the folder with forward slashes, sorted.

    Raises:
        InputError: A file name is not valid UTF-8 and could not be written to a table.
    """
    files = sorted(_walk(root))
    for file in files:
        try:
            file.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(
                f"The name of {file!r} in '{root}' is not UTF-8 text. Rename the file."
            ) from None
    return files


def _walk(root: Path) -> Iterator[str]:
    seen = {os.path.realpath(root)}
    for folder, subfolders, names in os.walk(root, followlinks=True):
        kept = []
        for subfolder in subfolders:
            target = os.path.realpath(Path(folder, subfolder))
            # A link back to a folder already walked would never end.
            if not subfolder.startswith((".", "__MACOSX")) and target not in seen:
                seen.add(target)
                kept.append(subfolder)
        subfolders[:] = kept
        for name in names:
            if not name.startswith("."):
                yield Path(folder, name).relative_to(root).as_posix()


def is_image(file: str) -> bool:
    """Tell by its ending whether a file should hold an image."""
    return file.lower().endswith(IMAGE_SUFFIXES)


def class_labels(classes: Mapping | None, defaults: Mapping) -> dict[str, int]:
    """Map the class names of a source to labels.

    Args:
        classes: The config's ``classes``: lists of names under ``normal`` and ``blast``.
        defaults: The same, for the keys that the config leaves out.

    Returns:
        Name in lower case -> 0 (normal) or 1 (blast); always with "0" and "1".

    Raises:
        InputError: A name stands under both classes.
    """
    labels = {"0": 0, "1": 1}
    for label, class_name in enumerate(CLASS_NAMES):
        for name in (classes or {}).get(class_name) or defaults[class_name]:
            key = str(name).strip().casefold()
            if labels.setdefault(key, label) != label:
                raise InputError(f"Key 'classes': '{name}' stands under both normal and blast.")
    return labels


def records_table(records: Iterable[Mapping], **empty: object) -> pd.DataFrame:
    """Make the table that :func:`blastfold.datasets.formats.list_records` returns.

    Args:
        records: One mapping an image; text columns left out are empty.
        **empty: Further columns and the value that stands for "none".

    Returns:
        The table, without missing values.
    """
    columns = {name: [] for name in (*TEXT_COLUMNS, "label", *empty)}
    for record in records:
        for name, values in columns.items():
            values.append(record.get(name, empty.get(name, "")))
    numbers = ["label", *(name for name, value in empty.items() if isinstance(value, int))]
    return pd.DataFrame(columns, dtype=object).astype(dict.fromkeys(numbers, "int64"))
