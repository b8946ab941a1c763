"""Shares of the attributions on the cells, and the check of the attributions by random weights."""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.attribution_table import (
    ALL_CELLS,
    DELETION,
    FAILS,
    LATER,
    NEW_HEAD,
    NEW_WEIGHTS,
    OUTCOMES,
    PASSES,
    REMOVED,
    RIGHT,
    SAME,
    SOONER,
    TRAINED,
    read_drawn,
    read_maps,
    read_record,
)
from blastfold.core.cell_masks import CellMasks, read_cell_masks
from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.image_measures import NOT_FOUND
from blastfold.core.manifest import read_classes
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.tables import write_table
from blastfold.statistics.attribution import (
    areas_between,
    enlarge,
    mean_over_groups,
    rank_correlations,
    shares_on_cell,
)

logger = logging.getLogger(__name__)

LARGEST_LIKENESS = 0.5
"""Mean rank correlation with the maps of a network of random weights, above which an attribution
does not show what the network has learnt. A convention; Adebayo et al. (2018) give no limit."""

MAPS_AT_ONCE = 64
"""Maps that are in memory in the size of their images."""

SHARE_COLUMNS = (
    *("model", "class", "outcome", "cells", "groups", "empty_maps", "on_cell", "cell_share"),
    *("ratio", "ratio_lower", "ratio_upper", "note"),
)
CHECK_COLUMNS = (
    *("model", "layer", "places", "cells", "empty_maps", "found_by"),
    *("random_ratio", "random_ratio_lower", "random_ratio_upper"),
    *("new_head", "new_head_lower", "new_head_upper"),
    *("new_weights", "new_weights_lower", "new_weights_upper", "check"),
    *("deletion", "deletion_lower", "deletion_upper", "deletion_outcome", "note"),
)
CURVE_COLUMNS = ("model", "removed", "attribution", "chance", "cells", "note")


def evaluate_attribution(
    cells: str | os.PathLike,
    maps: str | os.PathLike,
    record: str | os.PathLike,
    masks: str | os.PathLike,
    groups: str | os.PathLike,
    dataset: str | os.PathLike,
    outputs: Mapping[str, str | os.PathLike],
) -> None:
    """Write the shares of every cell, their means by model and class, and the checks.

    Args:
        cells: The drawn cells, see :mod:`blastfold.core.attribution_table`.
        maps: Their maps.
        record: The record of the job that computed them.
        masks: Masks of the tested data set, see :mod:`blastfold.core.cell_masks`.
        groups: Its leakage groups.
        dataset: Its JSON summary, with the classes.
        outputs: Paths by name: measured (the drawn cells with found_by, cell_share, on_cell, ratio,
            random_ratio, new_head, new_weights and deletion), shares (:data:`SHARE_COLUMNS`),
            checks (:data:`CHECK_COLUMNS`) and curves (:data:`CURVE_COLUMNS`).
    """
    drawn = read_drawn(cells)
    group_of, classes = read_groups(groups), read_classes(dataset)
    models = read_record(record)["models"]
    measured, shares, checks, curves = [], [], [], []
    for about in models:
        of_model = drawn[drawn["model"] == about["model"]]
        found = read_cell_masks(masks, of_model["row"].to_numpy(np.int64))
        table = measure_cells(of_model, maps, found)
        table["group"] = table["image_id"].map(group_of)
        measured.append(table)
        shares += share_rows(about, table, classes)
        checks.append(check_row(about, table))
        curves += curve_rows(about, table, maps)
    write_table(pd.concat(measured, ignore_index=True), outputs["measured"])
    tested = drawn["image_id"]
    noted = note_unknown(pd.DataFrame(shares, columns=list(SHARE_COLUMNS)), [groups], tested)
    write_noted(noted, outputs["shares"])
    write_noted(pd.DataFrame(checks, columns=list(CHECK_COLUMNS)), outputs["checks"])
    write_noted(pd.DataFrame(curves, columns=list(CURVE_COLUMNS)), outputs["curves"])
    logger.info("attributions of %d cells by %d models", len(drawn), len(models))


def measure_cells(drawn: pd.DataFrame, maps: str | os.PathLike, found: CellMasks) -> pd.DataFrame:
    """Measure the attribution of every cell of one model.

    Args:
        drawn: The rows of one model.
        maps: ``maps.npz``.
        found: The masks of the same cells.

    Returns:
        The table with found_by, cell_share (of the picture), on_cell (share of the attribution;
        NaN of an empty map), ratio (of the two), random_ratio (the same of the network with random
        weights), new_head and new_weights (rank correlation with the maps of these networks, before
        negative values are set to 0), and deletion (the area between the deletion curves of chance
        and of the attribution; NaN of an empty map).
    """
    columns = {"found_by": found.found_by, "cell_share": found.masks.mean(axis=(1, 2))}
    if len(drawn) == 0:
        names = ("on_cell", "ratio", "random_ratio", NEW_HEAD, NEW_WEIGHTS, DELETION)
        return drawn.assign(**columns, **{name: np.empty(0) for name in names})
    model = drawn["model"].iloc[0]
    trained, new_head, new_weights = (
        read_maps(maps, model, kind, len(drawn)) for kind in (TRAINED, NEW_HEAD, NEW_WEIGHTS)
    )
    on_cell, by_chance = (_shares(values, found.masks) for values in (trained, new_weights))
    cell = np.where(found.found_by == NOT_FOUND, np.nan, columns["cell_share"])
    return drawn.assign(
        **columns,
        on_cell=on_cell,
        ratio=on_cell / cell,
        random_ratio=by_chance / cell,
        new_head=rank_correlations(trained, new_head),
        new_weights=rank_correlations(trained, new_weights),
        deletion=np.where(
            np.isnan(on_cell),
            np.nan,
            areas_between(read_maps(maps, model, DELETION, len(drawn)), REMOVED),
        ),
    )


