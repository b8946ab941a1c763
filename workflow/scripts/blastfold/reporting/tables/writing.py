"""Tables for people and machines: one table as TSV, LaTeX (booktabs), Markdown and HTML.

A table is a DataFrame with plain column names and raw values: fractions between 0 and 1, counts,
text. The TSV holds it as it is. The others show it as the thesis prints its tables:
headings, percent with two decimals, a mean with its standard deviation in one cell, notes below.
"""

import itertools
import math
import os
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from blastfold.core.errors import BlastfoldError
from blastfold.core.names import CLASS_METRIC_FACTS, METRIC_FACTS
from blastfold.core.noted_tables import require_notes
from blastfold.core.tables import format_table
from blastfold.reporting.tables.html_pages import html_page
from blastfold.reporting.tables.latex import MINUS, latex_table
from blastfold.reporting.tables.points import cut_differences

ALL_METRICS = CLASS_METRIC_FACTS | METRIC_FACTS
"""Facts of every metric, of two readings: all classes, and positive classes against the rest."""

FRACTIONS = frozenset(name for name, metric in ALL_METRICS.items() if metric.percent) | {
    "first",
    "second",
    "network_value",
    "baseline_value",
    *("true_labels", "permuted_labels", "smallest", "largest"),
    *("on_cell", "cell_share", "recall", "share_error"),
}
"""Columns of fractions (0-1), printed as percent with two decimals."""

POINTS = frozenset(
    {"printed", "printed_accuracy", "ours", "difference"}
    | {"seeds_deviation", "splits_deviation", "draws_deviation", "subjects_deviation"}
)
"""Columns that hold percent already, printed with two decimals."""

DECIMALS = frozenset({"ratio", "random_ratio", "new_head", "new_weights", "deletion"})
"""Columns of other numbers, printed with two decimals."""

HEADINGS = {name: metric.heading for name, metric in ALL_METRICS.items()} | {
    "dataset": "Data set",
    "tested": "Tested on",
    "external": "Other data set",
    "first_author": "First author",
    "printed": "Printed (%)",
    "recall": "Recall (%)",
    "share_error": "Share error (%)",
    "ours": "Ours (%)",
    "difference": "Difference (points)",
    "printed_in": "Printed in",
    "printed_accuracy": "Accuracy (%)",
    "source_resolution": "Source resolution",
    "first": "First (%)",
    "second": "Second (%)",
    "true_labels": "AUC, true labels (%)",
    "permuted_labels": "AUC, permuted labels (%)",
    "smallest": "Smallest (%)",
    "largest": "Largest (%)",
    "on_cell": "On the cell (%)",
    "cell_share": "Cell's share of the picture (%)",
    "network_value": "Network (%)",
    "baseline_value": "Baseline (%)",
    "adjusted_p_value": "Adjusted p",
    "seeds_deviation": "SD of seeds (points)",
    "splits_deviation": "SD of splits (points)",
    "draws_deviation": "SD of seeds and splits (points)",
    "subjects_deviation": "SD of subjects (points)",
    "peak_memory_mb": "Peak memory (MB)",
    "gpu_memory_mb": "GPU memory (MB)",
    "images_per_second": "Images per second",
    "device_hours": "Device-hours",
    "estimated_kwh": "Energy, estimated (kWh)",
    "multiply_adds": "Multiply-adds",
    "multiply_adds_millions": "Multiply-adds (millions)",
    "parameters_millions": "Parameters (millions)",
    "weights_mb": "Weights (MB)",
    "latency_ms": "Latency, batch 1 (ms)",
    "latency_p90_ms": "90th percentile (ms)",
    "chosen": "Chosen in (folds)",
    "criterion": "Chosen by",
    "validation_score": "Mean of it in validation",
    "validation_loss": "Mean validation loss",
    "training_hours": "Training (hours)",
    "extraction_hours": "Features (hours)",
    "deletion_outcome": "The probability falls",
}
"""Headings that are not simply the column's name with its first letter in upper case."""

COMPANIONS = {"_title": "", "_sd": "", "_lower": "", "_upper": "", "_max": "_min"}
"""Endings of columns that share the cell of another one, and the ending of that one."""

