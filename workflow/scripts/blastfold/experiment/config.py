"""Check of a config file: strict, with defaults filled in and messages that name the key."""

import copy
import difflib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from blastfold.core.errors import InputError
from blastfold.experiment.ablations import check_ablations, expand_ablations
from blastfold.experiment.canaries import check_canaries, expand_canaries
from blastfold.experiment.folders import STAGES
from blastfold.experiment.pretraining import (
    check_pretraining,
    check_source_names,
    expand_pretraining,
    resolve_weights,
)

DERIVED = {"grown": "grow", "selected": "select"}
"""Formats of data sets that are made from another one, with the key of their own settings."""

OF_DERIVED = ("title", "format", "of", "reproduces", "duplicates")
"""Their other keys; they take all that is left from the data set that they are made from."""

TAKEN = ("comparisons", "calibration", "operating_points")
"""Names that no model may have: tables that are in the same folder as those of the models."""


def check_config(config: dict, schema_path: str | Path, source: str = "config") -> dict:
    """Validate a config and fill in every default.

    Args:
        config: The config as read from YAML.
        schema_path: JSON schema (draft 2020-12) as YAML.
        source: Name of the config file, for messages.

    Returns:
        A copy of the config with all defaults.

    Raises:
        InputError: Names the key, what was received and what is expected, for all faults at once.
    """
    schema = yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))
    given = config
    named = expand_ablations(given, schema)
    config = expand_pretraining(named)
    filled = copy.deepcopy(config)
    faults = [_describe(error) for error in _validator(schema).iter_errors(filled)]
    if not faults:
        faults = [*_cross_check(filled, config), *check_ablations(given, schema)]
        faults += check_source_names(named, config)
    if faults:
        listing = "\n".join(f"  - {fault}" for fault in sorted(set(faults)))
        manual = "config/README.md describes every key."
        raise InputError(f"{source} is not valid:\n{listing}\n{manual}")
    for kind in ("datasets", "protocols", "models", "ablations"):
        for name, entry in filled[kind].items():
            entry.setdefault("title", name)
    for name, dataset in filled["datasets"].items():
        if dataset["format"] in DERIVED:
            base = filled["datasets"][dataset["of"]]
            dataset["image_size"] = base["image_size"]
            if "duplicates" not in config["datasets"][name]:
                dataset["duplicates"] = base["duplicates"]
        else:
            dataset.setdefault("path", f"resources/raw/{name}")
    for model in filled["models"].values():
        if not model["augment"]:
            # Zero and false both leave an image as it is.
            changes = model["augmentation"].items()
            model["augmentation"] = {key: type(value)(0) for key, value in changes}
    for protocol in filled["protocols"].values():
        if "same_folds_as" in protocol:
            protocol["same_folds_as"] = _fold_origins(protocol, filled["protocols"])[-1]
    resolve_weights(filled)
    return expand_canaries(filled)


def _validator(schema: dict) -> Any:
    base = jsonschema.Draft202012Validator

    def fill_defaults(validator, properties, instance, subschema):
        if validator.is_type(instance, "object"):
            for key, property_schema in properties.items():
                if "default" in property_schema:
                    instance.setdefault(key, copy.deepcopy(property_schema["default"]))
        yield from base.VALIDATORS["properties"](validator, properties, instance, subschema)

    # `properties` comes first in every object of the schema, so that defaults are themselves
    # validated and filled by the keywords that follow.
    return jsonschema.validators.extend(base, {"properties": fill_defaults})(schema)


def _describe(error: jsonschema.ValidationError) -> str:
    key = ".".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))
        return "; ".join(_describe_unknown(key, name, known) for name in unknown)
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{key}: the key {', '.join(map(repr, missing))} is missing"
    if error.validator == "enum":
        return f"{key}: received {error.instance!r}, expected one of {error.validator_value}"
    if error.validator == "type":
        return f"{key}: received {error.instance!r}, expected {error.validator_value}"
    if error.validator == "oneOf":
        expected = error.schema.get("description", "another value")
        return f"{key}: received {error.instance!r}, expected: {expected}"
    return f"{key}: {error.message}"


def _describe_unknown(key: str, name: str, known: list[str]) -> str:
    place = f"{key}.{name}" if key != "top level" else name
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{place}: unknown key{hint} Expected one of {known}"


def _cross_check(config: dict, given: dict) -> Iterator[str]:
    if config.get("name") in STAGES:
        yield (
            f"name: received {config['name']!r}, which is a folder of results without a name; "
            "expected another word"
        )
    for position, experiment in enumerate(config["experiments"]):
        if experiment["canaries"]:
            yield from check_canaries(f"experiments.{position}.canaries", experiment, config)
        for kind in ("datasets", "protocols", "models"):
            for name in experiment[kind]:
                if name not in config[kind]:
                    known = sorted(config[kind])
                    yield (
                        f"experiments.{position}.{kind}: received {name!r}, "
                        f"expected one of the entries under {kind}: {known}"
                    )
        yield from _check_external(f"experiments.{position}.external_test", experiment, config)
    for name in config["datasets"]:
        yield from _check_derived(name, given["datasets"])
    yield from _check_slides(config)
    for name, protocol in config["protocols"].items():
        yield from _check_protocol(f"protocols.{name}", protocol, config["protocols"])
    for name, model in config["models"].items():
        yield from _check_model(f"models.{name}", model)
    yield from check_pretraining(config)


