"""Tables of all classes of a model, against scikit-learn and the tables of two classes."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve
from support.class_predictions import class_table

from blastfold.core.fold_table import write_folds
from blastfold.core.names import OF_EACH_CLASS, POOLED
from blastfold.core.noted_tables import require_notes
from blastfold.core.notes import note_codes, parse_notes
from blastfold.core.predictions import mark_positive, read_test_predictions, write_predictions
from blastfold.evaluation.class_calibration import CLASS_STATES, calibrate_classes
from blastfold.evaluation.class_comparisons import (
    CLASS_COMPARISON_COLUMNS,
    class_comparison_table,
    compare_classes,
)
from blastfold.evaluation.class_results import (
    class_confusion_table,
    class_curves_table,
    class_metrics_table,
    evaluate_all_classes,
)
from blastfold.evaluation.class_subjects import evaluate_class_units
from blastfold.evaluation.comparisons import compare_models, comparison_table
from blastfold.evaluation.efficiency import judged_metric
from blastfold.evaluation.intervals import interval_table
from blastfold.evaluation.leak_contrast import estimate_leak_contrast
from blastfold.evaluation.metrics import evaluate_model, metrics_table
from blastfold.evaluation.protocol_gap import estimate_protocol_gap
from blastfold.evaluation.variance_components import component_table
from blastfold.evaluation.verdicts import compare_trained
from blastfold.statistics.class_grouped import checked_classes
from blastfold.statistics.repeated import repeated_scores

TABLES = ("class_metrics", "class_confusion", "class_curves", "class_calibration")
TABLES += ("class_reliability", "class_risk_coverage", "class_subjects", "class_subject_metrics")


def measured(table, ordered=False):
    random = np.random.default_rng(0)
    found = class_metrics_table(table, table["group"].to_numpy(), random, ordered=ordered)
    return found.set_index(["scope", "metric", "class"])


def groups_of(table):
    return table.drop_duplicates("image_id").set_index("image_id")["group"]


def with_validation(table):
    """Every fold's validation part is the test part of the next one."""
    folds = table["fold"].nunique()
    parts = table.assign(role="validation", fold=(table["fold"] + 1) % folds)
    return pd.concat([table, parts], ignore_index=True)


@pytest.fixture
def stored(tmp_path):
    """Files of a run with four classes, one subject without name."""
    table = class_table(4, groups=60, images=2, names=["a", "b", "c 1", "d"])
    table["subject"] = table["group"].where(table["group"] != "g3", "")
    every = with_validation(table)
    every["label"] = every.pop("class_label")
    every = every.drop(columns=["probability", "positive_class"])
    write_predictions(mark_positive(every, ["c 1", "d"]), tmp_path / "predictions.tsv")
    write_folds(every, tmp_path / "folds.tsv")
    images = table.drop_duplicates("image_id")
    manifest = images.assign(picture="", label=images["class_label"], file=images["image_id"])
    manifest["class"] = manifest["label"].map(dict(enumerate(["a", "b", "c 1", "d"])))
    manifest = manifest.assign(parent="", part="", sha256="")
    manifest.to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    images = images.assign(relations="subject")
    images[["image_id", "group", "relations"]].to_csv(
        tmp_path / "groups.tsv", sep="\t", index=False
    )
    return tmp_path


def test_pooled_values_are_those_of_scikit_learn_with_limits_around_them():
    table = class_table(5, groups=20, gain=1.0)
    found = measured(table, ordered=True)
    label, probability = checked_classes(table)
    called = probability.argmax(axis=1)
    expected = {
        "accuracy": oracle.accuracy_score(label, called),
        "quadratic_kappa": oracle.cohen_kappa_score(label, called, weights="quadratic"),
        "macro_auc": oracle.roc_auc_score(label, probability, multi_class="ovr"),
        "top2_accuracy": oracle.top_k_accuracy_score(label, probability, k=2),
    }
    for metric, value in expected.items():
        row = found.loc[(POOLED, metric, "")]
        assert row["value"] == pytest.approx(value, abs=1e-12)
        assert row["lower"] < value < row["upper"]
        assert (row["method"], row["images"], row["groups"]) == ("crossed-t", 100, 20)
    recalls = oracle.recall_score(label, called, average=None)
    of_class = found.loc[POOLED].loc["sensitivity", "value"]
    assert of_class.to_numpy() == pytest.approx(recalls)