def _shares(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the shares of the positive values of maps on the cells, a part at a time."""
    parts = []
    for start in range(0, len(maps), MAPS_AT_ONCE):
        chosen = slice(start, start + MAPS_AT_ONCE)
        enlarged = enlarge(np.maximum(maps[chosen], 0), masks.shape[1:])
        parts.append(shares_on_cell(enlarged, masks[chosen]))
    return np.concatenate(parts)


def share_rows(about: Mapping, table: pd.DataFrame, classes: Sequence[str]) -> Iterator[dict]:
    """Yield one row per class and outcome of a model.

    Args:
        about: What the record has of the model.
        table: Its cells, from :func:`measure_cells`, with their group.
        classes: Names of the classes in the order of the labels.
    """
    right = table["label"] == table["predicted"]
    for label, name in enumerate(classes):
        for outcome in OUTCOMES:
            chosen = table["label"] == label
            if outcome != ALL_CELLS:
                chosen &= right == (outcome == RIGHT)
            rows = table[chosen]
            if len(rows) == 0 and outcome != ALL_CELLS:
                continue
            names = {"model": about["model"], "class": name, "outcome": outcome}
            yield names | _mean_shares(rows, about["note"])


def _mean_shares(rows: pd.DataFrame, note: str) -> dict:
    used = rows[rows["ratio"].notna()]
    mean = _mean(used, "ratio")
    weights = used["weight"] if len(used) else None
    empty = int(rows["on_cell"].isna().sum())
    missing = int((rows["found_by"] == NOT_FOUND).sum())
    notes = [
        note,
        "" if note else mean.note,
        make_note("empty_maps", empty, len(rows)) if empty else "",
        make_note("cells_not_found", missing, len(rows)) if missing else "",
    ]
    return {
        "cells": len(rows),
        "groups": used["group"].nunique(),
        "empty_maps": empty,
        "on_cell": np.average(used["on_cell"], weights=weights) if len(used) else np.nan,
        "cell_share": np.average(used["cell_share"], weights=weights) if len(used) else np.nan,
        **_limits("ratio", mean),
        "note": join_notes(*notes),
    }


def check_row(about: Mapping, table: pd.DataFrame) -> dict:
    """Return the check of a model's attributions by random weights; arguments as above."""
    names = ("random_ratio", NEW_HEAD, NEW_WEIGHTS, DELETION)
    means = {name: _mean(table, name) for name in names}
    counts = Counter(table["found_by"])
    notes = dict.fromkeys(mean.note for mean in means.values())
    row = {
        "model": about["model"],
        "layer": about["layer"],
        "places": "x".join(map(str, about["size"][:2])),
        "cells": len(table),
        "empty_maps": int(table["on_cell"].isna().sum()),
        "found_by": ", ".join(f"{name} {number}" for name, number in counts.most_common()),
        "note": about["note"] or join_notes(*notes),
    }
    for name, mean in means.items():
        row |= _limits(name, mean)
    # Maps that show nothing prove nothing by differing from others.
    shown = row["empty_maps"] < len(table)
    row |= {"check": _verdict(means[NEW_WEIGHTS]) if shown else ""}
    return row | {"deletion_outcome": _sooner(means[DELETION])}


def curve_rows(about: Mapping, table: pd.DataFrame, maps: str | os.PathLike) -> Iterator[dict]:
    """Yield the mean deletion curves of a model, one row per share of removed pixels.

    Means are over the cells whose map is not empty, weighted by the images they represent.
    """
    shown = table["on_cell"].notna().to_numpy()
    if not shown.any():
        return
    curves = read_maps(maps, about["model"], DELETION, len(table))[shown]
    means = np.average(curves, axis=0, weights=table["weight"].to_numpy()[shown])
    for removed, attribution, chance in zip(REMOVED, *means, strict=True):
        names = {"model": about["model"], "removed": removed, "cells": int(shown.sum())}
        yield names | {"attribution": attribution, "chance": chance, "note": ""}


def _verdict(mean) -> str:
    """Return whether attributions differ from those of random weights; empty where unknown."""
    if np.isnan(mean.upper):
        return ""
    return PASSES if mean.upper < LARGEST_LIKENESS else FAILS


def _sooner(mean) -> str:
    """Return whether the probability falls sooner than by chance; empty where unknown."""
    if np.isnan(mean.lower):
        return ""
    return SOONER if mean.lower > 0 else LATER if mean.upper < 0 else SAME


def _mean(table: pd.DataFrame, column: str):
    used = table[table[column].notna()]
    columns = (used[name].to_numpy() for name in (column, "weight", "group"))
    bounds = (-1.0, 1.0) if column in (NEW_HEAD, NEW_WEIGHTS, DELETION) else (0.0, np.inf)
    return mean_over_groups(*columns, bounds)


def _limits(name: str, mean) -> dict[str, float]:
    return {name: mean.value, f"{name}_lower": mean.lower, f"{name}_upper": mean.upper}
