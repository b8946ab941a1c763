"""The detector of leukocytes in the config and in a command: its settings and its file."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from blastfold.core.errors import InputError
from blastfold.core.files import is_file
from blastfold.experiment.config_schema import fill_defaults

SCHEMA = Path(__file__).resolve().parents[3] / "schemas" / "config.schema.yaml"

SCALE = ("red_cell_diameter", "micrometres_per_pixel")
"""Keys of a detector, and of a command, that give the scale of the photographs."""

NAMED = "detector"
"""Key of a command that names a YAML file with the keys of a detector."""


def of_schema(name: str) -> dict[str, Any]:
    """Return the schema of one kind of entry of the config."""
    schema = yaml.safe_load(SCHEMA.read_text("utf-8"))
    return {**schema["$defs"][name], "$defs": schema["$defs"]}


def detector_faults(detector: Mapping[str, Any], key: str) -> Iterator[str]:
    """Yield what is wrong with a detector that the schema has accepted."""
    if all(detector.get(name) for name in SCALE):
        yield (
            f"{key}: received red_cell_diameter and micrometres_per_pixel, expected one of them or "
            "none"
        )


def without_file(detector: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a detector without the place of its ONNX file.

    The same file at another place finds the same cells; its digest is among the settings.
    """
    settings = dict(detector)
    if settings.get("onnx"):
        onnx = settings["onnx"]
        settings["onnx"] = {key: onnx[key] for key in onnx if key != "file"}
    return settings


def detector_file(detector: Mapping[str, Any]) -> str | None:
    """Return the ONNX file of a detector; None for the classical one."""
    return (detector.get("onnx") or {}).get("file")


def requested_detector(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the detector that a command asks for, with the defaults of a file.

    Args:
        given: The keys of the command; those of :data:`SCALE` and :data:`NAMED` are read.

    Raises:
        InputError: A value is not as expected, or the file cannot be used.
    """
    detector, source = {}, "smears"
    if given.get(NAMED) is not None:
        detector, source = _read(given[NAMED]), str(given[NAMED])
    detector |= {key: given[key] for key in SCALE if given.get(key) is not None}
    filled = copy.deepcopy(detector)
    faults = fill_defaults(filled, of_schema("detector"))
    faults = faults or list(detector_faults(filled, source))
    if faults:
        raise InputError(f"{source}: {'; '.join(fault.rstrip('.') for fault in faults)}.")
    file = detector_file(filled)
    if file and not is_file(file):
        raise InputError(f"{source}: onnx.file {file!r} does not exist; expected the ONNX file.")
    return {key: value for key, value in filled.items() if value is not None}


def _read(named: object) -> dict[str, Any]:
    """Read the settings of a file; its ONNX file may be named relative to it."""
    path = Path(str(named))
    try:
        detector = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(
            f"{NAMED}: '{named}' cannot be read as YAML ({error}). Expected a file with the keys "
            "of a detector, see docs/smears.md."
        ) from error
    if not isinstance(detector, dict):
        raise InputError(
            f"{NAMED}: '{named}' holds {type(detector).__name__}, expected the keys of a detector, "
            "for instance onnx."
        )
    onnx = detector.get("onnx")
    if isinstance(onnx, dict) and isinstance(onnx.get("file"), str):
        onnx["file"] = str(path.parent / onnx["file"])
    return detector
