"""The table and the figure of external tests: single networks with single networks."""

import numpy as np
import pandas as pd
import pytest

from blastfold.core.names import SHOWN_METRICS
from blastfold.core.noted_tables import write_noted
from blastfold.evaluation.intervals import interval_table
from blastfold.reporting.figures.external_test import plot_external_test
from blastfold.reporting.tables.external_test import external_rows, tabulate_external_test


def write_intervals(path, labels, seed=0, networks=1, repeats=1):
    random = np.random.default_rng(seed)
    names = [str(n) for n in range(len(labels))]
    tested = pd.concat(
        pd.DataFrame({"image_id": names, "label": labels, "fold": fold}).assign(
            repeat=fold * repeats // networks
        )
        for fold in range(networks)
    ).reset_index(drop=True)
    tested["probability"] = np.clip(
        0.4 * tested["label"] + random.uniform(0, 0.6, len(tested)), 0, 1
    )
    groups = pd.Series([str(n // 3) for n in range(len(labels))], index=names)
    write_noted(interval_table(tested, groups, 0.5, np.random.default_rng(1)), path)
    return path


RUN = {
    "dataset": "a",
    "dataset_title": "A",
    "protocol": "folds",
    "protocol_title": "Folds",
    "model": "net",
    "model_title": "Net",
    "external": "b",
    "external_title": "B",
}


def test_both_tests_are_in_table_and_figure(tmp_path):
    inside = write_intervals(tmp_path / "inside.tsv", np.arange(60) % 2)
    outside = write_intervals(tmp_path / "outside.tsv", np.arange(30) % 2, seed=1)
    single = write_intervals(tmp_path / "single.tsv", np.arange(30) % 2, seed=2, networks=3)
    files = [inside], [single], [outside]
    rows = external_rows(*files, [RUN])
    assert rows["tested"].tolist() == ["same data set", "other data set", "other data set"]
    assert rows["networks"].tolist() == ["single networks", "single networks", "mean of 3 networks"]
    assert rows["images"].tolist() == [60, 30, 30]
    # Single networks are compared with single networks, and the mean of networks with nothing.
    for row, path in zip(rows.to_dict("records"), (inside, single, outside), strict=True):
        stored = pd.read_csv(path, sep="\t")
        chosen = stored[stored["recommended"] & (stored["view"] == "pooled")].set_index("metric")
        assert row["accuracy"] == pytest.approx(chosen.at["accuracy", "value"])
    assert (rows["auc_lower"] <= rows["auc"]).all()
    assert (rows["auc"] <= rows["auc_upper"]).all()
    # A metric over all classes next to runs of more than two.
    more = external_rows(*files, [RUN], ("macro_auc", *SHOWN_METRICS))
    pd.testing.assert_frame_equal(more[rows.columns.drop("note")], rows.drop(columns="note"))
    assert more["macro_auc"].isna().all()
    assert more["note"].str.contains("Macro AUC: undefined").all()
    paths = [tmp_path / f"table.{ending}" for ending in ("tsv", "tex", "md")]
    tabulate_external_test(*files, [RUN], paths)
    assert "mean of 3 networks" in paths[2].read_text()
    plot_external_test(*files, [RUN], [tmp_path / "figure.png"])
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_all_networks_of_all_repeats_are_counted(tmp_path):
    inside = write_intervals(tmp_path / "inside.tsv", np.arange(60) % 2, networks=2, repeats=2)
    outside = write_intervals(tmp_path / "outside.tsv", np.arange(30) % 2, seed=1)
    options = {"networks": 6, "repeats": 2}
    single = write_intervals(tmp_path / "single.tsv", np.arange(30) % 2, seed=2, **options)
    rows = external_rows([inside], [single], [outside], [RUN | {"repeats": 2}])
    assert rows["networks"].tolist() == ["single networks", "single networks", "mean of 6 networks"]
    assert rows["images"].tolist() == [60, 30, 30]
    assert "repeats" not in rows


def test_a_data_set_of_one_class_has_notes_for_what_is_undefined(tmp_path):
    inside = write_intervals(tmp_path / "inside.tsv", np.arange(60) % 2)
    outside = write_intervals(tmp_path / "outside.tsv", np.ones(30, dtype=int))
    files = [inside], [outside], [outside]
    rows = external_rows(*files, [RUN])
    assert rows["networks"].tolist() == ["one network", "one network"]
    row = rows.iloc[1]
    assert np.isnan(row["auc"])
    assert np.isnan(row["specificity"])
    assert "AUC" in row["note"]
    assert "Specificity" in row["note"]
    assert 0 <= row["sensitivity"] <= 1
    tabulate_external_test(*files, [RUN], [tmp_path / "table.md"])
    plot_external_test(*files, [RUN], [tmp_path / "figure.png"])
