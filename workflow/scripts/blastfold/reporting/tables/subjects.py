"""The tables of subjects: every subject of one run, and the results by subject of all runs."""

import os
from collections.abc import Iterable, Sequence

import pandas as pd

from blastfold.core.names import SHOWN_METRICS, SUBJECT, UNIT_LEVELS
from blastfold.core.notes import join_notes, make_note, notes_about
from blastfold.core.tables import read_table
from blastfold.core.units import BOTH_CLASSES, CALLED_SHARE, MEAN_PROBABILITY
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import MISSING, UNKNOWN, write_both

Paths = Iterable[str | os.PathLike]

SCORE_TITLES = {
    MEAN_PROBABILITY: "mean probability of the cells",
    CALLED_SHARE: "share of cells predicted as positive",
}

COUNTS = ("units", "negative_units", "positive_units")


def tabulate_subjects(
    subjects: str | os.PathLike, dataset: str, title: str, label: str, paths: Paths
) -> None:
    """Write every subject of one run.

    Args:
        subjects: ``subjects.tsv`` of the run.
        dataset: Name of the data set.
        title: Titles of its data set, protocol and model.
        label: LaTeX label.
        paths: Tables to write.
    """
    table = subject_table(read_table(subjects, ("level", "unit", "class"), text=("unit", "folds")))
    table.insert(0, "dataset", dataset)
    caption = (
        f"Every subject on {title}: its test cells, the mean probability of the positive class "
        "with its standard deviation between cells, the share of cells predicted as positive, and "
        "the cells predicted as the wrong class."
    )
    write_both(table, shown_subjects(table), paths, caption, label)


def subject_table(units: pd.DataFrame) -> pd.DataFrame:
    """Return the subjects, ordered by class and probability.

    Args:
        units: ``subjects.tsv`` of a run.

    Returns:
        subject, class, predicted (by the mean probability), wrong, cells, mean_probability,
        probability_sd, called_share, errors, folds and note; one row with the reason where no
        subject is known.
    """
    subjects = units[units["level"] == SUBJECT]
    if subjects.empty:
        return pd.DataFrame([_unknown_subject()])
    ordered = subjects.sort_values(["label", MEAN_PROBABILITY, "unit"], kind="stable")
    predicted = ordered[f"predicted_by_{MEAN_PROBABILITY}"]
    both = make_note(
        "units_of_both_classes", int((ordered["label"] == BOTH_CLASSES).sum()), len(ordered)
    )
    one_class = (ordered["label"] != BOTH_CLASSES).to_numpy()
    wrong = (predicted != ordered["class"]).map({True: "yes", False: "no"})
    table = pd.DataFrame(
        {
            "subject": ordered["unit"],
            "class": ordered["class"],
            "predicted": predicted,
            "wrong": wrong.where(one_class, UNKNOWN),
            "cells": ordered["images"],
            MEAN_PROBABILITY: ordered[MEAN_PROBABILITY],
            f"{MEAN_PROBABILITY}_sd": ordered["probability_sd"],
            "called_share": ordered["called_share"],
            "errors": ordered["errors"],
            "folds": ordered["folds"],
            "note": [("" if single else sentences(both)) for single in one_class],
        }
    )
    return table.reset_index(drop=True)


def shown_subjects(table: pd.DataFrame) -> pd.DataFrame:
    """Lay :func:`subject_table` out for print: probabilities with two decimals."""
    shown = table.drop(columns=f"{MEAN_PROBABILITY}_sd")
    pairs = zip(table[MEAN_PROBABILITY], table[f"{MEAN_PROBABILITY}_sd"], strict=True)
    shown[MEAN_PROBABILITY] = [_with_spread(mean, spread) for mean, spread in pairs]
    shown["called_share"] = [_number(100 * share, 0) for share in table["called_share"]]
    shown["errors"] = [_number(errors, 1) for errors in table["errors"]]
    return shown.rename(columns={"called_share": "cells_predicted_positive_(%)"})


def tabulate_subject_results(
    results: Paths, runs: Sequence[dict], title: str, label: str, paths: Paths
) -> None:
    """Write the results by subject and by picture of all runs on one data set.

    Args:
        results: ``subject_metrics.tsv`` of each run.
        runs: For each run, in the same order, a dict with protocol, protocol_title, model and
            model_title.
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write.
    """
    tables = []
    for path, run in zip(results, runs, strict=True):
        table = result_table(read_table(path, ("level", "score", "metric"), text=("method",)))
        for place, column in enumerate(("protocol", "protocol_title", "model", "model_title")):
            table.insert(place, column, run[column])
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    caption = (
        f"Results by subject and by picture on {title}: each counts once, with the mean "
        "probability of its cells or with the share of cells predicted as positive. In brackets: "
        "95 % interval; for subjects the exact one of Clopper and Pearson, and Newcombe's for the "
        "AUC; for related pictures an interval over leakage groups."
    )
    shown = table.assign(note=[sentences(note, short=True) for note in table["note"]])
    exact = table.assign(note=[sentences(note) for note in table["note"]])
    write_both(exact, shown, paths, caption, label)


def result_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row per level and score of one run.

    Args:
        results: ``subject_metrics.tsv`` of the run.

    Returns:
        level, score, score_title, units, negative_units, positive_units, then each of
        :data:`blastfold.core.names.SHOWN_METRICS` with its limits ``_lower`` and ``_upper``
        (fractions); note (codes).
    """
    rows = []
    for level in UNIT_LEVELS:
        of_level = results[results["level"] == level]
        for score, of_score in of_level.groupby("score", sort=False):
            named = of_score.set_index("metric")
            row = {"level": level, "score": score, "score_title": SCORE_TITLES[score]}
            row |= {name: int(named[name].iloc[0]) for name in COUNTS}
            for metric in SHOWN_METRICS:
                row[metric] = named.at[metric, "value"]
                row[f"{metric}_lower"] = named.at[metric, "lower"]
                row[f"{metric}_upper"] = named.at[metric, "upper"]
            rows.append(row | {"note": _joined(named["note"])})
    return pd.DataFrame(rows)


def _joined(notes: pd.Series) -> str:
    """Join the notes of metrics: what is about all of them once, the rest with its metric."""
    texts = {metric: set(notes[metric].split("; ")) - {""} for metric in SHOWN_METRICS}
    common = set.intersection(*texts.values())
    first = [code for code in notes[SHOWN_METRICS[0]].split("; ") if code in common]
    own = {
        metric: join_notes(*(code for code in notes[metric].split("; ") if code not in common))
        for metric in SHOWN_METRICS
    }
    return join_notes(notes_about(own), *first)


def _unknown_subject() -> dict:
    numbers = ("cells", MEAN_PROBABILITY, f"{MEAN_PROBABILITY}_sd", "called_share", "errors")
    texts = dict.fromkeys(("subject", "class", "predicted", "wrong"), UNKNOWN)
    missing = dict.fromkeys(numbers, float("nan"))
    return texts | missing | {"folds": UNKNOWN, "note": sentences(make_note("no_unit_known"))}


def _with_spread(mean: float, spread: float) -> str:
    return _number(mean, 2) + (f" ± {spread:.2f}" if pd.notna(spread) else "")


def _number(value: float, decimals: int) -> str:
    if pd.isna(value):
        return MISSING
    text = f"{value:.{decimals}f}"
    return text.removesuffix(".0")
