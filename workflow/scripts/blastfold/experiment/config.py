"""Check of a config file: strict, with defaults filled in and messages that name the key."""

import copy
import functools
from collections.abc import Iterator
from pathlib import Path

import yaml

from blastfold.core.errors import InputError
from blastfold.core.path_patterns import PathPattern
from blastfold.experiment.ablations import check_ablations, expand_ablations
from blastfold.experiment.attributions import check_attribution
from blastfold.experiment.canaries import check_canaries, check_permutations, expand_canaries
from blastfold.experiment.combinations import combinations
from blastfold.experiment.config_backbones import check_backbones
from blastfold.experiment.config_classes import (
    class_faults,
    external_faults,
    growth_faults,
    has_own_classes,
    settle_classes,
)
from blastfold.experiment.config_locked_tests import check_locked_tests, expand_locked_tests
from blastfold.experiment.config_names import check_names, title_faults
from blastfold.experiment.config_networks import check_networks, image_size
from blastfold.experiment.config_protocols import check_protocol, fold_origins
from blastfold.experiment.config_schema import fill_defaults, schema_faults
from blastfold.experiment.config_values import value_faults
from blastfold.experiment.demo_settings import demo_faults
from blastfold.experiment.detectors import detector_faults
from blastfold.experiment.leak_contrasts import check_contrasts, expand_contrasts
from blastfold.experiment.pretraining import (
    check_pretraining,
    check_source_names,
    expand_pretraining,
    resolve_weights,
)
from blastfold.experiment.smear_checks import application_faults
from blastfold.experiment.tuning import check_tuning, expand_tuning

DERIVED = {"grown": "grow", "selected": "select"}
"""Formats of data sets that are made from another one, with the key of their own settings."""

OF_DERIVED = ("title", "format", "of", "reproduces", "duplicates", "remove_duplicates")
"""Their other keys; they take all that is left from the data set that they are made from."""

OF_FOLDERS = ("boxes", "pattern", "ignore")
"""Keys that only a folder of images or of photographs has."""

OF_CROPS = ("all-idb2", "c-nmc-2019", "folder")
"""Formats whose images may be looked for in photographs."""

MOST_FAULTS = 20
"""Faults in one message; a single key may have many."""


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
    schema = _read_schema(Path(schema_path))
    _refuse(list(value_faults(config)), source)
    # The given keys alone: what is added to them below relies on their types.
    _refuse(schema_faults(config, schema), source)
    given = config
    named = expand_ablations(given, schema)
    config = expand_pretraining(named)
    filled = copy.deepcopy(config)
    faults = [*fill_defaults(filled, schema), *check_ablations(given, schema)]
    if not faults:
        faults = [*_cross_check(filled, config), *check_source_names(named, config)]
    _refuse(_of_user(faults, given) or faults, source)
    for kind in ("datasets", "protocols", "models", "ablations"):
        for name, entry in filled[kind].items():
            entry.setdefault("title", name)
    settle_classes(filled["datasets"])
    if "title" not in given and has_own_classes(filled["datasets"].values()):
        filled["title"] = given.get("name", "classes of images").replace("_", " ").capitalize()
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
            protocol["same_folds_as"] = fold_origins(protocol, filled["protocols"])[-1]
    resolve_weights(filled)
    expand_tuning(filled)
    expanded = expand_canaries(expand_contrasts(expand_locked_tests(filled)))
    _refuse(list(check_names(expanded)), source)
    return expanded


