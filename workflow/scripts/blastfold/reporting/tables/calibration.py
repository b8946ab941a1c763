"""The tables of calibration and operating points: all models under one protocol."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import OPERATING_METRICS, POOLED
from blastfold.core.notes import without_notes
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import MINUS, MISSING, write_table

Paths = Iterable[str | os.PathLike]

VALIDATION_COUNTS = ("validation_positives", "validation_positive_groups")

POINT_TITLES = {
    "threshold-0.5": "Threshold 0.5",
    "youden": "Youden index, on validation",
    "sensitivity-0.95": "Sensitivity 95 %, on validation",
    "specificity-0.90": "Specificity 90 %, on the ROC curve",
    "specificity-0.95": "Specificity 95 %, on the ROC curve",
}

ERROR, BRIER = "calibration_error_width", "brier"

SHOWN_CALIBRATION = {
    ERROR: "equal-width_error",
    f"{ERROR}_after": "error_after_temperature",
    f"{ERROR}_platt": "error_after_platt",
    BRIER: "brier_score",
    f"{BRIER}_after": "brier_after_temperature",
    f"{BRIER}_platt": "brier_after_platt",
}
"""What LaTeX and Markdown call the columns of numbers, each with its interval."""

FITTED = ("temperature", "platt_slope", "platt_intercept")
"""What is fitted in every fold, shown as a range over the folds."""


def tabulate_calibration(
    calibrations: Paths,
    operating_points: Paths,
    models: Sequence[tuple[str, str]],
    title: str,
    label: str,
    outputs: dict[str, Paths],
) -> None:
    """Write the tables of calibration and of operating points of all models.

    Args:
        calibrations: ``calibration.tsv`` of each model.
        operating_points: ``operating_points.tsv`` of each model.
        models: Name and title of each model, in the same order.
        title: Titles of data set and protocol.
        label: End of the LaTeX labels.
        outputs: Tables to write by name: calibration, operating_points (see
            :func:`reporting.tables.writing.write_table`). The TSV holds all exact numbers.

    Raises:
        InputError: When a table has no pooled row.
    """
    calibration = calibration_rows([_read(path) for path in calibrations], models)
    points = operating_rows([_read(path) for path in operating_points], models)
    caption = (
        f"Calibration on {title}: expected calibration error (bins of equal width, twice the cube "
        "root of the images and 15 at most) and Brier score of the pooled test images, as "
        "predicted, after temperature scaling and after Platt scaling, both fitted on the "
        "validation images of each fold. In brackets: 95 % interval over groups; that of the "
        "error leaves out what chance adds and can end below the printed "
        "value. The error if calibrated is what perfect calibration would show with these "
        "probabilities and independent images: mean, and 95th percentile in brackets."
    )
    _write(
        calibration, shown_calibration, outputs["calibration"], caption, f"tab:calibration-{label}"
    )
    caption = (
        f"Operating points on {title}: pooled test images, with 95 % intervals over groups, "
        "those of the same metrics in the table of results. Thresholds are chosen on the "
        "validation images of each fold; the sensitivity at a fixed specificity is read from the "
        "ROC curve of the test images, and its interval includes the choice of that threshold. "
        "Validation positives: images of the positive class, and their groups, that the threshold "
        "of a fold rests on."
    )
    _write(points, shown_operating, outputs["operating_points"], caption, f"tab:operating-{label}")


def calibration_rows(
    tables: Sequence[pd.DataFrame], models: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Return the pooled row of every model.

    Args:
        tables: ``calibration.tsv`` of each model.
        models: Name and title of each model.

    Returns:
        model, model_title, images, groups, bins, validation_images, each of :data:`FITTED` with
        ``_min`` and ``_max`` (over the folds), the measures of calibration in every state, note
        (codes).
    """
    rows = []
    for table, (model, model_title) in zip(tables, models, strict=True):
        pooled = _pooled(table, model).iloc[0]
        folds = table[table["scope"] != POOLED]
        row = {"model": model, "model_title": model_title}
        counts = ("images", "groups", "bins", "validation_images")
        row |= {name: pooled[name] for name in counts}
        for name in FITTED:
            row |= {f"{name}_min": folds[name].min(), f"{name}_max": folds[name].max()}
        measured = pooled.drop(["scope", *counts, *FITTED, "note"])
        # The range of temperatures shows that every fold has its own.
        note = without_notes(pooled["note"], "temperature_per_fold")
        rows.append(row | measured.to_dict() | {"note": note})
    return pd.DataFrame(rows)


