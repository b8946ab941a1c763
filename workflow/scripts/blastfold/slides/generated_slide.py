"""Generated slides with known truth: tissue, lesion, pen mark and blurred area.

A drawing, not a simulation: pink ground with purple nuclei, small and sparse in common tissue,
large, dark and dense in the lesion, which only blast slides have. It shows that the path from slide
to tiles works and what its numbers mean; it says nothing about a disease.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import tifffile

from blastfold.core.files import written_whole
from blastfold.core.seeds import generator

MPP = 0.5
"""Micrometres per pixel of generated slides."""

TILE = 256
"""Height and width of the file's own tiles, pixels."""

GLASS = (243, 241, 244)
EOSIN = (226, 158, 192)
HAEMATOXYLIN = {"common": (122, 84, 162), "lesion": (92, 52, 138)}
INK = (28, 84, 196)

NUCLEI = {"common": (0.0012, 5.0, 0.8), "lesion": (0.0034, 8.0, 1.6)}
"""Nuclei per pixel, mean radius and its standard deviation in pixels."""

logger = logging.getLogger(__name__)


def generate_slide(
    slide: str,
    label: str,
    settings: Mapping,
    seed: int,
    path: str | os.PathLike,
    truth: str | os.PathLike,
) -> None:
    """Draw a slide and write it as a pyramidal JPEG TIFF, with its truth in another file.

    Args:
        slide: The slide's name; with the seed it decides every draw.
        label: normal or blast; only a blast slide has a lesion.
        settings: size (height, width of level 0, pixels) and lesion_share (share of the tissue).
        seed: The experiment's seed.
        path: TIFF to write; levels at 1, 4 and 16 times, mpp ``MPP``.
        truth: .npz to write: bool (height, width) tissue, lesion, pen and blurred.
    """
    random = generator(seed, "generate_slide", slide)
    share = settings["lesion_share"] if label == "blast" else 0.0
    image, masks = draw_slide(random, tuple(settings["size"]), share)
    with written_whole(path) as partial:
        write_pyramid(partial, image)
    with written_whole(truth) as partial, Path(partial).open("wb") as file:
        np.savez_compressed(file, **masks)
    logger.info("%s: %d x %d pixels", slide, *image.shape[1::-1])


