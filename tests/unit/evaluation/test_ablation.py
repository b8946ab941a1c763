"""The effect of each choice of an ablation, against independent computations."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score
from support.ablations import FACTORS, effects_of, simulate
from support.class_predictions import class_table
from support.predictions import write_stored_predictions

from blastfold.core.errors import InputError
from blastfold.core.fold_table import write_folds
from blastfold.evaluation.ablation import (
    cell_table,
    condense_cells,
    effect_table,
    estimate_ablation,
    learning_curve_table,
    mean_difference,
    training_sizes,
)
from blastfold.reporting.tables.writing import require_notes
from blastfold.statistics.procedure import compare_procedures

PLANTED = 1.0
"""Distance between the classes that good start weights add, in units of an image's spread."""

BY_SCIKIT_LEARN = {
    "auc": roc_auc_score,
    "accuracy": lambda label, p: accuracy_score(label, p >= 0.5),
    "sensitivity": lambda label, p: recall_score(label, p >= 0.5),
    "specificity": lambda label, p: recall_score(label, p >= 0.5, pos_label=0),
}


def row_of(table, level, metric):
    return table[(table["level"] == level) & (table["metric"] == metric)].iloc[0]


def test_effects_equal_a_plain_jackknife_with_scikit_learn():
    cells, groups = simulate(3, {"pcam": 0.4})
    table = effects_of(cells, groups)
    assert len(table) == 3 * 4 + 3

    def plain_difference(metric, level, keep):
        score = BY_SCIKIT_LEARN[metric]
        found = []
        for train in FACTORS["train"]:
            one, other = cells[level, train][keep], cells["none", train][keep]
            found.append(
                score(one["label"], one["probability"])
                - score(other["label"], other["probability"])
            )
        return np.mean(found)

    member = groups.to_numpy()
    names = np.unique(member)
    for metric in BY_SCIKIT_LEARN:
        for level in ("pcam", "imagenet"):
            row = row_of(table, level, metric)
            full = plain_difference(metric, level, np.full(len(member), True))
            assert row["difference"] == pytest.approx(full, abs=1e-9)
            changes = [plain_difference(metric, level, member != name) - full for name in names]
            # Every group tells one class only, and all are of one size.
            telling = len(names) if metric in ("auc", "accuracy") else len(names) / 2
            error = np.sqrt((telling - 1) / telling * np.sum(np.square(changes)))
            reach = (row["upper"] - row["lower"]) / 2
            freedom = _freedom(metric, changes, names)
            assert reach == pytest.approx(stats.t.ppf(0.975, freedom) * error, rel=1e-6)
            expected = 2 * stats.t.sf(abs(full) / error, freedom)
            assert row["p_value"] == pytest.approx(expected, rel=1e-6)
            assert (row["cells"], row["groups"], row["images"]) == (2, 20, 120)


def _freedom(metric, changes, names):
    """Degrees of freedom of equal groups; of two classes joined as by Welch and Satterthwaite."""
    if metric in ("sensitivity", "specificity"):
        return len(names) / 2 - 1
    if metric == "accuracy":
        return len(names) - 1
    squares = np.square(changes)
    blast = np.array([int(name.split()[1]) % 2 == 1 for name in names])
    parts = np.array([squares[blast].sum(), squares[~blast].sum()])
    freedom = np.array([blast.sum() - 1, (~blast).sum() - 1])
    return min(len(names) - 1, parts.sum() ** 2 / np.sum(parts**2 / freedom))


def test_one_pair_of_cells_is_the_comparison_of_two_models():
    from blastfold.statistics.comparison import compare, model_pair
    from blastfold.statistics.pairing import pair_predictions

    factors = {"weights": ["none", "pcam"]}
    cells, groups = simulate(5, {"pcam": 0.5}, factors=factors)
    table = effects_of(cells, groups, factors)
    paired = pair_predictions(cells["pcam",], cells["none",])
    for metric in BY_SCIKIT_LEARN:
        row, found = row_of(table, "pcam", metric), compare(metric, model_pair(paired, groups))
        for name in ("first", "second", "difference", "lower", "upper", "p_value"):
            assert row[name] == pytest.approx(getattr(found, name), rel=1e-9), name
        assert row["minimum_detectable"] == pytest.approx(found.minimum_detectable, rel=1e-9)


