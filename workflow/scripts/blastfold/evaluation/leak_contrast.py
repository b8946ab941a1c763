"""The leak in isolation: the same procedure with and without a leak, on the same test images.

Both training sets have the same number of images and of subjects of each class
(:mod:`blastfold.folds.leak_contrast`), so that the difference is the effect of the leaked images.
The protocol gap answers another question: it also holds the training sizes and the test sets that
two protocols happen to have.
"""

import os
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.names import METRICS, POOLED, PRIMARY_METRIC
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import UNDEFINED
from blastfold.core.predictions import primary_of, read_test_predictions
from blastfold.evaluation.intervals import BY_GROUP, LEVEL
from blastfold.evaluation.verdicts import (
    VERDICT_COLUMNS,
    compare_trained,
    describe_only,
    repeats_of,
)
from blastfold.statistics.procedure import compare_procedures

CONTRAST_COLUMNS = ("model", "contrast", "leak", *VERDICT_COLUMNS)


def estimate_leak_contrast(
    predictions: Iterable[str | os.PathLike],
    contrasts: Sequence[Mapping[str, str]],
    groups: str | os.PathLike,
    primary: str | None,
    family: int,
    output: str | os.PathLike,
) -> None:
    """Write the difference that the leak makes, for every model.

    Args:
        predictions: Test predictions of each contrast, with the leak and then without it.
        contrasts: For each contrast, in the same order, model, contrast and leak.
        groups: ``groups.tsv`` of the data set.
        primary: The primary metric; None for that of the number of classes.
        family: Number of comparisons that the experiment declares.
        output: Table to write, see :func:`contrast_table`.

    Raises:
        InputError: A file lacks a column, or an image a leakage group.
    """
    tables = [read_test_predictions([path]) for path in predictions]
    by_image, found = read_groups(groups), []
    primary = primary_of(primary, tables[0])
    for place, contrast in enumerate(contrasts):
        names = {key: contrast[key] for key in ("model", "contrast", "leak")}
        arms = tables[2 * place], tables[2 * place + 1]
        found.append(contrast_table(*arms, by_image, primary, family).assign(**names))
    table = pd.concat(found, ignore_index=True)[list(CONTRAST_COLUMNS)]
    images = pd.concat([part["image_id"] for part in tables])
    write_noted(note_unknown(table, [groups], images), output)


def contrast_table(
    with_leak: pd.DataFrame,
    without: pd.DataFrame,
    groups: pd.Series,
    primary: str = PRIMARY_METRIC,
    family: int = 1,
) -> pd.DataFrame:
    """Compare the arms in every metric.

    Args:
        with_leak: Test predictions: image_id, repeat, fold, label, probability.
        without: Those of the arm without a leak, of the same images.
        groups: Leakage group by image_id.
        primary: The primary metric, the only one that is tested.
        family: Number of comparisons that the experiment declares.

    Returns:
        Columns :data:`blastfold.evaluation.verdicts.VERDICT_COLUMNS`; with minus without. The first
        row is the verdict, about other splits and seeds too; the others are about the trained
        networks.
    """
    rows = []
    for metric in METRICS:
        found = compare_procedures(metric, with_leak, without, groups, level=LEVEL)
        row = {"view": POOLED, "metric": metric, "method": BY_GROUP, "recommended": False}
        row |= {key: vars(found)[key] for key in ("first", "second", "difference", "note")}
        row |= {end: vars(found)[f"networks_{end}"] for end in ("lower", "upper")}
        row |= dict.fromkeys(("p_value", "minimum_detectable"), float("nan"))
        rows.append(row | {"groups": found.groups, "outcome": UNDEFINED})
    described = describe_only(pd.DataFrame(rows), repeats_of([with_leak, without]), family)
    verdict = pd.DataFrame([compare_trained(primary, with_leak, without, groups, family)])
    return pd.concat([verdict, described], ignore_index=True)[list(VERDICT_COLUMNS)]
