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
        manifest: Columns label, class, subject, picture, part, height and width.

    Returns:
        images, classes (names in the order of the labels), class_images (images by class),
        subjects, pictures, unnamed (images without a subject and without a picture), source_sizes
        ([height, width, images], the most frequent first) and parts (images, class_images,
        subjects and pictures by official part).
    """
    classes = class_names(manifest)
    parts = [part for part in manifest["part"].unique() if part]
    numbers = manifest[["height", "width"]].astype(int)
    sizes = numbers.groupby(["height", "width"]).size()
    sizes = sizes.sort_values(ascending=False, kind="stable")
    return {
        "classes": list(classes),
        **_count(manifest, classes),
        "unnamed": {kind: int((manifest[kind] == "").sum()) for kind in ("subject", "picture")},
        "source_sizes": [[height, width, int(n)] for (height, width), n in sizes.items()],
        "parts": {part: _count(manifest[manifest["part"] == part], classes) for part in parts},
    }


def _count(manifest: pd.DataFrame, classes: Iterable[str]) -> dict:
    return {
        "images": len(manifest),
        "class_images": {name: int((manifest["class"] == name).sum()) for name in classes},
        "subjects": _count_names(manifest["subject"]),
        "pictures": _count_names(manifest["picture"]),
    }


def _count_names(column: pd.Series) -> int:
    """Count the names in a column of a manifest; an empty text names nothing."""
    return int(column[column != ""].nunique())


def compare_counts(description: Mapping, expected: Mapping | None) -> list[str]:
    """Compare an imported data set with the public data set of its format.

    The counts of the public data sets are in resources/datasets.yaml. They are compared where a
    data set is described, so that a corrected count imports nothing again.

    Args:
        description: Contents of ``dataset.json``; ``asked_parts`` are the parts that the config
            asks for, none for all.
        expected: images, subjects, pictures and the images of each class by its name, and the same
            by part under ``parts``; None compares nothing.

    Returns:
        One sentence per difference.
    """
    expected = expected or {}
    asked, found = description["asked_parts"], description["parts"]
    differences = [] if asked else _differences("", description, expected)
    for part, counts in expected.get("parts", {}).items():
        if asked and part not in asked:
            continue
        if part not in found:
            differences.append(f"the part {part} of the public data set is absent")
        else:
            differences += _differences(f"part {part}: ", found[part], counts)
    return differences


def _differences(where: str, counts: Mapping, expected: Mapping) -> list[str]:
    kinds = ("images", "subjects", "pictures")
    found = {key: counts[key] for key in kinds}
    for name in expected:
        if name not in (*kinds, "parts"):
            found[name] = counts["class_images"].get(name, 0)
    return [
        f"{where}{number} {key if key in kinds else f'{key} images'}, "
        f"the public data set has {expected[key]}"
        for key, number in found.items()
        if key in expected and expected[key] != number
    ]


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
            name, format, derived (a sentence that describes its origin), and
            images_sha256 where the images differ.
        outputs: Paths ``manifest``, ``rejected`` and ``summary``.
    """
    write_table(manifest, outputs["manifest"])
    write_table(pd.DataFrame(columns=["file", "reason"]), outputs["rejected"])
    summary = json.loads(Path(base_summary).read_text(encoding="utf-8"))
    summary |= {**facts, **count_images(manifest), "rejected": 0}
    summary["manifest_sha256"] = digest_file(outputs["manifest"])
    # It has no raw files, and its original alone is compared with the public data set.
    summary |= {"asked_parts": [], "raw_sha256": None, "files": None, "odd": []}
    summary["photographs"] = None
    write_json(summary, outputs["summary"])
