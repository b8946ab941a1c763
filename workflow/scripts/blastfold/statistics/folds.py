"""The view of the folds: metrics of every fold, and a t statistic corrected for their overlap."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from blastfold.core.errors import InputError
from blastfold.core.names import THRESHOLD
from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.class_grouped import condense_for
from blastfold.statistics.metrics import metric_values, undefined_reason


@dataclass(frozen=True)
class FoldStatistic:
    """Mean over folds with the corrected resampled t statistic.

    Attributes:
        mean: Of the fold values.
        standard_error: Corrected for the overlap of the training parts.
        lower: Lower end of the interval.
        upper: Upper end of the interval.
        p_value: Two-sided, against a mean of 0.
        folds: Number of fold values used.
        note: What is special; empty otherwise.
    """

    mean: float
    standard_error: float
    lower: float
    upper: float
    p_value: float
    folds: int
    note: str


def fold_values(
    metric: str, predictions: pd.DataFrame, threshold: float | np.ndarray = THRESHOLD
) -> pd.DataFrame:
    """Compute a metric in every fold.

    Args:
        metric: A name of :data:`blastfold.core.names.PRIMARY_METRICS`.
        predictions: Columns ``fold``, ``label``, ``probability`` (and ``image_id``).
        threshold: A number, or one for every row.

    Returns:
        Columns ``fold``, ``images``, ``value`` (NaN where undefined) and ``note``, sorted.

    Raises:
        InputError: For a missing column ``fold`` and invalid predictions.
    """
    if "fold" not in predictions:
        raise InputError("predictions: column 'fold' is missing, so there is no view per fold")
    thresholds = np.broadcast_to(threshold, len(predictions))
    rows = []
    for fold, part in predictions.groupby("fold", sort=True).indices.items():
        # One group holds the whole fold: its totals are all that a value needs.
        whole = np.zeros(len(part))
        totals = condense_for(metric, predictions.iloc[part], whole, thresholds[part]).totals()
        value = float(metric_values(metric, totals))
        rows.append((fold, len(part), value, undefined_reason(metric, totals)))
    return pd.DataFrame(rows, columns=["fold", "images", "value", "note"])


def corrected_resampled_t(
    values: np.ndarray, test_to_train: float, level: float = 0.95
) -> FoldStatistic:
    """Compute the corrected resampled t statistic over folds.

    Training parts of different folds share images, so that the plain variance over folds is
    too small; Nadeau and Bengio (2003), Inference for the generalization error, section 5,
    replace 1 / k by 1 / k + test / train. The interval is about another training of the
    model; the pooled view is about these predictions.

    Args:
        values: (folds,), metrics or differences of metrics; NaN values are left out.
        test_to_train: Number of test images divided by the number of training images; 1 /
            (k - 1) in k-fold cross-validation.
        level: Confidence level.

    Returns:
        The statistic; NaN with a note for fewer than two values, p = 1 when all are 0.

    Raises:
        InputError: For a ratio that is not positive.
    """
    if not test_to_train > 0:
        raise InputError(f"test_to_train must be positive, got {test_to_train}")
    values = np.asarray(values, dtype=np.float64)
    defined = values[~np.isnan(values)]
    left_out = len(values) - len(defined)
    notes = [make_note("folds_left_out", left_out)] if left_out else []
    count = len(defined)
    mean = float(defined.mean()) if count else np.nan
    if count < 2:
        notes.append(make_note("fewer_than_two_folds"))
        return FoldStatistic(mean, np.nan, np.nan, np.nan, np.nan, count, join_notes(*notes))
    standard_error = float(np.sqrt((1 / count + test_to_train) * defined.var(ddof=1)))
    reach = stdtrit(count - 1, (1 + level) / 2) * standard_error
    if standard_error > 0:
        p_value = float(2 * stdtr(count - 1, -abs(mean) / standard_error))
    else:
        p_value = 1.0 if mean == 0 else np.nan
        notes.append(make_note("folds_agree"))
    return FoldStatistic(
        mean, standard_error, mean - reach, mean + reach, p_value, count, join_notes(*notes)
    )
