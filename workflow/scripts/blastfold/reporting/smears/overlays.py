"""Photographs with the outlines of their cells: one picture per photograph.

Each has a scale bar, where the scale is known, and a strip below it with the counts, the colour
scale and the legend, so that it can be understood alone.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import IdentityTransform

from blastfold.core.errors import BlastfoldError
from blastfold.core.names import GIVEN_SCALE
from blastfold.reporting.figures import style
from blastfold.reporting.page.gallery import jpeg_file
from blastfold.reporting.smears.application import Application, contour
from blastfold.reporting.smears.colours import ASIDE, CASING, DARK, LIGHT_FROM, colours_of
from blastfold.reporting.smears.pictures import Shown, scale_bar, show
from blastfold.reporting.smears.words import OUTSIDE, REASONS, SCALES, counted, percent, sentence

SHORTEST, LONGEST = 1280, 2200
"""Pixels of the longer side of an overlay: small photographs are enlarged, large ones shrunk."""

DOTS = 100
"""Dots per inch of the figure, so that lengths are simple numbers of pixels."""

STRIP = 150
"""Pixels of the strip below a picture that is :data:`SHORTEST` wide."""

JPEG_QUALITY = 90

LINE = 4.0
"""Width of a contour in pixels of a picture that is :data:`SHORTEST` wide."""

DASHED, DOTTED = (0, (2.2, 1.2)), (0, (1.2, 1.2))
"""Lines of cells unlike the training images, and of what was set aside."""

MOST_NAMED = 60
"""Photographs with more cells have no probabilities and reasons next to them."""

USUAL_CELL, THINNEST = 64.0, 0.3
"""Pixels of a cell whose contour has the width :data:`LINE`, in a picture that is :data:`SHORTEST`
wide; those of smaller cells are narrower, down to this share."""

logger = logging.getLogger(__name__)


class Canvas(NamedTuple):
    """A figure whose unit is the pixel.

    Attributes:
        figure: The figure.
        height: Pixels of the whole figure.
        unit: Size of everything, relative to a picture that is :data:`SHORTEST` wide.
    """

    figure: Figure
    height: int
    unit: float

    def text(self, x: float, y: float, words: str, size: float, **options) -> None:
        """Write words at a place, counted from the upper left corner; the size is in pixels."""
        points = size * self.unit * 72 / DOTS
        place = {"transform": IdentityTransform(), "fontsize": points} | options
        self.figure.text(x, self.height - y, words, **place)

    def lines(self, contours: list[np.ndarray], **options) -> None:
        """Draw closed contours, float (n, 2) each, counted from the upper left corner."""
        closed = [
            np.vstack([points, points[:1]]) * (1, -1) + (0, self.height) for points in contours
        ]
        widths = {"linewidths": options.pop("width") * self.unit * 72 / DOTS}
        place = {"transform": IdentityTransform()} | widths | options
        self.figure.add_artist(LineCollection(closed, **place))

    def box(self, left: float, top: float, width: float, height: float, **options) -> None:
        """Fill a rectangle."""
        place = left, self.height - top - height
        options = {"transform": IdentityTransform(), "linewidth": 0} | options
        self.figure.add_artist(Rectangle(place, width, height, **options))


def draw_overlays(
    files: Mapping[str, str | os.PathLike],
    folder: str | os.PathLike,
    overlays: str | os.PathLike,
) -> None:
    """Draw the overlay of every photograph that could be used.

    Args:
        files: See :meth:`blastfold.reporting.smears.application.Application.read`.
        folder: The photographs.
        overlays: Folder to write.

    Raises:
        InputError: A stored file is not as expected.
    """
    application = Application.read("", files)
    usable = application.photographs[application.photographs["problem"] == ""]
    names = overlay_names(usable["photograph"])
    Path(overlays).mkdir(parents=True, exist_ok=True)
    for row in usable.to_dict("records"):
        path = Path(overlays) / names[row["photograph"]]
        try:
            shown = show(Path(folder) / row["photograph"], SHORTEST, LONGEST)
        except BlastfoldError as error:
            logger.warning("No overlay of '%s': %s", row["photograph"], error)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg_file(draw_overlay(application, row, shown), JPEG_QUALITY))
    logger.info("%s", counted(len(usable), "overlay"))


def overlay_names(photographs: Iterable[str]) -> dict[str, str]:
    """Return the file of every photograph's overlay; two of one name keep their endings."""
    photographs = list(photographs)
    stems = [PurePosixPath(name).with_suffix("") for name in photographs]
    return {
        name: f"{stem if stems.count(stem) == 1 else name}.jpg"
        for name, stem in zip(photographs, stems, strict=True)
    }


