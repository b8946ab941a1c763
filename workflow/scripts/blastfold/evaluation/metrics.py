"""Metrics and curves of one model under one protocol, from stored predictions alone."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import metrics

from blastfold.core.errors import InputError
from blastfold.core.files import write_json, written_whole
from blastfold.core.notes import make_note
from blastfold.core.predictions import read_predictions
from blastfold.core.tables import read_text_table, write_table

logger = logging.getLogger(__name__)

THRESHOLD = 0.5
"""An image is predicted as blast when its probability reaches this value."""

POOLED, MEAN, SD = "pooled", "mean", "sd"
"""Scopes in addition to the folds: all test images of all folds together; mean and sample standard
deviation of the folds' values."""

METRICS = (
    "accuracy",
    "sensitivity",
    "specificity",
    "auc",
    "precision",
    "f1",
    "weighted_f1",
    "balanced_accuracy",
    "mcc",
)

EVALUATED = ("metrics", "confusion", "roc", "precision_recall", "report")
"""The tables of :func:`evaluate_model`."""

ONE_CLASS = make_note("one_class")
NONE_CALLED = make_note("none_predicted_positive")
CONSTANT = make_note("one_class_predicted_or_present")
ONE_FOLD = make_note("one_fold")


def evaluate_model(predictions: list[str], outputs: dict[str, str]) -> None:
    """Evaluate the test predictions of all folds of one model.

    Args:
        predictions: Tables of all folds: image_id, fold, role, label, probability.
        outputs: Paths by name, see :data:`EVALUATED`.

    Raises:
        InputError: When predictions are missing, not a probability, or doubled in a fold.
    """
    tested = read_test_predictions(predictions)
    tables = {
        "metrics": metrics_table(tested),
        "confusion": confusion_table(tested),
        "roc": curve_table(tested, roc_curve),
        "precision_recall": curve_table(tested, precision_recall_curve),
        "report": report_table(tested),
    }
    for name, path in outputs.items():
        with written_whole(path) as partial:
            tables[name].to_csv(partial, sep="\t", index=False)
    pooled = tables["metrics"].query("scope == @POOLED").set_index("metric")["value"]
    logger.info(
        "accuracy %.4f, AUC %.4f of %d test predictions (pooled)",
        pooled["accuracy"],
        pooled["auc"],
        len(tested),
    )


def pool_folds(
    predictions: list[str],
    runs: list[str],
    histories: list[str],
    layers: str,
    outputs: dict[str, str],
) -> None:
    """Collect what the trainings of all folds of one model wrote into one file of each kind.

    Args:
        predictions: Tables of one fold or of several, which are copied as they are.
        runs: Records, JSON: that of one fold or a list of several.
        histories: Tables of one fold or of several.
        layers: Layers of the network, which are the same in every fold.
        outputs: Paths of predictions, runs (a list of all records), history and layers.
    """
    tables = {"predictions": predictions, "history": histories, "layers": [layers]}
    for name, paths in tables.items():
        write_table(pd.concat([read_text_table(path) for path in paths]), outputs[name])
    records = [json.loads(Path(path).read_text("utf-8")) for path in runs]
    lists = [record if isinstance(record, list) else [record] for record in records]
    write_json([record for records in lists for record in records], outputs["runs"])


def read_test_predictions(paths: list[str]) -> pd.DataFrame:
    """Read the test predictions of all folds into one table.

    Raises:
        InputError: Names the file and the column that does not hold what is expected.
    """
    tables = []
    for path in paths:
        table = pd.read_csv(path, sep="\t", dtype={"image_id": str})
        if "probability" not in table:
            table = read_predictions(path)
        expected = ["image_id", "fold", "role", "label", "probability"]
        if missing := sorted(set(expected) - set(table.columns)):
            raise InputError(f"{path}: the columns {missing} are missing, expected {expected}")
        table = table[table["role"] == "test"]
        if table.empty:
            raise InputError(f"{path}: no row has role 'test', expected the fold's test images")
        if not table["probability"].between(0, 1).all():
            row = table.loc[~table["probability"].between(0, 1)].iloc[0]
            raise InputError(
                f"{path}: column probability holds {row['probability']} for image "
                f"{row['image_id']}, expected a number from 0 to 1"
            )
        if not table["label"].isin([0, 1]).all():
            raise InputError(f"{path}: column label must hold 0 (normal) or 1 (blast) alone")
        tables.append(table)
    tested = pd.concat(tables, ignore_index=True)
    doubled = tested.duplicated(["image_id", "fold"])
    if doubled.any():
        name = tested.loc[doubled, "image_id"].iloc[0]
        raise InputError(f"{Path(paths[0]).parent.parent}: image {name} is tested twice in a fold")
    return tested


