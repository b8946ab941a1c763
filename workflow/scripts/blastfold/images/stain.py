"""Stain normalisation after Reinhard and Macenko: the colours of every image on a common reference.

An image's own statistics are mapped onto reference statistics: the median of those of a fold's
training images. The statistics of all pixels together are not suitable: slides differ,
so the spread of colours would be wider than that of any image.

A masked background is neither measured nor changed: black as around the cut-out cells of C-NMC
(no channel above ``BLACK``) or white (every channel ``WHITE``). All other pixels count, bare glass
among them, as both methods were published. An image stays as it is when fewer than ``MINIMUM`` of
its pixels are tissue, that is neither masked nor as bright as glass (no channel below ``GLASS``).

Reinhard et al., "Color transfer between images", IEEE Computer Graphics and Applications 21(5),
2001, here in CIELAB. Macenko et al., "A method for normalizing histology slides for quantitative
analysis", ISBI 2009.

The same mappings as layers of a network are in ``networks/stain_layers.py``; the reference of a
fold is fitted in ``folds/stain_reference.py``.
"""

from collections.abc import Mapping, Sequence

import numpy as np

BLACK = 10
"""Largest channel of the black background, which interpolation and compression make uneven."""

WHITE = 255
"""Every channel of the white background."""

GLASS = 220
"""Smallest channel of bare glass."""

MINIMUM = 0.01
"""Smallest share of tissue that shows how an image is stained."""

MINIMUM_DEVIATION = 0.1
"""Least standard deviation in CIELAB that contrast is scaled by: even colours are only shifted."""

LIGHT = 240.0
"""Intensity of the light without tissue (Macenko)."""

TRANSPARENT = 0.15
"""Optical density below which, in any channel, a pixel says nothing about stains (Macenko)."""

ANGLES = (0.01, 0.99)
"""Percentiles of the angle between which the stains' directions lie (Macenko)."""

STRONGEST = 0.99
"""Percentile of a stain's concentration that is used as its maximum (Macenko)."""

MINIMUM_SINE = 1e-3
"""Smallest squared sine of the angle between two distinguishable stains."""

MINIMUM_CONCENTRATION = 0.01
"""Least maximum of a stain that concentrations are scaled by."""

SHAPES = {
    "reinhard": {"means": (3,), "deviations": (3,)},
    "macenko": {"stains": (3, 2), "concentrations": (2,)},
}
"""Reference statistics of each method, by name with their shapes."""

RGB_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
"""Linear sRGB to CIE XYZ (ITU-R BT.709 primaries, D65)."""

WHITE_POINT = np.array([0.95047, 1.0, 1.08883])
"""CIE XYZ of D65, 2 degree observer."""

Statistics = dict[str, np.ndarray]


def fit_image(image: np.ndarray, method: str) -> Statistics | None:
    """Return the statistics of an image's pixels that are not masked.

    Args:
        image: RGB 0-255, (..., 3), uint8 or floating point.
        method: reinhard or macenko.

    Returns:
        float64 arrays by name. reinhard: means and deviations (standard deviations), (3,) each,
        in CIELAB with L 0-100. macenko: stains (3, 2), unit vectors of optical density, that of
        hematoxylin (the redder-absorbing one) first, and concentrations (2,), the maximum of each
        stain. None when too few pixels are tissue, or when the stains are one and the same.
    """
    pixels = image.reshape(-1, 3)
    shown = is_shown(pixels)
    least = max(2, MINIMUM * len(pixels))
    if (shown & (pixels.min(axis=-1) < GLASS)).sum() < least:
        return None
    if method == "reinhard":
        lab = to_lab(pixels[shown])
        return {"means": lab.mean(axis=0), "deviations": lab.std(axis=0)}
    return _fit_macenko(optical_density(pixels[shown]), least)


def combine(statistics: Sequence[Statistics]) -> Statistics:
    """Return the median of several images' statistics, value by value; stains are unit vectors."""
    columns = {name: [each[name] for each in statistics] for name in statistics[0]}
    reference = {name: np.median(values, axis=0) for name, values in columns.items()}
    if "stains" in reference:
        reference["stains"] /= np.linalg.norm(reference["stains"], axis=0)
    return reference