def draw_overlay(application: Application, row: Mapping, shown: Shown) -> np.ndarray:
    """Draw the overlay of one photograph.

    Args:
        application: The application.
        row: The photograph's row of the table.
        shown: The photograph.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    height, width = shown.picture.shape[:2]
    unit = min(max(width, height), 1.6 * width) / SHORTEST
    strip = round(STRIP * unit)
    figure = Figure(figsize=(width / DOTS, (height + strip) / DOTS), dpi=DOTS, layout="none")
    canvas = Canvas(figure, height + strip, unit)
    with matplotlib.style.context(["default", {"font.sans-serif": ["DejaVu Sans"]}]):
        agg = FigureCanvasAgg(figure)
        figure.patch.set_alpha(0)
        _draw_cells(canvas, application.cells_of(row["photograph"]), shown)
        _draw_bar(canvas, row, shown)
        _draw_strip(canvas, application, row, width, height)
        agg.draw()
    return _on_picture(shown.picture, np.asarray(agg.buffer_rgba()))


def _on_picture(picture: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Lay a drawing over a picture, and over white below it; Matplotlib would need twice the time.

    Args:
        picture: uint8 (height, width, 3).
        drawn: uint8 (height or more, width, 4), colours and opacity.
    """
    below = np.full((*drawn.shape[:2], 3), 255, np.uint8)
    below[: len(picture)] = picture
    rows, columns = np.nonzero(drawn[..., 3])
    colours, opacity = drawn[rows, columns, :3], drawn[rows, columns, 3:] / np.float32(255)
    below[rows, columns] = np.rint(below[rows, columns] * (1 - opacity) + colours * opacity)
    return below


def _draw_cells(canvas: Canvas, cells: pd.DataFrame, shown: Shown) -> None:
    classified = cells["probability"].notna().to_numpy()
    outside = (cells["out_of_domain"] == 1).to_numpy()
    probabilities = cells["probability"].fillna(0).to_numpy(float)
    colours, casings = colours_of(probabilities), casings_of(probabilities)
    rows = cells.to_dict("records")
    contours = [(contour(cell) + 0.5) * shown.factor for cell in rows]
    aside = [one for one, known in zip(contours, classified, strict=True) if not known]
    line = line_width(cells[classified], shown.factor / canvas.unit)
    canvas.lines(aside, width=line, colors=CASING, alpha=0.7)
    canvas.lines(aside, width=0.6 * line, colors=ASIDE, linestyles=[DOTTED])
    for far, dashes in ((False, "solid"), (True, DASHED)):
        chosen = np.flatnonzero(classified & (outside == far))
        drawn = [contours[number] for number in chosen]
        canvas.lines(drawn, width=1.6 * line, colors=casings[chosen])
        canvas.lines(drawn, width=line, colors=colours[chosen], linestyles=[dashes])
    if len(rows) > MOST_NAMED:
        return
    for number in np.flatnonzero(classified):
        words = f"{probabilities[number]:.2f}"
        _name(canvas, rows[number], words, shown, size=15, color="black", fontweight="bold")
    for number in np.flatnonzero(~classified):
        words = REASONS.get(rows[number]["set_aside"], rows[number]["set_aside"])
        _name(canvas, rows[number], words, shown, size=13, color="#3d3d3d")


def line_width(cells: pd.DataFrame, factor: float) -> float:
    """Return the width of contours, in pixels of a picture that is :data:`SHORTEST` wide.

    Args:
        cells: The classified cells.
        factor: Such pixels for one of the photograph.
    """
    across = cells[["width", "height"]].to_numpy(float)
    usual = float(np.median(across)) * factor if len(across) else USUAL_CELL
    return LINE * float(np.clip(usual / USUAL_CELL, THINNEST, 1))


def casings_of(probabilities: np.ndarray) -> np.ndarray:
    """Return the colour of the line below each contour: dark below light ones."""
    return np.where(np.asarray(probabilities) < LIGHT_FROM, CASING, DARK)


def _name(canvas: Canvas, cell: Mapping, words: str, shown: Shown, size: float, **options) -> None:
    """Write words below a cell, or above it where there is no room."""
    height, width = shown.picture.shape[:2]
    unit = canvas.unit
    x = min(max((cell["left"] + cell["width"] / 2) * shown.factor, 0), width)
    below = (cell["top"] + cell["height"]) * shown.factor + 5 * unit
    under = below + 1.5 * size * unit < height
    y = below if under else cell["top"] * shown.factor - 5 * unit
    room = 5 * len(words) * unit
    side = "left" if x < room else "right" if x > width - room else "center"
    halo = [patheffects.withStroke(linewidth=2.5 * unit, foreground=CASING, alpha=0.85)]
    place = {"va": "top" if under else "bottom", "ha": side, "path_effects": halo}
    canvas.text(x, y, words, size, **place, **options)


