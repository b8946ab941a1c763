"""Schematic of the transfer: from source tasks and other start weights to the target tasks."""

import os
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from blastfold.reporting.figures import style

ROW = 27
"""Height of one row in millimetres."""

MOST_ROWS = 12
"""Ways that are drawn; a count replaces the others."""

STARTS = {
    "none": ("Random weights", "no source task"),
    "imagenet": ("ImageNet", "published weights"),
    "file": ("File of weights", "given in the config"),
}
"""What the first box holds where there is no source task."""

TRAINED = {
    "head": "backbone frozen,\nnew classifier trained",
    "staged": "new classifier first, then the\nbackbone, unfrozen from its end",
    "all": "backbone and new\nclassifier trained",
}

WIDTHS = (0.24, 0.25, 0.37)
"""Widths of the boxes of a row as shares of the figure: start, network, target."""

Paths = Iterable[str | os.PathLike]


def plot_transfer(ways: Sequence[Mapping], paths: Paths) -> None:
    """Draw one row for each way from start weights to data sets (thesis Figs. 4.5 and 4.9).

    Args:
        ways: As :func:`blastfold.experiment.transfers.transfers` returns them.
        paths: Figures to write.
    """
    style.save_figure(schematic(ways), paths)


@style.styled
def schematic(ways: Sequence[Mapping]) -> Figure:
    """Draw the start, the network with its arrow, and the target task of each way."""
    shown = ways[:MOST_ROWS]
    figure = Figure(figsize=(style.TWO_COLUMNS, (16 + ROW * len(shown)) * style.MILLIMETRE))
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(-len(shown), 0.4)
    lefts = (0.0, 0.31, 0.63)
    titles = ("Start", "Network", "Target task")
    for left, width, title in zip(lefts, WIDTHS, titles, strict=True):
        axes.text(left + width / 2, 0.18, title, ha="center", fontsize=8, fontweight="bold")
    for row, way in enumerate(shown):
        texts = [*describe_way(way)]
        colours = (style.ORANGE if way["start"] == "source" else style.LIGHT_GREY,)
        colours += (style.SKY_BLUE, style.GREEN)
        for left, width, text, colour in zip(lefts, WIDTHS, texts, colours, strict=True):
            _draw_box(axes, left, -row - 0.9, width, text, colour)
        for left, right in ((lefts[0] + WIDTHS[0], lefts[1]), (lefts[1] + WIDTHS[1], lefts[2])):
            _draw_arrow(axes, left, right, -row - 0.5)
        axes.text(0.275, -row - 0.44, "weights", ha="center", va="bottom", fontsize=6.5)
    left_out = len(ways) - len(shown)
    if left_out:
        figure.text(0.5, 0.01, f"{left_out} further ways are not drawn.", ha="center", fontsize=7)
    return figure


def describe_way(way: Mapping) -> tuple[str, str, str]:
    """Return the texts of the boxes: start, network and target, lines apart."""
    if way["start"] == "source":
        lines = [f"Source task: {way['source']}", f"trained on {way['source_dataset']}"]
    else:
        lines = list(STARTS[way["start"]])
    start = "\n".join(style.wrap(line, 32, lines=2) for line in lines)
    trained = TRAINED[way["train"]]
    if way["start"] == "none":
        trained = trained.replace("new classifier", "classifier").replace("new\nc", "c")
    network = f"{way['architecture']}\n{trained}"
    targets = []
    for dataset, models in way["targets"].items():
        rest = f" and {len(models) - 2} more" if len(models) > 2 else ""
        targets.append(style.wrap(f"{dataset}: {'; '.join(models[:2])}{rest}", 42, lines=2))
    more = f"\nand {len(targets) - 2} more data sets" if len(targets) > 2 else ""
    return start, network, "\n".join(targets[:2]) + more


def _draw_box(axes: Axes, left: float, bottom: float, width: float, text: str, colour: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (left + 0.005, bottom),
            width - 0.01,
            0.8,
            boxstyle="round,pad=0,rounding_size=0.02",
            mutation_aspect=4,
            facecolor=(colour, 0.45),
            edgecolor="black",
            linewidth=0.5,
        )
    )
    axes.text(
        left + width / 2, bottom + 0.4, text, ha="center", va="center", fontsize=7, linespacing=1.3
    )


def _draw_arrow(axes: Axes, start: float, end: float, height: float) -> None:
    axes.annotate(
        "",
        xy=(end, height),
        xytext=(start, height),
        arrowprops={"arrowstyle": "-|>", "linewidth": 0.8, "color": style.GREY},
    )
