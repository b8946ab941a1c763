"""The tables of attributions: their shares on the cells, and their checks by random weights."""

import os
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from blastfold.core.attribution_table import (
    ALL_CELLS,
    FAILS,
    LATER,
    PASSES,
    RIGHT,
    SAME,
    SOONER,
    WRONG,
)
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import write_table

Paths = Iterable[str | os.PathLike]

PREDICTED = {ALL_CELLS: "right and wrong", RIGHT: "right", WRONG: "wrong"}
"""The words for how the cells of a row are predicted."""

CHECKED = {PASSES: "passes", FAILS: "fails", "": "not known"}
"""The words for the check by random weights."""


FALLS = {
    SOONER: "sooner than by chance",
    SAME: "no difference from chance detected",
    LATER: "later than by chance",
    "": "not known",
}
"""The words for what the deletion curves show."""


def tabulate_shares(
    shares: str | os.PathLike,
    titles: Mapping[str, str],
    place: Sequence[str],
    label: str,
    paths: Paths,
) -> None:
    """Write the shares of attributions on the cells.

    Args:
        shares: ``shares.tsv``, see :mod:`blastfold.evaluation.attribution`.
        titles: Titles of the models by name.
        place: Titles of the data set, the protocol and the tested data set.
        label: End of the LaTeX label.
        paths: Tables to write.
    """
    dataset, protocol, external = place
    table = _with_titles(
        read_table(shares, ("model", "outcome", "note"), ("model", "note")), titles
    )
    table["outcome"] = table["outcome"].map(PREDICTED)
    table = table.rename(columns={"outcome": "predicted"})
    caption = (
        f"Where the networks look: Grad-CAM of the predicted class for test cells of {external} by "
        f"networks trained on {dataset}, {protocol}. On the cell: share of the attribution on the "
        "cell. Ratio: this share divided by the cell's share of the picture; 1 is what an "
        "attribution spread evenly over the picture has. Means over the cells, each with the "
        "number of test images that it represents; in brackets the 95 % interval over leakage "
        "groups."
    )
    write_table(table, paths, caption, f"tab:attribution-{label}")


def tabulate_checks(
    checks: str | os.PathLike,
    titles: Mapping[str, str],
    place: Sequence[str],
    label: str,
    paths: Paths,
) -> None:
    """Write the checks of attributions by random weights; arguments as above."""
    dataset, protocol, external = place
    names = ("model", "layer", "places", "found_by", "check", "deletion_outcome", "note")
    table = _with_titles(read_table(checks, names, names), titles)
    table["check"] = table["check"].map(CHECKED)
    table["deletion_outcome"] = table["deletion_outcome"].map(FALLS)
    caption = (
        f"Checks of the attributions of {external} by networks trained on {dataset}, {protocol}. "
        "Random ratio: the ratio of the share on the cell to the cell's share of the picture with "
        "random weights in place of the trained ones. New head and new weights: mean rank "
        "correlation of the maps with those of the same network with random weights behind the "
        "feature maps, and everywhere. The check fails where the interval of the last one reaches "
        "0.5: such maps show the picture more than what the network has learnt. Deletion: mean "
        "area between the curves of the predicted class's probability while pixels are removed, by "
        "chance and from the most attributed pixel on; above 0 the probability falls sooner than "
        "by chance. In brackets: 95 % interval over leakage groups, of each model by itself."
    )
    write_table(table, paths, caption, f"tab:attribution-checks-{label}")


def _with_titles(table: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Add the models' titles, and give notes as sentences."""
    table.insert(1, "model_title", table["model"].map(titles))
    return table.assign(note=[sentences(note) for note in table["note"]])
