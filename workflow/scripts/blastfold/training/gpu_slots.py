"""Several GPUs on one workstation: each job takes one that no other job uses.

Snakemake counts GPUs but does not assign them to jobs, so that all jobs would use the first one.
Here a job holds an exclusive lock on the lock file of its GPU. The kernel frees the lock
when the process ends, also when it is killed.
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
"""A process cannot wait for several locks at once, so that they are tried in turn."""

_held: dict[str, int] = {}
"""GPU -> open lock file. It stays open until the process ends."""


def claim_gpu(
    environment: MutableMapping[str, str] = os.environ,
    devices: str | os.PathLike = "/dev",
    locks: str | os.PathLike | None = None,
) -> str | None:
    """Take a free GPU for this process and hide all others; wait until one is free.

    Call this before TensorFlow or JAX looks for devices. A process keeps its GPU until it ends,
    and a second call returns the same one. Where ``CUDA_VISIBLE_DEVICES`` names a single GPU,
    SLURM or the user has assigned it, and nothing is locked: within SLURM the GPU of every job
    may have the number 0.

    Args:
        environment: Environment of the process; ``CUDA_VISIBLE_DEVICES`` is read and set.
        devices: Folder of device files.
        locks: Folder of lock files; None is the folder of temporary files, which all users share.

    Returns:
        The new value of ``CUDA_VISIBLE_DEVICES``, or None where no GPU is visible.
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
    reported = False
    while True:
        for gpu in candidates:
            if _take(gpu, locks):
                logger.info("this job uses GPU %s of %s", gpu, ", ".join(candidates))
                return gpu
        if not reported:
            logger.warning(
                "Every GPU (%s) is used by another job: waiting until one is free",
                ", ".join(candidates),
            )
            reported = True
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
    """Open a lock file read-only: that of another user can be locked, but not written."""
    flags = os.O_RDONLY | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        return os.open(path, flags | os.O_CREAT, 0o644)
