"""Which printed results of a publication are possible: all its rows, with the matrices they allow.

The search itself is :func:`blastfold.statistics.printed_results.audit_printed_result`.
"""

from collections.abc import Mapping

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import CELLS, RATES
from blastfold.core.notes import join_notes, make_note, notes_about
from blastfold.statistics.printed_results import (
    PrintedAudit,
    audit_printed_result,
    read_figure,
)

MOST_LISTED = 1000
"""A row that more matrices could print (one without sensitivity) has them counted, not listed."""


def audit_published(
    published: pd.DataFrame, sizes: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Audit every printed row that has an accuracy.

    The figures of a row are judged to the most decimals that one of them is printed with: tables
    print all with the same number, and ``100`` among figures of two decimals is 100.00.

    Args:
        published: Text columns source, dataset, model, accuracy, sensitivity and specificity
            (percent as printed, empty where not printed).
        sizes: test_images and expected_positives (of a stratified split), by dataset.

    Returns:
        The audit, one row per printed row: dataset, model, printed_in, images, the figures as
        printed, verdict (possible, impossible or different_class_ratio), possible_matrices and
        note (codes: the reason, and an example). And the matrices, one per row: dataset, model,
        printed_in, the four cells and positives; rows of more than MOST_LISTED are left out.

    Raises:
        InputError: A data set has no size, or a figure is not a percentage.
    """
    rows, lists = [], []
    for printed in published[published["accuracy"] != ""].to_dict("records"):
        found, size = _audit(printed, sizes)
        names = {name: printed[name] for name in ("dataset", "model")}
        names["printed_in"] = printed["source"]
        figures = {name: printed[name] for name in RATES}
        result = {"verdict": found.verdict, "possible_matrices": len(found.matrices)}
        note = _note(printed, found, int(size["expected_positives"]))
        images = {"images": int(size["test_images"])}
        rows.append(names | images | figures | result | {"note": note})
        if len(found.matrices) <= MOST_LISTED:
            lists.append(found.matrices.assign(**names))
    columns = ["dataset", "model", "printed_in", *CELLS, "positives"]
    listed = pd.concat(lists) if lists else pd.DataFrame(columns=columns)
    return pd.DataFrame(rows), listed[columns]


def _audit(printed: Mapping[str, str], sizes: pd.DataFrame) -> tuple[PrintedAudit, pd.Series]:
    place = f"printed results, {printed['source']}, {printed['model']}"
    if printed["dataset"] not in sizes.index:
        raise InputError(
            f"{place}: data set {printed['dataset']!r} has no number of test images, expected "
            f"one of {sizes.index.tolist()}"
        )
    size = sizes.loc[printed["dataset"]]
    try:
        figures = [read_figure(printed[name], name) for name in RATES]
        found = audit_printed_result(
            int(size["test_images"]),
            *(percent for percent, _ in figures),
            tolerance=min(within for percent, within in figures if percent is not None),
            expected_positives=int(size["expected_positives"]),
        )
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    return found, size


def _note(printed: Mapping[str, str], found: PrintedAudit, expected_positives: int) -> str:
    absent = {name: make_note("not_printed") for name in RATES if not printed[name]}
    example = ""
    if len(found.matrices) > MOST_LISTED:
        example = make_note("too_many_matrices")
    elif len(found.matrices):
        distance = (found.matrices["positives"] - expected_positives).abs()
        cells = found.matrices.loc[distance.idxmin()]
        negatives = cells["true_negative"] + cells["false_positive"]
        counts = (cells["true_positive"], cells["positives"], cells["true_negative"], negatives)
        only = len(found.matrices) == 1
        example = make_note("only_matrix" if only else "example_matrix", *counts)
    return join_notes(found.note, notes_about(absent), example)
