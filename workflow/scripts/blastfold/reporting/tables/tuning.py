"""The table of tuning: every configuration of every model, and in how many folds it was chosen."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from blastfold.core.tuning_settings import BY_LOSS, configuration_name
from blastfold.reporting.tables.writing import format_value, heading_of, write_both

CAPTION = (
    "Settings that were tried and chosen. In every fold all configurations of a model were "
    "trained, and the one that was best on the validation images is the model of the fold. Test "
    "images took no part. Means are over folds."
)

NAMES = ("dataset", "dataset_title", "protocol", "protocol_title", "model", "model_title")

NOT_TUNED = "as given"
"""Settings of a model that had nothing to choose."""

NOT_CHOSEN = "none"
"""Criterion of a model that had nothing to choose."""

GIVEN = (
    "Nothing was chosen: the settings are those of the config. A difference from a model whose "
    "settings were chosen is partly an effect of the choice."
)

BY_LOSS_NOTE = "Chosen by the validation loss, without another metric."


def tabulate_tuning(
    records: Iterable[str | os.PathLike],
    runs: Sequence[Mapping],
    paths: Iterable[str | os.PathLike],
) -> None:
    """Write every configuration in every fold (TSV), and a summary over folds (for readers).

    Args:
        records: ``runs.json`` of every run.
        runs: For each of them, in the same order, NAMES.
        paths: Tables to write.
    """
    folds = [json.loads(Path(path).read_text("utf-8")) for path in records]
    table = tried_table(folds, runs)
    write_both(table, summary(table), paths, CAPTION, "tab:tuning")


def tried_table(records: Iterable[Sequence[Mapping]], runs: Iterable[Mapping]) -> pd.DataFrame:
    """Return one row per run, fold and configuration.

    Args:
        records: The records of the folds of each run.
        runs: NAMES of each run.

    Returns:
        NAMES, repeat, fold, configuration (number, from 1), settings, criterion, validation_loss,
        validation_score (left out where every choice was made by loss), epochs, chosen (0 or 1)
        and note. A model that is not tuned has one row per fold without validation_loss.
    """
    rows = [
        {
            **{name: run[name] for name in NAMES},
            **{key: record[key] for key in ("repeat", "fold")},
            **row,
        }
        for folds, run in zip(records, runs, strict=True)
        for record in folds
        for row in _rows(record)
    ]
    table = pd.DataFrame(rows)
    if table["validation_score"].notna().any():
        return table
    # Without that column no number is missing.
    return table.drop(columns="validation_score").replace({"note": BY_LOSS_NOTE}, "")


def _rows(record: Mapping) -> list[dict]:
    tuning = record.get("tuning")
    if not tuning:
        given = {"configuration": 1, "settings": NOT_TUNED, "criterion": NOT_CHOSEN, "note": GIVEN}
        values = {"validation_loss": None, "validation_score": None, "epochs": record["epochs"]}
        return [{**given, **values, "chosen": 1}]
    return [
        {
            "configuration": number,
            "settings": configuration_name(tried["settings"]),
            "criterion": tuning["criterion"],
            **{key: tried[key] for key in ("validation_loss", "validation_score", "epochs")},
            "chosen": int(number == tuning["chosen"]),
            "note": BY_LOSS_NOTE if tuning["criterion"] == BY_LOSS else "",
        }
        for number, tried in enumerate(tuning["configurations"], start=1)
    ]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run and configuration, over all folds.

    Args:
        table: As :func:`tried_table` returns it.

    Returns:
        NAMES, settings, configurations (of the model in every fold), folds, chosen (number of folds
        in which it was chosen), validation_loss (mean) and note. Where a choice was made by a
        metric also criterion (its title) and validation_score (mean, in percent where the metric
        is one; "none" where it was not made by it).
    """
    scored = "validation_score" in table
    rows = []
    for names, of_run in table.groupby(list(NAMES), sort=False):
        tried = of_run["configuration"].nunique()
        for _, part in of_run.groupby("configuration", sort=True):
            loss = part["validation_loss"].mean()
            rows.append(
                {
                    **dict(zip(NAMES, names, strict=True)),
                    "settings": part["settings"].iloc[0],
                    **{"configurations": tried, "folds": len(part), "chosen": part["chosen"].sum()},
                    **(_scored(part) if scored else {}),
                    "validation_loss": loss,
                    "note": GIVEN if pd.isna(loss) else "",
                }
            )
    return pd.DataFrame(rows)


def _scored(part: pd.DataFrame) -> dict[str, str]:
    """Return the title of the criterion of a configuration, and its mean over folds as text."""
    [*criteria] = dict.fromkeys(part["criterion"])
    scores = part["validation_score"].dropna()
    by_metric = [name for name in criteria if name not in (BY_LOSS, NOT_CHOSEN)]
    if scores.empty or len(by_metric) != 1:
        return {"criterion": " and ".join(criteria), "validation_score": "none"}
    heading = heading_of(by_metric[0])
    value = format_value(by_metric[0], float(scores.mean()))
    unit = " %" if heading.endswith(" (%)") else ""
    titles = [heading.removesuffix(" (%)") if name in by_metric else name for name in criteria]
    return {"criterion": " and ".join(titles), "validation_score": f"{value}{unit}"}
