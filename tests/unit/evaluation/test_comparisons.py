"""Intervals, model against model and the protocol gap: oracles, hostile inputs, tables, figures."""

import gc
import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from support.repository import SCHEMA

from blastfold.core.errors import InputError
from blastfold.core.noted_tables import require_notes
from blastfold.evaluation import comparisons as inference
from blastfold.evaluation import protocol_gap
from blastfold.evaluation.metrics import metrics_table, read_test_predictions
from blastfold.experiment.config import check_config
from blastfold.reporting.figures import comparisons as figures_of_comparisons
from blastfold.reporting.tables import comparisons as comparison_tables
from blastfold.reporting.tables import results as result_tables
from blastfold.statistics import comparison
from blastfold.statistics.metrics import METRICS

RATIO = 0.5
LEARNT = {"sharp": 0.5, "dull": 1.5, "blunt": 1.6}
TITLES = {"sharp": "Sharp net", "dull": "Dull net", "blunt": "Blunt net"}


@pytest.fixture(scope="module", autouse=True)
def _quick_collection():
    """Let statsmodels' multipletests, which collects garbage at every call, have little to scan."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def compared():
    """Three models with their predictions, groups and comparison."""
    tested = models_tested()
    groups = groups_of(tested["sharp"])
    return tested, groups, comparisons(tested, groups)


def make_tested(noise=1.0, images=120, subjects=24, folds=3, seed=1):
    """Test predictions: half of the subjects are blasts; whole subjects are in one fold."""
    random = np.random.default_rng(seed)
    subject = np.arange(images) % subjects
    label = (subject % 2 == 0).astype(int)
    score = label - 0.5 + noise * random.normal(size=images)
    return pd.DataFrame(
        {
            "image_id": [f"image-{number:03d}" for number in range(images)],
            "fold": subject // 2 % folds,
            "role": "test",
            "label": label,
            "probability": 1 / (1 + np.exp(-3 * score)),
        }
    )


def groups_of(tested, size=24):
    names = [f"subject-{int(name[-3:]) % size}" for name in tested["image_id"]]
    return pd.Series(names, index=tested["image_id"])


def models_tested(**options):
    return {
        model: make_tested(noise, seed=place, **options)
        for place, (model, noise) in enumerate(LEARNT.items())
    }


def intervals(tested, groups):
    return inference.interval_table(tested, groups, RATIO, np.random.default_rng(0))


def comparisons(tested, groups):
    return inference.comparison_table(tested, groups, RATIO, np.random.default_rng(0))


def row_of(table, **cells):
    """The only row with these cells."""
    chosen = table[np.logical_and.reduce([table[name] == value for name, value in cells.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_values_are_those_of_scikit_learn_and_every_metric_has_one_interval_to_quote():
    tested = make_tested()
    table = intervals(tested, groups_of(tested))
    called = tested["probability"] >= 0.5
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(tested["label"], called),
        "auc": sklearn_metrics.roc_auc_score(tested["label"], tested["probability"]),
        "mcc": sklearn_metrics.matthews_corrcoef(tested["label"], called),
        "weighted_f1": sklearn_metrics.f1_score(tested["label"], called, average="weighted"),
    }
    pooled = table[(table["view"] == "pooled") & table["recommended"]].set_index("metric")
    assert list(pooled.index) == list(METRICS)
    assert pooled["value"][list(expected)].to_dict() == pytest.approx(expected, abs=1e-12)
    assert set(pooled["method"]) == {"jackknife-t"}
    assert ((pooled["lower"] < pooled["value"]) & (pooled["value"] < pooled["upper"])).all()
    require_notes(table)


def test_wilson_is_that_of_statsmodels_and_recommended_only_where_images_are_independent():
    tested = make_tested()
    right = ((tested["probability"] >= 0.5) == tested["label"]).sum()
    expected = proportion_confint(right, len(tested), method="wilson")
    grouped = intervals(tested, groups_of(tested))
    alone = intervals(tested, pd.Series(tested["image_id"].values, index=tested["image_id"]))
    for table, recommended in ((grouped, False), (alone, True)):
        row = row_of(table, view="pooled", metric="accuracy", method="wilson")
        assert (row["lower"], row["upper"]) == pytest.approx(expected, abs=1e-12)
        assert row["recommended"] == recommended


def test_the_view_over_folds_is_nadeau_and_bengio_by_hand():
    tested = make_tested()
    values = [
        sklearn_metrics.roc_auc_score(part["label"], part["probability"])
        for _, part in tested.groupby("fold")
    ]
    error = np.sqrt((1 / 3 + RATIO) * np.var(values, ddof=1))
    reach = stats.t.ppf(0.975, 2) * error
    row = row_of(intervals(tested, groups_of(tested)), view="folds", metric="auc")
    assert row["method"] == "corrected-t"
    assert row["value"] == pytest.approx(np.mean(values), abs=1e-12)
    assert row["lower"] == pytest.approx(max(np.mean(values) - reach, 0), abs=1e-12)
    assert row["upper"] == pytest.approx(min(np.mean(values) + reach, 1), abs=1e-12)


def test_a_single_fold_has_no_view_over_folds():
    tested = make_tested(folds=1)
    assert set(intervals(tested, groups_of(tested))["view"]) == {"pooled"}


def test_one_group_a_class_falls_back_to_independent_images_and_says_so():
    tested = make_tested(folds=1)
    groups = groups_of(tested, size=2)
    table = intervals(tested, groups)
    auc = row_of(table, metric="auc", recommended=True)
    assert auc["method"] == "image-jackknife-t"
    assert auc["lower"] < auc["value"] < auc["upper"]
    sensitivity = row_of(table, metric="sensitivity", recommended=True)
    assert sensitivity["method"] == "wilson"
    for row in (auc, sensitivity):
        assert row["note"].startswith("fewer than two leakage groups contribute")
    compared = comparisons(models_tested(folds=1), groups)
    of_auc = compared[(compared["metric"] == "auc") & compared["recommended"]]
    assert set(of_auc["method"]) == {"image-jackknife-t"}
    assert of_auc["p_value"].notna().all()
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


def test_a_fold_of_one_class_is_left_out_of_the_view_over_folds_with_a_note():
    tested = make_tested()
    tested.loc[tested["label"] == 0, "fold"] = tested["fold"].clip(lower=1)
    groups = groups_of(tested)
    table = intervals(tested, groups)
    require_notes(table)
    row = row_of(table, view="folds", metric="auc")
    assert "1 folds left out: undefined there" in row["note"]
    assert 0 < row["value"] <= 1
    require_notes(comparisons({"first": tested, "second": make_like(tested)}, groups))


def make_like(tested, seed=9):
    random = np.random.default_rng(seed)
    return tested.assign(probability=random.random(len(tested)))


def test_only_one_class_is_undefined_with_a_reason():
    tested = make_tested().query("label == 1").reset_index(drop=True)
    groups = groups_of(tested)
    table = intervals(tested, groups)
    require_notes(table)
    row = row_of(table, view="pooled", metric="specificity", recommended=True)
    assert np.isnan(row["value"])
    assert row["note"] == "undefined: no normal image"
    compared = comparisons({"first": tested, "second": make_like(tested)}, groups)
    require_notes(compared)
    outcomes = compared.query("metric == 'auc' and view == 'pooled'")["outcome"]
    assert outcomes.str.startswith("undefined: no normal image").all()


def test_an_image_without_a_group_is_named():
    tested = make_tested()
    with pytest.raises(InputError, match="1 of 120 images have none, for instance image-005"):
        intervals(tested, groups_of(tested).drop("image-005"))


def test_mcnemar_is_that_of_statsmodels_with_effect_sizes_by_hand(compared):
    tested, _, table = compared
    right = {
        name: (one["probability"] >= 0.5) == (one["label"] == 1) for name, one in tested.items()
    }
    p_values = []
    for first, second in itertools.combinations(tested, 2):
        only_first = int((right[first] & ~right[second]).sum())
        only_second = int((right[second] & ~right[first]).sum())
        exact = only_first + only_second < 25
        cells = [[0, only_first], [only_second, 0]]
        p_values.append(mcnemar(cells, exact=exact, correction=not exact).pvalue)
        row = row_of(table, first_model=first, second_model=second, method="mcnemar")
        assert row["p_value"] == pytest.approx(p_values[-1], abs=1e-12)
        assert (row["only_first"], row["only_second"]) == (only_first, only_second)
        assert row["odds_ratio"] == pytest.approx(only_first / only_second)
        assert row["cohens_g"] == pytest.approx(only_first / (only_first + only_second) - 0.5)
        assert row["risk_difference"] == pytest.approx((only_first - only_second) / 120)
    adjusted = table[table["method"] == "mcnemar"]["adjusted_p_value"]
    assert adjusted.tolist() == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_holm_takes_the_pairs_of_one_metric_and_method_as_a_family(compared):
    _, _, table = compared
    for _, family in table.groupby(["metric", "method"]):
        expected = multipletests(family["p_value"], method="holm")[1]
        assert family["adjusted_p_value"].tolist() == pytest.approx(expected.tolist(), abs=1e-12)


def test_every_pair_is_compared_in_every_metric_and_the_better_model_is_found():
    tested = models_tested(images=480)
    table = comparisons(tested, groups_of(tested["sharp"]))
    quoted = table[table["recommended"] & (table["view"] == "pooled")]
    assert len(quoted) == 3 * len(METRICS)
    better = row_of(quoted, first_model="sharp", second_model="dull", metric="auc")
    assert better["outcome"].startswith("sharp better by")
    assert better["lower"] > 0
    alike = row_of(quoted, first_model="dull", second_model="blunt", metric="auc")
    assert "no difference shown" in alike["outcome"]
    assert "with 80% power" in alike["outcome"]
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
    assert table["outcome"].str.startswith("no difference shown").all()
    assert table["note"].str.contains("the models are right on the same images").all()


def test_one_model_gives_an_empty_table_with_its_header(tmp_path):
    table = comparisons({"only": make_tested()}, groups_of(make_tested()))
    assert table.empty
    assert list(table.columns) == list(inference.COMPARISON_COLUMNS)
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


def gap_of(first, second, groups, group_by=("image", "subject")):
    protocols = dict(zip("ab", group_by, strict=True))
    tested = {("net", "b"): second, ("net", "a"): first}
    return protocol_gap.gap_table(tested, protocols, groups)


def test_the_gap_on_the_same_images_is_the_clustered_paired_t_test_by_hand():
    first, second = make_tested(0.5, seed=1), make_tested(1.5, folds=2, seed=2)
    groups = groups_of(first)
    table = gap_of(first, second, groups)
    right = [
        ((one["probability"] >= 0.5) == (one["label"] == 1)).astype(float)
        for one in (first, second)
    ]
    difference = right[0] - right[1]
    by_group = difference.groupby(groups.to_numpy()).mean()
    # Groups are equally large, so that the jackknife of a mean is the t test of their means.
    error = by_group.std(ddof=1) / np.sqrt(24)
    row = row_of(table, metric="accuracy")
    assert row["view"] == "common images"
    assert row["recommended"]
    assert row["difference"] == pytest.approx(difference.mean(), abs=1e-12)
    assert row["p_value"] == pytest.approx(
        2 * stats.t.sf(abs(by_group.mean()) / error, 23), rel=1e-9
    )
    assert row["common_images"] == row["first_images"] == 120
    assert "120 images are tested under both protocols" in row["note"]
    require_notes(table)


def test_without_a_common_image_or_group_the_variances_add_up():
    whole = make_tested(1.0, images=240, subjects=48, seed=3)
    odd = (np.arange(240) % 48) < 24
    first, second = whole[odd].reset_index(drop=True), whole[~odd].reset_index(drop=True)
    groups = groups_of(whole, size=48)
    table = gap_of(first, second, groups)
    row = row_of(table, metric="accuracy")
    variance, values = 0.0, []
    for side in (first, second):
        right = ((side["probability"] >= 0.5) == (side["label"] == 1)).astype(float)
        means = right.groupby(groups[side["image_id"]].to_numpy()).mean()
        variance += means.var(ddof=1) / len(means)
        values.append(right.mean())
    assert row["view"] == "own images"
    assert row["recommended"]
    assert row["groups"] == 48
    assert row["difference"] == pytest.approx(values[0] - values[1], abs=1e-12)
    half = (row["upper"] - row["lower"]) / 2
    # 48 groups: 47 degrees of freedom, or Welch's of two sets of 23, whichever is fewer; the
    # jackknife of both sets at once leaves 47 / 48 where each alone leaves 23 / 24.
    assert half == pytest.approx(stats.t.ppf(0.975, 45) * np.sqrt(variance), rel=0.03)
    assert "no image is tested under both protocols" in row["note"]


def test_the_protocol_that_groups_by_image_comes_first_and_few_common_images_are_not_quoted():
    whole = make_tested(1.0, images=240, seed=4)
    first, second = whole.iloc[:120], make_like(whole).iloc[100:]
    table = gap_of(second, first, groups_of(whole), group_by=("group", "image"))
    assert set(table["first_protocol"]) == {"b"}
    assert set(table["first_group_by"]) == {"image"}
    quoted = table[table["recommended"]]
    assert set(quoted["view"]) == {"own images"}
    assert set(quoted["common_images"]) == {20}
    assert (quoted["first_images"] == 120).all()
    assert (quoted["second_images"] == 140).all()
    require_notes(table)


def test_a_perfect_result_is_not_taken_as_certain():
    whole = make_tested(1.0, images=240, subjects=48, seed=3)
    odd = (np.arange(240) % 48) < 24
    perfect = whole[odd].assign(probability=lambda table: table["label"] * 0.8 + 0.1)
    row = row_of(gap_of(perfect, whole[~odd], groups_of(whole, 48)), metric="specificity")
    alone = intervals(perfect, groups_of(whole, 48))
    exact = row_of(alone, view="pooled", metric="specificity", method="jackknife-t")
    assert row["first"] == 1
    assert "that of its exact interval" in row["note"]
    assert row["difference"] - row["lower"] > 0.9 * (1 - exact["lower"])


def test_a_gap_is_found_and_a_model_with_one_protocol_has_none():
    sharp, dull = make_tested(0.4, images=480, seed=1), make_tested(2.0, images=480, seed=2)
    groups = groups_of(sharp)
    tested = {("net", "a"): sharp, ("net", "b"): dull, ("other", "a"): dull}
    table = protocol_gap.gap_table(tested, {"a": "image", "b": "subject"}, groups)
    assert set(table["model"]) == {"net"}
    row = row_of(table, metric="auc")
    assert row["outcome"].startswith("higher under a by")
    assert row["lower"] > 0
    alone = protocol_gap.gap_table({("net", "a"): sharp}, {"a": "image"}, groups)
    assert alone.empty
    assert list(alone.columns) == list(protocol_gap.GAP_COLUMNS)


def test_gap_of_groups_that_tell_no_spread_falls_back_to_images():
    first, second = make_tested(0.5, folds=1), make_tested(1.5, folds=1, seed=2)
    table = gap_of(first, second, groups_of(first, size=2))
    row = row_of(table, metric="auc", recommended=True)
    assert row["method"] == "image-jackknife-t"
    assert row["p_value"] > 0
    assert "images taken as independent" in row["note"]
    require_notes(table)


@pytest.fixture
def files(tmp_path):
    """Predictions, groups and folds of three models under two protocols, as files."""
    for protocol, folds in (("by_image", 1), ("by_subject", 3)):
        for model, tested in models_tested(folds=folds).items():
            path = tmp_path / protocol / f"{model}.tsv"
            path.parent.mkdir(exist_ok=True)
            tested.to_csv(path, sep="\t", index=False)
    tested = make_tested()
    groups_of(tested).rename("group").rename_axis("image_id").reset_index().to_csv(
        tmp_path / "groups.tsv", sep="\t", index=False
    )
    roles = ["train"] * 200 + ["test"] * 100
    pd.DataFrame({"image_id": "x", "fold": 0, "role": roles}).to_csv(
        tmp_path / "folds.tsv", sep="\t", index=False
    )
    return tmp_path


def predictions_of(files, protocol, models=tuple(LEARNT)):
    return [files / protocol / f"{model}.tsv" for model in models]


def test_from_files_to_tables_and_figures(files):
    assert inference.ratio_of_test_to_train(files / "folds.tsv") == RATIO
    common = {"groups": files / "groups.tsv", "folds": files / "folds.tsv", "seed": 1}
    runs, limits, metrics = [], [], []
    for protocol, group_by in (("by_image", "image"), ("by_subject", "subject")):
        inference.compare_models(
            predictions_of(files, protocol),
            list(LEARNT),
            names=[protocol],
            output=files / f"{protocol}.tsv",
            **common,
        )
        for model in LEARNT:
            paths = predictions_of(files, protocol, [model])
            limits.append(files / f"{protocol}-{model}.tsv")
            inference.estimate_intervals(paths, names=[model], output=limits[-1], **common)
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
    comparison_tables.tabulate_protocol_gap(
        files / "gap.tsv", titles, "Title", "tab:g", [files / f"gaps.{e}" for e in endings]
    )
    shown = pd.read_csv(files / "comparisons.tsv", sep="\t")
    assert len(shown) == 3 * len(comparison_tables.SHOWN_METRICS)
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
    for ending in ("png", "svg", "pdf"):
        figures = [files / f"{name}.{ending}" for name in ("differences", "gap_figure")]
        figures_of_comparisons.plot_differences(
            files / "by_subject.tsv", TITLES, "Title", [figures[0]]
        )
        figures_of_comparisons.plot_protocol_gap(metrics, limits, runs, "Title", [figures[1]])
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
        inference.estimate_intervals(names=names, output=files / "out.tsv", **common)
        texts.append((files / "out.tsv").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_files_that_do_not_hold_what_they_should_are_named(files):
    (files / "broken.tsv").write_text("image_id\tname\na\tb\n")
    with pytest.raises(InputError, match=r"broken.tsv: the columns \['group'\] are missing"):
        inference.read_groups(files / "broken.tsv")
    with pytest.raises(InputError, match=r"broken.tsv: the column 'role' is missing"):
        inference.ratio_of_test_to_train(files / "broken.tsv")


def test_no_model_may_be_named_like_the_table_beside_the_models():
    model = {"models": {"comparisons": {"architecture": "simple_cnn"}}}
    names = {"datasets": ["cells"], "protocols": ["split"], "models": ["comparisons"]}
    entries = {
        "datasets": {"cells": {"format": "folder", "image_size": [32, 32]}},
        "protocols": {"split": {"kind": "holdout"}},
        "experiments": [names],
    }
    with pytest.raises(InputError, match=r"models\.comparisons: a table has this name"):
        check_config(entries | model, SCHEMA)


def test_an_interval_of_groups_that_agree_by_luck_is_noted():
    # Three groups with 80, 80 and 79 of 100 right.
    right = np.concatenate([np.arange(100) < count for count in (80, 80, 79)] * 2)
    label = np.repeat([1, 0], 300)
    tested = pd.DataFrame(
        {
            "image_id": [f"i{place:03d}" for place in range(600)],
            "fold": 0,
            "label": label,
            "probability": np.where(right == (label == 1), 0.9, 0.1),
        }
    )
    groups = pd.Series([f"g{place // 100 % 3}" for place in range(600)], index=tested["image_id"])
    lower, upper = proportion_confint(right.sum(), 600, method="wilson")
    row = row_of(intervals(tested, groups), metric="accuracy", method="jackknife-t")
    assert row["recommended"]
    assert row["upper"] - row["lower"] < upper - lower
    assert row["note"].startswith("narrower than of independent images")
    alike = pd.Series([f"g{place}" for place in range(600)], index=tested["image_id"])
    row = row_of(intervals(tested, alike), metric="accuracy", method="jackknife-t")
    assert "narrower" not in row["note"]


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


@pytest.mark.parametrize(
    ("limits", "smallest", "shown", "outcome"),
    [
        ((-2.3, 2.7), 2.8, (-100, 100), "no gap shown (too few groups to show any)"),
        ((-0.1, 0.3), 0.4, (-10, 30), "no gap shown (could show 40.0 points)"),
    ],
)
def test_no_difference_beyond_what_a_difference_can_be_is_printed(limits, smallest, shown, outcome):
    row = {
        "model": "a",
        "first_protocol": "p",
        "second_protocol": "q",
        "view": "own images",
        "metric": "accuracy",
        "first_images": 4,
        "second_images": 5,
        "common_images": 0,
        "first": 0.9,
        "second": 0.7,
        "difference": 0.2,
        "lower": limits[0],
        "upper": limits[1],
        "adjusted_p_value": 0.5,
        "minimum_detectable": smallest,
        "note": "",
    }
    titles = {"model": {"a": "A"}, "protocol": {"p": "P", "q": "Q"}}
    printed = comparison_tables.gap_rows(pd.DataFrame([row]), titles).iloc[0]
    assert (printed["difference_lower"], printed["difference_upper"]) == shown
    assert printed["outcome"] == outcome
    assert (printed["note"] == comparison_tables.CUT) == (limits[0] < -1)
