"""The table of permutation tests: the result on the true labels among those on permuted labels."""

import os
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from blastfold.core.permutation_table import BY_SUBJECT
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.canaries import LABELS
from blastfold.reporting.tables.writing import write_table

Paths = Iterable[str | os.PathLike]

KEYS = ("dataset", "protocol", "model")
NUMBERS = ("observed", "p_value", "median", "lower", "upper", "smallest", "largest")

CAPTION = (
    "Permutation tests: mean AUC of the folds on the true labels, and on labels that are permuted "
    "freely among subjects or among images (median; in brackets the range of the middle 95 %). "
    "Heads of all permutations are trained with the settings of the model. The p value is "
    "one-sided, (b + 1) / (m + 1) for b of m permutations with a higher AUC (Phipson and Smyth "
    "2010); it is not adjusted over the rows."
)


def tabulate_permutations(
    tests: str | os.PathLike, runs: Sequence[Mapping[str, str]], paths: Paths
) -> None:
    """Write where the result of every run lies among those on permuted labels.

    Args:
        tests: ``permutation_tests.tsv``.
        runs: dataset, protocol and model of every run with their titles, and group_by.
        paths: Tables to write.
    """
    rows = permutation_rows(read_tests(tests), runs)
    write_table(rows, paths, CAPTION, "tab:permutations")


def read_tests(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``permutation_tests.tsv``, with numbers where they are defined.

    Raises:
        InputError: A column is missing.
    """
    table = read_table(path, (*KEYS, "labels", "permutations", *NUMBERS, "note"), (*KEYS, "labels"))
    return table.astype(dict.fromkeys(NUMBERS, "float64"))


def permutation_rows(tests: pd.DataFrame, runs: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Return one row per run and kind of permutation.

    Args:
        tests: As :func:`read_tests` returns it.
        runs: See :func:`tabulate_permutations`.

    Returns:
        dataset, protocol, model (each with its title), labels, permutations, true_labels (AUC),
        permuted_labels (median AUC) with its limits, smallest, largest, p_value and note.
    """
    by_run = {tuple(run[key] for key in KEYS): run for run in runs}
    rows = []
    for row in tests.to_dict("records"):
        run = by_run[tuple(row[key] for key in KEYS)]
        names = {name: run[name] for key in KEYS for name in (key, f"{key}_title")}
        rows.append(
            {
                **names,
                "labels": LABELS[row["labels"]],
                "permutations": row["permutations"],
                "true_labels": row["observed"],
                "permuted_labels": row["median"],
                "permuted_labels_lower": row["lower"],
                "permuted_labels_upper": row["upper"],
                "smallest": row["smallest"],
                "largest": row["largest"],
                "p_value": row["p_value"],
                "note": _note(row, run["group_by"]),
            }
        )
    return pd.DataFrame(rows)


def _note(row: Mapping, group_by: str) -> str:
    texts = [sentences(row["note"], short=True)]
    if row["labels"] == BY_SUBJECT and group_by in ("image", "picture"):
        texts.insert(
            0,
            "subjects are on both sides of this split: permuted labels show how well networks "
            "recognise subjects, and the p value whether the true labels add to it",
        )
    return "; ".join(filter(None, texts))
