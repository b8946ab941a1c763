"""The tables of model against model and of the protocol gap, for people."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from blastfold.core.fold_table import read_folds
from blastfold.core.names import FOLDS, OVER_CLASSES, PROCEDURE, RATES, TRAIN
from blastfold.core.notes import make_note, without_notes
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.points import CUT
from blastfold.reporting.tables.results import split_counts
from blastfold.reporting.tables.writing import heading_of, write_table
from blastfold.reporting.verdicts import control_words, outcome_words

Paths = Iterable[str | os.PathLike]

COMPARED_METRICS = (*RATES, "auc", "weighted_f1")
"""The metrics of the printed tables and figures; the others are in the evaluation's files."""

SHOWN_ORDER = (*OVER_CLASSES, *COMPARED_METRICS)
"""With the metrics over all classes first; a table has one of them where it is the primary one."""

NO_TEST = "not tested"
"""Note of a missing p value that the outcome explains."""


def tabulate_comparisons(
    comparisons: str | os.PathLike,
    titles: Mapping[str, str],
    title: str,
    label: str,
    paths: Paths,
    controls: Sequence[Sequence[str]] = (),
) -> None:
    """Write the recommended comparison of every pair of models.

    Args:
        comparisons: ``comparisons.tsv`` of one protocol.
        titles: Titles of the models by name.
        title: Titles of the data set and the protocol.
        label: LaTeX label.
        paths: Tables to write.
        controls: Pairs of names of one and the same model, whose seeds alone differ.
    """
    caption = (
        f"Model against model on the same test images: {title}. Difference of the first model to "
        f"the second. {verdict_caption(read_recommended(comparisons))}"
    )
    rows = comparison_rows(read_recommended(comparisons), titles, controls)
    write_table(rows, paths, caption, label)


def comparison_rows(
    comparisons: pd.DataFrame, titles: Mapping[str, str], controls: Sequence[Sequence[str]] = ()
) -> pd.DataFrame:
    """Return one row per metric and pair of models.

    Args:
        comparisons: As :func:`read_recommended` returns it.
        titles: Titles of the models by name.
        controls: Pairs of names of one and the same model; their rows have a note.

    Returns:
        first_model, second_model (each followed by its title), metric, metric_title, difference,
        difference_lower, difference_upper (points), adjusted_p_value, outcome and note.
    """
    rows = []
    for row in comparisons.to_dict("records"):
        names = {}
        for side in ("first_model", "second_model"):
            names |= {side: row[side], f"{side}_title": titles[row[side]]}
        sides = [row[side] for side in ("first_model", "second_model")]
        cells = difference_cells(row, *(f"{titles[side]} better" for side in sides))
        if sorted(sides) in [sorted(pair) for pair in controls] and row["view"] == PROCEDURE:
            control = sentences(make_note("same_model"), short=True)
            rate = control_words(row["repeats"])
            cells["note"] = "; ".join(filter(None, [f"{control}{rate}", cells["note"]]))
        rows.append(names | cells)
    columns = ["first_model", "second_model", "metric", "difference", "adjusted_p_value", "outcome"]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def tabulate_protocol_gap(
    gap: str | os.PathLike,
    folds: Paths,
    titles: Mapping[str, Mapping[str, str]],
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write the gap between the protocols of one data set.

    Args:
        gap: ``protocol_gap.tsv`` of the data set.
        folds: Table of folds of each of its protocols.
        titles: Titles by name under ``"model"`` and ``"protocol"``.
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write.
    """
    caption = (
        f"What the protocol adds to the result on {title}: the first protocol minus the second, "
        "on the images that both tested where these are enough. "
        f"Training images of a fold: {_sizes_text(training_sizes(folds), titles['protocol'])}. "
        f"{verdict_caption(read_recommended(gap))}"
    )
    write_table(gap_rows(read_recommended(gap), titles), paths, caption, label)


def training_sizes(folds: Paths) -> dict[str, str]:
    """Return the training images of each protocol in words, for instance "184 to 190".

    Args:
        folds: Tables of folds, each named after its protocol.
    """
    sizes = {}
    for path in map(Path, folds):
        counts = split_counts(read_folds(path))
        ends = dict.fromkeys(str(counts[f"{TRAIN}_{end}"]) for end in ("min", "max"))
        sizes[path.stem] = " to ".join(ends)
    return sizes


def _sizes_text(sizes: Mapping[str, str], titles: Mapping[str, str]) -> str:
    return "; ".join(f"{titles.get(name, name)} {size}" for name, size in sizes.items())


def gap_rows(gap: pd.DataFrame, titles: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return one row per metric, model and pair of protocols.

    Args:
        gap: As :func:`read_recommended` returns it.
        titles: Titles by name under ``"model"`` and ``"protocol"``.

    Returns:
        model, first_protocol, second_protocol (each followed by its title), images, metric,
        metric_title, first, second (fractions), difference, difference_lower, difference_upper
        (points), adjusted_p_value, outcome and note.
    """
    rows = []
    for row in gap.to_dict("records"):
        names = {"model": row["model"], "model_title": titles["model"][row["model"]]}
        for side in ("first_protocol", "second_protocol"):
            names |= {side: row[side], f"{side}_title": titles["protocol"][row[side]]}
        images = f"the same {row['common_images']}"
        if row["view"] != "common images":
            images = f"{row['first_images']} and {row['second_images']}"
        sides = (f"{side}_protocol_title" for side in ("first", "second"))
        higher = [f"higher under {names[side]}" for side in sides]
        cells = difference_cells(row, *higher, what="gap", names=titles["protocol"])
        values = {"first": row["first"], "second": row["second"]}
        after = {key: cells.pop(key) for key in ("metric", "metric_title")}
        rows.append(names | {"images": images} | after | values | cells)
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["model", "metric", "difference"])


