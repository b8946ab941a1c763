"""The tables of detected leukocytes that were compared with known ones; outlines in tables."""

import numpy as np

MISSED, FALSE = "missed", "false"
"""Kinds of errors: a known leukocyte without a detection, a detection without one."""

RECALL, PRECISION = "recall", "precision"

JUDGED_COLUMNS = ("photograph", "known", "found", MISSED, FALSE, "problem")
"""One row per photograph; ``known`` is the number of its known leukocytes."""

MEASURE_COLUMNS = ("measure", "value", "lower", "upper", "cells", "photographs", "note")
"""Recall and precision; ``cells`` is the number of known or of detected leukocytes."""

ERROR_COLUMNS = (
    *("kind", "photograph", "left", "top", "width", "height"),
    *("shown_left", "shown_top", "shown_side", "outline"),
)
"""One row per error: its box, the square that its picture shows (pixels of the photograph), and
the outline of a false detection."""


def outline_of(text: str) -> np.ndarray:
    """Return the corners of an outline as the table has them, float (n, 2), x and y."""
    return np.array([point.split(",") for point in text.split()], float).reshape(-1, 2)
