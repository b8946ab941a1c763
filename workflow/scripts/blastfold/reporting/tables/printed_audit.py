"""Audit of result tables, the thesis' and our own: can these figures come from whole counts?"""

import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import written_whole
from blastfold.reporting.tables.reproduction import MODEL_TITLES, read_published
from blastfold.reporting.tables.writing import METRICS, write_table
from blastfold.statistics.metrics import TOTALS, metric_values
from blastfold.statistics.printed_results import PrintedAudit, audit_printed_result

logger = logging.getLogger(__name__)

RATES = ("accuracy", "sensitivity", "specificity")
"""The printed figures that come from one confusion matrix."""

CELLS = list(TOTALS[:4])
"""The confusion matrix, as the columns of ``confusion.tsv``."""

OF_COUNTS = tuple(metric for metric in METRICS if metric != "auc")
"""The metrics that a confusion matrix determines."""

VERDICT_TITLES = {"different class ratio": "implies a different class ratio"}

MOST_LISTED = 1000
"""A row that more matrices could print (one without sensitivity) has them counted, not listed."""

OWN_TOLERANCE = 1e-6
"""Percentage points; our tables hold all digits, so that no rounding needs to be allowed for."""

HOLDS = "holds"

Paths = Iterable[str | os.PathLike]


def tabulate_printed_audit(
    published: str | os.PathLike,
    split_sizes: str | os.PathLike,
    matrices: str | os.PathLike,
    paths: Paths,
) -> None:
    """Write which printed results of the thesis are possible.

    Args:
        published: ``resources/published_results.tsv``.
        split_sizes: ``resources/split_sizes.tsv``: dataset, test_images, expected_positives.
        matrices: Output, the confusion matrices that could print each row.
        paths: Tables to write (see :func:`blastfold.reporting.tables.writing.write_table`).
    """
    sizes = pd.read_csv(split_sizes, sep="\t").set_index("dataset")
    rows = read_published(published)
    table, listed = audit_published(rows, sizes)
    with written_whole(matrices) as partial:
        listed.to_csv(partial, sep="\t", index=False)
    figures = table.drop_duplicates(["dataset", *RATES])
    impossible = int((figures["verdict"] == "impossible").sum())
    caption = (
        "Can the printed results be true? Accuracy, sensitivity and specificity of one row come "
        "from one confusion matrix of whole numbers; all matrices of the printed number of test "
        f"images were tried. Of {len(figures)} different results, {impossible} are impossible."
    )
    left_out = rows.loc[rows["accuracy"] == "", "source"].tolist()
    if left_out:
        caption += f" Not audited, because no accuracy is printed: {', '.join(left_out)}."
    write_table(table, paths, caption, "tab:printed-audit")


