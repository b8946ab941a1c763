"""The table of printed results that cannot come from whole counts of images."""

import os
from collections.abc import Iterable

import pandas as pd

from blastfold.core import tables as core_tables
from blastfold.core.names import RATES
from blastfold.core.tables import read_table
from blastfold.evaluation.printed_results import audit_published
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.reproduction import MODEL_TITLES, read_published
from blastfold.reporting.tables.writing import write_table

VERDICT_TITLES = {
    "possible": "possible",
    "impossible": "impossible",
    "different_class_ratio": "implies a different class ratio",
}

Paths = Iterable[str | os.PathLike]


def tabulate_printed_audit(
    published: str | os.PathLike,
    split_sizes: str | os.PathLike,
    matrices: str | os.PathLike,
    paths: Paths,
) -> None:
    """Write which printed results of the thesis are possible.

    Args:
        published: ``resources/published_results.tsv``.
        split_sizes: ``resources/split_sizes.tsv``: dataset, test_images, expected_positives.
        matrices: Output, the confusion matrices that could print each row.
        paths: Tables to write (see :func:`blastfold.reporting.tables.writing.write_table`).
    """
    sizes = read_table(split_sizes, ("dataset", "test_images")).set_index("dataset")
    rows = read_published(published)
    audit, listed = audit_published(rows, sizes)
    core_tables.write_table(listed, matrices)
    figures = audit.drop_duplicates(["dataset", *RATES])
    impossible = int((figures["verdict"] == "impossible").sum())
    caption = (
        "Can the printed results be true? Accuracy, sensitivity and specificity of one row come "
        "from one confusion matrix of whole numbers; all matrices of the printed number of test "
        f"images were tried. Of {len(figures)} different results, {impossible} are impossible."
    )
    left_out = rows.loc[rows["accuracy"] == "", "source"].tolist()
    if left_out:
        caption += f" Not audited, because no accuracy is printed: {', '.join(left_out)}."
    write_table(audit_rows(audit), paths, caption, "tab:printed-audit")


def audit_rows(audit: pd.DataFrame) -> pd.DataFrame:
    """Add titles and sentences to the audit.

    Args:
        audit: As :func:`blastfold.evaluation.printed_results.audit_published` returns it.

    Returns:
        The same columns, with model_title, verdict_title and the note in words.
    """
    table = audit.assign(note=[sentences(note) for note in audit["note"]])
    titles = [MODEL_TITLES.get(model, model) for model in table["model"]]
    table.insert(table.columns.get_loc("model") + 1, "model_title", titles)
    verdicts = table["verdict"].map(VERDICT_TITLES)
    table.insert(table.columns.get_loc("possible_matrices") + 1, "verdict_title", verdicts)
    return table
