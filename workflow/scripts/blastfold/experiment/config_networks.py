"""Networks in the config: names that exist, images that they can take, weights that exist."""

import difflib
from collections.abc import Iterator, Mapping

from blastfold.core.names import plain_name
from blastfold.core.settings import OWN_BACKBONES, OWN_NETWORKS
from blastfold.experiment.applications import SMALLEST_SIZES
from blastfold.experiment.combinations import combinations

MOST_OF_ANY_SHAPE = 4
"""Test-time views of images that are not square, which cannot be transposed."""

APPLICATIONS = {plain_name(name): name for name in SMALLEST_SIZES}
"""The networks of keras.applications by their plain names."""


def check_networks(config: dict) -> Iterator[str]:
    """Yield every network that does not exist or cannot take the images that it is given.

    Args:
        config: A config that the schema has accepted, expanded.
    """
    for name, model in config["models"].items():
        key = f"models.{name}"
        yield from _name_faults(f"{key}.architecture", model["architecture"], own=True)
        if own := OWN_NETWORKS.get(plain_name(model["architecture"])):
            for part in ("weights", "preprocessing"):
                if model[part] in ("imagenet", "mean_image_imagenet"):
                    yield (
                        f"{key}.{part}: received {model[part]!r}, but {own.name} has no ImageNet "
                        "weights; expected another value or another architecture"
                    )
    for model, dataset in dict.fromkeys((run[2], run[0]) for run in combinations(config)):
        if model in config["models"] and dataset in config["datasets"]:
            architecture = config["models"][model]["architecture"]
            yield from _size_faults(f"models.{model}.architecture", architecture, dataset, config)
            views = f"models.{model}.test_time_views"
            yield from _view_faults(views, config["models"][model], dataset, config)
    for name, entry in config["datasets"].items():
        if entry.get("select", {}).get("method") == "discriminative":
            key, architecture = (
                f"datasets.{name}.select.architecture",
                entry["select"]["architecture"],
            )
            yield from _name_faults(key, architecture, own=False)
            yield from _size_faults(key, architecture, name, config)


def _view_faults(key: str, model: Mapping, dataset: str, config: Mapping) -> Iterator[str]:
    """Check that the views of a model exist: features have one, other shapes than squares four."""
    views = model["test_time_views"]
    if views > 1 and model["train"] == "head" and model["features"] == "stored":
        yield (
            f"{key}: received {views}, but stored features are those of one view; expected 1, or "
            "features: online"
        )
    size = image_size(config["datasets"], dataset)
    if views > MOST_OF_ANY_SHAPE and size and size[0] != size[1]:
        yield (
            f"{key}: received {views}, but images of {dataset} are {size[0]}x{size[1]} and cannot "
            f"be transposed; expected {MOST_OF_ANY_SHAPE} at most"
        )


def _name_faults(key: str, architecture: str, own: bool) -> Iterator[str]:
    wanted, known = plain_name(architecture), dict(APPLICATIONS)
    if own:
        known |= {name: network.name for name, network in OWN_NETWORKS.items()}
        known |= {name: name for name in OWN_BACKBONES}
    if wanted in known:
        return
    close = difflib.get_close_matches(wanted, known, n=1, cutoff=0.75)
    if close:
        yield f"{key}: received {architecture!r}; did you mean {known[close[0]]}?"
        return
    own_names = ", ".join(network.name for network in OWN_NETWORKS.values())
    either = f"{own_names} or one of" if own else "one of"
    yield (
        f"{key}: received {architecture!r}, expected {either} keras.applications: "
        f"{', '.join(SMALLEST_SIZES)}"
        + (f"; or {' or '.join(OWN_BACKBONES)}, which are files of yours" if own else "")
    )


def _size_faults(key: str, architecture: str, dataset: str, config: Mapping) -> Iterator[str]:
    smallest = _smallest_size(architecture)
    size = image_size(config["datasets"], dataset)
    if smallest and size and min(size) < smallest:
        yield (
            f"{key}: {architecture} cannot take images of {size[0]}x{size[1]} pixels; expected "
            f"at least {smallest}x{smallest}, set datasets.{dataset}.image_size or another network"
        )


def _smallest_size(architecture: str) -> int | None:
    if own := OWN_NETWORKS.get(plain_name(architecture)):
        return own.smallest
    return SMALLEST_SIZES.get(APPLICATIONS.get(plain_name(architecture), ""))


def image_size(datasets: Mapping, name: str) -> list[int] | None:
    """Return the size of a data set's images; a derived one takes it from its base."""
    entry = datasets[name]
    return datasets.get(entry.get("of"), entry).get("image_size")