def test_few_classes_without_order_have_no_quadratic_kappa_and_no_second_guess():
    rows = measured(class_table(3)).loc[POOLED]
    assert not {"quadratic_kappa", "top2_accuracy"} & set(rows.index.get_level_values(0))
    assert set(OF_EACH_CLASS) < set(rows.index.get_level_values(0))


def test_folds_have_values_and_their_mean():
    table = class_table(3, groups=18)
    found = measured(table)["value"]
    folds = [found[f"fold-{fold}", "macro_f1", ""] for fold in range(3)]
    for fold, value in enumerate(folds):
        label, probability = checked_classes(table[table["fold"] == fold])
        expected = oracle.f1_score(label, probability.argmax(axis=1), average="macro")
        assert value == pytest.approx(expected)
    assert found["mean", "macro_f1", ""] == pytest.approx(np.mean(folds))
    assert found["sd", "macro_f1", ""] == pytest.approx(np.std(folds, ddof=1))


def test_independent_images_have_wilsons_interval_for_proportions_alone():
    table = class_table(3, groups=30, images=1)
    rows = measured(table).loc[POOLED]
    assert rows.loc[("accuracy", ""), "method"] == "wilson"
    assert rows.loc[("sensitivity", "k1"), "method"] == "wilson"
    assert rows.loc[("macro_auc", ""), "method"] == "crossed-t"


def test_a_class_of_one_subject_takes_its_images_as_independent_with_a_note():
    table = class_table(3, groups=15)
    table = table[(table["class_label"] != 2) | (table["group"] == "g2")]
    rows = measured(table).loc[POOLED]
    assert "images_instead_of_groups" in note_codes(rows.loc[("macro_auc", ""), "note"])
    assert "images_instead_of_groups" in note_codes(rows.loc[("sensitivity", "k2"), "note"])
    assert rows["lower"].notna().all()
    # The class is tested in one fold alone: the others have no balanced accuracy.
    whole = measured(table)
    missing = whole[whole["value"].isna()]
    assert {"fold-1", "fold-2"} <= set(missing.index.get_level_values("scope"))
    assert (missing["note"] != "").all()


def test_equal_predictions_and_many_classes_have_defined_values_or_reasons():
    few, many = class_table(3, groups=6), class_table(40, groups=80, images=1)
    columns = [name for name in few if name.startswith("probability_")]
    for given in (few.assign(**dict.fromkeys(columns, 1 / 3)), many):
        rows = measured(given, ordered=True)
        for column in ("value", "lower", "upper"):
            assert (rows["note"][rows[column].isna()] != "").all(), column


def test_confusions_and_curves_are_complete():
    table = class_table(3, groups=9, repeats=2)
    pooled = class_confusion_table(table).query("scope == 'pooled'")
    label, probability = checked_classes(table)
    matrix = oracle.confusion_matrix(label, probability.argmax(axis=1))
    assert pooled["images"].tolist() == matrix.ravel().tolist()
    assert pooled["true_class"].tolist()[:4] == ["k0", "k0", "k0", "k1"]
    single = table[table["repeat"] == 0]
    curves = class_curves_table(single).set_index(["curve", "class"])
    roc = curves.loc[[("roc", "k1")]]
    label, probability = checked_classes(single)
    assert np.trapezoid(roc["y"], roc["x"]) == pytest.approx(
        oracle.roc_auc_score(label == 1, probability[:, 1])
    )
    assert "k2" not in set(class_curves_table(single[single["class_label"] != 2])["class"])


