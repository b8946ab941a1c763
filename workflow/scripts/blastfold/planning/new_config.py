"""A first config for a folder of images: ``make new DATA=<folder>``.

What can be seen in the folder is written down, with a comment where a person has to judge it: the
classes, where subjects are named, the size of the images, and folds that fit the subjects.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
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
from blastfold.experiment.config import check_config
from blastfold.images.decoding import ImageError, decode_image
from blastfold.planning.new_names import advice_on_names, judge_pattern, plain_words, whole_names

PUBLIC_FORMATS = ("c-nmc-2019", "all-idb2", "all-idb1", "pcam")
"""Formats of public data sets, which name their subjects or photographs themselves."""

SCHEMA = Path(__file__).resolve().parents[3] / "schemas" / "config.schema.yaml"

MOST_FOLDS = 5
LARGEST_SIDE = 224
SMALLEST_SIDE = 32
SAMPLED_IMAGES = 25

POSITIVE_PARTS = ("blast", "leuk", "malignan", "cancer", "tumor", "tumour", "carcinoma", "lymphoma")
POSITIVE_WORDS = (
    *("all", "aml", "cll", "cml", "l1", "l2", "l3", "pre", "pro", "early", "positive", "case"),
    *("cases", "disease", "diseased", "patient", "patients", "abnormal", "pathological"),
    *("infected", "affected", "parasitized"),
)
NEGATIVE_WORDS = (
    *("normal", "healthy", "benign", "hem", "negative", "control", "controls", "reactive"),
    *("uninfected", "unaffected", "non", "not", "no", "without"),
)
"""Words of names of classes: those with a part of a positive word, positive ones, negative ones."""


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


def look_into(folder: Path, positive: Sequence[str] = ()) -> Found:
    """Find out how a folder of images is to be read.

    Args:
        folder: The images, with a sheet, in class folders, or as a public data set has them.
        positive: Names of the positive classes; empty to guess.

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
    found, faults = _by_sheets(folder, files, positive)
    if found:
        return found
    try:
        found = _by_folders(folder, files, positive)
    except InputError as error:
        raise InputError("\n".join([str(error), *faults])) from None
    unread = {"format": " ".join(fault.splitlines()[0] for fault in faults)} if faults else {}
    return found._replace(comments=found.comments | unread)


def _by_sheets(
    folder: Path, files: Iterable[str], positive: Sequence[str]
) -> tuple[Found | None, list[str]]:
    """Return the sheet that lists most images, if one can be read; and the faults of the others."""
    readable, faults = [], []
    for file in sorted(files):
        if not file.lower().endswith((".tsv", ".csv")):
            continue
        try:
            readable.append(_by_sheet(folder, file, positive))
        except InputError as error:
            faults.append(f"The table '{file}' is not read: {error}")
    if not readable:
        return None, faults
    found = max(readable, key=lambda sheet: len(sheet.listing.records))
    others = [other.settings["sheet"] for other in readable if other is not found]
    if others:
        found.comments["sheet"] = f"Not read: {', '.join(others)}. Join the sheets to use them all."
    return found, faults


def _by_sheet(folder: Path, file: str, positive: Sequence[str]) -> Found:
    sheet = Sheet(folder / file)
    labels = sorted({row["label"] for _, row in sheet.named_rows()} - {""})
    classes, comments = name_classes(labels, positive)
    settings = {"format": "folder", "sheet": file, **classes}
    return Found(settings, comments, list_files("folder", folder, settings))


def _by_folders(folder: Path, files: Iterable[str], positive: Sequence[str]) -> Found:
    names = sorted(
        {PurePosixPath(file).parts[-2] for file in files if is_image(file) and "/" in file},
        key=str.casefold,
    )
    names = [name for name in names if name not in PART_WORDS]
    settings: dict = {"format": "folder"}
    comments = {}
    try:
        if positive:
            raise InputError("asked for")
        listing = list_files("folder", folder, settings)
    except InputError as error:
        classes, comments = name_classes(names, positive)
        if not classes:
            raise InputError(f"{error}") from None
        settings |= classes
        listing = list_files("folder", folder, settings)
    for doubt in listing.odd:
        if doubt["code"] in ("pattern_proposed", "names_with_subjects"):
            found = judge_pattern(doubt["pattern"], listing.records["file"])
            settings["pattern"], comments["pattern"] = found
            listing = list_files("folder", folder, settings)
            break
    return Found(settings, comments, listing)


