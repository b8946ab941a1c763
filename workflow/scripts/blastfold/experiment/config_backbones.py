"""Backbones that are files, in the config: which other keys fit them."""

from collections.abc import Iterator, Mapping

from blastfold.core.settings import ONNX, OWN_BACKBONES, VECTORS

NEEDED = {"train": "head", "features": "stored", "weights": "none"}
"""Keys of a model with such a backbone that have one value."""

NOT_GIVEN = {
    ONNX: ("preprocessing", "pooling"),
    VECTORS: ("preprocessing", "pooling", "augmentation"),
}
"""Keys that it must not have, because the file decides."""

OF_NETWORKS = ("external_test", "attribution")
"""Keys of an experiment that run a Keras network."""


def check_backbones(config: Mapping, given: Mapping) -> Iterator[str]:
    """Yield what does not fit a backbone that is a file.

    Args:
        config: A config that the schema has accepted, with all defaults.
        given: The same config with the given keys alone.
    """
    for name, model in config["models"].items():
        key, architecture = f"models.{name}", model["architecture"]
        for other, own in OWN_BACKBONES.items():
            if own in model and other != architecture:
                yield (
                    f"{key}.{own}: belongs to architecture {other}, received architecture "
                    f"{architecture}"
                )
        if architecture in OWN_BACKBONES:
            yield from _check_keys(key, model, given["models"].get(name, {}))
    for position, experiment in enumerate(config["experiments"]):
        asked = [part for part in OF_NETWORKS if experiment[part]]
        for name in experiment["models"] if asked else ():
            architecture = config["models"].get(name, {}).get("architecture")
            if architecture in OWN_BACKBONES:
                yield (
                    f"experiments.{position}.{asked[0]}: models.{name} has architecture "
                    f"{architecture} and so no Keras network, which this key needs; expected an "
                    f"entry without {asked[0]} for this model"
                )


def _check_keys(key: str, model: Mapping, given: Mapping) -> Iterator[str]:
    architecture = model["architecture"]
    own = OWN_BACKBONES[architecture]
    for part, needed in NEEDED.items():
        if model[part] != needed:
            received = f"received {model[part]!r}, but architecture {architecture}"
            yield f"{key}.{part}: {received} needs {needed!r}"
    for part in NOT_GIVEN[architecture]:
        if part in given:
            yield f"{key}.{part}: architecture {architecture} has it in {own}, leave it out"
    if own not in model:
        yield f"{key}.{own}: is missing, architecture {architecture} needs it"
        return
    if architecture == VECTORS:
        if model["augment"]:
            yield f"{key}.augment: vectors are of unchanged images, expected augment: false"
        if model["stain"] != "none":
            yield f"{key}.stain: received {model['stain']!r}, expected none: vectors have no stain"
    elif any(side % model[own]["multiple"] for side in model[own]["size"]):
        yield (
            f"{key}.{own}.size: received {model[own]['size']}, expected multiples of "
            f"{model[own]['multiple']} (onnx.multiple)"
        )
