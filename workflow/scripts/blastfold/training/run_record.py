"""What the record of a job says of its process: versions, memory, platform."""

import platform
from pathlib import Path

import keras
import numpy as np

import blastfold
from blastfold.training import device


def versions() -> dict[str, str]:
    """Return the versions of all libraries that compute, by name."""
    return {
        "blastfold": blastfold.__version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        keras.backend.backend(): device.backend_version(),
        "numpy": np.__version__,
    }


def describe_process() -> dict:
    """Return versions, platform and the peak memory in MB of this process and of its GPU."""
    return {
        "peak_memory_mb": round(peak_memory() / 1024, 1),
        "peak_gpu_memory_mb": device.peak_device_memory(),
        "versions": versions(),
        "platform": platform.platform(),
    }


def peak_memory() -> float:
    """Return the peak memory of this process in kB.

    Read from /proc where that exists: ``ru_maxrss`` starts with the memory of the parent process,
    so that a small job would seem as large as Snakemake.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    lines = status.read_text("utf-8").splitlines()
    return float(next(line for line in lines if line.startswith("VmHWM")).split()[1])
