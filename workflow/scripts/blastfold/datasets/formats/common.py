"""What the format adapters share: labels of class names, kinds of files, the table of images."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import LEUKAEMIA_CLASSES, class_order, is_class_name
from blastfold.core.raw_files import DOCUMENTS, NOT_A_FILE, is_special
from blastfold.images.signatures import HEADER_SIZE, format_of

IMAGE_SUFFIXES = (".bmp", ".png", ".tif", ".tiff", ".jpg", ".jpeg")
TABLES = (".csv", ".tsv", ".json", ".xml", ".xyc", ".xls", ".xlsx", ".ods", ".yaml", ".yml")
DOCUMENT_NAMES = ("authors", "changelog", "citation", "copying", "license", "licence", "readme")
IMAGE, DOCUMENT, TABLE, OTHER = "image", "document", "table", "other"
"""Kinds of files."""

MOST_CLASSES = 100
"""More folders or labels are no classes."""

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


def folded(text: str) -> str:
    """Return the name of a folder or class as names are compared.

    Case, spaces around it and the way of writing accents (systems differ) do not matter.
    """
    return unicodedata.normalize("NFC", text).strip().casefold()


class Classes(NamedTuple):
    """The classes of a data set.

    Attributes:
        names: In the order of the labels.
        labels: Name of a folder, of a sheet or of a box, in lower case -> label.
    """

    names: tuple[str, ...]
    labels: Mapping[str, int]


def named_classes(classes: Mapping | None, defaults: Mapping) -> Classes:
    """Return the classes that the config names, or normal and blast.

    Args:
        classes: The config's ``classes``: lists of names by class.
        defaults: The same for normal and blast, where the config leaves them out.

    Returns:
        The classes in the order of the config. Those of leukaemia have the labels "0" and "1" too;
        all others have their own name in addition, unless another class lists it.

    Raises:
        InputError: A name is listed under two classes.
    """
    order = class_order(classes or LEUKAEMIA_CLASSES)
    labels = {"0": 0, "1": 1} if order == LEUKAEMIA_CLASSES else {}
    for label, class_name in enumerate(order):
        listed = (classes or {}).get(class_name) or defaults.get(class_name, ())
        for name in listed:
            known = labels.setdefault(plain_value(str(name)).casefold(), label)
            if known != label:
                both = " and ".join(order[number] for number in sorted((known, label)))
                raise InputError(f"Key 'classes': '{name}' is listed under both {both}.")
    if order != LEUKAEMIA_CLASSES:
        for label, class_name in enumerate(order):
            labels.setdefault(folded(class_name), label)
    return Classes(order, labels)


def classes_of(texts: Iterable[str], root: Path) -> Classes:
    """Return the classes that labels or folders are by themselves, in natural order.

    Args:
        texts: Names of folders or labels; empty ones are left out. Those that differ in
            case alone are one.
        root: The data set's folder, for messages.

    Raises:
        InputError: There is no second class, or a text cannot be the name of a class.
    """
    spelled: dict[str, str] = {}
    for text in texts:
        if name := plain_value(text):
            spelled.setdefault(name.casefold(), name)
    names = sorted(spelled.values(), key=_natural)
    if len(names) < 2 or len(names) > MOST_CLASSES:
        raise InputError(
            f"'{root}': {len(names)} folders or labels were found"
            f"{' (' + names[0] + ')' if names else ''}. Without the key 'classes' each of them is "
            f"a class; expected from 2 to {MOST_CLASSES}. Name the classes with the key 'classes', "
            "or their place with the key 'pattern', for instance pattern: '{class}/*/*'."
        )
    if unfit := [name for name in names if not is_class_name(name)]:
        raise InputError(
            f"'{root}': {unfit[0]!r} cannot be the name of a class. Give it another name with the "
            "key 'classes'."
        )
    return Classes(tuple(names), {name.casefold(): label for label, name in enumerate(names)})


def _natural(name: str) -> tuple:
    """Return a key of words and numbers: grade 2 is before grade 10, and marks do not matter."""
    pieces = re.findall(r"[0-9]+|[^\W0-9_]+", name.casefold())
    numbers = (int(piece) if piece.isdecimal() else 0 for piece in pieces)
    return [
        (number, "" if piece.isdecimal() else piece)
        for number, piece in zip(numbers, pieces, strict=True)
    ], name


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


def expected_names(classes: Classes) -> str:
    """Return the names of every class, for messages."""
    return "; ".join(
        f"{class_name}: "
        + ", ".join(_quoted(name) for name, value in classes.labels.items() if value == label)
        for label, class_name in enumerate(classes.names)
    )


def near_name(name: str, classes: Classes) -> str:
    """Return the end of a sentence, and the nearest known name as a question if there is one."""
    close = difflib.get_close_matches(name.casefold(), list(classes.labels), n=1)
    return f". Did you mean {close[0]!r}?" if close else "."


def advice_on_classes(classes: Classes) -> str:
    """Return how each label can be a class of its own, for messages; empty where classes are."""
    if classes.names != LEUKAEMIA_CLASSES:
        return ""
    return (
        " To make each of them a class of its own, name the positive ones with the key 'positive' "
        "and leave 'classes' out."
    )


def _quoted(name: str) -> str:
    """Return a name for a list of names; in quotation marks where it could be taken for several."""
    return f"'{name}'" if set(name) & set(",;: ") else name
