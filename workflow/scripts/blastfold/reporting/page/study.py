"""What the results page is about: runs, titles and stored results, and the protocol to quote."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from blastfold.core.interval_table import read_intervals
from blastfold.core.names import (
    GROUPINGS,
    LEUKAEMIA_CLASSES,
    METRICS,
    POOLED,
    SHARED,
    TRAIN,
    VALIDATION,
    primary_metric,
)
from blastfold.core.notes import note_codes, parse_notes
from blastfold.leakage.summaries import crossings_of_split
from blastfold.reporting.class_tables import read_class_metrics, value_of_all
from blastfold.reporting.page.sources import Sources
from blastfold.reporting.tables.identity import VERDICTS
from blastfold.reporting.tables.results import MEAN_VIEW
from blastfold.reporting.tables.writing import heading_of

RELATIONS = ("copy", "subject", "picture", "parent", "leakage_group")
"""What test images may share with training images: columns of the table of leakage."""


class Result(NamedTuple):
    """One metric of one run with its interval, as it is recommended to be quoted (fractions)."""

    model: str
    value: float
    lower: float
    upper: float
    groups: int
    note: str


class Learnt(NamedTuple):
    """Test images that start weights learnt from: where, how many, and of how many."""

    source: str
    affected: int
    tested: int

    def sentence(self, model: str) -> str:
        """Return that the result of a model, named by its title, is not to be quoted."""
        return (
            f"The start weights of {model} learnt from {self.source}, which has "
            f"{self.affected:,} of the {self.tested:,} test images or other images of their "
            "subjects: its result is not one on new images."
        )


class Standing(NamedTuple):
    """How the test images of a split are related to its training images.

    Attributes:
        dataset, protocol: Names of the split.
        group_by: What the protocol keeps on one side of a split.
        tested: Test images of all folds.
        related: Test images that share something with training images; None where it is unknown.
        related_to_validation: The same for validation images.
        note: What the audit could not know (codes).
        tied_by_duplicates: Whether related images share no subject and no picture, so that
            duplicates alone tie them.
    """

    dataset: str
    protocol: str
    group_by: str
    tested: int
    related: int | None
    related_to_validation: int | None
    note: str
    tied_by_duplicates: bool = False

    @property
    def subjects_known(self) -> bool:
        """Whether the subject of every image is known."""
        return not note_codes(self.note) & {"no_subject_named", "images_without_subject"}

    @property
    def honest(self) -> bool:
        """Whether no test image is related to a training image, with all subjects known."""
        return self.subjects_known and self.related == 0


@dataclass(frozen=True)
class Study:
    """An experiment as its page sees it.

    Attributes:
        sources: Its stored files.
        about: title, metric (the declared primary one, or None), metrics (by data set), positive
            (names of the positive classes by data set, where the config names them), titles
            (kind -> name -> title), runs (dicts with dataset, protocol, model and group_by),
            sources (data sets of source tasks), generated (data sets of generated images), controls
            (dicts with dataset, protocol and models), external (dicts with dataset, protocol,
            model, external), repeats (by protocol), learnt_before (data sets and files that start
            weights learnt from, by model) and random_backbones.
    """

    sources: Sources
    about: Mapping

    def title(self, kind: str, name: str) -> str:
        """Return the title of a data set, protocol or model."""
        return self.about["titles"][kind].get(name, name)

    def metric_of(self, dataset: str) -> str:
        """Return the primary metric of a data set; of more than two classes it may be another.

        Where the config does not decide it, it is that of the number of imported classes.
        """
        declared = self.about.get("metrics", {}).get(dataset, self.about["metric"])
        found = self.sources.json(f"datasets/{dataset}/dataset.json") or {}
        return primary_metric(declared, len(found.get("classes") or LEUKAEMIA_CLASSES))

    def metric_title_of(self, dataset: str) -> str:
        """Return the primary metric of a data set in text."""
        return heading_of(self.metric_of(dataset)).removesuffix(" (%)")

    @cached_property
    def datasets(self) -> list[str]:
        """The data sets that models are trained on, those of source tasks last."""
        names = dict.fromkeys(run["dataset"] for run in self.about["runs"])
        return sorted(names, key=lambda name: name in self.about["sources"])

    @cached_property
    def known_classes(self) -> set[str]:
        """The names of the classes of all imported data sets."""
        found = (self.sources.json(f"datasets/{name}/dataset.json") for name in self.datasets)
        return {name for facts in found if facts for name in facts["class_images"]}

    @cached_property
    def doubles(self) -> set[str]:
        """The second training of each control (one model under two names): not a result."""
        return {entry["models"][1] for entry in self.about["controls"]}

    def protocols_of(self, dataset: str) -> dict[str, str]:
        """Return what each shown protocol of a data set groups by, by name."""
        runs = [run for run in self.about["runs"] if run["dataset"] == dataset]
        return {run["protocol"]: run["group_by"] for run in runs}

    def models_of(self, dataset: str, protocol: str) -> list[str]:
        """Return the shown models of a split."""
        split = dataset, protocol
        runs = self.about["runs"]
        return [run["model"] for run in runs if (run["dataset"], run["protocol"]) == split]

    def results_of(self, dataset: str, protocol: str, metric: str = "") -> list[Result]:
        """Return a metric (by default the primary one) of every model of a split."""
        metric = metric or self.metric_of(dataset)
        found = []
        for model in self.models_of(dataset, protocol):
            place = f"evaluation/{dataset}/{protocol}/{model}"
            path = self.sources.path(f"{place}/intervals.tsv")
            if path is None:
                continue
            of_two = metric if metric in METRICS else METRICS[0]
            row = read_intervals(path, [of_two]).loc[(POOLED, of_two)]
            groups = int(row["groups"])
            if metric not in METRICS:
                stored = self.sources.path(f"{place}/class_metrics.tsv")
                if stored is None:
                    continue
                row = value_of_all(read_class_metrics(stored), metric)
            numbers = (float(row[name]) for name in ("value", "lower", "upper"))
            found.append(Result(model, *numbers, groups, row["note"]))
        return found

    def learnt_tests(self, dataset: str, protocol: str) -> dict[str, Learnt]:
        """Return what of the test images of a split start weights learnt from, by model.

        Models whose start weights learnt from no test image, as far as it is known, are left out.
        """
        table = self.sources.table("tables/identity")
        if table is None:
            return {}
        shared = (table["protocol"] == protocol) & (table["tested_on"] == dataset)
        shared &= table["verdict"] == VERDICTS[SHARED]
        rows = {row["learnt_from"]: row for _, row in table[shared].iterrows()}
        found = {}
        for model in self.models_of(dataset, protocol):
            learnt = [
                rows[name] for name in self.about["learnt_before"].get(model, ()) if name in rows
            ]
            if learnt:
                row = max(learnt, key=lambda row: row["affected"])
                counts = int(row["affected"]), int(row["tested_images"])
                found[model] = Learnt(str(row["learnt_from_title"]), *counts)
        return found

    def repeats_of(self, protocol: str) -> int:
        """Return how often a protocol is repeated; 1 for once."""
        return self.about["repeats"].get(protocol, 1)

    def images_of(self, split: Standing, predictions: int) -> int:
        """Return how many images the counted test images of all folds are: repeats test them again.

        Args:
            split: A split.
            predictions: Test images of all folds of all repeats.
        """
        return round(predictions / self.repeats_of(split.protocol))

    def fold_mean(self, dataset: str, protocol: str, model: str) -> float:
        """Return the mean of the folds' primary metric; NaN without folds or a table of results."""
        table = self.sources.table(f"tables/{dataset}/results")
        if table is None:
            return float("nan")
        run = (table["protocol"] == protocol) & (table["model"] == model)
        metric = self.metric_of(dataset)
        if metric not in table:
            return float("nan")
        values = table.loc[run & (table["view"] == MEAN_VIEW), metric]
        return float(values.iloc[0]) if len(values) else float("nan")

    def has_folds(self, split: Standing) -> bool:
        """Return whether the results of a split are those of several folds together."""
        table = self.sources.table(f"folds/{split.dataset}/{split.protocol}.leakage")
        return table is not None and table["fold"].nunique() > 1

    @cached_property
    def standings(self) -> dict[tuple[str, str], Standing]:
        """How test and training images of every shown split are related."""
        found = {}
        for dataset in self.datasets:
            for protocol, group_by in self.protocols_of(dataset).items():
                audit = self.sources.table(f"folds/{dataset}/{protocol}.leakage")
                if audit is not None:
                    crossings = crossings_of_split(audit)
                    found[dataset, protocol] = _standing(dataset, protocol, group_by, crossings)
        return found

    def quoted(self, dataset: str) -> Standing | None:
        """Return the split whose results are to be quoted, None where none is free of leakage.

        Among splits whose test images are not related to training images it is the one that keeps
        the most together, then the one that tests the most images.
        """
        honest = [row for row in self.standings.values() if row.dataset == dataset and row.honest]
        order = GROUPINGS.index
        return max(honest, key=lambda row: (order(row.group_by), row.tested), default=None)

    def best_known(self, dataset: str) -> Standing | None:
        """Return the split to quote, or else the one with the fewest related test images."""
        rows = [row for row in self.standings.values() if row.dataset == dataset]
        return self.quoted(dataset) or min(
            rows,
            key=lambda row: (
                not row.subjects_known,
                1.0 if row.related is None else row.related / max(row.tested, 1),
                -GROUPINGS.index(row.group_by),
            ),
            default=None,
        )

    def leaking(self, dataset: str) -> list[Standing]:
        """Return the splits with related test images, those with the most first."""
        rows = [row for row in self.standings.values() if row.dataset == dataset and row.related]
        return sorted(rows, key=lambda row: -row.related / row.tested)


def effective_groups(note: str) -> float | None:
    """Return how many equal groups an interval is worth, where its stored note names few."""
    values = [found.values[0] for found in parse_notes(note) if found.code == "few_groups"]
    return float(values[0]) if values else None


def _standing(dataset: str, protocol: str, group_by: str, rows: pd.DataFrame) -> Standing:
    training = rows[rows["against"] == TRAIN].iloc[0]
    validation = rows[rows["against"] == VALIDATION]
    return Standing(
        dataset,
        protocol,
        group_by,
        tested=int(training["test_images"]),
        related=_related(training),
        related_to_validation=_related(validation.iloc[0]) if len(validation) else 0,
        note=training["note"],
        tied_by_duplicates=_tied_by_duplicates(training),
    )


def _tied_by_duplicates(row: pd.Series) -> bool:
    """Return whether images of a leakage group cross, but none of one known subject or picture."""
    shared = [row[name] for name in ("subject", "picture") if not pd.isna(row[name])]
    group = row["leakage_group"]
    return bool(not pd.isna(group) and group > 0 and not any(shared))


def _related(row: pd.Series) -> int | None:
    counts = [row[name] for name in RELATIONS if not pd.isna(row[name])]
    return int(max(counts)) if counts else None
