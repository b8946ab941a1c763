"""Figures that show the images: examples, classes, augmentation and mean images."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blastfold.core.manifest import class_names, read_manifest
from blastfold.reporting.figures import style
from blastfold.reporting.figures.class_styles import class_area

Paths = Iterable[str | os.PathLike]


def plot_example_images(
    images: str | os.PathLike, manifest: str | os.PathLike, paths: Paths, columns: int = 6
) -> None:
    """Draw example images of every class (thesis Figs. 1.1 and 4.1).

    Args:
        images: ``images.npy`` of the data set.
        manifest: ``manifest.tsv`` of the data set.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
        columns: Images of each class.
    """
    table = read_manifest(manifest).astype({"label": int})
    rows = choose_examples(table, columns)
    stored = np.load(images, mmap_mode="r")
    figure = example_images(stored[rows.index.to_numpy()], rows.reset_index(drop=True))
    style.save_figure(figure, paths)


def choose_examples(manifest: pd.DataFrame, count: int) -> pd.DataFrame:
    """Choose examples of each class from as many subjects as there are.

    Args:
        manifest: label and subject.
        count: Examples of each class.

    Returns:
        The chosen rows with their index kept, class after class. The choice depends on the
        manifest alone: spread evenly over the subjects, one image of each before the second of any.
    """
    chosen = []
    for _, rows in manifest.groupby("label"):
        turn = rows.groupby("subject").cumcount()
        if (rows["subject"] == "").all():
            turn = turn * 0
        ordered = rows.loc[turn.sort_values(kind="stable").index]
        first_turn = ordered.head(max((turn == 0).sum(), count))
        places = np.linspace(0, len(first_turn) - 1, min(count, len(first_turn)))
        chosen.append(first_turn.iloc[places.round().astype(int)])
    return pd.concat(chosen)


@style.styled
def example_images(images: np.ndarray, rows: pd.DataFrame) -> Figure:
    """Draw a row of images for each class, with their subjects.

    Args:
        images: uint8 (n, height, width, 3).
        rows: label, class and subject of each image.
    """
    columns = rows["label"].value_counts().max()
    labels = sorted(rows["label"].unique())
    has_subjects = (rows["subject"] != "").any()
    shape = images.shape[1] / images.shape[2]
    aspect = shape + (0.13 if has_subjects else 0.04)
    figure, grid = style.image_grid(len(labels), columns, style.TWO_COLUMNS, aspect)
    for axes_row, label in zip(grid, labels, strict=True):
        of_class = rows[rows["label"] == label]
        for axes, (position, row) in zip(axes_row, of_class.iterrows(), strict=False):
            axes.imshow(images[position])
            if has_subjects:
                subject = style.wrap(f"Subject {row['subject'] or 'unknown'}", 22, lines=1)
                axes.set_title(subject, fontsize=7, pad=2)
        style.label_row(axes_row[0], style.class_title(of_class["class"].iloc[0]))
    return figure


def plot_class_distribution(manifest: str | os.PathLike, title: str, paths: Paths) -> None:
    """Draw the number of images of each class (thesis Figs. 4.2 and 4.3).

    Args:
        manifest: ``manifest.tsv`` of the data set.
        title: Title of the data set.
        paths: Figures to write.
    """
    table = read_manifest(manifest).astype({"label": int})
    style.save_figure(class_distribution(table, title), paths)


@style.styled
def class_distribution(manifest: pd.DataFrame, title: str) -> Figure:
    """Draw a bar for each class and, where subjects are known, for each subject.

    Args:
        manifest: label, class and subject, one row per image.
        title: Title of the data set.
    """
    known = manifest[manifest["subject"] != ""]
    if known.empty:
        figure = Figure(figsize=(style.ONE_COLUMN, 60 * style.MILLIMETRE))
        class_axes = figure.subplots()
    else:
        figure = Figure(figsize=(style.TWO_COLUMNS, 68 * style.MILLIMETRE))
        class_axes, subject_axes = figure.subplots(1, 2, width_ratios=(1, 2.2))
        _draw_subjects(subject_axes, known, class_names(manifest))
    names = class_names(manifest)
    counts = manifest["label"].value_counts().sort_index()
    if len(names) > 2:
        _draw_classes(class_axes, counts, names)
        class_axes.set_title(style.wrap(title, 34, lines=2))
        return figure
    bars = class_axes.bar(
        [style.class_title(names[label]) for label in counts.index],
        counts,
        color=[style.CLASS_COLOURS[label] for label in counts.index],
        width=0.6,
    )
    shares = [f"{count}\n({100 * count / len(manifest):.1f} %)" for count in counts]
    class_axes.bar_label(bars, shares, padding=2, fontsize=7.5)
    class_axes.margins(x=0.25)
    class_axes.set_ylim(0, 1.3 * counts.max())
    class_axes.set_ylabel("Images")
    class_axes.set_title(style.wrap(title, 34, lines=2))
    return figure


def _draw_classes(axes: Axes, counts: pd.Series, names: Sequence[str]) -> None:
    """Draw a horizontal bar for each of many classes, whose names are on the left."""
    for label, number in counts.items():
        axes.barh(label, number, height=0.7, **class_area(label, len(names)))
        text = f" {number} ({100 * number / counts.sum():.1f} %)"
        axes.text(number, label, text, va="center", fontsize=min(6.5, 90 / len(names)))
    size = min(7.5, 90 / len(names))
    axes.set_yticks(range(len(names)), [style.wrap(name, 22, 1) for name in names], fontsize=size)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.6 * counts.max())
    axes.set_xlabel("Images")


def _draw_subjects(axes: Axes, known: pd.DataFrame, names: Sequence[str]) -> None:
    counts = known.groupby(["subject", "label"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=range(len(names)), fill_value=0)
    counts = counts.assign(total=counts.sum(axis=1)).sort_values(
        ["total", 0], ascending=False, kind="stable"
    )
    positions = np.arange(len(counts))
    bottom = np.zeros(len(counts))
    for label, name in enumerate(names):
        axes.bar(
            positions,
            counts[label],
            bottom=bottom,
            width=0.8,
            label=style.class_title(name),
            **class_area(label, len(names)),
        )
        bottom += counts[label]
    axes.set_xlim(-0.8, len(counts) - 0.2)
    axes.set_ylim(0, 1.05 * counts["total"].max())
    axes.set_ylabel("Images of the subject")
    axes.set_title(f"{len(counts)} subjects", loc="left")
    # Next to the title, where no bar can be behind it.
    if len(names) == 2:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    if len(counts) <= 24:
        names = [style.wrap(name, 12, lines=1) for name in counts.index]
        axes.set_xticks(positions, names, rotation=90, fontsize=7)
        axes.set_xlabel("Subject")
    else:
        axes.set_xticks([])
        axes.set_xlabel("Subjects, most images first")


def plot_augmented_images(samples: str | os.PathLike, paths: Paths) -> None:
    """Draw images before and after each random operation (thesis Fig. 4.4).

    Args:
        samples: ``.npz`` with original uint8 (k, height, width, 3), augmented uint8
            (k, m, height, width, 3) and operations (m,), what was done to each column.
        paths: Figures to write.
    """
    with np.load(samples) as stored:
        operations = [str(name) for name in stored["operations"]]
        figure = augmented_images(stored["original"], stored["augmented"], operations)
    style.save_figure(figure, paths)


@style.styled
def augmented_images(
    original: np.ndarray, augmented: np.ndarray, operations: Sequence[str]
) -> Figure:
    """Draw each image in a row with its augmented versions.

    Args:
        original: uint8 (k, height, width, 3).
        augmented: uint8 (k, m, height, width, 3).
        operations: m names, what was done to each column.
    """
    headings = ["original", *(name.replace("_", " ") for name in operations)]
    aspect = original.shape[1] / original.shape[2] + 0.04
    figure, grid = style.image_grid(len(original), len(headings), style.TWO_COLUMNS, aspect)
    for axes_row, image, changed in zip(grid, original, augmented, strict=True):
        for axes, picture in zip(axes_row, [image, *changed], strict=True):
            axes.imshow(picture)
    for axes, heading in zip(grid[0], headings, strict=True):
        text = style.wrap(heading.capitalize(), max(8, 135 // len(headings)), lines=2)
        axes.set_title(text, fontsize=7, pad=3)
    figure.set_figheight(figure.get_figheight() + 0.2)
    return figure


def plot_mean_images(mean_images: str | os.PathLike, paths: Paths) -> None:
    """Draw the mean training image of every fold (thesis 4.3).

    Args:
        mean_images: float32 ``.npy``, (folds, height, width, 3), intensities 0-255.
        paths: Figures to write.
    """
    style.save_figure(mean_image_grid(dict(enumerate(np.load(mean_images)))), paths)


@style.styled
def mean_image_grid(mean_images: dict[int, np.ndarray]) -> Figure:
    """Draw mean images side by side, in rows of up to five.

    Args:
        mean_images: float32 (height, width, 3) with intensities 0-255, by fold.
    """
    columns = min(5, len(mean_images))
    rows = -(-len(mean_images) // columns)
    height, width = next(iter(mean_images.values())).shape[:2]
    figure_width = style.ONE_COLUMN if columns < 3 else style.TWO_COLUMNS
    figure_width *= 0.6 if columns == 1 else 1
    figure, grid = style.image_grid(rows, columns, figure_width, height / width + 0.1)
    for axes, (fold, mean_image) in zip(grid.flat, mean_images.items(), strict=False):
        axes.imshow(np.clip(mean_image / 255, 0, 1))
        colour = ", ".join(f"{value:.0f}" for value in mean_image.mean(axis=(0, 1)))
        name = f"Fold {fold}: mean" if len(mean_images) > 1 else "Mean"
        axes.set_title(f"{name} RGB {colour}", fontsize=6.5, pad=2)
    return figure
