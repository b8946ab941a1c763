"""Trivial baselines: what a few plain numbers of each image reach under the same protocol.

A logistic regression on the mean colour, on the area of the cell or on the colours around the cell,
and the majority class. Each is fitted on the training images of a fold alone and predicts its test
images, as the networks do. A network that is not above the mean colour has not been shown to
recognise cells. Validation images are not used.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blastfold.core.fold_table import ratio_of_test_to_train, read_folds, select_parts
from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.image_measures import BY_GROUND, MEASURES_OF, NOT_FOUND, read_measures
from blastfold.core.manifest import class_names, read_manifest
from blastfold.core.names import (
    BASELINES,
    FOLDS,
    MACRO_AUC,
    METRICS,
    OVER_CLASSES,
    POOLED,
    TEST,
    TRAIN,
)
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import (
    PREFIX,
    mark_positive,
    predicted_classes,
    prediction_table,
    read_test_predictions,
    write_predictions,
)
from blastfold.core.tables import write_table
from blastfold.evaluation.class_comparisons import class_difference, paired_rows
from blastfold.evaluation.intervals import INTERVAL_COLUMNS, LEVEL
from blastfold.evaluation.metrics import measured_metrics, metrics_table
from blastfold.statistics.class_grouped import group_classes
from blastfold.statistics.comparison import compare, model_pair
from blastfold.statistics.intervals import Interval, interval
from blastfold.statistics.pairing import pair_groups, pair_predictions

PER_BASELINE = ("predictions", "metrics", "intervals")
"""The tables of each baseline."""

COMPARED = ("auc", "accuracy")
"""The metrics in which networks are compared with baselines; of more than two classes also those of
:data:`blastfold.core.names.OVER_CLASSES`."""

DIFFERENCE_COLUMNS = (
    *("model", "baseline", "metric", "network_value", "baseline_value"),
    *("difference", "lower", "upper", "images", "groups", "note"),
)

Path = str | os.PathLike


def estimate_baselines(
    measures: Path,
    manifest: Path,
    folds: Path,
    groups: Path,
    networks: Mapping[str, Path],
    outputs: Mapping[str, Sequence[Path]],
    differences: Path,
    positive: Sequence[str] | None = None,
) -> None:
    """Fit, test and compare the trivial baselines of one split.

    Args:
        measures: Measures of the images, see :mod:`blastfold.core.image_measures`.
        manifest: Manifest of the data set.
        folds: Fold table of the protocol.
        groups: ``groups.tsv`` of the data set.
        networks: Predictions of the networks of the split, by model.
        outputs: Paths to write by kind (:data:`PER_BASELINE`), one for each baseline in the order
            of :data:`blastfold.core.names.BASELINES`: tables as those of a model.
        differences: Table to write, see :func:`difference_table`.
        positive: Names of the positive classes; None for the last of two classes.

    Raises:
        InputError: A file lacks a column, or an image a leakage group; or there are more than two
            classes and none is named positive.
    """
    images, measured, by_image = (
        read_manifest(manifest),
        read_measures(measures),
        read_groups(groups),
    )
    split, ratio = read_folds(folds), ratio_of_test_to_train(folds)
    tested = {}
    for place, baseline in enumerate(BASELINES):
        predictions = predict_baseline(baseline, images, measured, split)
        write_predictions(mark_positive(predictions, positive), outputs["predictions"][place])
        tested[baseline] = read_test_predictions(outputs["predictions"][place])
        note = measures_note(baseline, measured.reindex(images["image_id"]))
        table = _annotated(metrics_table(tested[baseline]), note)
        write_table(table, outputs["metrics"][place])
        table = _annotated(baseline_intervals(tested[baseline], by_image, ratio), note)
        table = note_unknown(table, [groups], tested[baseline]["image_id"])
        write_noted(table, outputs["intervals"][place])
    predicted = {model: read_test_predictions([path]) for model, path in networks.items()}
    table = difference_table(predicted, tested, by_image)
    write_noted(note_unknown(table, [groups], split["image_id"]), differences)


def predict_baseline(
    baseline: str, images: pd.DataFrame, measured: pd.DataFrame, folds: pd.DataFrame
) -> pd.DataFrame:
    """Fit a baseline in every fold and predict its test images.

    Args:
        baseline: A name of :data:`blastfold.core.names.BASELINES`.
        images: Manifest: image_id, label and class.
        measured: As :func:`blastfold.core.image_measures.read_measures` returns it.
        folds: image_id, repeat, fold and role.

    Returns:
        Predictions of the test images, see :mod:`blastfold.core.predictions`. Without measures, and
        where training images are of one class, the majority class has probability 1 (the last one
        of equally frequent classes).
    """
    classes = class_names(images)
    values = measured.reindex(images["image_id"])[list(MEASURES_OF[baseline])].to_numpy()
    tables = []
    for (repeat, fold), roles in folds.groupby(["repeat", "fold"], sort=True):
        parts = select_parts(images, roles)
        train, test = parts[TRAIN], parts[TEST]
        found = fitted_probabilities(
            *(values[train.rows], train.labels, values[test.rows], len(classes))
        )
        names = images["image_id"].to_numpy()[test.rows]
        tables.append(prediction_table(names, fold, TEST, test.labels, found, classes, repeat))
    return pd.concat(tables, ignore_index=True)


def fitted_probabilities(
    training: np.ndarray, labels: np.ndarray, tested: np.ndarray, classes: int
) -> np.ndarray:
    """Fit a logistic regression and predict every class.

    Args:
        training: float64 (n, measures); NaN takes the mean of the training images.
        labels: int64 (n,), index of the class.
        tested: float64 (m, measures).
        classes: Number of classes; one without training images has probability 0.

    Returns:
        float64 (m, classes). Measures are scaled by mean and standard deviation of the training
        images; the regression is scikit-learn's with its default penalty (L2, C = 1), multinomial
        from three classes on. A measure that all training images lack is left out.
    """
    known = ~np.isnan(training).all(axis=0)
    probabilities = np.zeros((len(tested), classes))
    counts = np.bincount(labels, minlength=classes)
    if (counts > 0).sum() < 2 or not known.any():
        probabilities[:, classes - 1 - counts[::-1].argmax()] = 1
        return probabilities
    mean = np.nanmean(training[:, known], axis=0)
    filled = [
        np.where(np.isnan(part[:, known]), mean, part[:, known]) for part in (training, tested)
    ]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(filled[0], labels)
    probabilities[:, model.classes_] = model.predict_proba(filled[1])
    if classes == 2:
        probabilities[:, 0] = 1 - probabilities[:, 1]
    return probabilities


def measures_note(baseline: str, measured: pd.DataFrame) -> str:
    """Return what limits the measures of a baseline, as a stored note; empty for nothing."""
    if "red" in MEASURES_OF[baseline] or not MEASURES_OF[baseline]:
        return ""
    found_by = measured["found_by"]
    missing = int((found_by == NOT_FOUND).sum())
    if missing == len(measured):
        return make_note("no_cell_found")
    masked = baseline == "background" and (found_by.isin([BY_GROUND, NOT_FOUND])).all()
    return join_notes(
        make_note("ground_is_masked") if masked else "",
        make_note("cell_not_found", missing, len(measured)) if missing else "",
    )


def baseline_intervals(tested: pd.DataFrame, groups: pd.Series, ratio: float) -> pd.DataFrame:
    """Return the interval of every metric, one row per view and metric.

    Args:
        tested: Test predictions of a baseline.
        groups: Leakage group by image_id.
        ratio: Test images per training image of a fold.

    Returns:
        The columns of :data:`blastfold.evaluation.intervals.INTERVAL_COLUMNS`, all recommended: the
        jackknife over leakage groups for pooled images, the corrected resampled t over folds. An
        AUC has no interval where all images of a fold have one prediction.
    """
    members = pair_groups(tested, groups)
    by_fold = tested.groupby("fold")
    ranked = {"auc": ["probability"]}
    ranked[MACRO_AUC] = [PREFIX + name for name in predicted_classes(tested)]
    constant = {
        metric: (by_fold[columns].nunique() == 1).all(axis=None)
        for metric, columns in ranked.items()
    }
    rows = []
    for metric in measured_metrics(tested):
        for found in _intervals_of(metric, tested, members, ratio):
            row = {"view": FOLDS if found.method == "corrected-t" else POOLED, **vars(found)}
            if constant.get(metric):
                note = join_notes(make_note("constant_in_each_fold"), found.note)
                row |= {"lower": np.nan, "upper": np.nan, "note": note}
            rows.append(row | {"recommended": True})
    return pd.DataFrame(rows)[list(INTERVAL_COLUMNS)]


def difference_table(
    networks: Mapping[str, pd.DataFrame], baselines: Mapping[str, pd.DataFrame], groups: pd.Series
) -> pd.DataFrame:
    """Compare every network with every baseline on the same test images.

    Args:
        networks: Test predictions by model.
        baselines: Test predictions by baseline.
        groups: Leakage group by image_id.

    Returns:
        Columns :data:`DIFFERENCE_COLUMNS`; network minus baseline, with the interval of the
        jackknife over leakage groups. It is about these trained networks and other images of other
        groups, not about other trainings. The note ``not_above_baseline`` marks an interval that
        includes 0 or is below it.
    """
    rows = [
        {"model": model, "baseline": baseline, **row}
        for model, network in networks.items()
        for baseline, plain in baselines.items()
        for row in _differences(network, plain, (model, baseline), groups)
    ]
    return pd.DataFrame(rows, columns=list(DIFFERENCE_COLUMNS))


def _differences(
    network: pd.DataFrame, plain: pd.DataFrame, names: tuple[str, str], groups: pd.Series
) -> Iterator[dict]:
    paired = pair_predictions(network, plain, names)
    pairs = model_pair(paired, groups), model_pair(paired)
    for metric in COMPARED:
        found, note = compare(metric, pairs[0], level=LEVEL), ""
        if np.isnan(found.lower) and not np.isnan(found.difference):
            found, note = (
                compare(metric, pairs[1], level=LEVEL),
                make_note("images_instead_of_groups"),
            )
        if found.lower <= 0:
            note = join_notes(make_note("not_above_baseline"), note)
        yield {
            "metric": metric,
            "network_value": found.first,
            "baseline_value": found.second,
            **{name: getattr(found, name) for name in ("difference", "lower", "upper")},
            **{name: getattr(found, name) for name in ("images", "groups")},
            "note": join_notes(note, found.note),
        }
    if measured_metrics(network) != METRICS:
        yield from _class_differences(network, plain, names, groups)


def _class_differences(
    network: pd.DataFrame, plain: pd.DataFrame, names: tuple[str, str], groups: pd.Series
) -> Iterator[dict]:
    """Yield the differences over all classes of more than two."""
    pair = paired_rows(network, plain, names)
    member = pair_groups(pair[0], groups)
    grouped, alone = (
        [group_classes(side, by) for side in pair] for by in (member, pair[0]["image_id"])
    )
    for metric in OVER_CLASSES:
        row = dict.fromkeys(("lower", "upper"), np.nan) | class_difference(metric, grouped, alone)
        below = make_note("not_above_baseline") if row["lower"] <= 0 else ""
        yield {
            "metric": metric,
            "network_value": row["first"],
            "baseline_value": row["second"],
            **{name: row[name] for name in ("difference", "lower", "upper")},
            **{"images": alone[0].groups, "groups": grouped[0].groups},
            "note": join_notes(below, row["note"]),
        }


def _intervals_of(
    metric: str, tested: pd.DataFrame, members: np.ndarray, ratio: float
) -> Iterator[Interval]:
    found = interval(metric, tested, members, level=LEVEL)
    if np.isnan(found.lower) and not np.isnan(found.value):
        found = interval(metric, tested, None, level=LEVEL)
        note = join_notes(make_note("images_instead_of_groups"), found.note)
        found = Interval(**{**vars(found), "note": note})
    yield found
    if tested["fold"].nunique() > 1:
        yield interval(metric, tested, members, "corrected-t", level=LEVEL, test_to_train=ratio)


def _annotated(table: pd.DataFrame, note: str) -> pd.DataFrame:
    """Return a table with a note in every row; values of an unknown baseline are left out."""
    if not note:
        return table
    noted = table.assign(note=[join_notes(note, old) for old in table["note"].fillna("")])
    if note == make_note("no_cell_found"):
        numbers = [name for name in ("value", "lower", "upper") if name in noted]
        noted = noted.assign(**dict.fromkeys(numbers, np.nan), note=note)
    return noted
