"""The table of canaries: its rows, and what a result on permuted labels means."""

import pandas as pd

from blastfold.core.noted_tables import require_notes
from blastfold.reporting.tables.canaries import canary_row, meaning

RUN = {"labels": "subject", "group_by": "image"} | {
    f"{kind}{ending}": kind
    for kind in ("dataset", "protocol", "model")
    for ending in ("", "_title")
}


def metrics_of(auc, note=""):
    return pd.DataFrame({"auc": [auc], "accuracy": [0.5], "note": [note]}, index=["pooled"])


def intervals_of(lower=0.4, upper=0.9, note=""):
    index = pd.MultiIndex.from_product([["pooled"], ["auc", "accuracy"]])
    return pd.DataFrame({"lower": lower, "upper": upper, "note": note}, index=index)


def test_row_of_the_table_of_canaries():
    row = canary_row(metrics_of(0.85), intervals_of(), RUN)
    assert (row["labels"], row["auc"], row["accuracy"]) == ("permuted among subjects", 0.85, 0.5)
    assert (row["auc_lower"], row["accuracy_upper"]) == (0.4, 0.9)
    assert "recognition of subjects" in row["note"]
    true = RUN | {"labels": "true"}
    assert canary_row(metrics_of(0.9), intervals_of(), true)["note"] == ""


def test_missing_numbers_of_the_table_of_canaries_have_a_note():
    nan, true = float("nan"), RUN | {"labels": "true"}
    undefined = canary_row(metrics_of(nan), intervals_of(nan, nan, "one_class"), RUN)
    reason = "Accuracy, AUC: undefined: the test images are of one class."
    assert undefined["note"].endswith(f"Accuracy, AUC: no interval; {reason}")
    silent = canary_row(metrics_of(0.9), intervals_of(nan, nan), true)
    assert silent["note"] == "Accuracy, AUC: no interval."
    few = canary_row(metrics_of(0.9), intervals_of(note="few_groups:5; too_narrow"), true)
    assert few["note"].startswith("Accuracy, AUC: the interval rests on few groups")
    require_notes(pd.DataFrame([undefined, silent]))


def test_more_than_two_classes_have_their_macro_auc_and_two_have_none():
    shown = ("macro_auc", "auc", "accuracy")
    index = pd.MultiIndex.from_product([["pooled"], shown])
    limits = pd.DataFrame({"lower": 0.4, "upper": 0.6, "note": ""}, index=index)
    row = canary_row(metrics_of(0.5).assign(macro_auc=0.48), limits, RUN, shown)
    assert (row["macro_auc"], row["macro_auc_lower"], row["auc"]) == (0.48, 0.4, 0.5)
    two = canary_row(metrics_of(0.5), intervals_of(), RUN, shown)
    assert pd.isna(two["macro_auc"])
    assert "Macro AUC: no interval" in two["note"]
    require_notes(pd.DataFrame([row, two]))


def test_meaning_depends_on_what_a_split_keeps_together():
    assert "recognition" in meaning("subject", "picture")
    assert "nothing to learn" in meaning("subject", "group")
    assert meaning("image", "image") == meaning("image", "subject")
    assert "about the classes" in meaning("subject", "picture", several=True)
