"""The disk that an experiment needs, as every plan says it."""

from collections.abc import Mapping
from pathlib import Path

from blastfold.experiment.combinations import combinations
from blastfold.planning.cost_model import Speed, count_images, disk_needs
from blastfold.planning.network_sizes import network_sizes

SMALLEST = 0.05
"""GB whose parts are named."""


def needed_disk(
    config: Mapping, known: Mapping, results: str | Path
) -> tuple[dict[str, float], list[str]]:
    """Return what images, features and networks of all folds need at most.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        known: Counts of the public data sets by format (resources/datasets.yaml).
        results: Folder of results; the records of imported data sets decide.

    Returns:
        GB (2**30 bytes) by what needs them, and what is not counted, in words.
    """
    counts = count_images(config, known, results)
    left_out = [
        f"{name}, whose images are counted by the import"
        for name, parts in sorted(counts.items())
        if parts is None
    ]
    speeds = {}
    for dataset, _, model in combinations(config):
        size = config["datasets"][dataset]["image_size"]
        sizes = network_sizes(config["models"][model], size)
        # Seconds do not matter here.
        speeds[dataset, model] = Speed(0, 0, 0, *(sizes or (0, 0)))
        if sizes is None:
            left_out.append(f"{model}, whose size make estimate measures")
    return disk_needs(config, counts, speeds), list(dict.fromkeys(left_out))


def describe_needed_disk(config: Mapping, known: Mapping, results: str | Path) -> str:
    """Return the line of a plan about the disk; the arguments are those of :func:`needed_disk`."""
    needs, left_out = needed_disk(config, known, results)
    parts = ", ".join(f"{name} {size:.1f}" for name, size in needs.items())
    total = sum(needs.values())
    size = f"{total:.1f} GB ({parts})" if total >= SMALLEST else "0.1 GB"
    text = f"Disk: the whole experiment needs at most {size}"
    text += ", without tables and figures"
    return text + (f"; not counted: {'; '.join(left_out)}" if left_out else "")
