"""All classes of one model under one protocol, where there are more than two.

The other tables of the evaluation read the same predictions as positive classes against the rest.
Here the predicted class is the most probable one, the first of equally probable ones.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.names import (
    ALL_METRIC_FACTS,
    CLASS_METRIC_FACTS,
    CLASSWISE_ECE,
    FEWEST_FOR_TOP_TWO,
    MACRO_AUC,
    OF_EACH_CLASS,
    POOLED,
    QUADRATIC_KAPPA,
    TOP_TWO,
    fold_scopes,
    repeat_scopes,
)
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import PREFIX, predicted_classes, read_test_predictions
from blastfold.core.seeds import generator
from blastfold.core.tables import write_table
from blastfold.evaluation.intervals import BY_GROUP, BY_IMAGE, CROSSED, LEVEL
from blastfold.evaluation.metrics import (
    precision_recall_curve,
    roc_curve,
    scopes,
    scopes_of_repeats,
    summarise_folds,
)
from blastfold.statistics.calibration import number_of_bins
from blastfold.statistics.class_calibration import classwise_error_interval, classwise_errors
from blastfold.statistics.class_formulas import EVERY_CLASS
from blastfold.statistics.class_grouped import GroupedClasses, checked_classes, group_classes
from blastfold.statistics.grouped import GroupedPredictions
from blastfold.statistics.intervals import confidence_limits
from blastfold.statistics.metrics import metric_values, undefined_reason
from blastfold.statistics.pairing import pair_groups

logger = logging.getLogger(__name__)

CLASS_METRICS, CLASS_CONFUSION, CLASS_CURVES = "class_metrics", "class_confusion", "class_curves"
"""The tables of :func:`evaluate_all_classes`."""

NETWORK_CLASS_METRICS = "network_class_metrics"
"""The further table of :func:`evaluate_elsewhere`."""

ALL = ""
"""The class of a metric over all classes."""

BY_DRAWS = "test-inversion"
"""Method of the interval of the calibration error."""

LARGEST_CURVE = 1000
"""A curve is stored with at most this many points, evenly chosen."""

METRIC_COLUMNS = (
    *("scope", "metric", "class", "value", "lower", "upper"),
    *("method", "images", "groups", "note"),
)

Limits = tuple[float, float, str, str]


def evaluate_all_classes(
    predictions: str | os.PathLike,
    groups: str | os.PathLike,
    seed: int,
    run: Sequence[str],
    outputs: Mapping[str, str | os.PathLike],
    *,
    ordered: bool = False,
    present_only: bool = False,
) -> None:
    """Write the metrics of all classes and of each, the confusion matrix and the curves.

    Args:
        predictions: Predictions of all folds.
        groups: Leakage groups of the data set.
        seed: The experiment's seed.
        run: Names of data set, protocol and model, for the random draws.
        outputs: Paths by name: class_metrics (:func:`class_metrics_table`), class_confusion
            (:func:`class_confusion_table`) and class_curves (:func:`class_curves_table`).
        ordered: Whether the classes are grades, so that the quadratic kappa is defined.
        present_only: See :func:`class_metrics_table`.

    Raises:
        InputError: A table is not as expected, or an image has no group.
    """
    tested = read_test_predictions(predictions)
    member = pair_groups(tested, read_groups(groups))
    random_generator = generator(seed, "classwise_error", *run)
    options = {"ordered": ordered, "present_only": present_only}
    table = class_metrics_table(tested, member, random_generator, **options)
    write_noted(note_unknown(table, [groups], tested["image_id"]), outputs[CLASS_METRICS])
    write_table(class_confusion_table(tested), outputs[CLASS_CONFUSION])
    write_table(class_curves_table(tested), outputs[CLASS_CURVES])
    pooled = table[(table["scope"] == POOLED) & (table["class"] == ALL)]
    value = pooled.set_index("metric")["value"]
    logger.info(
        "accuracy %.4f, macro AUC %.4f over %d classes (pooled)",
        *(value["accuracy"], value[MACRO_AUC], len(predicted_classes(tested))),
    )


def evaluate_elsewhere(
    predictions: str | os.PathLike,
    networks: str | os.PathLike,
    groups: str | os.PathLike,
    seed: int,
    run: Sequence[str],
    outputs: Mapping[str, str | os.PathLike],
    *,
    ordered: bool = False,
) -> None:
    """Write what :func:`evaluate_all_classes` does for networks that were tested on other data.

    That data set may lack classes that the networks know: means over classes are then taken over
    those that have images, with a note.

    Args:
        predictions: Mean of the networks, one row per image.
        networks: The networks one by one, which are comparable with those of a cross-validation.
        groups: Leakage groups of the tested data set.
        seed: The experiment's seed.
        run: Names of data set, protocol, model and tested data set, for the random draws.
        outputs: As there, and network_class_metrics: the metrics of single networks.
        ordered: As there.

    Raises:
        InputError: As there.
    """
    options = {"ordered": ordered, "present_only": True}
    evaluate_all_classes(predictions, groups, seed, run, outputs, **options)
    tested = read_test_predictions(networks)
    member = pair_groups(tested, read_groups(groups))
    random_generator = generator(seed, "classwise_error", "networks", *run)
    table = class_metrics_table(tested, member, random_generator, **options)
    table = note_unknown(table, [groups], tested["image_id"])
    write_noted(table, outputs[NETWORK_CLASS_METRICS])


def metrics_over_classes(classes: int, *, ordered: bool) -> list[str]:
    """Return the metrics over all classes that are meaningful for this number of classes."""
    left_out = set() if ordered else {QUADRATIC_KAPPA}
    left_out |= set() if classes >= FEWEST_FOR_TOP_TWO else {TOP_TWO}
    return [name for name in CLASS_METRIC_FACTS if name not in left_out]


def class_metrics_table(
    tested: pd.DataFrame,
    groups: Sequence,
    random_generator: np.random.Generator,
    *,
    ordered: bool = False,
    present_only: bool = False,
) -> pd.DataFrame:
    """Measure all classes together and each class against the rest.

    Args:
        tested: Test predictions: image_id, repeat, fold, class_label, and the probability of
            every class.
        groups: The group of every row.
        random_generator: For the interval of the calibration error.
        ordered: Whether the classes are grades.
        present_only: Whether means over classes are taken over the classes that have images, if
            there are at least two, in place of being undefined without images of every class.

    Returns:
        Columns :data:`METRIC_COLUMNS`: every fold, their mean and sd, repeats and pooled; class is
        empty for metrics over all classes. Pooled images alone have limits: of the jackknife over
        groups (with several folds widened for their overlap), Wilson's where all images are
        independent.
    """
    values, sizes = [], {}
    present = _present(tested) if present_only else None
    member = pd.Series(np.asarray(groups), index=tested.index)
    for scope, images in [*scopes(tested), *scopes_of_repeats(tested)]:
        sizes[scope] = images["image_id"].nunique(), member[images.index].nunique()
        measured = _values(images, present, ordered=ordered)
        values += [{"scope": scope, **row} for row in measured]
    table = pd.DataFrame(values)
    folds = table[table["scope"].isin(fold_scopes(table["scope"]))]
    repeats = table[table["scope"].isin(repeat_scopes(table["scope"]))]
    summary = pd.DataFrame(_summaries(folds)).sort_values("scope", kind="stable")
    pooled = table[table["scope"] == POOLED]
    pooled = pd.DataFrame(_with_limits(pooled, tested, groups, random_generator, present))
    parts = [folds, summary, repeats, pooled]
    whole = pd.concat(parts, ignore_index=True).reindex(columns=list(METRIC_COLUMNS))
    pooled_only = make_note("limits_of_pooled_images_only")
    notes = zip(whole["scope"], whole["note"], strict=True)
    whole["note"] = [
        note if scope == POOLED else join_notes(note, pooled_only) for scope, note in notes
    ]
    for place, column in enumerate(("images", "groups")):
        whole[column] = [sizes.get(scope, sizes[POOLED])[place] for scope in whole["scope"]]
    return whole.fillna({"method": ""})


def class_confusion_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Count the images of every pair of true and predicted class, by fold and pooled.

    With several repeats ``pooled`` counts each image once per repeat.

    Returns:
        scope, true_class, predicted_class and images; also pairs without images.
    """
    classes, tables = predicted_classes(tested), []
    for scope, images in scopes(tested):
        label, probability = checked_classes(images)
        place = label * len(classes) + probability.argmax(axis=1)
        counts = np.bincount(place, minlength=len(classes) ** 2)
        names = {
            "true_class": np.repeat(classes, len(classes)),
            "predicted_class": np.tile(classes, len(classes)),
        }
        tables.append(pd.DataFrame({"scope": scope, **names, "images": counts}))
    return pd.concat(tables, ignore_index=True)


