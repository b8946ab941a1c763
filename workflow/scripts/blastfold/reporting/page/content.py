"""The content of the results page, section by section, from the stored results."""

from collections.abc import Iterator, Sequence

import pandas as pd

from blastfold.core.interval_table import NUMBERS, read_intervals
from blastfold.core.names import (
    BASELINES,
    JOINED,
    OVER_CLASSES,
    POOLED,
    SHOWN_METRICS,
    SUBJECT,
    THRESHOLD,
)
from blastfold.core.tables import read_table
from blastfold.core.units import MEAN_PROBABILITY
from blastfold.reporting.notes import sentences
from blastfold.reporting.page.cells import Cells
from blastfold.reporting.page.classes import reading_of
from blastfold.reporting.page.drawing import (
    Curve,
    ForestRow,
    SubjectColumn,
    forest_plot,
    roc_plot,
    strip_plot,
)
from blastfold.reporting.page.files import printed_tables
from blastfold.reporting.page.numbers import interval_text, points_text
from blastfold.reporting.page.study import Result, Standing, Study
from blastfold.reporting.publication.wording import count, sentence
from blastfold.reporting.tables.writing import heading_of

WORST, WORST_SIDE = 18, 96
"""Number of pictures of the worst cells of a data set, and their side in pixels."""

EXAMPLES, EXAMPLE_SIDE = 6, 72
"""Example images of each class, and their side in pixels."""

MOST_CURVES, MOST_BANDS = 7, 2
"""Curves of one ROC plot, and the most that are drawn with their bands."""

LEAK_READING = (
    "Both sides are means of the folds. They can differ from the pooled results above, and so can "
    "the sign of a small difference."
)
"""What the values of differences between protocols are."""

MOST_STRIPS, MOST_SUBJECTS = 6, 400
"""Models and subjects of the plots of subjects of one data set."""


def quote_section(study: Study, dataset: str) -> dict:
    """Return the numbers to quote: split, note, forest plot, ROC plot and a table of metrics."""
    split = study.best_known(dataset)
    if split is None:
        return {}
    quoted = study.quoted(dataset) is not None
    results = study.results_of(dataset, split.protocol)
    return {
        "split": study.title("protocol", split.protocol),
        "honest": quoted,
        "forest": forest_plot([*_model_rows(study, dataset), *_baseline_rows(study, split)]),
        "metric": study.metric_title_of(dataset),
        "reading": reading_of(study, dataset),
        "roc": _roc(study, split),
        "table": _metric_table(study, split),
        "notes": _notes(results, study),
        "choice": _choice([row for row in results if row.model not in study.doubles]),
        "values": _pooled_note(study, split),
    }


def _pooled_note(study: Study, split: Standing) -> str:
    """Say which of several values of one model these are; empty for a single fold."""
    if not study.has_folds(split):
        return ""
    return (
        "These are the results of the pooled test images of all folds. Differences, verdicts and "
        "permutation tests use the mean of the folds, which can be another number."
    )


def _choice(results: Sequence[Result]) -> str:
    if len(results) < 2:
        return ""
    return (
        f"The highest of {count(len(results), 'result')} tends to be too high by chance. Quote the "
        "model that was chosen before the test images were predicted, or all of them."
    )


def _notes(results: Sequence[Result], study: Study) -> list[str]:
    """Return the notes of the intervals, each once with the models that it is about."""
    about: dict[str, list[str]] = {}
    for row in results:
        if text := sentences(row.note, short=True):
            about.setdefault(text, []).append(study.title("model", row.model))
    return [sentence(f"{', '.join(models)}: {text}") for text, models in about.items()]


def _model_rows(study: Study, dataset: str) -> Iterator[ForestRow]:
    """Yield the primary metric of every model, the protocol to quote first."""
    best = study.best_known(dataset)
    protocols = sorted(study.protocols_of(dataset), key=lambda name: name != best.protocol)
    for protocol in protocols:
        standing = study.standings.get((dataset, protocol))
        tone = "quoted" if protocol == best.protocol else "plain"
        if standing and standing.related:
            tone = "leaking"
        for row in study.results_of(dataset, protocol):
            numbers = row.value, row.lower, row.upper
            yield ForestRow(
                study.title("model", row.model),
                interval_text(*numbers),
                *numbers,
                tone,
                group=study.title("protocol", protocol),
            )