def _draw_bar(canvas: Canvas, row: Mapping, shown: Shown) -> None:
    height, width = shown.picture.shape[:2]
    unit = canvas.unit
    bar = scale_bar(width, row["micrometres_per_pixel"] / shown.factor)
    if bar is None:
        return
    micrometres, pixels = bar
    estimated = "" if row["scale"] == GIVEN_SCALE else f"\n{SCALES[row['scale']]}"
    room = 40 if estimated else 27
    across = max(pixels, (150 if estimated else 60) * unit) + 16 * unit
    left, top = width - across - 12 * unit, height - (room + 24) * unit
    # Above the contours of cells.
    canvas.box(left, top, across, (room + 12) * unit, facecolor="white", alpha=0.85, zorder=4)
    start = left + (across - pixels) / 2
    canvas.box(start, top + 8 * unit, pixels, 5 * unit, facecolor="black", zorder=5)
    words = f"{'about ' if estimated else ''}{micrometres:,} µm{estimated}"
    place = {"va": "top", "ha": "center", "linespacing": 1.3, "zorder": 5}
    canvas.text(left + across / 2, top + 17 * unit, words, 12, **place)


def _draw_strip(
    canvas: Canvas, application: Application, row: Mapping, width: int, height: int
) -> None:
    unit = canvas.unit
    left, top = 16 * unit, height
    options = {"va": "top", "ha": "left"}
    canvas.text(left, top + 14 * unit, row["photograph"], 18, fontweight="bold", **options)
    for place, words in enumerate(strip_lines(application, row)):
        canvas.text(left, top + (44 + 23 * place) * unit, words, 14.5, **options)
    notice = sentence(application.record["notice"])
    canvas.text(left, top + 122 * unit, notice, 13, color="#b3261e", **options)
    _draw_scale(canvas, application.positive, width - 476 * unit, top + 16 * unit)


def strip_lines(application: Application, row: Mapping) -> list[str]:
    """Return what the strip below an overlay says of its photograph."""
    counts = counted(int(row["leukocytes"]), "whole leukocyte")
    aside = int(sum(row[reason] for reason in REASONS))
    lines = [f"{counts}; {aside:,} set aside"]
    if row["classified"]:
        found = f"{application.positive}: {int(row['positive'])} of {int(row['classified'])}"
        lines.append(f"{found} classified ({percent(row['share'])})")
    else:
        lines.append("No cell was classified")
    if row["out_of_domain"] > 0:
        lines.append(f"{int(row['out_of_domain'])} {OUTSIDE}")
    if counts_of(row) > MOST_NAMED:
        lines[0] += "; too many for numbers next to them, see smears.html"
    return lines


def counts_of(row: Mapping) -> int:
    """Return the number of contours of a photograph."""
    return int(row["leukocytes"] + sum(row[reason] for reason in REASONS))


def _draw_scale(canvas: Canvas, positive: str, left: float, top: float) -> None:
    """Draw the colour scale and the legend of the lines."""
    unit = canvas.unit
    across, tall = 440 * unit, 16 * unit
    canvas.text(left, top - 2 * unit, f"Probability of {positive}", 13.5, va="top", ha="left")
    bar = canvas.figure.add_axes(
        _share(canvas, left, top + 22 * unit, across, tall), xticks=[], yticks=[]
    )
    colours = ListedColormap(colours_of(np.linspace(0, 1, 256)))
    bar.imshow(np.linspace(0, 1, 256)[None], aspect="auto", cmap=colours)
    for value in (0, 0.25, 0.5, 0.75, 1):
        place = left + value * across
        side = {0: "left", 1: "right"}.get(value, "center")
        canvas.text(place, top + 42 * unit, f"{value:g}", 12.5, va="top", ha=side)
    samples = (
        ("classified", style.BLACK, "solid", LINE),
        (OUTSIDE, style.BLACK, DASHED, LINE),
        ("set aside", ASIDE, DOTTED, 0.6 * LINE),
    )
    place = left
    for words, colour, dashes, wide in samples:
        line = np.array([(place, top + 76 * unit), (place + 30 * unit, top + 76 * unit)])
        canvas.lines([line], width=wide, colors=colour, linestyles=[dashes])
        canvas.text(place + 36 * unit, top + 69 * unit, words, 12.5, va="top", ha="left")
        place += (50 + 7.2 * len(words)) * unit


def _share(canvas: Canvas, left: float, top: float, width: float, height: float) -> list[float]:
    across, tall = canvas.figure.bbox.width, canvas.figure.bbox.height
    return [left / across, 1 - (top + height) / tall, width / across, height / tall]
