"""The raw files of an experiment: where they are, and digests of what is in them.

Their content decides what is imported again; their dates and their place do not. The digest is a
parameter of the rules. The place is in a namespace, which Snakemake does not compare, so that files
on another disk are not imported again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from blastfold.core.errors import InputError
from blastfold.core.files import exists
from blastfold.core.raw_files import digest_raw_folder, digest_slide, find_files
from blastfold.experiment.known_counts import summary_of_import

CACHE = Path(".snakemake", "blastfold")
"""Where the digests of raw files are kept, below the working directory."""

PHOTOGRAPH_WEIGHT = 20
"""How much more memory and time a MB of photographs takes than a MB of crops."""


@dataclass(frozen=True)
class RawData:
    """Raw folders of data sets and files of slides.

    A digest is computed once per process, so that all jobs of a run are planned by the same one.

    Attributes:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        slides: Rows of the sheet of slides, by slide.
        results: The folder of results.
        progress: Is given a line every few seconds while raw files are read.
    """

    config: Mapping
    slides: Mapping[str, dict]
    results: str
    progress: Callable[[str], None] | None = None

    def __hash__(self) -> int:
        return id(self)

    @cache  # noqa: B019 - an experiment lives as long as the process
    def dataset_digest(self, dataset: str) -> str | None:
        """Return the digest of a data set's raw files; None for generated ones.

        Without the folder it is the digest that was imported: whoever has the imported images alone
        can compute all that follows from them again.

        Raises:
            InputError: Neither the folder nor the imported images exist, or some folder cannot be
                read.
        """
        entry = self.config["datasets"][dataset]
        if entry["format"] == "demo":
            return None
        if exists(entry["path"]):
            cache_file = self.dataset_cache(dataset)
            sheet = entry.get("sheet") or entry.get("boxes")
            return digest_raw_folder(entry["path"], cache_file, sheet, self.progress)
        imported = summary_of_import(Path(self.results, "datasets", dataset, "dataset.json"))
        if imported is None:
            raise InputError(
                f"data set {dataset}: the folder {entry['path']} does not exist. Put the raw files "
                f"or a symbolic link to them there, or set datasets.{dataset}.path; "
                "resources/README.md describes how to obtain each data set."
            )
        return imported.get("raw_sha256")

    @cache  # noqa: B019 - an experiment lives as long as the process
    def photographs_digest(self, dataset: str) -> str | None:
        """Return the digest of the photographs of a data set's crops; None without them.

        Without the folder it is the digest of those that the imported crops were found in.

        Raises:
            InputError: Neither the folder nor the imported images exist, or some folder cannot be
                read.
        """
        folder = self.config["datasets"][dataset].get("photographs")
        if folder is None:
            return None
        if exists(folder):
            return digest_raw_folder(folder, self.photographs_cache(dataset), None, self.progress)
        imported = summary_of_import(Path(self.results, "datasets", dataset, "dataset.json"))
        if imported is None:
            raise InputError(
                f"data set {dataset}: the folder of photographs {folder} does not exist. Put the "
                f"photographs or a symbolic link to them there, correct datasets.{dataset}."
                "photographs, or leave the key out."
            )
        return (imported.get("photographs") or {}).get("sha256")

    @cache  # noqa: B019 - an experiment lives as long as the process
    def dataset_megabytes(self, dataset: str) -> float:
        """Return the size of what an import reads in MB; 0 for generated or missing files.

        Photographs count ``PHOTOGRAPH_WEIGHT`` times: they are compared with one another.
        """
        entry = self.config["datasets"][dataset]
        return _folder_megabytes(entry.get("path")) + PHOTOGRAPH_WEIGHT * _folder_megabytes(
            entry.get("photographs")
        )

    def photographs_cache(self, dataset: str) -> str:
        """Return the file with the digests of the photographs of a data set's crops."""
        return str(CACHE / f"{dataset}.photographs.json")

    def dataset_cache(self, dataset: str) -> str:
        """Return the file with the digests of a data set's raw files."""
        return str(CACHE / f"{dataset}.json")

    @cache  # noqa: B019 - an experiment lives as long as the process
    def slide_digest(self, slide: str) -> str | None:
        """Return the digest of a slide; None for a generated one.

        Raises:
            InputError: Neither the slide nor its tiles exist, or the slide cannot be read.
        """
        if "demo" in self.config["slides"]:
            return None
        path = Path(self.slides[slide]["path"])
        if not exists(path) and not Path(self.results, "slides", slide, "tiles.h5").exists():
            raise InputError(
                f"'{self.config['slides']['sheet']}', slide {slide}: the file {path} does not "
                "exist. Correct the column path, or put the slide or a link to it there."
            )
        return digest_slide(path, CACHE / "slides.json", self.progress)

    def dataset_place(self, dataset: str, expected: Mapping | None) -> SimpleNamespace:
        """Return what an import must know and what changes no image.

        Returns:
            folder, cache, expected (counts), grown (how data sets are grown from this one),
            photographs (the folder with the photographs of crops, or None) and photographs_cache.
        """
        return SimpleNamespace(
            folder=self.config["datasets"][dataset].get("path"),
            cache=self.dataset_cache(dataset),
            photographs=self.config["datasets"][dataset].get("photographs"),
            photographs_cache=self.photographs_cache(dataset),
            expected=expected,
            grown={
                name: entry["grow"]
                for name, entry in self.config["datasets"].items()
                if entry["format"] == "grown" and entry["of"] == dataset
            },
        )

    def slide_place(self, slide: str) -> SimpleNamespace:
        """Return the path of a slide, which changes no tile."""
        return SimpleNamespace(path=self.slides[slide]["path"])


def _folder_megabytes(folder: str | None) -> float:
    if not folder or not Path(folder).exists():
        return 0.0
    return sum(file_megabytes(Path(folder, file)) for file in find_files(folder))


def file_megabytes(path: Path) -> float:
    """Return the size of a file in MB; 0 where it does not exist."""
    return path.stat().st_size / 2**20 if path.exists() else 0.0
