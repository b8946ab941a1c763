"""Which stored files evaluations, tables, figures and the publication are made from.

The paths begin with Snakemake's path variable ``<results>``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from blastfold.core.names import BASELINES
from blastfold.experiment.leak_contrasts import ARMS
from blastfold.experiment.runs import Run, Runs

EXTERNAL = "external/{dataset}/{protocol}/{model}/{external}"
"""The folder of a test on another data set."""

ATTRIBUTION = "attribution/{dataset}/{protocol}/{external}"
"""The folder of the attributions of the test images of a data set."""

OF_CLASSES = ("class_metrics", "class_confusion", "class_curves")
"""Tables of an evaluation about all classes, where there are more than two."""

RECORDED_TABLES = ("layers", "metrics", "intervals")
"""Tables of an evaluation that the publication reads."""


@dataclass(frozen=True)
class StoredFiles:
    """The files of runs that later stages read.

    Attributes:
        runs: The runs of the experiment.
    """

    runs: Runs

    # Input functions, by wildcards.

    def of_training(self, name: str) -> Callable:
        """Return an input function: the files of one kind that the training of a run writes."""
        return lambda wildcards: self.trained(name, [_run_of(wildcards)])

    def records_of_training(self, wildcards) -> list[str]:
        """Return the records of the training of a run, with one or all folds in a file."""
        run = _run_of(wildcards)
        return self.trained("runs.json" if self._in_one_job(run) else "run.json", [run])

    def layers_of_training(self, wildcards) -> str:
        """Return the layers of a network, which are the same in every fold."""
        return self.trained("layers.tsv", [_run_of(wildcards)])[0]

    def networks_of_run(self, wildcards) -> list[str]:
        """Return the network of every fold of a run."""
        return self.networks([_run_of(wildcards)])

    def networks_explained(self, wildcards) -> list[str]:
        """Return the networks of all folds of every model that is explained, one after another."""
        return [path for model in self._explained(wildcards) for path in model["networks"]]

    def predictions_explained(self, wildcards) -> list[str]:
        """Return the test predictions of the same networks, one model after another."""
        return [path for model in self._explained(wildcards) for path in model["predictions"]]

    def models_explained(self, wildcards) -> list[tuple[str, int, int]]:
        """Return every model that is explained, and its numbers of networks and predictions."""
        return [
            (model["name"], len(model["networks"]), len(model["predictions"]))
            for model in self._explained(wildcards)
        ]

    def _explained(self, wildcards) -> list[dict]:
        """Return name, networks and predictions (paths) of every model that is explained.

        On another data set each network predicts every image, on its own those of its fold.
        """
        dataset, protocol, external = (
            getattr(wildcards, name) for name in ("dataset", "protocol", "external")
        )
        found = []
        for model in self.runs.attribution_at(dataset, protocol, external)["models"]:
            run = Run(dataset, protocol, model)
            place = {**run._asdict(), "external": external}
            outside = self.filled(f"{EXTERNAL}/networks.tsv", [place])
            inside = self.trained("predictions.tsv", [run])
            predictions = inside if external == dataset else outside
            found.append(
                {"name": model, "networks": self.networks([run]), "predictions": predictions}
            )
        return found

    def of_models(self, name: str) -> Callable:
        """Return an input function: one file of every model's evaluation under one protocol."""

        def files(wildcards):
            place = f"<results>/evaluation/{wildcards.dataset}/{wildcards.protocol}"
            models = self.runs.models_of(wildcards.dataset, wildcards.protocol)
            return [f"{place}/{model}/{name}" for model in models]

        return files

    def of_runs(self, name: str, choose: Callable[[str], list[Run]]) -> Callable:
        """Return an input function: one file of the evaluation of a data set's chosen runs."""
        return lambda wildcards: self.evaluated(name, choose(wildcards.dataset))

    def of_ablation(self, pattern: str, choose: Callable[[str], list[dict]]) -> Callable:
        """Return an input function: one file of every cell or point of an ablation.

        Args:
            pattern: Path below the results; braces name keys of the cell or point.
            choose: :meth:`Runs.cells_of` or :meth:`Runs.curve_of`.
        """
        return lambda wildcards: self.filled(pattern, choose(wildcards.ablation))

    def groups_of_ablation(self, wildcards) -> list[str]:
        """Return the leakage groups of every data set of an ablation."""
        datasets = self.runs.config["ablations"][wildcards.ablation]["datasets"]
        return [f"<results>/datasets/{dataset}/groups.tsv" for dataset in datasets]

    def baseline_outputs(self, name: str) -> list[str]:
        """Return one file of every trivial baseline of a split, whose names stay wildcards."""
        place = "<results>/baselines/{dataset}/{protocol}"
        return [f"{place}/{baseline}/{name}" for baseline in BASELINES]

    def of_protocols(self, pattern: str) -> Callable:
        """Return an input function: one file per protocol of a data set's shown runs."""
        return lambda wildcards: self.filled(
            pattern, [split._asdict() for split in self.runs.splits_of(wildcards.dataset)]
        )

    def of_baselines(self, name: str) -> Callable:
        """Return an input function: one file of every baseline of a data set, by protocol."""
        return lambda wildcards: [
            path.format(**split._asdict())
            for split in self.runs.splits_of(wildcards.dataset)
            for path in self.baseline_outputs(name)
        ]

    def intervals_with_baselines(self, wildcards) -> list[str]:
        """Return the intervals of a data set's shown runs and then of its baselines."""
        runs = self.evaluated("intervals.tsv", self.runs.shown_of(wildcards.dataset))
        return [*runs, *self.of_baselines("intervals.tsv")(wildcards)]

    def of_arms(self, pattern: str) -> Callable:
        """Return an input function: a file of both arms of every leak contrast of a data set.

        Args:
            pattern: Path below the results; braces name dataset, protocol and model.
        """

        def files(wildcards):
            contrasts = self.runs.contrasts_of(wildcards.dataset)
            arms = [row | {"protocol": row[arm]} for row in contrasts for arm in ARMS]
            return self.filled(pattern, arms)

        return files

    def gap_of_dataset(self, wildcards) -> str | list:
        """Return the protocol gap of a data set; none where no model has two protocols."""
        if not self.runs.gap_of(wildcards.dataset):
            return []
        return f"<results>/evaluation/{wildcards.dataset}/protocol_gap.tsv"

    def layers(self, wildcards) -> str:
        """Return the layers of a model, which are the same under every protocol."""
        run = self.runs.first_runs[wildcards.dataset, wildcards.model]
        return self.evaluated("layers.tsv", [run])[0]

    # Lists of files.

    def trained(self, name: str, runs: Iterable[Run]) -> list[str]:
        """Return the files of one kind of some trainings: of each fold, or of all at once."""
        return [
            f"<results>/training/{'/'.join(run)}/{fold}{name}"
            for run in runs
            for fold in self._fold_folders(run)
        ]

    def networks(self, runs: Iterable[Run]) -> list[str]:
        """Return the network of every fold of some runs, or the folder that holds them."""
        paths = []
        for run in runs:
            place = f"<results>/training/{'/'.join(run)}"
            if self._in_one_job(run):
                paths.append(f"{place}/networks")
            else:
                folds = range(self.runs.fold_count(run.protocol))
                paths += [f"{place}/fold-{fold}/model.keras" for fold in folds]
        return paths

    def evaluated(self, name: str, runs: Iterable[Run]) -> list[str]:
        """Return one file of the evaluation of some runs."""
        return [f"<results>/evaluation/{'/'.join(run)}/{name}" for run in runs]

    def filled(self, pattern: str, entries: Iterable[Mapping]) -> list[str]:
        """Return one file per entry; braces in the pattern name keys of the entry."""
        return [f"<results>/{pattern}".format(**entry) for entry in entries]

    def of_splits(self, ending: str) -> list[str]:
        """Return one file of every split of true labels: tsv (folds) or leakage.tsv."""
        return self._splits(ending, self.runs.true_splits)

    def of_every_split(self, ending: str) -> list[str]:
        """Return one file of every split: tsv (folds) or leakage.tsv."""
        return self._splits(ending, self.runs.splits)

    def of_datasets(self, name: str, datasets: Iterable[str]) -> list[str]:
        """Return one file of every given data set."""
        return [f"<results>/datasets/{dataset}/{name}" for dataset in datasets]

    @cached_property
    def fitted_artefacts(self) -> list[dict[str, str]]:
        """All that is fitted on images: dicts with dataset, protocol and artefact (its title)."""
        names = ("dataset", "protocol", "artefact")
        return [dict(zip(names, about, strict=True)) for *about, _ in self._fitted]

    @cached_property
    def fitted_records(self) -> list[str]:
        """The record of each of :attr:`fitted_artefacts`, in their order."""
        return [f"<results>/{path}" for *_, path in self._fitted]

    def records(self, wildcards=None) -> dict[str, list[str]]:
        """Return what the methods section and the checklists are made from, by kind of record."""
        runs = self.runs.asked
        return {
            "datasets": self.of_datasets("dataset.json", self._recorded_datasets()),
            "folds": self.of_every_split("tsv"),
            "leakage": self.of_every_split("leakage.tsv"),
            **{kind: self.evaluated(f"{kind}.tsv", runs) for kind in RECORDED_TABLES},
            **{kind: self.evaluated(f"{kind}.json", runs) for kind in ("runs", "fitted")},
            "comparisons": [
                f"<results>/evaluation/{'/'.join(split)}/comparisons.tsv"
                for split in self.runs.compared_splits
            ],
            "gaps": [
                f"<results>/evaluation/{dataset}/protocol_gap.tsv"
                for dataset in self.runs.true_datasets
                if self.runs.gap_of(dataset)
            ],
            "roc_bands": self.evaluated("roc_band.tsv", self.runs.shown),
            "operating_points": self.evaluated("operating_points.tsv", self.runs.shown),
            "external": self.filled(f"{EXTERNAL}/record.json", self.runs.external),
            "external_intervals": self.filled(f"{EXTERNAL}/intervals.tsv", self.runs.external),
            "class_metrics": self.evaluated("class_metrics.tsv", self.runs.classed),
        }

    def page(self, wildcards=None) -> dict[str, list[str]]:
        """Return what the results page is made from in addition to tables and figures, by kind."""
        shown, splits = self.runs.shown, self.runs.shown_splits
        datasets = self.runs.described_datasets
        names = ("predictions", "intervals", "subjects", "roc", "roc_band")
        return {
            "descriptions": self.of_datasets("dataset.json", datasets),
            "manifests": self.of_datasets("manifest.tsv", datasets),
            "duplicates": self.of_datasets("duplicates.tsv", self.runs.true_datasets),
            "images": self.of_datasets("images.npy", datasets),
            "leakage": self._splits("leakage.tsv", splits),
            **{name: self.evaluated(f"{name}.tsv", shown) for name in names},
            **{name: self.evaluated(f"{name}.tsv", self.runs.classed) for name in OF_CLASSES},
            "comparisons": [
                f"<results>/evaluation/{'/'.join(split)}/comparisons.tsv"
                for split in self.runs.compared_splits
            ],
            "baselines": self._baselines_of_classes(),
            "external": self.filled(f"{EXTERNAL}/predictions.tsv", self.runs.external),
            "explained": self.filled(f"{ATTRIBUTION}/cells.tsv", self.runs.attributions),
            "maps": self.filled(f"{ATTRIBUTION}/maps.npz", self.runs.attributions),
        }

    def _baselines_of_classes(self) -> list[str]:
        """Return the intervals of the baselines of splits with more than two classes.

        The table of results has only those of the positive classes.
        """
        splits = dict.fromkeys((run.dataset, run.protocol) for run in self.runs.classed)
        return [
            f"<results>/baselines/{'/'.join(split)}/{baseline}/intervals.tsv"
            for split in splits
            for baseline in BASELINES
        ]

    def _recorded_datasets(self) -> list[str]:
        """Return the data sets that networks are trained or tested on."""
        tested = (run["external"] for run in self.runs.external)
        return list(dict.fromkeys([*self.runs.datasets, *tested]))

    @cached_property
    def _fitted(self) -> list[tuple[str, str, str, str]]:
        """Dataset, protocol, title and path of the record of everything that is fitted."""
        fitted = [
            (*split, "mean image", f"mean_images/{'/'.join(split)}.json")
            for split in self.runs.splits
        ]
        fitted += [
            (*split, f"{stain} stain", f"stain/{'/'.join(split)}/{stain}.json")
            for split in self.runs.splits
            for stain in self.runs.stains_of(*split)
        ]
        for run in self.runs.asked:
            place, title = f"evaluation/{'/'.join(run)}", self.runs.titles["model"][run.model]
            fitted += [
                (*run[:2], f"network {title}", f"{place}/runs.json"),
                (*run[:2], f"temperature and thresholds of {title}", f"{place}/fitted.json"),
            ]
        return fitted

    def _in_one_job(self, run: Run) -> bool:
        """Return whether one job trains all folds of a run."""
        return run.model not in self.runs.single_models

    def _fold_folders(self, run: Run) -> list[str]:
        if self._in_one_job(run):
            return [""]
        return [f"fold-{fold}/" for fold in range(self.runs.fold_count(run.protocol))]

    def _splits(self, ending: str, splits: Iterable[tuple[str, str]]) -> list[str]:
        return [f"<results>/folds/{dataset}/{protocol}.{ending}" for dataset, protocol in splits]


def _run_of(wildcards) -> Run:
    return Run(wildcards.dataset, wildcards.protocol, wildcards.model)
