"""What the machine that plans the workflow has; needs nothing but Python."""

import os
from pathlib import Path


def has_gpu(devices: str | os.PathLike = "/dev") -> bool:
    """Tell whether this machine has an NVIDIA GPU that programs may use.

    Args:
        devices: Folder of device files; the driver makes ``nvidia0`` and so on there.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1"):
        return False
    return any(Path(devices).glob("nvidia[0-9]*"))
