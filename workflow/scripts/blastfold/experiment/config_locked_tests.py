"""Locked test sets in the config: a data set becomes its open part, and a part for the end.

The images of an entry with ``locked_test`` are imported as ``<name>_whole``. Everything of the
experiment happens on ``<name>``, from which the locked images are taken away before anything else
is computed. ``<name>_locked_test`` exists when ``snakemake locked_test`` asks for it.
"""

import copy
import os
from collections.abc import Iterator, Mapping

from blastfold.core.settings import OWN_BACKBONES
from blastfold.experiment.combinations import combinations

OPEN, LOCKED = "open", "locked"
"""Formats of the parts: that on which everything happens, and that for the end."""
WAYS = ("share", "subjects", "parts")
"""How the locked part is named; one of them."""

KEPT = ("image_size", "duplicates", "reproduces")
"""Keys that both parts have from the entry."""


def whole_name(dataset: str) -> str:
    """Return the name of the data set that both parts are taken from."""
    return f"{dataset}_whole"


def locked_name(dataset: str) -> str:
    """Return the name of the locked part of a data set."""
    return f"{dataset}_locked_test"


def check_locked_tests(config: Mapping) -> Iterator[str]:
    """Yield every fault of the keys ``locked_test`` of a config with all defaults."""
    datasets = config["datasets"]
    locked = [name for name, entry in datasets.items() if "locked_test" in entry]
    for name in locked:
        key, entry = f"datasets.{name}.locked_test", datasets[name]["locked_test"]
        given = [way for way in WAYS if way in entry]
        if len(given) != 1:
            yield (
                f"{key}: received {' and '.join(given) or 'nothing'}, expected one of "
                f"{', '.join(WAYS)}"
            )
        yield from _read_elsewhere(name, datasets)
        for taken in (whole_name(name), locked_name(name)):
            if taken in datasets:
                yield f"{key}: makes a data set {taken}, but datasets.{taken} exists; rename it"
    for dataset, _, model in combinations(config):
        architecture = config["models"].get(model, {}).get("architecture")
        if dataset in locked and architecture in OWN_BACKBONES:
            yield (
                f"datasets.{dataset}.locked_test: models.{model} has architecture {architecture} "
                "and so no Keras network to test; expected another model for this data set"
            )


def _read_elsewhere(name: str, datasets: Mapping) -> Iterator[str]:
    """Yield the data sets that read the images of a data set with a locked part once more.

    Other sheets or parts of one folder may be other images; the audit compares their content.
    """
    entry = datasets[name]
    for other, found in datasets.items():
        if other == name or not (entry.get("path") and found.get("path")):
            continue
        if os.path.realpath(entry["path"]) != os.path.realpath(found["path"]):
            continue
        parts = [set(each["parts"]) if each.get("parts") else None for each in (entry, found)]
        apart = None not in parts and not parts[0] & parts[1]
        if entry.get("sheet") == found.get("sheet") and not apart:
            yield (
                f"datasets.{name}.locked_test: datasets.{other} reads the same images from "
                f"{found['path']}, so that locked images would be used there; remove that data "
                "set, or make it with `of`"
            )


def expand_locked_tests(config: dict) -> dict:
    """Replace every data set with a locked test set by its parts.

    Args:
        config: A valid config with all defaults.

    Returns:
        A copy with the data sets ``<name>_whole`` (imported), ``<name>`` (format ``open``) and
        ``<name>_locked_test`` (format ``locked``), both ``of`` the first one.
    """
    expanded = copy.deepcopy(config)
    datasets = {}
    for name, entry in expanded["datasets"].items():
        if "locked_test" not in entry:
            datasets[name] = entry
            continue
        chosen = entry.pop("locked_test")
        part = {**{key: entry[key] for key in KEPT}, "of": whole_name(name), "locked_test": chosen}
        # Duplicates are removed from the open part alone, which has splits.
        whole = {"title": f"{entry['title']} with its locked part", "remove_duplicates": False}
        datasets[whole_name(name)] = entry | whole
        datasets[name] = {
            **copy.deepcopy(part),
            **{"format": OPEN, "title": entry["title"]},
            "remove_duplicates": entry["remove_duplicates"],
        }
        datasets[locked_name(name)] = {
            **copy.deepcopy(part),
            **{"format": LOCKED, "title": f"{entry['title']}, locked test set"},
            **{"open_part": name, "remove_duplicates": False},
        }
    return expanded | {"datasets": datasets}