def _baseline_rows(study: Study, split: Standing) -> Iterator[ForestRow]:
    table = study.sources.table(f"tables/{split.dataset}/results")
    metric = study.metric_of(split.dataset)
    if metric in OVER_CLASSES:
        yield from _baselines_over_classes(study, split, metric)
    if table is None or metric not in table:
        return
    chosen = (table["protocol"] == split.protocol) & table["model"].isin(BASELINES)
    rows = table[chosen & table[f"{metric}_sd"].isna()]
    for _, row in rows.drop_duplicates("model", keep="last").iterrows():
        numbers = [row[f"{metric}{end}"] for end in ("", "_lower", "_upper")]
        text, group = interval_text(*numbers), f"Baselines, {row['protocol_title']}"
        yield ForestRow(row["model_title"], text, *numbers, "baseline", group=group)


def _baselines_over_classes(study: Study, split: Standing, metric: str) -> Iterator[ForestRow]:
    group = f"Baselines, {study.title('protocol', split.protocol)}"
    for name, title in BASELINES.items():
        place = f"baselines/{split.dataset}/{split.protocol}/{name}/intervals.tsv"
        path = study.sources.path(place)
        limits = None if path is None else read_intervals(path, ()).loc[POOLED]
        if limits is not None and metric in limits.index:
            numbers = [float(limits.at[metric, key]) for key in NUMBERS]
            yield ForestRow(title, interval_text(*numbers), *numbers, "baseline", group=group)


def _metric_table(study: Study, split: Standing) -> dict:
    """Return the shown metrics of the models of a split, with intervals."""
    metrics = list(dict.fromkeys([study.metric_of(split.dataset), *SHOWN_METRICS]))
    columns = {}
    for metric in metrics:
        rows = study.results_of(split.dataset, split.protocol, metric)
        columns[metric] = {
            row.model: interval_text(row.value, row.lower, row.upper) for row in rows
        }
    models = study.models_of(split.dataset, split.protocol)
    return {
        "headings": ["Model", *(heading_of(metric).removesuffix(" (%)") for metric in metrics)],
        "rows": [
            [study.title("model", model), *(columns[metric].get(model, "") for metric in metrics)]
            for model in models
        ],
    }


def _roc(study: Study, split: Standing):
    curves = []
    for model in study.models_of(split.dataset, split.protocol)[:MOST_CURVES]:
        place = f"evaluation/{split.dataset}/{split.protocol}/{model}"
        band, curve = study.sources.table(f"{place}/roc_band"), study.sources.table(f"{place}/roc")
        title = study.title("model", model)
        axes = ("false_positive_rate", "true_positive_rate")
        if band is not None and len(band) and band["true_positive_rate"].notna().all():
            limits = [band[f"band_{end}"] for end in ("lower", "upper")]
            known = [] if any(limit.isna().any() for limit in limits) else limits
            curves.append(Curve(title, *(band[axis] for axis in axes), *known))
        elif curve is not None and len(pooled := curve[curve["scope"] == POOLED]):
            curves.append(Curve(title, *(pooled[axis] for axis in axes)))
    if len(curves) > MOST_BANDS:
        curves = [curve._replace(lower=(), upper=()) for curve in curves]
    return roc_plot(curves) if curves else None


def leakage_section(study: Study, dataset: str) -> dict:
    """Return what leakage does to the results: differences with intervals and verdicts."""
    contrast = _difference_rows(study.sources.table(f"tables/{dataset}/leak_contrast"), "question")
    gap = study.sources.table(f"tables/{dataset}/protocol_gap")
    if not contrast and gap is not None:
        contrast = _difference_rows(
            gap[gap["metric"] == study.metric_of(dataset)], "first_protocol_title"
        )
    return {
        "forest": forest_plot(contrast, mark=0.0, signed=True),
        "metric": study.metric_title_of(dataset),
        "tables": printed_tables(study, f"{dataset}/leak_contrast", f"{dataset}/protocol_gap"),
        "reading": LEAK_READING if contrast else "",
    }


def _difference_rows(table: pd.DataFrame | None, about: str) -> list[ForestRow]:
    rows = []
    for _, row in () if table is None else table.iterrows():
        if about == "question":
            group = f"{row['question']} {row['compared']}"
        else:
            group = f"{row['first_protocol_title']} against {row['second_protocol_title']}"
        numbers = [row[f"difference{end}"] / 100 for end in ("", "_lower", "_upper")]
        limits = f" [{points_text(numbers[1])}, {points_text(numbers[2])}]"
        text = points_text(numbers[0]) + (limits if numbers[1] == numbers[1] else "")
        after = sentence(row["outcome"])
        rows.append(
            ForestRow(row["model_title"], f"{text} points", *numbers, "plain", after, group)
        )
    return rows