def normalise_image(image: np.ndarray, method: str, reference: Mapping) -> np.ndarray:
    """Map an image's own statistics onto the reference statistics.

    Args:
        image: RGB 0-255, (height, width, 3), uint8 or floating point.
        method: reinhard or macenko.
        reference: Statistics as :func:`fit_image` returns them, arrays or lists.

    Returns:
        float32 (height, width, 3), RGB 0-255, not rounded.
    """
    return transfer(image, method, fit_image(image, method), reference)


def transfer(
    image: np.ndarray, method: str, own: Statistics | None, reference: Mapping
) -> np.ndarray:
    """Normalise an image with its own statistics (see :func:`normalise_image`)."""
    normalised = image.astype(np.float32)
    if own is None:
        return normalised
    shown = is_shown(image)
    change = {"reinhard": _transfer_reinhard, "macenko": _transfer_macenko}[method]
    reference = {name: np.asarray(values) for name, values in reference.items()}
    normalised[shown] = change(image[shown], own, reference)
    return normalised


def is_shown(images: np.ndarray) -> np.ndarray:
    """Distinguish shown pixels from those masked in black or white; (..., 3) gives bool (...)."""
    return (images.max(axis=-1) > BLACK) & (images.min(axis=-1) < WHITE)


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """Convert sRGB 0-255 to CIELAB (L 0-100) under D65; (..., 3) float64."""
    share = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    xyz = linear @ RGB_TO_XYZ.T / WHITE_POINT
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def from_lab(lab: np.ndarray) -> np.ndarray:
    """Convert CIELAB to sRGB 0-255, clipped where a colour cannot be shown; (..., 3) float64."""
    y = (lab[..., 0] + 16) / 116
    roots = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    cubes = roots * roots * roots  # ten times as fast as a power of negative numbers
    xyz = np.where(roots > 0.2068966, cubes, (roots - 16 / 116) / 7.787)
    linear = (xyz * WHITE_POINT) @ np.linalg.inv(RGB_TO_XYZ).T
    bright = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return 255 * np.clip(np.where(linear > 0.0031308, bright, 12.92 * linear), 0, 1)


def optical_density(rgb: np.ndarray) -> np.ndarray:
    """Return the optical density of RGB 0-255 under ``LIGHT``; one is added so that 0 has one."""
    return -np.log((np.asarray(rgb, dtype=np.float64) + 1) / LIGHT)


def _transfer_reinhard(rgb: np.ndarray, own: Statistics, reference: Statistics) -> np.ndarray:
    scale = reference["deviations"] / np.maximum(own["deviations"], MINIMUM_DEVIATION)
    return from_lab((to_lab(rgb) - own["means"]) * scale + reference["means"])


def _fit_macenko(density: np.ndarray, least: float) -> Statistics | None:
    opaque = (density >= TRANSPARENT).all(axis=1)
    if opaque.sum() < least:
        return None
    stains = _find_stains(density[opaque])
    if 1 - (stains[:, 0] @ stains[:, 1]) ** 2 < MINIMUM_SINE:
        return None
    each = density @ np.linalg.pinv(stains).T
    return {"stains": stains, "concentrations": np.percentile(each, 100 * STRONGEST, axis=0)}


def _find_stains(density: np.ndarray) -> np.ndarray:
    """Find the two directions of optical density between which all pixels lie, (3, 2)."""
    _, vectors = np.linalg.eigh(np.cov(density.T))
    second, first = vectors[:, 1], vectors[:, 2]
    # An eigenvector has no sign of its own. Angles are measured from one that tissue points along;
    # with the other one turned round they only change their signs.
    first = first * np.where(density.mean(axis=0) @ first < 0, -1, 1)
    angles = np.arctan2(density @ second, density @ first)
    edges = np.percentile(angles, np.multiply(100, ANGLES))
    directions = np.outer(first, np.cos(edges)) + np.outer(second, np.sin(edges))
    # Hematoxylin absorbs more red light than eosin.
    return directions if directions[0, 0] > directions[0, 1] else directions[:, ::-1]


def _transfer_macenko(rgb: np.ndarray, own: Statistics, reference: Statistics) -> np.ndarray:
    each = optical_density(rgb) @ np.linalg.pinv(own["stains"]).T
    strongest = np.maximum(own["concentrations"], MINIMUM_CONCENTRATION)
    scaled = each * (reference["concentrations"] / strongest)
    # The overflow of an impossible concentration becomes white like every other intensity above.
    with np.errstate(over="ignore"):
        return np.clip(LIGHT * np.exp(-scaled @ reference["stains"].T), 0, 255)