def test_the_doors_write_tables_in_which_nothing_is_missing_without_a_reason(stored):
    outputs = {name: stored / f"{name}.tsv" for name in TABLES}
    files = {name: stored / f"{name}.tsv" for name in ("predictions", "groups")}
    evaluate_all_classes(**files, seed=1, run=["d", "p", "m"], outputs=outputs)
    calibrate_classes(**files, folds=stored / "folds.tsv", outputs=outputs)
    more = {"manifest": stored / "manifest.tsv", "folds": stored / "folds.tsv"}
    evaluate_class_units(**files, **more, outputs=outputs)
    tables = {name: pd.read_csv(path, sep="\t") for name, path in outputs.items()}
    for name, table in tables.items():
        assert len(table), name
        for note in table.get("note", pd.Series(dtype=str)).dropna():
            assert parse_notes(note)
    units = tables["class_subjects"]
    assert set(units["level"]) == {"subject"}
    assert len(units) == 59
    assert set(units["majority"]) <= {"a", "b", "c 1", "d"}
    results = tables["class_subject_metrics"].set_index(["level", "call", "metric"])
    row = results.loc[("subject", "majority", "accuracy")]
    assert (row["method"], row["units"]) == ("clopper-pearson", 59)
    assert row["lower"] < row["value"] <= row["upper"]
    assert "images_of_unknown_units" in note_codes(row["note"])
    assert results.xs("picture")["note"].str.contains("no_unit_known").all()
    states = tables["class_calibration"].query("scope == 'pooled' and `class`.isna()")
    assert states["state"].tolist() == list(CLASS_STATES)
    values = states.set_index("state")
    assert values.loc["after", "log_loss"] != values.loc["before", "log_loss"]
    ece = tables["class_metrics"].query("scope == 'pooled' and metric == 'classwise_ece'")
    assert ece["value"].item() == pytest.approx(values.loc["before", "calibration_error"])
    check_reliability(
        tables["class_reliability"],
        tables["class_calibration"],
        read_test_predictions(stored / "predictions.tsv"),
    )


def check_reliability(bins, errors, tested):
    """Compare the stored bins with scikit-learn's, and their sum with the calibration error."""
    before = bins[(bins["state"] == "before") & (bins["class"] == "c 1")]
    number = round(1 / (before["right"] - before["left"]).iloc[0])
    shares, means = calibration_curve(
        tested["class_label"] == 2, tested["probability_c 1"], n_bins=number
    )
    assert before["positive_share"].to_numpy() == pytest.approx(shares)
    assert before["mean_probability"].to_numpy() == pytest.approx(means)
    apart = (bins["mean_probability"] - bins["positive_share"]).abs() * bins["images"]
    found = apart.groupby([bins["state"], bins["class"]]).sum() / len(tested)
    expected = errors[(errors["scope"] == POOLED) & errors["class"].notna()]
    expected = expected.set_index(["state", "class"])["calibration_error"]
    assert found.to_dict() == pytest.approx(expected.to_dict())


def test_two_sides_of_the_same_file_have_the_tables_of_two_classes(stored):
    names = ("metrics", "confusion", "roc", "precision_recall", "report")
    evaluate_model([stored / "predictions.tsv"], {name: stored / f"{name}.tsv" for name in names})
    tested = read_test_predictions(stored / "predictions.tsv")
    pooled = metrics_table(tested).query("scope == 'pooled'").set_index("metric")["value"]
    assert pooled["auc"] == pytest.approx(
        oracle.roc_auc_score(tested["class_label"] >= 2, tested["probability"])
    )
    confusion = pd.read_csv(stored / "confusion.tsv", sep="\t")
    assert set(confusion["positive_class"]) == {"c 1 + d"}
    assert pooled["macro_auc"] == pytest.approx(
        measured(tested.assign(group=tested["image_id"]))["value"][POOLED, "macro_auc", ""]
    )