def failure_section(study: Study, cells: Cells, dataset: str) -> dict:
    """Return the worst cells as pictures and a plot of subjects for every model."""
    split = study.best_known(dataset)
    if split is None:
        return {}
    worst = cells.worst(dataset, split.protocol, WORST)
    return {
        "split": study.title("protocol", split.protocol),
        "worst": [_worst(cells, dataset, name, row) for name, row in worst.iterrows()],
        "strips": list(_strips(study, cells, split)),
        "attribution": _attribution(study, f"{dataset}/{split.protocol}"),
    }


def _attribution(study: Study, place: str) -> list[dict]:
    """Return the printed tables of where the networks look, if they were explained.

    The shares on the cell of each class come before the checks.
    """
    starts = tuple(f"tables/{place}/{name}/" for name in ("attribution", "attribution_checks"))
    names = [name for name in study.sources.below("tables", ".md") if name.startswith(starts)]
    names.sort(key=lambda name: not name.startswith(starts[0]))
    return printed_tables(
        study, *(name.removeprefix("tables/").removesuffix(".md") for name in names)
    )


def _worst(cells: Cells, dataset: str, image_id: str, row: pd.Series) -> dict:
    known = cells.manifests[dataset].loc[image_id]
    of_models = f"wrong in {int(row['wrong'])} of {count(int(row['models']), 'model')}"
    positive = cells.positive_class(dataset)
    predicted = f"mean probability of {positive} {row['probability']:.2f}"
    if "predicted" in row:
        predicted = f"predicted as {row['predicted']}"
    return {
        "name": image_id,
        "class": known["class"],
        "subject": known["subject"] or "unknown",
        "picture": cells.small_picture(dataset, image_id, WORST_SIDE),
        "text": f"{of_models}, {predicted}",
    }


def _strips(study: Study, cells: Cells, split: Standing) -> Iterator[dict]:
    for run in cells.predicted:
        names = run.dataset, run.protocol, run.model
        path = study.sources.path(f"evaluation/{'/'.join(names)}/subjects.tsv")
        if run.external or names[:2] != (split.dataset, split.protocol) or path is None:
            continue
        units = read_table(path, ("level", "unit"), text=("unit", "folds"))
        subjects = units[units["level"] == SUBJECT]
        if subjects.empty:
            continue
        ordered = subjects.sort_values(["label", MEAN_PROBABILITY, "unit"], kind="stable")
        subject_of = cells.manifests[run.dataset]["subject"]
        by_subject = run.table["probability"].groupby(subject_of.reindex(run.table.index))
        probabilities = {name: part.to_numpy() for name, part in by_subject}
        columns = [
            _subject_column(row, probabilities.get(row["unit"], []))
            for _, row in ordered[:MOST_SUBJECTS].iterrows()
        ]
        wrong = [column.name for column in columns if column.wrong]
        positive = cells.positive_class(run.dataset)
        yield {
            "model": study.title("model", run.model),
            "plot": strip_plot(columns, THRESHOLD),
            "positive": "positive classes" if JOINED in positive else positive,
            "wrong": wrong,
            "subjects": len(columns),
            "left_out": max(0, len(subjects) - MOST_SUBJECTS),
        }


def _subject_column(row: pd.Series, probabilities: Sequence[float]) -> SubjectColumn:
    wrong = row[f"predicted_by_{MEAN_PROBABILITY}"] != row["class"] and row["label"] >= 0
    mean = float(row[MEAN_PROBABILITY])
    return SubjectColumn(row["unit"], row["label"] > 0, probabilities, mean, bool(wrong))


def data_section(study: Study, cells: Cells) -> dict:
    """Return data sets and splits: examples of each class, derivations and tables."""
    return {
        "examples": [_examples(study, cells, name) for name in cells.manifests],
        "derived": list(_derivations(study)),
        "tables": printed_tables(study, "datasets", "imports", "splits", "leakage"),
    }


def _examples(study: Study, cells: Cells, dataset: str) -> dict:
    """Return a few images of each class, of as many subjects as there are."""
    classes = []
    for name, part in cells.manifests[dataset].groupby("class", sort=False):
        first = part.groupby("subject", sort=False).head(1) if part["subject"].any() else part
        chosen = pd.concat([first, part]).index.unique()[:EXAMPLES]
        pictures = [
            (image_id, cells.small_picture(dataset, image_id, EXAMPLE_SIDE)) for image_id in chosen
        ]
        classes.append({"name": name, "pictures": pictures})
    return {"title": study.title("dataset", dataset), "classes": classes}


def _derivations(study: Study) -> Iterator[str]:
    for dataset in study.datasets:
        description = study.sources.json(f"datasets/{dataset}/dataset.json") or {}
        if description.get("derived"):
            yield f"{study.title('dataset', dataset)}: {sentence(description['derived'])}"
