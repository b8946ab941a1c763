"""Choice and set-up of the device that networks run on, for each backend of Keras."""

import logging
import os
import subprocess
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from blastfold.core.errors import MissingDeviceError
from blastfold.training.gpu_slots import claim_gpu

if keras.backend.backend() == "jax":
    from blastfold.training import device_jax as framework
elif keras.backend.backend() == "tensorflow":
    from blastfold.training import device_tensorflow as framework
else:
    raise MissingDeviceError(
        f"KERAS_BACKEND: received {keras.backend.backend()!r}, expected tensorflow or jax"
    )

logger = logging.getLogger(__name__)

ALWAYS_COMPILED = keras.backend.backend() == "jax"
"""Whether networks are compiled by XLA whatever is asked: without it JAX runs them one operation at
a time, many times slower."""

THREADS_BESIDE_GPU = 8
"""Threads of the CPU that prepare images for a GPU, which computes the results."""

TENSOR_CORES = (7, 0)
"""Lowest CUDA compute capability at which half precision is faster (Keras' guide, Volta)."""

BFLOAT16_UNITS = (8, 0)
"""Lowest CUDA compute capability with units for bfloat16 (Ampere)."""


def set_up_device(wanted: str, threads: int, gpu: int) -> str:
    """Prepare the framework before its first operation.

    On a workstation with several GPUs the job waits here until one of them is free.

    Args:
        wanted: The config's ``device``: ``auto``, ``gpu`` or ``cpu``.
        threads: Threads that the job computes with on a CPU.
        gpu: Snakemake's ``gpu`` resource of the job; 0 keeps the job off every GPU.

    Returns:
        Name of the device, for instance ``"CPU"`` or ``"GPU NVIDIA A100"``.

    Raises:
        MissingDeviceError: A GPU is required and there is none.
    """
    # A second job in the same process keeps the number of threads of the first.
    if not framework.set_threads(threads):
        logger.debug("the framework has started and keeps its number of threads")
    name = None
    if gpu and wanted != "cpu":
        claim_gpu()
        name = framework.find_gpu()
    if wanted == "gpu" and name is None:
        raise MissingDeviceError(_missing_gpu(gpu))
    if name is None:
        if wanted == "auto":
            logger.warning("No GPU: training on the CPU. Set device: gpu to forbid this.")
        framework.use_cpu()
        return "CPU"
    framework.set_threads(max(threads, THREADS_BESIDE_GPU))
    framework.use_gpu()
    return f"GPU {name}"


def set_deterministic(seed: int) -> None:
    """Seed every generator and make operations bit-reproducible on this machine."""
    keras.utils.set_random_seed(seed)
    framework.set_deterministic()


def peak_device_memory() -> float | None:
    """Return the peak memory of the GPU in MB, or None on a CPU."""
    peak = framework.peak_memory()
    return None if peak is None else peak / 2**20


def compiled(model: keras.Model, jit_compile: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Compile the prediction of a model, as it is used outside of Keras.

    Args:
        model: A model with one input.
        jit_compile: Whether XLA compiles it; JAX always does.

    Returns:
        A function from an array of images to an array of outputs, which has waited for them.
    """
    return framework.compiled(model, jit_compile)


def backend_version() -> str:
    """Return the version of Keras' backend (``keras.backend.backend()``)."""
    return framework.VERSION


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the memory of the device or the machine is full."""
    return isinstance(error, MemoryError) or framework.is_out_of_memory(error)


def default_precision(device_name: str) -> str:
    """Return the Keras dtype policy that suits a device (see :func:`precision_of`).

    Args:
        device_name: What :func:`set_up_device` returned.
    """
    return precision_of(device_name, framework.compute_capability())


def precision_of(device_name: str, capability: tuple[int, int] | None) -> str:
    """Return the Keras dtype policy that suits a device.

    Half precision is faster where there are units for it. A CPU without them ran at 0.36 of the
    speed of float32, and GPUs before Volta have none either.

    Args:
        device_name: ``"CPU"`` or ``"GPU ..."``.
        capability: CUDA compute capability of the GPU; None when unknown.

    Returns:
        ``"float32"``, ``"mixed_float16"`` or ``"mixed_bfloat16"``.
    """
    if not is_gpu(device_name) or (capability and tuple(capability) < TENSOR_CORES):
        return "float32"
    if capability and tuple(capability) >= BFLOAT16_UNITS:
        return "mixed_bfloat16"
    return "mixed_float16"


def default_jit_compile(device_name: str) -> bool:
    """Return whether XLA suits a device: a GPU; on a CPU it ran at 0.7 of the speed of oneDNN."""
    return is_gpu(device_name) or ALWAYS_COMPILED


def free_gpu_memory() -> int | None:
    """Return the free memory of this job's GPU in bytes, from its driver; None without a GPU."""
    query = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    try:
        answer = subprocess.run(
            [*query, *(["--id", visible] if visible else [])],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(answer.stdout.split()[0]) * 2**20
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        return None


def is_gpu(device_name: str) -> bool:
    """Return whether a name that :func:`set_up_device` returned is that of a GPU."""
    return device_name.startswith("GPU ")


def _missing_gpu(gpu: int) -> str:
    return (
        f"device: gpu, but Keras' backend {keras.backend.backend()} sees no GPU (the job's "
        f"resource gpu is {gpu}, "
        f"CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES')!r}, "
        f"{framework.describe_build()}). "
        "Expected a visible GPU and the CUDA build (make env GPU=1), or device: auto or cpu."
    )
