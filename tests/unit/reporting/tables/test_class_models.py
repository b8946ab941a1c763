"""Tables of models against each other over all classes, from made-up predictions."""

import numpy as np
import pandas as pd
import pytest
from support.class_predictions import class_table

from blastfold.core.tables import write_table
from blastfold.evaluation.class_calibration import (
    class_calibration_table,
    class_risk_table,
    fit_classes,
)
from blastfold.evaluation.class_comparisons import class_comparison_table
from blastfold.reporting.tables.class_models import (
    TESTS,
    tabulate_class_calibration,
    tabulate_class_comparisons,
)

NAMES = ["k0", "k1", "k2"]


@pytest.fixture
def written(tmp_path):
    def write(tabulate, stored, *arguments):
        paths = [tmp_path / f"table.{ending}" for ending in ("tsv", "md", "tex", "html")]
        tabulate(stored, *arguments, "Cells", "tab:cells", paths)
        return pd.read_csv(paths[0], sep="\t"), paths[1].read_text("utf-8")

    return write


def test_every_pair_has_its_differences_in_points_and_its_tests(written, tmp_path):
    tested = {name: class_table(3, groups=15, seed=seed) for seed, name in enumerate("xy")}
    groups = tested["x"].drop_duplicates("image_id").set_index("image_id")["group"]
    stored = class_comparison_table(tested, groups)
    write_table(stored, tmp_path / "stored.tsv")
    titles = {"x": "First network", "y": "Second network"}
    table, shown = written(tabulate_class_comparisons, tmp_path / "stored.tsv", titles)
    assert len(table) == len(stored)
    found = table.set_index("metric")
    expected = stored[stored["method"] == "jackknife-t"].set_index("metric")["difference"]
    assert found.loc["macro_auc", "difference"] == pytest.approx(100 * expected["macro_auc"])
    assert set(TESTS) < set(found.index)
    assert found.loc["clustered-stuart-maxwell", "p_value"] >= 0
    assert "First network" in shown
    assert "Shares of predicted classes (by group)" in shown


def test_one_model_has_a_table_without_rows(written, tmp_path):
    table = class_table(3, groups=6)
    write_table(class_comparison_table({"x": table}, pd.Series()), tmp_path / "stored.tsv")
    found, _ = written(tabulate_class_comparisons, tmp_path / "stored.tsv", {"x": "One"})
    assert found.empty


def test_runs_have_their_calibration_in_every_state(written, tmp_path):
    table = class_table(3, groups=45)
    validation = table.assign(role="validation")
    fitted = fit_classes(validation, NAMES, [0, 1, 2])
    write_table(class_calibration_table(table, fitted), tmp_path / "calibration.tsv")
    write_table(class_risk_table(table), tmp_path / "risk.tsv")
    run = {"protocol": "p", "protocol_title": "P", "model": "m", "model_title": "M"}
    found, shown = written(
        lambda stored, *rest: tabulate_class_calibration(stored, *rest),
        [tmp_path / "calibration.tsv"], [tmp_path / "risk.tsv"], [run],
    )  # fmt: skip
    row = found.iloc[0]
    # Fitted on the same images, the temperature can only help, and vector scaling more.
    assert row["log_loss_vector"] <= row["log_loss_after"] <= row["log_loss_before"]
    probability = table[[f"probability_{name}" for name in NAMES]].to_numpy()
    wrong = probability.argmax(axis=1) != table["class_label"].to_numpy()
    order = np.argsort(-probability.max(axis=1), kind="stable")
    risks = np.cumsum(wrong[order]) / np.arange(1, len(wrong) + 1)
    assert row["risk_coverage_area"] == pytest.approx(risks.mean())
    assert "vector scaling" in shown
