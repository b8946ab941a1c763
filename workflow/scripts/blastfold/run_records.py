"""What a job on a device writes down about itself."""

import platform
import resource

import keras
import numpy as np

import blastfold
from blastfold import device


def versions() -> dict[str, str]:
    """Return the versions of all that computes, by name."""
    return {
        "blastfold": blastfold.__version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        keras.backend.backend(): device.backend_version(),
        "numpy": np.__version__,
    }


def describe_process() -> dict:
    """Return peak memory in MB of this process and of its GPU, versions and platform."""
    return {
        # ru_maxrss is in kilobytes on Linux.
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "peak_gpu_memory_mb": device.peak_device_memory(),
        "versions": versions(),
        "platform": platform.platform(),
    }
