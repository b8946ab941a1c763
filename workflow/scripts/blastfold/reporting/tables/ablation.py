"""The tables of an ablation and of its learning curve, for people."""

import os
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from blastfold.core.names import MACRO_AUC, PROCEDURE, SHOWN_METRICS
from blastfold.core.notes import make_note, notes_about
from blastfold.core.tables import read_text_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.comparisons import difference_cells, verdict_caption
from blastfold.reporting.tables.writing import write_table

Paths = Iterable[str | os.PathLike]


def tabulate_effects(
    effects: str | os.PathLike, titles: Mapping[str, Mapping], title: str, label: str, paths: Paths
) -> None:
    """Write the effect of every choice against its reference.

    Args:
        effects: ``effects.tsv`` of the ablation.
        titles: Titles by name under ``"dataset"``, ``"protocol"`` and ``"factor"``, and by
            factor and level under ``"level"``.
        title: Title of the ablation.
        label: LaTeX label.
        paths: Tables to write (see :func:`blastfold.reporting.tables.writing.write_table`).
    """
    caption = (
        f"Effect of each choice: {title}. Difference to the reference, averaged over all "
        f"combinations of the other choices. {verdict_caption(shown_effects(effects))}"
    )
    write_table(effect_rows(shown_effects(effects), titles), paths, caption, label)


def shown_effects(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``effects.tsv``; the verdict takes the place of the description of its metric."""
    table = read_table(path)
    judged = table["view"] == PROCEDURE
    described = ~table["metric"].isin(table.loc[judged, "metric"])
    return table[judged | described].reset_index(drop=True)


def effect_rows(effects: pd.DataFrame, titles: Mapping[str, Mapping]) -> pd.DataFrame:
    """Return one row per metric and choice.

    Args:
        effects: Contents of ``effects.tsv``.
        titles: As for :func:`tabulate_effects`.

    Returns:
        dataset, protocol, factor, level, reference (each followed by its title), metric,
        metric_title, cells (pairs of combinations), difference, difference_lower,
        difference_upper (points), adjusted_p_value, outcome and note.
    """
    rows = []
    for row in effects.to_dict("records"):
        names = {}
        for kind in ("dataset", "protocol", "factor"):
            names |= {kind: row[kind], f"{kind}_title": titles[kind][row[kind]]}
        of_factor = titles["level"][row["factor"]]
        for side in ("level", "reference"):
            names |= {side: row[side], f"{side}_title": of_factor[row[side]]}
        better = [f"{of_factor[row[side]]} better" for side in ("level", "reference")]
        shown = difference_cells(row, *better)
        metric = {key: shown.pop(key) for key in ("metric", "metric_title")}
        rows.append({**names, **metric, "cells": int(row["cells"]), **shown})
    return pd.DataFrame(rows)


def tabulate_cells(
    cells: str | os.PathLike, titles: Mapping[str, Mapping], title: str, label: str, paths: Paths
) -> None:
    """Write the results of every combination.

    Args:
        cells: ``cells.tsv`` of the ablation.
        titles: As for :func:`tabulate_effects`.
        title: Title of the ablation.
        label: LaTeX label.
        paths: Tables to write.
    """
    table = read_table(cells)
    factors = [name for name in titles["factor"] if name in table]
    wide = metrics_aside(table, ["dataset", "protocol", *factors])
    for kind in ("dataset", "protocol"):
        _title_behind(wide, kind, titles[kind])
    for factor in factors:
        _title_behind(wide, factor, titles["level"][factor])
    caption = (
        f"All combinations: {title}. Test images of all folds together, with 95 % intervals over "
        "leakage groups."
    )
    write_table(wide, paths, caption, label)


def tabulate_learning_curve(
    curve: str | os.PathLike, titles: Mapping[str, Mapping], title: str, label: str, paths: Paths
) -> None:
    """Write a model's results by the share of the training groups that it learnt from.

    Args:
        curve: ``learning_curve.tsv`` of the ablation.
        titles: As for :func:`tabulate_effects`, and under ``"model"``.
        title: Title of the ablation.
        label: LaTeX label.
        paths: Tables to write.
    """
    keys = ["dataset", "protocol", "model", "share", "training_groups", "training_images"]
    wide = metrics_aside(read_table(curve), keys)
    for kind in ("dataset", "protocol", "model"):
        _title_behind(wide, kind, titles[kind])
    caption = (
        f"Learning curve: {title}. The same model on a share of the training groups, tested on the "
        "same images, with 95 % intervals over leakage groups; sizes are means over folds."
    )
    write_table(wide, paths, caption, label)


def metrics_aside(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Put the metrics of one run side by side.

    Args:
        table: The keys, metric, value, lower, upper and note; one row per metric.
        keys: Columns that identify a run.

    Returns:
        One row per run, in the order of the table: the keys, every metric of SHOWN_METRICS (where
        a run has more than two classes, their macro AUC first) with its _lower and _upper, and
        note.
    """
    over = [MACRO_AUC] if (table["metric"] == MACRO_AUC).any() else []
    metrics, rows = [*over, *SHOWN_METRICS], []
    for _, run in table.groupby(list(keys), sort=False):
        row = {key: run[key].iloc[0] for key in keys}
        by_metric = run.set_index("metric").reindex(metrics)
        # Of two classes, next to runs of more.
        by_metric["note"] = by_metric["note"].fillna(make_note("undefined"))
        for metric in metrics:
            row[metric] = by_metric.at[metric, "value"]
            row |= {f"{metric}_{end}": by_metric.at[metric, end] for end in ("lower", "upper")}
        note = notes_about({metric: by_metric.at[metric, "note"] for metric in metrics})
        rows.append({**row, "note": sentences(note, short=True)})
    return pd.DataFrame(rows)


def read_table(path: str | os.PathLike) -> pd.DataFrame:
    """Read a table of an ablation; texts such as ``none`` and ``null`` stay what they are."""
    numbers = ("value", "lower", "upper", "first", "second", "difference", "share", "cells")
    numbers += ("p_value", "adjusted_p_value", "minimum_detectable", "images", "groups")
    numbers += ("repeats", "family")
    numbers += ("training_groups", "training_images")
    table = read_text_table(path)
    for column in table.columns.intersection(numbers):
        table[column] = table[column].where(table[column] != "", None).astype("float64")
    return table


def _title_behind(table: pd.DataFrame, column: str, titles: Mapping[str, str]) -> None:
    table.insert(table.columns.get_loc(column) + 1, f"{column}_title", table[column].map(titles))
