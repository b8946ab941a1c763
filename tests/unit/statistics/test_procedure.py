"""Verdicts on training procedures: oracles, agreement of interval and verdict, hostile input."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from statsmodels.stats.power import TTestPower
from support.simulated_procedures import (
    Design,
    cross_validate,
    draw_subjects,
    run_scores,
)

from blastfold.core.errors import InputError
from blastfold.core.names import METRICS
from blastfold.core.notes import note_codes
from blastfold.statistics.delong import estimate_areas
from blastfold.statistics.folds import corrected_resampled_t
from blastfold.statistics.power import detectable_multiple, power_of_t
from blastfold.statistics.procedure import (
    compare_procedures,
    compare_summaries,
    estimate_procedure,
    estimate_summary,
)
from blastfold.statistics.procedure_variance import variance
from blastfold.statistics.repeated import repeated_scores, subtract, summarise


def predictions(repeats=3, folds=3, subjects=12, cells=4, signal=1.0, seed=0, noise=0.5):
    """Predictions of a procedure; subjects and their folds do not depend on the seed."""
    fixed, own = np.random.default_rng(1), np.random.default_rng(seed)
    label = np.arange(subjects) % 2
    score = (2 * label - 1)[:, None] * 0.6 + fixed.normal(size=(subjects, 1))
    score = score + fixed.normal(size=(subjects, cells))
    rows = []
    for repeat in range(repeats):
        order = fixed.permutation(subjects // 2)
        fold = np.repeat(order, 2) % folds
        shown = signal * score + noise * own.normal(size=score.shape)
        rows += [
            (f"{subject}-{cell}", repeat, fold[subject], label[subject],
             expit(shown[subject, cell]), f"subject {subject}")
            for subject, cell in itertools.product(range(subjects), range(cells))
        ]  # fmt: skip
    return pd.DataFrame(
        rows, columns=["image_id", "repeat", "fold", "label", "probability", "group"]
    )


def test_values_agree_with_scikit_learn():
    table = predictions()
    of_folds = [
        roc_auc_score(part["label"], part["probability"])
        for _, part in table.groupby(["repeat", "fold"])
    ]
    assert estimate_procedure("auc", table).value == pytest.approx(np.mean(of_folds))
    predicted = table["probability"] >= 0.5
    for metric, score in (("accuracy", accuracy_score), ("f1", f1_score)):
        of_repeats = [
            score(part["label"], predicted[part.index]) for _, part in table.groupby("repeat")
        ]
        assert estimate_procedure(metric, table).value == pytest.approx(np.mean(of_repeats))


def test_influences_are_those_of_delong():
    # DeLong et al. (1988): the variance of the AUC of independent images, with n - 1 for n.
    table = predictions(repeats=1, folds=1, subjects=40, cells=1)
    influence = summarise("auc", repeated_scores(table)).influence[0]
    label = np.sort(table["label"].to_numpy())
    by_label = table.sort_values("label", kind="stable")
    found = estimate_areas(label, by_label["probability"].to_numpy()[np.newaxis])
    places = table.groupby("group")["label"].first().to_numpy()
    ours = sum(
        (influence[places == value] ** 2).sum() * count / (count - 1)
        for value, count in enumerate(np.bincount(label))
    )
    assert ours == pytest.approx(float(np.squeeze(found.covariance)), rel=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_influences_are_the_derivative_of_leaving_groups_out(metric):
    scores = repeated_scores(predictions(repeats=1, subjects=60, cells=6))
    summary = summarise(metric, scores)
    assert summary.influence.sum() == pytest.approx(0, abs=1e-6)
    table = predictions(repeats=1, subjects=60, cells=6).assign(fold=0)
    whole = summarise(metric, repeated_scores(table)).value
    changes = [
        summarise(metric, repeated_scores(table[table["group"] != name])).value - whole
        for name in summary.names
    ]
    assert np.corrcoef(changes, -summary.influence[0])[0, 1] > 0.99


def test_variance_with_repeats_is_the_sum_of_its_parts():
    # The formulas of the module, written again for accuracy with pandas.
    table = predictions(repeats=4, folds=3)
    right = (table["probability"] >= 0.5) == table["label"]
    score = table.assign(right=right)
    values = score.groupby("repeat")["right"].mean()
    per_group = score.groupby(["repeat", "group"])["right"].sum().unstack()
    influence = (per_group - 4 * values.to_numpy()[:, None]) / 48
    groups = 12 / 11 * (influence.mean() ** 2).sum()
    within = influence.var(ddof=1).sum()
    stable = max(groups - within / 4, 0)
    overlap = min(3 * within, stable)
    between = values.var(ddof=1) / 4
    summary = summarise("accuracy", repeated_scores(table))
    assert variance(summary).overlap == pytest.approx(overlap / 2)
    found = variance(summary, difference=True)
    assert found.groups == pytest.approx(groups)
    assert found.overlap == pytest.approx(overlap)
    assert found.repeats == pytest.approx(between)
    assert found.procedure == pytest.approx(stable + overlap + between)
    freedom = found.procedure**2 / ((stable + overlap) ** 2 / 11 + between**2 / 3)
    assert found.freedom == pytest.approx(freedom)


def test_repeated_holdouts_have_the_corrected_resampled_t():
    # Nadeau and Bengio (2003), section 5, by the function of the folds' table.
    first, second = (
        table[table["fold"] == 0]
        for table in (predictions(6, 3, 30, seed=1, signal=0.6), predictions(6, 3, 30, seed=2))
    )
    found = compare_procedures("auc", first, second, test_to_train=0.5)
    values = [
        np.array([
            roc_auc_score(part["label"], part["probability"])
            for _, part in table.groupby("repeat")
        ])
        for table in (first, second)
    ]  # fmt: skip
    expected = corrected_resampled_t(values[0] - values[1], 0.5)
    assert found.difference == pytest.approx(expected.mean)
    both = subtract(*(summarise("auc", repeated_scores(table)) for table in (first, second)))
    error = max(expected.standard_error, np.sqrt(variance(both, 0.5, difference=True).groups))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(expected.mean) / error, 5))
    assert "verdict_of_folds" in note_codes(found.note)


def test_one_repeat_takes_the_overlap_at_its_bound():
    summary = summarise("accuracy", repeated_scores(predictions(1, 3, 30)))
    found, between = variance(summary, difference=True), summary.fold_values.var(ddof=1) / 3
    assert found.procedure == pytest.approx(found.groups + max(found.groups, between))
    assert variance(summary).procedure == pytest.approx(1.5 * found.groups)
    # Folds whose networks differ more than their subjects: the variance between folds counts.
    table = predictions(1, 3, 30, noise=0)
    apart = table.assign(probability=(table["fold"] > 0) * 1.0)
    summary = summarise("sensitivity", repeated_scores(apart))
    found, between = variance(summary), summary.fold_values.var(ddof=1) / 3
    assert found.procedure == pytest.approx(found.groups / 2 + between)
    assert variance(summary, difference=True).procedure == pytest.approx(found.groups + between)


# With 3 subjects at a sixth of 5 % statsmodels' noncentral t is wrong: a million simulated tests
# of its effect have a power of 0.69.
@pytest.mark.parametrize(
    ("subjects", "significance"),
    [(3, 0.05), (5, 0.05), (5, 0.05 / 6), (20, 0.05 / 6), (60, 0.05 / 6)],
)
def test_detectable_difference_has_the_power_of_statsmodels(subjects, significance):
    effect = TTestPower().solve_power(nobs=subjects, alpha=significance, power=0.8)
    multiple = detectable_multiple(subjects - 1, significance)
    assert multiple == pytest.approx(effect * np.sqrt(subjects), rel=5e-3)
    assert power_of_t(multiple, subjects - 1, significance) == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("family", [1, 4, 15])
def test_interval_and_verdict_agree(repeats, family):
    declared = set()
    for seed, signal in itertools.product(range(8), (0.2, 1.0)):
        first = predictions(repeats, 5, 20, seed=seed)
        second = predictions(repeats, 5, 20, seed=seed + 50, signal=signal)
        found = compare_procedures("auc", first, second, family=family)
        excludes = not found.lower <= 0 <= found.upper
        assert excludes == (found.p_value * family < 0.05)
        assert found.lower <= found.difference <= found.upper
        declared.add(excludes)
    assert declared == {True, False} or family > 1


def test_a_larger_family_widens_the_interval_and_the_detectable_difference():
    tables = predictions(seed=1), predictions(seed=2)
    one, many = (compare_procedures("auc", *tables, family=family) for family in (1, 10))
    assert many.upper - many.lower > one.upper - one.lower
    assert many.minimum_detectable > one.minimum_detectable
    assert many.p_value == one.p_value
    assert (many.networks_lower, many.networks_upper) == (one.networks_lower, one.networks_upper)


def test_equal_predictions_have_the_bound_of_the_rule_of_three():
    # Hanley and Lippman-Hand (1983): none of 12 deviates, so at most 1 - 0.05^(1/12) do.
    table = predictions()
    found = compare_procedures("accuracy", table, table)
    assert (found.difference, found.p_value) == (0, 1)
    assert found.upper == pytest.approx(1 - 0.05 ** (1 / 12))
    assert found.lower == -found.upper
    assert "bound_of_equal_groups" in note_codes(found.note)


def test_a_difference_that_all_groups_share_is_tested_by_their_number():
    wrong = predictions().assign(probability=lambda table: 1.0 - table["label"])
    perfect = wrong.assign(probability=wrong["label"] * 1.0)
    found = compare_procedures("accuracy", perfect, wrong)
    assert (found.difference, found.p_value) == (1, pytest.approx(0.5**12))
    assert 0 < found.lower < 1


def test_groups_that_differ_by_noise_alone_have_a_defined_verdict():
    # In every repeat one group has an error more and another one less: no repeat differs from the
    # others, and what remains of the groups' differences is less than their noise.
    rows = []
    for repeat, side in enumerate((0, 1, 0)):
        for group in range(8):
            for image in range(6):
                wrong = image == 0 and group == side
                rows.append(
                    {
                        "image_id": f"{group}-{image}",
                        "group": str(group),
                        "repeat": repeat,
                        "fold": 2 * repeat + group // 4,
                        "label": group % 2,
                        "probability": float(group % 2) if not wrong else 1.0 - group % 2,
                    }
                )
    first = pd.DataFrame(rows)
    moved = first["group"].map({"0": "1", "1": "0"}).fillna(first["group"])
    wrong = first["probability"] != first["label"]
    second = first.assign(probability=first["label"].astype(float))
    names = set(zip(first["repeat"][wrong], moved[wrong] + "-0", strict=True))
    keys = zip(second["repeat"], second["image_id"], strict=True)
    errors = np.array([key in names for key in keys])
    second.loc[errors, "probability"] = 1.0 - second.loc[errors, "label"]
    found = compare_procedures("accuracy", first, second)
    assert found.difference == 0
    assert found.p_value == 1
    assert found.lower < 0 < found.upper
    assert 0 < found.minimum_detectable < 0.5


def test_one_training_each_has_no_verdict_on_the_procedures():
    first, second = predictions(1, 1, seed=1), predictions(1, 1, seed=2)
    found = compare_procedures("auc", first, second)
    assert np.isnan([found.lower, found.upper, found.p_value]).all()
    assert found.networks_lower < found.difference < found.networks_upper
    assert "one_training_each" in note_codes(found.note)
    assert "one_training_each" in note_codes(estimate_procedure("auc", first).note)


def test_repeats_that_agree_by_chance_leave_the_variance_between_groups():
    first, second = (summarise("accuracy", repeated_scores(predictions(seed=s))) for s in (1, 2))
    signs = np.array([1, -1, 0])[:, np.newaxis]
    noise = replace(
        first, values=second.values + 0.1, influence=second.influence + signs * first.influence[0]
    )
    found = compare_summaries("accuracy", noise, second, paired=True)
    assert found.difference == pytest.approx(0.1)
    assert 0 <= found.p_value <= 1
    assert found.note
    alike = replace(noise, influence=second.influence + np.array([1, -1, 0.1])[:, None] * 0.01)
    assert np.isfinite(compare_summaries("accuracy", alike, second, paired=True).p_value)


def test_other_folds_are_not_paired_but_their_groups_are():
    first, second = predictions(3, 3, seed=1), predictions(5, 2, seed=2)
    found = compare_procedures("auc", first, second)
    assert "other_folds" in note_codes(found.note)
    assert found.repeats == 3
    assert 0 < found.p_value <= 1
    values = [estimate_procedure("auc", table).value for table in (first, second)]
    assert found.difference == pytest.approx(values[0] - values[1])


def hostile():
    table = predictions()
    one_positive = table["group"].isin(["subject 1"]) | (table["label"] == 0)
    one_class = (table["fold"] == 0) & (table["label"] == 1)
    ties = table.assign(probability=table["probability"].round(1))
    equal = table.assign(probability=0.5)
    broken = table.assign(probability=table["probability"].where(table.index % 7 > 0))
    return {
        "one subject of a class": table[one_positive],
        "a fold of one class": table[~one_class],
        "ties": ties,
        "equal": equal,
        "NaN": broken,
        "NaN everywhere": table.assign(probability=np.nan),
        "one class": table[table["label"] == 0],
        "one image": table[:1],
        "one subject": table[table["group"] == "subject 1"],
        "one training": predictions(1, 1),
        "no rows": table[:0],
        "infinite": table.assign(probability=np.inf),
    }


@pytest.mark.parametrize("name", hostile())
@pytest.mark.parametrize("metric", ["auc", "accuracy", "f1", "mcc", "sensitivity"])
def test_hostile_input_has_a_defined_value_or_a_note(name, metric):
    table = hostile()[name]
    other = table.assign(probability=table["probability"][::-1].to_numpy())
    found = estimate_procedure(metric, table)
    verdict = compare_procedures(metric, table, other)
    for result in (found, verdict):
        numbers = [value for value in vars(result).values() if isinstance(value, float)]
        assert result.note or not np.isnan(numbers).any()
        assert not np.isinf(numbers).any()
    if not np.isnan(verdict.p_value):
        assert 0 <= verdict.p_value <= 1
        assert verdict.lower <= verdict.difference <= verdict.upper


def test_wrong_tables_are_refused():
    table = predictions()
    with pytest.raises(InputError, match="column 'label' is missing"):
        estimate_procedure("auc", table.drop(columns="label"))
    with pytest.raises(InputError, match="expected 0 and 1"):
        estimate_procedure("auc", table.assign(label=2))
    with pytest.raises(InputError, match="twice in a fold"):
        estimate_procedure("auc", pd.concat([table, table]))
    with pytest.raises(InputError, match="have none"):
        estimate_procedure("auc", table, pd.Series({"0-0": "subject 0"}))


def test_trained_procedures_have_their_coverage_and_error_rate():
    # A short form of tests/benchmarks/test_procedure_simulation.py, with wide limits.
    random, runs = np.random.default_rng(8), 150
    design = Design(subjects=30, folds=3, repeats=3, backbone=8)
    subjects = draw_subjects(random, runs, design).seen(design.columns)
    first = cross_validate(random, subjects, design)
    second = cross_validate(random, subjects, design, first.fold)
    target, covered, declared = first.auc.mean(), 0, 0
    for run in range(runs):
        sides = [summarise("auc", run_scores(side, subjects, run)) for side in (first, second)]
        found = estimate_summary("auc", sides[0])
        covered += found.lower <= target <= found.upper
        declared += compare_summaries("auc", *sides, paired=True).p_value < 0.05
    # Limits that a coverage of 95 % and an error rate of 5 % leave once in 10000.
    assert covered >= stats.binom.ppf(1e-4, runs, 0.95)
    assert declared <= stats.binom.ppf(1 - 1e-4, runs, 0.05)
