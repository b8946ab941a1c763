"""Several GPUs on one workstation: a job takes one that no other job has.

Snakemake counts GPUs but does not tell a job which one is its own, so that all jobs would meet on
the first. Here a job holds an exclusive lock on a file that stands for its GPU. The kernel frees
the lock when the process ends, in whatever way it ends.
"""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import MutableMapping
from pathlib import Path

from blastfold.core.hardware import visible_gpus

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 1.0
"""A lock cannot be waited for together with others, so that they are looked at in turn."""

_held: dict[str, int] = {}
"""GPU -> open lock file. It stays open, and the GPU taken, for as long as the process lives."""


def claim_gpu(
    environment: MutableMapping[str, str] = os.environ,
    devices: str | os.PathLike = "/dev",
    locks: str | os.PathLike | None = None,
) -> str | None:
    """Take a free GPU for this process and hide all others; wait until there is one.

    To be called before TensorFlow or JAX looks for devices. A process keeps its GPU to its end and
    gets the same one when it asks again. Where ``CUDA_VISIBLE_DEVICES`` names a single GPU it has
    been handed out already, by SLURM or by the user, and nothing is locked: within SLURM every
    job may call its own GPU 0.

    Args:
        environment: Environment of the process; ``CUDA_VISIBLE_DEVICES`` is read and set.
        devices: Folder of device files.
        locks: Folder of lock files, that of temporary files when None: all users' jobs meet there.

    Returns:
        What ``CUDA_VISIBLE_DEVICES`` is set to, or None where no GPU is visible.
    """
    if _held:
        return next(iter(_held))
    candidates = visible_gpus(devices, environment)
    if not candidates:
        return None
    if len(candidates) == 1 and "CUDA_VISIBLE_DEVICES" in environment:
        return candidates[0]
    gpu = _wait_for_one(candidates, Path(locks or tempfile.gettempdir()))
    environment["CUDA_VISIBLE_DEVICES"] = gpu
    return gpu


def _wait_for_one(candidates: list[str], locks: Path) -> str:
    told = False
    while True:
        for gpu in candidates:
            if _take(gpu, locks):
                logger.info("this job has taken GPU %s of %s", gpu, ", ".join(candidates))
                return gpu
        if not told:
            logger.warning(
                "every GPU (%s) is taken by another job: waiting until one is free",
                ", ".join(candidates),
            )
            told = True
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _take(gpu: str, locks: Path) -> bool:
    descriptor = _open_lock(locks / f"blastfold-gpu-{gpu.replace('/', '_')}.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _held[gpu] = descriptor
    return True


def _open_lock(path: Path) -> int:
    """Open a lock file; one that another user made can be locked, but not written."""
    flags = os.O_RDONLY | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        return os.open(path, flags | os.O_CREAT, 0o644)
