"""What the page says of models next to baselines without a network."""

import pandas as pd

from blastfold.core.names import BASELINES, MACRO_AUC, PRIMARY_METRIC
from blastfold.reporting.page.numbers import article, percent_text
from blastfold.reporting.page.study import Standing, Study
from blastfold.reporting.publication.wording import capital, listing
from blastfold.reporting.tables.writing import heading_of

ABOVE = "shown"
"""The word of the table of baselines for a network above one."""


def baseline_rows(study: Study, split: Standing) -> pd.DataFrame | None:
    """Return the models next to every baseline by :func:`baseline_metric`; None without them.

    A second training of a model, which is a control, is left out.
    """
    table = study.sources.table(f"tables/{split.dataset}/baselines")
    if table is None:
        return None
    metric = baseline_metric(table, study.metric_of(split.dataset))
    chosen = (table["protocol"] == split.protocol) & (table["metric"] == metric)
    rows = table[chosen & ~table["model"].isin(study.doubles)]
    return None if rows.empty else rows


def baseline_metric(table: pd.DataFrame, primary: str) -> str:
    """Return what networks and baselines are compared in: the primary metric, or else an AUC."""
    known = [name for name in (primary, MACRO_AUC) if (table["metric"] == name).any()]
    return known[0] if known else PRIMARY_METRIC


def baseline_value(rows: pd.DataFrame, primary: str) -> str:
    """Return the result of a baseline, with its metric where that is not the primary one.

    Args:
        rows: Rows of one baseline.
        primary: The primary metric of the data set.
    """
    value, metric = percent_text(rows["baseline_value"].iloc[0]), rows["metric"].iloc[0]
    if metric == primary:
        return value
    title = heading_of(metric).removesuffix(" (%)")
    return f"{article(title)} of {value}"


def baseline_name(name: str) -> str:
    """Return the name of a baseline within a sentence about results without a network."""
    return BASELINES[name].lower().removesuffix(" (no network)")


def strongest_baseline(study: Study, split: Standing) -> pd.DataFrame | None:
    """Return the models next to the baseline with the highest primary metric; None without one.

    Of several equal ones it is the first. A second training of a model is left out.
    """
    rows = baseline_rows(study, split)
    if rows is None or rows["baseline_value"].isna().all():
        return None
    strongest = rows.loc[rows["baseline_value"].idxmax(), "baseline"]
    return rows[rows["baseline"] == strongest]


def baseline_sentence(study: Study, split: Standing) -> str:
    """Say which models are not shown to be above the strongest baseline; empty for none."""
    rows = strongest_baseline(study, split)
    below = rows[rows["above_baseline"] != ABOVE] if rows is not None else ()
    if not len(below):
        return ""
    models = listing(below["model_title"]) if len(below) < len(rows) else "No model"
    shown = "is not shown" if len(below) < len(rows) else "is shown"
    if 1 < len(below) < len(rows):
        shown = "are not shown"
    value = baseline_value(rows, study.metric_of(split.dataset))
    name = baseline_name(rows["baseline"].iloc[0])
    return capital(
        f"{models} {shown} to be above the {name}, which reaches {value} and is the strongest "
        "result without a network."
    )
