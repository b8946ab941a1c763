"""The leak contrast with learners that are trained on its folds, and hostile predictions."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from blastfold.core.noted_tables import require_notes
from blastfold.evaluation.leak_contrast import contrast_table, estimate_leak_contrast
from blastfold.folds.assignment import split
from blastfold.reporting.tables.leak_contrast import GAP, LEAK, tabulate_leak_contrast

PROTOCOL = {
    **{"name": "leak", "kind": "leak_contrast", "leak": "subject", "group_by": "subject"},
    **{"folds": 3, "repeats": 3, "validation_fraction": 0, "training_share": 1},
    **{"validation_group_by": "image"},
}


def trained(subject_effect, seed, subjects=15, each=8, width=40):
    """Predictions of ridge regressions in both arms, and the group of every image.

    Features have an effect of the disease, one of the subject and noise. With a large effect of
    subjects in many dimensions a learner recognises them.
    """
    random = np.random.default_rng(seed)
    subject = np.repeat(np.arange(2 * subjects), each)
    label = subject % 2
    features = random.normal(size=(len(subject), width)) + 0.25 * label[:, np.newaxis]
    features += subject_effect * random.normal(size=(2 * subjects, width))[subject]
    images = pd.DataFrame(
        {
            "image_id": [f"i{number}" for number in range(len(subject))],
            "label": label,
            "class": np.array(["normal", "blast"])[label],
            "subject": [f"s{number}" for number in subject],
        }
    ).assign(parent="", picture="", part="", group=lambda table: table["subject"])
    tables = []
    for arm in ("with", "without"):
        folds = split(images, PROTOCOL | {"arm": arm}, seed)
        parts = []
        for (repeat, fold), roles in folds.groupby(["repeat", "fold"]):
            rows = {
                role: images.index[images["image_id"].isin(names)]
                for role, names in roles.groupby("role")["image_id"]
            }
            model = Ridge(20.0).fit(features[rows["train"]], label[rows["train"]])
            score = model.predict(features[rows["test"]])
            table = images.loc[rows["test"], ["image_id", "label"]]
            score = 1 / (1 + np.exp(-4 * (score - 0.5)))
            parts.append(table.assign(repeat=repeat, fold=fold, role="test", probability=score))
        tables.append(pd.concat(parts, ignore_index=True))
    return *tables, images.set_index("image_id")["subject"]


def test_a_leak_that_learners_can_use_is_found_with_its_size():
    with_leak, without, groups = trained(1.5, seed=1)
    table = contrast_table(with_leak, without, groups)
    auc = table.iloc[0]
    # Images are compared within their fold, in which one network predicts all.
    by_fold = [
        np.mean(
            [
                roc_auc_score(rows["label"], rows["probability"])
                for _, rows in table.groupby(["repeat", "fold"])
            ]
        )
        for table in (with_leak, without)
    ]
    assert (auc["first"], auc["second"]) == pytest.approx(by_fold)
    assert auc["difference"] == pytest.approx(by_fold[0] - by_fold[1])
    assert auc["lower"] > 0
    assert auc["outcome"] == "first_higher"
    # The other metrics are described without a test.
    assert set(table["outcome"][1:]) <= {"descriptive", "undefined"}
    assert table["adjusted_p_value"][1:].isna().all()
    require_notes(table)


def test_without_an_effect_of_subjects_the_arms_agree():
    with_leak, without, groups = trained(0, seed=2)
    auc = contrast_table(with_leak, without, groups).iloc[0]
    assert auc["lower"] < 0 < auc["upper"]
    assert abs(auc["difference"]) < 0.03
    assert auc["outcome"] == "no_difference"


def test_p_values_are_adjusted_over_the_contrasts_of_an_experiment():
    with_leak, without, groups = trained(0.3, seed=3)
    one, three = (
        contrast_table(with_leak, without, groups, family=family).iloc[0] for family in (1, 3)
    )
    assert three["adjusted_p_value"] == pytest.approx(min(1, 3 * one["p_value"]))
    assert three["upper"] - three["lower"] > one["upper"] - one["lower"]


@pytest.mark.parametrize("hostile", ["equal", "one repeat", "one group"])
def test_hostile_predictions_have_values_with_notes(hostile, tmp_path):
    with_leak, without, groups = trained(1, seed=4)
    if hostile == "equal":
        with_leak, without = (table.assign(probability=0.5) for table in (with_leak, without))
    if hostile == "one repeat":
        with_leak, without = (table[table["repeat"] == 0] for table in (with_leak, without))
    if hostile == "one group":
        groups = groups.map(lambda _: "all")
    paths = []
    for name, table in (("with", with_leak), ("without", without)):
        paths.append(tmp_path / f"{name}.tsv")
        stored = table.assign(probability_blast=table["probability"])
        stored["probability_normal"] = 1 - stored["probability_blast"]
        columns = ["image_id", "repeat", "fold", "role", "label"]
        columns += ["probability_normal", "probability_blast"]
        stored[columns].to_csv(paths[-1], sep="\t", index=False)
    listed = groups.rename("group").rename_axis("image_id").reset_index()
    listed.assign(relations="known").to_csv(tmp_path / "groups.tsv", sep="\t", index=False)
    contrast = {"model": "net", "contrast": "leak", "leak": "subject"}
    output = tmp_path / "leak_contrast.tsv"
    estimate_leak_contrast(paths, [contrast], tmp_path / "groups.tsv", "auc", 1, output)
    titles = {"model": {"net": "Net"}, "contrast": {"leak": "Leak"}}
    table = tmp_path / "table.md"
    tabulate_leak_contrast(output, None, titles, {}, "Cells", "tab:leak", [table])
    text = table.read_text("utf-8")
    assert LEAK.rstrip("?") in text
    assert GAP.rstrip("?") not in text
    assert "nan" not in text
