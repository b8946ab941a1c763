"""What the machine that plans the workflow has; needs nothing but Python."""

import math
import os
from collections.abc import Mapping
from pathlib import Path

GIGABYTES_PER_TRAINING = 6.0
"""Memory of a training on the CPU: DenseNet169 at 257x257 pixels needed 5.8 GB at its peak."""


def installed_memory() -> float:
    """Return the memory of this machine in GB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def declared_threads(threads: int, cores: int, memory: float) -> int:
    """Return the threads that a training declares to the scheduler of one machine.

    The scheduler counts cores. A training that needs more memory than its share of the cores
    declares more threads than it computes with, so that fewer run side by side.

    Args:
        threads: Threads that a training computes with.
        cores: Cores of the scheduler.
        memory: Memory of the machine in GB.
    """
    side_by_side = max(1, min(cores // threads, int(memory // GIGABYTES_PER_TRAINING)))
    return max(threads, math.ceil(cores / side_by_side))


def has_gpu(devices: str | os.PathLike = "/dev") -> bool:
    """Return whether this machine has an NVIDIA GPU that programs may use.

    Args:
        devices: Folder of device files; the driver makes ``nvidia0`` and so on there.
    """
    return bool(_device_files(devices)) and bool(visible_gpus(devices))


def visible_gpus(
    devices: str | os.PathLike = "/dev", environment: Mapping[str, str] = os.environ
) -> list[str]:
    """List the GPUs that a process may use, by what ``CUDA_VISIBLE_DEVICES`` calls them.

    Args:
        devices: Folder of device files.
        environment: Its ``CUDA_VISIBLE_DEVICES`` decides where it is set; as in CUDA, what
            follows ``-1`` or an empty name is hidden.

    Returns:
        Numbers or UUIDs as text, each once.
    """
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(number) for number in range(len(_device_files(devices)))]
    gpus = []
    for name in named.split(","):
        if name.strip() in ("", "-1"):
            break
        gpus.append(name.strip())
    return list(dict.fromkeys(gpus))


def _device_files(devices: str | os.PathLike) -> list[Path]:
    return list(Path(devices).glob("nvidia[0-9]*"))
