"""Small blood smears with known places: fields of cells, photographs of them, crops of photographs.

A field is drawn as absorbance of red cells and nuclei. A photograph is a window of a field with its
own light and noise, so that two windows of one field are photographs that overlap.
"""

from pathlib import Path

import cv2
import numpy as np

EOSIN = np.array([0.10, 0.42, 0.38], np.float32)
CHROMATIN = np.array([0.85, 1.25, 0.40], np.float32)


def draw_field(random, height, width, diameter=60.0, leukocytes=6):
    """Return a field, float32 (height, width, 3) transmitted light, and its leukocytes' centres."""
    eosin = np.zeros((height, width), np.float32)
    for _ in range(round(0.9 * height * width / diameter**2)):
        centre = (int(random.integers(width)), int(random.integers(height)))
        radius = diameter / 2 * random.uniform(0.85, 1.15)
        disc = np.zeros_like(eosin[: 3 * int(diameter), : 3 * int(diameter)])
        middle = (disc.shape[1] // 2, disc.shape[0] // 2)
        cv2.circle(disc, middle, round(radius), float(random.uniform(0.8, 1.1)), -1, cv2.LINE_AA)
        cv2.circle(disc, middle, round(0.4 * radius), 0.5, -1, cv2.LINE_AA)
        _add(eosin, disc, centre)
    centres = random.integers(0, (width, height), (leukocytes, 2))
    chromatin = np.zeros_like(eosin)
    for centre in centres.tolist():
        _add(chromatin, _nucleus(random, diameter), centre)
    # No two real cells have one outline: every place is moved a little.
    down, right = (diameter / 8 * _smooth(random, eosin.shape, diameter / 5) for _ in range(2))
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    eosin, chromatin = (
        cv2.remap(
            dye, columns + right, rows + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        for dye in (eosin, chromatin)
    )
    eosin = (eosin + 0.05) * (1 + 0.2 * _smooth(random, eosin.shape, diameter / 10))
    dyes = [cv2.GaussianBlur(dye, (0, 0), 1.2) for dye in (eosin, chromatin)]
    return np.exp(-dyes[0][..., None] * EOSIN - dyes[1][..., None] * CHROMATIN), centres


def _smooth(random, shape, length):
    """Return noise of variance 1 whose neighbours agree over a length, drawn coarsely."""
    step = max(1, int(length / 3))
    small = random.standard_normal([size // step + 2 for size in shape], np.float32)
    small = cv2.GaussianBlur(small, (0, 0), length / step)
    noise = cv2.resize(small / small.std(), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return noise


def _nucleus(random, diameter):
    """Return the chromatin of one nucleus: some discs with a coarse pattern."""
    side = int(3 * diameter)
    disc = np.zeros((side, side), np.float32)
    for _ in range(int(random.integers(1, 5))):
        place = side / 2 + random.uniform(-0.3, 0.3, 2) * diameter
        radius = round(diameter * random.uniform(0.35, 0.6))
        cv2.circle(disc, tuple(int(value) for value in place), radius, 1.0, -1, cv2.LINE_AA)
    pattern = cv2.GaussianBlur(
        random.standard_normal(disc.shape, np.float32), (0, 0), diameter / 15
    )
    return disc * (1 + 0.25 * pattern / pattern.std())


def _add(canvas, stamp, centre):
    top, left = centre[1] - stamp.shape[0] // 2, centre[0] - stamp.shape[1] // 2
    rows = slice(max(0, top), min(canvas.shape[0], top + stamp.shape[0]))
    columns = slice(max(0, left), min(canvas.shape[1], left + stamp.shape[1]))
    part = stamp[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    np.maximum(canvas[rows, columns], part, out=canvas[rows, columns])


def photograph(random, field, top, left, height, width, noise=1.5):
    """Return a window of a field as a camera sees it, uint8 (height, width, 3) RGB."""
    down, right = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    lamp = (1 - 0.08 * (right**2 + down**2) + random.normal(0, 0.02) * right).astype(np.float32)
    light = 225 * random.uniform(0.96, 1.04)
    picture = light * lamp[..., None] * field[top : top + height, left : left + width]
    grain = random.standard_normal((height, width, 3), np.float32)
    return np.clip(picture + noise * grain, 0, 255).astype(np.uint8)


def recompress(image, quality):
    """Return an RGB image after JPEG compression."""
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]


def write_image(path, image, *options):
    """Write an RGB or grey image in the format of the path's ending; return it as it is read."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = image[..., ::-1] if image.ndim == 3 else image
    path.write_bytes(cv2.imencode(path.suffix, np.ascontiguousarray(stored), options)[1].tobytes())
    return cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1]


def grainy(picture, noise=4.0):
    """Return a drawn picture with the grain of a camera: no nucleus is as even as a drawing."""
    grain = np.random.default_rng(7).normal(0, noise, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)
