"""The summary of a data set, ``dataset.json``: the counts, also of data sets made of others."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from blastfold.core.files import digest_file, write_json
from blastfold.core.manifest import class_names
from blastfold.core.tables import write_table


def count_images(manifest: pd.DataFrame) -> dict:
    """Count what a manifest holds.

    Args:
        manifest: Columns label, class, subject, picture, height and width.

    Returns:
        images, classes (names in the order of the labels), class_images (images by class),
        subjects, pictures and source_sizes ([height, width, images], the most frequent first).
    """
    classes = class_names(manifest)
    numbers = manifest[["height", "width"]].astype(int)
    sizes = numbers.groupby(["height", "width"]).size()
    sizes = sizes.sort_values(ascending=False, kind="stable")
    return {
        "images": len(manifest),
        "classes": list(classes),
        "class_images": count_classes(manifest, classes),
        "subjects": count_names(manifest["subject"]),
        "pictures": count_names(manifest["picture"]),
        "source_sizes": [[height, width, int(n)] for (height, width), n in sizes.items()],
    }


def write_derived(
    manifest: pd.DataFrame,
    base_summary: str | os.PathLike,
    facts: Mapping,
    outputs: Mapping[str, str],
) -> None:
    """Write manifest, rejected files (none) and summary of a data set made from another one.

    Args:
        manifest: The manifest to write.
        base_summary: Summary of the original data set.
        facts: What differs from that summary, except counts and the manifest's digest:
            name, title, format, derived (a sentence that describes its origin), and
            images_sha256 where the images differ.
        outputs: Paths ``manifest``, ``rejected`` and ``summary``.
    """
    write_table(manifest, outputs["manifest"])
    write_table(pd.DataFrame(columns=["file", "reason"]), outputs["rejected"])
    summary = json.loads(Path(base_summary).read_text(encoding="utf-8"))
    summary |= {**facts, **count_images(manifest), "rejected": 0}
    summary["manifest_sha256"] = digest_file(outputs["manifest"])
    # Only the original is compared with the public data set.
    summary |= {"expected": None, "differences": []}
    write_json(summary, outputs["summary"])


def count_classes(manifest: pd.DataFrame, classes: Iterable[str]) -> dict[str, int]:
    """Count the images of each class, also of one that has none."""
    return {name: int((manifest["class"] == name).sum()) for name in classes}


def count_names(column: pd.Series) -> int:
    """Count the names in a column of a manifest; an empty text names nothing."""
    return int(column[column != ""].nunique())
