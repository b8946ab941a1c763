"""Which trained networks are exported: those of the config, and those asked for by a command."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from blastfold.core.errors import InputError
from blastfold.core.names import GROUPINGS, fold_scope
from blastfold.core.smear_scale import CROP, MICROMETRES
from blastfold.experiment.pretraining import sources_behind
from blastfold.experiment.runs import Run, Runs
from blastfold.experiment.stored_files import StoredFiles

REQUEST = ("model", "dataset", "protocol", "fold")
"""Keys of an entry of ``exports``, and of ``snakemake export --config model=...``."""

ALL_FOLDS = "all_folds"
"""Folder of an export with the networks of all folds."""

APPLIED = ("networks", "model.json", "domain.npz", "training_images.tsv")
"""Files of an export that an application to photographs reads."""

TITLES = "titles.json"
"""File of an export with the titles of its data set, protocol and model."""

EXPORTED = (*APPLIED, "model_card.md", "blastfold_predict.py", TITLES)
"""All files of an export."""


class Export(NamedTuple):
    """One export.

    Attributes:
        dataset, protocol, model: The run.
        networks: :data:`ALL_FOLDS`, or the name of one fold.
    """

    dataset: str
    protocol: str
    model: str
    networks: str


def take_request(config: dict, given: Mapping[str, Any]) -> dict[str, Any]:
    """Take the keys of an export out of a config.

    Args:
        config: The config with all that the command line adds; changed in place.
        given: What the command line adds: ``--config``.

    Returns:
        Those of :data:`REQUEST` that are given.
    """
    return {key: config.pop(key) for key in REQUEST if key in given and key in config}


@dataclass(frozen=True)
class Exports:
    """The exports of an experiment.

    Attributes:
        runs: The runs of the experiment.
        files: Their files.
        request: What a command asks for, keys of :data:`REQUEST`.
    """

    runs: Runs
    files: StoredFiles
    request: Mapping[str, Any]

    @cached_property
    def asked(self) -> list[Export]:
        """The exports of the config, which every run of the workflow makes."""
        entries = enumerate(self.runs.config["exports"])
        return [self.choose(entry, f"exports.{place}") for place, entry in entries]

    @cached_property
    def requested(self) -> list[Export]:
        """The export that a command asks for; without one those of the config."""
        return [self.choose(self.request, "export")] if self.request else self.asked

    def choose(self, entry: Mapping[str, Any], key: str) -> Export:
        """Return the export that an entry means.

        An absent data set is the first one of the model. An absent protocol is the one that keeps
        the largest groups on one side of a split. An absent fold means all folds.

        Args:
            entry: Keys of :data:`REQUEST`; the model is needed.
            key: Where the entry is, for messages.

        Raises:
            InputError: No run has these names, or the network cannot be exported.
        """
        runs = _named([*self.runs.shown, *self.runs.true], "model", entry, key)
        runs = _named(runs, "dataset", {"dataset": runs[0].dataset, **entry}, key)
        coarsest = max(runs, key=self._grouping)
        run = _named(runs, "protocol", {"protocol": coarsest.protocol, **entry}, key)[0]
        if self.runs.has_own_backbone(run):
            raise InputError(
                f"{key}.model: the backbone of {run.model} is a file of yours, which is not "
                "exported; expected another model"
            )
        return Export(*run, self._networks(entry.get("fold"), run, key))

    def paths(self, exports: Iterable[Export]) -> list[str]:
        """Return the files of exports."""
        return [
            f"<results>/export/{'/'.join(export)}/{name}" for export in exports for name in EXPORTED
        ]

    def of_config(self, wildcards=None) -> list[str]:
        """Return the files of the exports that the config asks for."""
        return self.paths(self.asked)

    def of_request(self, wildcards) -> list[str]:
        """Return the files of the export that a command asks for.

        Raises:
            InputError: Neither the command nor the config names a model.
        """
        return self.paths(self.requested or [self.choose({}, "export")])

    # Input and parameter functions of the rules, by wildcards.

    def networks(self, wildcards) -> list[str]:
        """Return the networks that an export reads: of all folds, or of one."""
        run = Run(wildcards.dataset, wildcards.protocol, wildcards.model)
        stored = self.files.networks([run])
        fold = fold_number(wildcards.networks)
        return stored if fold is None or len(stored) == 1 else [stored[fold]]

    def sources(self, wildcards) -> list[str]:
        """Return the manifests of the data sets that the start weights were learnt from."""
        config = self.runs.config
        behind = sources_behind(config["models"][wildcards.model], config)
        datasets = dict.fromkeys(config["pretraining"][source]["dataset"] for source in behind)
        return [f"<results>/datasets/{dataset}/manifest.tsv" for dataset in datasets]

    def fold(self, wildcards) -> int | None:
        """Return the number of the fold that is exported; None for all folds."""
        return fold_number(wildcards.networks)

    def about(self, wildcards) -> dict[str, str]:
        """Return the names of data set, protocol and model."""
        return {name: wildcards[name] for name in ("dataset", "protocol", "model")}

    def crop(self, wildcards) -> list[int] | None:
        """Return height and width of the crop that the import takes of every image, or None."""
        entry = self._imported(wildcards.dataset)
        # Crops around boxes and detected cells are made before: the exported network takes them.
        made_before = "boxes" in entry or entry["format"] == "photographs"
        return None if made_before else entry.get("crop")

    def micrometres(self, wildcards) -> list[float] | None:
        """Return height and width of what an image of a run shows; None where it is not known."""
        entry = self._imported(wildcards.dataset)
        crop = entry.get("crop")
        if entry["format"] == "demo":
            demo = entry["demo"]
            return [length / demo["pixels_per_micrometre"] for length in crop or demo["crop_size"]]
        if entry["format"] != "photographs":
            return None
        if crop is None:
            return [CROP * MICROMETRES] * 2
        scale = pixel_size(entry.get("detector") or {})
        return scale and [length * scale for length in crop]

    def asked_run(self, wildcards) -> list[list]:
        """Return dataset, protocol, model and number of folds of the run."""
        names = (wildcards.dataset, wildcards.protocol, wildcards.model)
        return [[*names, self.runs.fold_count(wildcards.protocol)]]

    def _imported(self, dataset: str) -> Mapping[str, Any]:
        """Return the entry of the imported data set that another one is made from."""
        datasets = self.runs.config["datasets"]
        entry = datasets[dataset]
        while "of" in entry:
            entry = datasets[entry["of"]]
        return entry

    def _grouping(self, run: Run) -> int:
        protocol = self.runs.config["protocols"][run.protocol]
        return GROUPINGS.index(protocol["group_by"])

    def _networks(self, fold: object, run: Run, key: str) -> str:
        if fold is None:
            return ALL_FOLDS
        count = self.runs.fold_count(run.protocol)
        if type(fold) is not int or not 0 <= fold < count:
            raise InputError(
                f"{key}.fold: received {fold!r}, but {run.protocol} has {count} folds; expected a "
                f"number from 0 to {count - 1}, or no fold for all of them"
            )
        return fold_scope(fold)


def _named(runs: list[Run], kind: str, entry: Mapping[str, Any], key: str) -> list[Run]:
    """Return the runs whose name of one kind is that of an entry."""
    known = list(dict.fromkeys(getattr(run, kind) for run in runs))
    if entry.get(kind) not in known:
        received = f"received {entry[kind]!r}" if kind in entry else "is missing"
        hint = f" (snakemake export --config {kind}=<name>)" if key == "export" else ""
        raise InputError(f"{key}.{kind}: {received}, expected one of {', '.join(known)}{hint}")
    return [run for run in runs if getattr(run, kind) == entry[kind]]


def pixel_size(detector: Mapping[str, Any]) -> float | None:
    """Return the micrometres per pixel of a detector's settings; None where red cells give them."""
    if detector.get("red_cell_diameter"):
        return MICROMETRES / detector["red_cell_diameter"]
    return detector.get("micrometres_per_pixel")


def fold_number(networks: str) -> int | None:
    """Return the number of a fold by its name; None for :data:`ALL_FOLDS`."""
    return None if networks == ALL_FOLDS else int(networks.rpartition("-")[2])
