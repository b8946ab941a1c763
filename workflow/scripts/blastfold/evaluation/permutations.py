"""The result on the true labels among those on permuted labels, for every run."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.permutation_table import BY_IMAGE, BY_SUBJECT, TRUE, read_permutations
from blastfold.core.seeds import generator
from blastfold.core.tables import write_table
from blastfold.statistics.permutation import PermutationTest, permutation_test

NAMES = ("dataset", "protocol", "model")
TEST_COLUMNS = (*NAMES, "labels", "folds", *PermutationTest._fields, "note")
RESULT_COLUMNS = (*NAMES, "labels", "permutation", "auc")


def estimate_permutations(
    permutations: Iterable[str | os.PathLike],
    runs: Sequence[Mapping[str, str]],
    seed: int,
    tests: str | os.PathLike,
    results: str | os.PathLike,
) -> None:
    """Write the permutation test of every run, and the result of every permutation.

    Args:
        permutations: ``permutations.tsv`` of each run.
        runs: For each run, in the same order, dataset, protocol and model.
        seed: The experiment's seed.
        tests: Table to write, columns :data:`TEST_COLUMNS`.
        results: Table to write, columns :data:`RESULT_COLUMNS`: the mean of the folds' AUCs.

    Raises:
        InputError: A file lacks a column.
    """
    tested, listed = [], []
    for path, run in zip(permutations, runs, strict=True):
        names = {name: run[name] for name in NAMES}
        table = read_permutations(path)
        means = mean_of_folds(table)
        tested += [
            names | row for row in permutation_rows(table, means, seed, list(names.values()))
        ]
        listed.append(means.assign(**names))
    write_noted(pd.DataFrame(tested, columns=list(TEST_COLUMNS)), tests)
    columns = list(RESULT_COLUMNS)
    write_table(pd.concat([pd.DataFrame(columns=columns), *listed])[columns], results)


def mean_of_folds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean AUC over the folds where it is defined: labels, permutation and auc."""
    keys = ["labels", "permutation"]
    return table.groupby(keys, sort=False)["auc"].mean().reset_index()


def permutation_rows(
    table: pd.DataFrame, means: pd.DataFrame, seed: int, names: Sequence[str]
) -> list[dict]:
    """Return the permutation test of each kind of permutation.

    Args:
        table: As :func:`blastfold.core.permutation_table.read_permutations` returns it.
        means: As :func:`mean_of_folds` returns it.
        seed: The experiment's seed.
        names: Names of the run; they name the random streams of ties.

    Returns:
        Dicts with labels, folds, the fields of
        :class:`blastfold.statistics.permutation.PermutationTest` and note; of labels that were not
        permuted without numbers.
    """
    values = {kind: rows["auc"].to_numpy() for kind, rows in means.groupby("labels")}
    observed = float(values[TRUE][0])
    rows = []
    for kind in (BY_SUBJECT, BY_IMAGE):
        found = permutation_test(
            observed,
            values.get(kind, np.zeros(0)),
            generator(seed, "estimate_permutations", *names, kind),
        )
        of_kind = table[table["labels"] == kind]
        undefined = int(of_kind["auc"].isna().sum())
        note = join_notes(
            "" if len(of_kind) else make_note("labels_of_subjects_unknown"),
            make_note("folds_of_one_class", undefined, len(of_kind)) if undefined else "",
            make_note("undefined") if np.isnan(observed) else "",
        )
        row = {"labels": kind, "folds": table["fold"].nunique(), **found._asdict()}
        rows.append(row | {"note": note})
    return rows
