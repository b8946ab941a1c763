"""Leak contrasts in the config: a protocol that becomes two, with a leak and without it."""

import copy
from collections.abc import Iterator, Mapping

from blastfold.core.names import LEAK_CONTRAST, WITH_LEAK, WITHOUT_LEAK

ARMS = {WITH_LEAK: "with leak", WITHOUT_LEAK: "without leak"}
"""The arms of a contrast with their titles."""

GROUPED_BY = ("subject", "group")
"""What a contrast can keep together."""

FEWEST_FOLDS = 3
"""Folds that leave subjects who are in the training sets of both arms."""


def arm_name(protocol: str, arm: str) -> str:
    """Return the name of the protocol of one arm (with, without) of a contrast."""
    return f"{protocol}_{arm}_leak"


def check_contrasts(config: Mapping) -> Iterator[str]:
    """Yield every fault of the leak contrasts of a config with all defaults."""
    protocols = config["protocols"]
    for name, entry in protocols.items():
        key = f"protocols.{name}"
        if entry["kind"] != LEAK_CONTRAST:
            if "leak" in entry:
                yield f"{key}.leak: belongs to kind leak_contrast, received kind {entry['kind']}"
            continue
        if "leak" not in entry:
            yield f"{key}.leak: is missing, kind leak_contrast needs subject or copies"
        if entry["group_by"] not in GROUPED_BY:
            yield (
                f"{key}.group_by: received {entry['group_by']!r}, expected subject or group for "
                "kind leak_contrast"
            )
        if entry["folds"] < FEWEST_FOLDS:
            yield f"{key}.folds: received {entry['folds']}, expected 3 or more for a leak_contrast"
        if entry["training_share"] != 1 or "same_folds_as" in entry or entry["leakage"] != "report":
            yield (
                f"{key}: kind leak_contrast takes no training_share, same_folds_as or leakage: "
                "forbid, because its arms are equal in all but the leak"
            )
        for arm in ARMS:
            if arm_name(name, arm) in protocols:
                yield f"{key}: makes a protocol {arm_name(name, arm)}, which exists; rename it"
        for ablation, asked in config["ablations"].items():
            if name in asked["protocols"]:
                yield f"ablations.{ablation}.protocols: {name} is a leak contrast, expected another"
        for other, given in protocols.items():
            if given.get("same_folds_as") == name:
                yield f"protocols.{other}.same_folds_as: {name} is a leak contrast"


def expand_contrasts(config: dict) -> dict:
    """Replace every leak contrast by the protocols of its arms.

    Args:
        config: A valid config with all defaults.

    Returns:
        A copy. The entry of an arm has the keys of the contrast, ``arm`` (with or without) and
        ``contrast`` (name and title of the contrast).
    """
    expanded = copy.deepcopy(config)
    protocols = {}
    for name, entry in expanded["protocols"].items():
        if entry["kind"] != LEAK_CONTRAST:
            protocols[name] = entry
            continue
        for arm, title in ARMS.items():
            protocols[arm_name(name, arm)] = {
                **copy.deepcopy(entry),
                "title": f"{entry['title']}: {title}",
                "arm": arm,
                "contrast": {"name": name, "title": entry["title"]},
            }
    for experiment in expanded["experiments"]:
        names = []
        for name in experiment["protocols"]:
            known = name in protocols
            names += [name] if known else [arm_name(name, arm) for arm in ARMS]
        experiment["protocols"] = names
    return expanded | {"protocols": protocols}
