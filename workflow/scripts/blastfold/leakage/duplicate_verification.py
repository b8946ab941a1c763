"""Proof on pixels that two images of the duplicate audit show the same thing.

A candidate pair comes with an affine map of the plane. The inner detail of the first image (see
:mod:`blastfold.leakage.duplicate_images`) is drawn where the map puts it, and its normalised
correlation with the second image over the common foreground decides. Flat background takes no part,
so that two cells on black are as different as their insides. A map that nearly passes is refined
by maximising that correlation (ECC: Evangelidis and Psarakis 2008, doi:10.1109/TPAMI.2008.113).
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from blastfold.leakage.duplicate_images import (
    ORIENTATION_NAMES,
    REFERENCE_SIZE,
    STEPS,
    Detail,
    find_detail,
    orientations_of,
    shrink_to_grey,
)

# Less common foreground than this share of the image is no evidence.
MINIMUM_EVIDENCE = 0.018
MINIMUM_MASK_AGREEMENT = 0.6
SHIFTED_FROM = 0.75
GAIN_TOLERANCE = 0.05
LEVEL_TOLERANCE = 1.5
SMALLEST_SCALE, LARGEST_SCALE = 0.6, 1.65
# Both sides may be cropped by a fifth and stretched again.
LARGEST_STRETCH = 1.35
SCALE_TOLERANCE = 0.025
ANGLE_TOLERANCE = 2.0
# With as many agreeing blobs this share of the smallest similarity is enough: the corners of a
# turned or shrunken copy are filled with what the original does not show.
MANY_VOTES, SHARE_WITH_MANY = 8.0, 0.7
# A map that scales or turns has more freedom to make two plain cells look alike. It must fit better
# with few agreeing blobs, and without many of them where the common foreground is a small share of
# the image: a small cell has few places that differ from one another. Of the measured cells, round
# lymphocytes that fill a tenth of the image reach 0.84 with another one under a map of four votes
# and more, and cells that fill more than a fifth 0.71 under any map.
FEW_VOTES, SIMILARITY_WITH_FEW = 4.0, 0.9
LITTLE_FOREGROUND = 0.06
SMALL_FOREGROUND, SIMILARITY_WITH_SMALL = 0.15, 0.85
REFINED_FROM = 0.55
REFINEMENT = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 12, 1e-3)
REFINEMENT_BLUR = 3


class View(NamedTuple):
    """One image at the size of the comparison: grey values and detail."""

    grey: np.ndarray
    detail: Detail


class Evidence(NamedTuple):
    """A pair under one map.

    Attributes:
        placement: Where the first image is put.
        common: Share of the image that is foreground of both.
        similarity: Correlation there.
        gain, level_change: Change of intensities.
    """

    placement: "Placement"
    common: float
    similarity: float
    gain: float
    level_change: float


class Placement(NamedTuple):
    """A map taken apart: the orientation comes first, then scales, angle and shift.

    Attributes:
        orientation: 0-7.
        down, right: Shift of the picture's centre in pixels.
        angle: Degrees, counter-clockwise.
        scales: Factors (down, right) along the axes of the oriented first image.
    """

    orientation: int
    down: float = 0.0
    right: float = 0.0
    angle: float = 0.0
    scales: tuple[float, float] = (1.0, 1.0)

    @property
    def is_rigid(self) -> bool:
        """Return whether it is one of the eight orientations with a shift."""
        stretched = max(abs(scale - 1) for scale in self.scales) > SCALE_TOLERANCE
        return not stretched and abs(self.angle) <= ANGLE_TOLERANCE


def view_image(image: np.ndarray) -> View:
    """Prepare a uint8 (height, width, 3) image for :func:`compare_views`."""
    grey = shrink_to_grey(image, REFERENCE_SIZE)
    return View(grey, find_detail(grey))


def compare_views(
    first: View,
    second: View,
    shares: np.ndarray,
    votes: float,
    minimum_similarity: float,
    minimum_overlap: float,
) -> Evidence | None:
    """Draw the first image onto the second and correlate what both show.

    Args:
        first: The image to move.
        second: The image that stays.
        shares: Affine map (2, 3) of (x, y, 1) in shares of the longer side.
        votes: How well the map is supported (:func:`blastfold.leakage.duplicate_maps.find_maps`).
        minimum_similarity: Correlation from which the pair passes; less is enough for a map with
            many votes.
        minimum_overlap: Share of the picture area that both must have in common.

    Returns:
        The evidence, or None where the pair does not pass.
    """
    pixels = _in_pixels(shares, max(second.grey.shape))
    found = _correlate_at(first, second, pixels, minimum_overlap)
    if found and REFINED_FROM * minimum_similarity <= found.similarity < minimum_similarity:
        refined = _refine(first, second, pixels)
        better = refined is not None and _correlate_at(first, second, refined, minimum_overlap)
        if better and better.similarity > found.similarity:
            found = better
    return found if found and _passes(found, votes, minimum_similarity) else None


def _passes(evidence: Evidence, votes: float, minimum_similarity: float) -> bool:
    """Return whether the map is one that copies have, and the correlation is high enough for it."""
    scales = evidence.placement.scales
    if min(scales) < SMALLEST_SCALE or max(scales) > LARGEST_SCALE:
        return False
    if max(scales) > LARGEST_STRETCH * min(scales):
        return False
    bar = minimum_similarity
    if votes >= MANY_VOTES:
        bar *= SHARE_WITH_MANY
    elif not evidence.placement.is_rigid:
        if votes < FEW_VOTES or evidence.common <= LITTLE_FOREGROUND:
            bar = max(bar, SIMILARITY_WITH_FEW)
        elif evidence.common <= SMALL_FOREGROUND:
            bar = max(bar, SIMILARITY_WITH_SMALL)
    return evidence.similarity >= bar


def _in_pixels(shares: np.ndarray, side: int) -> np.ndarray:
    """Return the map (2, 3) for the centres of pixels, which are at half-integer positions."""
    linear = shares[:, :2]
    return np.column_stack([linear, side * shares[:, 2] + linear @ [0.5, 0.5] - 0.5])


def _correlate_at(
    first: View, second: View, pixels: np.ndarray, minimum_overlap: float
) -> Evidence | None:
    """Correlate under one map; None where the overlap or the common foreground is too small."""
    height, width = second.grey.shape
    move = pixels.astype(np.float32)

    def moved(image: np.ndarray, interpolation: int) -> np.ndarray:
        return cv2.warpAffine(image, move, (width, height), flags=interpolation)

    window = moved(np.ones(first.grey.shape, np.uint8), cv2.INTER_NEAREST) > 0
    smaller = min(1.0, abs(np.linalg.det(pixels[:, :2])))
    if window.sum() < minimum_overlap * smaller * window.size:
        return None
    first_mask = moved(first.detail.mask, cv2.INTER_NEAREST) > 0
    second_mask = (second.detail.mask > 0) & window
    common = first_mask & second_mask
    if common.sum() < MINIMUM_EVIDENCE * common.size:
        return None
    if common.sum() < MINIMUM_MASK_AGREEMENT * min(first_mask.sum(), second_mask.sum()):
        return None
    values = moved(first.detail.values, cv2.INTER_LINEAR)
    similarity = _correlate(values[common], second.detail.values[common])
    before = moved(first.grey, cv2.INTER_LINEAR)[common]
    after = second.grey[common]
    gain = float(after.std() / max(before.std(), 1e-6))
    placement = place(pixels, height, width)
    level_change = float(after.mean() - before.mean())
    return Evidence(placement, float(common.mean()), similarity, gain, level_change)


def _refine(first: View, second: View, pixels: np.ndarray) -> np.ndarray | None:
    """Return the map near this one that correlates best, or None where there is none."""
    backward = cv2.invertAffineTransform(pixels).astype(np.float32)
    masks = [(view.detail.mask > 0).astype(np.uint8) for view in (second, first)]
    try:
        _, backward = cv2.findTransformECCWithMask(
            *(second.detail.values, first.detail.values, *masks, backward),
            *(cv2.MOTION_AFFINE, REFINEMENT, REFINEMENT_BLUR),
        )
    except cv2.error:
        # OpenCV's way of saying that the maximum is not near.
        return None
    return cv2.invertAffineTransform(backward.astype(np.float64))


def _correlate(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation, 0 where one side does not vary."""
    first, second = first - first.mean(dtype=float), second - second.mean(dtype=float)
    energy = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / energy if energy > 1e-9 else 0.0


