"""The runs that a config asks for, and which of them tables and figures show.

A run is one model under one protocol on one data set.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from blastfold.core.names import GROUPINGS, LEUKAEMIA_CLASSES, REDRAW_SEEDS, primary_metric
from blastfold.core.settings import OWN_BACKBONES
from blastfold.experiment.ablations import (
    ablation_cells,
    ablation_contrasts,
    cells_in_place,
    curve_in_place,
    factor_title,
    level_title,
    places_of,
)
from blastfold.experiment.attributions import attribution_runs
from blastfold.experiment.canaries import canary_runs, permuted_runs
from blastfold.experiment.combinations import combinations, external_runs, fold_count
from blastfold.experiment.pretraining import pretraining_name, source_of
from blastfold.experiment.random_backbones import model_title

NOT_CELLS = ("demo", "pcam", "tiles")
"""Formats whose images are generated, or of tissue."""


NOT_DRAWN = ("title", "repeats", "redraw", "leakage", "same_folds_as")
"""Keys of a protocol in which protocols may differ that draw the same kind of folds."""


class Split(NamedTuple):
    """A data set under a protocol."""

    dataset: str
    protocol: str


class Run(NamedTuple):
    """One model under one protocol on one data set."""

    dataset: str
    protocol: str
    model: str


@dataclass(frozen=True)
class Runs:
    """All runs of an experiment and the selections of them that tables and figures need.

    Input functions ask for every job of an experiment, which may have thousands: everything here
    is computed once and then looked up.

    Attributes:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
    """

    config: Mapping

    @cached_property
    def asked(self) -> list[Run]:
        """Every run, in the order of the config; the source tasks and canaries are among them."""
        return [Run(*names) for names in combinations(self.config)]

    @cached_property
    def true(self) -> list[Run]:
        """The runs on true labels, which are all but the canaries."""
        datasets = self.config["datasets"]
        return [run for run in self.asked if datasets[run.dataset]["format"] != "permuted"]

    @cached_property
    def shown(self) -> list[Run]:
        """The runs that have tables and figures of their own.

        Of an ablation this is the reference alone: its other cells and its trainings on a share of
        the groups are in the tables of the ablation and in the results of the data set. The arms
        of leak contrasts are in their table and in the results.
        """
        hidden = {*self._of_ablations(), *self._of_contrasts()}
        return [run for run in self.true if run not in hidden]

    @cached_property
    def canaries(self) -> list[dict]:
        """The runs on permuted labels, each after the same run on the true ones.

        Dicts with dataset, protocol and model, their titles, group_by, labels and run, as
        :func:`blastfold.experiment.canaries.canary_runs` describes the last two.
        """
        return [
            {**run, **self.titles_of(run), "group_by": self._group_by(run["protocol"])}
            for run in canary_runs(self.config)
        ]

    @cached_property
    def contrasts(self) -> list[dict]:
        """Every model under both arms of a leak contrast.

        Dicts with dataset, model, contrast (name), contrast_title, leak (subject or copies), with
        and without (names of the arms' protocols).
        """
        found: dict[tuple, dict] = {}
        for run in self._of_contrasts():
            entry = self.config["protocols"][run.protocol]
            about = entry["contrast"]
            row = found.setdefault(
                (run.dataset, run.model, about["name"]),
                {
                    **{"dataset": run.dataset, "model": run.model, "contrast": about["name"]},
                    **{"contrast_title": about["title"], "leak": entry["leak"]},
                },
            )
            row[entry["arm"]] = run.protocol
        return list(found.values())

    def contrasts_of(self, dataset: str) -> list[dict]:
        """Return the leak contrasts of a data set."""
        return [row for row in self.contrasts if row["dataset"] == dataset]

    @cached_property
    def permuted(self) -> list[dict]:
        """The runs whose heads are trained on many permutations of the labels too.

        Dicts with dataset, protocol and model, their titles, group_by and permutations, as
        :func:`blastfold.experiment.canaries.permuted_runs` describes the last one.
        """
        return [
            {**run, **self.titles_of(run), "group_by": self._group_by(run["protocol"])}
            for run in permuted_runs(self.config)
        ]

    @cached_property
    def external(self) -> list[dict]:
        """Every test of trained networks on another data set.

        Dicts with dataset, protocol, model and external (the data set tested on), and their titles;
        repeats where the protocol has several.
        """
        titles = self.titles["dataset"]
        return [
            {**run, **self.titles_of(run), "external_title": titles[run["external"]]}
            | self._repeats_of(run["protocol"])
            for run in external_runs(self.config)
        ]

    @cached_property
    def tuned(self) -> list[dict]:
        """The runs of all splits in which a model chooses settings; the others are given theirs.

        Dicts with dataset, protocol and model, and their titles.
        """
        models = self.config["models"]
        splits = {Split(*run[:2]) for run in self.true if models[run.model].get("tune")}
        runs = [run._asdict() for run in self.true if Split(*run[:2]) in splits]
        return [{**run, **self.titles_of(run)} for run in runs]

    @cached_property
    def attributions(self) -> list[dict]:
        """Where attributions are computed.

        Dicts as :func:`blastfold.experiment.attributions.attribution_runs` describes them.
        """
        return attribution_runs(self.config)

    def attribution_at(self, dataset: str, protocol: str, external: str) -> dict:
        """Return the models and the number of cells of the attributions of one place."""
        return next(
            entry
            for entry in self.attributions
            if (dataset, protocol, external)
            == (entry["dataset"], entry["protocol"], entry["external"])
        )

    def _repeats_of(self, protocol: str) -> dict[str, int]:
        repeats = self.config["protocols"][protocol]["repeats"]
        return {"repeats": repeats} if repeats > 1 else {}

    @cached_property
    def datasets(self) -> list[str]:
        """The data sets that networks are trained on."""
        return _distinct(run.dataset for run in self.asked)

    @cached_property
    def splits(self) -> list[Split]:
        """Every data set under every protocol that it is trained under."""
        return _splits(self.asked)

    @cached_property
    def true_datasets(self) -> list[str]:
        """The data sets with true labels that networks are trained on."""
        return _distinct(run.dataset for run in self.true)

    @cached_property
    def true_splits(self) -> list[Split]:
        """The splits of data sets with true labels."""
        return _splits(self.true)

    @cached_property
    def shown_splits(self) -> list[Split]:
        """The splits that have figures and tables of their own."""
        return _splits(self.shown)

    @cached_property
    def described_datasets(self) -> list[str]:
        """The data sets with true labels that networks are trained or tested on."""
        return _distinct([*self.true_datasets, *(run["external"] for run in self.external)])

    @cached_property
    def compared_splits(self) -> list[Split]:
        """The splits that have two models or more to compare."""
        return [split for split in _splits(self.compared) if len(self.models_of(*split)) > 1]

    @cached_property
    def compared(self) -> list[Run]:
        """The shown runs that are compared.

        Repeats that change seeds alone are left out where the data set is also split by a protocol
        of the same settings that draws the folds again: they measure the variance of seeds and add
        no comparison.
        """
        kinds = {split: self.draws_of(split.protocol) for split in self.shown_splits}
        drawn = [(split.dataset, kind) for split, (kind, alone) in kinds.items() if not alone]
        measuring = {
            split
            for split, (kind, alone) in kinds.items()
            if alone and (split.dataset, kind) in drawn
        }
        return [run for run in self.shown if Split(*run[:2]) not in measuring]

    def controls_of(self, dataset: str, protocol: str) -> list[tuple[str, str]]:
        """Return the pairs of compared models that are one model under two names.

        Their entries differ at most in the title, and their trainings in the seeds: a detected
        difference is an error.
        """
        names = self.models_of(dataset, protocol)
        entries = {name: {**self.config["models"][name], "title": None} for name in names}
        return [
            pair
            for pair in itertools.combinations(names, 2)
            if entries[pair[0]] == entries[pair[1]]
        ]

    @cached_property
    def first_runs(self) -> dict[tuple[str, str], Run]:
        """The first shown run of every data set and model."""
        return {(run.dataset, run.model): run for run in reversed(self.shown)}

    @cached_property
    def declared(self) -> int:
        """The number of comparisons that are tested together: the family of all verdicts.

        These are the pairs of models of a split, the pairs of protocols of a model on a data set,
        the contrasts of ablations and the leak contrasts; 1 at least.
        """
        pairs = sum(math.comb(len(self.models_of(*split)), 2) for split in self.compared_splits)
        protocols = Counter((run.dataset, run.model) for run in self.compared)
        gaps = sum(math.comb(number, 2) for number in protocols.values())
        choices = sum(
            len(ablation_contrasts(entry)) * len(places_of(entry))
            for entry in self.config["ablations"].values()
        )
        return max(pairs + gaps + choices + len(self.contrasts), 1)

    @cached_property
    def classed(self) -> list[Run]:
        """The shown runs whose results are also shown by class."""
        return [run for run in self.shown if self.has_many_classes(run.dataset)]

    @cached_property
    def external_classed(self) -> list[dict]:
        """The tests on another data set whose results are also shown by class; see `external`."""
        return [run for run in self.external if self.has_many_classes(run["dataset"])]

    def has_many_classes(self, dataset: str) -> bool:
        """Return whether the results of a data set are also shown by class.

        It has more than two classes, or its labels or folders are the classes, which the import
        finds. A data set that is made from another one has the classes of it.
        """
        entry = self.origin_of(dataset)
        return bool(entry.get("own_classes")) or len(entry.get("classes") or ()) > 2

    def origin_of(self, dataset: str) -> Mapping:
        """Return the entry of a data set, or of the one that it is made from in the end."""
        entry = self.config["datasets"][dataset]
        while "of" in entry:
            entry = self.config["datasets"][entry["of"]]
        return entry

    def primary_of(self, dataset: str) -> str | None:
        """Return the primary metric of a data set, as far as the config decides it.

        See :func:`blastfold.core.names.primary_metric`. Where the import finds the classes it is
        what the config declares, None for nothing: whatever reads results then applies the same
        function to the number of classes in them.
        """
        declared, entry = self.config["primary_metric"], self.origin_of(dataset)
        if entry.get("own_classes"):
            return declared
        return primary_metric(declared, len(entry.get("classes") or LEUKAEMIA_CLASSES))

    def models_of(self, dataset: str, protocol: str | None = None) -> list[str]:
        """Return the shown models of a data set under one protocol, or under any."""
        return self._models.get((dataset, protocol), [])

    def stains_of(self, dataset: str, protocol: str) -> list[str]:
        """Return the methods of stain normalisation that the shown models of a split use."""
        models = self.models_of(dataset, protocol)
        used = _distinct(self.config["models"][model]["stain"] for model in models)
        return [stain for stain in used if stain != "none"]

    def true_of(self, dataset: str) -> list[Run]:
        """Return the runs of a data set that its table of results shows."""
        return [run for run in self.true if run.dataset == dataset]

    def shown_of(self, dataset: str) -> list[Run]:
        """Return the runs of a data set that its figure of results shows."""
        return [run for run in self.shown if run.dataset == dataset]

    def splits_of(self, dataset: str) -> list[Split]:
        """Return the splits of a data set that have figures and tables of their own."""
        return [split for split in self.shown_splits if split.dataset == dataset]

    def gap_of(self, dataset: str) -> list[Run]:
        """Return the runs of models under several protocols, the finest grouping first."""
        runs = [run for run in self.compared if run.dataset == dataset]
        models = [run.model for run in runs]
        repeated = [run for run in runs if models.count(run.model) > 1]
        return sorted(repeated, key=lambda run: GROUPINGS.index(self._group_by(run.protocol)))

    def repeated_of(self, dataset: str) -> list[Run]:
        """Return the shown runs of a data set whose protocol has several repeats."""
        protocols = self.config["protocols"]
        return [run for run in self.shown_of(dataset) if protocols[run.protocol]["repeats"] > 1]

    def draws_of(self, protocol: str) -> tuple[dict, bool]:
        """Return what protocols share that draw the same kind of folds, and whether seeds alone.

        Returns:
            The entry without what differs between such protocols, and whether its repeats keep
            the test images of the folds.
        """
        entry = self.config["protocols"][protocol]
        seeds = entry["redraw"] == REDRAW_SEEDS or entry["kind"] == "predefined"
        return {key: value for key, value in entry.items() if key not in NOT_DRAWN}, seeds

    @cached_property
    def head_models(self) -> list[str]:
        """The models whose heads learn from features that are extracted once."""
        return [
            name
            for name, entry in self.config["models"].items()
            if entry["train"] == "head" and entry["features"] == "stored"
        ]

    def has_own_backbone(self, run: Run) -> bool:
        """Return whether the backbone of a run is a file, so that it has no Keras network."""
        return self.config["models"][run.model]["architecture"] in OWN_BACKBONES

    @cached_property
    def joint_models(self) -> list[str]:
        """The models that learn from images, all folds in one job."""
        return [
            name
            for name, entry in self.config["models"].items()
            if name not in self.head_models and entry["folds_in_one_job"]
        ]

    @cached_property
    def single_models(self) -> list[str]:
        """The models that learn from images, every fold in a job of its own."""
        others = {*self.head_models, *self.joint_models}
        return [name for name in self.config["models"] if name not in others]

    def fold_count(self, protocol: str) -> int:
        """Return the number of folds of a protocol."""
        return fold_count(self.config["protocols"][protocol])

    def with_fold_counts(self) -> list[tuple[str, str, str, int]]:
        """Return dataset, protocol, model and number of folds of every run."""
        return [(*run, self.fold_count(run.protocol)) for run in self.asked]

    # Ablations.

    def cells_of(self, ablation: str) -> list[dict]:
        """Return the cells of an ablation in every place where they are trained.

        Returns:
            Dicts with dataset, protocol, model and levels (by factor).
        """
        return self._ablations[ablation]["cells"]

    def curve_of(self, ablation: str) -> list[dict]:
        """Return the points of an ablation's learning curve in every place.

        Returns:
            Dicts with dataset, protocol, trained_under (the protocol that trains on a share),
            model and share.
        """
        return self._ablations[ablation]["curve"]

    def plan_of(self, ablation: str) -> dict:
        """Return what an ablation compares: cells, contrasts, curve and datasets."""
        entry = self.config["ablations"][ablation]
        return {
            "cells": self.cells_of(ablation),
            "contrasts": ablation_contrasts(entry),
            "curve": self.curve_of(ablation),
            "datasets": entry["datasets"],
            "primary": {name: self.primary_of(name) for name in entry["datasets"]},
            "family": self.declared,
        }

    def titles_in(self, ablation: str) -> dict:
        """Return the titles in tables and figures of an ablation, by kind and name."""
        entry = self.config["ablations"][ablation]
        return {
            **self.titles,
            "factor": {factor: factor_title(factor) for factor in entry["vary"]},
            "level": {
                factor: {
                    cell["levels"][factor]: level_title(factor, cell["values"][factor], self.config)
                    for cell in ablation_cells(ablation, entry)
                }
                for factor in entry["vary"]
            },
        }

    # Titles.

    @cached_property
    def titles(self) -> dict[str, dict[str, str]]:
        """The titles of data sets, protocols and models, by kind and name."""
        models = {name: model_title(entry) for name, entry in self.config["models"].items()}
        return {
            kind: {name: entry["title"] for name, entry in self.config[f"{kind}s"].items()}
            for kind in ("dataset", "protocol")
        } | {"model": models}

    def titles_of(self, run: Mapping[str, str]) -> dict[str, str]:
        """Return dataset_title, protocol_title and model_title of a run."""
        return {f"{kind}_title": names[run[kind]] for kind, names in self.titles.items()}

    @property
    def reproduces_something(self) -> bool:
        """Whether printed results of the thesis are of one of the data sets that are shown."""
        return any(self.config["datasets"][name].get("reproduces") for name in self.true_datasets)

    @cached_property
    def comparable(self) -> list[Run]:
        """The shown runs that may be drawn among published results on blood cells.

        These are the runs on true images of cells: no generated images, no tiles or patches of
        tissue, and no source task.
        """
        datasets = self.config["datasets"]
        sources = {
            pretraining_name(source, model["architecture"])
            for model in self.config["models"].values()
            if (source := source_of(model))
        }
        chosen = []
        for run in self.shown:
            entry = datasets[run.dataset]
            while "of" in entry:
                entry = datasets[entry["of"]]
            if entry["format"] not in NOT_CELLS and run.model not in sources:
                chosen.append(run)
        return chosen

    def described(self, runs: Iterable[Run]) -> list[dict]:
        """Return runs with all that tables and figures show of them.

        Returns:
            Dicts with dataset, protocol and model, their titles, group_by, and reproduces (the
            data set of the thesis whose printed results are comparable, or None).
        """
        return [
            {
                **run._asdict(),
                **self.titles_of(run._asdict()),
                "group_by": self._group_by(run.protocol),
                "reproduces": self.config["datasets"][run.dataset]["reproduces"],
            }
            for run in runs
        ]

    @cached_property
    def _models(self) -> dict[tuple[str, str | None], list[str]]:
        models: dict[tuple[str, str | None], list[str]] = {}
        for run in self.shown:
            for key in ((run.dataset, run.protocol), (run.dataset, None)):
                names = models.setdefault(key, [])
                if run.model not in names:
                    names.append(run.model)
        return models

    @cached_property
    def _ablations(self) -> dict[str, dict]:
        return {
            name: {"cells": cells_in_place(name, entry), "curve": curve_in_place(entry)}
            for name, entry in self.config["ablations"].items()
        }

    def _of_ablations(self) -> Iterable[Run]:
        for ablation in self._ablations.values():
            for cell in ablation["cells"]:
                if cell["model"] != ablation["cells"][0]["model"]:
                    yield Run(cell["dataset"], cell["protocol"], cell["model"])
            for point in ablation["curve"]:
                if point["share"] < 1:
                    yield Run(point["dataset"], point["trained_under"], point["model"])

    def _of_contrasts(self) -> list[Run]:
        protocols = self.config["protocols"]
        return [run for run in self.true if "contrast" in protocols[run.protocol]]

    def _group_by(self, protocol: str) -> str:
        return self.config["protocols"][protocol]["group_by"]


def _splits(runs: Iterable[Run]) -> list[Split]:
    return _distinct(Split(run.dataset, run.protocol) for run in runs)


def _distinct(names: Iterable) -> list:
    return list(dict.fromkeys(names))