def draw_slide(
    random: np.random.Generator, size: tuple[int, int], lesion_share: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw a slide.

    Args:
        random: Generator of all draws.
        size: Height and width, pixels.
        lesion_share: Share of the tissue that is lesion; 0 for none.

    Returns:
        uint8 (height, width, 3), and bool (height, width) by name: tissue, lesion, pen, blurred.
    """
    height, width = size
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    outline = 1.15 - np.hypot(rows, columns) + 0.25 * _smooth_noise(random, size, width / 8)
    tissue = outline > 0.35
    lesion = np.zeros(size, dtype=bool)
    if lesion_share:
        # One side of a wavy line through the tissue, moved until the share is right.
        angle = random.uniform(0, 2 * np.pi)
        field = np.cos(angle) * columns + np.sin(angle) * rows
        field += 0.2 * _smooth_noise(random, size, width / 10)
        lesion = tissue & (field > np.quantile(field[tissue], 1 - lesion_share))
    image = _stain(random, tissue, lesion)
    blurred = _band(rows, columns, random, 0.16) & tissue & ~lesion
    soft = cv2.GaussianBlur(image, (0, 0), 5)
    image[blurred] = soft[blurred]
    pen = _mark(random, size)
    image[pen] = INK
    noisy = image + random.normal(0, 2, image.shape).astype(np.float32)
    # The camera's noise is not blurred with the image, but ink and glass have it too.
    noisy[blurred] = image[blurred]
    image = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return image, {
        "tissue": tissue & ~pen,
        "lesion": lesion & ~pen,
        "pen": pen,
        "blurred": blurred & ~pen,
    }


def _stain(random: np.random.Generator, tissue: np.ndarray, lesion: np.ndarray) -> np.ndarray:
    """Colour the tissue and put nuclei into it; float32 (height, width, 3)."""
    size = tissue.shape
    image = np.empty((*size, 3), dtype=np.float32)
    image[:] = GLASS
    strength = random.uniform(0.92, 1.08)
    grain = 1 + 0.05 * _smooth_noise(random, size, 3) + 0.04 * _smooth_noise(random, size, 20)
    eosin = 255 - (255 - np.array(EOSIN, dtype=np.float32)) * strength
    image[tissue] = (eosin * grain[..., np.newaxis])[tissue]
    for kind, place in (("common", tissue & ~lesion), ("lesion", lesion)):
        density, mean, spread = NUCLEI[kind]
        inside = np.argwhere(place)
        chosen = inside[random.integers(0, len(inside), int(density * len(inside)))]
        radii = np.clip(random.normal(mean, spread, (len(chosen), 2)), 2.5, None)
        for (y, x), axes in zip(chosen.tolist(), radii, strict=True):
            shade = strength * random.uniform(0.88, 1.12)
            colour = [255 - (255 - value) * shade for value in HAEMATOXYLIN[kind]]
            lengths = tuple(round(16 * float(length)) for length in axes)
            turn = float(random.uniform(0, 180))
            cv2.ellipse(image, (16 * x, 16 * y), lengths, turn, 0, 360, colour, -1, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def _smooth_noise(random: np.random.Generator, size: tuple[int, int], scale: float) -> np.ndarray:
    """Return noise of mean 0 and standard deviation 1 that varies over some ``scale`` pixels."""
    step = max(1, int(scale / 2))
    coarse = (-(-size[0] // step) + 2, -(-size[1] // step) + 2)
    noise = cv2.GaussianBlur(random.standard_normal(coarse).astype(np.float32), (0, 0), 1)
    noise = cv2.resize(noise, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return (noise - noise.mean()) / noise.std()


def _band(
    rows: np.ndarray, columns: np.ndarray, random: np.random.Generator, half_width: float
) -> np.ndarray:
    angle = random.uniform(0, np.pi)
    across = np.cos(angle) * columns + np.sin(angle) * rows
    return np.abs(across - random.uniform(-0.4, 0.4)) < half_width


def _mark(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Draw a stroke of a pen along one edge."""
    height, width = size
    canvas = np.zeros(size, dtype=np.uint8)
    across = np.linspace(0.15, 0.6, 20) * width
    wave = np.sin(np.linspace(0, random.uniform(4, 8), 20))
    down = height * (random.uniform(0.08, 0.14) + 0.03 * wave)
    points = np.column_stack([across, down]).round().astype(np.int32)
    cv2.polylines(canvas, [points], False, 1, max(3, height // 30))
    return canvas.astype(bool)


def write_pyramid(
    path: str | os.PathLike, image: np.ndarray, reductions: tuple[int, ...] = (4, 16)
) -> None:
    """Write an image as a tiled JPEG TIFF with reduced copies, as slide scanners do.

    Args:
        path: The file.
        image: uint8 (height, width, 3), RGB.
        reductions: How much smaller the copies are.
    """
    levels = [image]
    for factor in reductions:
        size = (max(1, image.shape[1] // factor), max(1, image.shape[0] // factor))
        levels.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    with tifffile.TiffWriter(path) as writer:
        for number, level in enumerate(levels):
            mpp = MPP * image.shape[1] / level.shape[1]
            writer.write(
                _tiles(level),
                shape=level.shape,
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 90},
                subfiletype=int(number > 0),
                resolution=(1e4 / mpp, 1e4 / mpp),
                resolutionunit="CENTIMETER",
                software="",
                metadata=None,
            )


def _tiles(image: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the file's tiles row by row; what lies beyond the image repeats its edge."""
    for y in range(0, image.shape[0], TILE):
        for x in range(0, image.shape[1], TILE):
            tile = image[y : y + TILE, x : x + TILE]
            missing = [(0, TILE - tile.shape[0]), (0, TILE - tile.shape[1]), (0, 0)]
            yield np.pad(tile, missing, mode="edge")
