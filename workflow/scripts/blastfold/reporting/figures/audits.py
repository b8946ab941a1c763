"""Figures of the leakage audit: pairs of duplicates, and what crosses the splits."""

import os
import re
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from blastfold.core.errors import InputError
from blastfold.core.names import TRAIN, VALIDATION
from blastfold.core.tables import read_table
from blastfold.reporting.figures import style
from blastfold.reporting.figures.datasets import read_manifest
from blastfold.reporting.tables.leakage import KIND_TITLES
from blastfold.reporting.tables.writing import heading_of

Paths = Iterable[str | os.PathLike]

PAIRS = 12
"""Pairs that the figure shows at most."""

PAIRS_A_ROW = 4

# Inches: between pairs, for a line of text above or below a pair, for a further line of a name,
# and for the figure's title.
GAP, LINE, NAME_LINE, TITLE = 0.14, 0.13, 0.1, 0.22

# Characters of a line above a pair, and of a line below an image.
ABOVE_PAIR, BELOW_IMAGE = 34, 17

WITHIN = 0.97
"""Share of its place that an image takes, so that the two of a pair do not touch."""

NO_PICTURE = 217
"""Intensity of what the moved image does not show: the light grey of the other figures."""

# What undoes each orientation; turns are counter-clockwise, so that a turn is undone clockwise.
UNDO: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda image: image,
    "flip_left_right": np.fliplr,
    "flip_up_down": np.flipud,
    "turn_180": lambda image: np.rot90(image, 2),
    "transpose": lambda image: np.swapaxes(image, 0, 1),
    "turn_270": lambda image: np.rot90(image, 1),
    "turn_90": lambda image: np.rot90(image, -1),
    "anti_transpose": lambda image: np.swapaxes(np.rot90(image, 2), 0, 1),
}

TRANSFORM = re.compile(
    r"(?P<orientation>\w+)"
    r"(?: scaled \((?P<scale_down>\d\.\d+), (?P<scale_right>\d\.\d+)\) rotated (?P<angle>-?\d+))?"
    r"(?: shift \((?P<down>-?\d+), (?P<right>-?\d+)\))?"
)


