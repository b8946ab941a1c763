"""The section of the page about all classes of a data set with more than two."""

from collections.abc import Iterator, Sequence

import pandas as pd

from blastfold.core.names import POOLED
from blastfold.reporting.class_predictions import confused_pairs
from blastfold.reporting.class_tables import (
    Confusion,
    pooled_confusion,
    read_class_metrics,
    values_of_classes,
)
from blastfold.reporting.page.cells import Cells, Predicted
from blastfold.reporting.page.drawing import Curve, ForestRow, forest_plot, roc_plot
from blastfold.reporting.page.files import drawn_figure, printed_tables
from blastfold.reporting.page.study import Standing, Study
from blastfold.reporting.publication.wording import count, listing

PAIRS, PICTURES, SIDE = 4, 6, 96
"""Pairs of confused classes, pictures of each pair at most, and their side in pixels."""

MOST_POINTS = 200
"""Points of a curve, at most; a drawing of 300 units shows no more."""

DEEPEST = 50
"""Percent of colour of the darkest cell, so that its text can be read in dark and light."""


def reading_of(study: Study, dataset: str) -> str:
    """Return what sensitivity and specificity are about; empty for two classes.

    Args:
        study: The experiment.
        dataset: A data set that models are trained on.
    """
    description = study.sources.json(f"datasets/{dataset}/dataset.json") or {}
    classes, positive = description.get("classes", []), study.about.get("positive", {})
    if len(classes) <= 2 or dataset not in positive:
        return ""
    return (
        "AUC, accuracy, sensitivity and specificity are about "
        f"{against(positive[dataset], classes)}. Results of each class are in the section All "
        "classes."
    )


def against(positive: Sequence[str], classes: Sequence[str]) -> str:
    """Return the positive classes against the others, whichever are fewer by their names."""
    others = [name for name in classes if name not in positive]
    if len(others) < len(positive):
        return f"all classes but {listing(others)} against {'it' if len(others) == 1 else 'them'}"
    return f"{listing(positive)} against all others"


def external_reading(study: Study) -> str:
    """Return what the AUC of external tests is about, where networks know more than two classes."""
    datasets = dict.fromkeys(run["dataset"] for run in study.about["external"])
    read = [name for name in datasets if reading_of(study, name)]
    if not read:
        return ""
    texts = [
        f"{listing(study.about['positive'][name])} ({study.title('dataset', name)})"
        for name in read
    ]
    return f"This AUC is about the positive classes against all others: {'; '.join(texts)}."


def class_section(study: Study, cells: Cells, dataset: str) -> dict:
    """Return what is shown of all classes under the protocol to quote; empty for two classes.

    Args:
        study: The experiment.
        cells: Its test cells.
        dataset: A data set that models are trained on.
    """
    split = study.best_known(dataset)
    runs = [] if split is None else [run for run in cells.predicted if _is_of(run, split)]
    # The order of the config, but random frozen backbones last: their settings decide, no result.
    runs.sort(key=lambda run: run.model in study.about["random_backbones"])
    models = [_model(study, cells, run) for run in runs if run.many and _stored(study, run)]
    if not models:
        return {}
    first = runs[0]
    return {
        "split": study.title("protocol", split.protocol),
        "sentence": _sentence(first),
        "models": models,
        "tables": printed_tables(study, f"{dataset}/class_results"),
        "more": printed_tables(
            study, f"{dataset}/{split.protocol}/class_comparisons", f"{dataset}/class_calibration"
        ),
        "risk_coverage": drawn_figure(study, f"{dataset}/class_risk_coverage"),
    }


def _is_of(run: Predicted, split: Standing) -> bool:
    return not run.external and (run.dataset, run.protocol) == (split.dataset, split.protocol)


def _stored(study: Study, run: Predicted) -> bool:
    return study.sources.path(f"{_place(run)}/class_confusion.tsv") is not None


def _place(run: Predicted) -> str:
    return f"evaluation/{run.dataset}/{run.protocol}/{run.model}"