def test_a_contrast_is_the_difference_of_two_levels():
    cells, groups = simulate(14, {"pcam": 0.4})
    table = effects_of(cells, groups, contrasts=[("weights", "pcam", "imagenet")])
    auc = table[(table["metric"] == "auc") & (table["view"] == "pooled")]
    auc = auc.set_index(["level", "reference"])
    expected = auc.at[("pcam", "none"), "difference"] - auc.at[("imagenet", "none"), "difference"]
    row = auc.loc["pcam", "imagenet"]
    assert row["difference"] == pytest.approx(expected)
    assert row["second"] == pytest.approx(auc.at[("imagenet", "none"), "first"])
    assert row["lower"] < row["difference"] < row["upper"]


def test_verdicts_are_one_family_and_agree_with_their_intervals():
    cells, groups = simulate(4, {"pcam": 1.5, "all": 0.2}, subjects=40)
    for family in (None, 1, 50):
        table = effect_table({("cells", "folds"): cells}, FACTORS, {"cells": groups},
                             [("weights", "pcam", "none"), ("train", "all", "head")],
                             family=family)  # fmt: skip
        judged = table[table["view"] == "procedure"]
        assert set(judged["family"]) == {family or 2}
        expected = (judged["p_value"] * (family or 2)).clip(upper=1)
        np.testing.assert_allclose(judged["adjusted_p_value"], expected)
        excludes = (judged["lower"] > 0) | (judged["upper"] < 0)
        assert (excludes == (judged["adjusted_p_value"] < 0.05)).all()
        others = table[table["view"] != "procedure"]
        assert others["adjusted_p_value"].isna().all()
        assert set(others["outcome"]) == {"descriptive"}


def test_the_verdict_on_one_pair_of_cells_is_that_of_two_models():
    factors = {"weights": ["none", "pcam"]}
    cells, groups = simulate(5, {"pcam": 0.5}, factors=factors)
    row = effects_of(cells, groups, factors).query("view == 'procedure'").iloc[0]
    found = compare_procedures("auc", cells["pcam",], cells["none",], groups)
    for name in ("difference", "lower", "upper", "p_value", "minimum_detectable"):
        assert row[name] == pytest.approx(getattr(found, name)), name


def test_a_planted_effect_is_found_and_none_where_there_is_none():
    """On 100 sets of images: level, coverage and power of single choices."""
    shown = {"pcam": 0, "imagenet": 0}
    covered, runs = 0, 100
    for seed in range(runs):
        cells, groups = simulate(seed, {"pcam": PLANTED}, subjects=16)
        grouped, _ = condense_cells(cells, groups)
        for level in shown:
            pairs = [(grouped[level, train], grouped["none", train]) for train in FACTORS["train"]]
            found = mean_difference("auc", pairs)
            shown[level] += found["p_value"] < 0.05
            covered += level == "imagenet" and found["lower"] <= 0 <= found["upper"]
    assert shown["pcam"] >= 0.8 * runs
    assert shown["imagenet"] <= stats.binom.ppf(0.999, runs, 0.05)
    assert covered >= stats.binom.ppf(0.001, runs, 0.95)


def test_outcomes_are_those_of_the_adjusted_p_values():
    cells, groups = simulate(0, {"pcam": PLANTED}, subjects=16)
    table = effects_of(cells, groups)
    judged = table[table["view"] == "procedure"].set_index("level")
    assert judged.at["imagenet", "outcome"] == "no_difference"
    detected = judged["adjusted_p_value"] < 0.05
    assert (detected == judged["outcome"].isin(["first_higher", "second_higher"])).all()
    row = row_of(table, "imagenet", "auc")
    assert (row["images"], row["groups"]) == (96, 16)
    assert 0 < row["minimum_detectable"] < 1


def test_cells_without_predictions_leave_the_other_pairs():
    cells, groups = simulate(6)
    del cells["pcam", "head"]
    table = effects_of(cells, groups)
    row = row_of(table, "pcam", "auc")
    assert row["cells"] == 1
    assert "missing_pairs_of_cells:1:2" in row["note"]
    alone = roc_auc_score(cells["pcam", "all"]["label"], cells["pcam", "all"]["probability"])
    assert row["first"] == pytest.approx(alone)
    assert "missing" not in row_of(table, "imagenet", "auc")["note"]
    del cells["pcam", "all"]
    row = row_of(effects_of(cells, groups), "pcam", "auc")
    assert np.isnan(row["difference"])
    assert row["outcome"] == "undefined"
    assert "no_pair_of_cells" in row["note"]
    require_notes(effects_of(cells, groups))