@functools.cache
def _read_schema(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _refuse(faults: list[str], source: str) -> None:
    """Raise an InputError that lists the faults, each once; without any do nothing."""
    if faults:
        each = sorted(set(faults))
        lines = [f"  - {fault}" for fault in each[:MOST_FAULTS]]
        lines += [f"  ... and {len(each) - MOST_FAULTS} more"] if len(each) > MOST_FAULTS else []
        listing, manual = "\n".join(lines), "config/README.md describes every key."
        raise InputError(f"{source} is not valid:\n{listing}\n{manual}")


def _of_user(faults: list[str], given: dict) -> list[str]:
    """Return the faults that are not about a model which ablations or source tasks have made."""
    places = [fault.partition(":")[0].split(".") for fault in faults]
    return [
        fault
        for fault, place in zip(faults, places, strict=True)
        if place[0] != "models" or place[1:2] == [] or place[1] in given["models"]
    ]


def _cross_check(config: dict, given: dict) -> Iterator[str]:
    yield from check_names(config)
    yield from title_faults(config)
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
        yield from check_permutations(f"experiments.{position}.permutations", experiment, config)
        yield from _check_external(f"experiments.{position}.external_test", experiment, config)
        yield from check_attribution(f"experiments.{position}.attribution", experiment, config)
    yield from application_faults(config)
    for name, dataset in config["datasets"].items():
        yield from _check_derived(name, given["datasets"])
        yield from class_faults(name, dataset)
        if dataset["format"] == "demo":
            yield from demo_faults(f"datasets.{name}.demo", dataset["demo"])
        yield from _check_folder(name, dataset)
    yield from _check_slides(config)
    for name, protocol in config["protocols"].items():
        yield from check_protocol(f"protocols.{name}", protocol, config["protocols"])
    for name, model in config["models"].items():
        yield from _check_model(f"models.{name}", model)
    yield from check_contrasts(config)
    yield from check_pretraining(config)
    yield from check_networks(config)
    yield from check_backbones(config, given)
    yield from _check_early_stopping(config)
    yield from check_tuning(config, given)
    yield from check_locked_tests(config)


def _check_external(key: str, experiment: dict, config: dict) -> Iterator[str]:
    """Check that the data sets to test on are there, are others, and have images of one size."""
    datasets = config["datasets"]
    for name in experiment["external_test"]:
        if name not in datasets:
            yield f"{key}: received {name!r}, expected one of the data sets {sorted(datasets)}"
            continue
        if datasets[name]["remove_duplicates"]:
            yield (
                f"{key}: received {name!r}, which has remove_duplicates: true, but an external "
                "test predicts all images; expected a data set without it"
            )
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
            yield from external_faults(key, (trained, entry), (name, datasets[name]))
            # A derived data set takes its size from the one it is made from.
            sizes = [image_size(datasets, other) for other in (trained, name)]
            if sizes[0] != sizes[1]:
                yield (
                    f"{key}: received {name!r} of image_size {sizes[1]}, expected that of "
                    f"{trained}, {sizes[0]}"
                )


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
    if own == "grow" and "grow" in dataset:
        yield from growth_faults(f"{key}.grow", dataset["grow"], datasets.get(dataset.get("of")))
    for missing in sorted({"of", own} - set(dataset)):
        yield f"{key}.{missing}: is missing, format {dataset['format']} needs it"
    bases = sorted(other for other, entry in datasets.items() if entry["format"] not in DERIVED)
    if "of" in dataset and dataset["of"] not in bases:
        yield (
            f"{key}.of: received {dataset['of']!r}, expected a data set that is not made from "
            f"another one itself: {bases}"
        )


def _check_folder(name: str, dataset: dict) -> Iterator[str]:
    """Check the keys that only a folder of images has."""
    for key in OF_FOLDERS:
        if key in dataset and dataset["format"] not in ("folder", "photographs"):
            yield (
                f"datasets.{name}.{key}: belongs to the formats folder and photographs, "
                f"received format {dataset['format']}"
            )
    if "photographs" in dataset and (dataset["format"] not in OF_CROPS or "boxes" in dataset):
        found = "boxes" if "boxes" in dataset else f"format {dataset['format']}"
        yield (
            f"datasets.{name}.photographs: received {found}, expected one of the formats "
            f"{', '.join(OF_CROPS)} without boxes: files of one crop each"
        )
    yield from _check_detector(name, dataset)
    if "sheet" in dataset and "boxes" in dataset:
        yield f"datasets.{name}.boxes: received sheet and boxes, expected one of them"
    if "pattern" in dataset:
        try:
            PathPattern(dataset["pattern"])
        except InputError as error:
            yield f"datasets.{name}.{error}"


def _check_detector(name: str, dataset: dict) -> Iterator[str]:
    """Check the key that only a folder of photographs has, and that labels are named."""
    if dataset["format"] != "photographs":
        if "detector" in dataset:
            yield (
                f"datasets.{name}.detector: belongs to format photographs, "
                f"received format {dataset['format']}"
            )
        return
    yield from detector_faults(dataset.get("detector", {}), f"datasets.{name}.detector")
    if not {"sheet", "boxes"} & set(dataset) and "{class}" not in dataset.get("pattern", ""):
        yield (
            f"datasets.{name}: format photographs needs the labels of its cells: expected one of "
            "boxes, sheet, or a pattern with {class}"
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


def _check_early_stopping(config: dict) -> Iterator[str]:
    """Check that whatever stops early has validation images to stop by."""
    protocols = config["protocols"]
    for _, protocol, model in combinations(config):
        entry = protocols.get(protocol, {"validation_fraction": 1})
        validated = entry["validation_fraction"] > 0 or "validation_parts" in entry
        if not validated and config["models"].get(model, {}).get("early_stopping"):
            yield (
                f"models.{model}.early_stopping: needs validation images, but "
                f"protocols.{protocol}.validation_fraction is 0; expected null, or a fraction "
                "above 0"
            )


def _check_model(key: str, model: dict) -> Iterator[str]:
    if model["early_stopping"] and model["early_stopping"] >= model["epochs"]:
        yield (
            f"{key}.early_stopping: received {model['early_stopping']}, "
            f"expected fewer than epochs ({model['epochs']})"
        )
