"""What the format adapters share: labels of class names, and the table of images."""

from collections.abc import Iterable, Mapping

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import LEUKAEMIA_CLASSES

IMAGE_SUFFIXES = (".bmp", ".png", ".tif", ".tiff", ".jpg", ".jpeg")
TEXT_COLUMNS = ("image_id", "file", "subject", "picture", "parent", "part")


def is_image(file: str) -> bool:
    """Return whether a file should hold an image, by its ending."""
    return file.lower().endswith(IMAGE_SUFFIXES)


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