def _sentence(run: Predicted) -> str:
    return (
        f"There are {count(len(run.classes), 'class', 'classes')}: {listing(run.classes)}. Here a "
        "cell is predicted as its most probable class. In the other sections, sensitivity, "
        "specificity, ROC curves and operating points are about "
        f"{against(run.positive, run.classes)}."
    )


def _model(study: Study, cells: Cells, run: Predicted) -> dict:
    """Return confusion matrix, curves, values of each class and confused cells of a model."""
    place = _place(run)
    confusion = pooled_confusion(study.sources.path(f"{place}/class_confusion.tsv"))
    stored = study.sources.path(f"{place}/class_metrics.tsv")
    areas = {} if stored is None else values_of_classes(read_class_metrics(stored), "auc")
    tables = f"{run.dataset}/{run.protocol}/{run.model}/classes"
    return {
        "title": study.title("model", run.model),
        "matrix": matrix(confusion),
        "forest": forest_plot([*_forest_rows(areas)]),
        "roc": _curves(study.sources.table(f"{place}/class_curves"), confusion),
        "pairs": list(_pairs(cells, run)),
        "tables": printed_tables(study, tables),
        "calibration": drawn_figure(
            study, f"{run.dataset}/{run.protocol}/{run.model}/class_calibration"
        ),
    }


def _forest_rows(areas: dict[str, tuple[float, float, float]]) -> Iterator[ForestRow]:
    for name, (value, lower, upper) in areas.items():
        text = "undefined" if value != value else f"{100 * value:.1f} %"
        limits = f" [{100 * lower:.1f}, {100 * upper:.1f}]" if lower == lower else ""
        yield ForestRow(name, text + limits, value, lower, upper, "quoted")


def matrix(confusion: Confusion) -> dict:
    """Return the rows of a confusion matrix for the template.

    Returns:
        classes and rows: dicts with name, images and cells, of which each has count, share (text),
        depth (percent of colour) and right (whether it is on the diagonal).
    """
    rows = []
    for label, name in enumerate(confusion.classes):
        counts = confusion.counts[label]
        images = int(counts.sum())
        cells = []
        for place, number in enumerate(map(int, counts)):
            share = number / images if images else 0.0
            text = f"{100 * share:.0f} %" if share >= 0.005 or not number else "<1 %"
            look = {"depth": round(DEEPEST * share), "right": place == label, "empty": not number}
            cells.append({"count": f"{number:,}", "share": text, **look})
        rows.append({"name": name, "images": f"{images:,}", "cells": cells})
    return {"classes": list(confusion.classes), "rows": rows}


def _curves(table: pd.DataFrame | None, confusion: Confusion):
    if table is None or table.empty:
        return None
    table = table[(table["scope"] == POOLED) & (table["curve"] == "roc")]
    curves = []
    for name in confusion.classes:
        points = table[table["class"].astype(str) == name]
        if len(points):
            kept = points.iloc[:: -(-len(points) // MOST_POINTS)]
            if kept.index[-1] != points.index[-1]:
                kept = pd.concat([kept, points.tail(1)])
            curves.append(Curve(name, kept["x"], kept["y"]))
    return roc_plot(curves) if curves else None


def _pairs(cells: Cells, run: Predicted) -> Iterator[dict]:
    """Yield the most confused pairs of classes, each with pictures of cells."""
    true = cells.manifests[run.dataset]["class"].reindex(run.table.index)
    table = run.table.assign(**{"class": true})
    for pair in confused_pairs(table, run.classes, PAIRS, PICTURES):
        yield {
            "title": f"{pair.first} and {pair.second}",
            "images": count(pair.images, "cell"),
            "cells": [
                {
                    "name": name,
                    "class": row["class"],
                    "predicted": row["predicted"],
                    "certainty": f"{100 * row['certainty']:.0f} %",
                    "picture": cells.small_picture(run.dataset, name, SIDE),
                }
                for name, row in pair.cells.iterrows()
            ],
        }
