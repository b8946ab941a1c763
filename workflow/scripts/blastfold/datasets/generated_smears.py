"""Generate the demo data set: blood-smear photographs with known cells, subjects and duplicates.

The smear is drawn as a light microscope sees it. Every cell adds amounts of three dyes to a
canvas. The dyes absorb light by the law of Beer and Lambert. The camera blurs, darkens the corners
and adds noise. Each subject has its own staining and illumination, so a network can
recognise subjects: the leakage that the default experiment shows. Lengths are in micrometres
until pixels are cut; positions are (x, y) from the upper left corner.
"""

import logging
import math
from collections.abc import Mapping
from itertools import cycle, product
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.random import Generator

from blastfold.core.errors import InputError
from blastfold.core.seeds import generator
from blastfold.core.tables import write_table
from blastfold.datasets.generated_cells import (
    Appearance,
    Leukocyte,
    sample_kind,
    sample_leukocyte,
)
from blastfold.datasets.generated_copies import DUPLICATE_KINDS, change_crop, change_mask
from blastfold.experiment.demo_settings import BLASTS, MAXIMAL_SHIFT, demo_faults

logger = logging.getLogger(__name__)

SUPERSAMPLING = 2
# Red, green and blue absorbance of one unit of each dye, chosen after Wright-stained smears.
EOSIN, CHROMATIN, BASOPHILIC = 0, 1, 2
ABSORBANCE = np.array([[0.13, 0.45, 0.41], [0.95, 1.35, 0.45], [0.55, 0.36, 0.08]])


class Canvas:
    """Amounts of the three dyes, and the noise fields that give every cell its texture."""

    def __init__(self, rng: Generator, person: Appearance, settings: dict):
        """Make an empty canvas; it is `SUPERSAMPLING` times finer than the photograph."""
        height, width = (SUPERSAMPLING * size for size in settings["photograph_size"])
        scale = SUPERSAMPLING * settings["pixels_per_micrometre"]
        self.rng, self.person, self.settings, self.scale = rng, person, settings, scale
        self.right = (np.arange(width, dtype=np.float32) + 0.5) / scale
        self.down = (np.arange(height, dtype=np.float32) + 0.5) / scale
        self.outline, self.coarse, self.fine = (
            smooth_noise(rng, (height, width), length * scale) for length in (1.3, 0.4, 0.16)
        )
        self.dyes = np.zeros((height, width, 3), np.float32)
        self.dyes[..., EOSIN] = 0.04 * (1 + 0.3 * self.outline)

    def window(self, x: float, y: float, reach: float) -> tuple:
        """Return the slices within reach of (x, y), and the distances to x and to y there."""
        rows = slice(*np.searchsorted(self.down, [y - reach, y + reach]))
        columns = slice(*np.searchsorted(self.right, [x - reach, x + reach]))
        # NumPy's own scalars would turn every array that follows into double precision.
        return (rows, columns), self.right[columns] - float(x), self.down[rows, None] - float(y)