def name_classes(names: list[str], positive: Sequence[str] = ()) -> tuple[dict, dict[str, str]]:
    """Return the keys of a data set that name its classes, and their comments.

    Each name is a class, and ``positive`` names some. Both are empty where the default words say
    it: these are normal and blast.

    Args:
        names: Names of folders or labels.
        positive: Those that are positive; empty to guess.

    Raises:
        InputError: See :func:`guess_classes`.
    """
    # Names of classes are compared without regard to case.
    names = list({name.casefold(): name for name in reversed(names)}.values())[::-1]
    classes, comment = guess_classes(names, whole_names(positive, names))
    if not classes:
        return {}, {}
    rest, chosen = (classes[name] for name in LEUKAEMIA_CLASSES)
    return {
        "classes": {name: [name] for name in [*rest, *chosen]},
        "positive": chosen,
    }, {"classes": advice_on_names([*rest, *chosen]), "positive": comment}


def guess_classes(
    names: list[str], positive: Sequence[str] = ()
) -> tuple[dict[str, list[str]] | None, str]:
    """Return which names are which class, None where the default words say it; and a comment.

    Args:
        names: Names of folders or labels.
        positive: Those that are positive; empty to guess.

    Raises:
        InputError: There are no two names, or nothing tells which are positive.
    """
    known = {word for words in DEFAULT_CLASSES.values() for word in words} | {"0", "1"}
    if not positive and {name.casefold() for name in names} <= known and len(names) > 1:
        return None, ""
    if len(names) < 2:
        found = ", ".join(map(repr, names)) or "no class folder and no sheet"
        raise InputError(
            f"DATA: found {found}; expected "
            "images of two classes, in a folder each or with a label each in a sheet. For boxes in "
            "photographs see the key boxes in config/README.md."
        )
    comment = "As asked for." if positive else "Guessed from the names: check which are positive."
    chosen = list(positive) or [name for name in names if _is_positive(name)]
    rest = [name for name in names if name not in chosen]
    if unknown := [name for name in positive if name not in names]:
        raise InputError(f"POSITIVE: {unknown} are not among the classes {names}")
    if not chosen and any(map(_is_negative, names)):
        chosen = [name for name in names if not _is_negative(name)]
        rest = [name for name in names if name not in chosen]
    if not chosen or not rest:
        raise InputError(
            f"DATA: nothing tells which of the classes {', '.join(map(repr, names))} are positive. "
            "Name them, with a comma between several: make new DATA=... "
            f"POSITIVE='{names[0]}'"
        )
    return dict(zip(LEUKAEMIA_CLASSES, (rest, chosen), strict=True)), comment


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.casefold())


def _is_negative(name: str) -> bool:
    return any(word in NEGATIVE_WORDS for word in _words(name))