def test_intervals_of_the_primary_metric_are_next_to_those_of_two_sides():
    table = class_table(3, groups=18)
    found = interval_table(table, groups_of(table), 0.5, np.random.default_rng(0))
    rows = found[found["metric"] == "macro_auc"].set_index("method")
    assert {"crossed-t", "jackknife-t", "bootstrap-percentile", "corrected-t"} <= set(rows.index)
    assert rows.loc[rows["recommended"]].index.tolist() == ["crossed-t", "corrected-t"]
    row = rows.loc["crossed-t"]
    expected = measured(table).loc[(POOLED, "macro_auc", "")]
    assert (row["value"], row["lower"], row["upper"]) == pytest.approx(
        (expected["value"], expected["lower"], expected["upper"])
    )


@pytest.mark.parametrize("metric", ["macro_auc", "macro_f1", "kappa"])
@pytest.mark.parametrize("repeats", [1, 3])
def test_verdicts_are_on_the_primary_metric(metric, repeats):
    first = class_table(3, groups=24, repeats=repeats, gain=2.0, folds=4)
    second = class_table(3, groups=24, repeats=repeats, gain=0.0, folds=4, seed=8)
    row = compare_trained(metric, first, second, groups_of(first), 2)
    assert row["metric"] == metric
    assert row["outcome"] == "first_higher"
    assert row["lower"] < row["difference"] < row["upper"]
    assert row["adjusted_p_value"] < 0.05
    same = compare_trained(metric, first, first.copy(), groups_of(first), 2)
    assert (same["difference"], same["outcome"]) == (0, "no_difference")


def test_the_table_of_comparisons_has_the_verdict_of_the_primary_metric():
    table = {name: class_table(3, groups=15, seed=seed) for seed, name in enumerate("xy")}
    found = comparison_table(
        table, groups_of(table["x"]), 0.5, lambda *_: np.random.default_rng(0), "macro_auc"
    )
    verdict = found[found["view"] == "procedure"]
    assert verdict["metric"].tolist() == ["macro_auc"]
    assert found.loc[found["metric"] == "auc", "outcome"].eq("descriptive").all()


def test_forty_classes_one_missing_in_folds_and_of_one_subject_have_values_or_reasons(tmp_path):
    table = class_table(40, groups=80, images=2, folds=2, gain=3.0)
    table = table[(table["class_label"] < 39) | (table["fold"] == 1)].reset_index(drop=True)
    found = measured(table)
    require_notes(found[["value", "note"]])
    assert parse_notes(found.loc[("fold-0", "macro_auc", ""), "note"])[0].values == (1, 40)
    assert np.isnan(found.loc[("fold-0", "sensitivity", "k39"), "value"])
    pooled = found.loc[POOLED]
    label, probability = checked_classes(table)
    area = oracle.roc_auc_score(label, probability, multi_class="ovr")
    row = pooled.loc["macro_auc", ""]
    assert row["value"] == pytest.approx(area)
    # The class of one subject shows no spread of subjects.
    assert "images_instead_of_groups" in note_codes(row["note"])
    assert row["lower"] < area < row["upper"]
    verdict = compare_trained("macro_auc", table, table.copy(), groups_of(table), 1)
    assert verdict["outcome"] == "undefined"
    assert "fewer_than_two_groups" in note_codes(verdict["note"])
    assert len(class_confusion_table(table)) == 3 * 40 * 40


