import json

import pandas as pd
import pytest

from blastfold.reporting.tables.imports import imports_table, tabulate_imports

FACTS = {
    "name": "cells",
    "images": 9,
    "subjects": 3,
    "pictures": 0,
    "files": {
        "found": 14,
        "imported": 9,
        "rejected": 2,
        "ignored": 3,
        "rejected_by": {"the file is empty": 2},
        "ignored_by": {"hidden": 2, "ignore:*_mask.png": 1},
    },
    "odd": [{"code": "one_colour", "images": 1, "example": "a_b.png"}],
}


def test_files_add_up_and_notes_have_reasons_rules_and_oddities(tmp_path):
    derived = {**FACTS, "name": "grown", "files": None}
    paths = [tmp_path / "imports.tsv", tmp_path / "imports.md", tmp_path / "imports.tex"]
    descriptions = [tmp_path / "1.json", tmp_path / "2.json"]
    for path, facts in zip(descriptions, (FACTS, derived), strict=True):
        path.write_text(json.dumps(facts))
    tabulate_imports(descriptions, {"cells": "Our cells"}, paths)
    table = pd.read_csv(paths[0], sep="\t")
    row = table.iloc[0]
    assert len(table) == 1
    assert row["files"] == row["imported"] + row["rejected"] + row["ignored"] == 14
    assert row["note"] == (
        "Rejected: the file is empty (2). Ignored: hidden files (2), left out by the key ignore "
        "('*_mask.png') (1). The source does not name its pictures. 1 image has one colour "
        "only, for instance 'a_b.png'."
    )
    assert "Our cells" in paths[1].read_text()
    assert r"'a\_b.png'" in paths[2].read_text()


@pytest.mark.parametrize("descriptions", [[], [{"name": "old"}]])
def test_without_an_import_the_table_is_empty(descriptions):
    table = imports_table(descriptions, {})
    assert table.empty
    assert table.columns[0] == "dataset"
