"""Rates of intervals and verdicts over many simulated runs with training."""

from dataclasses import replace

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint
from support.simulated_procedures import (
    contrast_leak,
    cross_validate,
    draw_subjects,
    first_half,
    run_scores,
)
from threadpoolctl import threadpool_limits

from blastfold.statistics.grouped import group_predictions
from blastfold.statistics.intervals import confidence_limits
from blastfold.statistics.procedure import compare_summaries, estimate_summary
from blastfold.statistics.repeated import summarise

METRICS = ("auc", "accuracy")
CHUNK = 100
"""Runs that are trained at once; more need more memory."""


def coverage(seed, runs, design):
    """Return by metric the shares of runs whose intervals hold each target.

    Returns:
        By metric a dict: ``networks`` (the mean true value of the run's networks), ``procedure``
        (the mean true value over all runs) and ``tables`` (the networks' true value, by the
        interval of pooled images that tables print).
    """
    random = np.random.default_rng(seed)
    rows = {metric: [] for metric in METRICS}
    for _ in range(0, runs, CHUNK):
        subjects = draw_subjects(random, CHUNK, design).seen(design.columns)
        trained = cross_validate(random, subjects, design)
        for run in range(CHUNK):
            scores = run_scores(trained, subjects, run)
            columns = {name: getattr(scores, name) for name in ("label", "probability", "repeat")}
            grouped = group_predictions(pd.DataFrame(columns), scores.group)
            for metric in METRICS:
                found = estimate_summary(metric, summarise(metric, scores))
                true = getattr(trained, metric)[run].mean()
                printed = confidence_limits(metric, grouped, "crossed-t")[:2]
                networks = (found.networks_lower, found.networks_upper)
                rows[metric].append((*networks, found.lower, found.upper, *printed, true))
    result = {}
    for metric, values in rows.items():
        table = np.array(values)
        true = table[:, 6]
        result[metric] = {
            "networks": np.mean((table[:, 0] <= true) & (true <= table[:, 1])),
            "procedure": np.mean((table[:, 2] <= true.mean()) & (true.mean() <= table[:, 3])),
            "tables": np.mean((table[:, 4] <= true) & (true <= table[:, 5])),
        }
    return result


def verdicts(seed, runs, first, second, family=1):
    """Compare two procedures on the same subjects and folds in many runs.

    Returns:
        By metric a dict: ``true`` (difference), ``declared`` (share of runs with a verdict) and
        ``detectable`` (mean of the printed detectable difference).
    """
    random = np.random.default_rng(seed)
    rows = {metric: [] for metric in METRICS}
    for _ in range(0, runs, CHUNK):
        everyone = draw_subjects(random, CHUNK, first)
        sides = [everyone.seen(design.columns, design.loss) for design in (first, second)]
        trained = [cross_validate(random, sides[0], first)]
        trained.append(cross_validate(random, sides[1], second, trained[0].fold))
        for run in range(CHUNK):
            scores = [run_scores(*side, run) for side in zip(trained, sides, strict=True)]
            for metric in METRICS:
                summaries = [summarise(metric, one) for one in scores]
                found = compare_summaries(metric, *summaries, family=family, paired=True)
                means = [getattr(one, metric)[run].mean() for one in trained]
                declared = found.p_value * family < 0.05
                rows[metric].append((means[0] - means[1], declared, found.minimum_detectable))
    means = {metric: np.mean(values, axis=0) for metric, values in rows.items()}
    names = ("true", "declared", "detectable")
    return {metric: dict(zip(names, found, strict=True)) for metric, found in means.items()}


def power_at_detectable(seed, runs, first, second, losses, family=1):
    """Return by metric the power where the true difference is the printed detectable one.

    The second procedure loses more and more of its signal; the power is read off where the true
    difference passes the mean printed one (linear between two losses).
    """
    found = [
        verdicts(seed + step, runs, first, replace(second, loss=loss), family)
        for step, loss in enumerate(losses)
    ]
    result = {}
    for metric in METRICS:
        excess = [one[metric]["true"] - one[metric]["detectable"] for one in found]
        assert min(excess) < 0 < max(excess), f"{metric}: the losses do not enclose: {excess}"
        power = float(np.interp(0, excess, [one[metric]["declared"] for one in found]))
        detectable = float(np.interp(0, excess, [one[metric]["detectable"] for one in found]))
        result[metric] = {"declared": power, "detectable": detectable}
    return result


def leak(seed, runs, design):
    """Return the AUC without the leak, what the leak adds and how often it is declared."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(0, runs, CHUNK):
        subjects = draw_subjects(random, CHUNK, design).seen(design.columns)
        arms, tested = contrast_leak(random, subjects, design), first_half(subjects)
        for run in range(CHUNK):
            summaries = [summarise("auc", run_scores(arm, tested, run)) for arm in arms]
            found = compare_summaries("auc", *summaries, paired=True)
            rows.append((found.second, found.difference, found.p_value < 0.05))
    return dict(zip(("without", "leak", "declared"), np.mean(rows, axis=0), strict=True))


def monte_carlo_limits(share, runs):
    """Return the 95 % interval (Wilson) of a share of runs."""
    return proportion_confint(round(share * runs), runs, method="wilson")


def run_trial(job):
    """Run one cell in one thread; returns its rows.

    It is here because new processes import it by name, and an installed package has the name of the
    folder of tests.

    Args:
        job: check, cell, function and its arguments.

    Returns:
        check, cell, metric, rate, runs, lowest and highest rate to reach, and a remark.
    """
    check, cell, function, arguments = job
    with threadpool_limits(1):
        found = function(*arguments)
    runs = arguments[1]
    if check == "leak":
        planted = cell.startswith("leak of")
        detail = f"{100 * found['leak']:+.1f} points, without {100 * found['without']:.0f} %"
        target = (0.80, 1.0) if planted else (0.0, 0.06)
        return [("planted leak" if planted else "contrast without a leak", cell, "auc",
                 found["declared"], runs, *target, detail)]  # fmt: skip
    rows = []
    for metric in METRICS:
        values = found[metric]
        if check == "coverage":
            few = cell.startswith(("14", "18"))
            rows.append(("coverage of the procedure", cell, metric, values["procedure"], runs,
                         0.91 if few else 0.93, 1.0 if few else 0.97, ""))  # fmt: skip
            for name in ("networks", "tables"):
                rows.append((f"coverage of the {name}", cell, metric, values[name], runs,
                             0.92 if few else 0.93, 1.0 if few else 0.97, ""))  # fmt: skip
        elif check == "power":
            rows.append(("power at the detectable difference", cell, metric, values["declared"],
                         runs, 0.77, 0.83, f"{100 * values['detectable']:.1f} points"))  # fmt: skip
        else:
            name = "same procedure, two seeds" if check == "same procedure" else "equally good"
            rows.append((name, cell, metric, values["declared"], runs, 0.0, 0.06, ""))
    return rows
