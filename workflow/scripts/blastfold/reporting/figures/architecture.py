"""Schematic of a network: its stages as boxes, from the list of its layers."""

import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon

from blastfold.core.tables import read_table
from blastfold.reporting.figures import style

MOST_STAGES = 12
"""With more stages, neighbours with feature maps of one size are drawn as one box."""

UNIT = 28
"""Millimetres of the vertical unit in which boxes and text are placed."""

HEADING, LINE = 0.35, 0.1
"""Height of a stage's text with one line below the heading, and of every further line."""

ROLES = {
    "convolution": ("Convolution", style.SKY_BLUE),
    "pooling": ("Pooling", style.ORANGE),
    "dense": ("Dense", style.GREEN),
    "other": ("Input, flatten, dropout", style.LIGHT_GREY),
}
"""Legend and colour of what a box mainly does."""


@dataclass
class Stage:
    """Layers that are drawn as one box.

    Attributes:
        name: Name of the stage.
        kinds: Keras class of each layer.
        shape: Output shape without the batch: (height, width, channels) or (units,).
        parameters: Number of parameters.
        trained: Whether any layer is trained.
    """

    name: str
    kinds: list[str]
    shape: tuple[int, ...]
    parameters: int
    trained: bool

    @property
    def role(self) -> str:
        """What the box mainly does: a key of ROLES."""
        words = {"convolution": "conv", "dense": "dense", "pooling": "pool"}
        for role, word in words.items():
            if any(word in kind.lower() for kind in self.kinds):
                return role
        return "other"


def plot_architecture(
    layers: str | os.PathLike,
    image_size: Sequence[int],
    title: str,
    paths: Iterable[str | os.PathLike],
) -> None:
    """Draw the schematic of one network (thesis Figs. 4.6 to 4.8).

    Args:
        layers: ``layers.tsv`` of the network.
        image_size: Height and width of its input images in pixels.
        title: Title of the model.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    table = read_table(layers, text=("name", "kind", "output_shape", "block"))
    style.save_figure(architecture(table, image_size, title), paths)


@style.styled
def architecture(layers: pd.DataFrame, image_size: Sequence[int], title: str) -> Figure:
    """Draw a box for each stage: as high as its feature maps, as thick as it has channels.

    Args:
        layers: name, kind, output_shape, parameters, trainable and block; one row per layer.
        image_size: Height and width of the input images in pixels.
        title: Title of the model.
    """
    stages = find_stages(layers)
    stages.insert(0, Stage("Input", ["InputLayer"], (*image_size, 3), 0, True))
    rows = _break_into_rows(stages)
    columns = max(map(len, rows))
    labels = [[_label(stage, columns) for stage in row] for row in rows]
    tops = [max(sum(_height(stage, max(image_size))) for stage in row) for row in rows]
    bottoms = [max(HEADING + LINE * text.count("\n") for _, text in row) for row in labels]
    extents = [top + bottom for top, bottom in zip(tops, bottoms, strict=True)]
    height = 20 + UNIT * sum(extents) + 3 * len(rows)
    figure = Figure(figsize=(style.TWO_COLUMNS, height * style.MILLIMETRE))
    panels = figure.subplots(len(rows), 1, squeeze=False, height_ratios=extents)[:, 0]
    for number, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        axes.set_xlim(0, columns + 0.15)
        axes.set_ylim(-bottoms[number], tops[number] + 0.02)
        axes.set_axis_off()
        for position, stage in enumerate(row):
            _draw_stage(axes, stage, position + 0.5, columns, max(image_size))
            _write_label(axes, position + 0.5, *labels[number][position])
            if number < len(rows) - 1 or position < len(row) - 1:
                _draw_arrow(axes, position + 1.03, columns)
    figure.suptitle(f"{style.wrap(title, 80)}\n{summarise(layers)}", fontsize=8)
    used = {stage.role for stage in stages}
    handles = [
        Patch(facecolor=colour, edgecolor="black", linewidth=0.5, label=label)
        for role, (label, colour) in ROLES.items()
        if role in used
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def summarise(layers: pd.DataFrame) -> str:
    """Return the numbers of layers and parameters as one line."""
    count = (layers["kind"] != "InputLayer").sum()
    total = layers["parameters"].sum()
    trained = layers.loc[layers["trainable"] == 1, "parameters"].sum()
    frozen = layers[(layers["trainable"] == 0) & (layers["parameters"] > 0)]
    text = f"{count} layers, {total:,} parameters"
    return text if frozen.empty else f"{text}, {trained:,} of them in trained layers"


def find_stages(layers: pd.DataFrame) -> list[Stage]:
    """Group the layers of a network into the stages that are drawn.

    Neighbouring layers of one block are a stage. Padding, normalisation and activation that
    have no layer of their own join a neighbour, because readers do not count them as stages.

    Args:
        layers: As for :func:`architecture`.

    Returns:
        The stages in order, without the input.
    """
    rows = layers[layers["kind"] != "InputLayer"]
    run = (rows["block"] != rows["block"].shift()).cumsum()
    stages = [_to_stage(group) for _, group in rows.groupby(run)]
    stages = _join_helpers(stages)
    if len(stages) >= MOST_STAGES:
        stages = _join_neighbours(stages)
    return stages


def describe(stage: Stage) -> tuple[str, list[str]]:
    """Return a stage's heading and the lines below it, in plain words."""
    counts = Counter(_plain_kind(kind) for kind in stage.kinds)
    counts.pop("", None)
    lines = [_count(count, word) if count > 1 else word for word, count in counts.items()]
    heading = re.sub(r"(?<=[a-z])(?=\d)|_", " ", stage.name).capitalize()
    if len(stage.kinds) == 1 and lines and not heading.startswith("Classifier"):
        heading = lines.pop().capitalize()
    size = " x ".join(map(str, stage.shape))
    lines.append(size if len(stage.shape) > 1 else _count(stage.shape[0], "value"))
    if stage.parameters:
        lines.append(_count(stage.parameters, "parameter"))
        lines += [] if stage.trained else ["frozen"]
    return heading, lines


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _label(stage: Stage, columns: int) -> tuple[str, str]:
    heading, lines = describe(stage)
    characters = 126 // columns
    return style.wrap(heading, characters, lines=1), "\n".join(
        style.wrap(line, characters, lines=1) for line in lines
    )