def class_curves_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Return the ROC and precision-recall curves of every class against the rest, pooled.

    Returns:
        scope, class, curve (roc: false and true positive rate; precision_recall: recall and
        precision), x and y; at most :data:`LARGEST_CURVE` points each. A class that has no images,
        or all of them, has no rows.
    """
    tables = [pd.DataFrame(columns=["scope", "class", "curve", "x", "y"])]
    kinds = {"roc": (roc_curve, "false_positive_rate", "true_positive_rate")}
    kinds["precision_recall"] = (precision_recall_curve, "recall", "precision")
    for place, name in enumerate(predicted_classes(tested)):
        label = (tested["class_label"] == place).astype(int)
        if label.nunique() < 2:
            logger.warning("class %s against the rest has images of one side only: no curve", name)
            continue
        images = tested.assign(label=label, probability=tested[PREFIX + name])
        for kind, (draw, x, y) in kinds.items():
            curve = draw(images)
            chosen = np.linspace(0, len(curve) - 1, min(len(curve), LARGEST_CURVE))
            curve = curve.iloc[np.unique(chosen.round().astype(int))]
            named = {"scope": POOLED, "class": name, "curve": kind}
            tables.append(pd.DataFrame({**named, "x": curve[x], "y": curve[y]}))
    return pd.concat(tables if len(tables) == 1 else tables[1:], ignore_index=True)


def _present(tested: pd.DataFrame) -> list[int] | None:
    """Return the indices of the classes that have images, None where these are all or only one."""
    found = sorted(set(tested["class_label"]))
    return found if 1 < len(found) < len(predicted_classes(tested)) else None


def _condensed(
    metric: str, grouped: GroupedClasses, present: Sequence[int] | None
) -> GroupedClasses:
    """Return the classes that a metric is about: those with images where it is their mean."""
    return grouped.only(present) if present and metric in EVERY_CLASS else grouped


def _note_of_present(metric: str, classes: int, present: Sequence[int] | None) -> str:
    if not present or metric not in EVERY_CLASS:
        return ""
    return make_note("classes_with_images", len(present), classes)


def _values(
    images: pd.DataFrame, present: Sequence[int] | None, *, ordered: bool
) -> Iterator[dict]:
    """Yield metric, class, value and note of one scope."""
    classes = predicted_classes(images)
    label, probability = checked_classes(images)
    whole = group_classes(images, np.zeros(len(images)))
    errors = classwise_errors(label, probability, number_of_bins(images))
    for metric in metrics_over_classes(len(classes), ordered=ordered):
        if metric == CLASSWISE_ECE:
            yield {"metric": metric, "class": ALL, "value": float(errors.mean()), "note": ""}
            continue
        totals = _condensed(metric, whole, present).totals()
        value, note = float(metric_values(metric, totals)), undefined_reason(metric, totals)
        note = join_notes(_note_of_present(metric, len(classes), present), note)
        yield {"metric": metric, "class": ALL, "value": value, "note": note}
    for name, one in zip(classes, whole.of_class, strict=True):
        for metric in OF_EACH_CLASS:
            totals = one.totals()
            value, note = float(metric_values(metric, totals)), undefined_reason(metric, totals)
            yield {"metric": metric, "class": name, "value": value, "note": note}


def _summaries(folds: pd.DataFrame) -> Iterator[dict]:
    """Yield mean and standard deviation over folds of every metric and class."""
    for (metric, name), rows in folds.groupby(["metric", "class"], sort=False):
        for scope, _, value, note in summarise_folds(rows, metric):
            yield {"scope": scope, "metric": metric, "class": name, "value": value, "note": note}


def _with_limits(
    pooled: pd.DataFrame,
    tested: pd.DataFrame,
    groups: Sequence,
    random_generator: np.random.Generator,
    present: Sequence[int] | None,
) -> Iterator[dict]:
    """Yield the rows of pooled images with their limits."""
    classes = predicted_classes(tested)
    grouped, alone = group_classes(tested, groups), group_classes(tested)
    crossed = tested["fold"].nunique() > 1
    for row in pooled.to_dict("records"):
        if row["metric"] == CLASSWISE_ECE:
            found = classwise_error_interval(tested, groups, random_generator)
            limits = found.lower, found.upper, BY_DRAWS, found.note
        elif row["class"] == ALL:
            sides = (_condensed(row["metric"], side, present) for side in (grouped, alone))
            *ends, method, note = _limits(row["metric"], *sides, crossed=crossed)
            about = _note_of_present(row["metric"], len(classes), present)
            limits = *ends, method, join_notes(about, note)
        else:
            place = classes.index(row["class"])
            sides = grouped.of_class[place], alone.of_class[place]
            limits = _limits(row["metric"], *sides, crossed=crossed)
        lower, upper, method, note = limits
        yield row | {"lower": lower, "upper": upper, "method": method, "note": note}


def _limits(
    metric: str,
    grouped: GroupedPredictions | GroupedClasses,
    alone: GroupedPredictions | GroupedClasses,
    *,
    crossed: bool,
) -> Limits:
    """Return lower end, upper end, method and note of a metric.

    Args:
        metric: The metric.
        grouped: Predictions by group.
        alone: The same with every image as its own group, for where groups show no spread.
        crossed: Whether networks of several folds learnt from each other's test groups.
    """
    quoted = CROSSED if crossed else BY_GROUP
    if reason := undefined_reason(metric, grouped.totals()):
        return np.nan, np.nan, quoted, reason
    once = len(alone.label) == alone.groups
    proportion = once and ALL_METRIC_FACTS[metric].proportion
    independent = grouped.groups == alone.groups
    if independent and proportion:
        lower, upper, note = confidence_limits(metric, grouped, "wilson", LEVEL)
        return lower, upper, "wilson", note
    lower, upper, note = confidence_limits(metric, grouped, quoted, LEVEL)
    if independent:
        return lower, upper, quoted, note
    other = "wilson" if proportion else BY_GROUP
    by_image = confidence_limits(metric, alone, other, LEVEL)
    if np.isnan(lower):
        name = BY_IMAGE if other == BY_GROUP else other
        return *by_image[:2], name, join_notes(make_note("images_instead_of_groups"), by_image[2])
    if upper - lower < by_image[1] - by_image[0]:
        note = join_notes(make_note("too_narrow"), note)
    return lower, upper, quoted, note
