"""Checks of what is applied to photographs: exports, folders, keys of commands and configs."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from blastfold.core.errors import InputError
from blastfold.core.files import exists, is_file
from blastfold.experiment.config_schema import fill_defaults
from blastfold.experiment.detectors import detector_faults, of_schema

SMEARS = "smears"
"""The key of a command that names photographs."""


def require_export(folder: str, key: str) -> dict:
    """Return the description of an export.

    Raises:
        InputError: The folder is none.
    """
    try:
        description = json.loads(Path(folder, "model.json").read_text("utf-8"))
        if not isinstance(description, dict) or "networks" not in description:
            raise ValueError("no key networks")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{key}: '{folder}' is not the folder of an exported network: its model.json cannot be "
            f"read ({error}). Expected what snakemake export writes, see docs/exchange.md."
        ) from None
    _require_graphs(Path(folder), description, key)
    return description


def _require_graphs(folder: Path, description: Mapping[str, Any], key: str) -> None:
    """Check that the files are there which the description of an export lists."""
    for entry in description["networks"]:
        for name in entry.get("graphs") or () if isinstance(entry, dict) else ():
            path = folder / "networks" / Path(name).name
            if not is_file(path):
                raise InputError(
                    f"{key}: {path} does not exist, but model.json lists it. Copy whole exports."
                )


def check_settings(settings: Mapping[str, Any], folder: Path) -> None:
    """Check the keys of a command as those of an application.

    Raises:
        InputError: A value is not as expected, or the boxes do not exist.
    """
    faults = fill_defaults(copy.deepcopy(dict(settings)), of_schema("application"))
    if faults:
        raise InputError(f"{SMEARS}: {'; '.join(fault.rstrip('.') for fault in faults)}.")
    boxes = settings.get("boxes")
    if boxes and not exists(folder / boxes):
        raise InputError(
            f"boxes: '{folder / boxes}' does not exist; expected a folder of VOC XML files, a COCO "
            f"JSON file or a CSV file in '{folder}'."
        )


def require_folder(folder: str | Path, key: str) -> None:
    """Raise an InputError where a folder of photographs does not exist."""
    if not Path(folder).is_dir():
        raise InputError(
            f"{key}: '{folder}' does not exist; expected a folder of photographs, or a sheet with "
            "the columns path, subject and picture."
        )


def slug(text: str) -> str:
    """Return a text as a name: lower-case letters, digits and underscores, a letter first."""
    name = re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")
    return name if name[:1].isalpha() else f"smears_{name}".rstrip("_")


def application_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the applications of a config, key by key."""
    for name, entry in config["applications"].items():
        key = f"applications.{name}"
        if ("path" in entry) == ("dataset" in entry):
            yield f"{key}: expected one of the keys path (a folder) and dataset (generated smears)"
        yield from detector_faults(entry.get("detector", {}), f"{key}.detector")
        if "leukocytes" in entry and "boxes" not in entry:
            yield f"{key}.leukocytes: these are labels of boxes; expected the key boxes too"
        if ("export" in entry) == ("model" in entry):
            yield f"{key}: expected one of the keys export and model (the folder of an export)"
        dataset = entry.get("dataset")
        generated = [
            known for known, other in config["datasets"].items() if other["format"] == "demo"
        ]
        if dataset is not None and dataset not in generated:
            listed = ", ".join(generated) or "none"
            yield (
                f"{key}.dataset: received {dataset!r}, expected generated smears (format demo): "
                f"{listed}"
            )
