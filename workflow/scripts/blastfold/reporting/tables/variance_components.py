"""The table of variance components, for people."""

import os
from collections.abc import Iterable, Mapping

import pandas as pd

from blastfold.core.names import SEEDS, SPLITS, SUBJECTS, TOGETHER
from blastfold.core.notes import join_notes
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import heading_of, write_table

Paths = Iterable[str | os.PathLike]

COLUMNS = {
    SEEDS: "seeds_deviation",
    SPLITS: "splits_deviation",
    TOGETHER: "draws_deviation",
    SUBJECTS: "subjects_deviation",
}
"""The column of each component."""


def tabulate_variance_components(
    components: str | os.PathLike,
    titles: Mapping[str, Mapping[str, str]],
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write how much seeds, splits and subjects move the results of a data set.

    Args:
        components: ``variance_components.tsv`` of the data set.
        titles: Titles by name under ``"model"`` and ``"protocol"``.
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write.
    """
    caption = (
        f"Variance components on {title}: standard deviation of the result of one repeat when "
        "seeds, splits or test subjects are drawn again, with its 95 % interval."
    )
    write_table(component_rows(read_components(components), titles), paths, caption, label)


def read_components(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``variance_components.tsv``.

    Raises:
        InputError: A column is missing.
    """
    required = ("model", "protocol", "metric", "component", "deviation")
    return read_table(path, required, text=("seeds_protocol", "note"))


def component_rows(
    components: pd.DataFrame, titles: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """Return one row per protocol, model and metric.

    Args:
        components: As :func:`read_components` returns it.
        titles: Titles by name under ``"model"`` and ``"protocol"``.

    Returns:
        protocol, model, metric (each followed by its title), repeats, seeds_repeats, a column of
        :data:`COLUMNS` (points) per component with its limits, and note.
    """
    rows = []
    keys = ["protocol", "model", "metric"]
    for names, parts in components.groupby(keys, sort=False):
        protocol, model, metric = names
        row = {"protocol": protocol, "protocol_title": titles["protocol"][protocol]}
        row |= {"model": model, "model_title": titles["model"][model]}
        row |= {"metric": metric, "metric_title": heading_of(metric).removesuffix(" (%)")}
        row |= {name: int(parts[name].iloc[0]) for name in ("repeats", "seeds_repeats")}
        for part in parts.to_dict("records"):
            column = COLUMNS[part["component"]]
            row[column] = 100 * part["deviation"]
            row |= {f"{column}_{end}": 100 * part[end] for end in ("lower", "upper")}
        rows.append(row | {"note": sentences(join_notes(*parts["note"]), short=True)})
    return pd.DataFrame(rows)
