"""What must be compared by content, because a model learns from one and is tested on the other.

A model learns from its data set, from the source tasks of its start weights and from what a
file of start weights has seen. It is tested on the test images of its folds and on external test
sets. Names prove nothing about either (see :mod:`blastfold.leakage.identity`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from blastfold.core.names import TEST, plain_name
from blastfold.experiment.pretraining import pretraining_name, source_of, sources_behind
from blastfold.experiment.runs import Run, Runs, Split
from blastfold.experiment.training_inputs import weights_file

DATASET, WEIGHTS = "dataset", "weights"
"""What is learnt from: the images of a data set, or whatever a file of weights has seen."""

ALL = "all"
"""The part of an external test set that is tested on; otherwise it is :data:`TEST`."""

NO_FILE = ("none", "imagenet")


@dataclass(frozen=True)
class Identity:
    """The comparisons of every split, and their files.

    Attributes:
        runs: The runs of the experiment.
    """

    runs: Runs

    @cached_property
    def comparisons(self) -> dict[Split, list[dict[str, str]]]:
        """The comparisons of every split of true labels that has some.

        Each is a dict with learnt_from (data set or file), tested_on (data set), kind (DATASET or
        WEIGHTS), part (TEST or ALL) and formats of both data sets, joined by a comma.
        """
        found: dict[Split, dict[tuple, None]] = {}
        tests: dict[Run, list[str]] = {}
        for row in self.runs.external:
            run = Run(row["dataset"], row["protocol"], row["model"])
            tests.setdefault(run, []).append(row["external"])
        for run in self.runs.true:
            of_split = found.setdefault(Split(*run[:2]), {})
            of_split |= dict.fromkeys(self._of_run(run, tests.get(run, [])))
        datasets = self.runs.config["datasets"]
        names = ("learnt_from", "tested_on", "kind", "part")
        return {
            split: [
                dict(zip(names, entry, strict=True))
                | {"formats": ",".join(_format(datasets, name) for name in entry[:2])}
                for entry in entries
            ]
            for split, entries in found.items()
            if entries
        }

    def _of_run(self, run: Run, external: list[str]) -> Iterator[tuple[str, str, str, str]]:
        config = self.runs.config
        model = config["models"][run.model]
        learnt = [
            (config["pretraining"][source]["dataset"], DATASET)
            for source in sources_behind(model, config)
        ]
        learnt += [(path, WEIGHTS) for path in self._weights_files(run.model)]
        for name, kind in learnt:
            yield name, run.dataset, kind, TEST
            for tested in external:
                yield name, tested, kind, ALL
        for tested in external:
            yield run.dataset, tested, DATASET, ALL

    def _weights_files(self, model: str) -> list[str]:
        """Return the files of weights that a model or its source tasks start from."""
        config = self.runs.config
        entries = [config["models"][model]]
        entries += [
            config["pretraining"][source]["training"]
            for source in sources_behind(entries[0], config)
        ]
        weights = [entry.get("weights", "none") for entry in entries if not source_of(entry)]
        return [path for path in weights if path not in NO_FILE]

    def of_split(self, wildcards) -> list[dict[str, str]]:
        """Return the comparisons of a split; none of permuted labels."""
        return self.comparisons.get(Split(wildcards.dataset, wildcards.protocol), [])

    def tested(self, wildcards) -> list[str]:
        """Return the manifest of what is tested on, for every comparison of a split."""
        return [_of_dataset(row["tested_on"], "manifest.tsv") for row in self.of_split(wildcards)]

    def learnt(self, wildcards) -> list[str]:
        """Return the manifest or the weights that are learnt from, for every comparison."""
        return [
            self._existing(row["learnt_from"])
            if row["kind"] == WEIGHTS
            else _of_dataset(row["learnt_from"], "manifest.tsv")
            for row in self.of_split(wildcards)
        ]

    def _existing(self, weights: str) -> str:
        """Return a file of weights; one that does not exist is an error, as for a training."""
        models = self.runs.config["models"].items()
        name, entry = next((name, entry) for name, entry in models if entry["weights"] == weights)
        return weights_file(entry, f"models.{name}")

    def pairs(self, wildcards) -> list[str]:
        """Return the pairs of shared images of every comparison of two data sets."""
        return [
            _of_dataset(row["learnt_from"], f"shared_with/{row['tested_on']}.tsv")
            for row in self.of_split(wildcards)
            if row["kind"] == DATASET
        ]

    def allowed(self, wildcards) -> str | list[str]:
        """Return the file that allows to train a source task; an empty list for other models."""
        run = Run(wildcards.dataset, wildcards.protocol, wildcards.model)
        if run not in self._targets:
            return []
        source, architecture = self._targets[run][0]
        return f"<results>/pretraining/{source}/{architecture}.allowed"

    def audits_of_targets(self, wildcards) -> list[str]:
        """Return the audits of all splits whose models start from a source task."""
        asked = wildcards.source, wildcards.architecture
        splits = next(splits for task, splits in self._targets.values() if task == asked)
        return [f"<results>/folds/{'/'.join(split)}.leakage.tsv" for split in splits]

    @cached_property
    def _targets(self) -> dict[Run, tuple[tuple[str, str], dict[Split, None]]]:
        """By the run of each source task: the source and the network, and splits of its targets."""
        config = self.runs.config
        found: dict[Run, tuple[tuple[str, str], dict[Split, None]]] = {}
        for run in self.runs.true:
            model = config["models"][run.model]
            for source in sources_behind(model, config):
                entry = config["pretraining"][source]
                name = pretraining_name(source, model["architecture"])
                task = source, plain_name(model["architecture"])
                trained = Run(entry["dataset"], entry["protocol"], name)
                found.setdefault(trained, (task, {}))[1][Split(*run[:2])] = None
        return found

    @cached_property
    def splits(self) -> list[Split]:
        """The splits that have comparisons."""
        return list(self.comparisons)

    @cached_property
    def titles(self) -> dict[str, dict[str, str]]:
        """The titles of data sets and protocols, by kind and name."""
        return {kind: self.runs.titles[kind] for kind in ("dataset", "protocol")}

    def stored(self) -> list[str]:
        """Return the audits of all splits that have comparisons."""
        return [
            f"<results>/folds/{dataset}/{protocol}.identity.tsv"
            for dataset, protocol in self.splits
        ]


def _format(datasets: dict, name: str) -> str:
    """Return the format of a data set's images: of a derived one that of its base."""
    entry = datasets.get(name, {"format": ""})
    while "of" in entry:
        entry = datasets[entry["of"]]
    return entry["format"]


def _of_dataset(dataset: str, name: str) -> str:
    return f"<results>/datasets/{dataset}/{name}"
