"""Colours of probabilities on stained smears.

The scale is the upper four fifths of viridis (Smith and van der Walt 2015): its lightness rises
evenly, so that readers with any kind of colour vision, and grey prints, keep the order. Smears are
pink and purple; the scale is neither. A white or dark line below each contour separates it from the
stain.
"""

from collections.abc import Sequence

import numpy as np

SCALE = (
    *("#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70"),
    *("#7ad151", "#bddf26", "#fde725"),
)
"""Colours of evenly spaced probabilities from 0 to 1."""

ASIDE = "#6E6E6E"
"""Grey of what was set aside."""

CASING, DARK = "#FFFFFF", "#262626"
"""The line below a contour: white below dark colours, dark below light ones."""

LIGHT_FROM = 0.5
"""Probability from which the colour is a light one."""


def colours_of(probabilities: Sequence[float]) -> np.ndarray:
    """Return the colour of every probability.

    Args:
        probabilities: float (n,), from 0 to 1.

    Returns:
        float64 (n, 3), red, green and blue from 0 to 1.
    """
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in SCALE]) / 255
    places = np.clip(np.asarray(probabilities, float), 0, 1) * (len(SCALE) - 1)
    return np.stack(
        [np.interp(places, np.arange(len(SCALE)), channel) for channel in stops.T], axis=1
    )
