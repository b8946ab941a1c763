"""Exported models applied to photographs: by the config, and by a command."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, exists, is_file
from blastfold.core.names import THRESHOLD_POINT
from blastfold.core.raw_files import digest_raw_folder, find_files
from blastfold.experiment.detectors import (
    NAMED,
    SCALE,
    detector_file,
    requested_detector,
    without_file,
)
from blastfold.experiment.exports import APPLIED, REQUEST, TITLES, Export, Exports
from blastfold.experiment.raw_data import CACHE, file_megabytes
from blastfold.experiment.smear_checks import (
    SMEARS,
    check_settings,
    require_export,
    require_folder,
    slug,
)

MODEL = "model"
"""The key of a command that names the folder of an export, or a model of the config."""

OF_DETECTOR = (*SCALE, NAMED)
OWN_KEYS = (
    *(SMEARS, "smears_name", "threshold", "crop_micrometres", "pattern", "ignore", *OF_DETECTOR),
    *("boxes", "leukocytes"),
)
"""Keys of ``snakemake smears --config ...`` in addition to those of an export."""

SMEAR_FILES = (
    *("cells.tsv", "crops.npy", "photographs.tsv", "subjects.tsv", "record.json"),
    *("overlays", "smears.html"),
)
"""Files of an application that its targets ask for."""

JUDGED_FILES = ("truth/detection.md", "truth/detection.png")
"""Files of an application whose leukocytes are known."""

TRUTH = ("boxes", "leukocytes", "ignore")
"""Keys of an application that say which of its leukocytes are known."""

SHEETS = (".tsv", ".csv", ".txt")
"""Endings of sheets that a command may name in place of a folder."""

LISTING = ("sheet", "pattern", "ignore")
"""Keys of an application that decide which photographs it has, and whose they are."""


class Application(NamedTuple):
    """One application of a model to photographs.

    Attributes:
        name: Of its folder.
        title: In tables and pages.
        folder: Folder of the photographs; None for generated ones.
        dataset: Name of the generated data set; None for a folder.
        export: The export of this experiment; None for a folder.
        model: Folder of an export from elsewhere; None for one of this experiment.
        settings: All other keys of its entry.
    """

    name: str
    title: str
    folder: str | None
    dataset: str | None
    export: Export | None
    model: str | None
    settings: Mapping[str, Any]


def take_request(config: dict, given: Mapping[str, Any]) -> dict[str, Any]:
    """Take the keys of ``snakemake smears --config ...`` out of a config.

    Args:
        config: The config with all that the command line adds; changed in place.
        given: What the command line adds.

    Returns:
        The keys that are given; empty where no photographs are named, whose other keys then belong
        to an export.
    """
    if SMEARS not in given:
        return {}
    return {key: config.pop(key) for key in (*OWN_KEYS, *REQUEST) if key in given and key in config}


@dataclass(frozen=True)
class Smears:
    """The applications of an experiment.

    Attributes:
        config: The config.
        exports: The exports of the experiment.
        request: What a command asks for, see :func:`take_request`.
        progress: Is given a line every few seconds while photographs are read.
    """

    config: Mapping[str, Any]
    exports: Exports
    request: Mapping[str, Any]
    progress: Callable[[str], None] | None = None

    @cached_property
    def of_config(self) -> dict[str, Application]:
        """The applications of the config, by name."""
        return {
            name: self._configured(name, entry)
            for name, entry in self.config["applications"].items()
        }

    @cached_property
    def requested(self) -> Application | None:
        """The application that a command asks for."""
        return self._asked() if self.request else None

    @cached_property
    def known(self) -> dict[str, Application]:
        """All applications, by name."""
        own = {self.requested.name: self.requested} if self.requested else {}
        return {**self.of_config, **own}

    def paths(self, applications: Iterable[Application]) -> list[str]:
        """Return the files of applications."""
        return [
            f"<results>/smears/{one.name}/{file}"
            for one in applications
            for file in (*SMEAR_FILES, *(JUDGED_FILES if one.name in self.judged else ()))
        ]

    @cached_property
    def judged(self) -> list[str]:
        """The applications whose leukocytes are known: generated ones, and those with boxes."""
        return [
            name for name, one in self.known.items() if one.dataset or one.settings.get("boxes")
        ]

    def of_every_run(self, wildcards=None) -> list[str]:
        """Return the files of the applications that the config asks for."""
        return self.paths(self.of_config.values())

    def of_request(self, wildcards=None) -> list[str]:
        """Return the files of the application that a command asks for; else those of the config.

        Raises:
            InputError: Neither the command nor the config names one.
        """
        if self.requested:
            return self.paths([self.requested])
        if not self.of_config:
            raise InputError(
                "smears: no photographs are named. Expected snakemake smears --config "
                "smears=FOLDER model=EXPORT, or the key applications in the config; docs/smears.md."
            )
        return self.of_every_run()

    def request_lines(self) -> list[str]:
        """Return what a command asks for; empty where it asks for no photographs."""
        one = self.requested
        if one is None:
            return []
        model = one.model or ", ".join(self._titles(one).values())
        return [f"Smears: {one.title}", f"  smears     {one.folder}", f"  model      {model}"]

    def outcome(self, results: str | Path) -> list[str]:
        """Return what became of the application that a command asks for, and where it is shown.

        Args:
            results: The folder of results.

        Returns:
            Empty where no command asks for one, or it is not finished.
        """
        folder = Path(results, "smears", self.requested.name) if self.requested else None
        if folder is None or not is_file(folder / "record.json"):
            return []
        record = json.loads((folder / "record.json").read_text("utf-8"))
        counts = record["photographs"]
        unusable = f", of which {counts['unusable']} cannot be used" if counts["unusable"] else ""
        lines = [
            f"Leukocytes classified: {counts['classified']:,}. Photographs: {counts['number']:,}"
            f"{unusable}. Research software, not a diagnosis.",
            f"The cells: {(folder / 'smears.html').resolve().as_uri()}",
        ]
        return lines if is_file(folder / "smears.html") else lines[:1]

    # Input and parameter functions of the rules, by wildcards.

    def generated(self, wildcards) -> str | list:
        """Return the folder of generated smears; an empty list for photographs."""
        dataset = self.known[wildcards.smears].dataset
        return f"<results>/demo/{dataset}" if dataset else []

    def title(self, wildcards) -> str:
        """Return the title of an application."""
        return self.known[wildcards.smears].title

    def titles(self, wildcards) -> dict[str, str]:
        """Return the titles of data set, protocol and model of an export, as far as known."""
        return self._titles(self.known[wildcards.smears])

    def _titles(self, one: Application) -> dict[str, str]:
        if one.export:
            titles = self.exports.runs.titles
            names = zip(("dataset", "protocol", "model"), one.export, strict=False)
            return {kind: titles[kind][name] for kind, name in names}
        try:
            stored = json.loads(Path(one.model, TITLES).read_text("utf-8"))
        except (OSError, ValueError):
            # Exports of earlier versions have none.
            return {}
        return {str(kind): str(title) for kind, title in dict(stored).items()}

    def place(self, wildcards) -> SimpleNamespace:
        """Return where photographs and an export from elsewhere are, which changes no result.

        Returns:
            folder (None for generated smears), model (None for an export of this experiment),
            detector (ONNX file; None for the classical one), cache (file of the digests of the
            photographs) and command (for the record).
        """
        one = self.known[wildcards.smears]
        return SimpleNamespace(
            folder=one.folder,
            model=one.model,
            detector=detector_file(one.settings.get("detector") or {}),
            cache=str(CACHE / f"smears.{one.name}.json"),
            command=self._command(one),
        )

    def raw_digest(self, wildcards) -> str | None:
        """Return the digest of the photographs; None for generated ones."""
        one = self.known[wildcards.smears]
        if one.folder is None:
            return None
        cache = self.place(wildcards).cache
        return digest_raw_folder(one.folder, cache, one.settings.get("sheet"), self.progress)

    def truth_settings(self, wildcards) -> dict:
        """Return how the leukocytes of an application are known."""
        one = self.known[wildcards.smears]
        if one.dataset:
            return {"generated": True}
        chosen = {key: one.settings[key] for key in TRUTH if one.settings.get(key)}
        return {"leukocytes": []} | chosen

    def truth_files(self, wildcards) -> dict[str, str]:
        """Return the files of an application's judged detections; none where nothing is known."""
        if wildcards.smears not in self.judged:
            return {}
        below = f"<results>/smears/{wildcards.smears}/truth"
        files = {"measures": "measures.tsv", "errors": "errors.tsv"}
        files |= {"error_pictures": "pictures.npy"}
        return {name: f"{below}/{file}" for name, file in files.items()}

    def megabytes(self, wildcards) -> float:
        """Return the size of the photographs in MB; 0 for generated ones."""
        one = self.known[wildcards.smears]
        files = find_files(one.folder) if one.folder else []
        return sum(file_megabytes(Path(one.folder, file)) for file in files)

    def detection_settings(self, wildcards) -> dict:
        """Return what of an application changes its detected cells."""
        one = self.known[wildcards.smears]
        chosen = {key: one.settings[key] for key in LISTING if one.settings.get(key)}
        chosen["detector"] = without_file(one.settings.get("detector") or {})
        return chosen | {"generated": True} if one.dataset else chosen

    def classification_settings(self, wildcards) -> dict:
        """Return what of an application changes the classification of its cells."""
        settings = self.known[wildcards.smears].settings
        return {
            "threshold": settings.get("threshold") or THRESHOLD_POINT,
            "crop_micrometres": settings.get("crop_micrometres"),
            "sheet": settings.get("sheet"),
            "detector": without_file(settings.get("detector") or {}),
        }

    def model_files(self, wildcards) -> list[str]:
        """Return the files of an export of this experiment; none for one from elsewhere."""
        one = self.known[wildcards.smears]
        below = f"<results>/export/{'/'.join(one.export)}" if one.export else ""
        return [f"{below}/{name}" for name in APPLIED] if one.export else []

    def model_digests(self, wildcards) -> dict[str, str]:
        """Return the digests of an export from elsewhere.

        Those of its graphs are in ``model.json``, and the job compares them.
        """
        folder = self.known[wildcards.smears].model
        names = APPLIED[1:] if folder else ()
        return {
            name: digest_file(Path(folder, name)) for name in names if is_file(Path(folder, name))
        }

    def _command(self, one: Application) -> str:
        """Return the command that asks for an application, with names in place of paths."""
        if one.name in self.of_config:
            return "snakemake smears"
        given = {**self.request, SMEARS: Path(self.request[SMEARS]).name}
        if one.model:
            given[MODEL] = Path(one.model).resolve().name
        if given.get(NAMED):
            given[NAMED] = Path(str(given[NAMED])).name
        return f"snakemake smears --config {' '.join(f'{key}={given[key]}' for key in given)}"

    # The two ways to ask for an application.

    def _configured(self, name: str, entry: Mapping[str, Any]) -> Application:
        key = f"applications.{name}"
        export = entry.get("export")
        folder, model = entry.get("path"), entry.get("model")
        if model:
            require_export(model, f"{key}.model")
        if folder:
            require_folder(folder, f"{key}.path")
        taken = ("title", "export", "path", "model", "dataset")
        settings = {setting: value for setting, value in entry.items() if setting not in taken}
        return Application(
            name,
            entry.get("title", name),
            folder,
            entry.get("dataset"),
            self.exports.choose(export, f"{key}.export") if export else None,
            model,
            settings,
        )

    def _asked(self) -> Application:
        given = {key: value for key, value in self.request.items() if value is not None}
        place = Path(str(given.pop(SMEARS)))
        sheet = place.name if is_file(place) else None
        if sheet and place.suffix.lower() not in SHEETS:
            raise InputError(
                f"{SMEARS}: '{place}' is not a sheet ({', '.join(SHEETS)}); expected the folder of "
                "the photographs, or a sheet with the columns path, subject and picture."
            )
        folder = place.parent if sheet else place
        require_folder(folder, SMEARS)
        settings: dict[str, Any] = {"sheet": sheet} if sheet else {}
        asked = {key: given.pop(key) for key in OF_DETECTOR if key in given}
        settings["detector"] = requested_detector(asked)
        model, export = self._model(given)
        label = Path(model).name if model else "_".join(export[2:])
        if model and (named := require_export(model, MODEL).get("model")):
            label = str(named)
        default = slug(f"{place.stem if sheet else place.name}_{label}")
        name = given.pop("smears_name", None) or default
        if not re.fullmatch("[a-z][a-z0-9_]*", str(name)):
            raise InputError(
                f"smears_name: received {name!r}; expected lower-case letters, digits and "
                "underscores, a letter first."
            )
        if name in self.config["applications"]:
            raise InputError(
                f"smears_name: {name!r} is an entry of applications; expected another name."
            )
        settings |= {key: given[key] for key in given if key not in REQUEST}
        for key in ("ignore", "leukocytes"):
            if key in settings and not isinstance(settings[key], list):
                settings[key] = [str(settings[key])]
        check_settings(settings, folder)
        asked = Application(name, name, str(folder), None, export, model, settings)
        if default != name:
            return asked
        shown = self._titles(asked).get("model") or label
        return asked._replace(title=f"{place.stem if sheet else place.name}, {shown}")

    def _model(self, given: Mapping[str, Any]) -> tuple[str | None, Export | None]:
        """Return the folder of an export, or an export of this experiment by its model's name."""
        asked = {key: given[key] for key in REQUEST if key in given}
        named = asked.get(MODEL)
        if named is None and self.exports.asked:
            return None, self.exports.asked[0]
        if named in self.config["models"] or named is None:
            return None, self.exports.choose(asked, SMEARS)
        if not exists(named):
            raise InputError(
                f"{MODEL}: received {named!r}, neither a folder nor a model of the config; "
                "expected the folder of an export, or one of "
                f"{', '.join(sorted(self.config['models']))}."
            )
        require_export(named, MODEL)
        return str(named), None
