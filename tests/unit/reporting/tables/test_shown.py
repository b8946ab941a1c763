"""Printed tables are read back as they were laid out."""

import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.reporting.tables.shown import read_shown_table
from blastfold.reporting.tables.writing import heading_of, present, to_markdown

HOSTILE = r"a|b \| c\ *d* `e` <sup>x</sup> [f] \\"


def test_a_table_is_read_back_as_readers_see_it(tmp_path):
    table = pd.DataFrame(
        {
            "model": [HOSTILE, "", "plain"],
            "auc": [0.9, float("nan"), 0.5],
            "auc_lower": [0.8, float("nan"), 0.4],
            "auc_upper": [1.0, float("nan"), 0.6],
            "note": ["", "why | not \\ at all", "why | not \\ at all"],
        }
    )
    path = tmp_path / "table.md"
    path.write_text(to_markdown(table, f"Caption {HOSTILE}."), "utf-8")
    read = read_shown_table(path)
    shown, notes = present(table)
    assert read.caption == f"Caption {HOSTILE}."
    assert read.headings == [heading_of(column) for column in shown]
    assert read.numeric == [False, True]
    assert [[tuple(cell) for cell in row] for row in read.rows] == shown.to_numpy().tolist()
    assert read.notes == notes


@pytest.mark.parametrize(
    "text", ["", "Caption\n", "Caption\n\n| a | b |\n| :--- | ---: |\n| 1 |\n"]
)
def test_what_is_no_table_is_named(tmp_path, text):
    path = tmp_path / "table.md"
    path.write_text(text)
    with pytest.raises(InputError, match=r"table\.md: holds no table"):
        read_shown_table(path)
