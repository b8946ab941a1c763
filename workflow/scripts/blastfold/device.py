"""Choice and set-up of the device that networks are trained on; the only TensorFlow-only module."""

import logging
import os

from blastfold.errors import MissingDeviceError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

logger = logging.getLogger(__name__)


def set_up_device(wanted: str, threads: int, gpu: int) -> str:
    """Prepare TensorFlow before its first operation.

    Args:
        wanted: The config's ``device``: ``auto``, ``gpu`` or ``cpu``.
        threads: Threads that the job may use.
        gpu: Snakemake's ``gpu`` resource of the job; 0 keeps the job off every GPU.

    Returns:
        Name of the device, for instance ``"CPU"`` or ``"GPU NVIDIA A100"``.

    Raises:
        MissingDeviceError: When a GPU is demanded and there is none.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        # TensorFlow runs already: a second job in one process keeps the threads of the first.
        logger.debug("TensorFlow is running already and keeps its number of threads")
    devices = tf.config.list_physical_devices("GPU") if gpu else []
    if wanted == "gpu" and not devices:
        raise MissingDeviceError(_missing_gpu(gpu))
    if wanted == "cpu" or not devices:
        if wanted == "auto":
            logger.warning("No GPU: training on the CPU. Set device: gpu to forbid this.")
        tf.config.set_visible_devices([], "GPU")
        return "CPU"
    # Without memory growth TensorFlow takes the whole GPU, and a second process fails.
    tf.config.experimental.set_memory_growth(devices[0], True)
    tf.config.set_visible_devices(devices[0], "GPU")
    details = tf.config.experimental.get_device_details(devices[0])
    return f"GPU {details.get('device_name', devices[0].name)}"


def set_deterministic(seed: int) -> None:
    """Seed every generator and make TensorFlow's operations bit-reproducible on this machine."""
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def peak_device_memory() -> float | None:
    """Return the peak memory of the GPU in MB, or None on a CPU."""
    if not tf.config.get_visible_devices("GPU"):
        return None
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20


def _missing_gpu(gpu: int) -> str:
    build = tf.sysconfig.get_build_info()
    return (
        f"device: gpu, but TensorFlow sees no GPU (the job's resource gpu is {gpu}, "
        f"CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES')!r}, "
        f"built with CUDA: {tf.test.is_built_with_cuda()}, "
        f"CUDA {build.get('cuda_version')}, cuDNN {build.get('cudnn_version')}). "
        "Expected a visible GPU and the CUDA build (make env GPU=1), or device: auto or cpu."
    )
