"""An experiment: all that the rules ask about a checked config, computed once.

The rules hold no computation of their own. A question is answered by one part:

* ``runs``: what is trained, tested and shown, and its titles;
* ``inputs``: what data sets, slides and folds are made from;
* ``training``: what features, trainings and external tests start from;
* ``identity``: what is compared by content, because it is learnt from and tested on;
* ``files``: which stored files evaluations, tables and figures read;
* ``shown``: what evaluations, tables and figures must know in addition to their files;
* ``readings``: what positive classes against the rest are, in words;
* ``costs``: what the tables and figures of cost read;
* ``targets``: which files the named targets ask for;
* ``exports``: which networks are exported;
* ``smears``: which photographs they are applied to;
* ``locked``: what is locked away for a final test.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from blastfold.core.errors import InputError
from blastfold.experiment.cost_inputs import CostInputs
from blastfold.experiment.dataset_inputs import DatasetInputs
from blastfold.experiment.exports import ALL_FOLDS, Exports
from blastfold.experiment.identity import Identity
from blastfold.experiment.known_counts import count_problems
from blastfold.experiment.locked_tests import LockedTests
from blastfold.experiment.readings import Readings
from blastfold.experiment.runs import Runs
from blastfold.experiment.shown_settings import ShownSettings
from blastfold.experiment.smears import Smears
from blastfold.experiment.stored_files import StoredFiles
from blastfold.experiment.targets import Targets
from blastfold.experiment.training_inputs import SHARED, TrainingInputs


@dataclass(frozen=True)
class Experiment:
    """What will be computed, from which files and under which titles.

    Attributes:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        inputs: Its data sets and slides.
        results: The folder of results.
        export_request: What a command asks to export, see
            :func:`blastfold.experiment.exports.take_request`.
        smears_request: The photographs that a command names, see
            :func:`blastfold.experiment.smears.take_request`.
    """

    config: Mapping
    inputs: DatasetInputs
    results: str
    export_request: Mapping[str, Any] = field(default_factory=dict)
    smears_request: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        config: Mapping,
        slide_schema: str | Path,
        results: str = "results",
        public_counts: str | Path | None = None,
        progress: Callable[[str], None] | None = None,
        export_request: Mapping[str, Any] | None = None,
        smears_request: Mapping[str, Any] | None = None,
    ) -> "Experiment":
        """Make the experiment of a checked config; reads the sheet of slides that it names.

        Args:
            config: A config as :func:`blastfold.experiment.config.check_config` returns it.
            slide_schema: JSON schema of a row of the sheet, as YAML.
            results: The folder of results.
            public_counts: What public data sets hold (resources/datasets.yaml).
            progress: Is given a line every few seconds while raw files are read.
            export_request: What a command asks to export.
            smears_request: The photographs that a command names.

        Raises:
            InputError: The sheet of slides or the table of regions is not as expected, a data set
                whose counts are known cannot give what the config asks for, an export is of no run,
                or photographs or the export for them do not exist.
        """
        inputs = DatasetInputs.read(config, slide_schema, results, public_counts, progress)
        if problems := list(count_problems(config, inputs.public_counts, results)):
            raise InputError("\n".join(problems))
        experiment = cls(config, inputs, results, export_request or {}, smears_request or {})
        for request in (experiment.exports.asked, experiment.exports.requested):
            experiment.exports.paths(request)
        experiment.smears.paths(experiment.smears.known.values())
        return experiment

    @cached_property
    def runs(self) -> Runs:
        """What is trained, tested and shown."""
        return Runs(self.config)

    @cached_property
    def training(self) -> TrainingInputs:
        """What features, trainings and external tests start from."""
        return TrainingInputs(self.config, self.runs, self.results)

    @cached_property
    def identity(self) -> Identity:
        """What is compared by content, because a model learns from it and is tested on it."""
        return Identity(self.runs)

    @cached_property
    def files(self) -> StoredFiles:
        """Which stored files evaluations, tables and figures read."""
        return StoredFiles(self.runs)

    @cached_property
    def shown(self) -> ShownSettings:
        """What evaluations, tables and figures must know about runs in addition to their files."""
        return ShownSettings(self.runs)

    @cached_property
    def readings(self) -> Readings:
        """What positive classes against the rest are, in words."""
        return Readings(self.runs)

    @cached_property
    def costs(self) -> CostInputs:
        """What the tables and figures of cost read."""
        return CostInputs(self.runs, self.files)

    @cached_property
    def targets(self) -> Targets:
        """Which files the named targets ask for."""
        return Targets(self.runs, self.files, self.inputs, self.identity)

    @cached_property
    def exports(self) -> Exports:
        """Which networks are exported."""
        return Exports(self.runs, self.files, self.export_request)

    @cached_property
    def smears(self) -> Smears:
        """Which photographs exported networks are applied to."""
        return Smears(self.config, self.exports, self.smears_request, self.inputs.raw.progress)

    @cached_property
    def locked(self) -> LockedTests:
        """What is locked away for a final test."""
        return LockedTests(self.runs, self.files, self.results)

    def wildcard_constraints(self) -> dict[str, str]:
        """Return a regular expression for every wildcard.

        Names that contain one another (kfold, kfold_subject) must not be mistaken for folders.
        """
        return {
            "dataset": one_of(self.config["datasets"]),
            "external": one_of(self.config["datasets"]),
            "ablation": one_of(self.config["ablations"]),
            "protocol": one_of(self.config["protocols"]),
            "model": one_of(self.config["models"]),
            "source": one_of(self.config["pretraining"]),
            "slide": one_of(self.inputs.slides),
            "split": one_of([*self.config["protocols"], SHARED]),
            "features": r"[a-z0-9]+-[0-9a-f]{12}",
            "fold": r"\d+",
            "architecture": r"[a-z0-9]+",
            "stain": "reinhard|macenko",
            "networks": rf"{ALL_FOLDS}|fold-\d+",
            "smears": one_of(self.smears.known),
        }


def one_of(names: Iterable[str]) -> str:
    """Return a regular expression that matches the given names alone; without any, nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"
