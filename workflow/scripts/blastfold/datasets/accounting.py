"""The account of an import: what became of every file, and what looks like a mistake.

Imported + rejected + ignored = files in the folder. The summary of a data set holds codes; this
module has the sentence of each.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from blastfold.core.names import (
    AMBIGUOUS,
    FOUND,
    IDENTICAL,
    NO_TEXTURE,
    NOT_FOUND,
    TOO_SMALL,
)
from blastfold.core.plurals import agreeing

if TYPE_CHECKING:
    # The run itself ends with the account, without the packages of the import.
    import pandas as pd

RULES = {
    "hidden": "hidden files",
    "system": "files of the operating system",
    "document": "documents",
    "table": "unread tables",
    "sheet": "the sheet",
    "mask": "masks that the sheet names",
    "photograph": "photographs that the sheet names",
    "boxes": "files of boxes",
    "without_box": "photographs without a box",
    "unlisted": "files that the sheet does not list",
    "other_part": "files outside the chosen parts and the layout of the format",
    "ignore": "left out by the key ignore",
}
"""The rules by which a file is not imported, in words. ``ignore:<glob>`` names its glob."""

ODD = {
    "nested_class_folders": (
        "{images} images are in a class folder within a folder of another class; the nearest "
        "folder decided"
    ),
    "folders_below_classes": (
        "{images} images are in folders that are not classes ({names}) within a class folder, and "
        "have its class. If this is wrong, enter the folders under the key 'classes' or 'ignore'"
    ),
    "folder_and_label": (
        "folder and label disagree for {images} of {of} images, for instance '{example}'. Check "
        "which of them is right; labels may be turned round"
    ),
    "similar_subjects": (
        "{subjects} subjects with {images} images differ only in case, spaces or leading zeros: "
        "{names}. If they are one person, write the name in one way"
    ),
    "unknown_like_subjects": (
        "{images} images have the subject {names}, which usually means unknown. Leave the cell "
        "empty if it does"
    ),
    "unread_columns": "the sheet has columns that are not read: {names}",
    "subject_like_column": (
        "the column '{name}' of the sheet has {values} values for {images} images and is not read. "
        "If it names subjects, rename it to 'subject'"
    ),
    "unlisted_images": "{images} images in the folder are not in the sheet",
    "unread_tables": "tables in the folder are not read: {names}. Is one of them the sheet?",
    "masks": (
        "{images} images have few grey levels and look like masks, not cells. To leave them out: "
        "ignore: [{globs}]"
    ),
    "one_colour": "{images} images have one colour only, for instance '{example}'",
    "pattern_proposed": (
        "no image has a subject, but {place} repeat as subjects would ({values} for {images} "
        "images). If they are subjects: pattern: '{pattern}'"
    ),
    "names_with_subjects": (
        "no image has a subject, but the names are those of {source}, which contain it ({values} "
        "subjects for {images} images): pattern: '{pattern}'"
    ),
    "pattern_unmatched": "the pattern does not fit {images} images, for instance '{example}'",
    "ignore_unused": "no file fits {names} of the key ignore",
    "other_endings": "files with other endings than those of images: {names}",
    "box_larger": "{images} boxes are larger than the crop; their cells are cut off",
    "conflicting_labels": (
        "{images} images have the pixels of another image with another label, for instance "
        "'{first}' and '{second}'"
    ),
    "unlabelled_cells": (
        "{cells} of {of} detected leukocytes have no label and are not imported; boxes or "
        "positions may be missing, or something else was detected"
    ),
    "rejected_share": "{rejected} of {files} files were rejected",
}
"""What looks like a mistake, with its values."""

MISTAKES = (
    *("folder_and_label", "similar_subjects", "unknown_like_subjects"),
    *("masks", "one_colour", "pattern_unmatched", "ignore_unused", "conflicting_labels"),
)
"""Codes that stop the import with ``suspicious: error``."""


GENERATED = "demo"
"""Format of generated images, whose sheet and photographs nobody has to look at."""

UNPLACED = {
    NOT_FOUND: "in no photograph",
    AMBIGUOUS: "two photographs fit about equally",
    TOO_SMALL: "too small to be looked for",
    NO_TEXTURE: "of one colour, fits everywhere",
}
"""Why a crop has no photograph, in words."""


def odd_sentence(odd: Mapping) -> str:
    """Return the sentence of a code of :data:`ODD` with its values."""
    return agreeing(ODD[odd["code"]].format(**odd))


def rule_words(rule: str) -> str:
    """Return a rule of :data:`RULES` in words; a glob of the key ``ignore`` with its text."""
    name, _, glob = rule.partition(":")
    return f"{RULES[name]} ('{glob}')" if glob else RULES[name]


def reason_kind(reason: str) -> str:
    """Return a reason for rejecting a file without its details, so that equal reasons are counted.

    Names in quotation marks, text in brackets and what follows a colon are left out.
    """
    short = re.sub(r"\s*\([^()]*\)", "", reason).partition(":")[0]
    # The numbers of 1-bit and of JPEG 2000 are names.
    return re.sub(
        r"(?<!\d)(?<!JPEG )\d+(?!\d|-bit)", "#", re.sub(r"'[^']*'", "'...'", short)
    ).strip()


def account_for_files(
    on_disk: Iterable[str],
    kept: Iterable[str],
    rejected: "pd.DataFrame",
    ignored: Mapping[str, str],
) -> dict:
    """Count what became of every file.

    Args:
        on_disk: All files below the data set's folder, relative to it.
        kept: Files that gave an image at least.
        rejected: Columns file and reason.
        ignored: File -> rule, of files that are ignored; a file that is in none of the three is
            outside the layout of the format.

    Returns:
        found, imported, rejected, ignored (numbers of files; the first is the sum of the others),
        rejected_by (kind of reason -> files), ignored_by (rule -> files), endings (ending ->
        files found), missing (files that a sheet names and that do not exist).
    """
    files = set(on_disk)
    imported = set(kept) & files
    first_reasons = rejected.drop_duplicates("file").set_index("file")["reason"]
    refused = {file: reason for file, reason in first_reasons.items() if file not in imported}
    rest = files - imported - refused.keys()
    endings = Counter(_ending(file) for file in files)
    return {
        "found": len(files),
        "imported": len(imported),
        "rejected": len(refused.keys() & files),
        "ignored": len(rest),
        "rejected_by": _counted(reason_kind(refused[file]) for file in refused.keys() & files),
        "ignored_by": _counted(ignored.get(file, "other_part") for file in rest),
        "endings": _counted(endings.elements()),
        "missing": len(refused.keys() - files),
    }


def describe_account(facts: Mapping) -> str:
    """Return the one line about an import.

    Args:
        facts: A data set's summary with the key ``files``.
    """
    files = facts["files"]
    classes = ", ".join(f"{number} {name}" for name, number in facts["class_images"].items())
    parts = [
        f"{files['found']} files found = {files['imported']} imported"
        f" + {files['rejected']} rejected{_details(files['rejected_by'])}"
        f" + {files['ignored']} ignored{_details(files['ignored_by'], rule_words)}",
        f"{facts['images']} images ({classes})",
        _counted_noun(facts["subjects"], "subject"),
        _counted_noun(facts["pictures"], "picture"),
    ]
    if facts.get("photographs"):
        parts.append(describe_search(facts["photographs"]))
    if files["missing"]:
        missing = files["missing"]
        parts.append(f"{missing} {'file is' if missing == 1 else 'files are'} missing")
    return agreeing("; ".join(parts))


def describe_imports(
    results: str | os.PathLike, names: Iterable[str], doubts: bool = True
) -> list[str]:
    """Return the lines about every data set that has been imported.

    Args:
        results: The folder of results.
        names: Names of the data sets.
        doubts: Whether what looks like a mistake follows, a line each; generated images have none.
    """
    lines = []
    for name in names:
        path = Path(results, "datasets", name, "dataset.json")
        facts = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if facts.get("files"):
            lines.append(f"{name}: {describe_account(facts)}")
            odd = facts["odd"] if doubts and facts["format"] != GENERATED else ()
            lines += [f"{name}, look at this: {odd_sentence(doubt)}" for doubt in odd]
    return lines


def describe_unplaced(crop: Mapping) -> str:
    """Return why a crop has no photograph, and what fits best, for messages."""
    fits = [f"{c['photograph']} ({c['correlation']:.3f})" for c in crop["candidates"]]
    return UNPLACED[crop["code"]] + (f"; the best: {', '.join(fits)}" if fits else "")


def describe_search(facts: Mapping) -> str:
    """Return how many crops were found, in one line.

    Args:
        facts: The key ``photographs`` of a data set's summary.
    """
    crops = facts["crops"]
    found = crops.get(IDENTICAL, 0) + crops.get(FOUND, 0)
    parts = [
        f"{found} of {sum(crops.values())} crops found in {facts['holding']} of "
        f"{facts['files']} photographs",
        f"{crops.get(IDENTICAL, 0)} with equal pixels",
    ]
    parts += [f"{crops[code]} {words}" for code, words in UNPLACED.items() if crops.get(code)]
    if facts["rejected"]:
        parts.append(f"{_counted_noun(facts['rejected'], 'photograph')} cannot be read")
    if facts["overlapping"]:
        pairs = len(facts["overlapping"])
        parts.append(f"{pairs} {'pair' if pairs == 1 else 'pairs'} of photographs overlap")
    return ", ".join(parts)


def shorten(names: Sequence[str], limit: int = 6, quote: str = "'") -> str:
    """Return names for a message, at most ``limit`` of them and the number of the others."""
    shown = ", ".join(f"{quote}{name}{quote}" for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def _ending(file: str) -> str:
    # Names of ignored files need not be UTF-8 text.
    text = file.encode("utf-8", "backslashreplace").decode("utf-8")
    name = text.rpartition("/")[2].lstrip(".")
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def _counted_noun(number: int | None, noun: str) -> str:
    return f"{number or 'no'} {noun if number == 1 else noun + 's'}"


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items(), key=lambda item: (-item[1], item[0])))


def _details(counts: Mapping[str, int], words=str) -> str:
    if not counts:
        return ""
    return " (" + ", ".join(f"{number} {words(name)}" for name, number in counts.items()) + ")"
