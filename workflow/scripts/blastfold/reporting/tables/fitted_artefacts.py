"""The table of what mean images, stains, networks and temperatures were fitted on."""

import os
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.fold_table import read_folds
from blastfold.leakage.fitted_artefacts import NO_TEST_IMAGE, check_fitted, read_fitted
from blastfold.reporting.tables.writing import write_both

Paths = Iterable[str | os.PathLike]


def tabulate_fitted(
    artefacts: Sequence[dict],
    folds: Mapping[tuple[str, str], str | os.PathLike],
    titles: dict[str, dict],
    paths: Paths,
) -> None:
    """Write what every fitted artefact was fitted on, and stop when that is not shown.

    Args:
        artefacts: Dicts with dataset, protocol, artefact (its name) and path, a JSON record as
            :func:`blastfold.leakage.fitted_artefacts.read_fitted` reads it.
        folds: Table of folds by names of data set and protocol.
        titles: Titles by name under ``"dataset"`` and ``"protocol"``.
        paths: Tables to write.

    Raises:
        InputError: An artefact was not fitted on exactly the training or validation images.
    """
    records = [entry | record for entry in artefacts for record in read_fitted(entry["path"])]
    table = check_fitted({names: read_folds(path) for names, path in folds.items()}, records)
    wrong = table[table["verdict"] != NO_TEST_IMAGE]
    if len(wrong):
        raise InputError(
            f"{len(wrong)} of {len(table)} fitted artefacts were not fitted on exactly the "
            f"training or validation images of their fold:\n{wrong.to_string(index=False)}"
        )
    table["verdict"] = NO_TEST_IMAGE.replace("_", " ")
    for kind in ("protocol", "dataset"):
        place = table.columns.get_loc(kind) + 1
        table.insert(place, f"{kind}_title", table[kind].map(titles[kind]))
    caption = (
        "What every fitted artefact was fitted on: the digest of its image ids is that of exactly "
        "these images of its fold, and no test image is among them."
    )
    write_both(table, _fold_ranges(table), paths, caption, "tab:fitted-artefacts")


def _fold_ranges(table: pd.DataFrame) -> pd.DataFrame:
    """Put the folds of one artefact into one row for print."""
    names = ["dataset", "dataset_title", "protocol", "protocol_title", "artefact"]
    parts = table.groupby([*names, "fitted_part", "verdict"], sort=False)
    shown = parts.agg(
        folds=("fold", "nunique"), images_min=("images", "min"), images_max=("images", "max")
    )
    order = [*names, "folds", "fitted_part", "images_min", "images_max", "verdict"]
    return shown.reset_index()[order]