def _check_external(key: str, experiment: dict, config: dict) -> Iterator[str]:
    """Check that the data sets to test on are there, are others, and have images of one size."""
    datasets = config["datasets"]
    for name in experiment["external_test"]:
        if name not in datasets:
            yield f"{key}: received {name!r}, expected one of the data sets {sorted(datasets)}"
            continue
        origin = datasets[name].get("of", name)
        for trained in experiment["datasets"]:
            entry = datasets.get(trained)
            if entry is None:
                continue
            if entry.get("of", trained) == origin:
                yield (
                    f"{key}: received {name!r}, expected images other than those of {trained}, "
                    "which the entry trains on"
                )
            # A derived data set takes its size from the one it is made from.
            sizes = [_image_size(datasets, other) for other in (trained, name)]
            if sizes[0] != sizes[1]:
                yield (
                    f"{key}: received {name!r} of image_size {sizes[1]}, expected that of "
                    f"{trained}, {sizes[0]}"
                )


def _image_size(datasets: dict, name: str) -> list[int] | None:
    entry = datasets[name]
    return datasets.get(entry.get("of"), entry).get("image_size")


def _check_derived(name: str, datasets: dict) -> Iterator[str]:
    """Check the keys of a data set as they were given, without defaults."""
    key, dataset = f"datasets.{name}", datasets[name]
    own = DERIVED.get(dataset["format"])
    places = {"of": " or ".join(DERIVED), **{part: form for form, part in DERIVED.items()}}
    for unused in sorted(set(places) & set(dataset)):
        if own is None or unused not in ("of", own):
            yield (
                f"{key}.{unused}: belongs to format {places[unused]}, "
                f"received format {dataset['format']}"
            )
    if own is None:
        return
    known = (*OF_DERIVED, own)
    for unused in sorted(set(dataset) - set(known) - set(places)):
        yield (
            f"{key}.{unused}: format {dataset['format']} takes this from the data set named under "
            f"of, expected no more than {sorted(known)}"
        )
    for missing in sorted({"of", own} - set(dataset)):
        yield f"{key}.{missing}: is missing, format {dataset['format']} needs it"
    bases = sorted(other for other, entry in datasets.items() if entry["format"] not in DERIVED)
    if "of" in dataset and dataset["of"] not in bases:
        yield (
            f"{key}.of: received {dataset['of']!r}, expected a data set that is not made from "
            f"another one itself: {bases}"
        )


def _check_slides(config: dict) -> Iterator[str]:
    slides = config.get("slides")
    for name, dataset in config["datasets"].items():
        if dataset["format"] == "tiles" and slides is None:
            yield f"datasets.{name}.format: tiles needs the top-level key slides"
        if dataset["format"] != "tiles" and "slides" in dataset:
            yield (
                f"datasets.{name}.slides: belongs to format tiles, "
                f"received format {dataset['format']}"
            )
        if name == "slides" and slides is not None:
            yield "datasets.slides: figures of slides have this name, expected another one"
    if slides is None:
        return
    if ("sheet" in slides) == ("demo" in slides):
        received = "both" if "sheet" in slides else "neither"
        yield f"slides: received {received} of sheet and demo, expected one of them"
    if slides["overlap"] >= slides["tile_size"]:
        yield (
            f"slides.overlap: received {slides['overlap']:g}, "
            f"expected less than tile_size ({slides['tile_size']:g})"
        )


def _fold_origins(protocol: dict, protocols: dict) -> list[str]:
    """Return the protocols whose folds a protocol has, the one that draws them last.

    A name that comes again, or that no protocol has, ends the list.
    """
    origins: list[str] = []
    while "same_folds_as" in protocol:
        origins.append(protocol["same_folds_as"])
        if origins[-1] in origins[:-1]:
            break
        protocol = protocols.get(origins[-1], {})
    return origins


def _check_protocol(key: str, protocol: dict, protocols: dict) -> Iterator[str]:
    if key == "protocols.shared":
        yield f"{key}: features that all protocols share have this name, expected another one"
    base = protocols.get(protocol.get("same_folds_as"))
    origins = _fold_origins(protocol, protocols)
    if len(set(origins)) < len(origins):
        yield (
            f"{key}.same_folds_as: {' -> '.join(origins)} is a circle, "
            "expected that one of them draws the folds"
        )
        return
    if "same_folds_as" in protocol and base is None:
        yield (
            f"{key}.same_folds_as: received {protocol['same_folds_as']!r}, "
            f"expected one of the protocols {sorted(protocols)}"
        )
    unlike = ("title", "leakage", "training_share", "same_folds_as")
    for other in sorted({*protocol, *(base or protocol)} - {*unlike}):
        if base is not None and protocol.get(other) != base.get(other):
            yield (
                f"{key}.{other}: received {protocol.get(other)!r}, expected that of "
                f"{protocol['same_folds_as']}, whose folds are wanted: {base.get(other)!r}"
            )
    if protocol["kind"] == "predefined" and "test_parts" not in protocol:
        yield f"{key}.test_parts: is missing, kind predefined needs the parts to test on"
    if protocol["kind"] == "holdout":
        held_out = protocol["test_fraction"] + protocol["validation_fraction"]
        if held_out >= 1 or math.isclose(held_out, 1):
            yield (
                f"{key}: test_fraction and validation_fraction add up to {held_out:g}, "
                "expected less than 1 so that something is left to train on"
            )


def _check_model(key: str, model: dict) -> Iterator[str]:
    if key.removeprefix("models.") in TAKEN:
        yield f"{key}: a table has this name, expected another one than {', '.join(TAKEN)}"
    if model["early_stopping"] and model["early_stopping"] >= model["epochs"]:
        yield (
            f"{key}.early_stopping: received {model['early_stopping']}, "
            f"expected fewer than epochs ({model['epochs']})"
        )