@pytest.mark.parametrize(
    ("declared", "classes", "primary"),
    [(None, 4, "macro_auc"), (None, 2, "auc"), ("kappa", 2, "auc"), ("mcc", 4, "mcc")],
)
def test_results_decide_on_the_primary_metric_where_the_config_cannot(
    stored, tmp_path, declared, classes, primary
):
    if classes == 2:
        table = pd.read_csv(stored / "predictions.tsv", sep="\t")
        table = table.assign(label=table["positive"], probability_a=1 - table["probability"])
        table = table.assign(probability_b=table["probability"])
        table = table.drop(columns=["probability_c 1", "probability_d", "positive"])
        write_predictions(table, stored / "predictions.tsv")
    paths, groups = [stored / "predictions.tsv"] * 2, stored / "groups.tsv"
    folds = stored / "folds.tsv"
    folds.write_text(folds.read_text().replace("validation", "train"))
    output, about = tmp_path / "out.tsv", {"primary": declared, "family": 2}
    compare_models(paths, ["x", "y"], groups, folds, 1, ["cells", "folds"], output, **about)
    comparisons = tmp_path / "comparisons.tsv"
    output.rename(comparisons)
    assert judged_metric(comparisons) == primary
    runs = [{"model": "x", "protocol": name, "group_by": name} for name in ("image", "group")]
    estimate_protocol_gap(paths, runs, groups, output, **about)
    assert judged_metric(output) == primary
    contrast = [{"model": "x", "contrast": "c", "leak": "subject"}]
    estimate_leak_contrast(paths, contrast, groups, output=output, **about)
    assert judged_metric(output) == primary


def test_pairs_of_models_are_compared_over_all_classes(stored):
    tested = {name: class_table(3, groups=18, seed=seed) for seed, name in enumerate("xyz")}
    shuffled = tested["y"].sample(frac=1, random_state=0)
    table = class_comparison_table(tested | {"y": shuffled}, groups_of(tested["x"]), ordered=True)
    assert list(table.columns) == list(CLASS_COMPARISON_COLUMNS)
    assert len(table) == 3 * (8 + 3)
    first = table[(table["first_model"] == "x") & (table["second_model"] == "y")]
    by_metric = first[first["method"] == "jackknife-t"].set_index("metric")
    for side, name in (("first", "x"), ("second", "y")):
        label, probability = checked_classes(tested[name])
        expected = oracle.cohen_kappa_score(label, probability.argmax(axis=1))
        assert by_metric.loc["kappa", side] == pytest.approx(expected)
    marginals = first[first["metric"] == "marginals"].set_index("method")
    assert set(marginals.index) == {"stuart-maxwell", "clustered-stuart-maxwell"}
    assert marginals["p_value"].between(0, 1).all()
    assert "test_of_independent_images" in note_codes(marginals.loc["stuart-maxwell", "note"])
    paths = [stored / "predictions.tsv"] * 2
    compare_classes(paths, ["m", "n"], stored / "groups.tsv", stored / "compared.tsv")
    same = pd.read_csv(stored / "compared.tsv", sep="\t")
    assert same["difference"].dropna().eq(0).all()
    assert same["p_value"].dropna().eq(1).all()


def test_repeats_have_no_test_of_independent_images_and_components_of_the_macro_auc():
    table = class_table(3, groups=18, repeats=3)
    other = class_table(3, groups=18, repeats=3, seed=5)
    found = class_comparison_table({"x": table, "y": other}, groups_of(table))
    assert "stuart-maxwell" not in set(found["method"])
    run = {"model": "x", "protocol": "p", "draws": 0, "seeds_alone": False}
    scores = repeated_scores(table, groups_of(table))
    components = component_table([run], [scores])
    own = components[components["metric"] == "macro_auc"].set_index("component")
    values = [
        np.mean([
            np.mean([
                oracle.roc_auc_score(fold["class_label"] == place, fold[f"probability_k{place}"])
                for _, fold in repeat.groupby("fold")
            ])
            for place in range(3)
        ])
        for _, repeat in table.groupby("repeat")
    ]  # fmt: skip
    assert own["value"].iloc[0] == pytest.approx(np.mean(values))
    assert own.loc["seeds and splits", "deviation"] == pytest.approx(np.std(values, ddof=1))
