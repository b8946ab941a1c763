"""What data sets and slides are made from: raw files, slides, other data sets, and the settings.

Functions that take ``wildcards`` are input or parameter functions of rules. The paths that they
return begin with Snakemake's path variable ``<results>`` where they are results.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import yaml

from blastfold.core.names import INTENDED, WITH_LEAK
from blastfold.experiment.config_locked_tests import LOCKED, OPEN
from blastfold.experiment.detectors import detector_file, without_file
from blastfold.experiment.raw_data import RawData, file_megabytes
from blastfold.experiment.slide_sheet import (
    check_chosen_slides,
    demo_slides,
    read_regions,
    read_slides,
)

IMPORTED = (
    *("format", "image_size", "crop", "parts", "classes", "sheet", "boxes", "pattern", "ignore"),
    *("conflicts", "suspicious", "detector", "own_classes"),
)
"""Keys of a data set that change its import."""

DETECTED = ("detector", "classes", "own_classes", "sheet", "boxes", "ignore")
"""Keys of a data set that change which cells are detected, or what is a photograph."""

TISSUE = ("pcam", "tiles")
"""Formats whose images do not show one cell each."""

NOT_TILED = ("sheet", "demo", "regions")
"""Keys of ``slides`` that change nothing about the tiles of one slide."""

JUDGED = ("sheet", "boxes", "ignore", "classes", "own_classes")
"""Keys of a data set of photographs that change which of its leukocytes are known."""

NOT_SPLIT = ("title", "leakage", "same_folds_as", "contrast")
"""Keys of a protocol that change nothing about its folds."""


@dataclass(frozen=True)
class DatasetInputs:
    """What the rules of data sets, slides and folds read.

    Attributes:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        slides: Rows of the sheet of slides, by slide; empty without slides.
        regions: Labelled regions, by slide.
        raw: Its raw files.
        public_counts: What public data sets hold, by format (resources/datasets.yaml).
    """

    config: Mapping
    slides: Mapping[str, dict]
    regions: Mapping[str, list[dict]]
    raw: RawData
    public_counts: Mapping[str, dict]

    @classmethod
    def read(
        cls,
        config: Mapping,
        slide_schema: str | Path,
        results: str = "results",
        public_counts: str | Path | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> "DatasetInputs":
        """Read the sheet of slides and the table of regions that a config names.

        Args:
            config: A config as :func:`blastfold.experiment.config.check_config` returns it.
            slide_schema: JSON schema of a row of the sheet, as YAML.
            results: The folder of results.
            public_counts: resources/datasets.yaml; None for no public data sets.
            progress: Is given a line every few seconds while raw files are read.

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
        raw = RawData(config, slides, results, progress)
        known = yaml.safe_load(Path(public_counts).read_text("utf-8")) if public_counts else {}
        return cls(config, slides, regions, raw, known)

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
        return self.except_format("grown", "permuted", "selected", "tiles", OPEN, LOCKED)

    @cached_property
    def expected(self) -> dict[str, dict]:
        """What the public data set of the same format holds, by data set."""
        datasets = self.config["datasets"]
        return {
            name: self.public_counts[entry["format"]]
            for name, entry in datasets.items()
            if entry["format"] in self.public_counts
        }

    def generated_folder(self, wildcards) -> str | list:
        """Return the folder of generated images; an empty list for raw files."""
        name = self._imported_as(wildcards.dataset)
        return f"<results>/demo/{name}" if self.config["datasets"][name]["format"] == "demo" else []

    def as_imported(self, datasets: Iterable[str]) -> list[str]:
        """Return the data sets whose imports are accounted for, each with its locked part."""
        return [self._imported_as(dataset) for dataset in datasets]

    def _imported_as(self, dataset: str) -> str:
        """Return the data set whose files a data set has: of a part the whole."""
        entry = self.config["datasets"][dataset]
        return entry["of"] if entry["format"] in (OPEN, LOCKED) else dataset

    def detected_cells(self, wildcards) -> list[str]:
        """Return the tables of the cells detected in a data set's photographs; else nothing."""
        if self.config["datasets"][wildcards.dataset]["format"] != "photographs":
            return []
        folder = f"<results>/cells/{wildcards.dataset}"
        return [f"{folder}/cells.tsv", f"{folder}/photographs.tsv"]

    def detector_settings(self, wildcards) -> dict:
        """Return what of a data set's entry changes the detected cells."""
        entry = self.config["datasets"][wildcards.dataset]
        return _of_entry(entry, DETECTED)

    def detection_place(self, wildcards) -> SimpleNamespace:
        """Return :meth:`raw_place` with the ONNX file of the detector, None for the classical."""
        detector = self.config["datasets"][wildcards.dataset].get("detector") or {}
        return SimpleNamespace(**vars(self.raw_place(wildcards)), detector=detector_file(detector))

    @cached_property
    def judged(self) -> list[str]:
        """The data sets of photographs whose leukocytes are all known: by boxes or positions."""
        return [name for name in self.of_format("photographs") if self._is_judged(name)]

    def _is_judged(self, name: str) -> bool:
        entry = self.config["datasets"][name]
        if entry.get("boxes"):
            return True
        sheet = Path(entry.get("path", ""), entry.get("sheet") or "")
        return bool(entry.get("sheet")) and has_positions(sheet)

    def judged_settings(self, wildcards) -> dict:
        """Return what of a data set's entry changes which leukocytes are known."""
        entry = self.config["datasets"][wildcards.dataset]
        return {key: entry[key] for key in JUDGED if key in entry}

    def raw_digest(self, wildcards) -> str | None:
        """Return the digest of a data set's raw files; None for generated ones."""
        return self.raw.dataset_digest(wildcards.dataset)

    def photographs_digest(self, wildcards) -> str | None:
        """Return the digest of the photographs of a data set's crops; None without them."""
        return self.raw.photographs_digest(wildcards.dataset)

    def raw_place(self, wildcards) -> SimpleNamespace:
        """Return what the import must know of raw files and what changes no image."""
        name = self._imported_as(wildcards.dataset)
        place = self.raw.dataset_place(name, self.expected.get(name))
        return SimpleNamespace(**vars(place), positive=self.positive_classes(wildcards))

    def tiles_place(self, wildcards) -> SimpleNamespace:
        """Return what the import of tiles must know and what changes no image."""
        return SimpleNamespace(positive=self.positive_classes(wildcards))

    def raw_megabytes(self, wildcards) -> float:
        """Return the size of what an import reads in MB."""
        return self.raw.dataset_megabytes(wildcards.dataset)

    def slide_megabytes(self, wildcards) -> float:
        """Return the size of the file of a slide in MB; 0 where it does not exist yet."""
        return file_megabytes(Path(self.slides[wildcards.slide]["path"]))

    def demo_cells(self, wildcards) -> int:
        """Return the number of generated cells."""
        return demo_images(self.config["datasets"][wildcards.dataset]["demo"])

    def demo_slide_megabytes(self, wildcards) -> float:
        """Return the size of the pixels of a generated slide in MB."""
        height, width = self.config["slides"]["demo"]["size"]
        return 3 * height * width / 2**20

    def import_settings(self, wildcards) -> dict:
        """Return what of a data set's entry changes its import."""
        entry = self.config["datasets"][wildcards.dataset]
        return _of_entry(entry, IMPORTED)

    def tiles_settings(self, wildcards) -> dict:
        """Return what of a data set of tiles, and of its slides' rows, changes its import."""
        rows = {
            slide: {
                **{key: self.slides[slide][key] for key in ("subject", "picture", "label")},
                "regions": self.regions.get(slide, []),
            }
            for slide in self._chosen_slides(wildcards.dataset)
        }
        return self.import_settings(wildcards) | {"slides": rows}

    def of_slides(self, name: str) -> Callable:
        """Return an input function: one file of every slide of a data set of tiles."""

        def files(wildcards):
            slides = self._chosen_slides(wildcards.dataset)
            return [f"<results>/slides/{slide}/{name}" for slide in slides]

        return files

    def generated_slide(self, wildcards) -> str | list:
        """Return the file of a generated slide; an empty list for another one."""
        return self.slides[wildcards.slide]["path"] if "demo" in self.config["slides"] else []

    def slide_digest(self, wildcards) -> str | None:
        """Return the digest of a slide; None for a generated one."""
        return self.raw.slide_digest(wildcards.slide)

    def slide_place(self, wildcards) -> SimpleNamespace:
        """Return the path of a slide, which changes no tile."""
        return self.raw.slide_place(wildcards.slide)

    def slide_label(self, wildcards) -> str:
        """Return the label of a slide."""
        return self.slides[wildcards.slide]["label"]

    def slide_row(self, *keys: str) -> Callable:
        """Return a parameter function: some columns of a slide's row."""
        return lambda wildcards: {key: self.slides[wildcards.slide][key] for key in keys}

    def demo_slides_settings(self, wildcards) -> dict:
        """Return what changes a generated slide; the number of slides does not."""
        return _without(self.config["slides"]["demo"], ("slides",))

    def tiling_settings(self, wildcards) -> dict:
        """Return what of the config's ``slides`` changes the tiles of one slide."""
        return _without(self.config["slides"], NOT_TILED)

    def measuring_settings(self, wildcards) -> dict:
        """Return the crop of a data set, whether its images show one cell, and what measures it."""
        base = self.config["datasets"][wildcards.dataset]
        while "of" in base:
            base = self.config["datasets"][base["of"]]
        return {
            "crop": self.config["datasets"][self._imported_as(wildcards.dataset)].get("crop"),
            "cells": base["format"] not in TISSUE,
            "by_masks": base["format"] != "demo",
        }

    def mask_place(self, wildcards) -> SimpleNamespace:
        """Return the folder of a data set's masks; None where it has no raw files of its own."""
        imported = self._imported_as(wildcards.dataset) in self.imported
        own = imported and not self.generated_folder(wildcards)
        return SimpleNamespace(folder=self.raw_place(wildcards).folder if own else None)

    def part_settings(self, wildcards) -> dict:
        """Return what decides which images of a data set are locked away, or are taken."""
        entry = self.config["datasets"][wildcards.dataset]
        kept = {key: entry[key] for key in ("format", "locked_test")}
        return {"name": wildcards.dataset, **kept}

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

    def tested_duplicates(self, wildcards) -> dict:
        """Return when images of an external data set count as duplicates."""
        return self.config["datasets"][wildcards.external]["duplicates"]

    def protocol_settings(self, wildcards) -> dict:
        """Return what of a protocol's entry changes its folds; the name seeds the draws."""
        entry = self.config["protocols"][wildcards.protocol]
        name = entry.get("same_folds_as", wildcards.protocol)
        if "contrast" in entry:
            # Both arms draw the same images.
            name = entry["contrast"]["name"]
        return _without({**entry, "name": name}, NOT_SPLIT)

    def independent_images(self, wildcards) -> bool:
        """Return whether images without a named subject are independent.

        The config declares it for a data set or for its base. Generated images have
        no relations but the named ones.
        """
        entry = self.config["datasets"][wildcards.dataset]
        while "of" in entry and not entry.get("independent_images"):
            entry = self.config["datasets"][entry["of"]]
        return bool(entry.get("independent_images")) or entry["format"] == "demo"

    def positive_classes(self, wildcards) -> list[str] | None:
        """Return the names of the positive classes of a data set; None for the last of two.

        A data set that is made from another one has those of it.
        """
        entry = self.config["datasets"][wildcards.dataset]
        while "of" in entry and not entry.get("positive"):
            entry = self.config["datasets"][entry["of"]]
        return entry.get("positive")

    def ordered(self, wildcards) -> bool:
        """Return whether the classes of a data set, or of what it is made from, are grades."""
        entry = self.config["datasets"][wildcards.dataset]
        while "of" in entry:
            entry = self.config["datasets"][entry["of"]]
        return entry["ordered"]

    def removed_duplicates(self, wildcards) -> str | list:
        """Return the duplicates that take no part in any split of a data set; none otherwise.

        A grown data set has lost those of its base before it grew, and keeps its copies.
        """
        entry = self.config["datasets"][wildcards.dataset]
        while entry["format"] == "permuted":
            entry = self.config["datasets"][entry["of"]]
        removed = entry["remove_duplicates"] and entry["format"] != "grown"
        return f"<results>/datasets/{wildcards.dataset}/duplicates.tsv" if removed else []

    def removed_before_growing(self, wildcards) -> str | list:
        """Return the duplicates of a base that are removed before it is grown; none otherwise."""
        entry = self.config["datasets"][wildcards.dataset]
        if not entry["remove_duplicates"]:
            return []
        return f"<results>/datasets/{entry['of']}/duplicates.tsv"

    def leakage_rule(self, wildcards) -> str:
        """Return what a protocol does about leakage: forbid, report, or that it is intended."""
        entry = self.config["protocols"][wildcards.protocol]
        return INTENDED if entry.get("arm") == WITH_LEAK else entry["leakage"]

    def _chosen_slides(self, dataset: str) -> list[str]:
        return self.config["datasets"][dataset].get("slides") or list(self.slides)


def has_positions(sheet: Path) -> bool:
    """Return whether a sheet has positions of all cells: not those that a detector found.

    A sheet that cannot be read has none; its import says why.
    """
    try:
        with sheet.open(encoding="utf-8-sig") as lines:
            columns = re.split("[\t,;]", lines.readline().strip().lower())
    except (OSError, UnicodeDecodeError):
        return False
    named = {column.strip(' "') for column in columns}
    return {"x", "y"} <= named and "origin" not in named


def _of_entry(entry: Mapping, keys: tuple[str, ...]) -> dict:
    """Return some keys of a data set's entry, without the place of its detector's file."""
    chosen = {key: entry[key] for key in keys if key in entry}
    return (
        chosen | {"detector": without_file(entry["detector"])} if "detector" in chosen else chosen
    )


def demo_images(demo: Mapping) -> int:
    """Return how many images a generated data set has."""
    pictures = 2 * demo["subjects_per_class"] * demo["pictures_per_subject"]
    return pictures * demo["cells_per_picture"] + demo["duplicates"]


def _without(entry: Mapping, keys: tuple[str, ...]) -> dict:
    return {key: entry[key] for key in sorted(entry) if key not in keys}