def test_cells_are_compared_on_the_images_that_all_of_them_tested():
    cells, groups = simulate(7)
    complete = effects_of({cell: table.iloc[12:] for cell, table in cells.items()}, groups)
    cells["none", "all"] = cells["none", "all"].iloc[12:].sample(frac=1, random_state=0)
    table = effects_of(cells, groups)
    assert table["note"].str.contains("common_images_of_cells:108:120").all()
    numbers = ["first", "second", "difference", "lower", "upper", "p_value"]
    assert (table["view"] == complete["view"]).all()
    pd.testing.assert_frame_equal(table[numbers], complete[numbers])
    cells["none", "all"] = cells["none", "all"].assign(image_id=lambda t: "other " + t["image_id"])
    table = effects_of(cells, groups)
    assert table["difference"].isna().all()
    assert table["note"].str.contains("no_common_image").all()
    require_notes(table)


def test_one_class_leaves_what_is_defined_and_a_note():
    cells, groups = simulate(8)
    cells = {cell: table[table["label"] == 1] for cell, table in cells.items()}
    table = effects_of(cells, groups)
    require_notes(table)
    for metric in ("auc", "specificity"):
        row = row_of(table, "pcam", metric)
        assert np.isnan(row["difference"])
        assert row["outcome"] == "undefined"
        assert "no_negative_image" in row["note"]
    assert not np.isnan(row_of(table, "pcam", "sensitivity")["p_value"])


def test_equal_cells_differ_by_nothing():
    cells, groups = simulate(9)
    same = {cell: cells["none", "head"] for cell in cells}
    table = effects_of(same, groups)
    assert (table["difference"] == 0).all()
    judged = table["view"] == "procedure"
    assert (table.loc[judged, "adjusted_p_value"] == 1).all()
    assert table.loc[~judged, "note"].str.contains("unchanged_by_groups").all()
    assert table.loc[judged, "note"].str.contains("bound_of_equal_groups").all()
    assert (table.loc[judged, "upper"] > 0).all()
    require_notes(table)


def test_one_group_shows_no_spread():
    cells, groups = simulate(10)
    table = effects_of(cells, pd.Series("all of them", index=groups.index))
    assert table["lower"].isna().all()
    assert table["difference"].notna().all()
    judged = table["view"] == "procedure"
    assert set(table.loc[judged, "outcome"]) == {"undefined"}
    assert set(table.loc[~judged, "outcome"]) == {"descriptive"}
    assert table["note"].str.startswith("fewer_than_two_groups").all()
    require_notes(table)


def test_contradictions_are_errors():
    cells, groups = simulate(11)
    turned = cells | {("pcam", "all"): cells["pcam", "all"].assign(label=lambda t: 1 - t["label"])}
    with pytest.raises(InputError, match="labels of the cells of an ablation differ"):
        effects_of(turned, groups)
    twice = cells | {("pcam", "all"): pd.concat([cells["pcam", "all"]] * 2)}
    with pytest.raises(InputError, match="pcam, all: an image is twice in a fold"):
        effects_of(twice, groups)
    with pytest.raises(InputError, match="1 of 120 images have none, for instance image 0"):
        effects_of(cells, groups.drop("image 0"))


def test_the_order_of_data_sets_and_rows_does_not_matter():
    cells, groups = simulate(12)
    mixed = {cell: table.sample(frac=1, random_state=1) for cell, table in cells.items()}
    one, two = effects_of(cells, groups), effects_of(mixed, groups)
    numbers = ["difference", "lower", "upper", "p_value", "minimum_detectable"]
    np.testing.assert_allclose(one[numbers], two[numbers], rtol=1e-9)


def test_training_sizes_are_means_over_folds():
    folds = pd.DataFrame(
        {
            "image_id": ["a", "b", "c", "d", "a", "b", "c", "d"],
            "fold": ["0"] * 4 + ["1"] * 4,
            "role": ["train", "train", "test", "train", "test", "train", "validation", "train"],
        }
    )
    groups = pd.Series({"a": "x", "b": "x", "c": "y", "d": "z"})
    assert training_sizes(folds, groups) == {"training_images": 2.5, "training_groups": 2.0}


def write_interval_file(path, value, note="", recommended=True):
    rows = [
        {
            "view": view,
            "metric": metric,
            "method": "jackknife-t",
            "value": value,
            "lower": np.nan if note else value - 0.1,
            "upper": np.nan if note else value + 0.1,
            "images": 20,
            "groups": 10,
            "recommended": recommended,
            "note": note,
        }
        for view in ("pooled", "folds")
        for metric in BY_SCIKIT_LEARN
    ]
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)
    return path