def audit_published(
    published: pd.DataFrame, sizes: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Audit every printed row that has an accuracy.

    Args:
        published: Text columns source, dataset, model, accuracy, sensitivity and specificity
            (percent as printed, empty where not printed).
        sizes: test_images and expected_positives (of a stratified split), by dataset.

    Returns:
        The audit: dataset, model, model_title, printed_in, images, the figures as printed,
        verdict (possible, impossible or "different class ratio"), verdict_title,
        possible_matrices and note (the reason, and an example). And the matrices: dataset, model,
        printed_in, the four cells and positives; rows of more than MOST_LISTED are left out.

    Raises:
        InputError: A data set has no size, or a figure is not a percentage.
    """
    rows, lists = [], []
    for printed in published[published["accuracy"] != ""].to_dict("records"):
        place = f"printed results, {printed['source']}, {printed['model']}"
        if printed["dataset"] not in sizes.index:
            raise InputError(
                f"{place}: data set {printed['dataset']!r} has no number of test images, expected "
                f"one of {sizes.index.tolist()}"
            )
        size = sizes.loc[printed["dataset"]]
        try:
            found = audit_printed_result(
                int(size["test_images"]),
                *(float(printed[name]) if printed[name] else None for name in RATES),
                expected_positives=int(size["expected_positives"]),
            )
        except (InputError, ValueError) as error:
            raise InputError(f"{place}: {error}") from None
        row = {"dataset": printed["dataset"], "model": printed["model"]}
        row["model_title"] = MODEL_TITLES.get(printed["model"], printed["model"])
        row |= {"printed_in": printed["source"], "images": int(size["test_images"])}
        row |= {name: printed[name] for name in RATES}
        row |= {"verdict": found.verdict, "possible_matrices": len(found.matrices)}
        row["verdict_title"] = VERDICT_TITLES.get(found.verdict, found.verdict)
        rows.append(row | {"note": _explain(printed, found, int(size["expected_positives"]))})
        if len(found.matrices) <= MOST_LISTED:
            names = {name: row[name] for name in ("dataset", "model", "printed_in")}
            lists.append(found.matrices.assign(**names))
    columns = ["dataset", "model", "printed_in", *CELLS, "positives"]
    listed = pd.concat(lists) if lists else pd.DataFrame(columns=columns)
    return pd.DataFrame(rows), listed[columns]


def _explain(printed: Mapping[str, str], found: PrintedAudit, expected_positives: int) -> str:
    parts = [*found.reasons]
    absent = [name for name in RATES if not printed[name]]
    if absent:
        parts.append(f"{' and '.join(absent)} not printed, so that any value is allowed")
    if len(found.matrices) > MOST_LISTED:
        parts.append("too many matrices to list")
    elif len(found.matrices):
        distance = (found.matrices["positives"] - expected_positives).abs()
        cells = found.matrices.loc[distance.idxmin()]
        counted = "the only matrix" if len(found.matrices) == 1 else "for instance"
        parts.append(
            f"{counted}: {cells['true_positive']} of {cells['positives']} blasts and "
            f"{cells['true_negative']} of {cells['true_negative'] + cells['false_positive']} "
            "normals right"
        )
    return "; ".join(parts)


def audit_own_results(
    results: Mapping[str, str | os.PathLike],
    confusions: Paths,
    runs: Sequence[dict],
    paths: Paths,
) -> None:
    """Recompute every row of our tables of results from the confusion matrices.

    Args:
        results: ``results.tsv`` by name of the data set.
        confusions: ``confusion.tsv`` of each run.
        runs: For each run, in the same order, a dict with its dataset, protocol and model and
            their titles.
        paths: Tables to write.

    Raises:
        InputError: A row cannot come from its confusion matrix; the message lists all of these.
    """
    matrices = {
        (run["dataset"], run["protocol"], run["model"]): _read_confusion(path)
        for path, run in zip(confusions, runs, strict=True)
    }
    rows = []
    for dataset, path in results.items():
        table = pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""])
        for row in table.to_dict("records"):
            key = (dataset, row["protocol"], row["model"])
            if key not in matrices:
                raise InputError(f"{path}: {'/'.join(key)} has no confusion matrix")
            rows.append({"dataset": dataset, **row} | audit_row(row, matrices[key]))
    table = _own_table(pd.DataFrame(rows), runs)
    wrong = table[table["verdict"] != HOLDS]
    if len(wrong):
        told = "\n".join(
            f"{row.dataset}/{row.protocol}/{row.model}, {row.view}: {row.verdict}"
            for row in wrong.itertuples()
        )
        raise InputError(f"{len(wrong)} rows of the tables of results cannot hold:\n{told}")
    logger.info("%d rows of results come from their confusion matrices", len(table))
    caption = (
        "The audit of our own results: every row recomputed from its confusion matrix, and the "
        "number of matrices of as many test images that would give the same accuracy, sensitivity "
        "and specificity."
    )
    write_table(table, paths, caption, "tab:own-audit")


def audit_row(row: Mapping[str, object], confusion: pd.DataFrame) -> dict:
    """Check one row of our results.

    Args:
        row: view ("single test set", "mean of folds" or "pooled folds"), the metrics as
            fractions (NaN where undefined), for the mean also ``<metric>_sd``.
        confusion: Counts by scope (fold-0, ..., pooled), the columns of CELLS.

    Returns:
        images (test images), verdict ("holds", or what does not), possible_matrices (None for a
        mean over folds, which has no matrix of its own) and note.
    """
    folds = confusion.loc[[scope for scope in confusion.index if scope.startswith("fold-")]]
    pooled = folds.sum()
    answer = {"images": int(pooled.sum()), "possible_matrices": None, "note": ""}
    if any(math.isnan(float(row[name])) for name in RATES) and isinstance(row["note"], str):
        answer["note"] = row["note"]
    if not (confusion.loc["pooled"] == pooled).all():
        return answer | {"verdict": "the folds' matrices do not add up to the pooled one"}
    if row["view"] == "mean of folds":
        problem = _differing(row, _mean_and_deviation(folds))
        reason = "a mean over folds has no confusion matrix of its own"
        note = "; ".join(filter(None, [answer["note"], reason]))
        return answer | {"verdict": problem or HOLDS, "note": note}
    if row["view"] not in ("single test set", "pooled folds"):
        return answer | {"verdict": f"the view {row['view']!r} is not known"}
    possible, problem = _possible_matrices(row, pooled)
    answer["possible_matrices"] = possible
    values = {metric: float(_recompute(metric, pooled)) for metric in OF_COUNTS}
    return answer | {"verdict": problem or _differing(row, values) or HOLDS}


def _possible_matrices(row: Mapping[str, object], cells: pd.Series) -> tuple[int, str]:
    """Try all matrices of as many images: how many give the row, and why none does."""
    figures = [100 * float(row[name]) for name in RATES]
    if any(math.isnan(figure) for figure in figures):
        # A test set of one class: its class and the accuracy leave one matrix.
        one_class = cells["true_positive"] + cells["false_negative"] in (0, cells.sum())
        return int(one_class), "" if one_class else "a rate is missing, but both classes are there"
    try:
        found = audit_printed_result(int(cells.sum()), *figures, tolerance=OWN_TOLERANCE)
    except InputError as error:
        return 0, f"impossible: {error}"
    if found.matrices.empty:
        return 0, f"impossible: {'; '.join(found.reasons)}"
    return len(found.matrices), ""


def _recompute(metric: str, cells: pd.DataFrame | pd.Series) -> np.ndarray:
    counts = cells[CELLS].to_numpy(float)
    # The number of ordered pairs, which no confusion matrix knows, is for the AUC alone.
    unknown = np.full((*counts.shape[:-1], 1), np.nan)
    values = metric_values(metric, np.concatenate([counts, unknown], axis=-1))
    # Of a test set without a blast, none of them called, the evaluation gives F1 as 0.
    return np.nan_to_num(values) if metric == "f1" else values


def _mean_and_deviation(folds: pd.DataFrame) -> dict[str, float]:
    values = pd.DataFrame({metric: _recompute(metric, folds) for metric in OF_COUNTS})
    return values.mean().to_dict() | values.std(ddof=1).add_suffix("_sd").to_dict()


def _differing(row: Mapping[str, object], values: Mapping[str, float]) -> str:
    """Name the figures of a row that differ from the recomputed ones; nothing when none does."""
    given = {name: float(row[name]) for name in values}
    return "; ".join(
        f"{name} is {given[name]:g}, the confusion matrix gives {value:g}"
        for name, value in values.items()
        if not np.isclose(given[name], value, rtol=0, atol=1e-9, equal_nan=True)
    )


def _read_confusion(path: str | os.PathLike) -> pd.DataFrame:
    table = pd.read_csv(path, sep="\t", index_col="scope")
    absent = [column for column in CELLS if column not in table]
    if absent or "pooled" not in table.index:
        raise InputError(
            f"{Path(path)}: expected the columns scope, {', '.join(CELLS)} and the scope 'pooled', "
            f"got {table.columns.tolist()} and {table.index.tolist()}"
        )
    return table[CELLS]


def _own_table(table: pd.DataFrame, runs: Sequence[dict]) -> pd.DataFrame:
    titles = {run["dataset"]: run["dataset_title"] for run in runs}
    table.insert(1, "dataset_title", table["dataset"].map(titles))
    names = [
        f"{kind}{part}" for kind in ("dataset", "protocol", "model") for part in ("", "_title")
    ]
    columns = [*names, "view", "images", *RATES, "verdict", "possible_matrices", "note"]
    return table[columns].astype({"possible_matrices": "Int64"})
