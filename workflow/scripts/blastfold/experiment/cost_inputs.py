"""What the tables and figures of cost read: networks, the honest split of a data set, their files.

The paths begin with Snakemake's path variable ``<results>``.
"""

from dataclasses import dataclass
from functools import cached_property

from blastfold.core.files import digest_settings
from blastfold.core.names import GROUPINGS
from blastfold.core.settings import (
    MEASUREMENT,
    ONNX,
    OWN_BACKBONES,
    VECTORS,
    head_of,
    job_values,
)
from blastfold.experiment.random_backbones import has_random_backbone
from blastfold.experiment.runs import Run, Runs, Split
from blastfold.experiment.stored_files import StoredFiles

MEASURED = "<results>/costs/measured.tsv"
"""What was measured of every network on this machine."""

BY_IMAGE = GROUPINGS[0]


def honest_split(runs: Runs, dataset: str) -> Split | None:
    """Return the split of a data set that accuracy and cost are compared under.

    It is that of several models which keeps the coarsest groups together; of several such splits
    the one with the most models, and then the first of the config.

    Args:
        runs: The runs of the experiment.
        dataset: Name of the data set.

    Returns:
        None where every split of several models is by image, since a comparison of models must not
        reward what recognises subjects.
    """

    def order(split: Split) -> tuple[int, int]:
        grouping = runs.config["protocols"][split.protocol]["group_by"]
        return GROUPINGS.index(grouping), len(runs.models_of(*split))

    protocols = runs.config["protocols"]
    splits = [
        split
        for split in runs.compared_splits
        if split.dataset == dataset and protocols[split.protocol]["group_by"] != BY_IMAGE
    ]
    return max(splits, key=order, default=None)


def measurement(runs: Runs) -> str | list:
    """Return the file of measurements; an empty list where the config leaves them out."""
    return MEASURED if runs.config["measure_speed"] else []


@dataclass(frozen=True)
class CostInputs:
    """Inputs and parameters of the rules of cost.

    Attributes:
        runs: The runs of the experiment.
        files: Their files.
    """

    runs: Runs
    files: StoredFiles

    @cached_property
    def places(self) -> list[tuple[str, str]]:
        """Data set and model of every network, in the order of the config."""
        return list(dict.fromkeys((run.dataset, run.model) for run in self.runs.shown))

    @cached_property
    def networks(self) -> list[dict]:
        """The networks that have a schematic: dataset, model, and height and width in pixels."""
        found = []
        for dataset, model in self.places:
            height, width = self.runs.config["datasets"][dataset]["image_size"]
            found.append({"dataset": dataset, "model": model, "height": height, "width": width})
        return found

    @cached_property
    def layers(self) -> list[str]:
        """The layers of each network, which are the same under every protocol."""
        runs = [self.runs.first_runs[place] for place in self.places]
        return self.files.evaluated("layers.tsv", runs)

    @cached_property
    def measured_networks(self) -> list[dict]:
        """The networks that differ in what decides their speed: settings, shape and runs."""
        found: dict[str, dict] = {}
        for dataset, model in self.places:
            entry = self.runs.config["models"][model]
            if entry["architecture"] == VECTORS:
                continue
            network = {
                # What is trained decides no prediction.
                "settings": {
                    **{"architecture": entry["architecture"], "stain": entry["stain"]},
                    **{"train": "all", **head_of(entry)},
                },
                "shape": [*self.runs.config["datasets"][dataset]["image_size"], 3],
            }
            if entry["architecture"] == ONNX:
                network["weights"] = entry["weights"]
                declared = entry[OWN_BACKBONES[ONNX]]
                network["onnx"] = {key: declared[key] for key in declared if key != "file"}
            same = found.setdefault(digest_settings(network), {**network, "runs": []})
            same["runs"].append([dataset, model])
        return list(found.values())

    @cached_property
    def measured_files(self) -> list[str]:
        """The ONNX files among these networks."""
        weights = (network.get("weights") for network in self.measured_networks)
        return list(dict.fromkeys(path for path in weights if path))

    def measured_count(self, wildcards) -> int:
        """Return the number of networks that are measured."""
        return len(self.measured_networks)

    @cached_property
    def measurement_job(self) -> dict:
        """How networks compute while they are measured."""
        return job_values(self.runs.config, MEASUREMENT)

    @cached_property
    def measured(self) -> str | list:
        """The file of measurements; none where the config leaves them out."""
        return measurement(self.runs)

    @cached_property
    def splits(self) -> list[Split]:
        """The honest split of every data set that has one."""
        found = (honest_split(self.runs, dataset) for dataset in self.runs.true_datasets)
        return [split for split in found if split]

    @cached_property
    def ranked(self) -> list[Run]:
        """The runs of the honest splits, of a model and itself with other seeds the first alone.

        By chance one of the two is higher at equal cost: as models of their own, one would be on
        the Pareto front and the other not.
        """
        return [
            Run(*split, model)
            for split in self.splits
            for model in self.runs.models_of(*split)
            if model not in {double for _, double in self.runs.controls_of(*split)}
        ]

    @cached_property
    def ranked_runs(self) -> list[dict]:
        """The same, with whether the backbone is random and frozen."""
        models = self.runs.config["models"]
        return [
            {**run._asdict(), "random_backbone": has_random_backbone(models[run.model])}
            for run in self.ranked
        ]

    @cached_property
    def intervals(self) -> list[str]:
        """The intervals of each of these runs."""
        return self.files.evaluated("intervals.tsv", self.ranked)

    @cached_property
    def comparisons(self) -> list[str]:
        """The comparisons of each honest split."""
        return [f"<results>/evaluation/{'/'.join(split)}/comparisons.tsv" for split in self.splits]

    def titles(self, wildcards) -> dict[str, str]:
        """Return the titles of the models of a data set's honest split, by name."""
        split = honest_split(self.runs, wildcards.dataset)
        titles = self.runs.titles["model"]
        return {model: titles[model] for model in self.runs.models_of(*split)}

    def title(self, wildcards) -> str:
        """Return the titles of a data set and its honest protocol."""
        split = honest_split(self.runs, wildcards.dataset)
        titles = self.runs.titles
        return f"{titles['dataset'][split.dataset]}, {titles['protocol'][split.protocol]}"