def plot_duplicates(
    images: str | os.PathLike,
    manifest: str | os.PathLike,
    duplicates: str | os.PathLike,
    title: str,
    paths: Paths,
) -> None:
    """Draw duplicates side by side.

    Args:
        images: ``images.npy`` of the data set.
        manifest: ``manifest.tsv`` of the data set.
        duplicates: ``duplicates.tsv`` of the data set.
        title: Title of the data set.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    known = read_manifest(manifest)
    pairs = read_table(duplicates, text=("first", "second", "kind", "transform"))
    row_of = pd.Series(known.index, index=known["image_id"])
    subject_of = known.set_index("image_id")["subject"]
    chosen = choose_pairs(pairs, PAIRS).copy()
    for end in ("first", "second"):
        chosen[f"{end}_subject"] = subject_of[chosen[end]].to_numpy()
    stored = np.load(images, mmap_mode="r")
    shown = [
        (stored[row_of[pair.first]], align(stored[row_of[pair.second]], pair.transform))
        for pair in chosen.itertuples()
    ]
    style.save_figure(duplicate_pairs(shown, chosen, len(pairs), title), paths)


def choose_pairs(duplicates: pd.DataFrame, count: int) -> pd.DataFrame:
    """Choose pairs of all kinds, and of each kind from the least to the most similar.

    Args:
        duplicates: kind and similarity; one row per pair.
        count: Pairs to choose.

    Returns:
        At most ``count`` rows, the plainest kind first, the most similar first. Kinds alternate,
        so that a frequent kind leaves room for a rare one.
    """
    order = {kind: place for place, kind in enumerate(KIND_TITLES)}
    places = duplicates["kind"].map(order).fillna(len(order))
    ranked = duplicates.assign(place=places).sort_values(
        ["place", "similarity"], ascending=[True, False], kind="stable"
    )
    turn = ranked.groupby("kind").cumcount()
    taken = ranked.loc[turn.sort_values(kind="stable").index].head(count)["kind"].value_counts()
    chosen = [
        rows.iloc[np.linspace(0, len(rows) - 1, taken[kind]).round().astype(int)]
        for kind, rows in ranked.groupby("kind", sort=False)
        if kind in taken
    ]
    return pd.concat(chosen).drop(columns="place") if chosen else duplicates.iloc[:0]


def align(image: np.ndarray, transform: str) -> np.ndarray:
    """Undo the transform of a pair, so that its second image matches its first.

    Args:
        image: The second image, uint8 (height, width, 3).
        transform: As :func:`blastfold.leakage.duplicate_verification.name_transform` writes it: an
            orientation, scales (down, right) and an angle in degrees, and a shift (down, right) in
            pixels after them.

    Returns:
        uint8, light grey where the second image shows nothing of the first.

    Raises:
        InputError: The transform is of another form.
    """
    parts = TRANSFORM.fullmatch(transform)
    if parts is None or parts["orientation"] not in UNDO:
        raise InputError(
            f"duplicates: transform {transform!r}, expected one of {', '.join(UNDO)} and perhaps "
            "' scaled (down, right) rotated angle' and ' shift (down, right)'"
        )
    shift = np.array([int(parts["down"] or 0), int(parts["right"] or 0)])
    scales = np.array([float(parts["scale_down"] or 1), float(parts["scale_right"] or 1)])
    angle = np.deg2rad(int(parts["angle"] or 0))
    height, width = image.shape[:2]
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    rows, columns = np.mgrid[:height, :width]
    down, right = (np.stack([rows, columns], axis=-1) - centre).transpose(2, 0, 1)
    down, right = down * scales[0], right * scales[1]
    # Counter-clockwise as it is seen, where rows grow downwards.
    turned = [
        np.cos(angle) * down - np.sin(angle) * right,
        np.sin(angle) * down + np.cos(angle) * right,
    ]
    row, column = (
        np.rint(part + middle + step).astype(int)
        for part, middle, step in zip(turned, centre, shift, strict=True)
    )
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    moved = np.full_like(image, NO_PICTURE)
    moved[inside] = image[row[inside], column[inside]]
    return UNDO[parts["orientation"]](moved)


@style.styled
def duplicate_pairs(
    shown: list[tuple[np.ndarray, np.ndarray]], pairs: pd.DataFrame, total: int, title: str
) -> Figure:
    """Draw each pair as two images with its evidence above.

    Args:
        shown: Both images of each pair, uint8 (height, width, 3), the second one aligned.
        pairs: For each pair, in the same order, first, second, kind, transform, similarity,
            first_subject and second_subject (empty where unknown).
        total: Pairs of the data set.
        title: Title of the data set.
    """
    name = style.wrap(title, 60, lines=1)
    if not shown:
        return _nothing(f"{name}: no duplicates were found.")
    height, width = shown[0][0].shape[:2]
    side = (style.TWO_COLUMNS - (PAIRS_A_ROW - 1) * GAP) / (2 * PAIRS_A_ROW)
    above = LINE * max(len(_evidence(pair)) for pair in pairs.to_dict("records"))
    names = [_in_two_lines(name) for end in ("first", "second") for name in pairs[end]]
    further = NAME_LINE * any("\n" in name for name in names)
    below = LINE * (1.3 + _of_different_subjects(pairs).any()) + further
    row_height = WITHIN * side * height / width + above + below
    rows = -(-len(shown) // PAIRS_A_ROW)
    figure_height = rows * row_height + TITLE
    figure = Figure(figsize=(style.TWO_COLUMNS, figure_height))
    # Placed by hand: the automatic layout gives room to the texts and takes it from the images.
    figure.set_layout_engine("none")
    records = pairs.assign(crossing=_of_different_subjects(pairs)).to_dict("records")
    for place, (images, pair) in enumerate(zip(shown, records, strict=True)):
        row, column = divmod(place, PAIRS_A_ROW)
        left = column * (2 * side + GAP)
        bottom = figure_height - TITLE - (row + 1) * row_height + below
        size = (WITHIN * side / style.TWO_COLUMNS, (row_height - above - below) / figure_height)
        two = [
            figure.add_axes((x / style.TWO_COLUMNS, bottom / figure_height, *size))
            for x in (left, left + side)
        ]
        _draw_pair(two, images, pair, further / (row_height - above - below))
    plural = "pair" if total == 1 else "pairs"
    hidden = f"; {total - len(shown)} more are not shown" if total > len(shown) else ""
    text = f"{name}: {total} {plural} of duplicates with their similarity{hidden}"
    figure.text(0, 1 - 0.03 / figure_height, text, fontsize=8, verticalalignment="top")
    return figure


def _draw_pair(
    two: list[Axes], images: tuple[np.ndarray, np.ndarray], pair: dict, further: float
) -> None:
    """Draw one pair; further is what second lines of names need, a share of an image's height."""
    for axes, image, name in zip(two, images, (pair["first"], pair["second"]), strict=True):
        axes.imshow(image, aspect="auto")
        axes.set_axis_off()
        place = {"transform": axes.transAxes, "verticalalignment": "top"}
        text = _in_two_lines(name)
        axes.text(0.5, -0.03, text, fontsize=5.2, horizontalalignment="center", **place)
    two[0].set_title("\n".join(_evidence(pair)), fontsize=6.5, pad=2, loc="left")
    if pair["crossing"]:
        text, look = "different subjects", {"color": style.VERMILLION, "fontweight": "bold"}
        place["transform"] = two[0].transAxes
        two[0].text(0, -0.14 - further, text, fontsize=6.5, **look, **place)


