"""What the machine that plans the workflow has; needs nothing but Python."""

import os
from collections.abc import Mapping
from pathlib import Path


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
