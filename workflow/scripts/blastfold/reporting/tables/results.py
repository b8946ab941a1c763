"""The tables of the comparison: splits and results (thesis Tables 5.1 to 5.9)."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.fold_table import read_folds
from blastfold.core.interval_table import read_intervals
from blastfold.core.names import (
    FOLDS,
    MEAN,
    METRICS,
    POOLED,
    SD,
    SHARED,
    SHOWN_METRICS,
    TEST,
    TRAIN,
    VALIDATION,
    fold_scopes,
    repeat_scopes,
)
from blastfold.core.notes import join_notes, make_note, note_codes, notes_about, only_notes
from blastfold.core.tables import read_table, read_text_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import (
    write_table,
)

Paths = Iterable[str | os.PathLike]

MEAN_VIEW = "mean of folds"
REPEATS_VIEW = "mean of repeats"
"""View of the mean of several repeats, each with its folds taken together."""

QUOTED_ENDS = ("", "_lower", "_upper")

UNKNOWN_GROUPS = "groups_of_unknown_subjects"
"""The code of intervals over leakage groups that may be incomplete."""


def tabulate_splits(
    folds: Paths, splits: Sequence[tuple[str, str]], titles: dict[str, dict], paths: Paths
) -> None:
    """Write how many images each split trains, tests and validates on (thesis Table 5.1).

    Args:
        folds: Fold table of each split.
        splits: Names of the data set and the protocol of each fold table, in the same order.
        titles: Titles by name under ``"dataset"`` and ``"protocol"``.
        paths: Tables to write.
    """
    rows = []
    for path, (dataset, protocol) in zip(folds, splits, strict=True):
        names = {
            "dataset": dataset,
            "dataset_title": titles["dataset"][dataset],
            "protocol": protocol,
            "protocol_title": titles["protocol"][protocol],
        }
        rows.append(names | split_counts(read_folds(path)))
    caption = (
        "Images of each split. Where a protocol has several folds, the numbers are the "
        "smallest and the largest of the folds of all repeats."
    )
    write_table(pd.DataFrame(rows), paths, caption, "tab:splits")


def split_counts(folds: pd.DataFrame) -> dict[str, int]:
    """Count the images of a split by role.

    Args:
        folds: image_id, repeat, fold and role; one row per image and fold.

    Returns:
        repeats, folds (of each repeat) and images (distinct), then the smallest and largest number
        of images of a fold for each role: train_min, train_max, test_min, test_max,
        validation_min, validation_max.
    """
    counts = folds.groupby(["fold", "role"]).size().unstack(fill_value=0)
    repeats = folds["repeat"].nunique()
    result = {"repeats": repeats, "folds": len(counts) // repeats}
    result["images"] = folds["image_id"].nunique()
    for role in (TRAIN, TEST, VALIDATION):
        of_role = counts[role] if role in counts else counts.iloc[:, 0] * 0
        result |= {f"{role}_min": int(of_role.min()), f"{role}_max": int(of_role.max())}
    return result


def tabulate_results(
    metrics: Paths, intervals: Paths, runs: Sequence[dict], title: str, label: str, paths: Paths
) -> None:
    """Write the results of one data set (thesis Tables 5.2 and 5.3), with their intervals.

    Args:
        metrics: ``metrics.tsv`` of each run.
        intervals: ``intervals.tsv`` of each run.
        runs: For each run, in the same order, a dict with protocol, protocol_title, model and
            model_title.
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write.
    """
    tables, unknown = [], False
    for path, limits_path, run in zip(metrics, intervals, runs, strict=True):
        limits = read_intervals(limits_path, METRICS)
        unknown |= UNKNOWN_GROUPS in note_codes(join_notes(*limits["note"]))
        table = result_rows(read_metrics(path), limits)
        for place, column in enumerate(("protocol", "protocol_title", "model", "model_title")):
            table.insert(place, column, run[column])
        tables.append(table)
    caption = (
        f"Results on {title}. The mean over folds has its standard deviation; "
        "pooled folds are all test predictions taken together. In brackets: 95 % interval over "
        f"{groups_in_words(unknown)}. It is about these trained networks on other subjects."
    )
    if any((table["repeats"] > 1).any() for table in tables):
        caption += (
            " Where a protocol is repeated, the folds of each repeat are taken together, and the "
            "repeats are averaged."
        )
    write_table(pd.concat(tables, ignore_index=True), paths, caption, label)


def tabulate_quoted(
    metrics: Paths,
    intervals: Paths,
    runs: Sequence[dict],
    elsewhere: Mapping,
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write the results to quote: one row per run, in the metrics that papers print.

    Args:
        metrics: ``metrics.tsv`` of each run.
        intervals: ``intervals.tsv`` of each run.
        runs: As for :func:`tabulate_results`, with group_by.
        elsewhere: ``identity`` (audits ``{protocol}.identity.tsv`` of the splits that have one)
            and ``learnt_before`` (what start weights learnt from, by model).
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write.
    """
    learnt = _learnt_tests(elsewhere["identity"])
    rows = []
    for path, limits, run in zip(metrics, intervals, runs, strict=True):
        measured, quoted = read_metrics(path), read_intervals(limits, METRICS)
        table = result_rows(measured, quoted)
        shown = ["view", *(f"{name}{end}" for name in SHOWN_METRICS for end in QUOTED_ENDS), "note"]
        row = table[table["view"] != MEAN_VIEW][shown].iloc[0].to_dict()
        names = {key: run[key] for key in ("protocol", "protocol_title", "model", "model_title")}
        rows.append({**names, "kept_together": run["group_by"].replace("_", " "), **row})
        note = _limits_note(quoted.loc[POOLED], SHOWN_METRICS)
        if not any(pd.isna(row[name]) for name in SHOWN_METRICS):
            rows[-1]["note"] = sentences(note, short=True)
        known = [
            learnt[run["protocol"], run["dataset"], name]
            for name in elsewhere["learnt_before"].get(run["model"], ())
            if (run["protocol"], run["dataset"], name) in learnt
        ]
        if known:
            warning = sentences(make_note("start_weights_learnt_tests", *max(known)))
            rows[-1]["note"] = "; ".join(filter(None, (warning, rows[-1]["note"])))
    # What is divided by image is not about new subjects and comes last.
    rows.sort(key=lambda row: row["kept_together"] == "image")
    caption = (
        f"Results to quote on {title}: all test images of a model under a protocol together, with "
        "95 % intervals over leakage groups. Kept together: what the protocol never divides "
        "between training and test; results that are divided by image are not about new subjects. "
        "All metrics and folds are in the table of results."
    )
    write_table(pd.DataFrame(rows).drop(columns="view"), paths, caption, label)


