"""What the format adapters share: labels of class names, kinds of files, the table of images."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import LEUKAEMIA_CLASSES
from blastfold.core.raw_files import DOCUMENTS, NOT_A_FILE, is_special
from blastfold.images.signatures import HEADER_SIZE, format_of

IMAGE_SUFFIXES = (".bmp", ".png", ".tif", ".tiff", ".jpg", ".jpeg")
TABLES = (".csv", ".tsv", ".json", ".xml", ".xyc", ".xls", ".xlsx", ".ods", ".yaml", ".yml")
DOCUMENT_NAMES = ("authors", "changelog", "citation", "copying", "license", "licence", "readme")
IMAGE, DOCUMENT, TABLE, OTHER = "image", "document", "table", "other"
"""Kinds of files."""

TEXT_COLUMNS = ("image_id", "file", "subject", "picture", "parent", "part")


def is_image(file: str) -> bool:
    """Return whether a file should hold an image, by its ending."""
    return file.lower().endswith(IMAGE_SUFFIXES)


def kind_of_file(root: Path, file: str) -> tuple[str, str]:
    """Return what a file is, by its ending where that is known and else by its first bytes.

    Args:
        root: The data set's folder.
        file: Path relative to it.

    Returns:
        ``image``, ``document``, ``table`` or ``other``; and why it cannot be read as an image,
        empty for images.
    """
    if is_image(file):
        return IMAGE, ""
    path = root / file
    try:
        if is_special(path):
            return OTHER, NOT_A_FILE
        with path.open("rb") as stream:
            start = stream.read(HEADER_SIZE)
    except OSError as error:
        return OTHER, f"the file cannot be read: {error.strerror}"
    if format_of(start):
        return IMAGE, ""
    name = PurePosixPath(file.lower())
    document = name.suffix in DOCUMENTS or (not name.suffix and name.name in DOCUMENT_NAMES)
    kind = DOCUMENT if document else TABLE if name.suffix in TABLES else OTHER
    return kind, f"not an image file (it starts with {start[:8]!r})"


def plain_value(text: str) -> str:
    """Return a value of a sheet without what spreadsheets change: spaces, and ``1.0`` for ``1``.

    Whole numbers in scientific notation are written out: ``1.2E+04`` is ``12000``.
    """
    text = unicodedata.normalize("NFC", text).strip()
    if re.fullmatch(r"[0-9]+\.0+", text):
        return text.partition(".")[0]
    if re.fullmatch(r"[0-9](\.[0-9]+)?[eE]\+[0-9]{1,2}", text):
        digits, _, power = text.lower().partition("e+")
        whole, _, fraction = digits.partition(".")
        if len(fraction) <= int(power):
            return whole + fraction.ljust(int(power), "0")
    return text


def class_labels(classes: Mapping | None, defaults: Mapping) -> dict[str, int]:
    """Map the class names of a source to labels.

    Args:
        classes: The config's ``classes``: lists of names under ``normal`` and ``blast``.
        defaults: The same, for the keys that the config leaves out.

    Returns:
        Name in lower case -> 0 (normal) or 1 (blast); always with "0" and "1".

    Raises:
        InputError: A name is listed under both classes.
    """
    labels = {"0": 0, "1": 1}
    for label, class_name in enumerate(LEUKAEMIA_CLASSES):
        for name in (classes or {}).get(class_name) or defaults[class_name]:
            key = str(name).strip().casefold()
            if labels.setdefault(key, label) != label:
                both = " and ".join(LEUKAEMIA_CLASSES)
                raise InputError(f"Key 'classes': '{name}' is listed under both {both}.")
    return labels


def records_table(records: Iterable[Mapping], **empty: object) -> pd.DataFrame:
    """Make the table that :func:`blastfold.datasets.formats.list_records` returns.

    Args:
        records: One mapping per image; text columns left out are empty.
        **empty: Further columns and the value that means "none".

    Returns:
        The table, without missing values.
    """
    columns = {name: [] for name in (*TEXT_COLUMNS, "label", *empty)}
    for record in records:
        for name, values in columns.items():
            values.append(record.get(name, empty.get(name, "")))
    numbers = ["label", *(name for name, value in empty.items() if isinstance(value, int))]
    return pd.DataFrame(columns, dtype=object).astype(dict.fromkeys(numbers, "int64"))


def expected_names(labels: Mapping[str, int]) -> str:
    """Return the names of every class, for messages."""
    return "; ".join(
        f"{class_name}: "
        + ", ".join(_quoted(name) for name, value in labels.items() if value == label)
        for label, class_name in enumerate(LEUKAEMIA_CLASSES)
    )


def _quoted(name: str) -> str:
    """Return a name for a list of names; in quotation marks where it could be taken for several."""
    return f"'{name}'" if set(name) & set(",;: ") else name