MISSING = "n/a"
"""What LaTeX and Markdown show for a missing number, with a note that gives the reason."""

Headings = Mapping[str, str] | None

UNKNOWN = "unknown"
"""What they show for a count that nobody can know, because the source does not name a relation."""


def write_table(
    table: pd.DataFrame,
    paths: Iterable[str | os.PathLike],
    caption: str,
    label: str,
    headings: Headings = None,
) -> None:
    """Write one table in every format that is asked for.

    Some columns belong together and share one cell in LaTeX and Markdown, while the TSV keeps
    them apart: ``x_title`` is shown in place of ``x``, ``x_sd`` after ``x`` or, where there is
    none, ``x_lower`` and ``x_upper`` as its interval, ``x_min`` and ``x_max`` as a range. The
    text of the column ``note`` is set below the table. Intervals of differences end at 100 points.

    Args:
        table: Plain column names; fractions, counts and text as they are.
        paths: Files to write; the suffix of each (.tsv, .tex, .md or .html) gives its format.
        caption: Caption in plain text.
        label: LaTeX label, for instance ``"tab:datasets"``.
        headings: Headings that are names of the user, by column; they are shown as they are.

    Raises:
        BlastfoldError: A number is missing and its row has no note, or a suffix is unknown.
    """
    require_notes(table)
    table = cut_differences(table)
    writers = {
        ".tsv": lambda: format_table(table),
        ".tex": lambda: to_latex(table, caption, label, headings),
        ".md": lambda: to_markdown(table, caption, headings),
        ".html": lambda: to_html(table, caption, headings),
    }
    for path in map(Path, paths):
        if path.suffix not in writers:
            raise BlastfoldError(f"{path}: tables are written as {', '.join(writers)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(writers[path.suffix](), encoding="utf-8", newline="\n")


def write_both(
    table: pd.DataFrame,
    shown: pd.DataFrame,
    paths: Iterable[str | os.PathLike],
    caption: str,
    label: str,
    headings: Headings = None,
) -> None:
    """Write the whole table as TSV, and the one for readers in all other formats.

    Args:
        table: See :func:`write_table`.
        shown: The same for readers.
        paths: Files to write.
        caption: Caption in plain text.
        label: LaTeX label.
        headings: See :func:`write_table`.
    """
    for path in paths:
        chosen = table if Path(path).suffix == ".tsv" else shown
        write_table(chosen, [path], caption, label, headings)


def to_latex(table: pd.DataFrame, caption: str, label: str, names: Headings = None) -> str:
    """Return a LaTeX table that fits its page (see :mod:`blastfold.reporting.tables.latex`)."""
    shown, notes = present(table)
    numeric = [_is_numeric(table, column) for column in shown]
    headings = _headings(shown, names)
    return latex_table(headings, numeric, shown.to_numpy().tolist(), notes, caption, label)


def to_markdown(table: pd.DataFrame, caption: str, names: Headings = None) -> str:
    """Return a GitHub table with its caption above and its notes below."""
    shown, notes = present(table)
    rules = ["---:" if _is_numeric(table, column) else ":---" for column in shown]
    rows = [[_markdown_cell((heading, "")) for heading in _headings(shown, names)], rules]
    rows += [[_markdown_cell(cell) for cell in row] for row in shown.to_numpy()]
    lines = [_markdown_cell((caption, "")), ""]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    for letter, note in notes.items():
        lines += ["", f"<sup>{letter}</sup> {_markdown_cell((note, ''))}"]
    return "\n".join(lines) + "\n"


def to_html(table: pd.DataFrame, caption: str, names: Headings = None) -> str:
    """Return a page with the table, its caption above and its notes below."""
    shown, notes = present(table)
    numeric = [_is_numeric(table, column) for column in shown]
    headings = _headings(shown, names)
    return html_page(caption, headings, numeric, shown.to_numpy().tolist(), notes)


def present(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Lay a raw table out for readers.

    Args:
        table: As for :func:`write_table`.

    Returns:
        The shown columns, each cell a pair of its text and the letter of its note (empty for
        none), and the notes, each once, by letter. A note belongs to the missing numbers of its
        row; without any, to the printed value or else to the first column.
    """
    columns = [column for column in table.columns if not _is_companion(table, column)]
    notes = table.get("note", pd.Series("", index=table.index)).fillna("")
    letters = dict(zip(dict.fromkeys(filter(None, notes)), _letters(), strict=False))
    rows = []
    for (_, row), note in zip(table.iterrows(), notes, strict=True):
        texts = {column: _shown_text(row, column) for column in columns}
        marked = [column for column, text in texts.items() if text in (MISSING, UNKNOWN)]
        marked = marked or [column for column in columns if column == "printed"] or columns[:1]
        letter = letters.get(note, "")
        rows.append([(text, letter if column in marked else "") for column, text in texts.items()])
    shown = pd.DataFrame(index=table.index, columns=columns, dtype=object)
    for place, column in enumerate(columns):
        shown[column] = pd.Series([row[place] for row in rows], index=table.index, dtype=object)
    return shown, {letter: note for note, letter in letters.items()}


def show_unknown(table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """Return the table for readers, in which missing counts of these columns are "unknown"."""
    shown = table.copy()
    for column in columns:
        texts = [UNKNOWN if pd.isna(value) else str(int(value)) for value in table[column]]
        shown[column] = pd.Series(texts, index=table.index, dtype=object)
    return shown


def _headings(columns: Iterable[str], names: Headings) -> list[str]:
    return [(names or {}).get(column) or heading_of(column) for column in columns]


def heading_of(column: str) -> str:
    """Return the heading that a column has in LaTeX, Markdown and figures."""
    plain = column.removesuffix("_min")
    return HEADINGS.get(plain, plain.replace("_", " ").capitalize())


def format_value(column: str, value: object) -> str:
    """Return one value as LaTeX and Markdown show it in this column."""
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or math.isnan(value):
        return MISSING
    if column in FRACTIONS:
        return f"{100 * value:.2f}"
    if column == "difference":
        return f"{value:+.2f}".replace("-", MINUS)
    if column in POINTS:
        return f"{value:.2f}"
    if column in DECIMALS:
        return f"{value:.2f}".replace("-", MINUS)
    if column in ALL_METRICS:
        return f"{value:.3f}".replace("-", MINUS)
    if column.endswith("p_value"):
        return f"{value:.3f}" if value >= 0.001 else "<0.001"
    return f"{value:g}" if float(value) != int(value) else str(int(value))


def _shown_text(row: pd.Series, column: str) -> str:
    if f"{column}_title" in row:
        return str(row[f"{column}_title"])
    text = format_value(column, row[column])
    if f"{column}_sd" in row and pd.notna(row[f"{column}_sd"]):
        return f"{text} ± {format_value(column, row[f'{column}_sd'])}"
    if f"{column}_lower" in row and pd.notna(row[f"{column}_lower"]):
        limits = (format_value(column, row[f"{column}_{end}"]) for end in ("lower", "upper"))
        return f"{text} [{', '.join(limits)}]"
    if column.endswith("_min"):
        largest = format_value(column, row[f"{column.removesuffix('_min')}_max"])
        return text if text == largest else f"{text} to {largest}"
    return text


def _is_companion(table: pd.DataFrame, column: str) -> bool:
    if column == "note":
        return True
    return any(
        column.endswith(suffix) and column.removesuffix(suffix) + partner in table.columns
        for suffix, partner in COMPANIONS.items()
    )


def _is_numeric(table: pd.DataFrame, column: str) -> bool:
    return column in POINTS or pd.api.types.is_numeric_dtype(table[column])


def _letters() -> Iterator[str]:
    for length in itertools.count(1):
        yield from map("".join, itertools.product(string.ascii_lowercase, repeat=length))


def _markdown_cell(cell: tuple[str, str]) -> str:
    text, letter = cell
    escaped = re.sub(r"([\\|`*_<>\[\]])", r"\\\1", re.sub(r"\s+", " ", text))
    return escaped + (f"<sup>{letter}</sup>" if letter else "")