def _evidence(pair: dict) -> list[str]:
    """Return the lines above a pair: its kind and similarity, and what is undone."""
    kind = KIND_TITLES.get(pair["kind"], pair["kind"])
    lines = [f"{kind}, {pair['similarity']:.3f}"]
    if pair["transform"] != "identity":
        undone = f"undone: {pair['transform'].replace('identity ', '').replace('_', ' ')}"
        lines += style.wrap(undone, ABOVE_PAIR).split("\n")
    return lines


def _of_different_subjects(pairs: pd.DataFrame) -> pd.Series:
    known = (pairs["first_subject"] != "") & (pairs["second_subject"] != "")
    return known & (pairs["first_subject"] != pairs["second_subject"])


def _in_two_lines(name: str) -> str:
    """Break a long name after a sign between words, and shorten one of more than two lines.

    It is shortened in the middle, since names differ at their ends.
    """
    kept = 2 * BELOW_IMAGE - 1
    if len(name) > kept + 1:
        name = f"{name[: kept // 2]}…{name[-(kept - kept // 2) :]}"
    if len(name) <= BELOW_IMAGE:
        return name
    possible = range(len(name) - BELOW_IMAGE, BELOW_IMAGE + 1)
    breaks = [place for place in possible if name[place - 1] in "/_- ."]
    cut = breaks[-1] if breaks else BELOW_IMAGE
    return f"{name[:cut]}\n{name[cut:]}"


def _nothing(text: str) -> Figure:
    figure = Figure(figsize=(style.TWO_COLUMNS, 18 * style.MILLIMETRE))
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, horizontalalignment="center", verticalalignment="center")
    return figure


def plot_leakage(leakage: str | os.PathLike, paths: Paths) -> None:
    """Draw the share of the test images that are related to training images, by split.

    Args:
        leakage: ``results/tables/leakage.tsv``.
        paths: Figures to write.
    """
    style.save_figure(leakage_shares(read_table(leakage)), paths)


@style.styled
def leakage_shares(table: pd.DataFrame) -> Figure:
    """Draw a panel for each kind of leakage, with a bar for each split.

    Args:
        table: As :func:`reporting.tables.leakage.leakage_rows` makes it, for every split, with
            dataset_title and protocol_title.
    """
    reasons = [name.removesuffix("_share") for name in table if name.endswith("_share")]
    names = ["dataset", "dataset_title", "protocol", "protocol_title"]
    splits = table[names].drop_duplicates().reset_index(drop=True)
    places = _places(splits["dataset"])
    height = (24 + 6.5 * (places[-1] + 1)) * style.MILLIMETRE
    figure = Figure(figsize=(style.TWO_COLUMNS, height))
    panels = figure.subplots(1, len(reasons), sharey=True, squeeze=False)[0]
    for axes, reason in zip(panels, reasons, strict=True):
        known_to = [
            splits.merge(table[table["against"] == against], on=names, how="left")
            for against in (TRAIN, VALIDATION)
        ]
        _draw_shares(axes, places, *(rows[f"{reason}_share"].to_numpy(float) for rows in known_to))
        axes.set_title(heading_of(reason))
        axes.set_xlim(0, 1.3)
        axes.set_xticks([0, 0.5, 1])
        style.set_percent_axis(axes, "x")
        axes.tick_params(axis="y", length=0)
    titles = [
        f"{style.wrap(split.dataset_title, 30, lines=1)}\n"
        f"{style.wrap(split.protocol_title, 30, lines=1)}"
        for split in splits.itertuples()
    ]
    panels[0].set_yticks(places, titles)
    panels[0].set_ylim(places[-1] + 0.6, -0.6)
    figure.supxlabel("Test images related to training images (%)", fontsize=8)
    handles = [
        Patch(color=style.BLUE, label="to training"),
        Line2D([], [], color=style.ORANGE, marker="D", linestyle="none", label="to validation"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _places(datasets: pd.Series) -> list[float]:
    """Return the height of each split, with a gap between data sets."""
    changes = (datasets != datasets.shift()).cumsum() - 1
    return [place + 0.5 * gap for place, gap in enumerate(changes)]


def _draw_shares(
    axes: Axes, places: list[float], training: np.ndarray, validation: np.ndarray
) -> None:
    axes.barh(places, np.nan_to_num(training), height=0.62, color=style.BLUE)
    look = {"color": style.ORANGE, "marker": "D", "markersize": 3, "linestyle": "none"}
    axes.plot(validation, places, **look, clip_on=False, zorder=3)
    right = np.fmax(np.nan_to_num(training), np.nan_to_num(validation)) + 0.07
    for place, share, side in zip(places, training, right, strict=True):
        text = "unknown" if np.isnan(share) else f"{round(100 * share, 1):g}"
        axes.text(side, place, text, fontsize=6.5, verticalalignment="center")
