"""Smallest images and sizes of the networks of keras.applications, as tables for the plan.

Run as ``python -m blastfold.networks.smallest_sizes`` after an update of Keras. It builds every
network, which takes some minutes. ``tests/unit/networks/test_smallest_sizes.py`` proves that the
tables agree with the installed Keras.
"""

import inspect
from pathlib import Path

import keras

from blastfold.experiment import applications

SIZES = range(8, 257)
"""The heights and widths that are tried."""


def application_names() -> list[str]:
    """Return the names of all networks of keras.applications, sorted."""
    return sorted(name for name, _ in inspect.getmembers(keras.applications, inspect.isfunction))


def build(name: str, size: int) -> keras.Model:
    """Build a network without its top for square images.

    Raises:
        ValueError: The images are too small.
    """
    keras.backend.clear_session()
    make = getattr(keras.applications, name)
    return make(include_top=False, weights=None, input_shape=(size, size, 3))


def smallest_size(name: str) -> int:
    """Return the smallest height and width of an image that a network can be built for.

    Raises:
        ValueError: No size of ``SIZES`` is large enough.
    """
    for size in SIZES:
        try:
            build(name, size)
        except ValueError:
            continue
        return size
    raise ValueError(f"{name} cannot be built for images of {SIZES[-1]}x{SIZES[-1]} pixels.")


def backbone_size(name: str, size: int) -> tuple[int, int]:
    """Return the channels of the last feature map and the parameters of a network."""
    network = build(name, size)
    return network.output.shape[-1], network.count_params()


def table_source(sizes: dict[str, int], backbones: dict[str, tuple[int, int]]) -> str:
    """Return the source of :mod:`blastfold.experiment.applications` for the networks by name."""
    rows = "".join(f'    "{name}": {size},\n' for name, size in sorted(sizes.items()))
    counts = "".join(
        f'    "{name}": ({channels}, {parameters}),\n'
        for name, (channels, parameters) in sorted(backbones.items())
    )
    return (
        f'"""{applications.__doc__}"""\n\nSMALLEST_SIZES = {{\n{rows}}}\n'
        '"""Height and width of the smallest image."""\n\n'
        f"BACKBONES = {{\n{counts}}}\n"
        '"""Channels of the last feature map, and parameters without the top."""\n'
    )


if __name__ == "__main__":
    smallest = {name: smallest_size(name) for name in application_names()}
    made = table_source(
        smallest, {name: backbone_size(name, size) for name, size in smallest.items()}
    )
    Path(applications.__file__).write_text(made, "utf-8")