def operating_rows(
    tables: Sequence[pd.DataFrame], models: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Return the pooled rows of every model.

    Args:
        tables: ``operating_points.tsv`` of each model.
        models: Name and title of each model.

    Returns:
        model, model_title, operating_point and the columns of the file; note holds codes.
    """
    rows = []
    for table, (model, model_title) in zip(tables, models, strict=True):
        pooled = _pooled(table, model).drop(columns="scope")
        pooled.insert(0, "model", model)
        pooled.insert(1, "model_title", model_title)
        rows.append(pooled)
    return pd.concat(rows, ignore_index=True)


def shown_calibration(table: pd.DataFrame) -> pd.DataFrame:
    """Lay :func:`calibration_rows` out for print: three decimals, ranges of what was fitted."""
    shown = table[["model", "model_title"]].copy()
    for name in FITTED:
        pairs = zip(table[f"{name}_min"], table[f"{name}_max"], strict=True)
        shown[name] = [_span(smallest, largest, 2) for smallest, largest in pairs]
    for column, heading in SHOWN_CALIBRATION.items():
        limits = (table[column], table[f"{column}_lower"], table[f"{column}_upper"])
        shown[heading] = [_with_limits(*values) for values in zip(*limits, strict=True)]
        if column == ERROR:
            reference = zip(table[f"{ERROR}_expected"], table[f"{ERROR}_percentile"], strict=True)
            shown["error_if_calibrated"] = [f"{mean:.3f} [{end:.3f}]" for mean, end in reference]
    return shown.assign(note=table["note"])


def shown_operating(table: pd.DataFrame) -> pd.DataFrame:
    """Lay :func:`operating_rows` out for print: a range of thresholds and shorter notes."""
    shown = table[["model", "model_title"]].copy()
    points = table["operating_point"]
    shown["operating_point"] = [POINT_TITLES.get(name, name) for name in points]
    pairs = zip(table["threshold_min"], table["threshold_max"], strict=True)
    shown["threshold"] = [_span(smallest, largest, 3) for smallest, largest in pairs]
    counts = [
        zip(table[f"{name}_min"], table[f"{name}_max"], strict=True) for name in VALIDATION_COUNTS
    ]
    texts = [[_span(*pair, 0) for pair in pairs] for pairs in counts]
    chosen = table["validation_positives_max"] > 0
    shown["validation_positives_(groups)"] = [
        f"{images} ({groups})" if any_chosen else "none"
        for images, groups, any_chosen in zip(*texts, chosen, strict=True)
    ]
    for measure in OPERATING_METRICS:
        columns = [measure, f"{measure}_lower", f"{measure}_upper"]
        shown[columns] = table[columns]
    return shown.assign(note=table["note"])


def _write(table: pd.DataFrame, layout, paths: Paths, caption: str, label: str) -> None:
    paths = [Path(path) for path in paths]
    exact = [path for path in paths if path.suffix == ".tsv"]
    notes = [sentences(note) for note in table["note"]]
    write_table(table.assign(note=notes), exact, caption, label)
    shown = layout(table)
    # Numbers of effective groups and of resamples differ by row; the TSV has them.
    notes = [sentences(note, short=True) for note in shown["note"]]
    others = [path for path in paths if path not in exact]
    write_table(shown.assign(note=notes), others, caption, label)


def _read(path: str | os.PathLike) -> pd.DataFrame:
    return read_table(path, ("scope", "note"))


def _pooled(table: pd.DataFrame, model: str) -> pd.DataFrame:
    rows = table[table["scope"] == POOLED]
    if rows.empty:
        raise InputError(f"model {model}: column scope holds no 'pooled', expected one at least")
    return rows


def _with_limits(value: float, lower: float, upper: float) -> str:
    limits = f" [{lower:.3f}, {upper:.3f}]" if pd.notna(lower) else ""
    return f"{value:.3f}{limits}"


def _span(smallest: float, largest: float, decimals: int) -> str:
    if pd.isna(smallest):
        return MISSING
    first, last = (f"{end:.{decimals}f}".replace("-", MINUS) for end in (smallest, largest))
    return first if first == last else f"{first} to {last}"