def verdict_caption(rows: pd.DataFrame) -> str:
    """Return what the intervals and p values of a table of differences are about.

    Args:
        rows: view, metric, repeats and family of the rows that are shown.
    """
    text = (
        "95 % intervals over leakage groups are about these trained networks on new subjects and "
        "are descriptive."
    )
    judged = rows[rows["view"] == PROCEDURE]
    if judged.empty:
        return text
    first = judged.iloc[0]
    metric = heading_of(first["metric"]).removesuffix(" (%)")
    number = int(first["family"])
    family = f"all {number} comparisons of the experiment" if number > 1 else "one comparison"
    repeats = int(judged["repeats"].min())
    trainings = f"{repeats} repeats" if repeats > 1 else "one repeat"
    return (
        f"{metric} is the primary metric: its values are means of the folds, and its interval, p "
        f"value and verdict are about the training procedures ({trainings}), simultaneous over "
        f"{family} (Bonferroni). Other {text}"
    )


def read_recommended(path: str | os.PathLike) -> pd.DataFrame:
    """Read the recommended pooled rows of the shown metrics.

    Args:
        path: ``comparisons.tsv`` or ``protocol_gap.tsv``.

    Raises:
        InputError: The file has no column ``recommended``.
    """
    table = read_table(path, ("recommended", "metric", "view"), text=("outcome",))
    chosen = table["recommended"].astype(bool) & table["metric"].isin(SHOWN_ORDER)
    table = table[chosen & (table["view"] != FOLDS)]
    order = table["metric"].map({metric: place for place, metric in enumerate(SHOWN_ORDER)})
    return table.iloc[order.argsort(kind="stable")].reset_index(drop=True)


def difference_cells(
    row: Mapping[str, object],
    first: str,
    second: str,
    what: str = "difference",
    names: Mapping[str, str] | None = None,
) -> dict:
    """Return what every table of differences shows of one.

    Args:
        row: metric, difference, lower, upper (fractions), adjusted_p_value, minimum_detectable,
            outcome and note (codes).
        first: The words for a higher first side.
        second: The words for a higher second side.
        what: What was tested, "difference" or "gap".
        names: Titles of what a note may be about.

    Returns:
        metric, metric_title, difference, difference_lower, difference_upper (points),
        adjusted_p_value, outcome and note (in words).
    """
    lower, upper = max(row["lower"], -1.0), min(row["upper"], 1.0)
    # The outcome says the same.
    codes = without_notes(row["note"], "one_training_each")
    notes = [sentences(codes, short=True, names=names) if codes or not row["note"] else NO_TEST]
    if (lower, upper) != (row["lower"], row["upper"]) and not math.isnan(row["lower"]):
        notes.insert(0, CUT)
    detectable = row["minimum_detectable"]
    return {
        "metric": row["metric"],
        "metric_title": heading_of(row["metric"]).removesuffix(" (%)"),
        "difference": 100 * row["difference"],
        "difference_lower": 100 * lower,
        "difference_upper": 100 * upper,
        "adjusted_p_value": row["adjusted_p_value"],
        "outcome": outcome_words(row["outcome"], detectable, first, second, what),
        "note": "; ".join(filter(None, notes)),
    }