def test_cells_and_curve_quote_the_recommended_intervals(tmp_path):
    path = write_interval_file(tmp_path / "intervals.tsv", 0.8)
    place = {"dataset": "cells", "protocol": "folds", "model": "x"}
    table = cell_table([{**place, "levels": {"train": "all"}}], [path])
    assert table["metric"].tolist() == list(BY_SCIKIT_LEARN)
    assert table["train"].unique().tolist() == ["all"]
    assert table["lower"].tolist() == pytest.approx([0.7] * 4)
    folds = pd.DataFrame({"image_id": ["a", "b"], "fold": [0, 0], "role": ["train", "test"]})
    write_folds(folds.assign(repeat=0), tmp_path / "folds.tsv")
    curve = learning_curve_table(
        [{**place, "share": 0.5}],
        [path],
        [tmp_path / "folds.tsv"],
        {"cells": pd.Series({"a": "x", "b": "y"})},
    )
    assert (curve["training_groups"] == 1).all()
    assert curve["value"].tolist() == [0.8] * 4
    absent = write_interval_file(tmp_path / "absent.tsv", 0.8, recommended=False)
    with pytest.raises(InputError, match=r"absent\.tsv: no interval of auc, accuracy"):
        cell_table([{**place, "levels": {}}], [absent])


@pytest.mark.parametrize(("declared", "metric"), [(None, "macro_auc"), ("auc", "auc")])
def test_the_verdict_on_more_than_two_classes_is_about_all_of_them(declared, metric):
    cells = {
        (level,): class_table(3, groups=24, folds=4, gain=gain, seed=seed)
        for seed, (level, gain) in enumerate({"head": 0.0, "all": 2.0}.items())
    }
    groups = cells["all",].drop_duplicates("image_id").set_index("image_id")["group"]
    factors, contrasts = {"train": ["head", "all"]}, [("train", "all", "head")]
    tested = {("cells", "folds"): cells}
    table = effect_table(tested, factors, {"cells": groups}, contrasts, {"cells": declared})
    [verdict] = table[table["view"] == "procedure"].to_dict("records")
    assert (verdict["metric"], verdict["outcome"]) == (metric, "first_higher")
    assert verdict["lower"] < verdict["difference"] < verdict["upper"]


def test_the_learning_curve_of_more_than_two_classes_has_their_macro_auc(tmp_path):
    path = write_interval_file(tmp_path / "intervals.tsv", 0.8)
    rows = pd.read_csv(path, sep="\t")
    over = rows[rows["metric"] == "auc"].assign(metric="macro_auc", value=0.7)
    pd.concat([rows, over]).to_csv(path, sep="\t", index=False)
    place = {"dataset": "cells", "protocol": "folds", "model": "x", "levels": {}}
    table = cell_table([place], [path])
    assert table["metric"].tolist() == [*BY_SCIKIT_LEARN, "macro_auc"]
    assert table["value"].tolist() == [0.8] * 4 + [0.7]


def test_files_become_tables(tmp_path):
    cells, groups = simulate(13, factors={"train": ["head", "all"]})
    stored = groups.rename("group").rename_axis("image_id").reset_index()
    stored["relations"] = ["unknown" if place < 5 else "known" for place in range(len(stored))]
    stored.to_csv(tmp_path / "groups.tsv", sep="\t", index=False)
    predictions, plan, intervals = [], [], []
    for cell, table in cells.items():
        predictions.append(tmp_path / f"{cell[0]}-predictions.tsv")
        write_stored_predictions(table.assign(role="test"), predictions[-1])
        levels = {"train": cell[0]}
        place = {"dataset": "cells", "protocol": "folds", "model": cell[0]}
        plan.append({**place, "levels": levels})
        intervals.append(write_interval_file(tmp_path / f"{cell[0]}.tsv", 0.9))
    inputs = {
        "predictions": predictions,
        "intervals": intervals,
        "groups": [tmp_path / "groups.tsv"],
        "curve_intervals": [],
        "curve_folds": [],
    }
    outputs = {name: tmp_path / f"{name}.out" for name in ("effects", "cells", "learning_curve")}
    settings = {"cells": plan, "curve": [], "datasets": ["cells"]}
    settings |= {"primary": {"cells": "auc"}, "family": 1}
    settings["contrasts"] = [("train", "all", "head")]
    estimate_ablation(inputs, settings, outputs)
    written = pd.read_csv(outputs["effects"], sep="\t")
    expected = effects_of(cells, groups, {"train": ["head", "all"]})
    np.testing.assert_allclose(written["difference"], expected["difference"], atol=1e-9)
    code = f"groups_of_unknown_subjects:5:{len(groups)}"
    assert written["note"].str.contains(code, regex=False).all()
    assert len(pd.read_csv(outputs["cells"], sep="\t")) == 8
    assert pd.read_csv(outputs["learning_curve"], sep="\t").empty
