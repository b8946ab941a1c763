"""The table of shared images: titles, counts that are unknown, words for verdicts."""

import pandas as pd

from blastfold.leakage.identity import COLUMNS, NO_EQUAL_FILE, NOTHING_SHARED, SHARED, UNKNOWN
from blastfold.reporting.tables.identity import VERDICTS, tabulate_identity


def test_rows_of_all_splits_have_titles_and_words(tmp_path):
    rows = [
        ("tiles", "cells", 40, 0, 0, 0, 0, 0, 0, "nothing_shared"),
        ("cells", "other", 30, 2, 3, 4, 1, 7, 8, "shared"),
        ("my/w.h5", "cells", 40, None, None, None, None, None, None, "unknown"),
        ("my/v.h5", "cells", 40, 0, None, 0, None, None, 0, "no_equal_file"),
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for name, part in (("one", table[:2]), ("two", table[2:])):
        part.to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    titles = {
        "dataset": {"cells": "Cells", "other": "Other", "tiles": "Tiles"},
        "protocol": {"folds": "Folds", "holdout": "Hold-out"},
    }
    paths = [tmp_path / f"identity.{ending}" for ending in ("tsv", "tex", "md")]
    splits = [("cells", "folds"), ("cells", "holdout")]
    tabulate_identity([tmp_path / "one.tsv", tmp_path / "two.tsv"], splits, titles, paths)
    written = pd.read_csv(paths[0], sep="\t")
    assert written["protocol_title"].tolist() == ["Folds", "Folds", "Hold-out", "Hold-out"]
    assert written["learnt_from_title"].tolist() == ["Tiles", "Cells", "my/w.h5", "my/v.h5"]
    assert written["affected"].tolist()[:2] == [0, 8]
    assert pd.isna(written["affected"][2])
    assert written["verdict"].tolist() == ["nothing shared", "shared", "unknown", "no equal file"]
    assert "not record" in written["note"][2]
    assert "fewest possible" in written["note"][3]
    assert written["note"][:2].isna().all()
    assert "Hold-out" in paths[2].read_text()
    assert "8" in paths[2].read_text()


def test_every_verdict_has_words():
    assert set(VERDICTS) == {NOTHING_SHARED, NO_EQUAL_FILE, SHARED, UNKNOWN}