def smooth_noise(rng: Generator, shape: tuple, length: float) -> np.ndarray:
    """Return Gaussian noise of unit variance whose neighbours agree over `length` pixels."""
    step = max(1, int(length / 2))
    noise = rng.standard_normal([-(-size // step) + 8 for size in shape], dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), length / step)
    noise /= noise.std()
    noise = cv2.resize(noise, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
    return noise[: shape[0], : shape[1]]


def soft_step(distance: np.ndarray, softness: float = 0.1) -> np.ndarray:
    """Rise from 0 outside (negative distance) to 1 inside over about `softness`."""
    return 1 / (1 + np.exp(np.clip(-distance / softness, -30, 30)))


def draw_leukocyte(canvas: Canvas, cell: Leukocyte, x: float, y: float) -> tuple:
    """Add a leukocyte with its centre at (x, y); it pushes away what is under it.

    Returns:
        Its pixels of the canvas: their rows and columns, as two arrays.
    """
    window, right, down = canvas.window(x, y, cell.radius + 1.5)
    outline, coarse, fine = canvas.outline[window], canvas.coarse[window], canvas.fine[window]
    body = soft_step(cell.radius - np.hypot(right, down) + 0.22 * outline)
    # The logarithm of summed exponentials joins the lobes without creases.
    lobes = [np.exp((r - np.hypot(right - a, down - b)) / 0.25) for a, b, r in cell.lobes.tolist()]
    depth = 0.25 * np.log(np.sum(lobes, axis=0) + 1e-9) + 0.16 * outline
    nucleus = soft_step(depth) * body
    membrane = 0.12 * np.exp(-np.square(depth / 0.35))
    chromatin = 1 + cell.clumping * np.tanh(1.5 * coarse) + 0.09 * fine + membrane
    for a, b, radius in cell.nucleoli.tolist():
        distance = np.hypot(right - a, down - b) - 0.1 * coarse
        chromatin = chromatin * (1 - 0.38 * soft_step(radius - distance, 0.15))
    cytoplasm = 1 + 0.15 * coarse + cell.granularity * fine
    for a, b, radius in cell.vacuoles.tolist():
        distance = np.hypot(right - a, down - b)
        cytoplasm = cytoplasm * (1 - 0.85 * soft_step(radius - distance, 0.12))
    dyes = canvas.dyes[window]
    dyes *= 1 - 0.95 * body[..., None]
    dyes[..., EOSIN] += cell.eosin * cytoplasm * body
    dyes[..., CHROMATIN] += cell.density * np.maximum(chromatin, 0) * nucleus
    dyes[..., BASOPHILIC] += cell.basophilic * cytoplasm * (body - 0.6 * nucleus)
    inside = np.nonzero(body > 0.5)
    return tuple(places + part.start for places, part in zip(inside, window, strict=True))


def draw_red_cell(canvas: Canvas, x: float, y: float) -> None:
    """Add a red cell: a disc, thinner in the middle; overlapping cells add up."""
    rng, person = canvas.rng, canvas.person
    radius = person.red_cell_radius * rng.normal(1, 0.06)
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 1.12)
    window, right, down = canvas.window(x, y, 1.3 * radius)
    along = (right * math.cos(angle) + down * math.sin(angle)) * stretch
    across = (down * math.cos(angle) - right * math.sin(angle)) / stretch
    distance = np.hypot(along, across) - 0.12 * canvas.outline[window]
    pallor = min(max(person.pallor * rng.normal(1, 0.25), 0), 0.9)
    thickness = 1 - pallor * np.exp(-np.square(np.square(distance / (0.5 * radius))))
    rim = 0.12 * np.exp(-np.square((radius - 0.35 - distance) / 0.35))
    amount = rng.normal(0.95, 0.08) * (thickness + rim) * soft_step(radius - distance, 0.13)
    canvas.dyes[window][..., EOSIN] += amount


def sample_appearance(rng: Generator, effect: float) -> Appearance:
    """Return one subject's staining and light; they do not depend on the diagnosis."""
    hue = np.exp(effect * rng.normal(0, 0.08, (3, 3)))
    dyes = ABSORBANCE * hue * np.exp(effect * rng.normal(0, 0.11, (3, 1)))
    light = np.array([226, 226, 221]) * np.exp(effect * rng.normal(0, 0.03, 3))
    immaturity, size, pallor = effect * rng.normal(0, (0.07, 0.12, 0.12))
    radius, pallor = float(np.clip(3.7 + size, 3, 4.5)), float(np.clip(0.5 + pallor, 0.1, 0.8))
    return Appearance(dyes, light.clip(120, 248), immaturity, radius, pallor)


def place_leukocytes(rng: Generator, cells: list[Leukocyte], settings: dict) -> np.ndarray:
    """Return a pixel (x, y) for every cell, with a distance between cells and room for the crop."""
    margin = np.array(settings["crop_size"][::-1]) // 2 + MAXIMAL_SHIFT + 1
    places, size = np.empty((0, 2), int), np.array(settings["photograph_size"][::-1])
    radii = np.array([cell.radius for cell in cells]) * settings["pixels_per_micrometre"]
    for place in rng.integers(margin, size - margin, (500 * len(cells), 2)):
        count = len(places)
        apart = radii[:count] + radii[count] + 1.2 * settings["pixels_per_micrometre"]
        if (np.hypot(*(places - place).T) > apart).all():
            places = np.vstack([places, place])
            if len(places) == len(cells):
                return places
    room = f"about {len(places)}, for which photograph_size has room"
    raise InputError(f"demo: cells_per_picture is {len(cells)}; expected {room}")


def scatter_red_cells(canvas: Canvas, taken: np.ndarray) -> None:
    """Draw red cells up to the wanted cover, outside the leukocytes `taken` (x, y, radius)."""
    rng, margin, radius = canvas.rng, 3, canvas.person.red_cell_radius
    corner = np.array(canvas.dyes.shape[1::-1]) / canvas.scale + margin
    area = canvas.settings["red_cell_cover"] * np.prod(corner + margin)
    wanted = math.ceil(area / (np.pi * radius**2))
    places = np.empty((0, 2))
    for place in rng.uniform(-margin, corner, (4 * wanted, 2)):
        # One candidate in eight may overlap its neighbours, as in a smear that is not too thin.
        apart = radius * (1.1 if rng.random() < 0.12 else 1.9)
        outside = np.hypot(*(taken[:, :2] - place).T) > taken[:, 2] + 0.85 * radius
        if outside.all() and (np.hypot(*(places - place).T) > apart).all():
            places = np.vstack([places, place])
            draw_red_cell(canvas, *place)
        if len(places) == wanted:
            break


def expose(canvas: Canvas) -> np.ndarray:
    """Turn amounts of dye into the camera's picture, uint8 RGB of `photograph_size`."""
    rng, person, settings = canvas.rng, canvas.person, canvas.settings
    height, width = settings["photograph_size"]
    blur = max(SUPERSAMPLING * settings["defocus"] * rng.uniform(0.7, 1.4), 0.01)
    light = np.exp(-cv2.transform(canvas.dyes, person.absorbance.T))
    light = cv2.GaussianBlur(light, (0, 0), blur)
    light = cv2.resize(light, (width, height), interpolation=cv2.INTER_AREA)
    down, right = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    tilt = rng.normal(0, 0.02, 2)
    lamp = 1 - 0.06 * (right**2 + down**2) + tilt[0] * right + tilt[1] * down
    picture = light * (lamp[..., None] * person.light * rng.normal(1, 0.015)).astype(np.float32)
    grain = np.dstack([smooth_noise(rng, (height, width), 0.6) for _ in range(3)])
    picture += settings["noise"] * np.sqrt(picture / 128) * grain
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def draw_photograph(
    rng: Generator, person: Appearance, cells: list[Leukocyte], settings: dict
) -> tuple:
    """Draw a photograph of leukocytes.

    Returns:
        The photograph (uint8 RGB), the pixel (x, y) of each leukocyte's centre, and for every
        pixel the number of its leukocyte, counted from 1 (int32), 0 outside.
    """
    places = place_leukocytes(rng, cells, settings)
    centres = (places + 0.5) / settings["pixels_per_micrometre"]
    canvas = Canvas(rng, person, settings)
    scatter_red_cells(canvas, np.column_stack([centres, [cell.radius for cell in cells]]))
    for place in rng.uniform(0, settings["photograph_size"][::-1], (rng.poisson(9), 2)):
        radius = rng.uniform(0.8, 1.5)
        platelet = Leukocyte(0, radius, np.array([[0, 0, radius]]), 0.32, 0.4, 0.1, 0.4, 0.3)
        draw_leukocyte(canvas, platelet, *place / settings["pixels_per_micrometre"])
    numbers = np.zeros(canvas.dyes.shape[:2], np.int32)
    for number, (cell, centre) in enumerate(zip(cells, centres, strict=True), start=1):
        numbers[draw_leukocyte(canvas, cell, *centre)] = number
    return expose(canvas), places, numbers[::SUPERSAMPLING, ::SUPERSAMPLING]


def crop_cell(photograph: np.ndarray, row: dict, size: tuple[int, int]) -> np.ndarray:
    """Return the crop whose row height // 2 and column width // 2 is the pixel (x, y)."""
    top, left = row["y"] - size[0] // 2, row["x"] - size[1] // 2
    return photograph[top : top + size[0], left : left + size[1]]


def check_settings(settings: Mapping) -> None:
    """Check what the config's schema cannot: whether the settings fit together.

    Raises:
        InputError: Names the key, what was received and what is expected.
    """
    for fault in demo_faults("demo", settings):
        raise InputError(fault)


def write_png(path: Path, image: np.ndarray) -> None:
    """Write a uint8 image, grey or in OpenCV's order of colours, blue first."""
    path.write_bytes(cv2.imencode(".png", np.ascontiguousarray(image))[1].tobytes())


def draw_kinds(rng: Generator, blasts: np.ndarray, subject: str, kinds: list[str]) -> list[str]:
    """Draw the kind of every cell of a photograph.

    Args:
        rng: Draws.
        blasts: bool (n,).
        subject: Its number decides which type all of its blasts are of, in turn.
        kinds: The kinds of the data set, see :data:`blastfold.experiment.demo_settings.KINDS`.

    Returns:
        A kind for every cell; normal ones are equally probable.
    """
    of_blasts = [kind for kind in kinds if kind in BLASTS]
    normal = [kind for kind in kinds if kind not in BLASTS]
    own = of_blasts[(int(subject.rpartition("-")[2]) - 1) % len(of_blasts)]
    return [own if blast else normal[rng.integers(len(normal))] for blast in blasts]


def write_picture(
    folder: Path, subject: str, number: int, settings: dict, stream: tuple[int, str]
) -> list[dict]:
    """Draw and write one photograph and the crops of its leukocytes; return their rows."""
    # Randomness is named after data set, subject and picture: a further subject changes no other,
    # and no subject of one data set is a subject of another.
    person = sample_appearance(generator(*stream, subject), settings["subject_effect"])
    picture = f"{subject}-{number}"
    rng = generator(*stream, picture)
    share = 1 if subject.startswith("healthy") else settings["normal_cells_in_patients"]
    blasts = rng.random(settings["cells_per_picture"]) >= share
    kinds = settings.get("kinds")
    if kinds:
        drawn = draw_kinds(rng, blasts, subject, kinds)
        cells = [sample_kind(rng, kind, person, settings) for kind in drawn]
    else:
        cells = [sample_leukocyte(rng, blast, person, settings) for blast in blasts]
    photograph, places, numbers = draw_photograph(rng, person, cells, settings)
    photograph = photograph[..., ::-1]
    write_png(folder / "photographs" / f"{picture}.png", photograph)
    rows = []
    for index, (cell, (x, y)) in enumerate(zip(cells, places.tolist(), strict=True), start=1):
        radius = round(float(cell.radius * settings["pixels_per_micrometre"]), 1)
        label = kinds[cell.label] if kinds else cell.label
        row = {"image_id": f"{picture}-{index:02d}", "label": label, "subject": subject}
        row |= {"picture": picture, "x": x, "y": y, "radius": radius}
        rows.append(row | {"duplicate_of": "", "duplicate_kind": ""})
        name = f"{row['image_id']}.png"
        write_png(folder / "cells" / name, crop_cell(photograph, row, settings["crop_size"]))
        mask = crop_cell(numbers, row, settings["crop_size"]) == index
        write_png(folder / "masks" / name, 255 * mask.astype(np.uint8))
    return rows


def add_duplicates(rng: Generator, folder: Path, rows: list[dict], settings: dict) -> None:
    """Write near copies of some cells, and append their rows under the next free numbers."""
    chosen = rng.choice(len(rows), settings["duplicates"], replace=False)
    for cell, kind in zip([rows[index] for index in chosen], cycle(DUPLICATE_KINDS), strict=False):
        number = 1 + sum(row["picture"] == cell["picture"] for row in rows)
        copy = cell | {"image_id": f"{cell['picture']}-{number:02d}"}
        copy |= {"duplicate_of": cell["image_id"], "duplicate_kind": kind}
        if kind == "shifted":
            shift = rng.choice([-MAXIMAL_SHIFT, MAXIMAL_SHIFT], 2).tolist()
            copy |= {"x": cell["x"] + shift[0], "y": cell["y"] + shift[1]}
        photograph = cv2.imread(str(folder / "photographs" / f"{cell['picture']}.png"))
        crop = change_crop(rng, crop_cell(photograph, copy, settings["crop_size"]), kind)
        write_png(folder / "cells" / f"{copy['image_id']}.png", crop)
        mask = cv2.imread(str(folder / "masks" / f"{cell['image_id']}.png"), cv2.IMREAD_GRAYSCALE)
        mask = change_mask(mask, kind, (copy["x"] - cell["x"], copy["y"] - cell["y"]))
        write_png(folder / "masks" / f"{copy['image_id']}.png", mask)
        rows.append(copy)


def generate_demo(folder: str | Path, settings: dict, seed: int, name: str = "demo") -> None:
    """Write a generated data set; the same seed, name and settings give the same bytes.

    `photographs/<picture>.png` are the smears, `cells/<image_id>.png` the crops round every
    leukocyte. `masks/<image_id>.png` are 255 on the leukocyte of the crop and 0 elsewhere.
    `cells.tsv`, written last, has one row per crop: path, mask (both files), image_id, label
    (0 normal, 1 blast, or the kind where the settings name kinds), subject, picture, x, y (the
    photograph's pixel at the crop's row height // 2 and column width // 2), radius (pixels),
    duplicate_of (image_id) and duplicate_kind (one of `DUPLICATE_KINDS`). Rows where these two are
    empty are the leukocytes, each once.

    Args:
        folder: Where to write; made when it does not exist.
        settings: All keys of the config's ``demo`` (see config/README.md), checked.
        seed: The experiment's seed.
        name: Name of the data set. Two data sets have other subjects and other cells.

    Raises:
        InputError: When a setting is unknown or impossible.
    """
    check_settings(settings)
    folder = Path(folder)
    for part in ("photographs", "cells", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    rows = []
    numbers = range(1, settings["subjects_per_class"] + 1)
    for kind, person in product(("healthy", "patient"), numbers):
        for picture in range(1, settings["pictures_per_subject"] + 1):
            rows += write_picture(folder, f"{kind}-{person:02d}", picture, settings, (seed, name))
    add_duplicates(generator(seed, name, "duplicates"), folder, rows, settings)
    table = pd.DataFrame(rows).sort_values("image_id")
    for place, (column, part) in enumerate((("path", "cells"), ("mask", "masks"))):
        table.insert(place, column, part + "/" + table.image_id + ".png")
    write_table(table, folder / "cells.tsv")
    logger.info("%s: wrote %d crops of leukocytes to %s", name, len(table), folder)
