"""The tables of decisions: predictive values at stated prevalences, and net benefit."""

import os
from collections.abc import Iterable, Sequence

import pandas as pd

from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.calibration import POINT_TITLES
from blastfold.reporting.tables.writing import MINUS, MISSING, write_both

Paths = Iterable[str | os.PathLike]

SHOWN_THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Thresholds of a decision curve that are printed; the TSV has all."""

VALUES = {"ppv": "positive_predictive_value_(%)", "npv": "negative_predictive_value_(%)"}


def tabulate_predictive_values(
    tables: Paths, models: Sequence[tuple[str, str]], title: str, label: str, paths: Paths
) -> None:
    """Write the predictive values of all models at the prevalences of the config.

    Args:
        tables: ``predictive_values.tsv`` of each model.
        models: Name and title of each model, in the same order.
        title: Titles of data set and protocol.
        label: LaTeX label.
        paths: Tables to write.
    """
    table = _joined(tables, models, "prevalence")
    points = table["operating_point"]
    table.insert(3, "operating_point_title", [POINT_TITLES[name] for name in points])
    shown = table[["model", "model_title", "operating_point", "operating_point_title"]].copy()
    shown["prevalence_(%)"] = [f"{100 * share:g}" for share in table["prevalence"]]
    for name, heading in VALUES.items():
        columns = (table[name], table[f"{name}_lower"], table[f"{name}_upper"])
        shown[heading] = [_percent(*values) for values in zip(*columns, strict=True)]
    shown["note"] = [sentences(note, short=True) for note in table["note"]]
    table["note"] = [sentences(note) for note in table["note"]]
    caption = (
        f"Predictive values on {title} at stated prevalences of the positive class, from the "
        "sensitivity and the specificity of the pooled test images. In brackets: 95 % interval "
        "from the intervals of both rates over groups (MOVER). They hold where cells are like the "
        "test images."
    )
    write_both(table, shown, paths, caption, label)


def tabulate_decision_curves(
    tables: Paths, models: Sequence[tuple[str, str]], title: str, label: str, paths: Paths
) -> None:
    """Write the net benefit of all models.

    Args:
        tables: ``decision_curve.tsv`` of each model.
        models: Name and title of each model, in the same order.
        title: Titles of data set and protocol.
        label: LaTeX label.
        paths: Tables to write.
    """
    table = _joined(tables, models, "threshold", "net_benefit", "treat_all")
    chosen = table[table["threshold"].isin(SHOWN_THRESHOLDS)]
    shown = chosen[["model", "model_title"]].copy()
    shown["threshold"] = [f"{value:g}" for value in chosen["threshold"]]
    columns = (chosen["net_benefit"], chosen["lower"], chosen["upper"])
    shown["net_benefit"] = [_signed(*values) for values in zip(*columns, strict=True)]
    shown["net_benefit_of_all_positive"] = [_signed(value) for value in chosen["treat_all"]]
    shown["note"] = [sentences(note, short=True) for note in chosen["note"]]
    table["note"] = [sentences(note) for note in table["note"]]
    caption = (
        f"Net benefit on {title} (decision curve), per image: true positives minus false positives "
        "weighted by the odds of the threshold, at the share of positives among the test images. "
        "In brackets: 95 % interval over groups, at that share. Taking no image as positive has "
        "net benefit 0."
    )
    write_both(table, shown, paths, caption, label)


def _joined(tables: Paths, models: Sequence[tuple[str, str]], *columns: str) -> pd.DataFrame:
    read = []
    for path, (model, model_title) in zip(tables, models, strict=True):
        table = read_table(path, (*columns, "note"))
        table.insert(0, "model", model)
        table.insert(1, "model_title", model_title)
        read.append(table)
    return pd.concat(read, ignore_index=True)


def _percent(value: float, lower: float, upper: float) -> str:
    if pd.isna(value):
        return MISSING
    limits = f" [{100 * lower:.1f}, {100 * upper:.1f}]" if pd.notna(lower) else ""
    return f"{100 * value:.1f}{limits}"


def _signed(value: float, lower: float = float("nan"), upper: float = float("nan")) -> str:
    if pd.isna(value):
        return MISSING
    limits = f" [{lower:.3f}, {upper:.3f}]" if pd.notna(lower) else ""
    return f"{value:.3f}{limits}".replace("-", MINUS)