def _learnt_tests(audits: Paths) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Return how many tested images, and of how many, are shared with what is learnt elsewhere.

    Args:
        audits: Tables of :func:`blastfold.leakage.identity.audit_identity`, each named by its
            protocol.

    Returns:
        By protocol, data set that is tested on and what is learnt from; shared images alone.
    """
    found = {}
    for path in audits:
        table = read_table(path, text=("learnt_from", "tested_on", "verdict"))
        protocol = Path(path).name.partition(".")[0]
        for row in table[table["verdict"] == SHARED].itertuples():
            counts = int(row.affected), int(row.tested_images)
            found[protocol, row.tested_on, row.learnt_from] = counts
    return found


def result_rows(metrics: pd.DataFrame, intervals: pd.DataFrame | None = None) -> pd.DataFrame:
    """Sum up the folds of one run.

    Args:
        metrics: As :func:`read_metrics` returns it.
        intervals: As :func:`blastfold.core.interval_table.read_intervals` returns it; None leaves
            the intervals out.

    Returns:
        One row for a single test set; for several folds the row "mean of folds", with standard
        deviations, and the row "pooled folds", which with several repeats is "mean of repeats".
        Columns: view, repeats, folds, each metric followed by
        its standard deviation ``<metric>_sd`` and the limits ``<metric>_lower`` and
        ``<metric>_upper`` of its interval (fractions), note.
    """
    folds = fold_scopes(metrics.index)
    repeats = repeat_scopes(metrics.index)
    views = {"single test set": folds[0]}
    if len(folds) > 1:
        views = {MEAN_VIEW: MEAN, REPEATS_VIEW if repeats else "pooled folds": POOLED}
    rows = []
    for view, scope in views.items():
        row = {"view": view, "repeats": max(len(repeats), 1), "folds": len(folds)}
        note = metrics.at[scope, "note"]
        limits = None
        if intervals is not None:
            limits = intervals.loc[FOLDS if scope == MEAN else POOLED]
            note = join_notes(note, _limits_note(limits))
        for metric in METRICS:
            row[metric] = metrics.at[scope, metric]
            row[f"{metric}_sd"] = metrics.at[SD, metric] if scope == MEAN else float("nan")
            if limits is not None:
                row[f"{metric}_lower"] = limits.at[metric, "lower"]
                row[f"{metric}_upper"] = limits.at[metric, "upper"]
        rows.append(row | {"note": sentences(note, short=True)})
    return pd.DataFrame(rows)


def tabulate_performance(metrics: str | os.PathLike, title: str, label: str, paths: Paths) -> None:
    """Write the performance of one model fold by fold (thesis Tables 5.4 to 5.9).

    Args:
        metrics: ``metrics.tsv`` of the run.
        title: Titles of its data set, protocol and model.
        label: LaTeX label.
        paths: Tables to write.
    """
    caption = f"Performance on the test images: {title}."
    write_table(performance_table(read_metrics(metrics)), paths, caption, label)


def performance_table(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return one row per fold, then mean, standard deviation, repeats and pooled folds.

    Args:
        metrics: As :func:`read_metrics` returns it.

    Returns:
        scope, scope_title, the metrics as fractions, note. A single fold has one row only:
        its mean and pooled value would repeat it.
    """
    titles = {scope: scope.replace("-", " ").capitalize() for scope in fold_scopes(metrics.index)}
    if len(titles) > 1:
        repeats = repeat_scopes(metrics.index)
        titles |= {MEAN: "Mean", SD: "Standard deviation"}
        titles |= {scope: f"{scope.replace('-', ' ').capitalize()}, pooled" for scope in repeats}
        titles |= {POOLED: "Mean of repeats" if repeats else "Pooled folds"}
    else:
        titles = dict.fromkeys(titles, "Test set")
    table = metrics.loc[list(titles)].rename_axis("scope").reset_index()
    table["note"] = [sentences(note) for note in table["note"]]
    table.insert(1, "scope_title", list(titles.values()))
    return table