def scopes(tested: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield every fold as ``fold-<number>`` and then all folds together as ``pooled``."""
    for fold, rows in tested.groupby("fold", sort=True):
        yield f"fold-{fold}", rows
    yield POOLED, tested


def compute_metrics(labels: np.ndarray, probability: np.ndarray) -> dict[str, tuple[float, str]]:
    """Compute every metric of METRICS at the threshold 0.5; blast is the positive class.

    Args:
        labels: int (n,) 0 normal, 1 blast.
        probability: float (n,) probability of blast.

    Returns:
        Value and note by metric. A value that is not defined is NaN and the note says why.
        ``weighted_f1`` is the C-NMC challenge's measure: the classes' F1 weighted by their share.
    """
    called = (probability >= THRESHOLD).astype(int)
    both = len(set(labels)) == 2
    mixed = both and len(set(called)) == 2
    sensitivity = metrics.recall_score(labels, called, zero_division=np.nan)
    specificity = metrics.recall_score(labels, called, pos_label=0, zero_division=np.nan)
    precision = metrics.precision_score(labels, called, zero_division=np.nan)
    one_class = "" if both else ONE_CLASS
    return {
        "accuracy": (metrics.accuracy_score(labels, called), ""),
        "sensitivity": (sensitivity, "" if (labels == 1).any() else ONE_CLASS),
        "specificity": (specificity, "" if (labels == 0).any() else ONE_CLASS),
        "auc": (metrics.roc_auc_score(labels, probability) if both else np.nan, one_class),
        "precision": (precision, "" if called.any() else NONE_CALLED),
        "f1": (metrics.f1_score(labels, called, zero_division=0.0), ""),
        "weighted_f1": (
            metrics.f1_score(labels, called, average="weighted", zero_division=0.0),
            "",
        ),
        "balanced_accuracy": ((sensitivity + specificity) / 2 if both else np.nan, one_class),
        "mcc": (
            metrics.matthews_corrcoef(labels, called) if mixed else np.nan,
            "" if mixed else CONSTANT,
        ),
    }


def metrics_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Return scope, metric, value and note: every fold, their mean and sd, and pooled."""
    rows = []
    for scope, images in scopes(tested):
        values = compute_metrics(images["label"].to_numpy(), images["probability"].to_numpy())
        rows += [(scope, metric, value, note) for metric, (value, note) in values.items()]
    table = pd.DataFrame(rows, columns=["scope", "metric", "value", "note"])
    folds = table[table["scope"] != POOLED]
    summary = [_summarise(folds, metric) for metric in METRICS]
    summary = pd.DataFrame([row for pair in summary for row in pair], columns=table.columns)
    summary = summary.sort_values("scope", kind="stable")
    return pd.concat([folds, summary, table[table["scope"] == POOLED]], ignore_index=True)


def _summarise(folds: pd.DataFrame, metric: str) -> list[tuple[str, str, float, str]]:
    rows = folds[folds["metric"] == metric]
    values, note = rows["value"].dropna(), ""
    if 0 < len(values) < len(rows):
        note = make_note("defined_folds", len(values), len(rows))
    elif values.empty:
        note = rows["note"].iloc[0]
    spread = values.std(ddof=1)
    spread_note = note if len(values) != 1 else ONE_FOLD
    return [(MEAN, metric, values.mean(), note), (SD, metric, spread, spread_note)]


def confusion_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of every fold and pooled at the threshold 0.5."""
    rows = []
    for scope, images in scopes(tested):
        called = (images["probability"] >= THRESHOLD).astype(int)
        counts = metrics.confusion_matrix(images["label"], called, labels=[0, 1]).ravel()
        rows.append((scope, *map(int, counts)))
    names = ["true_negative", "false_positive", "false_negative", "true_positive"]
    return pd.DataFrame(rows, columns=["scope", *names])


def roc_curve(labels: pd.Series, probability: pd.Series) -> pd.DataFrame:
    """Return the ROC's corners: false_positive_rate, true_positive_rate, threshold."""
    false_positive, true_positive, threshold = metrics.roc_curve(labels, probability)
    return pd.DataFrame(
        {
            "false_positive_rate": false_positive,
            "true_positive_rate": true_positive,
            "threshold": threshold,
        }
    )


def precision_recall_curve(labels: pd.Series, probability: pd.Series) -> pd.DataFrame:
    """Return recall, precision and threshold; the last point, (0, 1), has no threshold."""
    precision, recall, threshold = metrics.precision_recall_curve(labels, probability)
    return pd.DataFrame(
        {"recall": recall, "precision": precision, "threshold": [*threshold, np.inf]}
    )


def curve_table(tested: pd.DataFrame, curve) -> pd.DataFrame:
    """Return a curve of every fold and pooled; a scope with one class has none and no rows."""
    # The first table gives the columns where no scope has both classes.
    tables = [curve(pd.Series([0, 1]), pd.Series([0.0, 1.0])).head(0).assign(scope="")]
    for scope, images in scopes(tested):
        if images["label"].nunique() < 2:
            logger.warning("%s has test images of one class only: no curve", scope)
            continue
        tables.append(curve(images["label"], images["probability"]).assign(scope=scope))
    table = pd.concat(tables if len(tables) == 1 else tables[1:], ignore_index=True)
    return table[["scope", *table.columns.drop("scope")]]


def report_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Return the classification report: scope, class, precision, recall, f1, support."""
    rows = []
    for scope, images in scopes(tested):
        called = (images["probability"] >= THRESHOLD).astype(int)
        columns = metrics.precision_recall_fscore_support(
            images["label"], called, labels=[0, 1], zero_division=0.0
        )
        for name, values in zip(("normal", "blast"), zip(*columns, strict=True), strict=True):
            rows.append((scope, name, *values))
    return pd.DataFrame(rows, columns=["scope", "class", "precision", "recall", "f1", "support"])