def _is_positive(name: str) -> bool:
    words = _words(name)
    positive = any(
        word in POSITIVE_WORDS or any(part in word for part in POSITIVE_PARTS) for word in words
    )
    return positive and not _is_negative(name)


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
    """Return name, entry and comment of the folds that subjects and images allow.

    Raises:
        InputError: A class has a single image.
    """
    named = records[records["subject"] != ""]
    subjects = named.groupby("class")["subject"].nunique()
    fewest = int(subjects.min()) if len(subjects) == records["class"].nunique() else 0
    entry = {"kind": "kfold", "group_by": "subject", "validation_fraction": 0.1}
    if fewest >= 2:
        folds = {"folds": min(MOST_FOLDS, fewest)}
        if fewest <= MOST_FOLDS:
            # A validation part by subject would take the only subject of a class.
            folds["validation_group_by"] = "image"
        smaller = "smaller" if len(subjects) == len(LEUKAEMIA_CLASSES) else "smallest"
        comment = f"{named['subject'].nunique()} subjects, {fewest} in the {smaller} class."
        if "validation_group_by" in folds:
            comment += " Too few to validate on subjects of their own."
        return "by_subject", entry | folds, comment
    pictures = records[records["picture"] != ""].groupby("class")["picture"].nunique()
    if not len(named) and len(pictures) == records["class"].nunique() and pictures.min() >= 2:
        folds = {"folds": min(MOST_FOLDS, int(pictures.min())), "validation_group_by": "image"}
        comment = "Photographs stay together. Subjects are unknown: the same patient may be in "
        comment += "training and test. group_by: group also keeps copies together."
        return "by_picture", entry | folds | {"group_by": "picture"}, comment
    images = records["class"].value_counts()
    if images.min() < 2:
        raise InputError(f"DATA: the class {images.idxmin()!r} has one image, expected at least 2")
    folds = {"folds": min(MOST_FOLDS, int(images.min()))}
    if len(named):
        comment = "A class has one subject: no split can show results on new subjects."
        return "by_image", entry | folds | {"group_by": "image"}, comment
    comment = "Subjects are unknown: the same patient may be in training and test."
    return "by_duplicates", entry | folds | {"group_by": "group"}, comment


def write_config(folder: Path, name: str, positive: Sequence[str] = ()) -> str:
    """Return the text of a config for a folder.

    Args:
        folder: The folder of images.
        name: Name of the data set and the experiment.
        positive: Names of the positive classes; empty to guess.

    Raises:
        InputError: See :func:`look_into`; or a name of the folder cannot be in a config.
    """
    found = look_into(folder, positive)
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
        "  # Only the classifier on ImageNet features is trained: minutes on a CPU. The first run",
        "  # downloads the ImageNet weights.",
        "  mobilenet_v2: {architecture: mobilenet_v2, weights: imagenet, preprocessing: weights, "
        "train: head, epochs: 20, augment: false}",
        "  simple_cnn: {architecture: simple_cnn, epochs: 20, learning_rate: 0.0003}",
        "experiments:",
        f"  - {{datasets: [{name}], protocols: [{protocol}], models: [mobilenet_v2, simple_cnn]}}",
    ]
    text = "\n".join(line for line in lines if line) + "\n"
    try:
        check_config(yaml.safe_load(text), SCHEMA)
    except (BlastfoldError, yaml.YAMLError) as error:
        raise InputError(
            f"DATA: a config for '{folder}' cannot be written. Rename what it names, or write the "
            f"config by hand.\n{error}"
        ) from None
    return text


def _flow(value: str | list | Mapping) -> str:
    """Return a value as YAML on one line."""
    options = {"default_flow_style": True, "width": 10_000, "allow_unicode": True}
    text = yaml.safe_dump(value, sort_keys=False, **options)
    return text.removesuffix("\n...\n").strip()


def main(arguments: list[str]) -> None:
    """Read the command line, look into the folder, write the config.

    Raises:
        InputError: See :func:`look_into`; also where the config exists.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder of images")
    parser.add_argument("--name", help="name of the experiment; else that of the folder")
    parser.add_argument("--positive", help="names of the positive classes, with commas between")
    chosen = parser.parse_args(arguments)
    folder = Path(chosen.data)
    # A link keeps its own name.
    own = folder.name if folder.name not in ("", "..") else folder.resolve().name
    name, reason = plain_words(chosen.name or own)
    path = Path(f"{name}.yaml")
    if path.exists():
        raise InputError(f"'{path}' exists and is not overwritten; name another: NAME=<name>")
    names = [part.strip() for part in (chosen.positive or "").split(",") if part.strip()]
    text = write_config(folder, name, names)
    with written_whole(path) as partial:
        partial.write_text(text, "utf-8")
    if reason:
        reason = f" It is called {name} because {reason}."
    print(f"{text}\nWritten to {path}.{reason} Read its comments, then: make check CONFIG={path}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BlastfoldError as error:
        sys.exit(str(error))