def read_metrics(path: str | os.PathLike) -> pd.DataFrame:
    """Read the metrics of one run.

    Args:
        path: ``metrics.tsv`` with the columns scope, metric, value and, where there are undefined
            values, note.

    Returns:
        One row per scope, in the order of the file; one column per metric of
        :data:`blastfold.core.names.METRICS` (float64, NaN where undefined), and note
        (codes, each with the metrics that it is about).

    Raises:
        InputError: A metric is missing from the file.
    """
    text = read_text_table(path)
    scopes = list(dict.fromkeys(text["scope"]))
    values = text.assign(value=pd.to_numeric(text["value"], errors="coerce"))
    table = values.pivot(index="scope", columns="metric", values="value").reindex(scopes)
    absent = [metric for metric in METRICS if metric not in table]
    if absent:
        raise InputError(f"{path}: the column 'metric' lacks {', '.join(absent)}")
    table = table.loc[:, list(METRICS)].rename_axis(columns=None)
    given = text.get("note", pd.Series("", index=text.index))
    notes = dict(zip(zip(text["scope"], text["metric"], strict=True), given, strict=True))
    table["note"] = [_note_of(scope, table.loc[scope], notes) for scope in scopes]
    return table


def headline_scope(metrics: pd.DataFrame) -> str:
    """Return the scope quoted as a run's result: the mean of its folds, or its only fold."""
    folds = fold_scopes(metrics.index)
    return MEAN if len(folds) > 1 else folds[0]


def _note_of(scope: str, row: pd.Series, notes: Mapping[tuple[str, str], str]) -> str:
    """Join the notes of all metrics of a scope; a missing value without a reason is undefined."""
    unknown = {metric: make_note("undefined") if pd.isna(row[metric]) else "" for metric in METRICS}
    return notes_about(
        {metric: notes.get((scope, metric)) or unknown[metric] for metric in METRICS}
    )


def _limits_note(limits: pd.DataFrame, metrics: Iterable[str] = METRICS) -> str:
    """Return which metrics have no interval, and which intervals rest on few groups."""
    notes = {}
    for metric in metrics:
        if pd.isna(limits.at[metric, "lower"]):
            notes[metric] = make_note("no_interval")
        else:
            notes[metric] = only_notes(limits.at[metric, "note"], "few_groups", "too_narrow")
    unknown = only_notes(join_notes(*limits["note"]), UNKNOWN_GROUPS)
    return join_notes(notes_about(notes), unknown)


def groups_in_words(unknown: bool) -> str:
    """Return what an interval is over: leakage groups, or those that can be known.

    Args:
        unknown: Whether the subject of some images is unknown.
    """
    if unknown:
        return "leakage groups as far as they are known (unknown subjects are taken as different)"
    return "leakage groups"
