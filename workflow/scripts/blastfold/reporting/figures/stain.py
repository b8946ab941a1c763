"""The figure that shows what stain normalisation makes of images."""

import json
import os
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from blastfold.core.manifest import read_manifest
from blastfold.images.stain import normalise_image
from blastfold.reporting.figures import style
from blastfold.reporting.figures.datasets import Paths, choose_examples

EXAMPLES = 4
"""Images of each class."""


def plot_stain(
    images: str | os.PathLike, manifest: str | os.PathLike, records: str | os.PathLike, paths: Paths
) -> None:
    """Draw example images of every class before and after stain normalisation.

    Args:
        images: ``images.npy`` of the data set.
        manifest: ``manifest.tsv`` of the data set.
        records: Reference statistics of every fold as
            :func:`blastfold.folds.stain_reference.fit_stain` writes them; the first is drawn.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    fitted = json.loads(Path(records).read_text("utf-8"))[0]
    rows = choose_examples(read_manifest(manifest).astype({"label": int}), EXAMPLES)
    before = np.load(images, mmap_mode="r")[rows.index.to_numpy()]
    after = [normalise_image(image, fitted["stain"], fitted["reference"]) for image in before]
    names = [style.class_title(name) for name in rows["class"]]
    figure = before_and_after(before, np.stack(after), names, fitted["stain"].capitalize())
    style.save_figure(figure, paths)


@style.styled
def before_and_after(
    before: np.ndarray, after: np.ndarray, names: list[str], method: str
) -> Figure:
    """Draw a row of images above what became of them.

    Args:
        before: uint8 (n, height, width, 3).
        after: float32 (n, height, width, 3), RGB 0-255.
        names: Text above each image.
        method: Text next to the second row.
    """
    aspect = before.shape[1] / before.shape[2] + 0.08
    figure, grid = style.image_grid(2, len(before), style.TWO_COLUMNS, aspect)
    changed = np.rint(after).astype(np.uint8)
    for axes_row, row, pictures in zip(grid, ("Before", method), (before, changed), strict=True):
        for axes, picture in zip(axes_row, pictures, strict=True):
            axes.imshow(picture)
        style.label_row(axes_row[0], row)
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(name, fontsize=7, pad=2)
    return figure
