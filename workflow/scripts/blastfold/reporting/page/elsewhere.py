"""What the page shows of tests on other data sets, and of clinical use."""

import pandas as pd

from blastfold.core.names import MACRO_AUC
from blastfold.reporting.page.answer import interval_text
from blastfold.reporting.page.classes import external_reading, reading_of
from blastfold.reporting.page.drawing import ForestRow, forest_plot
from blastfold.reporting.page.files import printed_tables
from blastfold.reporting.page.study import Study
from blastfold.reporting.publication.data_facts import QUOTED
from blastfold.reporting.publication.wording import count
from blastfold.reporting.tables.external_test import TESTED, missing_of

FEW_POSITIVES = 10
"""Validation images of the positive class: with fewer, a threshold is a matter of chance."""


def external_section(study: Study) -> dict:
    """Return the test on other data sets: like next to like in both readings, then the tables."""
    table = study.sources.table("tables/external_test")
    if table is None:
        return {}
    classes = study.sources.table("tables/external_classes")
    over_all = [] if classes is None else _external_rows(classes, MACRO_AUC)
    return {
        "forest": forest_plot(_external_rows(table, "auc")),
        "reading": external_reading(study),
        "classes": forest_plot(over_all) if over_all else None,
        "tables": printed_tables(study, "external_classes", "external_test"),
    }


def _external_rows(table: pd.DataFrame, metric: str) -> list[ForestRow]:
    rows = []
    for _, row in table.iterrows():
        numbers = [row[f"{metric}{end}"] for end in ("", "_lower", "_upper")]
        external = row["tested"] == TESTED["external"]
        tested = row["external_title"] if external else row["dataset_title"]
        group = f"{row['model_title']}, trained on {row['dataset_title']}"
        rows.append(
            ForestRow(
                f"{tested}, {row['networks']}",
                interval_text(*numbers),
                *numbers,
                "quoted" if external else "plain",
                missing_of(row["note"]) if metric == MACRO_AUC and external else "",
                group=f"{group}, {row['protocol_title']}",
            )
        )
    return rows


def clinical_section(study: Study, dataset: str) -> dict:
    """Return operating points and predictive values under the protocol to quote."""
    split = study.best_known(dataset)
    if split is None:
        return {}
    place = f"{dataset}/{split.protocol}"
    names = (f"{place}/operating_points", f"{place}/predictive_values", f"{place}/calibration")
    return {
        "split": QUOTED.format(study.title("protocol", split.protocol)),
        "reading": reading_of(study, dataset),
        "summary": _clinical_summary(study, place),
        "caution": _threshold_caution(study, place),
        "tables": printed_tables(study, *names),
    }


def _clinical_summary(study: Study, place: str) -> dict:
    """Return one operating point of every model with its predictive values.

    It is the last one of the table of predictive values: of those that are chosen on validation
    images the one with the highest sensitivity.
    """
    values = study.sources.table(f"tables/{place}/predictive_values")
    points = study.sources.table(f"tables/{place}/operating_points")
    if values is None or points is None or values.empty:
        return {}
    chosen = values.iloc[-1]
    values = values[values["operating_point"] == chosen["operating_point"]]
    points = points[points["operating_point"] == chosen["operating_point"]].set_index("model")
    prevalences = list(dict.fromkeys(values["prevalence"]))
    rows = []
    for model, part in values.groupby("model", sort=False):
        cells = [part["model_title"].iloc[0]]
        cells += [_of(points.loc[model], rate) for rate in ("sensitivity", "specificity")]
        by_prevalence = part.set_index("prevalence")
        for prevalence in prevalences:
            row = by_prevalence.loc[prevalence]
            cells += [_of(row, "ppv"), _of(row, "npv")]
        rows.append(cells)
    headings = ["Model", "Sensitivity", "Specificity"]
    for prevalence in prevalences:
        headings += [f"{name} at {100 * prevalence:g} %" for name in ("PPV", "NPV")]
    return {"point": chosen["operating_point_title"], "headings": headings, "rows": rows}


def _threshold_caution(study: Study, place: str) -> str:
    """Say that thresholds were chosen on few validation images; empty where they were on more."""
    points = study.sources.table(f"tables/{place}/operating_points")
    column = "validation_positives_min"
    if points is None or column not in points:
        return ""
    chosen = points[pd.to_numeric(points[column]) > 0]
    fewest = int(chosen[column].min()) if len(chosen) else FEW_POSITIVES
    if fewest >= FEW_POSITIVES:
        return ""
    groups = int(chosen["validation_positive_groups_min"].min())
    images = count(fewest, "positive validation image")
    return (
        f"The threshold of a fold rests on as few as {images} of {count(groups, 'group')}: with "
        "other validation images it would be another one."
    )


def _of(row: pd.Series, name: str) -> str:
    return interval_text(*(row[f"{name}{end}"] for end in ("", "_lower", "_upper")))
