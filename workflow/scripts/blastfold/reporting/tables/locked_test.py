"""The tables of locked tests: the results, and when and how often they were looked at."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from blastfold.core.interval_table import read_intervals
from blastfold.core.names import MACRO_AUC, POOLED, SHOWN_METRICS
from blastfold.core.openings import read_openings
from blastfold.reporting.tables.external_test import TESTED, Paths, external_rows
from blastfold.reporting.tables.writing import write_table

WORDS = {TESTED["internal"]: "open part", TESTED["external"]: "locked test set"}
"""What was tested: by cross-validation or a split within the open part, and the locked images."""

LEFT_OUT = ("external", "external_title")

CAPTION = (
    "Locked test. Its images took no part in splits and trainings of the open part before it was "
    "opened; where start weights or other data sets hold them, the table of images learnt "
    "from elsewhere reports this. Single networks: the predictions of the folds' networks, "
    "taken together; mean of networks: their mean probability of an image. In brackets: 95 % "
    "interval over leakage groups of the tested images. Opened: how often networks were tested on "
    "the locked images. After the first time the results may have been chosen by the earlier ones."
)

RECORD_CAPTION = (
    "Openings of the locked test: every time that new networks were tested on it, with the commit "
    "of the workflow and the digest of the config."
)

PRINTED = 12
"""Characters of commits and digests."""


def tabulate_locked_test(
    internal: Paths,
    single: Paths,
    external: Paths,
    runs: Sequence[dict],
    records: Mapping[str, str],
    titles: Mapping[str, str],
    outputs: Mapping[str, Paths],
) -> None:
    """Write the results of the locked tests, and the record of their openings.

    Args:
        internal: ``intervals.tsv`` of each run on the open part.
        single: ``network_intervals.tsv`` of each run on the locked part.
        external: ``intervals.tsv`` of each run on the locked part.
        runs: See :func:`blastfold.reporting.tables.external_test.external_rows`.
        records: The record of openings by data set.
        titles: Titles of data sets.
        outputs: ``results`` and ``openings``, the files of the tables.

    Raises:
        InputError: A record was changed after it was written.
    """
    openings = {dataset: read_openings(path) for dataset, path in records.items()}
    stored = (read_intervals(path, SHOWN_METRICS) for path in internal)
    over = any((POOLED, MACRO_AUC) in table.index for table in stored)
    metrics = (MACRO_AUC, *SHOWN_METRICS) if over else SHOWN_METRICS
    table = results_table(external_rows(internal, single, external, runs, metrics), openings)
    write_table(table, outputs["results"], CAPTION, "tab:locked-test")
    rows = openings_table(openings, titles)
    write_table(rows, outputs["openings"], RECORD_CAPTION, "tab:openings")


def results_table(
    rows: pd.DataFrame, openings: Mapping[str, Sequence[Mapping[str, str]]]
) -> pd.DataFrame:
    """Return the results with the number of openings.

    Args:
        rows: As :func:`blastfold.reporting.tables.external_test.external_rows` returns them.
        openings: The record by data set.
    """
    table = rows.drop(columns=list(LEFT_OUT))
    table["tested"] = table["tested"].map(WORDS)
    opened = table["dataset"].map({name: len(lines) for name, lines in openings.items()})
    table.insert(list(table).index("images"), "opened", opened)
    return table


def openings_table(
    openings: Mapping[str, Iterable[Mapping[str, str]]], titles: Mapping[str, str]
) -> pd.DataFrame:
    """Return one row per opening: when, by which version of the workflow and which config."""
    return pd.DataFrame(
        [
            {
                "dataset": dataset,
                "dataset_title": titles[dataset],
                "number": int(line["number"]),
                "opened": line["opened"],
                "images": int(line["images"]),
                "runs": line["runs"],
                "commit": line["commit"][:PRINTED],
                "changed": line["changed"],
                "config": line["config"][:PRINTED],
            }
            for dataset, lines in openings.items()
            for line in lines
        ]
    )