def place(pixels: np.ndarray, height: int, width: int) -> Placement:
    """Take a map (2, 3) between pictures of one size apart; its shear is left out."""
    linear = pixels[:, :2]
    orientation = max(
        orientations_of(height, width), key=lambda number: np.sum(linear * _matrix_of(number))
    )
    rest = linear @ _matrix_of(orientation).T
    right = math.hypot(*rest[:, 0])
    scales = (abs(np.linalg.det(rest)) / max(right, 1e-6), right)
    angle = -math.degrees(math.atan2(rest[1, 0], rest[0, 0]))
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = linear @ centre + pixels[:, 2] - centre
    return Placement(orientation, float(shift[1]), float(shift[0]), angle, scales)


def _matrix_of(orientation: int) -> np.ndarray:
    """Return what an orientation does to (x, y), seen from the picture's centre."""
    transpose, reverse_rows, reverse_columns = STEPS[orientation]
    matrix = np.array([[0.0, 1.0], [1.0, 0.0]]) if transpose else np.eye(2)
    return np.array([[-1.0 if reverse_columns else 1.0], [-1.0 if reverse_rows else 1.0]]) * matrix


def name_kind(evidence: Evidence) -> str:
    """Name the strongest difference of a verified pair.

    A change of scale or a turn by another angle comes before a moved crop, that before a changed
    intensity, that before a turn by a right angle or flip, and that before compression: the
    transform shows whether a shifted or brightened copy is turned too.
    """
    placement = evidence.placement
    if not placement.is_rigid:
        return "scaled_or_rotated"
    if max(abs(placement.down), abs(placement.right)) >= SHIFTED_FROM:
        return "shifted"
    if abs(evidence.gain - 1) > GAIN_TOLERANCE or abs(evidence.level_change) > LEVEL_TOLERANCE:
        return "brightness_contrast"
    return "flipped_or_turned" if placement.orientation else "recompressed"


def name_transform(placement: Placement, scale: float = 1.0) -> str:
    """Write a placement, such as ``turn_90 shift (3, -5)``.

    Args:
        placement: The placement.
        scale: Pixels to write for one pixel of the comparison.

    Returns:
        The orientation; for a map that is more than an orientation and a shift, the scales (down,
        right) and the angle in degrees, counter-clockwise, such as ``scaled (1.08, 0.97)`` and
        ``rotated -31``; and the shift (down, right), if any, in pixels.
    """
    parts = [ORIENTATION_NAMES[placement.orientation]]
    if not placement.is_rigid:
        parts.append("scaled ({:.3f}, {:.3f})".format(*placement.scales))
        parts.append(f"rotated {round(placement.angle)}")
    down, right = round(placement.down * scale), round(placement.right * scale)
    if down or right:
        parts.append(f"shift ({down}, {right})")
    return " ".join(parts)
