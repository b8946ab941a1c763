"""Trivial baselines against a likelihood that SciPy maximises, and hostile measures."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score
from support.class_predictions import class_table

from blastfold.core.image_measures import MEASURES
from blastfold.core.names import BASELINES
from blastfold.core.noted_tables import require_notes, write_noted
from blastfold.evaluation import baselines
from blastfold.reporting.tables.baselines import baseline_rows, tabulate_baselines


def made(subjects=12, each=5, seed=0, shift=1.5):
    """Manifest, measures, folds by subject and groups; the red level shows the class."""
    random = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), each)
    label = subject % 2
    images = pd.DataFrame(
        {
            "image_id": [f"i{number}" for number in range(len(subject))],
            "label": label.astype(str),
            "class": np.array(["normal", "blast"])[label],
        }
    )
    measured = pd.DataFrame(
        random.normal(100, 10, (len(subject), len(MEASURES))), columns=list(MEASURES)
    )
    measured["red"] += 10 * shift * label
    measured = measured.assign(found_by="stain").set_index(images["image_id"])
    rows = []
    for fold in range(3):
        role = np.where(subject // 2 % 3 == fold, "test", "train")
        rows.append(pd.DataFrame({"image_id": images["image_id"], "fold": fold, "role": role}))
    folds = pd.concat(rows, ignore_index=True).assign(repeat=0)
    groups = pd.Series([f"s{number}" for number in subject], index=images["image_id"])
    return images, measured, folds, groups


def maximised(training, labels, tested):
    """Penalised logistic regression as its definition reads, maximised by SciPy."""
    mean, deviation = training.mean(axis=0), training.std(axis=0)
    scaled = (training - mean) / deviation
    sign = 2 * labels - 1

    def loss(weights):
        margin = sign * (scaled @ weights[1:] + weights[0])
        return np.logaddexp(0, -margin).sum() + 0.5 * weights[1:] @ weights[1:]

    best = minimize(loss, np.zeros(training.shape[1] + 1), method="BFGS", options={"gtol": 1e-7}).x
    return 1 / (1 + np.exp(-((tested - mean) / deviation @ best[1:] + best[0])))


def test_the_regression_maximises_the_penalised_likelihood():
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 60)
    training = random.normal(size=(60, 3)) * [1, 50, 0.01] + labels[:, np.newaxis] * [1, 20, 0]
    tested = random.normal(size=(9, 3)) * [1, 50, 0.01]
    found = baselines.fitted_probabilities(training, labels, tested, 2)
    assert found.sum(axis=1) == pytest.approx(np.ones(9), abs=1e-15)
    assert found[:, 1] == pytest.approx(maximised(training, labels, tested), abs=2e-4)


def test_three_classes_have_the_probabilities_of_the_penalised_softmax():
    random = np.random.default_rng(8)
    labels = np.repeat([0, 1, 2], 15)
    training = random.normal(size=(45, 2)) + labels[:, np.newaxis] * [0.5, -1]
    tested = random.normal(size=(6, 2))
    mean, deviation = training.mean(axis=0), training.std(axis=0)
    scaled, wanted = ((part - mean) / deviation for part in (training, tested))

    def log_probabilities(weights, values):
        scores = values @ weights[1:] + weights[0]
        return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)

    def loss(flat):
        weights = flat.reshape(3, 3)
        given = log_probabilities(weights, scaled)[np.arange(45), labels]
        return -given.sum() + 0.5 * (weights[1:] ** 2).sum()

    best = minimize(loss, np.zeros(9), method="BFGS", options={"gtol": 1e-7}).x.reshape(3, 3)
    found = baselines.fitted_probabilities(training, labels, tested, 4)
    assert found[:, :3] == pytest.approx(np.exp(log_probabilities(best, wanted)), abs=2e-4)
    # No training image is of the fourth class.
    assert not found[:, 3].any()


def test_every_image_is_predicted_by_what_was_fitted_on_the_other_images():
    images, measured, folds, _ = made()
    found = baselines.predict_baseline("mean_colour", images, measured, folds)
    assert sorted(found["image_id"]) == sorted(images["image_id"])
    for fold in range(3):
        roles = folds[folds["fold"] == fold].set_index("image_id")["role"]
        train = (roles == "train").to_numpy()
        values = measured[["red", "green", "blue"]].to_numpy()
        labels = images["label"].astype(int).to_numpy()
        expected = maximised(values[train], labels[train], values[~train])
        assert found.loc[found["fold"] == fold, "probability_blast"].to_numpy() == pytest.approx(
            expected, abs=2e-4
        )


def test_labels_of_test_images_change_no_prediction():
    images, measured, folds, _ = made()
    tested = set(folds.query("fold == 0 and role == 'test'")["image_id"])
    other = images.assign(
        label=np.where(images["image_id"].isin(tested), "0", images["label"]),
    )
    other["class"] = np.where(other["label"] == "0", "normal", "blast")
    first, second = (
        baselines.predict_baseline("mean_colour", table, measured, folds).query("fold == 0")
        for table in (images, other)
    )
    assert first["probability_blast"].tolist() == second["probability_blast"].tolist()


def test_the_majority_class_of_the_training_images_is_predicted():
    images, measured, folds, groups = made()
    few = folds[~((folds["role"] == "train") & folds["image_id"].isin(images["image_id"][5:20]))]
    found = baselines.predict_baseline("majority_class", images, measured, few)
    for fold, rows in found.groupby("fold"):
        trained = few.loc[(few["fold"] == fold) & (few["role"] == "train"), "image_id"]
        share = images.set_index("image_id").loc[trained, "label"].astype(int).mean()
        assert set(rows["probability_blast"]) == {float(share >= 0.5)}
    tested = found.assign(probability=found["probability_blast"])
    limits = baselines.baseline_intervals(tested, groups, 0.5).set_index(["view", "metric"])
    assert np.isnan(limits.loc[("pooled", "auc"), "lower"])
    assert "constant_in_each_fold" in limits.loc[("pooled", "auc"), "note"]


@pytest.mark.parametrize("hostile", ["equal", "missing", "partly missing", "large"])
def test_hostile_measures_give_probabilities(hostile):
    images, measured, folds, _ = made()
    if hostile == "equal":
        measured[list(MEASURES)] = 7.0
    if hostile == "missing":
        measured[list(MEASURES)] = np.nan
    if hostile == "partly missing":
        measured.iloc[::3, :-1] = np.nan
    if hostile == "large":
        measured[list(MEASURES)] *= 1e9
    for baseline in BASELINES:
        found = baselines.predict_baseline(baseline, images, measured, folds)
        assert found["probability_blast"].between(0, 1).all()


def test_training_images_of_one_class_give_that_class():
    images, measured, folds, _ = made()
    normal = images.loc[images["label"] == "0", "image_id"]
    one = folds[(folds["role"] == "test") | folds["image_id"].isin(normal)]
    found = baselines.predict_baseline("mean_colour", images, measured, one)
    assert set(found["probability_blast"]) == {0.0}


def written(folder, measured, images, folds, groups, networks):
    """Run the door function on files; returns tables by name."""
    measured.rename_axis("image_id").reset_index().to_csv(
        folder / "measures.tsv", sep="\t", index=False
    )
    images.to_csv(folder / "manifest.tsv", sep="\t", index=False)
    folds.to_csv(folder / "folds.tsv", sep="\t", index=False)
    groups.rename("group").rename_axis("image_id").reset_index().assign(relations="known").to_csv(
        folder / "groups.tsv", sep="\t", index=False
    )
    paths = {}
    for name, table in networks.items():
        paths[name] = folder / f"{name}.tsv"
        table.to_csv(paths[name], sep="\t", index=False)
    outputs = {
        kind: [folder / f"{baseline}.{kind}" for baseline in BASELINES]
        for kind in baselines.PER_BASELINE
    }
    inputs = [folder / f"{name}.tsv" for name in ("measures", "manifest", "folds", "groups")]
    baselines.estimate_baselines(*inputs, paths, outputs, folder / "differences.tsv")
    read = {path.name: pd.read_csv(path, sep="\t") for kind in outputs.values() for path in kind}
    return read | {"differences": pd.read_csv(folder / "differences.tsv", sep="\t")}


def test_a_network_that_sees_the_colour_alone_is_found_out(tmp_path):
    images, measured, folds, groups = made(subjects=24, shift=0.8)
    copy = baselines.predict_baseline("mean_colour", images, measured, folds)
    better = copy.assign(probability_blast=0.1 + 0.8 * copy["label"])
    better["probability_normal"] = 1 - better["probability_blast"]
    networks = {"copy": copy, "better": better}
    tables = written(tmp_path, measured, images, folds, groups, networks)
    rows = tables["differences"].query("baseline == 'mean_colour' and metric == 'auc'")
    rows = rows.set_index("model")
    assert rows.loc["copy", "difference"] == 0
    assert "not_above_baseline" in rows.loc["copy", "note"]
    assert "not_above_baseline" not in str(rows.loc["better", "note"])
    expected = roc_auc_score(copy["label"], copy["probability_blast"])
    assert rows.loc["better", "baseline_value"] == pytest.approx(expected)
    shown = baseline_rows(tables["differences"].fillna({"note": ""}), {"copy": "A", "better": "B"})
    shown = shown.query("baseline == 'mean_colour' and metric == 'auc'")
    assert shown["above_baseline"].tolist() == ["not shown", "shown"]


def test_where_no_cell_is_found_its_baselines_are_unknown_and_the_others_stay(tmp_path):
    images, measured, folds, groups = made()
    measured = measured.assign(found_by="not found")
    measured[list(MEASURES[3:])] = np.nan
    tables = written(tmp_path, measured, images, folds, groups, {})
    for name in ("cell_size", "background"):
        assert tables[f"{name}.metrics"]["value"].isna().all()
        assert set(tables[f"{name}.intervals"]["note"]) == {"no_cell_found"}
        require_notes(tables[f"{name}.intervals"])
    assert tables["mean_colour.metrics"]["value"].notna().any()


def test_one_subject_of_a_class_gives_values_with_their_notes(tmp_path):
    images, measured, folds, groups = made()
    one = groups.where(images.set_index("image_id")["label"] == "0", "only")
    network = baselines.predict_baseline("background", images, measured, folds)
    tables = written(tmp_path, measured, images, folds, one, {"net": network})
    require_notes(tables["differences"])
    rows = tables["differences"].query("metric == 'auc'")
    assert rows["note"].str.contains("images_instead_of_groups|few_groups").all()


def test_more_than_two_classes_are_compared_over_all_of_them(tmp_path):
    network = class_table(4, groups=24, images=3, names=["a", "b", "c", "d"])
    groups = network.drop_duplicates("image_id").set_index("image_id")["group"]
    constant = network.copy()
    columns = [f"probability_{name}" for name in "abcd"]
    constant[columns] = [1.0, 0, 0, 0]
    constant["probability"] = 0.0
    tested = {"mean_colour": network.copy(), "majority_class": constant}
    table = baselines.difference_table({"cnn": network}, tested, groups)
    rows = table.set_index(["baseline", "metric"])
    label, probability = network["class_label"], network[columns].to_numpy()
    found = rows.loc["majority_class", "macro_auc"]
    area = roc_auc_score(label, probability, multi_class="ovr")
    assert (found["network_value"], found["baseline_value"]) == pytest.approx((area, 0.5))
    assert 0 < found["lower"] < area - 0.5 < found["upper"]
    # Chance-corrected agreement of one answer for all images.
    assert rows.loc["majority_class", "kappa"]["baseline_value"] == 0
    assert "not_above_baseline" in rows.loc["mean_colour", "macro_auc"]["note"]
    limits = baselines.baseline_intervals(constant, groups, 0.5).set_index(["view", "metric"])
    assert limits.loc["pooled", "macro_auc"]["value"] == 0.5
    assert "constant_in_each_fold" in limits.loc["pooled", "macro_auc"]["note"]
    path = tmp_path / "differences.tsv"
    write_noted(table, path)
    paths = [tmp_path / "table.tsv", tmp_path / "table.md"]
    tabulate_baselines([path], {"folds": "Folds"}, {"cnn": "CNN"}, "Cells", "tab:b", paths)
    assert "macro AUC of all classes" in paths[1].read_text()
    assert f"{100 * area:.2f}" in paths[1].read_text()
    assert {"auc", "accuracy", "macro_auc"} < set(pd.read_csv(paths[0], sep="\t")["metric"])
