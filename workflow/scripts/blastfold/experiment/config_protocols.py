"""Protocols in the config: whose folds they have, and parts and shares that leave something."""

import math
from collections.abc import Iterator

from blastfold.core.parts import role_of_part


def fold_origins(protocol: dict, protocols: dict) -> list[str]:
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


def check_protocol(key: str, protocol: dict, protocols: dict) -> Iterator[str]:
    """Yield every fault of a protocol.

    Args:
        key: Its place in the config.
        protocol: Its entry, with all defaults.
        protocols: All entries.
    """
    base = protocols.get(protocol.get("same_folds_as"))
    origins = fold_origins(protocol, protocols)
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
    if protocol["kind"] == "predefined":
        yield from _check_parts(key, protocol)
    if protocol["kind"] == "holdout":
        held_out = protocol["test_fraction"] + protocol["validation_fraction"]
        if held_out >= 1 or math.isclose(held_out, 1):
            yield (
                f"{key}: test_fraction and validation_fraction add up to {held_out:g}, "
                "expected less than 1 so that something is left to train on"
            )


def _check_parts(key: str, protocol: dict) -> Iterator[str]:
    """Check that every part of a predefined split has one use in a fold, and one is trained on."""
    if "test_parts" not in protocol:
        yield f"{key}.test_parts: is missing, kind predefined needs the parts to test on"
        return
    tested, validated = protocol["test_parts"], protocol.get("validation_parts", [])
    held_out = {role_of_part(part) for part in validated}
    for part in sorted(part for part in tested if role_of_part(part) in held_out):
        yield (
            f"{key}.validation_parts: {part!r} is among test_parts too, expected parts that are "
            "not tested"
        )
    if "train_parts" not in protocol and len(tested) == 1:
        # All other parts of the data set are trained on; the import knows them.
        return
    trained = {role_of_part(part) for part in protocol.get("train_parts", tested)}
    for part in tested:
        if not trained - {role_of_part(part), *held_out}:
            yield (
                f"{key}.train_parts: nothing is left to train on when {part!r} is tested, "
                "expected a part that is neither tested nor validated"
            )
