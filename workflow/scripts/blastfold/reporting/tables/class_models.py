"""Tables of more than two classes: models against each other, and how reliable they are."""

import os
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from blastfold.core.class_tables import (
    CALIBRATION_COLUMNS,
    CLASS_COMPARISON_COLUMNS,
    CLASS_STATES,
    CLUSTERED_MCNEMAR,
    CLUSTERED_STUART_MAXWELL,
    MARGINALS,
    STUART_MAXWELL,
    VECTOR,
)
from blastfold.core.names import POOLED
from blastfold.core.notes import join_notes, only_notes, without_notes
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import heading_of, write_table

Paths = Iterable[str | os.PathLike]

TESTS = {
    CLUSTERED_MCNEMAR: "Accuracy (test by group)",
    CLUSTERED_STUART_MAXWELL: "Shares of predicted classes (by group)",
    STUART_MAXWELL: "Shares of predicted classes (independent images)",
}
"""Rows of the table of comparisons that are tests without an interval."""


def tabulate_class_comparisons(
    comparisons: str | os.PathLike,
    titles: Mapping[str, str],
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write every pair of models of a split, compared over all classes.

    Args:
        comparisons: ``class_comparisons.tsv`` of the split.
        titles: Titles of the models by name.
        title: Titles of the data set and the protocol.
        label: LaTeX label.
        paths: Tables to write (see :func:`blastfold.reporting.tables.writing.write_table`).
    """
    caption = (
        f"Model against model over all classes on the same test images: {title}. Difference of the "
        "first model to the second in points, with the 95 % interval over leakage groups. All of "
        "it is descriptive and about these trained networks; the verdict is in the table of "
        "comparisons. The shares of predicted classes are compared by the test of Stuart and "
        "Maxwell."
    )
    write_table(class_comparison_rows(read_table(comparisons, CLASS_COMPARISON_COLUMNS), titles),
                paths, caption, label)  # fmt: skip


def class_comparison_rows(table: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per pair of models and metric or test.

    Args:
        table: Contents of ``class_comparisons.tsv``.
        titles: Titles of the models by name.

    Returns:
        first_model and second_model (each with its title), metric and metric_title, difference,
        difference_lower and difference_upper (points), p_value, groups and note (sentences).
    """
    rows = []
    for row in table.to_dict("records"):
        names = {
            key: value
            for side in ("first_model", "second_model")
            for key, value in ((side, row[side]), (f"{side}_title", titles[row[side]]))
        }
        tested = row["method"] in TESTS
        metric = row["method"] if row["metric"] == MARGINALS or tested else row["metric"]
        shown = TESTS.get(metric) or heading_of(metric).removesuffix(" (%)")
        numbers = {"difference": row["difference"]}
        numbers |= {f"difference_{end}": row[end] for end in ("lower", "upper")}
        notes = without_notes(row["note"], "descriptive")
        if not tested and pd.isna(row["p_value"]):
            notes = row["note"]
        rows.append(
            {
                **names,
                **{"metric": metric, "metric_title": shown},
                **{key: 100 * value for key, value in numbers.items()},
                **{"p_value": row["p_value"], "groups": row["groups"]},
                "note": sentences(notes, short=True),
            }
        )
    columns = ["first_model", "second_model", "metric", "difference", "p_value", "note"]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def tabulate_class_calibration(
    calibration: Paths,
    risk: Paths,
    runs: Sequence[Mapping],
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write how reliable the probabilities of all classes are, one row per run.

    Args:
        calibration: ``class_calibration.tsv`` of each run.
        risk: ``class_risk_coverage.tsv`` of each run.
        runs: For each run, in the same order, protocol, protocol_title, model and model_title.
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write.
    """
    rows = []
    for path, curve, run in zip(calibration, risk, runs, strict=True):
        names = {key: run[key] for key in ("protocol", "protocol_title", "model", "model_title")}
        measured = calibration_row(read_table(path, CALIBRATION_COLUMNS))
        area = read_table(curve, ("scope", "area")).query("scope == @POOLED")["area"].iloc[0]
        note = measured.pop("note")
        rows.append({**names, **measured, "risk_coverage_area": area, "note": note})
    caption = (
        f"Calibration over all classes of {title}: the mean over the classes of the expected "
        "calibration error (bins of equal width), and the log-loss; as the network gives the "
        "probabilities, after one temperature, and after vector scaling, both fitted on the "
        "validation images of each fold. Vector scaling has two numbers per class and may change "
        "the predicted class. The area is the mean share of wrong images among the most certain "
        "ones."
    )
    write_table(pd.DataFrame(rows), paths, caption, label)


def calibration_row(table: pd.DataFrame) -> dict:
    """Return the pooled errors and log-losses over all classes in every state, and the notes.

    Args:
        table: Contents of ``class_calibration.tsv``.

    Returns:
        ``calibration_error_<state>`` and ``log_loss_<state>`` of before, after and vector; note.
    """
    whole = table[(table["scope"] == POOLED) & (table["class"] == "")].set_index("state")
    row = {
        f"{name}_{state}": float(whole.at[state, name])
        for name in ("calibration_error", "log_loss")
        for state in CLASS_STATES
    }
    notes = [whole.at[state, "note"] for state in CLASS_STATES]
    changed = only_notes(whole.at[VECTOR, "note"], "vector_changes_classes")
    joined = join_notes(changed, *(without_notes(note, "vector_changes_classes") for note in notes))
    return row | {"note": sentences(joined, short=True)}
