"""Variance components of every repeated run of a data set, from stored predictions alone."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.names import MACRO_AUC, SHOWN_METRICS
from blastfold.core.noted_tables import write_noted
from blastfold.core.predictions import read_test_predictions
from blastfold.evaluation.intervals import LEVEL
from blastfold.statistics.repeated import RepeatedScores, repeated_scores, summarise
from blastfold.statistics.variance_components import components

COMPONENT_COLUMNS = (
    *("model", "protocol", "seeds_protocol", "metric", "component", "value", "repeats"),
    *("seeds_repeats", "deviation", "lower", "upper", "degrees_of_freedom", "note"),
)


def estimate_variance_components(
    predictions: Iterable[str | os.PathLike],
    runs: Sequence[dict],
    groups: str | os.PathLike,
    output: str | os.PathLike,
) -> None:
    """Write how much seeds, splits and subjects move the results of a data set.

    Args:
        predictions: Predictions of all folds and repeats of each run, one file per run.
        runs: For each run, in the same order, model, protocol, draws (equal where protocols draw
            the same kind of folds) and seeds_alone (whether repeats keep the folds).
        groups: ``groups.tsv`` of the data set.
        output: Table to write, see :func:`component_table`.

    Raises:
        InputError: A file lacks a column, or an image a leakage group.
    """
    tested = [read_test_predictions([path]) for path in predictions]
    member = read_groups(groups)
    scores = [repeated_scores(table, member) for table in tested]
    table = component_table(runs, scores)
    images = pd.concat([part["image_id"] for part in tested])
    write_noted(note_unknown(table, [groups], images), output)


def component_table(runs: Sequence[Mapping], scores: Sequence[RepeatedScores]) -> pd.DataFrame:
    """Estimate the variance components of all runs.

    A run whose repeats draw folds and seeds is joined with the first run of the same model whose
    repeats keep such folds; one of these that nothing is joined with has rows of its own.

    Args:
        runs: As :func:`estimate_variance_components` takes them.
        scores: Predictions of each.

    Returns:
        Columns :data:`COMPONENT_COLUMNS`. ``value`` is the mean over repeats, ``deviation`` the
        standard deviation of the result of one repeat, with its interval; all are fractions.
        ``seeds_protocol`` is the joined protocol, empty for none.
    """
    rows = []
    for run, twin in _joined(runs):
        drawn = None if run is None else scores[run]
        same = None if twin is None else scores[twin]
        main = runs[twin if run is None else run]
        names = {"model": main["model"], "protocol": main["protocol"]}
        names["seeds_protocol"] = "" if twin is None or run is None else runs[twin]["protocol"]
        for metric in (*SHOWN_METRICS, *over_classes(scores[twin if run is None else run])):
            pair = [None if one is None else summarise(metric, one) for one in (drawn, same)]
            quoted = pair[0] or pair[1]
            facts = {"metric": metric, "value": quoted.value}
            for column, one in zip(("repeats", "seeds_repeats"), pair, strict=True):
                facts[column] = 0 if one is None else one.repeats
            for part in components(*pair, LEVEL):
                limits = np.sqrt([part.variance, part.lower, part.upper])
                row = dict(zip(("deviation", "lower", "upper"), limits, strict=True))
                row |= {"component": part.component, "degrees_of_freedom": part.freedom}
                rows.append({**names, **facts, **row, "note": part.note})
    return pd.DataFrame(rows, columns=list(COMPONENT_COLUMNS))


def over_classes(scores: RepeatedScores) -> tuple[str, ...]:
    """Return the metrics over all classes of which the variance is taken apart; none of two."""
    probability = scores.class_probability
    return (MACRO_AUC,) if probability is not None and probability.shape[1] > 2 else ()


def _joined(runs: Sequence[Mapping]) -> list[tuple[int | None, int | None]]:
    """Return the places of runs that draw folds, each with one of seeds alone; then the rest."""
    kinds = [(run["model"], run["draws"]) for run in runs]
    alone = [place for place, run in enumerate(runs) if run["seeds_alone"]]
    pairs: list[tuple[int | None, int | None]] = []
    for place, kind in enumerate(kinds):
        if place not in alone:
            twins = [other for other in alone if kinds[other] == kind]
            pairs.append((place, twins[0] if twins else None))
    used = {twin for _, twin in pairs}
    return pairs + [(None, place) for place in alone if place not in used]