def _to_stage(group: pd.DataFrame) -> Stage:
    shape = tuple(int(side) for side in group["output_shape"].iloc[-1].split("x"))
    return Stage(
        name=group["block"].iloc[0],
        kinds=group["kind"].tolist(),
        shape=shape,
        parameters=int(group["parameters"].sum()),
        trained=bool(group["trainable"].max()),
    )


def _join_helpers(stages: list[Stage]) -> list[Stage]:
    joined: list[Stage] = []
    waiting: list[Stage] = []
    for stage in stages:
        if any(_plain_kind(kind) for kind in stage.kinds):
            parts = [*waiting, stage]
            joined.append(_merge(parts, stage.name))
            waiting = []
        elif joined and "ZeroPadding2D" not in stage.kinds:
            joined[-1] = _merge([joined[-1], stage], joined[-1].name)
        else:
            waiting.append(stage)
    return joined


def _join_neighbours(stages: list[Stage]) -> list[Stage]:
    groups: list[list[Stage]] = []
    for stage in stages:
        alike = groups and len(stage.shape) == 3 and stage.shape[:2] == groups[-1][0].shape[:2]
        if alike:
            groups[-1].append(stage)
        else:
            groups.append([stage])
    return [_merge(group, _span(group)) for group in groups]


def _span(group: list[Stage]) -> str:
    names = [stage.name for stage in group]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _merge(parts: list[Stage], name: str) -> Stage:
    return Stage(
        name=name,
        kinds=[kind for part in parts for kind in part.kinds],
        shape=parts[-1].shape,
        parameters=sum(part.parameters for part in parts),
        trained=any(part.trained for part in parts),
    )


def _plain_kind(kind: str) -> str:
    if "Conv" in kind:
        return "convolution"
    if "Pooling" in kind:
        return f"{'max' if 'Max' in kind else 'average'} pooling"
    plain = {"Dense": "dense layer", "Flatten": "flatten", "Dropout": "dropout"}
    return plain.get(kind, "")


def _break_into_rows(stages: list[Stage]) -> list[list[Stage]]:
    count = math.ceil(len(stages) / 7)
    length = math.ceil(len(stages) / count)
    return [stages[start : start + length] for start in range(0, len(stages), length)]


def _height(stage: Stage, largest: int) -> tuple[float, float]:
    # Square roots and logarithms keep 1 x 1 x 2048 and 257 x 257 x 3 both visible.
    if len(stage.shape) < 3:
        return 0.08 + 0.032 * math.log2(max(stage.shape)), 0.0
    height = 0.14 + 0.62 * math.sqrt(max(stage.shape[:2]) / largest)
    return height, 0.22 * height


def _draw_stage(axes: Axes, stage: Stage, middle: float, columns: int, largest: int) -> None:
    height, rise = _height(stage, largest)
    width = (0.03 + 0.042 * math.log2(stage.shape[-1])) if rise else 0.07
    width *= columns / 6
    shift = rise * columns / 12
    left = middle - (width + shift) / 2
    _draw_box(axes, left, width, height, rise, shift, ROLES[stage.role][1])


def _write_label(axes: Axes, middle: float, heading: str, text: str) -> None:
    centred = {"ha": "center", "va": "top"}
    axes.text(middle, -0.05, heading, fontsize=7, fontweight="bold", **centred)
    axes.text(middle, -0.17, text, fontsize=6.5, **centred)


def _draw_box(
    axes: Axes, left: float, width: float, height: float, rise: float, shift: float, colour: str
) -> None:
    right = left + width
    faces = {1.0: [(left, 0), (right, 0), (right, height), (left, height)]}
    if rise:
        far_left, far_right, far_top = left + shift, right + shift, height + rise
        faces[0.75] = [(left, height), (right, height), (far_right, far_top), (far_left, far_top)]
        faces[0.5] = [(right, 0), (far_right, rise), (far_right, far_top), (right, height)]
    for strength, corners in faces.items():
        axes.add_patch(Polygon(corners, facecolor="white", edgecolor="none"))
        axes.add_patch(
            Polygon(
                corners,
                facecolor=(colour, strength),
                edgecolor="black",
                linewidth=0.5,
                joinstyle="round",
            )
        )


def _draw_arrow(axes: Axes, place: float, columns: int) -> None:
    length = 0.034 * columns
    axes.annotate(
        "",
        xy=(place + length / 2, 0.25),
        xytext=(place - length / 2, 0.25),
        arrowprops={"arrowstyle": "-|>", "linewidth": 0.7, "color": style.GREY},
        annotation_clip=False,
    )
