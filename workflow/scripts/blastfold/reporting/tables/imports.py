"""Table of imports: what became of every file of the raw folders."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd

from blastfold.datasets.accounting import describe_search, odd_sentence, rule_words
from blastfold.reporting.tables.writing import write_table

COLUMNS = (
    *("dataset", "dataset_title", "files", "imported", "rejected", "ignored", "images"),
    *("subjects", "pictures", "note"),
)


def tabulate_imports(
    descriptions: Iterable[str | os.PathLike],
    titles: Mapping[str, str],
    paths: Iterable[str | os.PathLike],
) -> None:
    """Write what became of every file of the imported data sets.

    Args:
        descriptions: ``dataset.json`` of each data set.
        titles: Titles of data sets by name.
        paths: Tables to write.
    """
    read = [json.loads(Path(path).read_text("utf-8")) for path in descriptions]
    caption = "Files of the imported data sets: imported, rejected and ignored."
    write_table(imports_table(read, titles), paths, caption, "tab:imports")


def imports_table(descriptions: Iterable[Mapping], titles: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per data set that was imported from files; the others have no files.

    Args:
        descriptions: Contents of the ``dataset.json`` files.
        titles: Titles of data sets by name.

    Returns:
        The columns of :data:`COLUMNS`: files is the sum of imported, rejected and ignored; subjects
        and pictures are missing where the source does not name them; note has the reasons for
        rejecting, the rules of ignoring, and what may be a mistake.
    """
    rows = []
    for facts in descriptions:
        if not facts.get("files"):
            continue
        files = facts["files"]
        rows.append(
            {
                "dataset": facts["name"],
                "dataset_title": titles[facts["name"]],
                "files": files["found"],
                **{kind: files[kind] for kind in ("imported", "rejected", "ignored")},
                "images": facts["images"],
                "subjects": facts["subjects"] or pd.NA,
                "pictures": facts["pictures"] or pd.NA,
                "note": _note(facts),
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"subjects": "Int64", "pictures": "Int64"})


def _note(facts: Mapping) -> str:
    files = facts["files"]
    parts = [
        _listed("Rejected", files["rejected_by"], str),
        _listed("Ignored", files["ignored_by"], rule_words),
    ]
    unknown = [kind for kind in ("subjects", "pictures") if not facts[kind]]
    if unknown:
        parts.append(f"The source does not name its {' and '.join(unknown)}.")
    if facts.get("photographs"):
        parts.append(f"{describe_search(facts['photographs'])}.")
    for odd in facts["odd"]:
        sentence = odd_sentence(odd)
        parts.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return " ".join(filter(None, parts))


def _listed(what: str, counts: Mapping[str, int], words: Callable[[str], str]) -> str:
    if not counts:
        return ""
    return f"{what}: {', '.join(f'{words(name)} ({number})' for name, number in counts.items())}."
