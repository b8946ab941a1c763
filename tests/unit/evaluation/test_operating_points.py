"""Calibration and operating points from files, against scikit-learn and SciPy."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss, recall_score, roc_auc_score, roc_curve
from statsmodels.stats.proportion import proportion_confint
from support.predictions import write_stored_predictions

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names
from blastfold.evaluation.operating_points import calibrate_model, estimate_roc_band
from blastfold.reporting.figures import calibration, evaluation, style
from blastfold.reporting.tables.calibration import tabulate_calibration

TABLES = (
    *("calibration", "reliability", "operating_points", "risk_coverage"),
    *("predictive_values", "decision_curve"),
)
RUN = ("data", "protocol", "model")


def fold_predictions(fold, validation=40, tested=120, sharpness=2.0):
    """Too sure of itself, so that a temperature above 1 is right."""
    random = np.random.default_rng(fold)
    number = validation + tested
    honest = random.normal(0.2, 1.5, number)
    return pd.DataFrame(
        {
            # Every image is tested in one fold; validation images are other folds' test images.
            "image_id": [f"f{fold}-{place:03d}" for place in range(number)],
            "fold": fold,
            "role": ["validation"] * validation + ["test"] * tested,
            "label": (random.random(number) < expit(honest)).astype(int),
            "probability": expit(sharpness * honest),
        }
    )


@pytest.fixture
def experiment(tmp_path):
    """Write the files of an experiment; returns a function from tables of folds to paths."""

    def write(tables, name="run", groups=20):
        folder = tmp_path / name
        folder.mkdir()
        for fold, table in enumerate(tables):
            write_stored_predictions(table, folder / f"predictions-{fold}.tsv")
        everything = pd.concat(tables)
        folds = everything[["image_id", "fold", "role"]].assign(repeat=0)
        folds.to_csv(folder / "f.tsv", sep="\t", index=False)
        members = everything[["image_id"]].drop_duplicates()
        members = members.assign(group=[f"g{place % groups}" for place in range(len(members))])
        members["relations"] = "known"
        members.to_csv(folder / "g.tsv", sep="\t", index=False)
        return {
            "predictions": [str(folder / f"predictions-{fold}.tsv") for fold in range(len(tables))],
            "folds": str(folder / "f.tsv"),
            "groups": str(folder / "g.tsv"),
        }

    return write


def calibrate(paths):
    folder = f"{paths['folds']}.out"
    outputs = {name: f"{folder}/{name}.tsv" for name in TABLES} | {
        "fitted": f"{folder}/fitted.json"
    }
    calibrate_model(**paths, seed=2022, run=RUN, prevalence=[0.02, 0.5], outputs=outputs)
    found = {name: pd.read_csv(outputs[name], sep="\t") for name in TABLES}
    for table in found.values():
        notes = table["note"].fillna("") if "note" in table else pd.Series("", index=table.index)
        assert (notes[table.drop(columns="note", errors="ignore").isna().any(axis=1)] != "").all()
    fitted = json.loads(Path(outputs["fitted"]).read_text(encoding="utf-8"))
    return found | {"fitted": fitted, "outputs": outputs}


def scaled(table, found):
    temperature = {part["fold"]: part["temperature"]["value"] for part in found["fitted"]}
    return expit(logit(table["probability"]) / table["fold"].map(temperature))


def test_temperatures_minimise_the_log_loss_of_validation(experiment):
    tables = [fold_predictions(fold) for fold in range(3)]
    found = calibrate(experiment(tables))
    for table, part in zip(tables, found["fitted"], strict=True):
        validation = table[table["role"] == "validation"]
        logits = logit(validation["probability"])

        def loss(parameters, label=validation["label"], logits=logits):
            return log_loss(label, expit(logits / np.exp(parameters[0])))

        # Oracle: SciPy's general minimiser on scikit-learn's log-loss.
        best = minimize(loss, [0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
        assert part["temperature"]["value"] == pytest.approx(np.exp(best.x[0]), abs=1e-5)
        assert part["temperature"]["loss_after"] == pytest.approx(best.fun, abs=1e-9)


def test_calibration_agrees_with_scikit_learn(experiment):
    tables = [fold_predictions(fold) for fold in range(3)]
    found = calibrate(experiment(tables))
    tested = pd.concat(tables).query("role == 'test'")
    after = scaled(tested, found)
    pooled = found["calibration"].set_index("scope").loc["pooled"]
    assert pooled["brier"] == pytest.approx(
        brier_score_loss(tested["label"], tested["probability"])
    )
    assert pooled["brier_after"] == pytest.approx(brier_score_loss(tested["label"], after))
    assert pooled["brier_after"] < pooled["brier"]
    assert pooled["images"] == 360
    reliability = found["reliability"].query("scope == 'pooled'")
    for state, probability in (("before", tested["probability"]), ("after", after)):
        for strategy, name in (("width", "uniform"), ("mass", "quantile")):
            # Twice the cube root of 360 images is 14.2.
            share, mean = calibration_curve(tested["label"], probability, n_bins=14, strategy=name)
            chosen = (reliability["state"] == state) & (reliability["strategy"] == strategy)
            bins = reliability[chosen]
            np.testing.assert_allclose(bins["positive_share"], share, atol=1e-12)
            np.testing.assert_allclose(bins["mean_probability"], mean, atol=1e-9)
            column = f"calibration_error_{strategy}" + ("_after" if state == "after" else "")
            expected = np.average(abs(share - mean), weights=bins["images"])
            assert pooled[column] == pytest.approx(expected, abs=1e-9)


def test_thresholds_come_from_validation_and_are_applied_to_the_test_part(experiment):
    tables = [fold_predictions(fold) for fold in range(3)]
    found = calibrate(experiment(tables))
    thresholds = {part["fold"]: part["thresholds"] for part in found["fitted"]}
    for fold, table in enumerate(tables):
        part = table[table["role"] == "validation"]
        across, along, _ = roc_curve(part["label"], part["probability"], drop_intermediate=False)
        youden, sensitive = thresholds[fold]["youden"], thresholds[fold]["sensitivity-0.95"]
        reached = youden["sensitivity"] + youden["specificity"] - 1
        assert reached == pytest.approx((along - across).max())
        assert sensitive["sensitivity"] >= 0.95
        assert 1 - sensitive["specificity"] == pytest.approx(across[along >= 0.95].min())
    tested = pd.concat(tables).query("role == 'test'")
    points = found["operating_points"].query("scope == 'pooled'").set_index("operating_point")
    for name in ("threshold-0.5", "youden", "sensitivity-0.95"):
        used = tested["fold"].map(
            {
                fold: chosen[name]["value"] if name in chosen else 0.5
                for fold, chosen in thresholds.items()
            }
        )
        called = (tested["probability"] >= used).astype(int)
        row = points.loc[name]
        assert row["sensitivity"] == pytest.approx(recall_score(tested["label"], called))
        assert row["specificity"] == pytest.approx(
            recall_score(tested["label"], called, pos_label=0)
        )
        assert row["accuracy"] == pytest.approx((called == tested["label"]).mean())
        assert (row["threshold_min"], row["threshold_max"]) == pytest.approx(
            (used.min(), used.max())
        )
        for measure in ("sensitivity", "specificity", "accuracy"):
            assert row[f"{measure}_lower"] < row[measure] < row[f"{measure}_upper"]
    across, along, _ = roc_curve(tested["label"], tested["probability"])
    for wanted in (0.90, 0.95):
        row = points.loc[f"specificity-{wanted:.2f}"]
        assert row["sensitivity"] == pytest.approx(np.interp(1 - wanted, across, along))
        assert row["sensitivity_lower"] < row["sensitivity"] < row["sensitivity_upper"]
        assert "threshold_of_the_test_images" in row["note"]


def test_test_predictions_change_no_temperature_and_no_threshold(experiment):
    tables = [fold_predictions(fold) for fold in range(3)]
    found = calibrate(experiment(tables, "first"))
    random = np.random.default_rng(0)
    changed = []
    for table in tables:
        tested = table["role"] == "test"
        other = table.copy()
        other.loc[tested, "probability"] = random.random(tested.sum())
        other.loc[tested, "label"] = random.integers(0, 2, tested.sum())
        changed.append(other)
    again = calibrate(experiment(changed, "second"))
    assert again["fitted"] == found["fitted"]
    assert not again["calibration"].equals(found["calibration"])
    columns = ["scope", "operating_point", "threshold_min", "threshold_max"]
    pd.testing.assert_frame_equal(
        again["operating_points"][columns], found["operating_points"][columns]
    )
    # The opposite: other validation predictions do change what is fitted.
    flipped = [
        table.assign(label=table["label"].where(table["role"] == "test", 1 - table["label"]))
        for table in tables
    ]
    other = calibrate(experiment(flipped, "third"))
    assert all(
        mine["thresholds"] != theirs["thresholds"]
        for mine, theirs in zip(found["fitted"], other["fitted"], strict=True)
    )


def test_digest_is_of_the_validation_images_of_the_split(experiment):
    paths = experiment([fold_predictions(fold, validation=10 + fold) for fold in range(3)])
    found = calibrate(paths)
    folds = pd.read_csv(paths["folds"], sep="\t")
    for part in found["fitted"]:
        of_fold = folds[folds["fold"] == part["fold"]]
        validation = of_fold.loc[of_fold["role"] == "validation", "image_id"]
        tested = of_fold.loc[of_fold["role"] == "test", "image_id"]
        assert part["fitted_on"] == digest_names(validation)
        assert part["images"] == len(validation)
        assert part["fitted_on"] not in (digest_names(tested), digest_names(of_fold["image_id"]))


def test_validation_images_other_than_those_of_the_split_are_refused(experiment):
    tables = [fold_predictions(0)]
    paths = experiment(tables)
    folds = pd.read_csv(paths["folds"], sep="\t")
    folds.loc[0, "role"] = "test"
    folds.to_csv(paths["folds"], sep="\t", index=False)
    with pytest.raises(InputError, match=r"fold 0 has 39 validation .* of 40; 1 differ.* f0-000"):
        calibrate(paths)


def test_folds_without_a_validation_part_have_defined_values_and_a_note(experiment):
    tables = [fold_predictions(0, validation=0), fold_predictions(1)]
    found = calibrate(experiment(tables))
    without, fitted = found["fitted"]
    assert without["temperature"]["value"] == 1
    assert without["temperature"]["loss_before"] is None
    assert without["temperature"]["note"] == "temperature_without_validation"
    for chosen in without["thresholds"].values():
        assert chosen["value"] == 0.5
        assert chosen["note"] == "threshold_without_validation"
    assert without["images"] == 0
    assert without["fitted_on"] == digest_names([])
    assert fitted["temperature"]["value"] > 1
    notes = found["calibration"].set_index("scope")["note"]
    assert "temperature_without_validation" in notes["fold-0"].split("; ")
    assert notes["pooled"] == "temperature_per_fold; temperature_without_validation@fold-0"
    points = found["operating_points"].fillna("").set_index(["operating_point", "scope"])["note"]
    assert "threshold_without_validation@fold-0" in points["youden", "pooled"]
    assert "without_validation" not in points["threshold-0.5", "pooled"]


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [([1, 1, 1], [0.2, 0.7, 0.9]), ([0, 0, 0], [0.5, 0.5, 0.5]), ([0, 1, 1], [0.0, 1.0, 0.3])],
)
def test_three_images_give_defined_values_or_notes(experiment, tmp_path, labels, probabilities):
    table = fold_predictions(0, validation=2, tested=3)
    table.loc[table["role"] == "test", "label"] = labels
    table.loc[table["role"] == "test", "probability"] = probabilities
    paths = experiment([table], groups=2)
    found = calibrate(paths)
    rows = found["operating_points"].query("scope == 'pooled'").set_index("operating_point")
    if len(set(labels)) == 1:
        assert rows["sensitivity"].isna()["specificity-0.90"]
        assert "one_class" in rows["note"]["specificity-0.90"]
    del paths["folds"]
    band = tmp_path / "band.tsv"
    estimate_roc_band(**paths, seed=1, run=RUN, output=str(band))
    assert pd.read_csv(band, sep="\t").empty == (len(set(labels)) == 1)
    figure = evaluation.roc(
        [pd.DataFrame(columns=["scope"])], [float("nan")], ["A"], "t", [pd.read_csv(band, sep="\t")]
    )
    assert figure.legends[0].get_texts()[0].get_text().startswith("A, AUC undefined")


def test_band_holds_the_curve_and_the_area(experiment, tmp_path):
    tables = [fold_predictions(fold) for fold in range(2)]
    paths = experiment(tables)
    del paths["folds"]
    bands = []
    for name, run in (("a", RUN), ("b", RUN), ("c", ("data", "protocol", "other"))):
        estimate_roc_band(**paths, seed=2022, run=run, output=str(tmp_path / name))
        bands.append(pd.read_csv(tmp_path / name, sep="\t"))
    band = bands[0]
    pd.testing.assert_frame_equal(band, bands[1])
    assert not band["lower"].equals(bands[2]["lower"])
    tested = pd.concat(tables).query("role == 'test'")
    across, along, _ = roc_curve(tested["label"], tested["probability"])
    grid = band["false_positive_rate"]
    inner = grid.between(0.01, 0.99)
    expected = np.interp(grid, across, along)
    np.testing.assert_allclose(band["true_positive_rate"][inner], expected[inner], atol=1e-12)
    assert (band["lower"] <= band["true_positive_rate"] + 1e-9)[inner].all()
    assert (band["upper"] >= band["true_positive_rate"] - 1e-9)[inner].all()
    area = roc_auc_score(tested["label"], tested["probability"])
    assert band["auc"].unique() == pytest.approx([area])
    assert (band["auc_lower"] < area).all()
    assert (band["auc_upper"] > area).all()


def test_images_without_a_group_are_named(experiment):
    paths = experiment([fold_predictions(0)])
    groups = pd.read_csv(paths["groups"], sep="\t")
    groups[groups["image_id"] != "f0-100"].to_csv(paths["groups"], sep="\t", index=False)
    with pytest.raises(InputError, match=r"g\.tsv: no row for 1 .* f0-100"):
        calibrate(paths)


def test_invalid_validation_predictions_name_their_file(experiment):
    table = fold_predictions(0)
    table.loc[3, "probability"] = 1.5
    with pytest.raises(InputError, match=r"predictions-0\.tsv: column probability_.*'f0-003'"):
        calibrate(experiment([table]))


@pytest.fixture
def calibrated(experiment):
    return calibrate(experiment([fold_predictions(fold) for fold in range(3)]))


def test_tables_hold_every_model_and_exact_numbers(calibrated, tmp_path):
    paths = {
        name: [tmp_path / f"{name}.{ending}" for ending in ("tsv", "tex", "md")]
        for name in ("calibration", "operating_points")
    }
    outputs = calibrated["outputs"]
    tabulate_calibration(
        [outputs["calibration"]] * 2,
        [outputs["operating_points"]] * 2,
        [("a", "Model A"), ("b", "Model_B")],
        "Data & protocol",
        "x",
        paths,
    )
    exact = pd.read_csv(tmp_path / "calibration.tsv", sep="\t")
    pooled = calibrated["calibration"].set_index("scope").loc["pooled"]
    assert exact["model"].tolist() == ["a", "b"]
    assert exact["brier_after"].tolist() == pytest.approx([pooled["brier_after"]] * 2, abs=1e-15)
    temperatures = [part["temperature"]["value"] for part in calibrated["fitted"]]
    assert exact["temperature_min"].iloc[0] == pytest.approx(min(temperatures))
    assert exact["temperature_max"].iloc[0] == pytest.approx(max(temperatures))
    shown = (tmp_path / "calibration.md").read_text()
    assert f"| Model A | {min(temperatures):.2f} to {max(temperatures):.2f} |" in shown
    assert f"{pooled['calibration_error_width']:.3f}" in shown
    assert r"Model\_B" in (tmp_path / "calibration.tex").read_text()
    points = pd.read_csv(tmp_path / "operating_points.tsv", sep="\t")
    assert len(points) == 10
    row = points.iloc[1]
    text = (
        f"{100 * row['sensitivity']:.2f} "
        f"[{100 * row['sensitivity_lower']:.2f}, {100 * row['sensitivity_upper']:.2f}]"
    )
    assert text in (tmp_path / "operating_points.tex").read_text()


def test_reliability_diagram_draws_the_pooled_bins(calibrated):
    bins = calibrated["reliability"]
    models = ["A", "B", "C", "D"]
    figure = calibration.reliability([bins] * 4, [calibrated["calibration"]] * 4, models, "t")
    diagrams = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title().split("\n")[0] for axes in diagrams] == models
    containers = diagrams[0].containers
    pooled = bins.query("scope == 'pooled' and strategy == 'width'")
    for container, state in zip(containers, ("before", "after", "platt"), strict=True):
        drawn = pooled[pooled["state"] == state]
        points, _, (intervals,) = container
        np.testing.assert_allclose(points.get_ydata(orig=False), drawn["positive_share"])
        ends = np.array([segment[:, 1] for segment in intervals.get_segments()])
        np.testing.assert_allclose(ends, drawn[["lower", "upper"]], atol=1e-12)
    histogram = figure.axes[3]
    heights = np.array([bar.get_height() for bar in histogram.patches])
    assert heights.sum() == pytest.approx(3)


def test_bins_without_an_interval_are_hollow_and_what_was_not_fitted_is_named(calibrated):
    before = calibrated["reliability"].query("state == 'before'").copy()
    before.loc[before.index[-1], ["lower", "upper"]] = np.nan
    before = before.assign(scope="pooled", strategy="width")
    bins = pd.concat([before.assign(state=state) for state in ("before", "after", "platt")])
    figure = calibration.reliability([bins], [calibrated["calibration"]], ["A"], "t")
    [diagram] = [axes for axes in figure.axes if axes.get_title()]
    assert diagram.get_title().endswith("no temperature, no Platt scaling")
    [hollow] = [line for line in diagram.lines if line.get_markerfacecolor() == "white"]
    missing = before[before["lower"].isna()]
    assert hollow.get_ydata().tolist() == missing["positive_share"].tolist()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["Perfect", "Before"]


def test_risk_coverage_draws_folds_and_names_the_area(calibrated):
    curve = calibrated["risk_coverage"]
    figure = calibration.risk_coverage([curve], ["A"], "t")
    lines = figure.axes[0].lines
    assert [len(line.get_xdata()) for line in lines] == [120, 120, 120, 360]
    area = calibrated["calibration"].set_index("scope")["risk_coverage_area"]["pooled"]
    legend = figure.legends[0].get_texts()[0].get_text()
    assert legend == f"A, mean error {100 * area:.1f} %"
    assert lines[-1].get_ydata()[-1] == pytest.approx(
        curve.query("scope == 'pooled' and state == 'before'")["risk"].iloc[-1]
    )


def test_interval_narrower_than_of_independent_images_is_noted(experiment):
    # Three groups with 80, 80 and 79 of 100 right: such agreement is luck.
    right = np.concatenate([np.arange(100) < count for count in (80, 80, 79)] * 2)
    label = np.repeat([1, 0], 300)
    tested = pd.DataFrame(
        {
            "image_id": [f"i{place:03d}" for place in range(600)],
            "fold": 0,
            "role": "test",
            "label": label,
            "probability": np.where(right == (label == 1), 0.9, 0.1),
        }
    )
    paths = experiment([tested])
    group = [f"g{place // 100 % 3}" for place in range(600)]
    members = tested[["image_id"]].assign(group=group, relations="known")
    members.to_csv(paths["groups"], sep="\t", index=False)
    points = calibrate(paths)["operating_points"]
    row = points.query("scope == 'pooled' and operating_point == 'threshold-0.5'").iloc[0]
    assert row["sensitivity"] == pytest.approx(239 / 300)
    lower, upper = proportion_confint(239, 300, method="wilson")
    assert row["sensitivity_upper"] - row["sensitivity_lower"] < upper - lower
    assert "too_narrow@sensitivity,specificity,accuracy" in row["note"].split("; ")


def test_nothing_is_cut_off_in_the_first_file_of_a_figure(calibrated, tmp_path):
    curves = [calibrated["risk_coverage"]] * 4
    figure = calibration.risk_coverage(curves, list("ABCD"), "title")
    style.save_figure(figure, [tmp_path / "first.png"])
    pixels = imread(tmp_path / "first.png")[..., :3]
    for edge in (pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:]):
        assert edge.min() == 1


def test_every_table_over_groups_of_unknown_subjects_has_a_note(experiment, tmp_path):
    tested = pd.DataFrame(
        {
            "image_id": [f"i{place}" for place in range(40)],
            "fold": 0,
            "role": "test",
            "label": [0, 1] * 20,
            "probability": np.linspace(0.1, 0.9, 40),
        }
    )
    paths = experiment([tested])
    members = pd.read_csv(paths["groups"], sep="\t")
    members.loc[:9, "relations"] = "unknown"
    members.to_csv(paths["groups"], sep="\t", index=False)
    found = calibrate(paths)
    del paths["folds"]
    found["band"] = tmp_path / "band.tsv"
    estimate_roc_band(**paths, seed=1, run=RUN, output=str(found["band"]))
    found["band"] = pd.read_csv(found["band"], sep="\t")
    for name in ("calibration", "reliability", "operating_points", "predictive_values", "band"):
        table = found[name]
        noted = table["note"].str.contains("groups_of_unknown_subjects:10:40", regex=False)
        assert noted.any(), name
        assert (noted == table.get("scope", pd.Series("pooled", table.index)).eq("pooled")).all()
