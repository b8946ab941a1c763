"""What data sets and slides are made from: raw files, slides, other data sets, and the settings.

Functions that take ``wildcards`` are input or parameter functions of rules. The paths that they
return begin with Snakemake's path variable ``<results>`` where they are results.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from blastfold.core.errors import InputError
from blastfold.core.files import digest_listing
from blastfold.experiment.slide_sheet import (
    check_chosen_slides,
    demo_slides,
    read_regions,
    read_slides,
)

NOT_IMPORTED = ("demo", "duplicates", "reproduces")
"""Keys of a data set that change nothing about its import."""

NOT_TILED = ("sheet", "demo", "regions")
"""Keys of ``slides`` that change nothing about the tiles of one slide."""

NOT_SPLIT = ("title", "leakage", "same_folds_as")
"""Keys of a protocol that change nothing about its folds."""


@dataclass(frozen=True)
class DatasetInputs:
    """What the rules of data sets, slides and folds read.

    Attributes:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        slides: Rows of the sheet of slides, by slide; empty without slides.
        regions: Labelled regions, by slide.
        results: The folder of results.
    """

    config: Mapping
    slides: Mapping[str, dict]
    regions: Mapping[str, list[dict]]
    results: str

    @classmethod
    def read(
        cls, config: Mapping, slide_schema: str | Path, results: str = "results"
    ) -> "DatasetInputs":
        """Read the sheet of slides and the table of regions that a config names.

        Args:
            config: A config as :func:`blastfold.experiment.config.check_config` returns it.
            slide_schema: JSON schema of a row of the sheet, as YAML.
            results: The folder of results.

        Raises:
            InputError: A table is not as expected, or a data set names an unknown slide.
        """
        settings = config.get("slides")
        slides, regions = {}, {}
        if settings and "demo" in settings:
            slides = demo_slides(settings["demo"], "<results>/demo_slides")
        elif settings:
            slides = read_slides(settings["sheet"], slide_schema)
        if settings and settings["regions"]:
            regions = read_regions(settings["regions"], slides)
        check_chosen_slides(config["datasets"], slides)
        return cls(config, slides, regions, results)

    def of_format(self, *formats: str) -> list[str]:
        """Return the data sets of some formats."""
        return [
            name for name, entry in self.config["datasets"].items() if entry["format"] in formats
        ]

    def except_format(self, *formats: str) -> list[str]:
        """Return the data sets of all formats but some."""
        return [name for name in self.config["datasets"] if name not in self.of_format(*formats)]

    @cached_property
    def imported(self) -> list[str]:
        """The data sets that are imported from a raw folder."""
        return self.except_format("grown", "permuted", "selected", "tiles")

    def raw_folder(self, wildcards) -> str:
        """Return the folder that a data set is imported from.

        Raises:
            InputError: The folder does not exist, and neither do the imported images, from which
                all that follows can be computed again.
        """
        name = wildcards.dataset
        entry = self.config["datasets"][name]
        if entry["format"] == "demo":
            return f"<results>/demo/{name}"
        imported = Path(self.results, "datasets", name, "images.npy")
        if not Path(entry["path"]).exists() and not imported.exists():
            raise InputError(
                f"data set {name}: the folder {entry['path']} does not exist. Put the raw files "
                f"or a symbolic link to them there, or set datasets.{name}.path; "
                "resources/README.md describes how to obtain each data set."
            )
        return entry["path"]

    def raw_listing(self, wildcards) -> str | None:
        """Return a digest of names and sizes of the raw files; None for generated data."""
        entry = self.config["datasets"][wildcards.dataset]
        return None if entry["format"] == "demo" else digest_listing(entry["path"])

    def import_settings(self, wildcards) -> dict:
        """Return what of a data set's entry changes its import."""
        return _without(self.config["datasets"][wildcards.dataset], NOT_IMPORTED)

    def tiles_settings(self, wildcards) -> dict:
        """Return what of a data set of tiles, and of its slides' rows, changes its import."""
        rows = {
            slide: {key: self.slides[slide][key] for key in ("subject", "picture")}
            for slide in self._chosen_slides(wildcards.dataset)
        }
        return self.import_settings(wildcards) | {"slides": rows}

    def of_slides(self, name: str) -> Callable:
        """Return an input function: one file of every slide of a data set of tiles."""

        def files(wildcards):
            slides = self._chosen_slides(wildcards.dataset)
            return [f"<results>/slides/{slide}/{name}" for slide in slides]

        return files

    def slide_file(self, wildcards) -> str:
        """Return the file of a slide.

        Raises:
            InputError: The file does not exist, and neither do the slide's tiles.
        """
        slide = wildcards.slide
        path = self.slides[slide]["path"]
        tiles = Path(self.results, "slides", slide, "tiles.h5")
        if "demo" in self.config["slides"] or Path(path).exists() or tiles.exists():
            return path
        raise InputError(
            f"'{self.config['slides']['sheet']}', slide {slide}: the file {path} does not exist. "
            "Correct the column path, or put the slide or a link to it there."
        )

    def slide_label(self, wildcards) -> str:
        """Return the label of a slide."""
        return self.slides[wildcards.slide]["label"]

    def slide_row(self, *keys: str) -> Callable:
        """Return a parameter function: some columns of a slide's row."""
        return lambda wildcards: {key: self.slides[wildcards.slide][key] for key in keys}

    def demo_slides_settings(self, wildcards) -> dict:
        """Return the settings of generated slides."""
        return self.config["slides"]["demo"]

    def regions_of(self, wildcards) -> list[dict]:
        """Return the labelled regions of a slide."""
        return self.regions.get(wildcards.slide, [])

    def tiling_settings(self, wildcards) -> dict:
        """Return what of the config's ``slides`` changes the tiles of one slide."""
        return _without(self.config["slides"], NOT_TILED)

    def of_base(self, name: str) -> Callable:
        """Return an input function: a file of the data set that a derived one is made from."""

        def file(wildcards):
            return f"<results>/datasets/{self.config['datasets'][wildcards.dataset]['of']}/{name}"

        return file

    def entry(self, *keys: str) -> Callable:
        """Return a parameter function: some keys of a data set's entry."""
        datasets = self.config["datasets"]
        return lambda wildcards: {key: datasets[wildcards.dataset][key] for key in keys}

    def key(self, name: str) -> Callable:
        """Return a parameter function: one key of a data set's entry."""
        return lambda wildcards: self.config["datasets"][wildcards.dataset][name]

    def protocol_settings(self, wildcards) -> dict:
        """Return what of a protocol's entry changes its folds; the name seeds the draws."""
        entry = self.config["protocols"][wildcards.protocol]
        name = entry.get("same_folds_as", wildcards.protocol)
        return _without({**entry, "name": name}, NOT_SPLIT)

    def leakage_rule(self, wildcards) -> str:
        """Return what a protocol does about leakage: forbid or report."""
        return self.config["protocols"][wildcards.protocol]["leakage"]

    def _chosen_slides(self, dataset: str) -> list[str]:
        return self.config["datasets"][dataset].get("slides") or list(self.slides)


def _without(entry: Mapping, keys: tuple[str, ...]) -> dict:
    return {key: entry[key] for key in sorted(entry) if key not in keys}
