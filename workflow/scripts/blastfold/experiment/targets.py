"""Everything that an experiment can be asked for: data sets, folds, models, tables, figures.

The paths begin with Snakemake's path variable ``<results>``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from blastfold.experiment.dataset_inputs import DatasetInputs
from blastfold.experiment.runs import Runs
from blastfold.experiment.stored_files import StoredFiles

TABLE_ENDINGS = ("tsv", "tex", "md")
FIGURE_ENDINGS = ("pdf", "svg", "png")


@dataclass(frozen=True)
class Targets:
    """The files that the named targets of the workflow ask for.

    Attributes:
        runs: The runs of the experiment.
        files: Their files.
        inputs: Its data sets and slides.
    """

    runs: Runs
    files: StoredFiles
    inputs: DatasetInputs

    def datasets(self) -> list[str]:
        """Return the tables of every data set that networks are trained on."""
        names = ("manifest", "rejected", "duplicates", "groups")
        return [
            path
            for name in names
            for path in self.files.of_datasets(f"{name}.tsv", self.runs.datasets)
        ]

    def tiles(self) -> list[str]:
        """Return the table and the figure of every slide's tiles."""
        slides = self.inputs.slides
        return [f"<results>/slides/{slide}/tiles.tsv" for slide in slides] + [
            f"<results>/figures/slides/{slide}.png" for slide in slides
        ]

    def folds(self) -> list[str]:
        """Return the folds of every split and the audit of what crosses them."""
        return self.files.of_every_split("tsv") + self.files.of_every_split("leakage.tsv")

    def models(self) -> list[str]:
        """Return the networks of every fold and all predictions."""
        return [
            *self.files.networks(self.runs.asked),
            *self.files.trained("predictions.tsv", self.runs.asked),
            *self.external("predictions.tsv"),
        ]

    def external(self, name: str) -> list[str]:
        """Return one file of every test on another data set."""
        pattern = f"external/{{dataset}}/{{protocol}}/{{model}}/{{external}}/{name}"
        return self.files.filled(pattern, self.runs.external)

    def tables(self, endings: Iterable[str] = TABLE_ENDINGS) -> list[str]:
        """Return every table as TSV, LaTeX and Markdown."""
        runs = self.runs
        names = ["datasets", "splits", "reproduction", "literature"]
        names += ["leakage", "fitted_artefacts", "printed_audit", "compute_cost"]
        for dataset in runs.true_datasets:
            names += [f"{dataset}/{name}" for name in ("results", "duplicates")]
        names += self._protocol_gaps()
        names += [f"{'/'.join(split)}/comparisons" for split in runs.compared_splits]
        names += ["/".join(run) for run in runs.shown]
        names += self._ablations("effects", "cells", "learning_curve")
        names += ["canaries"] if runs.canaries else []
        names += ["external_test"] if runs.external else []
        for split in runs.shown_splits:
            names += [f"{'/'.join(split)}/{name}" for name in ("calibration", "operating_points")]
        return [f"<results>/tables/{name}.{ending}" for name in names for ending in endings]

    def figures(self, endings: Iterable[str] = FIGURE_ENDINGS) -> list[str]:
        """Return every figure as PDF, SVG and PNG."""
        runs = self.runs
        names = ["literature_comparison", "leakage"]
        names += ["external_test"] if runs.external else []
        names += [f"slides/{slide}" for slide in self.inputs.slides]
        for dataset in runs.true_datasets:
            names += self._figures_of_dataset(dataset)
        for dataset, protocol in runs.shown_splits:
            of_split = ["mean_images", "roc", "precision_recall", "calibration", "risk_coverage"]
            of_split += [f"stain_{stain}" for stain in runs.stains_of(dataset, protocol)]
            names += [f"{dataset}/{protocol}/{name}" for name in of_split]
        names += self._protocol_gaps()
        names += [f"{'/'.join(split)}/differences" for split in runs.compared_splits]
        names += self._ablations("effects", "learning_curve")
        for run in runs.shown:
            names += [f"{'/'.join(run)}/{name}" for name in ("training_curves", "confusion_matrix")]
        return [f"<results>/figures/{name}.{ending}" for name in names for ending in endings]

    def publication(self) -> list[str]:
        """Return the publication pack."""
        names = ["methods.md", "methods.tex", "provenance.json", "main.tex", "tables", "figures"]
        names += [
            f"checklist_{checklist}.{ending}"
            for checklist in ("claim", "tripod_ai")
            for ending in ("tsv", "md")
        ]
        return [f"<results>/publication/{name}" for name in names]

    def _figures_of_dataset(self, dataset: str) -> list[str]:
        entry = self.runs.config["datasets"][dataset]
        names = ["example_images", "class_distribution", "duplicates", "accuracy_comparison"]
        # The augmentation of a derived data set is that of the one that it was made from.
        if entry.get("of") not in self.runs.true_datasets:
            names.append("augmented_images")
        names += [f"architectures/{model}" for model in self.runs.models_of(dataset)]
        if entry.get("select", {}).get("method") == "discriminative":
            names.append("selected_tiles")
        return [f"{dataset}/{name}" for name in names]

    def _protocol_gaps(self) -> list[str]:
        datasets = self.runs.true_datasets
        return [f"{dataset}/protocol_gap" for dataset in datasets if self.runs.gap_of(dataset)]

    def _ablations(self, *names: str) -> list[str]:
        """Return the pages of every ablation that has cells, or a learning curve, to show."""
        return [
            f"ablations/{ablation}/{name}"
            for ablation in self.runs.config["ablations"]
            for name in names
            if (
                self.runs.curve_of(ablation)
                if name == "learning_curve"
                else self.runs.cells_of(ablation)
            )
        ]
