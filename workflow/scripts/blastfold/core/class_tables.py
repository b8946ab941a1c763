"""Columns and names of the tables that are about all classes of a data set."""

from blastfold.core.names import AFTER, BEFORE

VECTOR = "vector"
CLASS_STATES = (BEFORE, AFTER, VECTOR)
"""States of the probabilities: as the network gives them, after temperature and vector scaling."""

CALIBRATION_COLUMNS = (
    *("scope", "state", "class", "calibration_error", "log_loss"),
    *("temperature", "images", "validation_images", "note"),
)
RELIABILITY_COLUMNS = (
    *("scope", "state", "class", "left", "right", "images", "mean_probability"),
    *("positive_share", "lower", "upper", "groups", "note"),
)
RISK_COLUMNS = ("scope", "coverage", "risk", "images", "area")

MARGINALS = "marginals"
"""In place of a metric: whether both models predict every class equally often."""

CLUSTERED_MCNEMAR = "clustered-mcnemar"
STUART_MAXWELL, CLUSTERED_STUART_MAXWELL = "stuart-maxwell", "clustered-stuart-maxwell"

CLASS_COMPARISON_COLUMNS = (
    *("first_model", "second_model", "metric", "method", "first", "second", "difference"),
    *("lower", "upper", "statistic", "degrees_of_freedom", "p_value", "images", "groups", "note"),
)

SHARES, SHARE_ERROR = "shares", "share_error"
"""All shares of a unit instead of one class, and their metric: the part of its images that would
have to be predicted as other classes to give the true shares, 0 to 1, as a mean over units."""
