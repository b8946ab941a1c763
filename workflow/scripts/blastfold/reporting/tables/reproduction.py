"""The thesis' printed results and ours, and the literature that it compares itself with."""

import os
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from blastfold.core.names import RATES
from blastfold.core.tables import read_text_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.results import headline_scope, read_metrics
from blastfold.reporting.tables.writing import heading_of, write_table

PRINTED_METRICS = (*RATES, "auc")
"""What the thesis prints for every data set and model (Tables 5.2 to 5.9)."""

MODEL_TITLES = {"densenet169": "DenseNet169", "vgg19": "VGG19", "simple_cnn": "Simple CNN"}
"""The thesis' models, by the names under which a config has to list them to reproduce them."""

NOT_RUN = "not run"

Paths = Iterable[str | os.PathLike]


def tabulate_reproduction(
    published: str | os.PathLike, metrics: Paths, runs: Sequence[dict], paths: Paths
) -> None:
    """Write every value that the thesis prints, and ours.

    Args:
        published: ``resources/published_results.tsv``.
        metrics: ``metrics.tsv`` of each run.
        runs: For each run, in the same order, a dict with its dataset, protocol and model, their
            titles (``dataset_title`` ...) and ``reproduces``, the thesis' data set or None.
        paths: Tables to write.
    """
    results = [run | headline(path) for path, run in zip(metrics, runs, strict=True)]
    table = reproduction_table(printed_values(read_published(published)), results)
    caption = (
        "Every value printed in the thesis and ours (the mean of the folds where there are "
        "several). A value that the thesis prints in more than one version has a row for each."
    )
    write_table(table, paths, caption, "tab:reproduction")


def tabulate_literature(literature: str | os.PathLike, paths: Paths) -> None:
    """Write the accuracies that the thesis collects from the literature (thesis Table 2.1).

    Args:
        literature: ``resources/literature.tsv``.
        paths: Tables to write.
    """
    table = read_literature(literature).rename(columns={"accuracy": "printed_accuracy"})
    caption = (
        "Accuracy reported in the literature, as Abed (2022) lists it. Tasks, images and "
        "protocols differ, so that the values cannot be ranked against each other."
    )
    write_table(table, paths, caption, "tab:literature")


def read_published(path: str | os.PathLike) -> pd.DataFrame:
    """Read the thesis' printed results, every value as the text that is printed."""
    return read_text_table(path)


def read_literature(path: str | os.PathLike) -> pd.DataFrame:
    """Read the literature, best accuracy (percent, as the text that is printed) first."""
    table = read_text_table(path)
    order = table["accuracy"].astype(float).sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def headline(path: str | os.PathLike) -> dict:
    """Return the metrics (fractions) that are quoted as a run's result, and note (codes)."""
    metrics = read_metrics(path)
    return metrics.loc[headline_scope(metrics)].to_dict()


def printed_values(published: pd.DataFrame) -> pd.DataFrame:
    """List every printed value once, with all the places that print it.

    Args:
        published: As :func:`read_published` returns it.

    Returns:
        dataset, model, model_title, metric, printed (text), printed_in, note. A note names
        contradictions of the thesis.
    """
    rows = []
    for (dataset, model), sources in published.groupby(["dataset", "model"], sort=False):
        for metric in PRINTED_METRICS:
            for version, others in _versions(sources, metric):
                value = {"dataset": dataset, "model": model, "model_title": MODEL_TITLES[model]}
                value |= {"metric": metric, "printed": version[metric].iloc[0]}
                value |= {"printed_in": ", ".join(version["source"])}
                rows.append(value | {"note": _contradiction(metric, version, others)})
    return pd.DataFrame(rows)


def reproduction_table(printed: pd.DataFrame, results: Sequence[dict]) -> pd.DataFrame:
    """Compare our results with the printed values.

    Args:
        printed: As :func:`printed_values` returns it.
        results: The runs of :func:`tabulate_reproduction`, each with its metrics as fractions.

    Returns:
        One row per printed value and run that reproduces it: dataset, model, metric, printed
        (percent, as printed), printed_in, run (our data set and protocol), ours (percent, or
        "not run"), difference (points; ours minus printed), note. A run reproduces a value when
        its data set names it with ``reproduces`` and its model has the thesis' name
        (:data:`MODEL_TITLES`).
    """
    rows = []
    for value in printed.to_dict("records"):
        note = value.pop("note")
        matching = [
            result
            for result in results
            if (result["reproduces"], result["model"]) == (value["dataset"], value["model"])
        ]
        datasets = {result["dataset"] for result in matching}
        value["metric_title"] = heading_of(value["metric"]).removesuffix(" (%)")
        for result in matching:
            ours = 100 * result[value["metric"]]
            difference = ours - float(value["printed"])
            title = result["protocol_title"]
            if len(datasets) > 1:
                title = f"{result['dataset_title']}, {title}"
            measured = {"run": f"{result['dataset']}/{result['protocol']}", "run_title": title}
            measured |= {"ours": ours, "difference": difference}
            missing = sentences(result["note"]) if pd.isna(ours) else ""
            rows.append(value | measured | {"note": ". ".join(filter(None, [note, missing]))})
        if not matching:
            absent = dict.fromkeys(["run", "run_title", "difference"], "")
            absent["ours"] = NOT_RUN
            rows.append(value | absent | {"note": note})
    columns = ["dataset", "model", "model_title", "metric", "metric_title", "printed", "printed_in"]
    columns += ["run", "run_title", "ours", "difference", "note"]
    return pd.DataFrame(rows, columns=columns).astype({"ours": object, "difference": object})


def _versions(
    sources: pd.DataFrame, metric: str
) -> Iterator[tuple[pd.DataFrame, list[pd.DataFrame]]]:
    printed = sources[sources[metric] != ""]
    # 83.70 and 83.7 are one value: versions differ when their numbers do.
    versions = [rows for _, rows in printed.groupby(printed[metric].astype(float), sort=False)]
    for version in versions:
        yield version, [other for other in versions if other is not version]


def _contradiction(metric: str, version: pd.DataFrame, others: list[pd.DataFrame]) -> str:
    if not others:
        return ""
    elsewhere = [f"{other[metric].iloc[0]} in {', '.join(other['source'])}" for other in others]
    remarks = [note for note in version["note"] if note and "agrees" not in note]
    return "; ".join([f"The thesis also prints {' and '.join(elsewhere)}", *remarks])
