"""Model against model: oracles, hostile inputs, from files to tables and figures."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from support.predictions import write_stored_predictions
from support.repository import SCHEMA
from support.tested_models import (
    LEARNT,
    RATIO,
    TITLES,
    comparisons,
    groups_of,
    intervals,
    make_tested,
    models_tested,
    row_of,
    stream,
)

from blastfold.core.errors import InputError
from blastfold.core.fold_table import write_folds
from blastfold.core.names import METRICS
from blastfold.core.noted_tables import require_notes
from blastfold.core.predictions import read_test_predictions
from blastfold.core.tables import read_text_table
from blastfold.evaluation import protocol_gap
from blastfold.evaluation.comparisons import (
    COMPARISON_COLUMNS,
    compare_models,
    comparison_table,
)
from blastfold.evaluation.intervals import estimate_intervals
from blastfold.evaluation.metrics import metrics_table
from blastfold.experiment.config import check_config
from blastfold.reporting.figures import comparisons as figures_of_comparisons
from blastfold.reporting.tables import comparisons as comparison_tables
from blastfold.reporting.tables import results as result_tables
from blastfold.reporting.verdicts import SAME_MODEL_RATES, control_words
from blastfold.statistics import comparison


@pytest.fixture(scope="module")
def compared():
    """Three models with their predictions, groups and comparison."""
    tested = models_tested()
    groups = groups_of(tested["sharp"])
    return tested, groups, comparisons(tested, groups)


def test_one_group_a_class_falls_back_to_independent_images_and_reports_it():
    tested = make_tested(folds=1)
    groups = groups_of(tested, size=2)
    table = intervals(tested, groups)
    auc = row_of(table, metric="auc", recommended=True)
    assert auc["method"] == "image-jackknife-t"
    assert auc["lower"] < auc["value"] < auc["upper"]
    sensitivity = row_of(table, metric="sensitivity", recommended=True)
    assert sensitivity["method"] == "wilson"
    for row in (auc, sensitivity):
        assert row["note"].startswith("images_instead_of_groups")
    compared = comparisons(models_tested(folds=1), groups)
    of_auc = compared[(compared["metric"] == "auc") & compared["recommended"]]
    assert set(of_auc["view"]) == {"procedure"}
    assert set(of_auc["outcome"]) == {"undefined"}
    assert of_auc["lower"].notna().all()
    assert of_auc["p_value"].isna().all()
    assert of_auc["note"].str.startswith("images_instead_of_groups").all()
    require_notes(compared)


@pytest.mark.parametrize("images", [3, 4])
def test_a_handful_of_test_images_gives_values_or_notes(images):
    tested = make_tested(images=images, subjects=images, folds=1)
    groups = groups_of(tested)
    other = tested.assign(probability=tested["probability"].to_numpy()[::-1])
    tables = [intervals(tested, groups), comparisons({"first": tested, "second": other}, groups)]
    gap = protocol_gap.gap_table(
        {("net", "a"): tested, ("net", "b"): other}, {"a": "image", "b": "subject"}, groups
    )
    for table in (*tables, gap):
        # A note says why where a value is missing.
        require_notes(table)
        assert set(table["metric"]) >= {"accuracy", "sensitivity", "specificity", "auc"}


def test_mcnemar_is_that_of_statsmodels_with_effect_sizes_by_hand(compared):
    tested, _, table = compared
    right = {
        name: (one["probability"] >= 0.5) == (one["label"] == 1) for name, one in tested.items()
    }
    for first, second in itertools.combinations(tested, 2):
        only_first = int((right[first] & ~right[second]).sum())
        only_second = int((right[second] & ~right[first]).sum())
        exact = only_first + only_second < 25
        cells = [[0, only_first], [only_second, 0]]
        p_value = mcnemar(cells, exact=exact, correction=not exact).pvalue
        row = row_of(table, first_model=first, second_model=second, method="mcnemar")
        assert row["p_value"] == pytest.approx(p_value, abs=1e-12)
        assert (row["only_first"], row["only_second"]) == (only_first, only_second)
        assert row["odds_ratio"] == pytest.approx(only_first / only_second)
        assert row["cohens_g"] == pytest.approx(only_first / (only_first + only_second) - 0.5)
        assert row["risk_difference"] == pytest.approx((only_first - only_second) / 120)


def test_only_the_primary_metric_is_tested_and_its_family_is_adjusted(compared):
    _, _, table = compared
    judged = table[table["view"] == "procedure"]
    assert set(judged["metric"]) == {"auc"}
    expected = multipletests(judged["p_value"], method="bonferroni")[1]
    assert judged["adjusted_p_value"].tolist() == pytest.approx(expected.tolist(), abs=1e-12)
    others = table[table["view"] != "procedure"]
    assert others["adjusted_p_value"].isna().all()
    assert set(others["outcome"]) == {"descriptive"}
    assert set(table["family"]) == {3}
    quoted = table[table["recommended"] & (table["view"] != "folds")]
    assert not quoted.duplicated(["first_model", "second_model", "metric"]).any()


@pytest.mark.parametrize("family", [1, 3, 40])
def test_verdict_and_simultaneous_interval_agree(compared, family):
    tested, groups, _ = compared
    table = comparison_table(tested, groups, RATIO, stream, family=family)
    judged = table[table["view"] == "procedure"]
    declared = judged["outcome"].isin(["first_higher", "second_higher"])
    assert (declared == ((judged["lower"] > 0) | (judged["upper"] < 0))).all()
    assert (judged["adjusted_p_value"] == (family * judged["p_value"]).clip(upper=1)).all()
    accuracy = comparison_table(tested, groups, RATIO, stream, "accuracy", family)
    assert set(accuracy.loc[accuracy["view"] == "procedure", "metric"]) == {"accuracy"}


def test_one_training_each_is_printed_as_no_verdict():
    tested = models_tested(folds=1)
    table = comparisons(tested, groups_of(tested["sharp"]))
    row = row_of(table, view="procedure", first_model="sharp", second_model="dull")
    assert row["outcome"] == "no_verdict"
    assert row["lower"] < row["difference"] < row["upper"]
    shown = comparison_tables.comparison_rows(table[table["view"] == "procedure"], TITLES)
    words = "one training each: no verdict on the procedures"
    assert set(shown["outcome"]) == {words}
    assert words not in " ".join(shown["note"])
    require_notes(table)


def test_a_model_against_itself_quotes_the_simulated_rate_of_errors():
    tested = models_tested(images=480, folds=12)
    table = comparisons(tested, groups_of(tested["sharp"]))
    table = table[table["view"].isin(["procedure", "pooled"]) & table["recommended"]]
    shown = comparison_tables.comparison_rows(table, TITLES, [["dull", "sharp"]])
    control = shown["note"].str.contains("one model under two names: a detected difference")
    assert shown.loc[control, ["first_model", "second_model", "metric"]].to_numpy().tolist() == [
        ["sharp", "dull", "auc"]
    ]
    assert shown.loc[control, "note"].str.contains(control_words(1), regex=False).all()
    for repeats, rate in SAME_MODEL_RATES.items():
        assert control_words(repeats) == f" (in {100 * rate:.1f} % of simulations)"
        assert 0 < rate < 0.1


def test_every_pair_is_compared_in_every_metric_and_the_better_model_is_found():
    tested = models_tested(images=480, folds=12)
    table = comparisons(tested, groups_of(tested["sharp"]))
    quoted = table[table["recommended"] & (table["view"] != "folds")]
    assert len(quoted) == 3 * len(METRICS)
    better = row_of(quoted, first_model="sharp", second_model="dull", metric="auc")
    assert better["outcome"] == "first_higher"
    assert better["lower"] > 0
    alike = row_of(quoted, first_model="dull", second_model="blunt", metric="auc")
    assert alike["outcome"] == "no_difference"
    assert 0 < alike["minimum_detectable"] < 1
    require_notes(table)


def test_clustered_mcnemar_is_obuchowskis_by_hand(compared):
    tested, groups, table = compared
    right = [
        (tested[name]["probability"] >= 0.5) == (tested[name]["label"] == 1)
        for name in ("sharp", "dull")
    ]
    balance = (right[0].astype(int) - right[1].astype(int)).groupby(groups.to_numpy()).sum()
    statistic = 23 / 24 * balance.sum() ** 2 / (balance**2).sum()
    row = row_of(table, first_model="sharp", second_model="dull", method="clustered-mcnemar")
    assert row["p_value"] == pytest.approx(stats.chi2.sf(statistic, 1), abs=1e-12)


def test_identical_models_show_no_difference_and_every_hole_has_a_note():
    tested = make_tested()
    table = comparisons({"first": tested, "second": tested.copy()}, groups_of(tested))
    require_notes(table)
    assert (table["difference"] == 0).all()
    assert (table["p_value"] == 1).all()
    judged = row_of(table, view="procedure")
    assert judged["outcome"] == "no_difference"
    assert judged["lower"] == -judged["upper"] < 0
    assert judged["adjusted_p_value"] == 1
    assert table["note"].str.contains("no_odds_ratio").all()


def test_one_model_gives_an_empty_table_with_its_header(tmp_path):
    table = comparisons({"only": make_tested()}, groups_of(make_tested()))
    assert table.empty
    assert list(table.columns) == list(COMPARISON_COLUMNS)
    table.to_csv(tmp_path / "comparisons.tsv", sep="\t", index=False)
    paths = [tmp_path / f"shown.{ending}" for ending in ("tsv", "tex", "md")]
    comparison_tables.tabulate_comparisons(
        tmp_path / "comparisons.tsv", TITLES, "One model", "tab:one", paths
    )
    assert paths[0].read_text().startswith("first_model\tsecond_model")
    figure = [tmp_path / "differences.png"]
    figures_of_comparisons.plot_differences(
        tmp_path / "comparisons.tsv", TITLES, "One model", figure
    )
    assert figure[0].stat().st_size > 0


def test_missing_predictions_of_one_model_are_named():
    tested = models_tested()
    tested["dull"] = tested["dull"].drop(index=7)
    with pytest.raises(InputError, match="dull has no prediction for 1: image-007"):
        comparisons(tested, groups_of(tested["sharp"]))


@pytest.fixture
def files(tmp_path):
    """Predictions, groups and folds of three models under two protocols, as files."""
    for protocol, folds in (("by_image", 1), ("by_subject", 3)):
        for model, tested in models_tested(folds=folds).items():
            path = tmp_path / protocol / f"{model}.tsv"
            path.parent.mkdir(exist_ok=True)
            write_stored_predictions(tested, path)
    tested = make_tested()
    table = groups_of(tested).rename("group").rename_axis("image_id").reset_index()
    table.assign(relations="known").to_csv(tmp_path / "groups.tsv", sep="\t", index=False)
    roles = ["train"] * 200 + ["test"] * 100
    names = [f"image {place}" for place in range(300)]
    folds = pd.DataFrame({"image_id": names, "repeat": 0, "fold": 0, "role": roles})
    write_folds(folds, tmp_path / "folds.tsv")
    return tmp_path


def test_intervals_and_tests_say_that_groups_of_unknown_subjects_may_be_incomplete(files):
    path = files / "groups.tsv"
    table = read_text_table(path)
    table.to_csv(files / "known.tsv", sep="\t", index=False)
    table.loc[:9, "relations"] = "unknown"
    table.to_csv(path, sep="\t", index=False)
    common = {"groups": path, "folds": files / "folds.tsv", "seed": 1}
    estimate_intervals(
        predictions_of(files, "by_subject", ["sharp"]),
        names=["x"],
        output=files / "i.tsv",
        **common,
    )
    compare_models(
        predictions_of(files, "by_subject"),
        list(LEARNT),
        names=["x"],
        output=files / "c.tsv",
        **common,
    )
    code = f"groups_of_unknown_subjects:10:{len(table)}"
    for name in ("i.tsv", "c.tsv"):
        found = read_text_table(files / name)
        pooled = found["view"] != "folds"
        assert found.loc[pooled, "note"].str.contains(code, regex=False).all()
        assert not found.loc[~pooled, "note"].str.contains("unknown_subjects").any()
    metrics = [write_metrics(predictions_of(files, "by_subject", ["sharp"]), files / "m.tsv")]
    run = {"model": "sharp", "model_title": "Sharp", "protocol": "p", "protocol_title": "P"}
    result_tables.tabulate_results(
        metrics, [files / "i.tsv"], [run], "Title", "tab:r", [files / "r.md"]
    )
    shown = (files / "r.md").read_text()
    assert "interval over leakage groups as far as they are known" in shown
    assert "the subjects of test images are unknown" in shown
    estimate_intervals(
        predictions_of(files, "by_subject", ["sharp"]),
        names=["x"],
        output=files / "i.tsv",
        **common | {"groups": files / "known.tsv"},
    )
    result_tables.tabulate_results(
        metrics, [files / "i.tsv"], [run], "Title", "tab:r", [files / "r.md"]
    )
    shown = (files / "r.md").read_text()
    assert "interval over leakage groups." in shown
    assert "unknown" not in shown


def predictions_of(files, protocol, models=tuple(LEARNT)):
    return [files / protocol / f"{model}.tsv" for model in models]


def test_from_files_to_tables_and_figures(files):
    common = {"groups": files / "groups.tsv", "folds": files / "folds.tsv", "seed": 1}
    runs, limits, metrics = [], [], []
    for protocol, group_by in (("by_image", "image"), ("by_subject", "subject")):
        compare_models(
            predictions_of(files, protocol),
            list(LEARNT),
            names=[protocol],
            output=files / f"{protocol}.tsv",
            **common,
        )
        for model in LEARNT:
            paths = predictions_of(files, protocol, [model])
            limits.append(files / f"{protocol}-{model}.tsv")
            estimate_intervals(paths, names=[model], output=limits[-1], **common)
            titles = {"model_title": TITLES[model], "protocol_title": protocol}
            runs.append({"model": model, "protocol": protocol, "group_by": group_by} | titles)
            metrics.append(write_metrics(paths, files / f"metrics-{protocol}-{model}.tsv"))
    everything = predictions_of(files, "by_image") + predictions_of(files, "by_subject")
    protocol_gap.estimate_protocol_gap(everything, runs, common["groups"], files / "gap.tsv")
    endings = ("tsv", "tex", "md")
    comparison_tables.tabulate_comparisons(
        files / "by_subject.tsv",
        TITLES,
        "Title",
        "tab:c",
        [files / f"comparisons.{ending}" for ending in endings],
    )
    titles = {"model": TITLES, "protocol": {"by_image": "By image", "by_subject": "By subject"}}
    folds = [files / "splits" / f"{protocol}.tsv" for protocol in titles["protocol"]]
    rows = [("a", 0, 0, "train"), ("b", 0, 0, "train"), ("c", 0, 1, "train")]
    for path, count in zip(folds, (2, 3), strict=True):
        path.parent.mkdir(exist_ok=True)
        split = pd.DataFrame(rows[:count], columns=["image_id", "repeat", "fold", "role"])
        split.to_csv(path, sep="\t", index=False)
    comparison_tables.tabulate_protocol_gap(
        files / "gap.tsv", folds, titles, "Title", "tab:g", [files / f"gaps.{e}" for e in endings]
    )
    shown = pd.read_csv(files / "comparisons.tsv", sep="\t")
    assert len(shown) == 3 * len(comparison_tables.COMPARED_METRICS)
    exact = pd.read_csv(files / "by_subject.tsv", sep="\t").query(
        "metric == 'accuracy' and method == 'jackknife-t'"
    )
    printed = shown[shown["metric"] == "accuracy"]["difference"].to_numpy()
    assert printed == pytest.approx(100 * exact["difference"].to_numpy())
    first = exact.iloc[0]
    cell = f"{100 * first['difference']:+.2f} \\[{100 * first['lower']:+.2f}, "
    assert cell.replace("-", "\N{MINUS SIGN}") in (files / "comparisons.md").read_text()
    assert len(pd.read_csv(files / "gaps.tsv", sep="\t")) == len(shown)
    assert "the same 120" in (files / "gaps.md").read_text()
    assert (
        "Training images of a fold: By image 2; By subject 1 to 2. "
        in (files / "gaps.md").read_text()
    )
    for ending in ("png", "svg", "pdf"):
        figures = [files / f"{name}.{ending}" for name in ("differences", "gap_figure")]
        figures_of_comparisons.plot_differences(
            files / "by_subject.tsv", TITLES, "Title", [figures[0]]
        )
        figures_of_comparisons.plot_protocol_gap(
            files / "gap.tsv", folds, titles, "Title", [figures[1]]
        )
        assert all(figure.stat().st_size > 1000 for figure in figures)
    results = [files / f"results.{ending}" for ending in endings]
    result_tables.tabulate_results(metrics, limits, runs, "Title", "tab:r", results)
    table = pd.read_csv(results[0], sep="\t")
    pooled = row_of(table, protocol="by_subject", model="dull", view="pooled folds")
    quoted = row_of(
        pd.read_csv(files / "by_subject-dull.tsv", sep="\t"),
        view="pooled",
        metric="auc",
        recommended=True,
    )
    assert (pooled["auc_lower"], pooled["auc_upper"]) == (quoted["lower"], quoted["upper"])
    limits = f"{100 * quoted['value']:.2f} \\[{100 * quoted['lower']:.2f}, "
    assert limits in results[2].read_text()


def write_metrics(paths, output):
    metrics_table(read_test_predictions(paths)).to_csv(output, sep="\t", index=False)
    return output


def test_the_same_seed_gives_the_same_intervals_and_another_model_another_stream(files):
    common = {
        "predictions": predictions_of(files, "by_subject", ["dull"]),
        "groups": files / "groups.tsv",
        "folds": files / "folds.tsv",
        "seed": 3,
    }
    texts = []
    for names in (["dull"], ["dull"], ["blunt"]):
        estimate_intervals(names=names, output=files / "out.tsv", **common)
        texts.append((files / "out.tsv").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_no_model_may_be_named_like_a_table_of_models():
    model = {"models": {"comparisons": {"architecture": "simple_cnn"}}}
    names = {"datasets": ["cells"], "protocols": ["split"], "models": ["comparisons"]}
    entries = {
        "datasets": {"cells": {"format": "folder", "image_size": [32, 32]}},
        "protocols": {"split": {"kind": "holdout"}},
        "experiments": [names],
    }
    with pytest.raises(InputError, match=r"comparisons: tables of comparisons have this name"):
        check_config(entries | model, SCHEMA)


def test_every_metric_of_a_pair_has_the_same_resamples():
    tested = models_tested()
    paired = comparison.pair_predictions(*list(tested.values())[:2])
    groups = groups_of(next(iter(tested.values())))
    pair = comparison.model_pair(paired, groups)
    resampled = comparison.resample_pair(pair, np.random.default_rng(0), 50)
    weights = comparison.bootstrap_weights(pair.models[0].groups, 50, np.random.default_rng(0))
    values = []
    for model in pair.models:
        right = model.predicted == (model.label == 1)
        of_group = np.bincount(model.group, right, model.groups)
        images = np.bincount(model.group, minlength=model.groups)
        values.append(weights @ of_group / (weights @ images))
    found = comparison.compare("accuracy", pair, "bootstrap", resampled=resampled)
    expected = np.quantile(values[0] - values[1], (0.025, 0.975))
    assert (found.lower, found.upper) == pytest.approx(tuple(expected), abs=1e-12)


def test_another_model_moves_no_bootstrap_and_no_other_limit_of_a_pair():
    tested = models_tested()
    groups = groups_of(tested["sharp"])
    numbers = ["difference", "lower", "upper", "p_value", "minimum_detectable"]
    found = []
    for names in (["sharp", "blunt"], ["sharp", "dull", "blunt"], ["dull", "sharp", "blunt"]):
        chosen = {name: tested[name] for name in names}
        table = comparison_table(chosen, groups, RATIO, stream, family=3)
        pair = (table["first_model"] == "sharp") & (table["second_model"] == "blunt")
        found.append(table[pair].set_index(["view", "method", "metric"]).sort_index()[numbers])
    pd.testing.assert_frame_equal(found[0], found[1])
    pd.testing.assert_frame_equal(found[0], found[2])
    assert set(found[0].index.get_level_values("method")) >= {"bootstrap", "jackknife-t"}
