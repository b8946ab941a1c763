"""What must be compared by content, because a model learns from one and is tested on the other.

A model learns from its data set, from the source tasks of its start weights and from what a
file of start weights has seen. It is tested on the test images of its folds and on external test
sets. Names prove nothing about either (see :mod:`blastfold.leakage.identity`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from blastfold.core.names import TEST, plain_name
from blastfold.experiment.config_locked_tests import OPEN, locked_name
from blastfold.experiment.pretraining import pretraining_name, source_of, sources_behind
from blastfold.experiment.runs import Run, Runs, Split
from blastfold.experiment.training_inputs import weights_file

DATASET, WEIGHTS = "dataset", "weights"
"""What is learnt from: the images of a data set, or whatever a file of weights has seen."""

ALL, LOCKED = "all", "locked"
"""Parts that are tested on: an external test set, and what is locked away; or :data:`TEST`."""

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
        WEIGHTS), part (TEST, ALL or LOCKED) and formats of both data sets, joined by a comma.
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
        for name, kind in learnt_before(run.model, self.runs.config):
            yield name, run.dataset, kind, TEST
            for tested in external:
                yield name, tested, kind, ALL
            if run.dataset in self._locked:
                yield name, locked_name(run.dataset), kind, LOCKED
        for tested in external:
            yield run.dataset, tested, DATASET, ALL
        for other in self._locked:
            if not self._has_origin(run.dataset, other):
                yield run.dataset, locked_name(other), DATASET, LOCKED

    @cached_property
    def _locked(self) -> list[str]:
        """The data sets that networks are trained on and that have a locked part."""
        entries = self.runs.config["datasets"]
        return [name for name in self.runs.true_datasets if entries[name]["format"] == OPEN]

    def _has_origin(self, dataset: str, origin: str) -> bool:
        """Return whether a data set is another one, or is made from it."""
        while dataset != origin and "of" in self.runs.config["datasets"][dataset]:
            dataset = self.runs.config["datasets"][dataset]["of"]
        return dataset == origin

    def _imported(self, tested: str, part: str) -> str:
        """Return the data set that has the images of a tested part: locked ones do not exist."""
        return self.runs.config["datasets"][tested]["of"] if part == LOCKED else tested

    def locked(self, wildcards) -> list[str]:
        """Return the tables of locked images, one per comparison of a locked part."""
        entries = self.runs.config["datasets"]
        return [
            _of_dataset(entries[row["tested_on"]]["open_part"], "locked.tsv")
            for row in self.of_split(wildcards)
            if row["part"] == LOCKED
        ]

    def of_split(self, wildcards) -> list[dict[str, str]]:
        """Return the comparisons of a split; none of permuted labels."""
        return self.comparisons.get(Split(wildcards.dataset, wildcards.protocol), [])

    def tested(self, wildcards) -> list[str]:
        """Return the manifest of what is tested on, for every comparison of a split."""
        return [
            _of_dataset(self._imported(row["tested_on"], row["part"]), "manifest.tsv")
            for row in self.of_split(wildcards)
        ]

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
            _of_dataset(
                row["learnt_from"],
                f"shared_with/{self._imported(row['tested_on'], row['part'])}.tsv",
            )
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

    def of_dataset(self, wildcards) -> list[str]:
        """Return the audits of the splits of a data set that have comparisons."""
        chosen = [split for split in self.splits if split.dataset == wildcards.dataset]
        return [f"<results>/folds/{'/'.join(split)}.identity.tsv" for split in chosen]

    def stored(self) -> list[str]:
        """Return the audits of all splits that have comparisons."""
        return [
            f"<results>/folds/{dataset}/{protocol}.identity.tsv"
            for dataset, protocol in self.splits
        ]


def learnt_before(model: str, config: Mapping) -> list[tuple[str, str]]:
    """Return what a model has learnt from before its training, through its start weights.

    Args:
        model: Name of a model.
        config: A checked config.

    Returns:
        Data sets of its source tasks and files of weights, each with DATASET or WEIGHTS.
    """
    entries = [config["models"][model]]
    sources = [config["pretraining"][name] for name in sources_behind(entries[0], config)]
    entries += [source["training"] for source in sources]
    weights = [entry.get("weights", "none") for entry in entries if not source_of(entry)]
    found = [(source["dataset"], DATASET) for source in sources]
    return found + [(path, WEIGHTS) for path in weights if path not in NO_FILE]


def _format(datasets: dict, name: str) -> str:
    """Return the format of a data set's images: of a derived one that of its base."""
    entry = datasets.get(name, {"format": ""})
    while "of" in entry:
        entry = datasets[entry["of"]]
    return entry["format"]


def _of_dataset(dataset: str, name: str) -> str:
    return f"<results>/datasets/{dataset}/{name}"
