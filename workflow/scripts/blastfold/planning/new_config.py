"""A first config for a folder of images: ``make new DATA=<folder>``.

What can be seen in the folder is written down, with a comment where a person has to judge it: the
classes, where subjects are named, the size of the images, and folds that fit the subjects.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml

from blastfold.core.errors import BlastfoldError, InputError
from blastfold.core.files import written_whole
from blastfold.core.names import LEUKAEMIA_CLASSES, PART_WORDS
from blastfold.core.raw_files import find_files
from blastfold.datasets.formats import list_files
from blastfold.datasets.formats.common import is_image
from blastfold.datasets.formats.folder import DEFAULT_CLASSES
from blastfold.datasets.formats.listing import Listing
from blastfold.datasets.formats.sheet import Sheet
from blastfold.experiment.folders import STAGES
from blastfold.images.decoding import ImageError, decode_image

PUBLIC_FORMATS = ("c-nmc-2019", "all-idb2", "all-idb1", "pcam")
"""Formats of public data sets, which name their subjects or photographs themselves."""

MOST_FOLDS = 5
LARGEST_SIDE = 224
SMALLEST_SIDE = 32
SAMPLED_IMAGES = 25

MALIGNANT = (
    *("blast", "leuk", "malignan", "cancer", "tumor", "tumour", "positive", "patholog"),
    *("pre-b", "pro-b", "early", "[pre", "abnormal", "all", "l1", "l2", "l3"),
)
"""How names of positive classes begin, or which words they have."""


class Found(NamedTuple):
    """What a folder holds.

    Attributes:
        settings: The keys of the data set in the config, in their order.
        comments: Comment by key.
        listing: Its images.
    """

    settings: dict
    comments: dict[str, str]
    listing: Listing


def look_into(folder: Path) -> Found:
    """Find out how a folder of images is to be read.

    Args:
        folder: The images, with a sheet, in class folders, or as a public data set has them.

    Raises:
        InputError: There is no image, or nothing tells their classes.
    """
    files = list(find_files(folder)) if folder.is_dir() else []
    if not any(map(is_image, files)) and not any(file.endswith(".h5") for file in files):
        raise InputError(
            f"DATA: '{folder}' {'has no image' if folder.is_dir() else 'is not a folder'}. "
            "Name the folder that holds the images."
        )
    for name in PUBLIC_FORMATS:
        try:
            return Found({"format": name}, {}, list_files(name, folder, {}))
        except InputError:
            continue
    if found := _by_sheet(folder, files):
        return found
    return _by_folders(folder, files)


def _by_sheet(folder: Path, files: Iterable[str]) -> Found | None:
    for file in sorted(files):
        if not file.lower().endswith((".tsv", ".csv")):
            continue
        try:
            sheet = Sheet(folder / file)
            labels = sorted({row["label"] for _, row in sheet.named_rows()} - {""})
            settings = {"format": "folder", "sheet": file}
            classes, comment = guess_classes(labels)
            settings |= {"classes": classes} if classes else {}
            comments = {"classes": comment} if classes else {}
            return Found(settings, comments, list_files("folder", folder, settings))
        except InputError as error:
            if "the column" in str(error):
                continue
            place = PurePosixPath(file).parent
            other = f", or name the folder that it describes: DATA={folder / place}"
            raise InputError(
                f"{error}\nCorrect the sheet '{file}'{other * (str(place) != '.')}."
            ) from error
    return None


def _by_folders(folder: Path, files: Iterable[str]) -> Found:
    names = sorted(
        {PurePosixPath(file).parts[-2] for file in files if is_image(file) and "/" in file},
        key=str.casefold,
    )
    settings: dict = {"format": "folder"}
    comments = {}
    try:
        listing = list_files("folder", folder, settings)
    except InputError as error:
        classes, comment = guess_classes([name for name in names if name not in PART_WORDS])
        if not classes:
            raise InputError(f"{error}") from None
        settings["classes"], comments["classes"] = classes, comment
        listing = list_files("folder", folder, settings)
    for doubt in listing.odd:
        if doubt["code"] in ("pattern_proposed", "names_with_subjects"):
            settings["pattern"] = doubt["pattern"]
            comments["pattern"] = (
                f"{doubt['values']} subjects in {doubt['images']} images? Delete this line if the "
                "names mean something else."
            )
            listing = list_files("folder", folder, settings)
            break
    return Found(settings, comments, listing)


def guess_classes(names: list[str]) -> tuple[dict[str, list[str]] | None, str]:
    """Return which names are which class, None where the default words say it; and a comment.

    Raises:
        InputError: There are no two names.
    """
    known = {word for words in DEFAULT_CLASSES.values() for word in words} | {"0", "1"}
    if {name.casefold() for name in names} <= known and len(names) > 1:
        return None, ""
    if len(names) < 2:
        found = ", ".join(map(repr, names)) or "no class folder and no sheet"
        raise InputError(
            f"DATA: found {found}; expected "
            "images of two classes, in a folder each or with a label each in a sheet. For boxes in "
            "photographs see the key boxes in config/README.md."
        )
    positive = [name for name in names if _is_malignant(name)]
    if not positive or len(positive) == len(names):
        positive = names[1:]
    negative = [name for name in names if name not in positive]
    classes = dict(zip(LEUKAEMIA_CLASSES, (negative, positive), strict=True))
    return classes, "Guessed from the names: check which are positive."


def _is_malignant(name: str) -> bool:
    words = re.split(r"[\s_\-\[\]()]+", name.casefold())
    return any(word.startswith(MALIGNANT) for word in words if word) or name.casefold().startswith(
        MALIGNANT
    )


def image_size(folder: Path, records: pd.DataFrame) -> list[int]:
    """Return height and width to train at: the median of some images, at most 224 pixels."""
    usable = records[records["problem"] == ""] if "problem" in records else records
    if "row" in usable:
        return [96, 96]
    sizes = []
    for file in usable["file"].iloc[:: max(len(usable) // SAMPLED_IMAGES, 1)]:
        try:
            sizes.append(decode_image(folder / file).shape[:2])
        except (ImageError, OSError):
            continue
    if not sizes:
        raise InputError(f"DATA: none of {len(usable)} images in '{folder}' can be read.")
    median = np.median(np.array(sizes), axis=0)
    return [int(np.clip(side, SMALLEST_SIDE, LARGEST_SIDE)) for side in median]


def protocol_for(records: pd.DataFrame) -> tuple[str, dict, str]:
    """Return name, entry and comment of the folds that the subjects allow."""
    named = records[records["subject"] != ""]
    counts = named.groupby("label")["subject"].nunique()
    fewest = int(counts.min()) if len(counts) == len(LEUKAEMIA_CLASSES) else 0
    entry = {"kind": "kfold", "folds": MOST_FOLDS, "group_by": "subject"}
    if fewest >= 2:
        entry["folds"] = min(MOST_FOLDS, fewest)
        if fewest == entry["folds"]:
            # A validation part by subject would take the only subject of a class.
            entry |= {"validation_group_by": "image"}
        return (
            "by_subject",
            entry | {"validation_fraction": 0.1},
            f"{named['subject'].nunique()} subjects, {fewest} in the smaller class.",
        )
    return (
        "by_duplicates",
        entry | {"group_by": "group", "validation_fraction": 0.1},
        "Subjects are unknown: the same patient may be in training and test.",
    )


def write_config(folder: Path, name: str) -> str:
    """Return the text of a config for a folder.

    Args:
        folder: The folder of images.
        name: Name of the data set and the experiment.

    Raises:
        InputError: See :func:`look_into`.
    """
    found = look_into(folder)
    records = found.listing.records
    entry = found.settings | {"path": str(folder), "image_size": image_size(folder, records)}
    protocol, folds, comment = protocol_for(records)
    classes = records["class"].value_counts()
    counted = ", ".join(f"{count} {label}" for label, count in classes.items())
    lines = [
        f"# {len(records)} images in {folder}: {counted}.",
        f"# make check CONFIG={name}.yaml; every key: config/README.md",
        f"name: {name}",
        f"title: {_flow(name.replace('_', ' ').capitalize())}",
        "datasets:",
        f"  {name}:",
    ]
    for key, value in entry.items():
        remark = f"    # {found.comments[key]}" if key in found.comments else ""
        lines += [remark, f"    {key}: {_flow(value)}"]
    lines += [
        "protocols:",
        f"  # {comment}",
        f"  {protocol}: {_flow(folds)}",
        "models:",
        "  # Only the classifier on ImageNet features is trained: minutes on a CPU.",
        "  mobilenet_v2: {architecture: mobilenet_v2, weights: imagenet, preprocessing: weights, "
        "train: head, epochs: 20, augment: false}",
        "  simple_cnn: {architecture: simple_cnn, epochs: 20, learning_rate: 0.0003}",
        "experiments:",
        f"  - {{datasets: [{name}], protocols: [{protocol}], models: [mobilenet_v2, simple_cnn]}}",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _flow(value: str | list | Mapping) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n...\n").strip()


def main(arguments: list[str]) -> None:
    """Read the command line, look into the folder, write the config.

    Raises:
        InputError: See :func:`look_into`; also where the config exists.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder of images")
    parser.add_argument("--name", help="name of the experiment; else that of the folder")
    chosen = parser.parse_args(arguments)
    folder = Path(chosen.data)
    name = re.sub(r"\W+", "_", (chosen.name or folder.resolve().name).lower()).strip("_")
    name = f"data_{name}" if name in STAGES or not re.match(r"[a-z]", name) else name
    path = Path(f"{name}.yaml")
    if path.exists():
        raise InputError(f"'{path}' exists and is not overwritten; name another: NAME=<name>")
    text = write_config(folder, name)
    with written_whole(path) as partial:
        partial.write_text(text, "utf-8")
    print(f"{text}\nWritten to {path}. Read its comments, then: make check CONFIG={path}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BlastfoldError as error:
        sys.exit(str(error))
