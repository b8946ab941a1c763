"""Model against model on the same images: every metric, every pair, one family of tests."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from blastfold.core.errors import InputError
from blastfold.core.names import METRICS, THRESHOLD
from blastfold.core.notes import (
    join_notes,
    make_note,
    note_codes,
)
from blastfold.statistics.delong import area_difference, estimate_areas
from blastfold.statistics.folds import corrected_resampled_t, fold_values
from blastfold.statistics.grouped import (
    GroupedPredictions,
    bootstrap_weights,
    group_predictions,
    repeat_count,
)
from blastfold.statistics.intervals import RESAMPLES
from blastfold.statistics.jackknife import (
    POWER,
    JackknifeTest,
    Spread,
    contributions,
    detectable_difference,
    jackknife_test,
)
from blastfold.statistics.mcnemar import paired_accuracy, risk_difference_limits
from blastfold.statistics.metrics import metric_values, undefined_reason
from blastfold.statistics.outcomes import add_outcomes
from blastfold.statistics.pairing import pair_groups, pair_predictions

Thresholds = tuple[float | np.ndarray, float | np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """The difference of one metric between two models on the same images.

    Attributes:
        metric: A name of ``metrics.METRICS``.
        method: The test, one of :data:`METHODS`.
        first: The first model's metric.
        second: The second model's metric.
        difference: First minus second.
        lower: Lower end of the difference's interval.
        upper: Upper end of the difference's interval.
        p_value: Two-sided; 1 for identical models.
        minimum_detectable: Smallest difference that would have been shown with 80 % power.
        images: Number of images.
        groups: Number of groups; of images where none are given.
        note: Warnings and reasons; empty otherwise.
    """

    metric: str
    method: str
    first: float
    second: float
    difference: float
    lower: float
    upper: float
    p_value: float
    minimum_detectable: float
    images: int
    groups: int
    note: str


@dataclass(frozen=True)
class ModelPair:
    """Two models on the same images, condensed once for all metrics and methods.

    Attributes:
        paired: From ``pairing.pair_predictions``.
        group: (rows,) names of the groups, or None.
        models: The condensed predictions of both.
        thresholds: Of both models.
    """

    paired: pd.DataFrame
    group: np.ndarray | None
    models: tuple[GroupedPredictions, GroupedPredictions]
    thresholds: Thresholds


def model_pair(
    paired: pd.DataFrame,
    groups: pd.Series | Sequence | None = None,
    thresholds: Thresholds = (THRESHOLD, THRESHOLD),
) -> ModelPair:
    """Condense the predictions of two models.

    Args:
        paired: From ``pairing.pair_predictions``.
        groups: The group of every row, a series indexed by image_id, or None.
        thresholds: Of both models; a number or one a row each.

    Raises:
        InputError: For an image without a group and invalid predictions.
    """
    group = pair_groups(paired, groups)
    first, second = (
        group_predictions(_model(paired, side), group, threshold)
        for side, threshold in zip(("first", "second"), thresholds, strict=True)
    )
    return ModelPair(paired, group, (first, second), thresholds)


def compare(
    metric: str,
    pair: ModelPair,
    method: str = "jackknife-t",
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    random_generator: np.random.Generator | None = None,
    resampled: Sequence[np.ndarray] | None = None,
    test_to_train: float | None = None,
) -> Comparison:
    """Test whether two models differ in one metric.

    Args:
        metric: A name of ``metrics.METRICS``.
        pair: From :func:`model_pair`.
        method: One of :data:`METHODS`. ``mcnemar`` is for accuracy, ``delong`` and
            ``clustered-delong`` are for auc; ``jackknife-t`` is for every metric and keeps its
            level with few groups.
        level: Confidence level; the test's significance is 1 - level.
        resamples: Number of bootstrap resamples.
        random_generator: Needed by ``bootstrap`` where ``resampled`` is None.
        resampled: From :func:`resample_pair`; the same resamples then serve every metric.
        test_to_train: Test images per training image; needed by ``corrected-t``.

    Returns:
        The comparison, with NaN and a note where it is undefined.

    Raises:
        InputError: For an unknown metric or method, one that does not fit the metric, or
            invalid predictions.
    """
    if metric not in METRICS or method not in METHODS:
        raise InputError(
            f"cannot compare '{metric}' by '{method}': metrics are {', '.join(METRICS)}; "
            f"methods are {', '.join(METHODS)}"
        )
    models = pair.models
    values = [float(metric_values(metric, model.totals())) for model in models]
    if method == "mcnemar":
        found = _by_mcnemar(metric, models, pair.group, level)
    elif method in ("delong", "clustered-delong"):
        found = _by_delong(metric, models, level, clustered=method == "clustered-delong")
    elif method == "corrected-t":
        values, found = _by_folds(metric, pair, test_to_train, level)
    elif method == "bootstrap":
        resampled = resampled or resample_pair(pair, random_generator, resamples)
        found = _by_bootstrap(metric, models, resampled, level)
    else:
        found = _by_jackknife(metric, models, level)
    difference = values[0] - values[1]
    reasons = [undefined_reason(metric, model.totals()) for model in models]
    note = join_notes(*reasons, found[-1])
    images = round(len(pair.paired) / repeat_count(pair.paired))
    groups = models[0].groups
    return Comparison(metric, method, *values, difference, *found[:-1], images, groups, note)


def resample_pair(
    pair: ModelPair, random_generator: np.random.Generator | None, resamples: int = RESAMPLES
) -> list[np.ndarray]:
    """Draw resamples of groups, the same for both models, and sum their totals.

    Args:
        pair: From :func:`model_pair`.
        random_generator: For the draws.
        resamples: Number of resamples.

    Returns:
        Of each model float64 (resamples, 5), see ``metrics.TOTALS``.

    Raises:
        InputError: Without a random generator.
    """
    if random_generator is None:
        raise InputError("method 'bootstrap' needs a random generator")
    weights = bootstrap_weights(pair.models[0].groups, resamples, random_generator)
    return [model.totals(weights) for model in pair.models]


def compare_pairs(
    predictions: Mapping[str, pd.DataFrame],
    groups: pd.Series | None = None,
    metrics: Sequence[str] = METRICS,
    *,
    method: str = "jackknife-t",
    thresholds: Mapping[str, float] | None = None,
    level: float = 0.95,
    test_to_train: float | None = None,
    stream: Callable[[str, str], np.random.Generator] | None = None,
) -> pd.DataFrame:
    """Compare every pair of models in every metric, with Holm's correction over the pairs.

    Args:
        predictions: Model name -> predictions (``image_id``, ``label``, ``probability``).
        groups: The group of every image, indexed by image_id, or None.
        metrics: The metrics; the pairs of one metric are one family of tests.
        method: See :func:`compare`.
        thresholds: Model name -> threshold; 0.5 where absent.
        level: Confidence level of single differences; 1 - level is the family's error rate.
        test_to_train: See :func:`compare`.
        stream: Random generator of a pair, by the names of its models; needed by ``bootstrap``.

    Returns:
        One row per metric and pair: the fields of :class:`Comparison`, ``first_model``,
        ``second_model``, ``adjusted_p_value`` and ``outcome`` (see
        :func:`blastfold.statistics.outcomes.add_outcomes`).

    Raises:
        InputError: For fewer than two models and as :func:`compare`.
    """
    if len(predictions) < 2:
        raise InputError(f"a comparison needs at least two models, got {len(predictions)}")
    thresholds = thresholds or {}
    rows = []
    for first, second in itertools.combinations(predictions, 2):
        paired = pair_predictions(predictions[first], predictions[second], (first, second))
        cuts = (thresholds.get(first, THRESHOLD), thresholds.get(second, THRESHOLD))
        pair = model_pair(paired, groups, cuts)
        resampled = None
        if method == "bootstrap":
            resampled = resample_pair(pair, stream and stream(first, second))
        options = {"level": level, "resampled": resampled, "test_to_train": test_to_train}
        for metric in metrics:
            result = compare(metric, pair, method, **options)
            rows.append({"first_model": first, "second_model": second, **vars(result)})
    table = add_outcomes(pd.DataFrame(rows), ["metric"], level)
    return table.sort_values("metric", key=lambda names: names.map(METRICS.index), kind="stable")


def _model(paired: pd.DataFrame, side: str) -> pd.DataFrame:
    columns = [column for column in ("image_id", "repeat", "fold", "label") if column in paired]
    return paired[columns].assign(probability=paired[side])


def _by_jackknife(metric: str, models: Sequence[GroupedPredictions], level: float) -> JackknifeTest:
    totals = [model.totals() for model in models]
    difference = float(metric_values(metric, totals[0]) - metric_values(metric, totals[1]))
    without = [metric_values(metric, model.totals_without_one()) for model in models]
    parts = contributions(metric, models[0].counts + models[1].counts)
    found = jackknife_test(difference, without[0] - without[1] - difference, parts, level)
    if metric == "accuracy" and "unchanged_by_groups" in note_codes(found.note):
        right = [model.predicted == (model.label == 1) for model in models]
        detectable = paired_accuracy(*right).minimum_detectable
        note = join_notes(found.note, make_note("detectable_by_mcnemar"))
        return found._replace(minimum_detectable=detectable, note=note)
    return found


def _by_bootstrap(
    metric: str,
    models: Sequence[GroupedPredictions],
    resampled: Sequence[np.ndarray],
    level: float,
) -> tuple:
    values = [metric_values(metric, totals) for totals in resampled]
    differences = (values[0] - values[1])[~np.isnan(values[0] - values[1])]
    *_, detectable, note = _by_jackknife(metric, models, level)
    if len(differences) == 0:
        return np.nan, np.nan, np.nan, np.nan, note
    lower, upper = np.quantile(differences, ((1 - level) / 2, (1 + level) / 2))
    # One is added so that a p value is never 0 (Davison and Hinkley 1997, section 4.2).
    tail = 1 + min(np.sum(differences <= 0), np.sum(differences >= 0))
    p_value = min(1.0, 2 * float(tail) / (len(differences) + 1))
    return float(lower), float(upper), p_value, detectable, note


def _by_delong(
    metric: str, models: Sequence[GroupedPredictions], level: float, *, clustered: bool
) -> tuple:
    if metric != "auc":
        raise InputError(f"DeLong's test is for 'auc', got '{metric}'")
    probabilities = np.stack([model.probability for model in models])
    group = models[0].group if clustered else None
    found = area_difference(estimate_areas(models[0].label, probabilities, group), level)
    factor = ndtri((1 + level) / 2) + ndtri(POWER)
    detectable = factor * found["standard_error"] if found["standard_error"] > 1e-12 else np.nan
    return found["lower"], found["upper"], found["p_value"], detectable, found["note"]


def _by_mcnemar(
    metric: str, models: Sequence[GroupedPredictions], group: np.ndarray | None, level: float
) -> tuple:
    if metric != "accuracy":
        raise InputError(f"McNemar's test is for 'accuracy', got '{metric}'")
    right = [model.predicted == (model.label == 1) for model in models]
    found = paired_accuracy(*right, group, level)
    lower, upper = risk_difference_limits(found, level)
    return lower, upper, found.p_value, found.minimum_detectable, found.note


def _by_folds(
    metric: str, pair: ModelPair, test_to_train: float | None, level: float
) -> tuple[list[float], tuple]:
    if test_to_train is None:
        raise InputError("method 'corrected-t' needs test_to_train, test images per training image")
    by_model = [
        fold_values(metric, _model(pair.paired, side), threshold)["value"].to_numpy()
        for side, threshold in zip(("first", "second"), pair.thresholds, strict=True)
    ]
    shared = ~np.isnan(by_model[0] - by_model[1])
    found = corrected_resampled_t(by_model[0] - by_model[1], test_to_train, level)
    freedom = max(found.folds - 1, 1)
    detectable = detectable_difference(Spread(found.standard_error, freedom, found.folds), level)
    means = [float(values[shared].mean()) if shared.any() else np.nan for values in by_model]
    note = join_notes(make_note("mean_of_folds", found.folds), found.note)
    return means, (found.lower, found.upper, found.p_value, detectable or np.nan, note)


METHODS = ("jackknife-t", "bootstrap", "mcnemar", "delong", "clustered-delong", "corrected-t")
"""The names of the tests."""
