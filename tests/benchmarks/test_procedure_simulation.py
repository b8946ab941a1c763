"""The acceptance table of the statistics: simulated subjects, learners trained inside the folds.

Every row is one cell: what was simulated, the rate and its Monte Carlo interval, and the range to
reach. A cell passes when that interval meets the range. ``make benchmark`` prints the table;
docs/STATISTICS.md quotes it.
"""

import multiprocessing

import pandas as pd
import pytest
from support.procedure_trials import (
    METRICS,
    coverage,
    leak,
    monte_carlo_limits,
    power_at_detectable,
    run_trial,
    verdicts,
)
from support.simulated_procedures import Design

RUNS = 2000
LEAK_RUNS = 600

COVERAGE = {
    "14 subjects, 3 folds": Design(14, 3, 1),
    "14 subjects, 3 folds, 5 repeats": Design(14, 3, 5),
    "18 subjects, 3 folds": Design(18, 3, 1),
    "18 subjects, 3 folds, 5 repeats": Design(18, 3, 5),
    "30 subjects, 10 folds": Design(30, 10, 1),
    "30 subjects, 3 folds, 5 repeats": Design(30, 3, 5),
    "60 subjects, 10 folds": Design(60, 10, 1),
    "60 subjects, 3 folds, 5 repeats": Design(60, 3, 5),
    "30 subjects, 3 folds, 5 repeats, random backbones": Design(30, 3, 5, backbone=8),
    "60 subjects, 3 folds, 5 repeats, random backbones": Design(60, 3, 5, backbone=8),
}

ALIKE = {
    f"{subjects} subjects, 3 folds, {repeats} repeats, {kind} backbones": Design(
        subjects, 3, repeats, backbone=8, shared=kind == "shared"
    )
    for subjects in (18, 60)
    for repeats in (3, 5)
    for kind in ("shared", "own")
} | {
    f"{subjects} subjects, {folds} folds, 1 repeat, own backbones": Design(
        subjects, folds, 1, backbone=8
    )
    for subjects, folds in ((18, 3), (30, 5), (60, 3), (60, 10))
}

EQUALLY_GOOD = {
    "30 subjects, 3 folds, 5 repeats": Design(30, 3, 5),
    "30 subjects, 3 folds, 5 repeats, own backbones": Design(30, 3, 5, backbone=8),
    "30 subjects, 10 folds, 1 repeat": Design(30, 10, 1),
    "18 subjects, 3 folds, 1 repeat": Design(18, 3, 1),
}

POWER = {
    "30 subjects, 3 folds, 5 repeats": (Design(30, 3, 5, separation=1.4), (0.4, 0.5, 0.6), 1),
    "the same, one of 6 comparisons": (Design(30, 3, 5, separation=1.8), (0.5, 0.7, 0.9), 6),
    "30 subjects, 3 folds, 5 repeats, own backbones": (
        Design(30, 3, 5, separation=1.4, backbone=8),
        (0.5, 0.65, 0.8),
        1,
    ),
    "60 subjects, 3 folds, 5 repeats": (Design(60, 3, 5), (0.2, 0.35, 0.5), 1),
    "30 subjects, 10 folds, 1 repeat": (Design(30, 10, 1, separation=1.8), (0.5, 0.7, 0.9), 1),
}

LEAK = {
    "no likeness within subjects": Design(
        30, 3, 5, separation=0.8, likeness=0, cells=40, equal=True
    ),
    "no likeness, random backbones": Design(
        30, 3, 5, separation=1.2, likeness=0, cells=40, equal=True, backbone=8
    ),
    "leak of 5 points": Design(30, 3, 5, separation=0.87, likeness=0.11, cells=40, equal=True),
    "leak of 5 points, random backbones": Design(
        30, 3, 5, separation=1.4, likeness=0.3, cells=40, equal=True, backbone=8
    ),
}


BACKBONES = "subjects, 3 folds, 5 repeats, random backbones"
CAUTIOUS = {
    ("coverage of the procedure", f"60 {BACKBONES}", "accuracy"),
    ("coverage of the tables", f"30 {BACKBONES}", "accuracy"),
    ("coverage of the tables", f"60 {BACKBONES}", "accuracy"),
}
"""Cells above their range: the interval is rather wide where seeds matter more than subjects."""


def second_of(design):
    """Another procedure, which sees ten of the same features and ten others."""
    return Design(**{**vars(design), "columns": (10, 30)})


def trials():
    """List (check, cell, function, arguments) of all cells, the longest first."""
    jobs = [
        ("power", cell, power_at_detectable, (4, RUNS // 2, design, second_of(design), *rest))
        for cell, (design, *rest) in POWER.items()
    ]
    jobs += [("leak", cell, leak, (5, LEAK_RUNS, design)) for cell, design in LEAK.items()]
    jobs += [
        ("same procedure", cell, verdicts, (2, RUNS, design, design))
        for cell, design in ALIKE.items()
    ]
    jobs += [
        ("equally good", cell, verdicts, (3, RUNS, design, second_of(design)))
        for cell, design in EQUALLY_GOOD.items()
    ]
    jobs += [("coverage", cell, coverage, (1, RUNS, design)) for cell, design in COVERAGE.items()]
    return jobs


@pytest.fixture(scope="module")
def acceptance():
    """The table of all cells, printed."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        rows = [row for found in pool.imap(run_trial, trials(), chunksize=1) for row in found]
    table = judged(rows)
    print("\n" + as_text(table))
    return table.set_index(["check", "cell", "metric"])


def judged(rows):
    """Return the rows as a table with Monte Carlo intervals and what was reached."""
    columns = ["check", "cell", "metric", "rate", "runs", "low", "high", "detail"]
    table = pd.DataFrame(rows, columns=columns)
    limits = [monte_carlo_limits(*one) for one in zip(table["rate"], table["runs"], strict=True)]
    table[["lower", "upper"]] = limits
    table["reached"] = "yes"
    table.loc[table["lower"] > table["high"], "reached"] = "above"
    table.loc[table["upper"] < table["low"], "reached"] = "below"
    return table


def as_text(table):
    """Write the table as Markdown, one row per check and cell."""
    names = ("check", "cell", *METRICS, "to reach %")
    lines = ["| " + " | ".join(names) + " |", "| --- " * len(names) + "|"]
    for (check, cell), rows in table.groupby(["check", "cell"], sort=False):
        measured = {row["metric"]: _measured(row) for row in rows.to_dict("records")}
        low, high = 100 * rows[["low", "high"]].iloc[0]
        reach = f"{low:.0f} to {high:.0f}" if high < 100 else f"{low:.0f} or more"
        cells = (check, cell, *(measured.get(metric, "") for metric in METRICS), reach)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _measured(row):
    """Return a rate with its Monte Carlo interval, the detail and what is not reached."""
    text = f"{100 * row['rate']:.1f} [{100 * row['lower']:.1f}, {100 * row['upper']:.1f}]"
    text += f" ({row['detail']})" if row["detail"] else ""
    return text if row["reached"] == "yes" else f"**{text}: {row['reached']}**"


def test_every_cell_is_reached(acceptance):
    missed = acceptance[acceptance["reached"] != "yes"].reset_index()
    known = [
        row["reached"] == "above" and (row["check"], row["cell"], row["metric"]) in CAUTIOUS
        for row in missed.to_dict("records")
    ]
    assert all(known), missed.to_string()
