"""The table of data sets (thesis Table 4.1)."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from blastfold.core.names import LEUKAEMIA_CLASSES
from blastfold.datasets.summary import compare_counts
from blastfold.reporting.tables.writing import COMPANIONS, HEADINGS, show_unknown, write_both

Paths = Iterable[str | os.PathLike]

OWN_COLUMNS = ("dataset", "total", "resolution", "subjects", "pictures", "rejected", "note")
"""Columns of the table of data sets that a class of the same name must not take."""


def tabulate_datasets(
    descriptions: Paths, titles: Mapping[str, str], expected: Mapping[str, Mapping], paths: Paths
) -> None:
    """Write the characteristics of the data sets (thesis Table 4.1).

    Args:
        descriptions: ``dataset.json`` of each data set.
        titles: Titles by name.
        expected: What the public data set of the same format holds, by name.
        paths: Tables to write (see :func:`blastfold.reporting.tables.writing.write_table`).
    """
    read = [json.loads(Path(path).read_text(encoding="utf-8")) for path in descriptions]
    table = dataset_table(read, titles, expected)
    shown = show_unknown(table, ("subjects", "pictures"))
    classes = [name for facts in read for name in facts["classes"]]
    headings = {class_column(name): name for name in classes if name not in LEUKAEMIA_CLASSES}
    caption = "Characteristics of the data sets."
    write_both(table, shown, paths, caption, "tab:datasets", headings)


def dataset_table(
    descriptions: Iterable[dict], titles: Mapping[str, str], expected: Mapping[str, Mapping]
) -> pd.DataFrame:
    """Return one row per data set.

    Args:
        descriptions: Contents of the ``dataset.json`` files.
        titles: Titles by name.
        expected: What the public data set of the same format holds, by name.

    Returns:
        dataset, dataset_title, the images of each class (:func:`class_column`), total, resolution,
        subjects, pictures, rejected, source_resolution (the most frequent one) and note.
        Resolutions are width x height.
    """
    descriptions = list(descriptions)
    # Data sets may have classes of other names.
    classes = dict.fromkeys(name for facts in descriptions for name in facts["classes"])
    rows = []
    for description in descriptions:
        name = description["name"]
        notes = [f"{text}." for text in compare_counts(description, expected.get(name))]
        unknown = [kind for kind in ("subjects", "pictures") if not description.get(kind)]
        if unknown:
            notes.append(f"The source does not name its {' and '.join(unknown)}.")
        for kind, missing in description.get("unnamed", {}).items():
            if 0 < missing < description["images"]:
                notes.append(
                    f"The {kind} of {missing} of {description['images']} images is unknown, so "
                    f"that there may be more {kind}s."
                )
        if locked := description.get("locked"):
            notes.append(
                f"{locked['images']} more images of {locked['groups']} leakage groups are locked "
                "away for a final test and not counted here."
            )
        sizes = sorted(description["source_sizes"], key=lambda size: -size[2])
        if len(sizes) > 1:
            notes.append(f"Source images have {len(sizes)} sizes; the most frequent is shown.")
        rows.append(
            {
                "dataset": name,
                "dataset_title": titles[name],
                **{
                    class_column(kind): description["class_images"].get(kind, 0) for kind in classes
                },
                "total": description["images"],
                "resolution": _resolution(description["image_size"]),
                "subjects": description.get("subjects") or pd.NA,
                "pictures": description.get("pictures") or pd.NA,
                "rejected": description["rejected"],
                "source_resolution": _resolution(sizes[0]) if sizes else "",
                "note": " ".join(notes),
            }
        )
    return pd.DataFrame(rows).astype({"subjects": "Int64", "pictures": "Int64"})


def class_column(name: str) -> str:
    """Return the column of a class: its name, unless that is a column of another meaning."""
    taken = name in OWN_COLUMNS or name in HEADINGS or name.endswith(tuple(COMPANIONS))
    return f"class {name}" if taken else name


def _resolution(size: Sequence[int]) -> str:
    height, width = size[:2]
    return f"{width} x {height}"
