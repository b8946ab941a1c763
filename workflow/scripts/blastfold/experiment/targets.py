"""Everything that an experiment can be asked for: data sets, folds, models, tables, figures.

The paths begin with Snakemake's path variable ``<results>``.
"""

import string
from collections.abc import Iterable
from dataclasses import dataclass

from blastfold.experiment.cost_inputs import honest_split, measurement
from blastfold.experiment.dataset_inputs import DatasetInputs
from blastfold.experiment.identity import Identity
from blastfold.experiment.runs import Runs
from blastfold.experiment.stored_files import ATTRIBUTION, EXTERNAL, StoredFiles
from blastfold.experiment.transfers import starts_from_sources

ENDINGS = {"tables": ("tsv", "tex", "md", "html"), "figures": ("pdf", "svg", "png")}
"""The formats of tables and of figures."""

CATEGORIES = (
    "Data sets",
    "Slides",
    "Audit",
    "Training",
    "Evaluation",
    "Comparison",
    "Ablation",
    "Reproduction",
)
"""The sections of the report, in its order."""

WILDCARDS = {
    "once": (),
    "source tasks": (),
    "canaries": (),
    "permutations": (),
    "tuned models": (),
    "reproductions": (),
    "external tests": (),
    "external tests of many classes": (),
    "identity audits": (),
    "attributions": ("dataset", "protocol", "external"),
    "slides": ("slide",),
    "datasets": ("dataset",),
    "original datasets": ("dataset",),
    "scored datasets": ("dataset",),
    "judged photographs": ("dataset",),
    "datasets of several protocols": ("dataset",),
    "datasets of repeated protocols": ("dataset",),
    "datasets of leak contrasts": ("dataset",),
    "datasets of honest comparisons": ("dataset",),
    "datasets of many classes": ("dataset",),
    "networks": ("dataset", "model"),
    "splits": ("dataset", "protocol"),
    "splits of several models": ("dataset", "protocol"),
    "splits of several models and many classes": ("dataset", "protocol"),
    "stains": ("dataset", "protocol", "stain"),
    "runs": ("dataset", "protocol", "model"),
    "runs of many classes": ("dataset", "protocol", "model"),
    "runs of many classes elsewhere": ("dataset", "protocol", "model", "external"),
    "ablations": ("ablation",),
    "learning curves": ("ablation",),
}
"""Where a product may exist, with the wildcards in its name. A rule that does not say where takes
the first place with the wildcards of its product's name."""


@dataclass(frozen=True)
class Product:
    """A table or a figure that a rule declares.

    Attributes:
        kind: ``tables`` or ``figures``.
        name: Path below the folder of its kind, without ending, with wildcards in braces.
        category: Its section of the report, one of :data:`CATEGORIES`.
        where: The places where it exists, a key of :data:`WILDCARDS`.
    """

    kind: str
    name: str
    category: str
    where: str

    @classmethod
    def declared(cls, kind: str, name: str, category: str, where: str | None) -> "Product":
        """Return a product; without a place, the first one with the wildcards of its name."""
        wildcards = tuple(field for _, field, _, _ in string.Formatter().parse(name) if field)
        places = [place for place, fields in WILDCARDS.items() if fields == wildcards]
        return cls(kind, name, category, where or places[0])


@dataclass(frozen=True)
class Targets:
    """The files that the named targets of the workflow ask for.

    Attributes:
        runs: The runs of the experiment.
        files: Their files.
        inputs: Its data sets and slides.
        identity: What is compared by content.
    """

    runs: Runs
    files: StoredFiles
    inputs: DatasetInputs
    identity: Identity

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
        """Return the folds of every split and the audits of what crosses them."""
        return self.files.of_every_split("tsv") + self.files.of_every_split("leakage.tsv")

    def models(self) -> list[str]:
        """Return the networks of every fold, all predictions and the measured speed of networks.

        These are the jobs that run networks, on a GPU where there is one.
        """
        own = [run for run in self.runs.asked if self.runs.has_own_backbone(run)]
        return [
            *filter(None, [measurement(self.runs)]),
            *self.files.networks(run for run in self.runs.asked if run not in own),
            # A backbone that is a file stays there; what is trained is the head.
            *(f"<results>/training/{'/'.join(run)}/heads" for run in own),
            *self.files.trained("predictions.tsv", self.runs.asked),
            *self.external("predictions.tsv"),
        ]

    def external(self, name: str) -> list[str]:
        """Return one file of every test on another data set."""
        return self.files.filled(f"{EXTERNAL}/{name}", self.runs.external)

    def of_external_classes(self, name: str) -> list[str]:
        """Return one file of every test on another data set with more than two classes."""
        return self.files.filled(f"{EXTERNAL}/{name}", self.runs.external_classed)

    def attributions(self, name: str) -> list[str]:
        """Return one file of the attributions of every place."""
        return self.files.filled(f"{ATTRIBUTION}/{name}", self.runs.attributions)

    def shown(self, products: Iterable[Product], endings: Iterable[str] = ()) -> list[str]:
        """Return the files of tables or figures, in the order of a report.

        Args:
            products: The tables or the figures that rules declare.
            endings: The formats; all formats of the products when empty.

        Returns:
            Paths of every place where a product exists.
        """
        ordered = sorted(products, key=lambda product: CATEGORIES.index(product.category))
        return [
            f"<results>/{product.kind}/{product.name.format(**place)}.{ending}"
            for product in ordered
            for place in self.places(product.where)
            for ending in endings or ENDINGS[product.kind]
        ]

    def places(self, where: str) -> list[dict[str, str]]:
        """Return the values of the wildcards of every place where a product exists.

        Args:
            where: One of the names below.

        Raises:
            KeyError: The name is not known.
        """
        runs, config = self.runs, self.runs.config
        datasets = {name: config["datasets"][name] for name in runs.true_datasets}
        splits = [*runs.shown_splits]
        listed = {
            "once": [()],
            "source tasks": [()] if starts_from_sources(config) else [],
            "canaries": [()] if runs.canaries else [],
            "permutations": [()] if runs.permuted else [],
            "tuned models": [()] if runs.tuned else [],
            "reproductions": [()] if runs.reproduces_something else [],
            "external tests": [()] if runs.external else [],
            "external tests of many classes": [()] if runs.external_classed else [],
            "identity audits": [()] if self.identity.splits else [],
            "attributions": [
                (entry["dataset"], entry["protocol"], entry["external"])
                for entry in runs.attributions
            ],
            "slides": [(slide,) for slide in self.inputs.slides],
            "datasets": [(name,) for name in datasets],
            # The augmentation of a derived data set is that of the one that it was made from.
            "original datasets": [
                (name,) for name, entry in datasets.items() if entry.get("of") not in datasets
            ],
            "scored datasets": [
                (name,)
                for name, entry in datasets.items()
                if entry.get("select", {}).get("method") == "discriminative"
            ],
            "judged photographs": [(name,) for name in datasets if name in self.inputs.judged],
            "datasets of several protocols": [(name,) for name in datasets if runs.gap_of(name)],
            "datasets of repeated protocols": [
                (name,) for name in datasets if runs.repeated_of(name)
            ],
            "datasets of leak contrasts": [(name,) for name in datasets if runs.contrasts_of(name)],
            "datasets of honest comparisons": [
                (name,) for name in datasets if honest_split(runs, name)
            ],
            "datasets of many classes": [
                (name,) for name in datasets if runs.has_many_classes(name)
            ],
            "networks": [(name, model) for name in datasets for model in runs.models_of(name)],
            "splits": splits,
            "splits of several models": runs.compared_splits,
            "splits of several models and many classes": [
                split for split in runs.compared_splits if runs.has_many_classes(split.dataset)
            ],
            "stains": [(*split, stain) for split in splits for stain in runs.stains_of(*split)],
            "runs": runs.shown,
            "runs of many classes": runs.classed,
            "runs of many classes elsewhere": [
                tuple(run[name] for name in WILDCARDS["runs of many classes elsewhere"])
                for run in runs.external_classed
            ],
            "ablations": [(name,) for name in config["ablations"] if runs.cells_of(name)],
            "learning curves": [(name,) for name in config["ablations"] if runs.curve_of(name)],
        }
        return [dict(zip(WILDCARDS[where], place, strict=True)) for place in listed[where]]

    def page(self) -> str:
        """Return the results page, which is made last."""
        return "<results>/index.html"

    def publication(self) -> list[str]:
        """Return the publication pack."""
        names = ["methods.md", "methods.tex", "provenance.json", "main.tex", "supplement.tex"]
        names += ["tables", "figures"]
        names += [
            f"checklist_{checklist}.{ending}"
            for checklist in ("claim", "tripod_ai")
            for ending in ("tsv", "md")
        ]
        return [f"<results>/publication/{name}" for name in names]
